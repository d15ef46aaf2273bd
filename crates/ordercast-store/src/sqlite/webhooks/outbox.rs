//! What a change queues: a row for each enabled endpoint that wants to be told, in the change's own
//! transaction (guarantees, I2).

use super::super::{apply::Batch, memory::Receiver, rows::OrderRow};
use ordercast_core::{
    delivery::{Notification, notifications},
    order::{Order, Status},
};
use rusqlite::params;
use std::sync::Arc;

/// An event that was just written.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Event {
    pub id: i64,
    pub kind: &'static str,
    pub from: Option<Status>,
}

pub(in super::super) fn enqueue(
    batch: &mut Batch,
    row: &OrderRow,
    event: Event,
) -> rusqlite::Result<()> {
    let receivers = batch.receivers(row.order.project)?;
    for receiver in receivers.iter().filter(|receiver| receiver.is_enabled) {
        if enqueue_to(batch, receiver, &row.order, row.order_key, event)? > 0 {
            batch.ring(receiver.endpoint);
        }
    }
    Ok(())
}

/// How many rows it became.
fn enqueue_to(
    batch: &Batch,
    receiver: &Arc<Receiver>,
    order: &Order,
    order_key: i64,
    event: Event,
) -> rusqlite::Result<usize> {
    let mut queued = 0;
    for (part, notification) in wanted(receiver, event.kind, event.from, order) {
        queued += batch
            .connection
            .prepare_cached(
                "INSERT INTO deliveries (endpoint_id, event_id, part, notification, order_key, \
                 state, next_at) VALUES (?1, ?2, ?3, ?4, ?5, 'pending', \
                 CASE WHEN EXISTS (SELECT 1 FROM deliveries WHERE endpoint_id = ?1 \
                 AND order_key = ?5 AND finished_at IS NULL) THEN NULL ELSE ?6 END)",
            )?
            .execute(params![
                receiver.endpoint.get(),
                event.id,
                part,
                notification.as_str(),
                order_key,
                // Not the order's time, which a clock that was put back leaves in the future.
                batch.at.millis(),
            ])?;
    }
    Ok(queued)
}

/// The notifications of an event that this endpoint gets, each with its place among them.
pub(super) fn wanted<'a>(
    receiver: &'a Receiver,
    kind: &'a str,
    from: Option<Status>,
    order: &'a Order,
) -> impl Iterator<Item = (u8, Notification)> + 'a {
    let all = notifications(receiver.settings.mode, kind, from, order);
    (0_u8..)
        .zip(all.iter().copied())
        .filter(move |(_, notification)| receiver.settings.wants(kind, *notification))
}
