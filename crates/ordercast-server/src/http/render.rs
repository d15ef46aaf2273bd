//! Orders and times as `/v1` shows them.

use super::problem::Problem;
use axum::http::StatusCode;
use ordercast_core::{
    Timestamp,
    money::Money,
    order::{Attempt, Item, LedgerEntry, Order, Refund, RefundSize, Refusal},
};
use ordercast_store::{Applied, Outcome, Rendered};
use serde_json::{Value, json};
use time::{
    OffsetDateTime,
    format_description::{BorrowedFormatItem, well_known::Rfc3339},
    macros::format_description,
};

const MILLISECONDS: &[BorrowedFormatItem] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// RFC 3339, UTC, milliseconds.
pub fn time(at: Timestamp) -> String {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.millis()) * 1_000_000)
        .ok()
        .and_then(|time| time.format(MILLISECONDS).ok())
        .unwrap_or_default()
}

/// RFC 3339 with any offset.
pub fn read_time(text: &str) -> Option<Timestamp> {
    let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    let millis = time.unix_timestamp_nanos() / 1_000_000;
    Some(Timestamp::from_millis(i64::try_from(millis).ok()?))
}

pub fn money(money: Money) -> Value {
    json!({ "amount": money.amount(), "currency": money.currency })
}

/// Minor units of the order's currency; `null` for an order that costs no money.
fn minor(order: &Order, minor: i64) -> Option<Value> {
    let currency = order.content.price?.currency;
    let sign = if minor < 0 { "-" } else { "" };
    let money = Money::new(minor.abs(), currency).ok()?;
    Some(json!({ "amount": format!("{sign}{}", money.amount()), "currency": currency }))
}

fn item(order: &Order, item: &Item) -> Value {
    json!({
        "sku": item.sku,
        "quantity": item.quantity,
        "price": item.price.map(money),
        "fulfilment": order.facets.fulfilment_of(&item.sku),
    })
}

fn attempt(order: &Order, attempt: &Attempt) -> Value {
    let refund = |refund: &Refund| {
        let amount = match refund.size {
            RefundSize::Whole => Some(attempt.captured),
            RefundSize::Part(minor) | RefundSize::Total(minor) => Some(minor),
            RefundSize::Unknown => None,
        };
        json!({
            "refund_id": refund.id,
            "amount": amount.and_then(|amount| minor(order, amount)),
            "is_total": matches!(refund.size, RefundSize::Total(_)),
            "is_reversed": refund.reversed,
        })
    };
    json!({
        "attempt_id": attempt.id,
        "state": attempt.state,
        "captured": minor(order, attempt.captured),
        "net": minor(order, attempt.net()),
        "refunds": attempt.refunds.iter().map(refund).collect::<Vec<_>>(),
        "dispute": attempt.dispute.map(|dispute| json!({
            "state": dispute.state,
            "amount": minor(order, dispute.amount.unwrap_or(attempt.captured)),
        })),
    })
}

fn ledger_entry(order: &Order, entry: &LedgerEntry) -> Value {
    json!({
        "attempt_id": entry.attempt,
        "kind": entry.kind,
        "refund_id": entry.refund,
        "amount": minor(order, entry.minor),
    })
}

pub fn order(order: &Order) -> Value {
    json!({
        "order_id": order.id,
        "project_id": order.project,
        "user_external_id": order.user,
        "status": order.status(),
        "version": order.version,
        "mode": order.mode,
        "price": order.content.price.map(money),
        "virtual_price": order.content.virtual_price,
        "checkout": order.content.checkout,
        "is_free": order.content.is_free(),
        "items": order.content.items.iter().map(|i| item(order, i)).collect::<Vec<_>>(),
        "payment": order.facets.payment(),
        "net_paid": minor(order, order.facets.net_paid()),
        "fulfilment": order.facets.fulfilment,
        "dispute": order.facets.dispute(),
        "flags": order.facets.flags,
        "attempts": order.facets.attempts.iter().map(|a| attempt(order, a)).collect::<Vec<_>>(),
        "ledger": order.facets.ledger().iter().map(|e| ledger_entry(order, e)).collect::<Vec<_>>(),
        "created_at": time(order.created_at),
        "updated_at": time(order.updated_at),
        "expires_at": time(order.expires_at),
    })
}

/// The order after a change, with its channel's position: a tracking client that has reached it has
/// seen the change.
fn applied(applied: &Applied) -> Value {
    let mut value = order(applied.order());
    value["position"] = json!({ "epoch": applied.epoch, "offset": applied.offset });
    value
}

/// 409 for what another state of the order would allow, 422 for what no state would.
const fn refused(refusal: &Refusal) -> (StatusCode, &'static str) {
    match refusal {
        Refusal::IllegalTransition { .. } => (StatusCode::CONFLICT, "illegal_transition"),
        Refusal::NothingPaid => (StatusCode::CONFLICT, "nothing_paid"),
        Refusal::TooMuch => (StatusCode::CONFLICT, "refund_too_large"),
        Refusal::RefundExists => (StatusCode::CONFLICT, "exists"),
        Refusal::UnknownRefund => (StatusCode::CONFLICT, "no_such_refund"),
        Refusal::Fulfilment => (StatusCode::CONFLICT, "illegal_fulfilment"),
        Refusal::Unchanged => (StatusCode::CONFLICT, "unchanged"),
        Refusal::AmbiguousAttempt => (StatusCode::UNPROCESSABLE_ENTITY, "ambiguous_attempt"),
        Refusal::UnknownAttempt => (StatusCode::UNPROCESSABLE_ENTITY, "no_such_attempt"),
        Refusal::Currency => (StatusCode::UNPROCESSABLE_ENTITY, "currency"),
    }
}

/// The answer to a change of an order; also what an idempotency key replays.
pub fn outcome(outcome: &Outcome, success: StatusCode) -> Rendered {
    let problem = match outcome {
        Outcome::Order(change) => {
            return Rendered {
                status: success.as_u16(),
                body: applied(change).to_string(),
            };
        }
        Outcome::Replayed(rendered) => return rendered.clone(),
        Outcome::Refused {
            refusal,
            status,
            version,
        } => {
            let (http_status, code) = refused(refusal);
            Problem::new(http_status, code, refusal.to_string())
                .with("current_status", status.as_str())
                .with("current_version", version.get())
        }
        Outcome::VersionMismatch { status, version } => Problem::new(
            StatusCode::PRECONDITION_FAILED,
            "version_mismatch",
            "the order is not at the version of If-Match",
        )
        .with("current_status", status.as_str())
        .with("current_version", version.get()),
        Outcome::NotFound => Problem::not_found(),
        Outcome::Exists => Problem::new(
            StatusCode::CONFLICT,
            "exists",
            "there is an object with this id already",
        ),
        Outcome::KeyConflict => Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency_key_reused",
            "this Idempotency-Key was used with another body",
        ),
        Outcome::Storefront(outcome) => return super::storefront::outcome(outcome, success),
        Outcome::Project(_)
        | Outcome::ProjectChanged(_)
        | Outcome::Received(_)
        | Outcome::Credentials(_)
        | Outcome::Unchanged { .. }
        | Outcome::Pruned(_) => Problem::unavailable(),
    };
    Rendered {
        status: problem.status,
        body: problem.body(),
    }
}
