//! Orders by the time of their creation, on the index `orders_of_project`.

use super::rows;
use crate::search::{COUNTED_MAX, OrderPage, OrderSearch};
use ordercast_core::{ProjectId, Timestamp};
use rusqlite::Connection;

const RANGE: &str = "FROM orders INDEXED BY orders_of_project \
     WHERE project_id = ?1 AND created_at >= ?2 AND created_at < ?3";

/// Two statements in one read transaction, so that the number and the page agree.
pub(crate) fn orders(
    connection: &mut Connection,
    project: ProjectId,
    search: OrderSearch,
) -> rusqlite::Result<OrderPage> {
    let transaction = connection.transaction()?;
    let from = search.from.map_or(i64::MIN, Timestamp::millis);
    let until = search.until.map_or(i64::MAX, Timestamp::millis);
    let total = transaction
        .prepare_cached(&format!("SELECT count(*) FROM (SELECT 1 {RANGE} LIMIT ?4)"))?
        .query_row((project.get(), from, until, COUNTED_MAX), |row| row.get(0))?;
    let keys: Vec<i64> = transaction
        .prepare_cached(&format!(
            "SELECT order_key {RANGE} ORDER BY created_at, order_key LIMIT ?4 OFFSET ?5"
        ))?
        .query_map(
            (project.get(), from, until, search.limit, search.offset),
            |row| row.get(0),
        )?
        .collect::<rusqlite::Result<_>>()?;
    let mut orders = Vec::with_capacity(keys.len());
    for key in keys {
        orders.extend(rows::order_by_key(&transaction, key)?.map(|row| row.order));
    }
    Ok(OrderPage { orders, total })
}
