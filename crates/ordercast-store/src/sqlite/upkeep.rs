//! What jobs ask of the writer: the end of an order's stated life, and the end of rows that nobody
//! may still need. All in small bites, so that no change waits long behind them.

use super::{
    apply::Batch,
    rows::{self, OrderRow},
};
use crate::{Outcome, Prune};
use ordercast_core::{
    OrderId, ProjectId, Timestamp,
    order::{Actor, Cause, Fact, Heard, Observed, observe},
};
use rusqlite::{Connection, params};

/// Publications of a channel that stay whatever their age (guarantees, I19).
const PUBLICATIONS_KEPT: i64 = 100;

/// Orders whose stated life has ended, those that ended first at first.
pub(crate) fn overdue(
    connection: &Connection,
    now: Timestamp,
    limit: u32,
) -> rusqlite::Result<Vec<(ProjectId, OrderId)>> {
    connection
        .prepare_cached(
            "SELECT project_id, order_id FROM orders \
             WHERE status = 'new' AND expires_at <= ?1 ORDER BY expires_at LIMIT ?2",
        )?
        .query_map((now.millis(), limit), |row| {
            Ok((rows::project_id(row.get(0)?)?, rows::order_id(row.get(1)?)?))
        })?
        .collect()
}

/// The order may have been paid since it was found: the core decides by its state now.
pub(super) fn expire(
    batch: &mut Batch,
    mut row: OrderRow,
    at: Timestamp,
) -> rusqlite::Result<Outcome> {
    let cause = Cause {
        actor: Actor::Rule("order_lifetime"),
        reason: "not paid within its life".to_owned(),
        at,
    };
    let status = row.order.status();
    let version = row.order.version;
    if row.order.expires_at > at {
        return Ok(Outcome::Unchanged { status, version });
    }
    match observe(&row.order, &Heard::new(&Fact::Expired), &cause) {
        Observed::Ignored(_) => Ok(Outcome::Unchanged { status, version }),
        Observed::Changed(changed) => {
            batch.store(&mut row, *changed, &cause)?;
            batch.applied(row)
        }
    }
}

/// Deletes at most `limit` rows; how many it did.
pub(super) fn prune(
    connection: &Connection,
    what: Prune,
    before: Timestamp,
    limit: u32,
) -> rusqlite::Result<usize> {
    let sql = match what {
        // An order that may still be paid keeps its answers.
        Prune::Idempotency => {
            "DELETE FROM idempotency WHERE (project_id, route, key) IN ( \
             SELECT i.project_id, i.route, i.key FROM idempotency i \
             LEFT JOIN orders o ON o.order_key = i.order_key \
             WHERE i.created_at < ?1 AND (o.status IS NULL OR o.status NOT IN ('new', 'paid')) \
             ORDER BY i.created_at LIMIT ?2)"
        }
        // What waits for its order is not history yet.
        Prune::Inbox => {
            "DELETE FROM provider_inbox WHERE inbox_id IN ( \
             SELECT inbox_id FROM provider_inbox \
             WHERE received_at < ?1 AND state <> 'parked' ORDER BY received_at LIMIT ?2)"
        }
        Prune::Deliveries => return prune_deliveries(connection, before, limit),
        Prune::Publications => {
            return connection
                .prepare_cached(
                    "DELETE FROM publications WHERE position IN ( \
                     SELECT p.position FROM publications p \
                     JOIN channels c ON c.channel_key = p.channel_key \
                     WHERE p.at < ?1 AND p.\"offset\" <= c.top - ?3 \
                     ORDER BY p.position LIMIT ?2)",
                )?
                .execute(params![before.millis(), limit, PUBLICATIONS_KEPT]);
        }
    };
    connection
        .prepare_cached(sql)?
        .execute((before.millis(), limit))
}

fn prune_deliveries(
    connection: &Connection,
    before: Timestamp,
    limit: u32,
) -> rusqlite::Result<usize> {
    let old = "SELECT delivery_id FROM deliveries \
               WHERE finished_at < ?1 ORDER BY finished_at LIMIT ?2";
    connection
        .prepare_cached(&format!(
            "DELETE FROM delivery_attempts WHERE delivery_id IN ({old})"
        ))?
        .execute((before.millis(), limit))?;
    let deliveries = connection
        .prepare_cached(&format!(
            "DELETE FROM deliveries WHERE delivery_id IN ({old})"
        ))?
        .execute((before.millis(), limit))?;
    // Oldest first, so that no more than these are read.
    let news = connection
        .prepare_cached(
            "DELETE FROM operator_events WHERE at < ?1 AND operator_event_id IN ( \
             SELECT operator_event_id FROM operator_events ORDER BY operator_event_id LIMIT ?2)",
        )?
        .execute((before.millis(), limit))?;
    Ok(deliveries + news)
}
