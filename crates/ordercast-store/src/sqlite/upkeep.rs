//! What jobs ask of the writer: the end of an order's stated life, and the end of rows that nobody
//! may still need. All in small bites, so that no change waits long behind them.

use super::{
    apply::Batch,
    guests,
    rows::{self, OrderRow},
};
use crate::{
    Outcome,
    old::{OldKey, Prune},
};
use ordercast_core::{
    OrderId, ProjectId, Timestamp,
    order::{Actor, Cause, Fact, Heard, Observed, observe},
};
use rusqlite::{Connection, params};
use std::time::{Duration, Instant};

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

/// How long one bite may take of the writer's time; a change that comes meanwhile waits no longer.
const BITE: Duration = Duration::from_millis(5);
/// Rows of a bite: what a commit writes for them stays small too.
const BITE_ROWS: usize = 64;
/// Pages moved before the clock is asked again.
const BITE_PAGES: u32 = 8;

/// Deletes of the named rows as many as one bite takes, the first ones first. Each is looked at once more:
/// it may have changed since it was found.
pub(super) fn delete(
    batch: &mut Batch,
    what: Prune,
    before: Timestamp,
    keys: &[OldKey],
) -> rusqlite::Result<Outcome> {
    let began = Instant::now();
    let (mut handled, mut deleted) = (0, 0);
    for key in keys.iter().take(BITE_ROWS) {
        if handled > 0 && began.elapsed() >= BITE {
            break;
        }
        handled += 1;
        deleted += usize::from(delete_one(batch, what, before, key)?);
    }
    Ok(Outcome::Deleted { handled, deleted })
}

fn delete_one(
    batch: &mut Batch,
    what: Prune,
    before: Timestamp,
    key: &OldKey,
) -> rusqlite::Result<bool> {
    let connection = batch.connection;
    let row = match key {
        OldKey::Row(row) => *row,
        OldKey::Answer {
            project,
            route,
            key,
        } => {
            let deleted = connection
                .prepare_cached(
                    "DELETE FROM idempotency WHERE project_id = ?1 AND route = ?2 AND key = ?3 \
                     AND created_at < ?4 AND NOT EXISTS (SELECT 1 FROM orders o \
                     WHERE o.order_key = idempotency.order_key AND o.status IN ('new', 'paid'))",
                )?
                .execute(params![project.get(), route, key, before.millis()])?;
            return Ok(deleted > 0);
        }
    };
    let sql = match what {
        Prune::Idempotency => return Ok(false),
        // What waits for its order is not history yet.
        Prune::Inbox => {
            "DELETE FROM provider_inbox WHERE inbox_id = ?1 AND received_at < ?2 AND state <> 'parked'"
        }
        Prune::Publications => "DELETE FROM publications WHERE position = ?1 AND at < ?2",
        Prune::OperatorEvents => {
            "DELETE FROM operator_events WHERE operator_event_id = ?1 AND at < ?2"
        }
        Prune::Deliveries => "DELETE FROM deliveries WHERE delivery_id = ?1 AND finished_at < ?2",
        Prune::GuestOrders => return guests::forget(batch, row, before),
    };
    let deleted = connection
        .prepare_cached(sql)?
        .execute((row, before.millis()))?;
    if deleted > 0 && what == Prune::Deliveries {
        connection
            .prepare_cached("DELETE FROM delivery_attempts WHERE delivery_id = ?1")?
            .execute([row])?;
    }
    Ok(deleted > 0)
}

/// Gives free pages at the end of the file back, as many as one bite takes and at most `pages`.
pub(super) fn shrink(connection: &Connection, pages: u32) -> rusqlite::Result<Outcome> {
    let began = Instant::now();
    let mut left = pages;
    while left > 0 && began.elapsed() < BITE {
        let some = left.min(BITE_PAGES);
        // One step moves one page, and the statement has as many.
        let mut vacuum = connection.prepare(&format!("PRAGMA incremental_vacuum({some})"))?;
        let mut steps = vacuum.query([])?;
        while steps.next()?.is_some() {}
        left -= some;
    }
    let handled = (pages - left) as usize;
    Ok(Outcome::Deleted {
        handled,
        deleted: handled,
    })
}
