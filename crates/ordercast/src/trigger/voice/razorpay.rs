//! Razorpay: payments, orders, refunds and disputes.

use super::{Common, Headers, Setting, Unsigned, Voice, hex, kind, text};
use crate::trigger::payment::Payment;
use serde_json::{Value, json};

pub const VOICE: Voice = Voice {
    kinds: &[
        kind("payment.authorized").is(Common::Authorized),
        kind("payment.captured")
            .is(Common::Paid)
            .undone_by("refund.processed"),
        kind("order.paid").undone_by("refund.processed"),
        kind("payment.failed").is(Common::Failed),
        kind("refund.created"),
        kind("refund.processed").is(Common::Refunded),
        kind("refund.failed").is(Common::RefundFailed),
        kind("payment.dispute.created").is(Common::DisputeOpened),
        kind("payment.dispute.won").is(Common::DisputeWon),
        kind("payment.dispute.lost").is(Common::DisputeLost),
        kind("payment.dispute.closed"),
    ],
    body,
    sign: Some(sign),
};

fn body(word: &str, payment: &Payment, _: Setting<'_>) -> Vec<u8> {
    let mut payload = json!({ "payment": { "entity": entity(word, payment) } });
    if word.starts_with("refund.") {
        payload["refund"] = json!({ "entity": {
            "id": payment.refund_id("rfnd_"),
            "entity": "refund",
            "amount": payment.back().minor,
            "currency": payment.paid.currency.to_string(),
            "payment_id": payment.id("pay_"),
            "status": word.trim_start_matches("refund."),
        } });
    }
    if word.starts_with("payment.dispute.") {
        payload["dispute"] = json!({ "entity": {
            "id": payment.refund_id("disp_"),
            "entity": "dispute",
            "payment_id": payment.id("pay_"),
            "amount": payment.back().minor,
            "currency": payment.paid.currency.to_string(),
            "phase": "chargeback",
            "status": word.trim_start_matches("payment.dispute."),
        } });
    }
    let contains: Vec<_> = payload
        .as_object()
        .into_iter()
        .flat_map(|all| all.keys())
        .collect();
    text(&json!({
        "entity": "event",
        "account_id": "acc_trigger",
        "event": word,
        "contains": contains,
        "payload": payload,
        "created_at": payment.seconds(),
    }))
}

fn entity(word: &str, payment: &Payment) -> Value {
    let status = match word {
        "payment.authorized" => "authorized",
        "payment.failed" => "failed",
        _ => "captured",
    };
    json!({
        "id": payment.id("pay_"),
        "entity": "payment",
        "amount": payment.paid.minor,
        "currency": payment.paid.currency.to_string(),
        "status": status,
        "notes": payment.metadata(),
    })
}

fn sign(unsigned: Unsigned<'_>) -> Headers {
    let signature = hex(unsigned.secret.as_bytes(), unsigned.body);
    vec![
        ("x-razorpay-signature", signature),
        ("x-razorpay-event-id", unsigned.id.to_owned()),
    ]
}
