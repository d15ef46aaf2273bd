//! What a provider said, in one line an event: about whom, what it means for money, and which money.

use ordercast_core::{
    ProjectId,
    order::{Fact, Mode, Refunded},
    provider::{Event, Provider, Request, SourceSettings, Subject, mollie_payment, read},
};
use serde_json::Value;

/// Each event of a body. What a classic webhook of Mollie asks for is given as the API gives it.
pub fn said(provider: Provider, settings: &SourceSettings, body: &Value) -> Vec<String> {
    let body = body.to_string();
    if provider == Provider::Mollie {
        let events = mollie_payment(body.as_bytes(), settings).expect("readable");
        return events.iter().map(shown).collect();
    }
    let headers = [("webhook-id", "msg_1")];
    let request = Request {
        headers: &headers,
        body: body.as_bytes(),
    };
    let project = ProjectId::new(1).expect("id");
    match read(provider, request, project, settings, "hash") {
        Ok(events) => events.iter().map(shown).collect(),
        Err(error) => vec![format!("refused: {error}")],
    }
}

/// Of a body that is one event, or several.
pub fn check(provider: Provider, body: &Value, expected: &[&str]) {
    let said = said(provider, &SourceSettings::default(), body);
    assert_eq!(said, expected, "{provider:?} {body}");
}

pub fn shown(event: &Event) -> String {
    let about = match &event.subject {
        Subject::Order { order, attempt } => format!("{order} {attempt}"),
        Subject::Attempt(attempt) => format!("{attempt}"),
        Subject::User(user) => format!("user {user}"),
        Subject::Foreign { attempt, .. } => format!("foreign {attempt}"),
        Subject::Unknown => "unknown".to_owned(),
        Subject::Nothing => "nothing".to_owned(),
        Subject::Unreadable(error) => format!("unreadable: {error}"),
    };
    let named = match &event.named {
        Some(named) => format!(" (named {named:?})"),
        None => String::new(),
    };
    let fact = event.fact.as_ref().map_or("kept".to_owned(), fact);
    let mode = match event.mode {
        Some(Mode::Sandbox) => ", test",
        Some(Mode::Default) => ", live",
        None => "",
    };
    format!("{about}{named}: {fact}{mode}")
}

fn fact(fact: &Fact) -> String {
    let of = |name: &Option<String>| name.as_ref().map_or(String::new(), |id| format!(" {id}"));
    match fact {
        Fact::PaymentPending { .. } => "pending".to_owned(),
        Fact::PaymentAuthorized { .. } => "authorized".to_owned(),
        Fact::PaymentFailed { .. } => "failed".to_owned(),
        Fact::Paid {
            amount,
            capture,
            equivalent,
            ..
        } => {
            let capture = of(&capture.as_ref().map(ToString::to_string));
            let equivalent = equivalent.map_or(String::new(), |other| format!(" or {other}"));
            format!("paid{capture} {amount}{equivalent}")
        }
        Fact::CaptureFailed { capture, .. } => {
            format!(
                "capture{} failed",
                of(&capture.as_ref().map(ToString::to_string))
            )
        }
        Fact::NothingDue { .. } => "nothing due".to_owned(),
        Fact::Unreadable { about, told, .. } => format!("unreadable {about:?}: {told}"),
        Fact::MayBeATwin { .. } => "maybe a twin".to_owned(),
        Fact::Refunded { refund, amount, .. } => {
            let refund = of(&refund.as_ref().map(ToString::to_string));
            match amount {
                Refunded::Whole => format!("refund{refund} of all"),
                Refunded::Part(amount) => format!("refund{refund} {amount}"),
                Refunded::Total(amount) => format!("refunds of {amount}"),
            }
        }
        Fact::RefundReversed { refund, .. } => {
            format!(
                "refund{} reversed",
                of(&refund.as_ref().map(ToString::to_string))
            )
        }
        Fact::Disputed {
            state,
            amount,
            dispute,
            ..
        } => {
            let dispute = of(&dispute.as_ref().map(ToString::to_string));
            let amount = amount.map_or(String::new(), |amount| format!(" {amount}"));
            format!("dispute{dispute} {state:?}{amount}").to_lowercase()
        }
        Fact::Expired => "expired".to_owned(),
    }
}
