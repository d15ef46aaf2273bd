//! Finds what is old enough to go, on a reader: each call looks at a bounded number of rows, by an index
//! or by keys that grow with time, and never at the same twice in one walk.

use super::rows;
use crate::old::{OldKey, OldPlace, OldRows, Pages, Prune};
use ordercast_core::Timestamp;
use rusqlite::{Connection, Row, params};

/// Rows looked at by one call.
const LOOKED_AT: u32 = 512;

pub(crate) fn find(
    connection: &Connection,
    what: Prune,
    before: Timestamp,
    after: Option<OldPlace>,
) -> rusqlite::Result<OldRows> {
    match what {
        Prune::Idempotency => answers(connection, before, after),
        Prune::Publications => by_key(
            connection,
            "SELECT at, position, at < ?2 FROM publications WHERE position > ?1 \
             ORDER BY position LIMIT ?3",
            before,
            after,
        ),
        Prune::OperatorEvents => by_key(
            connection,
            "SELECT at, operator_event_id, at < ?2 FROM operator_events \
             WHERE operator_event_id > ?1 ORDER BY operator_event_id LIMIT ?3",
            before,
            after,
        ),
        Prune::Inbox => by_time(
            connection,
            "SELECT received_at, inbox_id FROM provider_inbox INDEXED BY inbox_by_age \
             WHERE state <> 'parked' AND received_at < ?3 AND (received_at, inbox_id) > (?1, ?2) \
             ORDER BY received_at, inbox_id LIMIT ?4",
            before,
            after,
        ),
        Prune::Deliveries => by_time(
            connection,
            "SELECT finished_at, delivery_id FROM deliveries INDEXED BY deliveries_finished \
             WHERE finished_at IS NOT NULL AND finished_at < ?3 \
             AND (finished_at, delivery_id) > (?1, ?2) ORDER BY finished_at, delivery_id LIMIT ?4",
            before,
            after,
        ),
        Prune::GuestOrders => by_time(
            connection,
            "SELECT expires_at, order_key FROM guest_orders WHERE expires_at < ?3 \
             AND (expires_at, order_key) > (?1, ?2) ORDER BY expires_at, order_key LIMIT ?4",
            before,
            after,
        ),
    }
}

/// Of rows whose keys grow with time, but for what a clock did that was put back: the walk ends where
/// none of as many rows as one call looks at is old.
fn by_key(
    connection: &Connection,
    sql: &str,
    before: Timestamp,
    after: Option<OldPlace>,
) -> rusqlite::Result<OldRows> {
    let from = after.map_or(i64::MIN, |place| row_key(&place.key));
    let looked_at = connection
        .prepare_cached(sql)?
        .query_map(params![from, before.millis(), LOOKED_AT], |row| {
            Ok((place(row)?, row.get::<_, bool>(2)?))
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let next = looked_at.last().map(|(place, _)| place.clone());
    let is_full = looked_at.len() == LOOKED_AT as usize;
    let keys: Vec<_> = looked_at
        .into_iter()
        .filter_map(|(place, is_old)| is_old.then_some(place.key))
        .collect();
    let has_more = is_full && !keys.is_empty();
    Ok(OldRows {
        keys,
        next: next.filter(|_| has_more),
    })
}

fn by_time(
    connection: &Connection,
    sql: &str,
    before: Timestamp,
    after: Option<OldPlace>,
) -> rusqlite::Result<OldRows> {
    let (at, key) = after.map_or((i64::MIN, i64::MIN), |place| {
        (place.at, row_key(&place.key))
    });
    let found = connection
        .prepare_cached(sql)?
        .query_map(params![at, key, before.millis(), LOOKED_AT], place)?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(all(found))
}

/// An order that may still be paid or delivered keeps its answers.
fn answers(
    connection: &Connection,
    before: Timestamp,
    after: Option<OldPlace>,
) -> rusqlite::Result<OldRows> {
    let (at, project, route, key) = match after {
        Some(OldPlace {
            at,
            key:
                OldKey::Answer {
                    project,
                    route,
                    key,
                },
        }) => (at, project.get(), route, key),
        _ => (i64::MIN, 0, String::new(), String::new()),
    };
    let looked_at = connection
        .prepare_cached(
            "SELECT i.created_at, i.project_id, i.route, i.key, \
             o.status IS NULL OR o.status NOT IN ('new', 'paid') \
             FROM idempotency i INDEXED BY idempotency_age \
             LEFT JOIN orders o ON o.order_key = i.order_key \
             WHERE i.created_at < ?5 \
             AND (i.created_at, i.project_id, i.route, i.key) > (?1, ?2, ?3, ?4) \
             ORDER BY i.created_at, i.project_id, i.route, i.key LIMIT ?6",
        )?
        .query_map(
            params![at, project, route, key, before.millis(), LOOKED_AT],
            |row| {
                let key = OldKey::Answer {
                    project: rows::project_id(row.get(1)?)?,
                    route: row.get(2)?,
                    key: row.get(3)?,
                };
                let at = row.get(0)?;
                Ok((OldPlace { at, key }, row.get::<_, bool>(4)?))
            },
        )?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let next = looked_at.last().map(|(place, _)| place.clone());
    let is_full = looked_at.len() == LOOKED_AT as usize;
    Ok(OldRows {
        keys: looked_at
            .into_iter()
            .filter_map(|(place, may_go)| may_go.then_some(place.key))
            .collect(),
        next: next.filter(|_| is_full),
    })
}

fn all(found: Vec<OldPlace>) -> OldRows {
    let next = found
        .last()
        .filter(|_| found.len() == LOOKED_AT as usize)
        .cloned();
    OldRows {
        keys: found.into_iter().map(|place| place.key).collect(),
        next,
    }
}

fn place(row: &Row) -> rusqlite::Result<OldPlace> {
    Ok(OldPlace {
        at: row.get(0)?,
        key: OldKey::Row(row.get(1)?),
    })
}

const fn row_key(key: &OldKey) -> i64 {
    match key {
        OldKey::Row(key) => *key,
        OldKey::Answer { .. } => i64::MIN,
    }
}

pub(crate) fn pages(connection: &Connection) -> rusqlite::Result<Pages> {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    Ok(Pages {
        all: number("page_count")?.unsigned_abs(),
        free: number("freelist_count")?.unsigned_abs(),
        can_shrink: number("auto_vacuum")? == INCREMENTAL,
    })
}

/// `PRAGMA auto_vacuum`: free pages are given back when that is asked for.
pub(super) const INCREMENTAL: i64 = 2;
