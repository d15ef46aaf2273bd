//! What readers see of the inbox.

use super::{
    super::rows::{self, OrderRow},
    attempts,
};
use crate::{InboxBody, InboxFilter, InboxRow};
use ordercast_core::{
    OrderId, ProjectId, Timestamp,
    ids::{AttemptId, SourceId},
};
use rusqlite::{Connection, OptionalExtension, Row, types::Value};

/// Of `provider_inbox i`, as [`inbox_row`] reads them. The order is the one that was named, or the one that
/// the payment belongs to.
const FIELDS: &str = "i.inbox_id, i.source, i.kind, i.received_at, i.state, i.reason, \
    coalesce(i.order_id, (SELECT o.order_id FROM attempts a JOIN orders o ON o.order_key = a.order_key \
        WHERE a.project_id = i.project_id AND a.attempt = i.attempt AND a.source IN (i.source, '') \
        ORDER BY a.source DESC LIMIT 1)), \
    i.duplicates, i.named, i.attention, i.handled_by, i.handled_at";

/// Newest first. Each filter has an index of its own, so that no more rows are read than are shown.
pub(crate) fn entries(
    connection: &Connection,
    project: ProjectId,
    filter: InboxFilter,
    before: Option<i64>,
    limit: u32,
) -> rusqlite::Result<Vec<InboxRow>> {
    let mut bound: Vec<Value> = vec![
        i64::from(project.get()).into(),
        before.unwrap_or(i64::MAX).into(),
        i64::from(limit).into(),
    ];
    let mut condition = String::new();
    if filter.needs_attention {
        condition.push_str(" AND i.attention IS NOT NULL");
    }
    if let Some(state) = filter.state {
        bound.push(state.as_str().to_owned().into());
        // Those that need attention are few: then their index is the one to take.
        let sql = if filter.needs_attention {
            " AND +i.state = ?4"
        } else {
            " AND i.state = ?4"
        };
        condition.push_str(sql);
    }
    connection
        .prepare_cached(&format!(
            "SELECT {FIELDS} FROM provider_inbox i \
             WHERE i.project_id = ?1 AND i.inbox_id < ?2{condition} \
             ORDER BY i.inbox_id DESC LIMIT ?3"
        ))?
        .query_map(rusqlite::params_from_iter(bound), inbox_row)?
        .collect()
}

pub(crate) fn entry(
    connection: &Connection,
    project: ProjectId,
    id: i64,
) -> rusqlite::Result<Option<InboxBody>> {
    connection
        .prepare_cached(&format!(
            "SELECT {FIELDS}, i.body, i.fact, i.attempt, i.dedup_key, i.occurred_at \
             FROM provider_inbox i WHERE i.inbox_id = ?1 AND i.project_id = ?2"
        ))?
        .query_row((id, project.get()), |row| {
            Ok(InboxBody {
                row: inbox_row(row)?,
                body: row.get(12)?,
                fact: row.get(13)?,
                attempt: row.get(14)?,
                dedup_key: row.get(15)?,
                occurred_at: row.get::<_, Option<i64>>(16)?.map(Timestamp::from_millis),
            })
        })
        .optional()
}

fn inbox_row(row: &Row) -> rusqlite::Result<InboxRow> {
    Ok(InboxRow {
        id: row.get(0)?,
        source: row.get(1)?,
        kind: row.get(2)?,
        received_at: Timestamp::from_millis(row.get(3)?),
        state: row.get(4)?,
        reason: row.get(5)?,
        order: row
            .get::<_, Option<i64>>(6)?
            .map(OrderId::new)
            .transpose()
            .map_err(|_| rows::corrupt("order_id"))?,
        duplicates: row.get(7)?,
        named: row.get(8)?,
        attention: row.get(9)?,
        handled_by: row.get(10)?,
        handled_at: row.get::<_, Option<i64>>(11)?.map(Timestamp::from_millis),
    })
}

pub(crate) fn order_of_attempt(
    connection: &Connection,
    project: ProjectId,
    source: &SourceId,
    attempt: &AttemptId,
) -> rusqlite::Result<Option<OrderRow>> {
    attempts::order_of(connection, project, source, attempt)
}

/// Whether an event was stored before, and was understood.
pub(crate) fn knows(
    connection: &Connection,
    source: &SourceId,
    dedup_key: &str,
) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "SELECT 1 FROM provider_inbox WHERE source = ?1 AND dedup_key = ?2 \
             AND state NOT IN ('unknown', 'rejected', 'expired')",
        )?
        .exists((source.as_str(), dedup_key))
}

/// Of all projects, what waits for an order that it named, since before `before`.
pub(crate) fn waiting_since(connection: &Connection, before: Timestamp) -> rusqlite::Result<u32> {
    connection
        .prepare_cached(
            "SELECT count(*) FROM provider_inbox \
             WHERE state = 'parked' AND received_at < ?1 AND order_id IS NOT NULL",
        )?
        .query_row([before.millis()], |row| row.get(0))
}
