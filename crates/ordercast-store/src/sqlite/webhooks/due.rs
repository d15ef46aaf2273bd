//! What may be sent now: the first of each lane, when its time has come.

use super::{
    super::{
        event_rows::{EVENT_FIELDS, event_facts},
        rows::{self, ORDER_FIELDS},
    },
    endpoints,
};
use crate::Due;
use ordercast_core::{Timestamp, ids::EndpointId};
use rusqlite::{Connection, OptionalExtension, Row};
use std::sync::Arc;

/// The fields of `orders o` come first, then those of the delivery and its event.
pub(super) const FIELDS: &str = "d.delivery_id, d.notification, d.attempts";
pub(super) const JOINS: &str = "JOIN events e ON e.event_id = d.event_id \
     JOIN orders o ON o.order_key = d.order_key \
     JOIN channels c ON c.channel_key = o.channel_key \
     JOIN order_versions v ON v.order_key = e.order_key AND v.version = e.version";
/// How many [`ORDER_FIELDS`] has.
pub(super) const FIRST: usize = 13;

pub(crate) fn due(
    connection: &Connection,
    endpoint: EndpointId,
    now: Timestamp,
    limit: u32,
) -> rusqlite::Result<(Vec<Due>, Option<Timestamp>)> {
    let due: Vec<Due> = connection
        .prepare_cached(&format!(
            "SELECT {ORDER_FIELDS}, {FIELDS}, {EVENT_FIELDS} FROM deliveries d {JOINS} \
             WHERE d.endpoint_id = ?1 AND d.next_at IS NOT NULL AND d.next_at <= ?2 \
             ORDER BY d.next_at, d.delivery_id LIMIT ?3"
        ))?
        .query_map((endpoint.get(), now.millis(), limit), due_row)?
        .collect::<rusqlite::Result<_>>()?;
    if due.len() >= limit as usize {
        return Ok((due, None));
    }
    let next = connection
        .prepare_cached(
            "SELECT next_at FROM deliveries WHERE endpoint_id = ?1 AND next_at IS NOT NULL \
             AND next_at > ?2 ORDER BY next_at LIMIT 1",
        )?
        .query_row((endpoint.get(), now.millis()), |row| row.get(0))
        .optional()?;
    Ok((due, next.map(Timestamp::from_millis)))
}

pub(super) fn due_row(row: &Row) -> rusqlite::Result<Due> {
    let order = rows::order_row(row)?;
    Ok(Due {
        delivery: row.get(FIRST)?,
        notification: endpoints::notification(&row.get::<_, String>(FIRST + 1)?)?,
        attempts: row.get(FIRST + 2)?,
        event: event_facts(row, FIRST + 3)?,
        order: Arc::new(order.order),
    })
}
