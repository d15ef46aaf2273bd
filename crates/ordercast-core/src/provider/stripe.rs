//! Stripe. The order is named by `metadata.order_id` of the payment intent, of the checkout session or of
//! a charge without an intent, or by the session's `client_reference_id`; the payment by its payment
//! intent, or else by its charge.
//!
//! Read on 2026-11-28: *Types of events*, the objects' pages of the API reference, the changelog up to
//! 2026-10-28, *Dispute prevention*, and the types of the package `stripe` 16.1.0. What each word means
//! for money stands in `docs/providers.md`, which a test holds against this table.

mod api;
mod charge;

pub use api::{API, questions, thin};

use super::{
    Amount, EventError, Meaning, Request,
    json::Json,
    secret::SecretRule,
    signature::{Unverified, is_hex, matching, members, recent, required},
    told::Told,
};
use crate::{Timestamp, money::Money};

pub const MAPPING: &[(&str, Meaning)] = &[
    ("payment_intent.created", Meaning::Ignore),
    ("payment_intent.requires_action", Meaning::Pending),
    ("payment_intent.processing", Meaning::Pending),
    // A bank transfer of which a part has come.
    ("payment_intent.partially_funded", Meaning::Pending),
    (
        "payment_intent.amount_capturable_updated",
        Meaning::Authorized,
    ),
    // `amount_received`: of an authorisation what was captured of it.
    ("payment_intent.succeeded", Meaning::Paid),
    ("payment_intent.payment_failed", Meaning::Failed),
    ("payment_intent.canceled", Meaning::Failed),
    // A completed checkout is not paid yet when the method takes days.
    ("checkout.session.completed:paid", Meaning::Paid),
    ("checkout.session.completed:unpaid", Meaning::Pending),
    // `no_payment_required`, or a total of 0: a coupon of 100 %, a trial.
    ("checkout.session.completed:free", Meaning::NothingDue),
    // `no_payment_required` of a total that is not 0: the payment is put off, and nobody says until
    // when. Its amount is told as unreadable, so that a person looks.
    ("checkout.session.completed:put_off", Meaning::Paid),
    // A card was saved; nothing is sold.
    ("checkout.session.completed:setup", Meaning::Ignore),
    ("checkout.session.async_payment_succeeded", Meaning::Paid),
    ("checkout.session.async_payment_failed", Meaning::Failed),
    ("checkout.session.expired", Meaning::Failed),
    // Of a payment intent its own events tell. A charge may be made without one.
    ("charge.succeeded:direct", Meaning::Paid),
    ("charge.succeeded:authorized", Meaning::Authorized),
    ("charge.succeeded", Meaning::Ignore),
    ("charge.captured:direct", Meaning::Paid),
    ("charge.captured", Meaning::Ignore),
    ("charge.pending", Meaning::Pending),
    ("charge.updated", Meaning::Ignore),
    ("charge.failed", Meaning::Failed),
    // An authorisation was not captured in time.
    ("charge.expired", Meaning::Failed),
    // Cumulative: what was given back of the charge until now.
    ("charge.refunded", Meaning::Refunded),
    // Before API version 2025-03-31 an authorisation was cancelled as a refund.
    ("charge.refunded:uncaptured", Meaning::Failed),
    ("refund.created:succeeded", Meaning::Refunded),
    ("refund.created:failed", Meaning::RefundReversed),
    ("refund.created:canceled", Meaning::RefundReversed),
    ("refund.created:pending", Meaning::Ignore),
    ("refund.created:requires_action", Meaning::Ignore),
    // Before API version 2025-03-31 what was not captured came back as a refund too. Which of both it is
    // does not stand in the refund: `charge.refunded` tells the sum.
    ("refund.created:reversal", Meaning::Ignore),
    ("refund.updated:succeeded", Meaning::Refunded),
    ("refund.updated:failed", Meaning::RefundReversed),
    ("refund.updated:canceled", Meaning::RefundReversed),
    ("refund.updated:pending", Meaning::Ignore),
    ("refund.updated:requires_action", Meaning::Ignore),
    ("refund.updated:reversal", Meaning::Ignore),
    ("refund.failed", Meaning::RefundReversed),
    ("charge.refund.updated:succeeded", Meaning::Refunded),
    ("charge.refund.updated:failed", Meaning::RefundReversed),
    ("charge.refund.updated:canceled", Meaning::RefundReversed),
    ("charge.refund.updated:pending", Meaning::Ignore),
    ("charge.refund.updated:requires_action", Meaning::Ignore),
    ("charge.refund.updated:reversal", Meaning::Ignore),
    ("charge.dispute.created:warning", Meaning::DisputeInquiry),
    ("charge.dispute.created", Meaning::DisputeOpened),
    ("charge.dispute.updated", Meaning::Ignore),
    // Held back until the decision: it is not lost yet.
    ("charge.dispute.funds_withdrawn", Meaning::DisputeOpened),
    ("charge.dispute.funds_reinstated:won", Meaning::DisputeWon),
    ("charge.dispute.funds_reinstated", Meaning::Ignore),
    ("charge.dispute.closed:won", Meaning::DisputeWon),
    ("charge.dispute.closed:lost", Meaning::DisputeLost),
    ("charge.dispute.closed:warning", Meaning::DisputeExpired),
    // Rapid resolution: the buyer has the money back before there was a chargeback.
    (
        "charge.dispute.closed:prevented_resolution",
        Meaning::DisputeAccepted,
    ),
    // Blocked before there was a chargeback: nothing moved.
    ("charge.dispute.closed:prevented", Meaning::DisputeExpired),
    ("review.opened", Meaning::Ignore),
    ("review.closed", Meaning::Ignore),
    ("radar.early_fraud_warning.created", Meaning::Ignore),
    ("radar.early_fraud_warning.updated", Meaning::Ignore),
];

/// `t=<seconds>,v1=<hex>[,v1=…]` over `{t}.{body}`; the whole secret is the key.
pub fn verify(request: Request<'_>, secret: &str, now: Timestamp) -> Result<(), Unverified> {
    let header = required(request, "stripe-signature")?;
    let at = members(header, ',', "t")
        .next()
        .ok_or(Unverified::Header("stripe-signature"))?;
    let content = [at.as_bytes(), b".", request.body].concat();
    let is_signed = members(header, ',', "v1").fold(false, |is_signed, signature| {
        is_signed | is_hex(secret.as_bytes(), &content, signature)
    });
    matching(is_signed)?;
    recent(at, now)
}

/// What stands beside the signing secret in the dashboard and is mistaken for it.
const NOT_SECRETS: [&str; 4] = ["sk_", "rk_", "pk_", "we_"];

/// # Errors
/// [`SecretRule`]: with an API key or the endpoint's id nothing could ever be verified.
pub fn check_secret(secret: &str) -> Result<(), SecretRule> {
    if NOT_SECRETS.iter().any(|prefix| secret.starts_with(prefix)) {
        return Err(SecretRule(
            "must be the signing secret of the webhook endpoint, which begins with whsec_",
        ));
    }
    Ok(())
}

/// What an event calls itself that holds no object.
const THIN: &str = "v2.core.event";

const ORDER: &[&str] = &["/metadata/order_id", "/client_reference_id"];

pub fn read(body: &Json) -> Result<Told, EventError> {
    let kind = body.required("/type", "type")?;
    if body.text("/object").as_deref() == Some(THIN) {
        // Of an object that is none of a payment: it is not asked for.
        return Ok(Told {
            word: kind,
            dedup_key: body.required("/id", "id")?,
            ..Told::default()
        });
    }
    let object = body
        .part("/data/object")
        .ok_or(EventError::Field("data.object"))?;
    let told = Told {
        dedup_key: body.required("/id", "id")?,
        order: object.order(ORDER),
        named: object.named(ORDER),
        attempt: object.attempt(&["/payment_intent/id", "/payment_intent", "/charge", "/id"]),
        mode: body.live("/livemode"),
        occurred_at: body.seconds("/created"),
        ..Told::default()
    };
    let (condition, told) = match object.text("/object").as_deref() {
        Some("payment_intent") => (
            None,
            Told {
                attempt: object.attempt(&["/id"]),
                amount: minor(&object, "/amount_received"),
                ..told
            },
        ),
        Some("checkout.session") => session(&kind, &object, told),
        Some("charge") => charge::read(body, &kind, &object, told),
        Some("refund") => charge::refund(body, &kind, &object, told),
        Some("dispute") => dispute(&kind, &object, told),
        _ => (None, told),
    };
    Ok(Told {
        word: match condition {
            Some(condition) => format!("{kind}:{condition}"),
            None => kind,
        },
        ..told
    })
}

/// *Checkout Session*: `payment_status`, `amount_total`, `mode`.
fn session(kind: &str, object: &Json, told: Told) -> (Option<String>, Told) {
    let total = minor(object, "/amount_total");
    let is_free = total.money().is_some_and(|total| total.minor == 0);
    let needs_no_payment = object.text("/payment_status").as_deref() == Some("no_payment_required");
    let condition = match object.text("/payment_status") {
        _ if kind != "checkout.session.completed" => None,
        _ if object.text("/mode").as_deref() == Some("setup") => Some("setup".to_owned()),
        Some(_) if is_free => Some("free".to_owned()),
        Some(_) if needs_no_payment && !total.is_told() => Some("free".to_owned()),
        Some(_) if needs_no_payment => Some("put_off".to_owned()),
        status => status,
    };
    let amount = match (condition.as_deref(), total.money()) {
        (Some("put_off"), Some(total)) => {
            Amount::unreadable(&format!("no payment is required for {total}"))
        }
        _ => total.clone(),
    };
    let told = Told {
        amount,
        total,
        ..told
    };
    (condition, told)
}

/// *Dispute*: `status`, `amount`, `payment_method_details.card.case_type`, `balance_transactions`.
fn dispute(kind: &str, object: &Json, told: Told) -> (Option<String>, Told) {
    let status = object.text("/status").unwrap_or_default();
    let condition = match status.as_str() {
        _ if kind == "charge.dispute.updated" => None,
        status if status.starts_with("warning") => Some("warning".to_owned()),
        "prevented" if is_resolved(object) => Some("prevented_resolution".to_owned()),
        _ => Some(status),
    };
    let told = Told {
        dispute: object.dispute(&["/id"]),
        disputed: minor(object, "/amount"),
        ..told
    };
    (condition, told)
}

/// Of a dispute that was prevented: whether the buyer was given the money.
fn is_resolved(dispute: &Json) -> bool {
    let moved = dispute.list("/balance_transactions").unwrap_or_default();
    let amounts = moved.iter().filter_map(|entry| entry.signed("/amount"));
    match amounts.reduce(i64::saturating_add) {
        Some(net) => net < 0,
        None => {
            let case = dispute.text("/payment_method_details/card/case_type");
            case.as_deref() == Some("resolution")
        }
    }
}

fn minor(object: &Json, pointer: &str) -> Amount {
    object.minor(pointer, "/currency").and_then(in_iso_units)
}

/// Stripe counts two places for currencies that have none any more, and none for one that has two
/// (*Supported currencies*, "Special cases").
fn in_iso_units(money: Money) -> Option<Money> {
    let minor = match money.currency.as_str() {
        "ISK" | "UGX" if money.minor % 100 == 0 => money.minor / 100,
        "ISK" | "UGX" => return None,
        "MGA" => money.minor.checked_mul(100)?,
        _ => money.minor,
    };
    Money::new(minor, money.currency).ok()
}
