//! What must be true of the rows of a database that no process has open.

use rusqlite::{Connection, OpenFlags};
use std::path::Path;

/// Queries that find what must not be there.
const WRONG: [(&str, &str); 6] = [
    (
        "an order whose versions are not 1 to its version",
        "SELECT o.order_id FROM orders o JOIN order_versions v USING (order_key) GROUP BY o.order_key \
         HAVING count(*) <> o.version OR min(v.version) <> 1 OR max(v.version) <> o.version",
    ),
    (
        "an order without versions",
        "SELECT order_id FROM orders WHERE order_key NOT IN (SELECT order_key FROM order_versions)",
    ),
    (
        "a channel whose offsets are not 1 to its top",
        "SELECT c.channel_key FROM channels c LEFT JOIN publications p USING (channel_key) \
         GROUP BY c.channel_key HAVING count(p.\"offset\") <> c.top \
         OR coalesce(max(p.\"offset\"), 0) <> c.top OR coalesce(min(p.\"offset\"), 1) <> 1",
    ),
    (
        "a version whose publication is missing, or there twice",
        "SELECT v.order_key FROM order_versions v JOIN orders o USING (order_key) \
         LEFT JOIN publications p ON p.channel_key = o.channel_key AND p.\"offset\" = v.\"offset\" \
         AND p.order_id = o.order_id WHERE v.\"offset\" IS NOT NULL AND p.position IS NULL",
    ),
    (
        "a publication that is not of exactly one version",
        "SELECT p.position FROM publications p JOIN channels c USING (channel_key) \
         LEFT JOIN orders o ON o.project_id = c.project_id AND o.order_id = p.order_id \
         LEFT JOIN order_versions v ON v.order_key = o.order_key AND v.\"offset\" = p.\"offset\" \
         GROUP BY p.position HAVING count(v.version) <> 1",
    ),
    (
        "a version without exactly one event",
        "SELECT v.order_key FROM order_versions v LEFT JOIN events e \
         ON e.order_key = v.order_key AND e.version = v.version \
         GROUP BY v.order_key, v.version HAVING count(e.event_id) <> 1",
    ),
];

pub fn check(folder: &Path) {
    let path = folder.join("ordercast.db");
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).expect("opens");
    let verdict: String = connection
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .expect("checked");
    assert_eq!(verdict, "ok");
    for (what, query) in WRONG {
        let found: Vec<i64> = connection
            .prepare(query)
            .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect())
            .expect("queried");
        assert!(found.is_empty(), "{what}: {found:?}");
    }
}
