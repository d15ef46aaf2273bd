//! A database that was put back to an older state does not know what it gave out since. Whatever names
//! something outside (an order, an event, a webhook that came in, a delivery, a token) must not name
//! something else again, so everything that is counted goes on far beyond.

use ordercast_core::{Timestamp, ids::INT_MAX};
use rusqlite::{Connection, OptionalExtension};
use std::{collections::BTreeMap, time::Duration};

/// At least so many numbers are passed over.
const LEAST: i64 = 1_000_000;
/// More than one server writes in its busiest hour, and far more than one project does over days.
const PER_SECOND_OF_FIRST_HOUR: i64 = 1_000;
const PER_SECOND: i64 = 50;
const HOUR: Duration = Duration::from_secs(3600);
/// An older state says nothing useful about how much came after it.
const AGE_MAX: Duration = Duration::from_secs(90 * 24 * 3600);
/// An order makes several events, deliveries and publications.
const ROWS_PER_ORDER: i64 = 8;
/// Keys and endpoints are made by people.
const FEW: i64 = 1_000;

/// Numbers that may have been given out by a state so much older.
pub(super) fn headroom(age: Duration) -> i64 {
    let seconds = |age: Duration| i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
    let age = age.min(AGE_MAX);
    LEAST
        + seconds(age.min(HOUR)) * PER_SECOND_OF_FIRST_HOUR
        + seconds(age.saturating_sub(HOUR)) * PER_SECOND
}

/// Since the newest row, or since the copy was made.
pub(super) fn age(connection: &Connection, now: Timestamp) -> rusqlite::Result<Duration> {
    let newest = newest_time(connection)?.map(Timestamp::millis);
    let copied: Option<i64> = connection
        .query_row(
            "SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'copied_at'",
            [],
            |row| row.get(0),
        )
        .optional()?;
    let since = newest.max(copied).unwrap_or(now.millis());
    let age = u64::try_from(now.millis() - since).unwrap_or(0);
    Ok(Duration::from_millis(age))
}

/// Of the newest event.
pub(super) fn newest_time(connection: &Connection) -> rusqlite::Result<Option<Timestamp>> {
    let newest = connection
        .query_row(
            "SELECT at FROM events WHERE order_key > 0 ORDER BY event_id DESC LIMIT 1",
            [],
            |row| row.get(0),
        )
        .optional()?;
    Ok(newest.map(Timestamp::from_millis))
}

/// Tables whose keys SQLite counts: the next is one more than the largest that is there.
const COUNTED: [(&str, &str); 5] = [
    ("publications", "position"),
    ("events", "event_id"),
    ("provider_inbox", "inbox_id"),
    ("deliveries", "delivery_id"),
    ("operator_events", "operator_event_id"),
];

/// All that a database has given out, as far as its rows tell.
#[derive(Debug, Default)]
pub(super) struct Given {
    /// By project its last order number and its last event number.
    projects: BTreeMap<i64, (i64, i64)>,
    keys: BTreeMap<&'static str, i64>,
}

impl Given {
    /// Also of a database that an earlier version wrote.
    pub(super) fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let has_numbers = connection.table_exists(None, "project_numbers")?;
        let sql = if has_numbers {
            "SELECT project_id, last_order, last_event FROM project_numbers"
        } else {
            "SELECT p.project_id, 1000000 + (SELECT coalesce(max(order_key), 0) FROM orders), \
             (SELECT coalesce(max(event_id), 0) FROM events) FROM projects p"
        };
        let projects = connection
            .prepare(sql)?
            .query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))?
            .collect::<rusqlite::Result<_>>()?;
        let mut keys = BTreeMap::new();
        for (table, key) in COUNTED.into_iter().chain([
            ("order_tokens", "token_id"),
            ("credentials", "credential_id"),
        ]) {
            keys.insert(table, largest(connection, table, key)?);
        }
        Ok(Self { projects, keys })
    }
}

/// Everything that is counted goes on so far beyond, and beyond what `given` says of the state that was
/// replaced.
pub(super) fn go_beyond(
    connection: &Connection,
    headroom: i64,
    given: &Given,
) -> rusqlite::Result<()> {
    // What a shop's cursor may point at that never was, or never again will be.
    connection.execute(
        &format!(
            "INSERT INTO skipped_events (project_id, after, until, epoch_id) \
             SELECT project_id, last_event, last_event + ?1 * {ROWS_PER_ORDER}, \
             (SELECT max(epoch_id) FROM epochs) FROM project_numbers"
        ),
        [headroom],
    )?;
    // Not more than half of what is left: a database may be put back more than once.
    let within = format!("min(?1, ({INT_MAX} - last_order) / 2)");
    connection.execute(
        &format!(
            "UPDATE project_numbers SET last_order = last_order + {within}, \
             last_event = last_event + ?1 * {ROWS_PER_ORDER}"
        ),
        [headroom],
    )?;
    for (project, (order, event)) in &given.projects {
        connection.execute(
            "INSERT INTO project_numbers (project_id, last_order, last_event) VALUES (?1, ?2, ?3) \
             ON CONFLICT (project_id) DO UPDATE SET last_order = max(last_order, ?2), \
             last_event = max(last_event, ?3)",
            (project, order, event),
        )?;
        connection.execute(
            "UPDATE skipped_events SET until = max(until, ?2) WHERE project_id = ?1 \
             AND after = (SELECT max(after) FROM skipped_events WHERE project_id = ?1)",
            (project, event),
        )?;
    }
    // Runs of taken numbers that were passed over; the one that the count stands in is passed too.
    connection.execute(
        "UPDATE project_numbers SET last_order = coalesce(( \
         SELECT max(t.last) FROM taken_order_numbers t \
         WHERE t.project_id = project_numbers.project_id AND t.first <= last_order \
         AND t.last > last_order), last_order)",
        [],
    )?;
    connection.execute(
        "DELETE FROM taken_order_numbers WHERE first <= ( \
         SELECT n.last_order FROM project_numbers n \
         WHERE n.project_id = taken_order_numbers.project_id)",
        [],
    )?;
    let known = |table| given.keys.get(table).copied().unwrap_or(0);
    for (table, key) in COUNTED {
        // The mark counts publications: what it is ahead by must hold for orders too.
        let rows = if table == "publications" {
            1
        } else {
            ROWS_PER_ORDER
        };
        let last = (largest(connection, table, key)? + headroom * rows).max(known(table));
        hold(connection, table, last)?;
    }
    let tokens = largest(connection, "order_tokens", "token_id")?;
    let room = headroom.min((i64::from(INT_MAX) - tokens) / 2);
    hold(
        connection,
        "order_tokens",
        (tokens + room).max(known("order_tokens")),
    )?;
    let credentials = largest(connection, "credentials", "credential_id")? + FEW;
    connection.execute(
        "INSERT INTO key_floors (name, last) VALUES ('credentials', ?1) \
         ON CONFLICT (name) DO UPDATE SET last = max(last, ?1)",
        [credentials.max(known("credentials"))],
    )?;
    // Tables that count for themselves.
    for (table, room) in [
        ("endpoints", FEW),
        ("endpoint_secrets", FEW),
        ("payment_sessions", headroom),
    ] {
        let counted = connection.execute(
            "UPDATE sqlite_sequence SET seq = seq + ?2 WHERE name = ?1",
            (table, room),
        )?;
        if counted == 0 {
            connection.execute(
                "INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)",
                (table, room),
            )?;
        }
    }
    Ok(())
}

fn largest(connection: &Connection, table: &str, key: &str) -> rusqlite::Result<i64> {
    connection.query_row(
        &format!("SELECT coalesce(max({key}), 0) FROM {table}"),
        [],
        |row| row.get(0),
    )
}

/// A row of no project, endpoint, order or channel with the last key that may have been given out: the
/// next one is higher. No query finds it, and its time keeps retention from it.
fn hold(connection: &Connection, table: &str, last: i64) -> rusqlite::Result<()> {
    const NEVER: i64 = i64::MAX / 4;
    let sql = match table {
        "publications" => {
            "INSERT INTO publications (position, channel_key, \"offset\", order_id, status, at) \
             VALUES (?1, 0, ?1, 0, 'new', ?2)"
        }
        "events" => {
            "INSERT INTO events (event_id, project_id, order_key, version, type, at, \
             acknowledged_at, number, public_id) VALUES (?1, 0, 0, 0, 'held', ?2, ?2, ?1, '')"
        }
        "provider_inbox" => {
            "INSERT INTO provider_inbox (inbox_id, project_id, source, kind, body, received_at, \
             state, reason) VALUES (?1, 0, '', 'held', x'', ?2, 'ignored', '')"
        }
        "deliveries" => {
            "INSERT INTO deliveries (delivery_id, endpoint_id, event_id, part, notification, \
             order_key, state, finished_at) VALUES (?1, 0, ?1, 0, 'event', 0, 'settled', ?2)"
        }
        "operator_events" => {
            "INSERT INTO operator_events (operator_event_id, project_id, type, detail, at) \
             VALUES (?1, 0, 'held', '', ?2)"
        }
        "order_tokens" => {
            "INSERT INTO order_tokens (token_id, order_key, kind, hash, created_at, created_by, \
             expires_at, ended_at) VALUES (?1, 0, 'link', x'', 0, '', 0, ?2)"
        }
        _ => unreachable!("{table} is not counted so"),
    };
    connection.execute(sql, (last, NEVER))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_older_the_state_the_more_is_passed_over() {
        let day = HOUR * 24;
        assert_eq!(headroom(Duration::ZERO), 1_000_000);
        assert_eq!(headroom(Duration::from_secs(60)), 1_060_000);
        assert_eq!(headroom(HOUR), 4_600_000);
        assert_eq!(headroom(day), 4_600_000 + 23 * 3600 * 50);
        assert_eq!(headroom(day * 1_000), headroom(AGE_MAX));
    }
}
