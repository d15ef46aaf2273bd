//! Which orders carry a flag, by flag: few of very many, looked for by people.

use super::rows::OrderRow;
use ordercast_core::order::Flag;
use rusqlite::Connection;
use std::collections::BTreeSet;

/// As facets spell it.
pub(super) fn word(flag: Flag) -> String {
    match serde_json::to_value(flag) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// After an order got other flags than it had.
pub(super) fn changed(
    connection: &Connection,
    row: &OrderRow,
    before: &BTreeSet<Flag>,
) -> rusqlite::Result<()> {
    let now = &row.order.facets.flags;
    let key = (
        row.order.project.get(),
        row.order.created_at.millis(),
        row.order_key,
    );
    for flag in before.difference(now) {
        connection
            .prepare_cached(
                "DELETE FROM order_flags WHERE project_id = ?1 AND created_at = ?2 \
                 AND order_key = ?3 AND flag = ?4",
            )?
            .execute((key.0, key.1, key.2, word(*flag)))?;
    }
    for flag in now.difference(before) {
        connection
            .prepare_cached(
                "INSERT OR IGNORE INTO order_flags (project_id, created_at, order_key, flag) \
                 VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute((key.0, key.1, key.2, word(*flag)))?;
    }
    Ok(())
}
