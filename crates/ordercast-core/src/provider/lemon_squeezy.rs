//! Lemon Squeezy. The order is named by `meta.custom_data.order_id`; the payment by its own order.
//! Events have no id, so equal bodies are one event. It tries only three times more: the sweeper is
//! needed here.
//!
//! Each event, what it means for money and what is done with it: [`MAPPING`], and the table of this
//! provider in `docs/providers.md`. Read on 2026-11-28: *Webhooks: event types*, and the types of its package
//! 4.0.0. It tells no disputes.

use super::{
    Amount, EventError, Meaning, Request,
    json::Json,
    question::{self, About, Answer, Api, Authorization, Paper, Question},
    signature::{Unverified, is_hex, matching, required},
    told::{RENEWAL, Told, ToldRefund},
};
use crate::{Timestamp, ids::AttemptId, order::Mode};

pub const MAPPING: &[(&str, Meaning)] = &[
    ("order_created:paid", Meaning::Paid),
    ("order_created:free", Meaning::NothingDue),
    ("order_created:pending", Meaning::Pending),
    ("order_created:failed", Meaning::Failed),
    // It gives the money back by itself.
    ("order_created:fraudulent", Meaning::Failed),
    ("order_refunded", Meaning::Refunded),
    // The first invoice of a subscription is the order, which is told by itself; the later ones are none
    // of it.
    ("subscription_payment_success", Meaning::Ignore),
    ("subscription_payment_failed", Meaning::Ignore),
    ("subscription_payment_recovered", Meaning::Ignore),
    ("subscription_payment_refunded:renewal", Meaning::Ignore),
    ("subscription_payment_refunded:updated", Meaning::Ignore),
    ("subscription_created", Meaning::Ignore),
    ("subscription_updated", Meaning::Ignore),
    ("subscription_plan_changed", Meaning::Ignore),
    ("subscription_cancelled", Meaning::Ignore),
    ("subscription_resumed", Meaning::Ignore),
    ("subscription_expired", Meaning::Ignore),
    ("subscription_paused", Meaning::Ignore),
    ("subscription_unpaused", Meaning::Ignore),
    ("license_key_created", Meaning::Ignore),
    ("license_key_updated", Meaning::Ignore),
    ("affiliate_activated", Meaning::Ignore),
];

/// `X-Signature: <hex>` over the body.
pub fn verify(request: Request<'_>, secret: &str, _: Timestamp) -> Result<(), Unverified> {
    let signature = required(request, "x-signature")?;
    matching(is_hex(secret.as_bytes(), request.body, signature))
}

pub const API: Api = Api {
    host: "https://api.lemonsqueezy.com",
    authorization: Authorization::Bearer,
    headers: &[("accept", "application/vnd.api+json")],
};

/// *Retrieve an order*. What a checkout was told stands in webhooks only, so orders are asked for that
/// have been heard of.
pub fn questions(about: &About<'_>) -> Vec<Question> {
    let heard_of = about.attempts.iter().map(AttemptId::as_str);
    let paths = heard_of
        .filter_map(|id| question::plain(id, ""))
        .map(|id| format!("/v1/orders/{id}"));
    let read = |answer: &Json| {
        let order = answer.part("/data").ok_or(EventError::Field("data"))?;
        let base = Told {
            word: "order_created".to_owned(),
            dedup_key: asked_key(&order),
            mode: mode(answer, &order),
            occurred_at: order.rfc3339("/attributes/updated_at"),
            ..Told::default()
        };
        let body = answer.at("").ok_or(EventError::Field("data"))?;
        Ok(Answer::of([Paper::new(body, of_order(&order, base))]))
    };
    paths.map(|path| Question::new(path, read)).collect()
}

/// An order that has not changed says nothing new.
fn asked_key(order: &Json) -> String {
    let at = |field: &str| order.text(field).unwrap_or_default();
    let (id, updated_at) = (at("/id"), at("/attributes/updated_at"));
    format!("asked:{id}:{updated_at}")
}

pub fn read(body: &Json, body_hash: &str) -> Result<Vec<Told>, EventError> {
    let kind = body.required("/meta/event_name", "meta.event_name")?;
    let order = body.part("/data").ok_or(EventError::Field("data"))?;
    let (number, named) = body.reference("/meta/custom_data");
    let base = Told {
        word: kind.clone(),
        dedup_key: body_hash.to_owned(),
        mode: mode(body, &order),
        occurred_at: order.rfc3339("/attributes/updated_at"),
        ..Told::default()
    };
    if kind.starts_with("order_") {
        let told = Told {
            order: number,
            named,
            ..base
        };
        return Ok(of_order(&order, told));
    }
    let reason = order.text("/attributes/billing_reason");
    let is_invoice = kind.starts_with("subscription_payment_");
    let is_later = reason.as_deref().is_some_and(|reason| reason != "initial");
    Ok(vec![Told {
        // Invoices and orders are counted apart: a name of its own.
        attempt: order
            .text("/id")
            .filter(|_| is_invoice && is_later)
            .and_then(|id| AttemptId::new(&format!("invoice:{id}")).ok()),
        foreign: (is_invoice && is_later).then_some(RENEWAL),
        word: match reason.filter(|_| is_invoice) {
            Some(reason) => format!("{kind}:{reason}"),
            None => kind,
        },
        ..base
    }])
}

/// An order as its events and the API show it: what was paid, and what was given back of it until now.
fn of_order(order: &Json, base: Told) -> Vec<Told> {
    let at = |field: &str| format!("/attributes/{field}");
    let status = order.text(&at("status")).unwrap_or_default();
    let total = order.minor(&at("total"), &at("currency"));
    let back = order.minor(&at("refunded_amount"), &at("currency"));
    let base = Told {
        attempt: order.attempt(&["/id"]),
        total: total.clone(),
        amount: total.clone(),
        ..base
    };
    let refunded = Told {
        word: "order_refunded".to_owned(),
        refunded: match (back.unless_zero(), status.as_str()) {
            (Amount::NotTold, "partial_refund") => ToldRefund::Part(Amount::NotTold),
            (Amount::NotTold, _) => ToldRefund::Whole,
            (sum, _) => ToldRefund::Total(sum),
        },
        ..base.clone()
    };
    if base.word == "order_refunded" {
        return vec![refunded];
    }
    let is_free = total.money().is_some_and(|total| total.minor == 0);
    let is_back = matches!(status.as_str(), "refunded" | "partial_refund");
    let paid = Told {
        word: match (base.word.as_str(), status.as_str()) {
            ("order_created", "paid") if is_free => "order_created:free".to_owned(),
            // Shown after its refund, it had been paid before.
            ("order_created", _) if is_back => "order_created:paid".to_owned(),
            ("order_created", status) if !status.is_empty() => format!("order_created:{status}"),
            (word, _) => word.to_owned(),
        },
        ..base
    };
    if is_back && paid.word == "order_created:paid" {
        let dedup_key = format!("{}:refunded", refunded.dedup_key);
        vec![
            paid,
            Told {
                dedup_key,
                ..refunded
            },
        ]
    } else {
        vec![paid]
    }
}

fn mode(body: &Json, order: &Json) -> Option<Mode> {
    let is_test = order
        .flag("/attributes/test_mode")
        .or_else(|| body.flag("/meta/test_mode"))?;
    Some(if is_test {
        Mode::Sandbox
    } else {
        Mode::Default
    })
}
