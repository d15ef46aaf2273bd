//! Counts of what waits. Every one walks an index that holds only what waits, and ends at a bound.

use crate::backlog::Backlog;
use ordercast_core::Timestamp;
use rusqlite::Connection;

const PENDING: &str =
    "SELECT count(*) FROM (SELECT 1 FROM deliveries WHERE finished_at IS NULL LIMIT ?1)";
const OLDEST: &str = "SELECT min(next_at) FROM (SELECT next_at FROM deliveries \
     WHERE next_at IS NOT NULL LIMIT ?1)";
const UNACKNOWLEDGED: &str =
    "SELECT count(*) FROM (SELECT 1 FROM events WHERE acknowledged_at IS NULL LIMIT ?1)";
/// By endpoint: there are few, and each has an index of its deliveries by state.
const DEAD: &str = "SELECT coalesce(sum((SELECT count(*) FROM (SELECT 1 FROM deliveries d \
     WHERE d.endpoint_id = e.endpoint_id AND d.state = 'dead' LIMIT ?1))), 0) FROM endpoints e \
     WHERE e.ended_at IS NULL";
const DISABLED: &str =
    "SELECT count(*) FROM endpoints WHERE disabled_at IS NOT NULL AND ended_at IS NULL LIMIT ?1";

pub(crate) fn count(connection: &Connection, max: u32) -> rusqlite::Result<Backlog> {
    let count = |sql: &str| -> rusqlite::Result<u32> {
        let counted: i64 = connection
            .prepare_cached(sql)?
            .query_row([max], |row| row.get(0))?;
        Ok(u32::try_from(counted).unwrap_or(max).min(max))
    };
    let oldest: Option<i64> = connection
        .prepare_cached(OLDEST)?
        .query_row([max], |row| row.get(0))?;
    Ok(Backlog {
        deliveries_pending: count(PENDING)?,
        deliveries_dead: count(DEAD)?,
        oldest_due_at: oldest.map(Timestamp::from_millis),
        events_unacknowledged: count(UNACKNOWLEDGED)?,
        endpoints_disabled: count(DISABLED)?,
    })
}
