//! Orders of a project, newest first, a page at a time.

use super::rows::{self, OrderRow};
use crate::list::{OrderFilter, Page, Place};
use ordercast_core::{ProjectId, Timestamp};
use rusqlite::{Connection, OptionalExtension, types::Value};

/// Rows looked at for one page: a filter that nothing matches must not hold a reader for long. The
/// page is then shorter, and its cursor goes on from there.
const SCANNED_MAX: i64 = 20_000;

pub(crate) fn orders(
    connection: &Connection,
    project: ProjectId,
    filter: &OrderFilter,
    before: Option<Place>,
    limit: usize,
) -> rusqlite::Result<Page<OrderRow>> {
    let mut of: (&str, i64) = ("project_id", project.get().into());
    if let Some(user) = &filter.user {
        let channel = connection
            .prepare_cached(
                "SELECT channel_key FROM channels WHERE project_id = ?1 AND user_id = ?2",
            )?
            .query_row((project.get(), user.as_str()), |row| row.get(0))
            .optional()?;
        let Some(channel) = channel else {
            return Ok(Page {
                items: Vec::new(),
                next: None,
            });
        };
        of = ("channel_key", channel);
    }
    let scanned = format!(
        "SELECT * FROM orders WHERE {} = ?1 AND created_at <= ?2 \
         AND (created_at < ?2 OR order_key < ?3) \
         ORDER BY created_at DESC, order_key DESC LIMIT ?4",
        of.0
    );
    let mut bound: Vec<Value> = vec![
        of.1.into(),
        before
            .map_or(i64::MAX, |place| place.created_at.millis())
            .into(),
        before.map_or(i64::MAX, |place| place.order_key).into(),
        SCANNED_MAX.into(),
    ];
    // The last row that is looked at, if more may stand behind it.
    let last_scanned = connection
        .prepare_cached(&format!(
            "SELECT created_at, order_key FROM ({scanned}) LIMIT 1 OFFSET ?4 - 1"
        ))?
        .query_row(rusqlite::params_from_iter(&bound), |row| {
            Ok(Place {
                created_at: Timestamp::from_millis(row.get(0)?),
                order_key: row.get(1)?,
            })
        })
        .optional()?;
    let conditions = conditions(filter, &mut bound);
    bound.push(i64::try_from(limit + 1).unwrap_or(i64::MAX).into());
    let sql = format!(
        "SELECT {} FROM ({scanned}) o JOIN channels c ON c.channel_key = o.channel_key \
         {conditions} ORDER BY o.created_at DESC, o.order_key DESC LIMIT ?{}",
        rows::ORDER_FIELDS,
        bound.len()
    );
    let mut items = connection
        .prepare_cached(&sql)?
        .query_map(rusqlite::params_from_iter(&bound), rows::order_row)?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let next = if items.len() > limit {
        items.truncate(limit);
        items.last().map(|row| Place {
            created_at: row.order.created_at,
            order_key: row.order_key,
        })
    } else {
        last_scanned
    };
    Ok(Page { items, next })
}

fn conditions(filter: &OrderFilter, bound: &mut Vec<Value>) -> String {
    let mut conditions = Vec::new();
    let mut add = |sql: &str, value: Value| {
        bound.push(value);
        conditions.push(sql.replace('?', &format!("?{}", bound.len())));
    };
    if !filter.statuses.is_empty() {
        let words: Vec<_> = filter
            .statuses
            .iter()
            .map(|status| status.as_str())
            .collect();
        add(
            "instr(?, ',' || o.status || ',') > 0",
            format!(",{},", words.join(",")).into(),
        );
    }
    for (sql, time) in [
        ("o.created_at >= ?", filter.created_from),
        ("o.created_at < ?", filter.created_before),
        ("o.updated_at >= ?", filter.updated_from),
        ("o.updated_at < ?", filter.updated_before),
    ] {
        if let Some(time) = time {
            add(sql, time.millis().into());
        }
    }
    if let Some(mode) = filter.mode {
        add("o.mode = ?", rows::mode_text(mode).to_owned().into());
    }
    if let Some(flag) = filter.flag {
        // As the facets spell it.
        let word = serde_json::to_value(flag).ok();
        let word = word
            .as_ref()
            .and_then(|word| word.as_str())
            .unwrap_or_default();
        add(
            "EXISTS (SELECT 1 FROM json_each(o.facets, '$.flags') WHERE value = ?)",
            word.to_owned().into(),
        );
    }
    if let Some(since) = filter.stuck_since {
        add(
            "o.status IN ('new', 'paid') AND o.updated_at < ?",
            since.millis().into(),
        );
    }
    if conditions.is_empty() {
        String::new()
    } else {
        format!("WHERE {}", conditions.join(" AND "))
    }
}
