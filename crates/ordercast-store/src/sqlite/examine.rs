//! What `ordercast doctor` asks of a database: read only, beside a server that may be running.

use super::{APPLICATION_ID, MIGRATIONS};
use ordercast_core::Timestamp;
use rusqlite::{Connection, OpenFlags};
use std::{path::Path, time::Duration};

/// Findings about a database file.
#[derive(Clone, Debug)]
pub struct Examination {
    pub is_ours: bool,
    pub schema: i64,
    /// The newest schema that this program knows.
    pub schema_known: i64,
    /// `ok`, or what SQLite found.
    pub integrity: String,
    pub wal_bytes: u64,
    pub newest_change: Option<Timestamp>,
    pub projects: i64,
    /// Without a key that verifies users' JWTs.
    pub projects_without_jwt_key: i64,
    /// Provider events that wait for their order since before the time asked for.
    pub parked: i64,
    /// Paid orders that were not done since before the time asked for.
    pub undelivered: i64,
    /// Orders with a flag that waits for a person; of the newest 100,000.
    pub flagged: i64,
    /// Deliveries that were given up, of endpoints that are in use.
    pub deliveries_dead: i64,
    pub endpoints_disabled: i64,
}

/// `full`: checks every page and index, which reads the whole file.
///
/// # Errors
/// What SQLite says of a file that it cannot read.
pub fn examine(path: &Path, full: bool, stuck_since: Timestamp) -> rusqlite::Result<Examination> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let is_ours = number("PRAGMA application_id")? == APPLICATION_ID;
    let schema = number("PRAGMA user_version")?;
    let schema_known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let check = if full {
        "PRAGMA integrity_check(1)"
    } else {
        "PRAGMA quick_check(1)"
    };
    let mut found = Examination {
        is_ours,
        schema,
        schema_known,
        integrity: connection.query_row(check, [], |row| row.get(0))?,
        wal_bytes: 0,
        newest_change: None,
        projects: 0,
        projects_without_jwt_key: 0,
        parked: 0,
        undelivered: 0,
        flagged: 0,
        deliveries_dead: 0,
        endpoints_disabled: 0,
    };
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    if let Ok(metadata) = std::fs::metadata(wal) {
        found.wal_bytes = metadata.len();
    }
    // Other versions may lack what is asked below.
    if !is_ours || schema != schema_known {
        return Ok(found);
    }
    found.newest_change = connection
        .query_row(
            "SELECT at FROM events WHERE order_key > 0 ORDER BY event_id DESC LIMIT 1",
            [],
            |row| row.get(0),
        )
        .map(Timestamp::from_millis)
        .ok();
    found.projects = number("SELECT count(*) FROM projects")?;
    found.projects_without_jwt_key = number(
        "SELECT count(*) FROM projects p WHERE NOT EXISTS (SELECT 1 FROM credentials c \
         WHERE c.project_id = p.project_id AND c.kind <> 'api_key')",
    )?;
    let since =
        |sql: &str| connection.query_row(sql, [stuck_since.millis()], |row| row.get::<_, i64>(0));
    found.parked =
        since("SELECT count(*) FROM provider_inbox WHERE state = 'parked' AND received_at < ?1")?;
    // Of the newest orders only: older ones were seen by earlier visits, and the table may be large.
    found.undelivered = since(
        "SELECT count(*) FROM (SELECT status, updated_at FROM orders ORDER BY order_key DESC \
         LIMIT 100000) WHERE status = 'paid' AND updated_at < ?1",
    )?;
    // Marked by hand and paid late are notes, no questions.
    found.flagged = number(
        "SELECT count(*) FROM (SELECT facets FROM orders ORDER BY order_key DESC LIMIT 100000) \
         WHERE EXISTS (SELECT 1 FROM json_each(facets, '$.flags') \
                       WHERE value NOT IN ('marked_paid', 'paid_late'))",
    )?;
    found.deliveries_dead = number(
        "SELECT coalesce(sum((SELECT count(*) FROM deliveries d \
         WHERE d.endpoint_id = e.endpoint_id AND d.state = 'dead')), 0) FROM endpoints e \
         WHERE e.ended_at IS NULL",
    )?;
    found.endpoints_disabled = number(
        "SELECT count(*) FROM endpoints WHERE disabled_at IS NOT NULL AND ended_at IS NULL",
    )?;
    Ok(found)
}
