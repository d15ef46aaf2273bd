//! Stripe. The order is named by `metadata.order_id` of the payment intent or the checkout session, or
//! by the session's `client_reference_id`; the payment by its payment intent.

use super::{
    Amount, EventError, Meaning, Request,
    json::Json,
    question::{self, About, Answer, Api, Authorization, Paper, Question, Thin},
    signature::{Unverified, is_hex, matching, members, recent, required},
    told::{Told, ToldRefund},
};
use crate::{Timestamp, ids::AttemptId, money::Money};
use serde_json::json;

pub const MAPPING: &[(&str, Meaning)] = &[
    ("payment_intent.created", Meaning::Ignore),
    ("payment_intent.requires_action", Meaning::Pending),
    ("payment_intent.processing", Meaning::Pending),
    (
        "payment_intent.amount_capturable_updated",
        Meaning::Authorized,
    ),
    ("payment_intent.succeeded", Meaning::Paid),
    ("payment_intent.payment_failed", Meaning::Failed),
    ("payment_intent.canceled", Meaning::Failed),
    // A completed checkout is not paid yet when the method takes days.
    ("checkout.session.completed:paid", Meaning::Paid),
    ("checkout.session.completed:unpaid", Meaning::Pending),
    (
        "checkout.session.completed:no_payment_required",
        Meaning::Ignore,
    ),
    ("checkout.session.async_payment_succeeded", Meaning::Paid),
    ("checkout.session.async_payment_failed", Meaning::Failed),
    ("checkout.session.expired", Meaning::Failed),
    ("charge.succeeded", Meaning::Ignore),
    ("charge.captured", Meaning::Ignore),
    ("charge.updated", Meaning::Ignore),
    ("charge.failed", Meaning::Failed),
    // Cumulative: what was given back of the charge until now.
    ("charge.refunded", Meaning::Refunded),
    ("refund.created:succeeded", Meaning::Refunded),
    ("refund.created", Meaning::Ignore),
    ("refund.updated:succeeded", Meaning::Refunded),
    ("refund.updated:failed", Meaning::RefundReversed),
    ("refund.updated:canceled", Meaning::RefundReversed),
    ("refund.updated", Meaning::Ignore),
    ("refund.failed", Meaning::RefundReversed),
    ("charge.refund.updated:failed", Meaning::RefundReversed),
    ("charge.refund.updated:canceled", Meaning::RefundReversed),
    ("charge.refund.updated", Meaning::Ignore),
    ("charge.dispute.created:warning", Meaning::DisputeInquiry),
    ("charge.dispute.created", Meaning::DisputeOpened),
    ("charge.dispute.updated", Meaning::Ignore),
    ("charge.dispute.funds_withdrawn", Meaning::DisputeOpened),
    ("charge.dispute.funds_reinstated", Meaning::Ignore),
    ("charge.dispute.closed:won", Meaning::DisputeWon),
    ("charge.dispute.closed:lost", Meaning::DisputeLost),
    ("charge.dispute.closed:warning", Meaning::DisputeExpired),
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

pub const API: Api = Api {
    host: "https://api.stripe.com",
    authorization: Authorization::Bearer,
    headers: &[],
};

/// Stripe API, *Retrieve a PaymentIntent* for those that have been heard of, and *Search PaymentIntents* by
/// the metadata that names the order. A found one is read as the webhook of its status would be.
pub fn questions(about: &About<'_>) -> Vec<Question> {
    let heard_of = about.attempts.iter().map(AttemptId::as_str);
    let mut questions: Vec<_> = heard_of
        .filter_map(|id| question::plain(id, "pi_"))
        .map(|id| {
            let path = format!("/v1/payment_intents/{id}");
            Question::new(path, |intent| Ok(Answer::of(of_intent(intent))))
        })
        .collect();
    // Of the search's own language only digits are put into it.
    let path = format!(
        "/v1/payment_intents/search?limit=20&query=metadata%5B%27order_id%27%5D%3A%27{}%27",
        about.order
    );
    questions.push(Question::new(path, |found| {
        let intents = found.list("/data").unwrap_or_default();
        Ok(Answer::of(intents.iter().filter_map(of_intent)))
    }));
    questions
}

/// The webhook that would tell where a payment intent is.
fn of_intent(intent: &Json) -> Option<Paper> {
    let status = intent.text("/status")?;
    let kind = match status.as_str() {
        "succeeded" => "payment_intent.succeeded",
        "processing" => "payment_intent.processing",
        "requires_action" => "payment_intent.requires_action",
        "requires_capture" => "payment_intent.amount_capturable_updated",
        "canceled" => "payment_intent.canceled",
        _ => return None,
    };
    let id = intent.text("/id")?;
    let event = json!({
        "id": format!("asked:{id}:{status}"),
        "type": kind,
        "data": { "object": intent.at("")? },
    });
    let told = read(&Json::of(event.clone())).ok()?;
    Some(Paper::new(&event, vec![told]))
}

/// A notification that holds no object.
pub fn thin(_: &Json) -> Option<Thin> {
    None
}

pub fn read(body: &Json) -> Result<Told, EventError> {
    let kind = body.required("/type", "type")?;
    let object = body
        .part("/data/object")
        .ok_or(EventError::Field("data.object"))?;
    let is = |word: &str| object.text("/object").as_deref() == Some(word);
    let status = object.text("/status").unwrap_or_default();
    let condition = match kind.as_str() {
        "checkout.session.completed" => object.text("/payment_status"),
        "refund.created" | "refund.updated" | "charge.refund.updated" => Some(status),
        "charge.dispute.created" if status.starts_with("warning") => Some("warning".to_owned()),
        "charge.dispute.closed" if status.starts_with("warning") => Some("warning".to_owned()),
        "charge.dispute.closed" => Some(status),
        _ => None,
    };
    let attempt = if is("payment_intent") {
        object.attempt(&["/id"])
    } else {
        object.attempt(&["/payment_intent/id", "/payment_intent", "/charge", "/id"])
    };
    let amount = |pointer| object.minor(pointer, "/currency").and_then(in_iso_units);
    let (refund, refunded) = if is("refund") {
        (object.refund(&["/id"]), ToldRefund::Part(amount("/amount")))
    } else {
        (None, ToldRefund::Total(amount("/amount_refunded")))
    };
    let disputed = if is("dispute") {
        amount("/amount")
    } else {
        Amount::NotTold
    };
    Ok(Told {
        word: match condition {
            Some(condition) => format!("{kind}:{condition}"),
            None => kind,
        },
        dedup_key: body.required("/id", "id")?,
        order: object.order(&["/metadata/order_id", "/client_reference_id"]),
        named: object.named(&["/metadata/order_id", "/client_reference_id"]),
        attempt,
        amount: ["/amount_received", "/amount_total", "/amount_captured"]
            .into_iter()
            .map(amount)
            .find(Amount::is_told)
            .unwrap_or_default(),
        refund,
        refunded,
        disputed,
        occurred_at: body.seconds("/created"),
        ..Told::default()
    })
}

/// Stripe counts two places for currencies that have none any more, and none for one that has two.
fn in_iso_units(money: Money) -> Option<Money> {
    match money.currency.as_str() {
        "ISK" | "UGX" => money.divided_by(100),
        "MGA" => money.times(100).ok(),
        _ => Some(money),
    }
}
