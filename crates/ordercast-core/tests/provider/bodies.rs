//! What each provider's bodies mean: one row a meaning, as they document them.

use ordercast_core::{
    ProjectId,
    ids::{AttemptId, DisputeId},
    money::{Currency, Money},
    order::{DisputeState, Fact},
    provider::{Event, EventError, Meaning, Provider, Request, SourceSettings, Subject, read},
};
use serde_json::{Value, json};

pub fn events(
    provider: Provider,
    settings: &SourceSettings,
    body: &Value,
) -> Result<Vec<Event>, EventError> {
    let body = body.to_string();
    let headers = [("webhook-id", "msg_1"), ("x-razorpay-event-id", "evt_9")];
    let request = Request {
        headers: &headers,
        body: body.as_bytes(),
    };
    read(
        provider,
        request,
        ProjectId::new(1).expect("id"),
        settings,
        "hash",
    )
}

pub fn event(provider: Provider, body: &Value) -> Event {
    let mut all = events(provider, &SourceSettings::default(), body).expect("readable");
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

pub fn attempt(id: &str) -> AttemptId {
    AttemptId::new(id).expect("id")
}

pub fn money(minor: i64, currency: &str) -> Money {
    Money::new(minor, Currency::new(currency).expect("code")).expect("range")
}

pub fn paid(id: &str, minor: i64, currency: &str) -> Fact {
    Fact::paid(attempt(id), money(minor, currency))
}

pub fn named_dispute(id: &str, dispute: &str, state: DisputeState) -> Fact {
    Fact::Disputed {
        attempt: attempt(id),
        state,
        amount: None,
        dispute: Some(DisputeId::new(dispute).expect("id")),
    }
}

/// The fact, the order that it names, and the dedup key.
pub fn check(provider: Provider, body: &Value, fact: Option<Fact>, order: Option<u32>) {
    let mut event = event(provider, body);
    // What the provider's checkout asked for has tests of its own.
    if let Some(Fact::Paid {
        total, equivalent, ..
    }) = &mut event.fact
    {
        (*total, *equivalent) = (None, None);
    }
    assert_eq!(event.fact, fact, "{provider:?} {}", event.kind);
    let named = match event.subject {
        Subject::Order { order, .. } => Some(order.get()),
        Subject::Attempt(_)
        | Subject::Foreign { .. }
        | Subject::User(_)
        | Subject::Unknown
        | Subject::Nothing
        | Subject::Unreadable(_) => None,
    };
    assert_eq!(named, order, "{provider:?} {}", event.kind);
    assert!(event.dedup_key.is_some());
}

#[test]
fn a_source_may_say_what_a_word_means() {
    let body = json!({ "notificationItems": [{ "NotificationRequestItem": {
        "eventCode": "AUTHORISATION", "success": "true", "pspReference": "A",
        "merchantReference": "7", "amount": { "value": 199, "currency": "EUR" } } }] });
    for (word, meaning, fact) in [
        (
            "AUTHORISATION:true",
            Meaning::Authorized,
            Some(Fact::PaymentAuthorized {
                attempt: attempt("A"),
            }),
        ),
        ("AUTHORISATION", Meaning::Ignore, None),
        ("CAPTURE:true", Meaning::Ignore, Some(paid("A", 199, "EUR"))),
    ] {
        let settings = SourceSettings {
            mapping: [(word.to_owned(), meaning)].into(),
            ..SourceSettings::default()
        };
        let events = events(Provider::Adyen, &settings, &body).expect("readable");
        assert_eq!(events[0].fact, fact, "{word}");
    }
}

#[test]
fn nothing_that_comes_makes_a_reader_fall_over() {
    let bodies = [
        "",
        "null",
        "[]",
        "{}",
        "1",
        "\"x\"",
        "{\"data\":null}",
        "{\"type\":1}",
        "{\"event\":[]}",
        "{\"id\":{},\"type\":{},\"data\":{\"object\":[]}}",
        "{\"notificationItems\":[{}]}",
        "{\"meta\":{\"event_name\":\"order_created\"}}",
        "{\"event_type\":\"PAYMENT.CAPTURE.REFUNDED\",\"resource\":{\"links\":{}},\"id\":\"x\"}",
        "{\"id\":\"e\",\"type\":\"payment_intent.succeeded\",\"data\":{\"object\":{\"object\":\"payment_intent\",\"id\":\"p\",\"amount_received\":-1,\"currency\":\"usd\"}}}",
        "{\"id\":\"e\",\"type\":\"payment_intent.succeeded\",\"data\":{\"object\":{\"object\":\"payment_intent\",\"id\":\"p\",\"amount_received\":99999999999999999999,\"currency\":\"usd\"}}}",
    ];
    for provider in Provider::ALL {
        for body in bodies {
            let request = Request {
                headers: &[],
                body: body.as_bytes(),
            };
            let project = ProjectId::new(1).expect("id");
            let read = read(
                provider,
                request,
                project,
                &SourceSettings::default(),
                "hash",
            );
            let paid = read
                .iter()
                .flatten()
                .any(|event| matches!(event.fact, Some(Fact::Paid { .. })));
            assert!(!paid, "{provider:?} {body}");
        }
    }
}
