//! Stripe: snapshot events of payment intents, checkout sessions, charges, refunds and disputes.

use super::{Common, Headers, Setting, Unsigned, Voice, hex, kind, text};
use crate::trigger::payment::Payment;
use ordercast_core::money::Money;
use serde_json::{Value, json};

pub const VOICE: Voice = Voice {
    kinds: &[
        kind("payment_intent.created"),
        kind("payment_intent.processing").is(Common::Pending),
        kind("payment_intent.amount_capturable_updated").is(Common::Authorized),
        kind("payment_intent.succeeded")
            .is(Common::Paid)
            .undone_by("refund.created"),
        kind("payment_intent.payment_failed").is(Common::Failed),
        kind("payment_intent.canceled"),
        kind("checkout.session.completed").undone_by("refund.created"),
        kind("checkout.session.completed:unpaid"),
        kind("checkout.session.completed:no_payment_required").is(Common::NothingDue),
        kind("checkout.session.async_payment_succeeded"),
        kind("checkout.session.async_payment_failed"),
        kind("checkout.session.expired"),
        kind("charge.refunded"),
        kind("refund.created").is(Common::Refunded),
        kind("refund.failed").is(Common::RefundFailed),
        kind("charge.dispute.created").is(Common::DisputeOpened),
        kind("charge.dispute.closed:won").is(Common::DisputeWon),
        kind("charge.dispute.closed:lost").is(Common::DisputeLost),
    ],
    body,
    sign: Some(sign),
};

fn body(word: &str, payment: &Payment, _: Setting<'_>) -> Vec<u8> {
    let (kind, case) = word.split_once(':').unwrap_or((word, ""));
    let object = match kind {
        _ if kind.starts_with("payment_intent.") => intent(kind, payment),
        _ if kind.starts_with("checkout.") => session(kind, case, payment),
        "charge.refunded" => charge(payment),
        _ if kind.starts_with("charge.dispute.") => dispute(case, payment),
        _ => refund(kind, payment),
    };
    text(&json!({
        "id": payment.event_id("evt_", word),
        "object": "event",
        "api_version": "2026-10-28.basil",
        "created": payment.seconds(),
        "livemode": !payment.is_test,
        "type": kind,
        "data": { "object": object },
    }))
}

fn intent(kind: &str, payment: &Payment) -> Value {
    let (status, received) = match kind {
        "payment_intent.succeeded" => ("succeeded", units(payment.paid)),
        "payment_intent.processing" => ("processing", 0),
        "payment_intent.amount_capturable_updated" => ("requires_capture", 0),
        "payment_intent.canceled" => ("canceled", 0),
        _ => ("requires_payment_method", 0),
    };
    json!({
        "id": payment.id("pi_"),
        "object": "payment_intent",
        "amount": units(payment.paid),
        "amount_received": received,
        "currency": currency(payment),
        "livemode": !payment.is_test,
        "metadata": payment.metadata(),
        "status": status,
    })
}

fn session(kind: &str, case: &str, payment: &Payment) -> Value {
    let is_free = case == "no_payment_required";
    let payment_status = match kind {
        "checkout.session.completed" if case.is_empty() => "paid",
        "checkout.session.completed" => case,
        "checkout.session.async_payment_succeeded" => "paid",
        _ => "unpaid",
    };
    let id = payment.id("cs_");
    json!({
        "id": id,
        "object": "checkout.session",
        "amount_total": if is_free { 0 } else { units(payment.paid) },
        "client_reference_id": payment.order.to_string(),
        "currency": currency(payment),
        "livemode": !payment.is_test,
        "metadata": payment.metadata(),
        "payment_intent": (!is_free).then(|| payment.id("pi_")),
        "payment_status": payment_status,
        "status": if kind == "checkout.session.expired" { "expired" } else { "complete" },
    })
}

fn charge(payment: &Payment) -> Value {
    json!({
        "id": payment.id("ch_"),
        "object": "charge",
        "amount": units(payment.paid),
        "amount_captured": units(payment.paid),
        "amount_refunded": units(payment.back()),
        "captured": true,
        "currency": currency(payment),
        "livemode": !payment.is_test,
        "metadata": payment.metadata(),
        "payment_intent": payment.id("pi_"),
        "refunded": !payment.is_part(),
        "status": "succeeded",
    })
}

fn refund(kind: &str, payment: &Payment) -> Value {
    json!({
        "id": payment.refund_id("re_"),
        "object": "refund",
        "amount": units(payment.back()),
        "charge": payment.id("ch_"),
        "currency": currency(payment),
        "metadata": {},
        "payment_intent": payment.id("pi_"),
        "status": if kind == "refund.failed" { "failed" } else { "succeeded" },
    })
}

fn dispute(case: &str, payment: &Payment) -> Value {
    json!({
        "id": payment.refund_id("du_"),
        "object": "dispute",
        "amount": units(payment.back()),
        "charge": payment.id("ch_"),
        "currency": currency(payment),
        "livemode": !payment.is_test,
        "payment_intent": payment.id("pi_"),
        "status": if case.is_empty() { "needs_response" } else { case },
    })
}

fn currency(payment: &Payment) -> String {
    payment.paid.currency.as_str().to_ascii_lowercase()
}

/// Stripe counts two places for currencies that have none any more, and none for one that has two.
fn units(money: Money) -> i64 {
    match money.currency.as_str() {
        "ISK" | "UGX" => money.minor * 100,
        "MGA" => money.minor / 100,
        _ => money.minor,
    }
}

fn sign(unsigned: Unsigned<'_>) -> Headers {
    let Unsigned {
        secret, body, at, ..
    } = unsigned;
    let content = [at.to_string().as_bytes(), b".", body].concat();
    let signature = hex(secret.as_bytes(), &content);
    vec![("stripe-signature", format!("t={at},v1={signature}"))]
}
