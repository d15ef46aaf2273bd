//! When the shop has taken an event: once each endpoint that completes has all that it is sent of it, or
//! when its backend says so. What a notifier beside them, or a buyer, has taken is another matter.

use super::{super::apply::Batch, endpoints, outbox};
use crate::sqlite::memory::Receiver;
use ordercast_core::{
    Timestamp,
    delivery::Notification,
    order::{Actor, Cause, Order, Request, Status, Target, request},
};
use rusqlite::params;

/// An event that an endpoint has accepted.
pub(super) struct Accepted<'a> {
    pub id: i64,
    pub kind: &'a str,
    pub from: Option<Status>,
    pub at: Timestamp,
    pub order_key: i64,
}

/// One that completes has accepted something of the event: is it the last?
pub(super) fn accepted(
    batch: &mut Batch,
    receiver: &Receiver,
    event: &Accepted,
    at: Timestamp,
) -> rusqlite::Result<()> {
    if !receiver.settings.completes {
        return Ok(());
    }
    let Some(row) = batch.order_by_key(event.order_key)? else {
        return Ok(());
    };
    let receivers = batch.receivers(row.order.project)?;
    let mut tells_sale = false;
    for receiver in receivers.iter().filter(|known| known.settings.completes) {
        match has(batch, receiver, event, &row.order)? {
            Has::All { sale } => tells_sale |= sale,
            Has::Nothing => {}
            Has::NotYet => return Ok(()),
        }
    }
    acknowledge(batch, event.id, at)?;
    if tells_sale {
        complete_order(
            batch,
            event.order_key,
            at,
            "the shop's endpoint has taken it",
        )?;
    }
    Ok(())
}

/// What an endpoint has of an event.
enum Has {
    /// With what tells of a sale?
    All {
        sale: bool,
    },
    /// It is not told of such events, or did not exist when it happened.
    Nothing,
    NotYet,
}

fn has(
    batch: &Batch,
    receiver: &Receiver,
    event: &Accepted,
    order: &Order,
) -> rusqlite::Result<Has> {
    let parts: Vec<(Notification, bool)> = batch
        .connection
        .prepare_cached(
            "SELECT notification, state = 'delivered' FROM deliveries \
             WHERE event_id = ?1 AND endpoint_id = ?2",
        )?
        .query_map((event.id, receiver.endpoint.get()), |row| {
            let notification: String = row.get(0)?;
            Ok((endpoints::notification(&notification)?, row.get(1)?))
        })?
        .collect::<rusqlite::Result<_>>()?;
    if parts.is_empty() {
        // It was disabled then: what it missed is sent to it by a replay.
        let is_missing = receiver.created_at <= event.at
            && outbox::wanted(receiver, event.kind, event.from, order)
                .next()
                .is_some();
        return Ok(if is_missing {
            Has::NotYet
        } else {
            Has::Nothing
        });
    }
    if parts.iter().any(|(_, is_delivered)| !is_delivered) {
        return Ok(Has::NotYet);
    }
    let sale = parts.iter().any(|(told, _)| tells_sale(*told, event.kind));
    Ok(Has::All { sale })
}

/// Whether a shop that has this knows that the order is to be handed over.
fn tells_sale(told: Notification, kind: &str) -> bool {
    match told {
        Notification::OrderPaid => true,
        Notification::Event => is_sale(kind),
        Notification::Payment | Notification::Refund | Notification::OrderCanceled => false,
    }
}

pub(super) fn is_sale(kind: &str) -> bool {
    matches!(kind, "order.paid" | "order.reinstated")
}

pub(super) fn acknowledge(batch: &Batch, event: i64, at: Timestamp) -> rusqlite::Result<bool> {
    let updated = batch
        .connection
        .prepare_cached(
            "UPDATE events SET acknowledged_at = ?2 WHERE event_id = ?1 AND acknowledged_at IS NULL",
        )?
        .execute(params![event, at.millis()])?;
    Ok(updated > 0)
}

/// The shop has taken the paid order: it is done, if the project says so (store contract, decision 4).
pub(super) fn complete_order(
    batch: &mut Batch,
    order_key: i64,
    at: Timestamp,
    reason: &str,
) -> rusqlite::Result<()> {
    let Some(mut row) = batch.order_by_key(order_key)? else {
        return Ok(());
    };
    if row.order.status() != Status::Paid || !batch.completes_on_ack(row.order.project)? {
        return Ok(());
    }
    let cause = Cause {
        actor: Actor::Rule("complete_on_ack"),
        reason: reason.to_owned(),
        at,
    };
    // A paid order may always become done; if not, the order stays and the operator decides.
    if let Ok(changed) = request(&row.order, &Request::Become(Target::Done), &cause) {
        batch.store(&mut row, changed, &cause)?;
    }
    Ok(())
}
