//! Tebex. The order is named by `custom.order_id` of the basket; the payment by its transaction.
//!
//! Each event, what it means for money and what is done with it: [`MAPPING`], and the table of this
//! provider in `docs/providers.md`. Read on 2026-11-28: *Webhooks: overview*, *Checkout webhooks*, and its PHP SDK.

use super::{
    EventError, Meaning, Request,
    json::Json,
    question::{self, About, Answer, Api, Authorization, Paper, Question},
    signature::{Unverified, is_hex, matching, required},
    told::{RENEWAL, Told},
};
use crate::{Timestamp, ids::AttemptId, order::Mode};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

pub const MAPPING: &[(&str, Meaning)] = &[
    // Asks whether somebody is there.
    ("validation.webhook", Meaning::Ignore),
    ("payment.completed", Meaning::Paid),
    ("payment.completed:free", Meaning::NothingDue),
    ("payment.declined", Meaning::Failed),
    ("payment.refunded", Meaning::Refunded),
    ("payment.dispute.opened", Meaning::DisputeOpened),
    ("payment.dispute.won", Meaning::DisputeWon),
    ("payment.dispute.lost", Meaning::DisputeLost),
    ("payment.dispute.closed", Meaning::DisputeExpired),
    // A payment that a subscription took by itself is none of the order that began it.
    ("payment.completed:renewal", Meaning::Ignore),
    ("payment.declined:renewal", Meaning::Ignore),
    ("payment.refunded:renewal", Meaning::Ignore),
    ("payment.dispute.opened:renewal", Meaning::Ignore),
    ("payment.dispute.won:renewal", Meaning::Ignore),
    ("payment.dispute.lost:renewal", Meaning::Ignore),
    ("payment.dispute.closed:renewal", Meaning::Ignore),
    ("recurring-payment.started", Meaning::Ignore),
    ("recurring-payment.renewed", Meaning::Ignore),
    ("recurring-payment.ended", Meaning::Ignore),
    ("recurring-payment.status-changed", Meaning::Ignore),
    ("recurring-payment.cancellation.requested", Meaning::Ignore),
    ("recurring-payment.cancellation.aborted", Meaning::Ignore),
    ("basket.abandoned", Meaning::Ignore),
];

pub const ADDRESSES: &[&str] = &["18.209.80.3/32", "54.87.231.232/32"];

/// `X-Signature: <hex>` over the body's SHA-256 in hex.
pub fn verify(request: Request<'_>, secret: &str, _: Timestamp) -> Result<(), Unverified> {
    let signature = required(request, "x-signature")?;
    let digest = HEXLOWER.encode(&Sha256::digest(request.body));
    matching(is_hex(secret.as_bytes(), digest.as_bytes(), signature))
}

pub const API: Api = Api {
    host: "https://plugin.tebex.io",
    authorization: Authorization::Header("x-tebex-secret"),
    headers: &[],
};

/// Plugin API, *Retrieve a payment*, of those that have been heard of: it finds them by nothing else.
pub fn questions(about: &About<'_>) -> Vec<Question> {
    let heard_of = about.attempts.iter().map(AttemptId::as_str);
    heard_of
        .filter_map(|id| question::segment(id, "tbx-"))
        .map(|id| {
            let attempt = AttemptId::new(id).ok();
            let path = format!("/payments/{id}");
            Question::new(path, move |payment| {
                let told = of_asked(payment, attempt.clone());
                let body = payment.at("").ok_or(EventError::Field("the payment"))?;
                Ok(Answer::of(told.map(|told| Paper::new(body, vec![told]))))
            })
        })
        .collect()
}

/// `None`: in a state of which its webhooks have no word.
fn of_asked(payment: &Json, attempt: Option<AttemptId>) -> Option<Told> {
    let status = payment.text("/status")?;
    let word = match status.as_str() {
        "Complete" => "payment.completed",
        "Refund" => "payment.refunded",
        "Chargeback" => "payment.dispute.opened",
        _ => return None,
    };
    let id = attempt.as_ref().map_or("", AttemptId::as_str);
    Some(Told {
        word: word.to_owned(),
        dedup_key: format!("asked:{id}:{status}"),
        amount: payment.decimal("/amount", "/currency/iso_4217"),
        attempt,
        ..Told::default()
    })
}

pub fn read(body: &Json) -> Result<Told, EventError> {
    let kind = body.required("/type", "type")?;
    let subject = body.part("/subject").unwrap_or_else(|| body.clone());
    let base = Told {
        word: kind.clone(),
        dedup_key: body.required("/id", "id")?,
        occurred_at: body.rfc3339("/date"),
        ..Told::default()
    };
    if !kind.starts_with("payment.") {
        return Ok(base);
    }
    if subject.text("/payment_sequence").as_deref() == Some("recurring") {
        return Ok(Told {
            word: format!("{kind}:renewal"),
            attempt: subject.attempt(&["/transaction_id"]),
            foreign: Some(RENEWAL),
            ..base
        });
    }
    let (order, named) = subject.reference("/custom");
    let price = subject.decimal("/price/amount", "/price/currency");
    let paid = subject.decimal("/price_paid/amount", "/price_paid/currency");
    let is_free = price.money().is_some_and(|price| price.minor == 0);
    Ok(Told {
        word: if is_free && kind == "payment.completed" {
            format!("{kind}:free")
        } else {
            kind
        },
        order,
        named,
        attempt: subject.attempt(&["/transaction_id"]),
        total: price.clone(),
        // What the buyer's bank took, in his currency, stands beside what the store asked for.
        equivalent: paid.clone(),
        amount: price.or(|| paid),
        mode: mode(&subject),
        ..base
    })
}

/// The test gateway is a payment method of its own; that the others are real money they do not say.
fn mode(subject: &Json) -> Option<Mode> {
    let method = subject.text("/payment_method/name")?.to_ascii_lowercase();
    method.starts_with("test").then_some(Mode::Sandbox)
}
