//! Paddle Billing: transactions and adjustments.

use super::{Common, Headers, Setting, Unsigned, Voice, hex, kind, text};
use crate::trigger::payment::Payment;
use serde_json::{Value, json};

pub const VOICE: Voice = Voice {
    kinds: &[
        kind("transaction.created"),
        kind("transaction.billed").is(Common::Pending),
        kind("transaction.paid")
            .is(Common::Paid)
            .undone_by("adjustment.updated"),
        kind("transaction.completed").undone_by("adjustment.updated"),
        kind("transaction.payment_failed").is(Common::Failed),
        kind("transaction.canceled"),
        kind("adjustment.created"),
        kind("adjustment.updated").is(Common::Refunded),
        kind("adjustment.updated:rejected").is(Common::RefundFailed),
        kind("adjustment.created:chargeback_warning"),
        kind("adjustment.created:chargeback").is(Common::DisputeLost),
        kind("adjustment.created:chargeback_reverse").is(Common::DisputeWon),
    ],
    body,
    sign: Some(sign),
};

fn body(word: &str, payment: &Payment, _: Setting<'_>) -> Vec<u8> {
    let (kind, case) = word.split_once(':').unwrap_or((word, ""));
    let data = if kind.starts_with("adjustment.") {
        adjustment(kind, case, payment)
    } else {
        transaction(kind, payment)
    };
    text(&json!({
        "event_id": payment.event_id("evt_", word),
        "event_type": kind,
        "occurred_at": payment.rfc3339(),
        "notification_id": payment.event_id("ntf_", word),
        "data": data,
    }))
}

fn transaction(kind: &str, payment: &Payment) -> Value {
    let total = payment.paid.minor.to_string();
    let status = kind.trim_start_matches("transaction.");
    json!({
        "id": payment.id("txn_"),
        "status": if status == "payment_failed" { "ready" } else { status },
        "currency_code": payment.paid.currency.to_string(),
        "custom_data": payment.metadata(),
        "details": { "totals": {
            "subtotal": total, "discount": "0", "tax": "0", "total": total,
            "credit": "0", "balance": "0", "grand_total": total,
            "currency_code": payment.paid.currency.to_string(),
        } },
    })
}

fn adjustment(kind: &str, case: &str, payment: &Payment) -> Value {
    let (action, status) = match case {
        "" if kind == "adjustment.created" => ("refund", "pending_approval"),
        "" => ("refund", "approved"),
        "rejected" => ("refund", "rejected"),
        chargeback => (chargeback, "approved"),
    };
    let total = payment.back().minor.to_string();
    let id = match action {
        "refund" => payment.refund_id("adj_"),
        _ => payment.event_id("adj_", action),
    };
    json!({
        "id": id,
        "action": action,
        "type": if payment.is_part() { "partial" } else { "full" },
        "status": status,
        "transaction_id": payment.id("txn_"),
        "currency_code": payment.paid.currency.to_string(),
        "totals": {
            "subtotal": total, "tax": "0", "total": total,
            "currency_code": payment.paid.currency.to_string(),
        },
    })
}

fn sign(unsigned: Unsigned<'_>) -> Headers {
    let Unsigned {
        secret, body, at, ..
    } = unsigned;
    let content = [at.to_string().as_bytes(), b":", body].concat();
    let signature = hex(secret.as_bytes(), &content);
    vec![("paddle-signature", format!("ts={at};h1={signature}"))]
}
