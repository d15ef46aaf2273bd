//! Mollie. A classic webhook says only which payment to ask for, so its API is spoken for too; a newer
//! one is signed and holds what it is about.

use super::{Common, Headers, Kind, Setting, Unsigned, Voice, hex, kind, text};
use crate::trigger::payment::Payment;
use ordercast_core::money::Money;
use serde_json::{Value, json};

const KINDS: &[Kind] = &[
    kind("payment.pending").is(Common::Pending),
    kind("payment.authorized").is(Common::Authorized),
    kind("payment.paid")
        .is(Common::Paid)
        .undone_by("refund.refunded"),
    kind("payment.failed").is(Common::Failed),
    kind("payment.canceled"),
    kind("payment.expired"),
    kind("refund.queued"),
    kind("refund.refunded").is(Common::Refunded),
    kind("refund.failed").is(Common::RefundFailed),
    kind("chargeback.received").is(Common::DisputeLost),
    kind("chargeback.reversed").is(Common::DisputeWon),
];

/// The body is a form; what the payment is, Mollie's API answers.
pub const CLASSIC: Voice = Voice {
    kinds: KINDS,
    body: |_, payment, _| format!("id={}", payment.id("tr_")).into_bytes(),
    sign: Some(|_| {
        vec![(
            "content-type",
            "application/x-www-form-urlencoded".to_owned(),
        )]
    }),
};

pub const NEXT: Voice = Voice {
    kinds: KINDS,
    body: event,
    sign: Some(sign),
};

fn event(word: &str, payment: &Payment, _: Setting<'_>) -> Vec<u8> {
    let entity = match word.split_once('.') {
        Some(("refund", status)) => refund(status, payment),
        Some(("chargeback", case)) => chargeback(case, payment),
        _ => entity(status(word), payment),
    };
    text(&json!({
        "resource": "event",
        "id": payment.event_id("event_", word),
        "type": word,
        "entityId": entity["id"],
        "createdAt": payment.rfc3339(),
        "_embedded": { "entity": entity },
    }))
}

/// What the API says of a payment once an event has been told.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The path that it is asked for under, without a query.
    pub path: String,
    pub body: Vec<u8>,
}

pub fn answer(word: &str, payment: &Payment) -> Answer {
    let mut body = entity(status(word), payment);
    body["_embedded"] = match word.split_once('.') {
        Some(("refund", status)) => json!({ "refunds": [refund(status, payment)] }),
        Some(("chargeback", case)) => json!({ "chargebacks": [chargeback(case, payment)] }),
        _ => json!({}),
    };
    Answer {
        path: format!("/v2/payments/{}", payment.id("tr_")),
        body: text(&body),
    }
}

/// Of the payment: one that is given back stays paid.
fn status(word: &str) -> &str {
    word.strip_prefix("payment.").unwrap_or("paid")
}

fn amount(money: Money) -> Value {
    json!({ "value": money.amount(), "currency": money.currency.to_string() })
}

fn mode(payment: &Payment) -> &'static str {
    if payment.is_test { "test" } else { "live" }
}

fn entity(status: &str, payment: &Payment) -> Value {
    let mut entity = json!({
        "resource": "payment",
        "id": payment.id("tr_"),
        "mode": mode(payment),
        "amount": amount(payment.paid),
        "description": format!("Order {}", payment.order),
        "metadata": payment.metadata(),
        "profileId": "pfl_trigger",
        "sequenceType": "oneoff",
        "status": status,
        "createdAt": payment.rfc3339(),
    });
    entity[format!("{status}At")] = payment.rfc3339().into();
    entity
}

fn refund(status: &str, payment: &Payment) -> Value {
    json!({
        "resource": "refund",
        "id": payment.refund_id("re_"),
        "mode": mode(payment),
        "amount": amount(payment.back()),
        "metadata": null,
        "paymentId": payment.id("tr_"),
        "status": status,
        "createdAt": payment.rfc3339(),
    })
}

fn chargeback(case: &str, payment: &Payment) -> Value {
    let reversed_at = (case == "reversed").then(|| payment.rfc3339());
    json!({
        "resource": "chargeback",
        "id": payment.refund_id("chb_"),
        "amount": amount(payment.back()),
        "reason": null,
        "paymentId": payment.id("tr_"),
        "createdAt": payment.rfc3339(),
        "reversedAt": reversed_at,
    })
}

fn sign(unsigned: Unsigned<'_>) -> Headers {
    let signature = hex(unsigned.secret.as_bytes(), unsigned.body);
    vec![("x-mollie-signature", format!("sha256={signature}"))]
}
