//! Tables of a provider's words: each row a body as it is documented, the word that is made of it, and
//! the fact. A table is whole when every word that the adapter knows has a row.

use super::bodies::event;
use ordercast_core::{
    OrderId, ProjectId, Timestamp,
    ids::AttemptId,
    provider::{About, Provider, Question, SourceSettings, Subject},
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

pub struct Row {
    pub word: &'static str,
    pub body: Value,
    /// `null`: nothing that changes an order.
    pub fact: Value,
}

pub fn row(word: &'static str, body: Value, fact: Value) -> Row {
    Row { word, body, fact }
}

pub fn check_table(provider: Provider, rows: &[Row]) {
    check_rows(provider, rows);
    let known: BTreeSet<_> = provider.mapping().iter().map(|(word, _)| *word).collect();
    let bare = |word: &'static str| word.split_once(':').map_or(word, |(bare, _)| bare);
    let seen: BTreeSet<_> = rows
        .iter()
        .flat_map(|row| [row.word, bare(row.word)])
        .collect();
    let missing: Vec<_> = known.difference(&seen).collect();
    assert!(
        missing.is_empty(),
        "{provider:?} has no row for {missing:?}"
    );
}

pub fn check_rows(provider: Provider, rows: &[Row]) {
    for row in rows {
        let event = event(provider, &row.body);
        assert_eq!(event.kind, row.word, "{provider:?} {}", row.body);
        let fact = serde_json::to_value(&event.fact).expect("JSON");
        assert_eq!(fact, row.fact, "{provider:?} {} {}", row.word, row.body);
        assert_ne!(event.subject, Subject::Unknown, "{}", row.word);
        assert!(event.dedup_key.is_some(), "{}", row.word);
    }
}

pub fn money(minor: i64, currency: &str) -> Value {
    json!({ "minor": minor, "currency": currency })
}

pub fn pending(attempt: &str) -> Value {
    json!({ "fact": "payment_pending", "attempt": attempt })
}

pub fn authorized(attempt: &str) -> Value {
    json!({ "fact": "payment_authorized", "attempt": attempt })
}

pub fn failed(attempt: &str) -> Value {
    json!({ "fact": "payment_failed", "attempt": attempt })
}

pub fn paid(attempt: &str, amount: Value) -> Value {
    json!({ "fact": "paid", "attempt": attempt, "amount": amount })
}

pub fn part(refund: &str, attempt: &str, amount: Value) -> Value {
    json!({ "fact": "refunded", "attempt": attempt, "refund": refund, "amount": { "part": amount } })
}

pub fn reversed(refund: &str, attempt: &str, amount: Value) -> Value {
    json!({ "fact": "refund_reversed", "attempt": attempt, "refund": refund, "amount": amount })
}

pub fn disputed(dispute: &str, attempt: &str, state: &str, amount: Value) -> Value {
    json!({ "fact": "disputed", "attempt": attempt, "state": state, "amount": amount, "dispute": dispute })
}

pub fn unreadable(attempt: &str, about: &str, told: &str) -> Value {
    json!({ "fact": "unreadable", "attempt": attempt, "about": about, "told": told })
}

/// The second document's fields put into the first.
pub fn with(mut document: Value, more: Value) -> Value {
    let (Some(fields), Value::Object(more)) = (document.as_object_mut(), more) else {
        panic!("objects only")
    };
    fields.extend(more);
    document
}

/// What a provider's API is asked about order 7, made at 1700000000, of which these payments were heard.
pub fn questions(provider: Provider, attempts: &[&str], account: &str) -> Vec<Question> {
    let attempts: Vec<_> = attempts
        .iter()
        .map(|id| AttemptId::new(id).expect("id"))
        .collect();
    provider.questions(&About {
        project: ProjectId::new(1).expect("id"),
        order: OrderId::new(7).expect("id"),
        attempts: &attempts,
        made_at: Timestamp::from_seconds(1_700_000_000),
        account,
    })
}

pub fn paths(questions: &[Question]) -> Vec<&str> {
    questions.iter().map(Question::path).collect()
}

/// The facts that an answer tells, in their order, and what is asked next.
pub fn answered(
    provider: Provider,
    question: &Question,
    answer: &Value,
) -> (Vec<Value>, Vec<Question>) {
    let answered = question
        .answered(
            provider,
            &SourceSettings::default(),
            answer.to_string().as_bytes(),
        )
        .expect("readable");
    let events = answered
        .readings
        .into_iter()
        .flat_map(|reading| reading.events);
    let facts = events.filter_map(|event| event.fact);
    let facts = facts.map(|fact| serde_json::to_value(fact).expect("JSON"));
    (facts.collect(), answered.next)
}
