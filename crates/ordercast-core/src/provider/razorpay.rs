//! Razorpay. The order is named by `notes.order_id` of the payment, of Razorpay's order or of the payment
//! link; the payment by its id. A failed payment may be captured days later. Nothing in a body tells test
//! money from live money; the key with which it is asked does.
//!
//! Read on 2026-11-28: *All webhook events*, the pages of payments, refunds, disputes and payment links,
//! the *Disputes* entity, and the package `razorpay` 2.0.1. What each word means for money stands in
//! `docs/providers.md`, which a test holds against this table.

use super::{
    EventError, Meaning, Request,
    json::Json,
    question::{About, Answer, Api, Authorization, Paper, Question, plain},
    secret::SecretRule,
    signature::{Unverified, is_hex, matching, required},
    told::{Told, ToldRefund},
};
use crate::{Timestamp, ids::AttemptId, order::Mode};
use serde_json::json;

pub const MAPPING: &[(&str, Meaning)] = &[
    // Cash on delivery: ordered, not paid.
    ("payment.pending", Meaning::Pending),
    ("payment.authorized", Meaning::Authorized),
    ("payment.captured", Meaning::Paid),
    // Beside payment.captured of the payment that completed Razorpay's order; either may come first.
    ("order.paid", Meaning::Paid),
    ("payment_link.paid", Meaning::Paid),
    ("payment_link.partially_paid", Meaning::Paid),
    ("payment_link.expired", Meaning::Ignore),
    ("payment_link.cancelled", Meaning::Ignore),
    ("payment.failed", Meaning::Failed),
    ("refund.created", Meaning::Ignore),
    ("refund.processed", Meaning::Refunded),
    // A payment that nobody captured goes back by itself.
    ("refund.processed:uncaptured", Meaning::Failed),
    ("refund.failed", Meaning::RefundReversed),
    ("refund.failed:uncaptured", Meaning::Ignore),
    ("refund.speed_changed", Meaning::Ignore),
    ("refund.arn_updated", Meaning::Ignore),
    // The bank asks for papers; no money moves.
    ("payment.dispute.created:retrieval", Meaning::DisputeInquiry),
    ("payment.dispute.created", Meaning::DisputeOpened),
    ("payment.dispute.under_review", Meaning::Ignore),
    ("payment.dispute.action_required", Meaning::Ignore),
    ("payment.dispute.won", Meaning::DisputeWon),
    ("payment.dispute.lost", Meaning::DisputeLost),
    ("payment.dispute.closed", Meaning::DisputeExpired),
    ("payment.dispute.closed:deducted", Meaning::DisputeLost),
];

/// `X-Razorpay-Signature: <hex>` over the body.
pub fn verify(request: Request<'_>, secret: &str, _: Timestamp) -> Result<(), Unverified> {
    let signature = required(request, "x-razorpay-signature")?;
    matching(is_hex(secret.as_bytes(), request.body, signature))
}

/// # Errors
/// [`SecretRule`]: the webhook's secret is thought up by the shop; the id of an API key is none.
pub fn check_secret(secret: &str) -> Result<(), SecretRule> {
    if secret.starts_with("rzp_test_") || secret.starts_with("rzp_live_") {
        return Err(SecretRule(
            "must be the webhook's secret, which you enter at Razorpay, not an API key",
        ));
    }
    Ok(())
}

const PAYMENT: &str = "/payload/payment/entity";
const REFUND: &str = "/payload/refund/entity";
const DISPUTE: &str = "/payload/dispute/entity";
const ORDER: &[&str] = &[
    "/payload/payment/entity/notes/order_id",
    "/payload/order/entity/notes/order_id",
    "/payload/payment_link/entity/notes/order_id",
    "/payload/payment_link/entity/reference_id",
];

pub fn read(body: &Json, request: Request<'_>, body_hash: &str) -> Result<Told, EventError> {
    let id = request.header("x-razorpay-event-id");
    // The id comes in a header, which the signature does not cover: a forger cannot use it, because the
    // body must be signed all the same.
    let dedup_key = id.unwrap_or(body_hash).chars().take(200).collect();
    told(body, dedup_key)
}

fn told(body: &Json, dedup_key: String) -> Result<Told, EventError> {
    let kind = body.required("/event", "event")?;
    let minor = |entity: &str, field: &str| {
        body.minor(&format!("{entity}/{field}"), &format!("{entity}/currency"))
    };
    let deducted = minor(DISPUTE, "amount_deducted").unless_zero();
    let is_uncaptured = body.flag(&format!("{PAYMENT}/captured")) == Some(false);
    let condition = match kind.as_str() {
        "payment.dispute.created" => body.text(&format!("{DISPUTE}/phase")),
        "payment.dispute.closed" if deducted.is_told() => Some("deducted".to_owned()),
        "refund.processed" | "refund.failed" if is_uncaptured => Some("uncaptured".to_owned()),
        _ => None,
    };
    Ok(Told {
        word: match condition {
            Some(condition) => format!("{kind}:{condition}"),
            None => kind,
        },
        dedup_key,
        order: body.order(ORDER),
        named: body.named(ORDER),
        attempt: body.attempt(&[
            &format!("{PAYMENT}/id"),
            &format!("{REFUND}/payment_id"),
            &format!("{DISPUTE}/payment_id"),
        ]),
        amount: minor(PAYMENT, "amount"),
        // What Razorpay's order or link asks for.
        total: minor("/payload/order/entity", "amount")
            .or(|| minor("/payload/payment_link/entity", "amount")),
        refund: body.refund(&[&format!("{REFUND}/id")]),
        refunded: ToldRefund::Part(minor(REFUND, "amount")),
        dispute: body.dispute(&[&format!("{DISPUTE}/id")]),
        // 0 until it is lost, then what was taken.
        disputed: deducted.or(|| minor(DISPUTE, "amount")),
        occurred_at: body.seconds("/created_at"),
        ..Told::default()
    })
}

pub const API: Api = Api {
    host: "https://api.razorpay.com",
    authorization: Authorization::Basic("KEY_ID:KEY_SECRET"),
    headers: &[],
};

/// *Fetch a payment* for those that have been heard of; without one *Fetch all payments* since the order
/// was made, of which one may name it.
pub fn questions(about: &About<'_>) -> Vec<Question> {
    let mode = match about.account {
        id if id.starts_with("rzp_test_") => Some(Mode::Sandbox),
        id if id.starts_with("rzp_live_") => Some(Mode::Default),
        _ => None,
    };
    let ids = about.attempts.iter().map(AttemptId::as_str);
    let heard_of: Vec<_> = ids
        .filter_map(|id| plain(id, "pay_"))
        .map(|id| {
            Question::new(format!("/v1/payments/{id}"), move |payment| {
                Ok(Answer::of(paper(payment, mode)))
            })
        })
        .collect();
    if heard_of.is_empty() {
        let since = about.made_at.millis() / 1_000;
        let order = about.order.to_string();
        let path = format!("/v1/payments?count=100&from={since}");
        return vec![Question::new(path, move |found| {
            let payments = found.list("/items").unwrap_or_default();
            let ours = payments
                .iter()
                .filter(|item| item.text("/notes/order_id").as_deref() == Some(order.as_str()));
            Ok(Answer::of(ours.filter_map(|item| paper(item, mode))))
        })];
    }
    heard_of
}

/// The webhook that would tell where a payment is, after what has been given back of it: so an order whose
/// money is gone is not paid for a moment.
fn paper(payment: &Json, mode: Option<Mode>) -> Option<Paper> {
    let (id, status) = (payment.text("/id")?, payment.text("/status")?);
    let kind = match status.as_str() {
        "authorized" => "payment.authorized",
        "captured" => "payment.captured",
        "refunded" if payment.flag("/captured") == Some(true) => "payment.captured",
        "failed" | "refunded" => "payment.failed",
        _ => return None,
    };
    let event = json!({ "event": kind, "payload": { "payment": { "entity": payment.at("")? } } });
    let key = format!("asked:{id}:{status}");
    let paid = Told {
        mode,
        began_at: payment.seconds("/created_at"),
        ..told(&Json::of(event.clone()), key.clone()).ok()?
    };
    let back = payment.minor("/amount_refunded", "/currency").unless_zero();
    let mut all = Vec::new();
    if kind == "payment.captured" && back.is_told() {
        all.push(Told {
            word: "refund.processed".to_owned(),
            dedup_key: format!("{key}:{back:?}"),
            refunded: ToldRefund::Total(back),
            ..paid.clone()
        });
    }
    all.push(paid);
    Some(Paper::new(&event, all))
}
