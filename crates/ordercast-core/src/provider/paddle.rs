//! Paddle Billing. The order is named by `custom_data.order_id` of the transaction; the payment by the
//! transaction.

use super::{
    EventError, Meaning, Request,
    json::Json,
    signature::{Unverified, is_hex, matching, members, recent, required},
    told::{Told, ToldRefund},
};
use crate::Timestamp;

pub const MAPPING: &[(&str, Meaning)] = &[
    ("transaction.created", Meaning::Ignore),
    ("transaction.ready", Meaning::Ignore),
    ("transaction.updated", Meaning::Ignore),
    ("transaction.billed", Meaning::Pending),
    ("transaction.past_due", Meaning::Ignore),
    ("transaction.payment_failed", Meaning::Failed),
    ("transaction.canceled", Meaning::Failed),
    ("transaction.paid", Meaning::Paid),
    // Fees are known; the money was in before.
    ("transaction.completed", Meaning::Paid),
    ("adjustment.refund:approved", Meaning::Refunded),
    ("adjustment.refund:pending_approval", Meaning::Ignore),
    ("adjustment.refund:rejected", Meaning::RefundReversed),
    ("adjustment.refund:reversed", Meaning::RefundReversed),
    ("adjustment.credit", Meaning::Ignore),
    ("adjustment.credit_reverse", Meaning::Ignore),
    ("adjustment.chargeback_warning", Meaning::DisputeInquiry),
    (
        "adjustment.chargeback_warning_reverse",
        Meaning::DisputeExpired,
    ),
    ("adjustment.chargeback:approved", Meaning::DisputeLost),
    (
        "adjustment.chargeback_reverse:approved",
        Meaning::DisputeWon,
    ),
];

/// `ts=<seconds>;h1=<hex>[;h1=…]` over `{ts}:{body}`.
pub fn verify(request: Request<'_>, secret: &str, now: Timestamp) -> Result<(), Unverified> {
    let header = required(request, "paddle-signature")?;
    let at = members(header, ';', "ts")
        .next()
        .ok_or(Unverified::Header("paddle-signature"))?;
    let content = [at.as_bytes(), b":", request.body].concat();
    let is_signed = members(header, ';', "h1").fold(false, |is_signed, signature| {
        is_signed | is_hex(secret.as_bytes(), &content, signature)
    });
    matching(is_signed)?;
    recent(at, now)
}

pub fn read(body: &Json) -> Result<Told, EventError> {
    let kind = body.required("/event_type", "event_type")?;
    let data = body.part("/data").ok_or(EventError::Field("data"))?;
    let is_adjustment = kind.starts_with("adjustment.");
    let word = if is_adjustment {
        let action = data.required("/action", "data.action")?;
        let status = data.text("/status").unwrap_or_default();
        format!("adjustment.{action}:{status}")
    } else {
        kind
    };
    let attempt: &[&str] = if is_adjustment {
        &["/transaction_id"]
    } else {
        &["/id"]
    };
    let returned = data.minor("/totals/total", "/currency_code");
    Ok(Told {
        word,
        dedup_key: body.required("/event_id", "event_id")?,
        order: data.order(&["/custom_data/order_id"]),
        attempt: data.attempt(attempt),
        amount: data.minor("/details/totals/grand_total", "/currency_code"),
        refund: data.refund(&["/id"]).filter(|_| is_adjustment),
        refunded: ToldRefund::Part(returned.clone()),
        disputed: returned,
        occurred_at: body.rfc3339("/occurred_at"),
        ..Told::default()
    })
}
