//! Orders of a project, newest first, a page at a time.

use super::{
    flags,
    rows::{self, OrderRow},
};
use crate::list::{OrderFilter, Page, Place};
use ordercast_core::{ProjectId, Timestamp};
use rusqlite::{Connection, OptionalExtension, types::Value};

/// Rows looked at for one page: a filter that nothing matches must not hold a reader for long. The
/// page is then shorter, and its cursor goes on from there.
const SCANNED_MAX: usize = 5_000;

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
    let mut newest = before.unwrap_or(Place {
        created_at: Timestamp::from_millis(i64::MAX),
        order_key: i64::MAX,
    });
    if let Some(end) = filter.created_before
        && end <= newest.created_at
    {
        newest = Place {
            created_at: end,
            order_key: i64::MIN,
        };
    }
    let oldest = filter.created_from.map_or(i64::MIN, Timestamp::millis);
    let mut bound: Vec<Value> = vec![
        of.1.into(),
        newest.created_at.millis().into(),
        newest.order_key.into(),
        oldest.into(),
    ];
    let matches = conditions(filter, &mut bound);
    // The index alone says where to go; whether a row matches is asked of one after the other, and
    // nothing is looked at behind the first that does not fit on the page.
    let (from, row) = match filter.flag {
        // Few of very many orders carry one: they have an index of their own. The word is ours.
        Some(flag) if filter.user.is_none() => {
            let word = flags::word(flag);
            let joined = "order_flags f JOIN orders o ON o.order_key = f.order_key";
            (
                format!("{joined} WHERE f.flag = '{word}' AND f.project_id"),
                "f",
            )
        }
        _ => (format!("orders o WHERE o.{}", of.0), "o"),
    };
    let mut walk = connection.prepare_cached(&format!(
        "SELECT {row}.created_at, {row}.order_key, {matches} FROM {from} = ?1 \
         AND {row}.created_at <= ?2 AND ({row}.created_at < ?2 OR {row}.order_key < ?3) \
         AND {row}.created_at >= ?4 ORDER BY {row}.created_at DESC, {row}.order_key DESC"
    ))?;
    let mut rows = walk.query(rusqlite::params_from_iter(&bound))?;
    let mut found: Vec<Place> = Vec::new();
    let mut scanned = 0;
    let next = loop {
        let Some(row) = rows.next()? else { break None };
        let place = Place {
            created_at: Timestamp::from_millis(row.get(0)?),
            order_key: row.get(1)?,
        };
        if row.get(2)? {
            if found.len() == limit {
                break found.last().copied();
            }
            found.push(place);
        }
        scanned += 1;
        if scanned == SCANNED_MAX {
            break Some(place);
        }
    };
    drop(rows);
    let mut items = Vec::with_capacity(found.len());
    for place in found {
        items.extend(rows::order_by_key(connection, place.order_key)?);
    }
    Ok(Page { items, next })
}

/// Whether a row of `orders o` matches, as an expression.
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
        add(
            "EXISTS (SELECT 1 FROM json_each(o.facets, '$.flags') WHERE value = ?)",
            flags::word(flag).into(),
        );
    }
    if let Some(since) = filter.stuck_since {
        add(
            "o.status IN ('new', 'paid') AND o.updated_at < ?",
            since.millis().into(),
        );
    }
    if conditions.is_empty() {
        "TRUE".to_owned()
    } else {
        conditions.join(" AND ")
    }
}
