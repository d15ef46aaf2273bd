//! Lemon Squeezy: orders, and the invoices of subscriptions.

use super::{Common, Headers, Setting, Unsigned, Voice, hex, kind, text};
use crate::trigger::payment::Payment;
use serde_json::{Value, json};

pub const VOICE: Voice = Voice {
    kinds: &[
        kind("order_created:pending").is(Common::Pending),
        kind("order_created")
            .is(Common::Paid)
            .undone_by("order_refunded"),
        kind("order_created:failed").is(Common::Failed),
        kind("order_created:fraudulent"),
        kind("order_created:free").is(Common::NothingDue),
        kind("order_refunded").is(Common::Refunded),
        kind("subscription_payment_success"),
        kind("subscription_payment_success:renewal"),
        kind("subscription_payment_refunded:renewal"),
    ],
    body,
    sign: Some(sign),
};

fn body(word: &str, payment: &Payment, _: Setting<'_>) -> Vec<u8> {
    let (name, case) = word.split_once(':').unwrap_or((word, ""));
    let (kind, attributes) = if name.starts_with("subscription_") {
        ("subscription-invoices", invoice(case, payment))
    } else {
        ("orders", order(name, case, payment))
    };
    text(&json!({
        "meta": {
            "test_mode": payment.is_test,
            "event_name": name,
            "custom_data": payment.metadata(),
        },
        "data": { "type": kind, "id": id(kind, payment), "attributes": attributes },
    }))
}

/// Its own are numbers.
fn id(kind: &str, payment: &Payment) -> String {
    match kind {
        "orders" => format!("{}{:02}", payment.order, payment.number),
        _ => format!("9{}{:02}", payment.order, payment.number),
    }
}

fn order(name: &str, case: &str, payment: &Payment) -> Value {
    let refunded = if name == "order_refunded" {
        payment.back().minor
    } else {
        0
    };
    let status = match (name, case) {
        ("order_refunded", _) if payment.is_part() => "partial_refund",
        ("order_refunded", _) => "refunded",
        (_, "" | "free") => "paid",
        (_, status) => status,
    };
    let total = if case == "free" {
        0
    } else {
        payment.paid.minor
    };
    json!({
        "store_id": 1,
        "identifier": payment.id("trigger_"),
        "currency": payment.paid.currency.to_string(),
        "subtotal": payment.paid.minor,
        "discount_total": payment.paid.minor - total,
        "tax": 0,
        "total": total,
        "refunded_amount": refunded,
        "status": status,
        "refunded": status == "refunded",
        "created_at": payment.rfc3339(),
        "updated_at": payment.rfc3339(),
        "test_mode": payment.is_test,
    })
}

fn invoice(case: &str, payment: &Payment) -> Value {
    json!({
        "store_id": 1,
        "subscription_id": 1,
        "billing_reason": if case.is_empty() { "initial" } else { case },
        "currency": payment.paid.currency.to_string(),
        "total": payment.paid.minor,
        "refunded_amount": 0,
        "status": "paid",
        "created_at": payment.rfc3339(),
        "updated_at": payment.rfc3339(),
        "test_mode": payment.is_test,
    })
}

fn sign(unsigned: Unsigned<'_>) -> Headers {
    let signature = hex(unsigned.secret.as_bytes(), unsigned.body);
    vec![("x-signature", signature)]
}
