//! What people read of deliveries.

use super::{
    super::{
        event_rows::EVENT_FIELDS,
        rows::{self, ORDER_FIELDS, corrupt},
    },
    due::{self, FIELDS, JOINS},
    endpoints, repair,
};
use crate::{AttemptRow, DeliveryFilter, DeliveryRow, DeliveryState, Due, OperatorEventRow};
use ordercast_core::{ProjectId, Timestamp, ids::EndpointId};
use rusqlite::{Connection, OptionalExtension, Row, types::Value};
use std::time::Duration;

/// What a dry run looks at.
const REPLAYABLE_MAX: u32 = 100_000;

const ROW: &str = "d.delivery_id, d.endpoint_id, e.number, e.type, d.notification, o.order_id, \
     d.state, d.reason, d.attempts, d.next_at, d.finished_at";

pub(crate) fn list(
    connection: &Connection,
    project: ProjectId,
    endpoint: EndpointId,
    filter: DeliveryFilter,
) -> rusqlite::Result<Vec<DeliveryRow>> {
    let wanted = filter.state.map_or("", |_| "AND d.state = ?5");
    let mut bound: Vec<Value> = vec![
        endpoint.get().into(),
        project.get().into(),
        filter.before.unwrap_or(i64::MAX).into(),
        filter.limit.into(),
    ];
    bound.extend(filter.state.map(|state| state.as_str().to_owned().into()));
    connection
        .prepare_cached(&format!(
            "SELECT {ROW} FROM deliveries d JOIN events e ON e.event_id = d.event_id \
             JOIN orders o ON o.order_key = d.order_key \
             WHERE d.endpoint_id = ?1 AND e.project_id = ?2 AND d.delivery_id < ?3 {wanted} \
             ORDER BY d.delivery_id DESC LIMIT ?4"
        ))?
        .query_map(rusqlite::params_from_iter(bound), delivery_row)?
        .collect()
}

fn delivery_row(row: &Row) -> rusqlite::Result<DeliveryRow> {
    let state: String = row.get(6)?;
    Ok(DeliveryRow {
        id: row.get(0)?,
        endpoint: endpoints::id(row.get(1)?)?,
        event: row.get(2)?,
        event_type: row.get(3)?,
        notification: endpoints::notification(&row.get::<_, String>(4)?)?,
        order: rows::order_id(row.get(5)?)?,
        state: DeliveryState::ALL
            .into_iter()
            .find(|known| known.as_str() == state)
            .ok_or_else(|| corrupt("deliveries.state"))?,
        reason: row.get(7)?,
        attempts: row.get(8)?,
        next_at: row.get::<_, Option<i64>>(9)?.map(Timestamp::from_millis),
        finished_at: row.get::<_, Option<i64>>(10)?.map(Timestamp::from_millis),
    })
}

pub(crate) fn one(
    connection: &Connection,
    project: ProjectId,
    delivery: i64,
) -> rusqlite::Result<Option<(DeliveryRow, Vec<AttemptRow>, Due)>> {
    let found = connection
        .prepare_cached(&format!(
            "SELECT {ROW} FROM deliveries d JOIN events e ON e.event_id = d.event_id \
             JOIN orders o ON o.order_key = d.order_key \
             WHERE d.delivery_id = ?1 AND e.project_id = ?2"
        ))?
        .query_row((delivery, project.get()), delivery_row)
        .optional()?;
    let Some(found) = found else {
        return Ok(None);
    };
    let due = connection
        .prepare_cached(&format!(
            "SELECT {ORDER_FIELDS}, {FIELDS}, {EVENT_FIELDS} FROM deliveries d {JOINS} \
             WHERE d.delivery_id = ?1"
        ))?
        .query_row([delivery], due::due_row)?;
    let attempts = connection
        .prepare_cached(
            "SELECT attempt, at, duration_ms, status, error, address, body \
             FROM delivery_attempts WHERE delivery_id = ?1 ORDER BY attempt DESC LIMIT 100",
        )?
        .query_map([delivery], |row| {
            Ok(AttemptRow {
                attempt: row.get(0)?,
                at: Timestamp::from_millis(row.get(1)?),
                duration: Duration::from_millis(row.get::<_, i64>(2)?.unsigned_abs()),
                status: row.get(3)?,
                error: row.get(4)?,
                address: row.get(5)?,
                body: row.get(6)?,
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    Ok(Some((found, attempts, due)))
}

pub(crate) fn recoverable(
    connection: &Connection,
    project: ProjectId,
    endpoint: EndpointId,
    since: Timestamp,
) -> rusqlite::Result<u32> {
    connection.query_row(
        "SELECT count(*) FROM (SELECT 1 FROM deliveries d JOIN events e ON e.event_id = d.event_id \
         WHERE d.endpoint_id = ?1 AND d.state = 'dead' AND e.at >= ?2 AND e.project_id = ?3 \
         LIMIT ?4)",
        (
            endpoint.get(),
            since.millis(),
            project.get(),
            REPLAYABLE_MAX,
        ),
        |row| row.get(0),
    )
}

pub(crate) fn replayable(
    connection: &Connection,
    project: ProjectId,
    endpoint: EndpointId,
    since: Timestamp,
) -> rusqlite::Result<u32> {
    let receivers = endpoints::receivers(connection, project)?;
    let Some(receiver) = receivers.iter().find(|found| found.endpoint == endpoint) else {
        return Ok(0);
    };
    let (mut count, mut after) = (0_u32, 0);
    let mut looked_at = 0;
    while looked_at < REPLAYABLE_MAX {
        let bite = 1_000;
        let events = repair::never_sent(connection, (project, endpoint), since, (after, bite))?;
        looked_at += bite;
        for event in events.iter().filter(|event| !event.is_known) {
            if let Some(row) = rows::order_by_key(connection, event.order_key)? {
                let wanted =
                    super::outbox::wanted(receiver, &event.kind, event.from, &row.order).count();
                count = count.saturating_add(u32::try_from(wanted).unwrap_or(u32::MAX));
            }
        }
        match events.last() {
            Some(last) if events.len() == bite as usize => after = last.number,
            _ => break,
        }
    }
    Ok(count)
}

pub(crate) fn operator_events(
    connection: &Connection,
    project: ProjectId,
    before: Option<i64>,
    limit: u32,
) -> rusqlite::Result<Vec<OperatorEventRow>> {
    connection
        .prepare_cached(
            "SELECT operator_event_id, type, endpoint_id, delivery_id, detail, at \
             FROM operator_events WHERE project_id = ?1 AND operator_event_id < ?2 \
             ORDER BY operator_event_id DESC LIMIT ?3",
        )?
        .query_map((project.get(), before.unwrap_or(i64::MAX), limit), |row| {
            Ok(OperatorEventRow {
                id: row.get(0)?,
                kind: row.get(1)?,
                endpoint: row
                    .get::<_, Option<i64>>(2)?
                    .map(endpoints::id)
                    .transpose()?,
                delivery: row.get(3)?,
                detail: row.get(4)?,
                at: Timestamp::from_millis(row.get(5)?),
            })
        })?
        .collect()
}
