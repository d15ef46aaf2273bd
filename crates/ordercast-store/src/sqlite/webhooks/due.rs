//! What may be sent now: the first of each lane, when its time has come.

use super::{
    super::rows::{self, ORDER_FIELDS, corrupt},
    endpoints,
};
use crate::Due;
use ordercast_core::{
    Timestamp,
    delivery::EventFacts,
    ids::{EndpointId, Version},
};
use rusqlite::{Connection, OptionalExtension, Row};
use std::sync::Arc;

/// The fields of `orders o` come first, then those of the delivery and its event.
pub(super) const FIELDS: &str = "d.delivery_id, d.notification, d.attempts, e.number, e.type, \
     e.version, e.previous_status, e.at, v.status, e.public_id";
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
            "SELECT {ORDER_FIELDS}, {FIELDS} FROM deliveries d {JOINS} \
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

/// Of the columns number, type, version, previous_status, at, status and public_id.
pub(super) fn event_facts(row: &Row, first: usize) -> rusqlite::Result<EventFacts> {
    let previous: Option<String> = row.get(first + 3)?;
    let status: String = row.get(first + 5)?;
    Ok(EventFacts {
        id: row.get(first)?,
        public_id: row.get(first + 6)?,
        kind: row.get(first + 1)?,
        version: Version::new(row.get(first + 2)?).map_err(|_| corrupt("events.version"))?,
        previous_status: previous
            .map(|status| status.parse())
            .transpose()
            .map_err(|()| corrupt("events.previous_status"))?,
        at: Timestamp::from_millis(row.get(first + 4)?),
        status: status
            .parse()
            .map_err(|()| corrupt("order_versions.status"))?,
    })
}
