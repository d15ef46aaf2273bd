//! Coinbase Commerce: charges, with the payments that came in for them.

use super::{Common, Headers, Setting, Unsigned, Voice, hex, kind, text};
use crate::trigger::payment::Payment;
use ordercast_core::money::Money;
use serde_json::{Value, json};

pub const VOICE: Voice = Voice {
    kinds: &[
        kind("charge:created"),
        kind("charge:pending").is(Common::Pending),
        kind("charge:confirmed").is(Common::Paid),
        kind("charge:delayed"),
        kind("charge:resolved"),
        kind("charge:failed").is(Common::Failed),
    ],
    body,
    sign: Some(sign),
};

fn body(word: &str, payment: &Payment, _: Setting<'_>) -> Vec<u8> {
    let (confirmed, timeline): (&[&str], _) = match word {
        "charge:pending" => (&["PENDING"], vec!["NEW", "PENDING"]),
        "charge:confirmed" => (&["CONFIRMED"], vec!["NEW", "PENDING", "COMPLETED"]),
        "charge:delayed" => (&["CONFIRMED"], vec!["NEW", "EXPIRED", "UNRESOLVED"]),
        "charge:resolved" => (
            &["CONFIRMED"],
            vec!["NEW", "PENDING", "UNRESOLVED", "RESOLVED"],
        ),
        "charge:failed" => (&[], vec!["NEW", "EXPIRED"]),
        _ => (&[], vec!["NEW"]),
    };
    let payments: Vec<_> = confirmed
        .iter()
        .map(|status| came_in(status, payment))
        .collect();
    let timeline: Vec<_> = timeline
        .into_iter()
        .map(|status| json!({ "time": payment.rfc3339(), "status": status }))
        .collect();
    let event = json!({
        "id": payment.event_id("", word),
        "resource": "event",
        "type": word,
        "api_version": "2018-03-22",
        "created_at": payment.rfc3339(),
        "data": {
            "id": payment.id("charge_"),
            "resource": "charge",
            "code": payment.id("CC"),
            "pricing_type": "fixed_price",
            "pricing": { "local": amount(payment.paid) },
            "metadata": payment.metadata(),
            "payments": payments,
            "timeline": timeline,
        },
    });
    text(&json!({
        "attempt_number": 1,
        "id": payment.event_id("delivery_", word),
        "scheduled_for": payment.rfc3339(),
        "event": event,
    }))
}

fn amount(money: Money) -> Value {
    json!({ "amount": money.amount(), "currency": money.currency.to_string() })
}

/// With `--amount`, less or more than the charge asked for.
fn came_in(status: &str, payment: &Payment) -> Value {
    json!({
        "network": "base",
        "transaction_id": payment.id("0x"),
        "status": status,
        "detected_at": payment.rfc3339(),
        "value": { "local": amount(payment.back()) },
    })
}

fn sign(unsigned: Unsigned<'_>) -> Headers {
    let signature = hex(unsigned.secret.as_bytes(), unsigned.body);
    vec![("x-cc-webhook-signature", signature)]
}
