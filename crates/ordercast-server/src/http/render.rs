//! Orders and times as `/v1` shows them.

use super::problem::Problem;
use axum::http::StatusCode;
use ordercast_core::{
    Timestamp,
    money::Money,
    order::{Item, Order, Refusal},
};
use ordercast_store::{Applied, Outcome, Rendered};
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};

const MILLISECONDS: &[BorrowedFormatItem] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// RFC 3339, UTC, milliseconds.
pub fn time(at: Timestamp) -> String {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.millis()) * 1_000_000)
        .ok()
        .and_then(|time| time.format(MILLISECONDS).ok())
        .unwrap_or_default()
}

pub fn money(money: Money) -> Value {
    json!({ "amount": money.amount(), "currency": money.currency })
}

fn item(item: &Item) -> Value {
    json!({ "sku": item.sku, "quantity": item.quantity, "price": item.price.map(money) })
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
        "is_free": order.content.is_free(),
        "items": order.content.items.iter().map(item).collect::<Vec<_>>(),
        "payment": order.facets.payment(),
        "fulfilment": order.facets.fulfilment,
        "flags": order.facets.flags,
        "attempts": order.facets.attempts.iter().map(|attempt| json!({
            "attempt_id": attempt.id,
            "paid": attempt.paid.and_then(|minor| {
                let currency = order.content.price?.currency;
                Money::new(minor, currency).ok().map(money)
            }),
            "refunded": attempt.refunded,
            "failed": attempt.failed,
        })).collect::<Vec<_>>(),
        "created_at": time(order.created_at),
        "updated_at": time(order.updated_at),
        "expires_at": time(order.expires_at),
    })
}

/// The order after a change, with its channel's position: a tracking client that has reached it has
/// seen the change.
fn applied(applied: &Applied) -> Value {
    let mut value = order(&applied.order);
    value["position"] = json!({ "epoch": applied.epoch, "offset": applied.offset });
    value
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
            let Refusal::IllegalTransition { .. } = refusal;
            Problem::new(
                StatusCode::CONFLICT,
                "illegal_transition",
                refusal.to_string(),
            )
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
        Outcome::Project(_) | Outcome::Item | Outcome::Received(_) | Outcome::Credentials(_) => {
            Problem::unavailable()
        }
    };
    Rendered {
        status: problem.status,
        body: problem.body(),
    }
}
