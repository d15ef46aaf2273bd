//! What buyers' clients pull: what was sold to them and taken back, until they have processed it.
//!
//! Invariant: nothing of a buyer is out of reach, however much there is: what is asked for is found by an
//! index of just that, and a page begins where the one before ended.

use super::super::{
    apply::Batch,
    event_rows::{EVENT_FIELDS, EVENT_VERSION, event_facts},
    rows::{self, ORDER_FIELDS},
};
use crate::{ClientEvent, ClientEventFilter};
use ordercast_core::{OrderId, ProjectId, Timestamp, UserId, delivery::Notification};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::sync::Arc;

/// The words of the combined mode.
const TOLD: [Notification; 2] = [Notification::OrderPaid, Notification::OrderCanceled];
/// How many [`ORDER_FIELDS`] has.
const FIRST: usize = super::due::FIRST;

pub(crate) fn client_events(
    connection: &Connection,
    project: ProjectId,
    user: &UserId,
    order: Option<OrderId>,
    wanted: &ClientEventFilter,
) -> rusqlite::Result<Vec<ClientEvent>> {
    let channel: Option<i64> = connection
        .prepare_cached("SELECT channel_key FROM channels WHERE project_id = ?1 AND user_id = ?2")?
        .query_row((project.get(), user.as_str()), |row| row.get(0))
        .optional()?;
    let Some(channel) = channel else {
        return Ok(Vec::new());
    };
    let told = TOLD
        .into_iter()
        .map(Notification::as_str)
        .filter(|told| wanted.types.is_empty() || wanted.types.iter().any(|wanted| wanted == told));
    let mut events = Vec::new();
    for told in told {
        events.extend(match order {
            None => of_user(connection, channel, told, wanted)?,
            Some(order) => of_order(connection, (project, order), channel, told, wanted)?,
        });
    }
    events.sort_by_key(|event| event.facts.id);
    events.truncate(wanted.limit as usize);
    Ok(events)
}

fn of_user(
    connection: &Connection,
    channel: i64,
    told: &str,
    wanted: &ClientEventFilter,
) -> rusqlite::Result<Vec<ClientEvent>> {
    connection
        .prepare_cached(&format!(
            "SELECT {ORDER_FIELDS}, {EVENT_FIELDS} FROM (SELECT event_id AS id FROM events \
             INDEXED BY events_of_buyer WHERE channel_key = ?1 AND told = ?2 AND number > ?3 \
             AND processed_at IS NULL ORDER BY number LIMIT ?4) mine \
             JOIN events e ON e.event_id = mine.id {EVENT_VERSION} \
             JOIN orders o ON o.order_key = e.order_key \
             JOIN channels c ON c.channel_key = o.channel_key ORDER BY e.number"
        ))?
        .query_map(
            params![channel, told, wanted.after, wanted.limit],
            client_event,
        )?
        .collect()
}

/// An order has few events, so they are read from its versions.
fn of_order(
    connection: &Connection,
    (project, order): (ProjectId, OrderId),
    channel: i64,
    told: &str,
    wanted: &ClientEventFilter,
) -> rusqlite::Result<Vec<ClientEvent>> {
    connection
        .prepare_cached(&format!(
            "SELECT {ORDER_FIELDS}, {EVENT_FIELDS} FROM orders o \
             JOIN channels c ON c.channel_key = o.channel_key \
             JOIN order_versions v ON v.order_key = o.order_key \
             JOIN events e ON e.event_id = v.event_id \
             WHERE o.project_id = ?1 AND o.order_id = ?2 AND e.channel_key = ?3 AND e.told = ?4 \
             AND e.number > ?5 AND e.processed_at IS NULL ORDER BY e.number LIMIT ?6"
        ))?
        .query_map(
            params![
                project.get(),
                order.get(),
                channel,
                told,
                wanted.after,
                wanted.limit
            ],
            client_event,
        )?
        .collect()
}

fn client_event(row: &Row) -> rusqlite::Result<ClientEvent> {
    Ok(ClientEvent {
        order: Arc::new(rows::order_row(row)?.order),
        facts: event_facts(row, FIRST)?,
    })
}

/// The buyer's own mark: it says nothing of what the shop has taken.
pub(super) fn process(batch: &Batch, event: i64, at: Timestamp) -> rusqlite::Result<bool> {
    let updated = batch
        .connection
        .prepare_cached(
            "UPDATE events SET processed_at = ?2 WHERE event_id = ?1 AND processed_at IS NULL",
        )?
        .execute((event, at.millis()))?;
    Ok(updated > 0)
}
