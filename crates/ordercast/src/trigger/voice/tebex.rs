//! Tebex: payments of game stores, and the payments that recur.

use super::{Common, Headers, Setting, Unsigned, Voice, hex, kind, text};
use crate::trigger::payment::Payment;
use data_encoding::HEXLOWER;
use ordercast_core::money::Money;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub const VOICE: Voice = Voice {
    kinds: &[
        kind("validation.webhook"),
        kind("payment.completed")
            .is(Common::Paid)
            .undone_by("payment.refunded"),
        kind("payment.completed:recurring"),
        kind("payment.declined").is(Common::Failed),
        kind("payment.refunded").is(Common::Refunded),
        kind("payment.dispute.opened").is(Common::DisputeOpened),
        kind("payment.dispute.won").is(Common::DisputeWon),
        kind("payment.dispute.lost").is(Common::DisputeLost),
        kind("payment.dispute.closed"),
        kind("recurring-payment.started"),
        kind("recurring-payment.renewed"),
        kind("recurring-payment.ended"),
    ],
    body,
    sign: Some(sign),
};

fn body(word: &str, payment: &Payment, _: Setting<'_>) -> Vec<u8> {
    let (kind, case) = word.split_once(':').unwrap_or((word, ""));
    let subject = match kind {
        "validation.webhook" => json!({}),
        _ if kind.starts_with("recurring-payment.") => recurring(payment),
        _ => subject(kind, case, payment),
    };
    text(&json!({
        "id": payment.event_id("", word),
        "type": kind,
        "date": payment.rfc3339(),
        "subject": subject,
    }))
}

fn amount(money: Money) -> Value {
    let amount: f64 = money.amount().parse().unwrap_or_default();
    json!({ "amount": amount, "currency": money.currency.to_string() })
}

fn subject(kind: &str, case: &str, payment: &Payment) -> Value {
    let (id, description) = match kind {
        "payment.declined" => (18, "Declined"),
        "payment.refunded" => (2, "Refund"),
        "payment.dispute.opened" | "payment.dispute.lost" => (3, "Chargeback"),
        _ => (1, "Complete"),
    };
    let method = if payment.is_test {
        "Test Payments"
    } else {
        "Credit Card"
    };
    json!({
        "transaction_id": payment.id("tbx-"),
        "status": { "id": id, "description": description },
        "payment_sequence": if case.is_empty() { "oneoff" } else { case },
        "created_at": payment.rfc3339(),
        "price": amount(payment.paid),
        "price_paid": amount(payment.paid),
        "payment_method": { "name": method, "refundable": true },
        "custom": payment.metadata(),
        "recurring_payment_reference": null,
    })
}

fn recurring(payment: &Payment) -> Value {
    json!({
        "reference": payment.id("tbx-r-"),
        "created_at": payment.rfc3339(),
        "amount": amount(payment.paid),
    })
}

fn sign(unsigned: Unsigned<'_>) -> Headers {
    let digest = HEXLOWER.encode(&Sha256::digest(unsigned.body));
    let signature = hex(unsigned.secret.as_bytes(), digest.as_bytes());
    vec![("x-signature", signature)]
}
