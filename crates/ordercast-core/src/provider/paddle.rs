//! Paddle Billing. The order is named by `custom_data.order_id` of the transaction; the payment by the
//! transaction. Nothing in a body tells sandbox money from live money.
//!
//! Read on 2026-11-28: the webhook reference of transactions and adjustments, *Refund or credit a
//! transaction*, the changelog up to 2026-01-08, and the types of the packages `paddle-python-sdk` 1.16.1
//! and `@paddle/paddle-node-sdk` 3.10.0. What each word means for money stands in `docs/providers.md`,
//! which a test holds against this table.

use super::{
    EventError, Meaning, Request,
    json::Json,
    question::{About, Answer, Api, Authorization, Paper, Question, plain},
    secret::SecretRule,
    signature::{Unverified, is_hex, matching, members, recent, required},
    told::{Told, ToldRefund},
};
use crate::{Timestamp, ids::AttemptId};
use serde_json::json;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

pub const MAPPING: &[(&str, Meaning)] = &[
    ("transaction.created", Meaning::Ignore),
    ("transaction.ready", Meaning::Ignore),
    ("transaction.updated", Meaning::Ignore),
    ("transaction.revised", Meaning::Ignore),
    // An invoice was issued.
    ("transaction.billed", Meaning::Pending),
    ("transaction.past_due", Meaning::Ignore),
    ("transaction.payment_failed", Meaning::Failed),
    ("transaction.canceled", Meaning::Failed),
    ("transaction.paid", Meaning::Paid),
    // Fees are known; the money was in before.
    ("transaction.completed", Meaning::Paid),
    // A discount of 100 %, a trial.
    ("transaction.paid:free", Meaning::NothingDue),
    ("transaction.completed:free", Meaning::NothingDue),
    // A later payment of a subscription, which carries the data of the first one.
    ("transaction.paid:renewal", Meaning::Ignore),
    ("transaction.completed:renewal", Meaning::Ignore),
    ("adjustment.refund:approved", Meaning::Refunded),
    ("adjustment.refund:pending_approval", Meaning::Ignore),
    ("adjustment.refund:rejected", Meaning::RefundReversed),
    ("adjustment.refund:reversed", Meaning::RefundReversed),
    // To the buyer's balance at Paddle, or off an invoice: no money of this order moves.
    ("adjustment.credit", Meaning::Ignore),
    ("adjustment.credit_reverse", Meaning::Ignore),
    ("adjustment.chargeback_warning", Meaning::DisputeInquiry),
    (
        "adjustment.chargeback_warning_reverse",
        Meaning::DisputeExpired,
    ),
    ("adjustment.chargeback:approved", Meaning::DisputeLost),
    // Set when Paddle has contested it with success; beside it comes `chargeback_reverse`.
    ("adjustment.chargeback:reversed", Meaning::DisputeWon),
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

/// What stands beside the secret key in the dashboard and is mistaken for it.
const NOT_SECRETS: [&str; 3] = ["pdl_live_apikey_", "pdl_sdbx_apikey_", "ntfset_"];

/// # Errors
/// [`SecretRule`]: with an API key or the destination's id nothing could ever be verified.
pub fn check_secret(secret: &str) -> Result<(), SecretRule> {
    if NOT_SECRETS.iter().any(|prefix| secret.starts_with(prefix)) {
        return Err(SecretRule(
            "must be the secret key of the notification destination, which begins with pdl_ntfset_",
        ));
    }
    Ok(())
}

const ORDER: &[&str] = &["/custom_data/order_id"];

pub fn read(body: &Json) -> Result<Told, EventError> {
    let kind = body.required("/event_type", "event_type")?;
    let data = body.part("/data").ok_or(EventError::Field("data"))?;
    let told = Told {
        dedup_key: body.required("/event_id", "event_id")?,
        order: data.order(ORDER),
        named: data.named(ORDER),
        occurred_at: body.rfc3339("/occurred_at"),
        ..Told::default()
    };
    if kind.starts_with("adjustment.") {
        return adjustment(&data, told);
    }
    // `total` is the price after discount and tax. `grand_total` is that without the credit which the
    // buyer had at Paddle: what he still had to pay, not what the order has brought in.
    let total = data
        .minor("/details/totals/total", "/currency_code")
        .or(|| data.minor("/details/totals/grand_total", "/currency_code"));
    let is_paid = matches!(kind.as_str(), "transaction.paid" | "transaction.completed");
    let is_free = total.money().is_some_and(|total| total.minor == 0);
    let origin = data.text("/origin").unwrap_or_default();
    // A later payment carries the data of the first one, and with it the number of its order.
    let is_renewal = matches!(
        origin.as_str(),
        "subscription_recurring"
            | "subscription_charge"
            | "subscription_update"
            | "subscription_payment_method_change"
    );
    let word = match kind {
        kind if is_paid && is_renewal => format!("{kind}:renewal"),
        kind if is_paid && is_free => format!("{kind}:free"),
        kind => kind,
    };
    Ok(Told {
        word,
        attempt: data.attempt(&["/id"]),
        amount: total.clone(),
        total,
        foreign: is_renewal.then_some("a later payment of a subscription"),
        ..told
    })
}

/// *Adjustment*: `action`, `status`, `totals.total`, `transaction_id`.
fn adjustment(data: &Json, told: Told) -> Result<Told, EventError> {
    let action = data.required("/action", "data.action")?;
    let status = data.text("/status").unwrap_or_default();
    let amount = data.minor("/totals/total", "/currency_code");
    Ok(Told {
        word: format!("adjustment.{action}:{status}"),
        attempt: data.attempt(&["/transaction_id"]),
        refund: data.refund(&["/id"]),
        refunded: ToldRefund::Part(amount.clone()),
        // A warning is not the chargeback that follows it, and a reversal does not name what it reverses:
        // only the chargeback itself gives the dispute its name.
        dispute: data.dispute(&["/id"]).filter(|_| action == "chargeback"),
        disputed: amount,
        ..told
    })
}

pub const API: Api = Api {
    host: "https://api.paddle.com",
    authorization: Authorization::Bearer,
    headers: &[("paddle-version", "1")],
};

/// Of the list of transactions, pages that are looked through for one that names the order.
const PAGES_MAX: usize = 4;

/// *Get a transaction* for those that have been heard of; without one *List transactions* since the order
/// was made, of which one may name it.
pub fn questions(about: &About<'_>) -> Vec<Question> {
    let ids = about.attempts.iter().map(AttemptId::as_str);
    let heard_of: Vec<_> = ids
        .filter_map(|id| plain(id, "txn_"))
        .map(|id| {
            let path = format!("/transactions/{id}?include=adjustments");
            Question::new(path, |answer| {
                Ok(Answer::of(answer.part("/data").as_ref().and_then(paper)))
            })
        })
        .collect();
    if heard_of.is_empty() {
        let since = OffsetDateTime::from_unix_timestamp(about.made_at.millis() / 1_000)
            .ok()
            .and_then(|at| at.format(&Rfc3339).ok())
            .unwrap_or_default()
            .replace(':', "%3A");
        let query = format!(
            "/transactions?include=adjustments&status=paid,completed&per_page=30\
             &order_by=created_at%5BASC%5D&created_at%5BGTE%5D={since}"
        );
        return vec![page(
            &query,
            String::new(),
            about.order.to_string(),
            PAGES_MAX,
        )];
    }
    heard_of
}

fn page(query: &str, after: String, order: String, left: usize) -> Question {
    let query = query.to_owned();
    Question::new(format!("{query}{after}"), move |answer| {
        let found = answer.list("/data").unwrap_or_default();
        let ours = found
            .iter()
            .filter(|item| item.text("/custom_data/order_id").as_deref() == Some(order.as_str()));
        let papers: Vec<_> = ours.filter_map(paper).collect();
        let last = found.last().and_then(|item| item.text("/id"));
        let last = last.as_deref().and_then(|id| plain(id, "txn_"));
        let has_more = answer.flag("/meta/pagination/has_more") == Some(true);
        let next = match last {
            Some(last) if papers.is_empty() && has_more && left > 1 => {
                vec![page(
                    &query,
                    format!("&after={last}"),
                    order.clone(),
                    left - 1,
                )]
            }
            _ => Vec::new(),
        };
        Ok(Answer { papers, next })
    })
}

/// The webhooks that would tell where a transaction is: what was given back of it first, so that an order
/// whose money is gone is not paid for a moment.
fn paper(transaction: &Json) -> Option<Paper> {
    let (id, status) = (transaction.text("/id")?, transaction.text("/status")?);
    let kind = match status.as_str() {
        "billed" => "transaction.billed",
        "paid" => "transaction.paid",
        "completed" => "transaction.completed",
        "canceled" => "transaction.canceled",
        _ => return None,
    };
    let event = |kind: &str, key: String, data: &Json| json!({ "event_id": format!("asked:{key}"), "event_type": kind, "data": data.at("") });
    let adjustments = transaction.list("/adjustments").unwrap_or_default();
    let mut told: Vec<_> = adjustments
        .iter()
        .filter_map(|it| {
            let key = format!("{}:{}", it.text("/id")?, it.text("/status")?);
            read(&Json::of(event("adjustment.updated", key, it))).ok()
        })
        .collect();
    // An adjustment does not name the order; the transaction does.
    for adjustment in &mut told {
        adjustment.order = transaction.order(ORDER);
    }
    let whole = event(kind, format!("{id}:{status}"), transaction);
    told.push(read(&Json::of(whole.clone())).ok()?);
    Some(Paper::new(&whole, told))
}
