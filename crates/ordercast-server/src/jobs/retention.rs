//! Deletes what nobody may still need, a few rows a transaction. The order log itself is kept unless
//! the operator wants otherwise: replay from it is what the product is for.

use crate::config::Config;
use metrics::counter;
use ordercast_core::Timestamp;
use ordercast_store::{Change, Failure, Outcome, Prune, Store, Submission};
use std::time::Duration;

const ROWS_PER_CHANGE: u32 = 500;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// How long things are kept, days; `None`: for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    pub idempotency_days: u32,
    pub inbox_days: Option<u32>,
    /// How long a webhook waits for its order.
    pub parked_days: u32,
    pub publication_days: Option<u32>,
    pub delivery_days: Option<u32>,
}

impl From<&Config> for Retention {
    fn from(config: &Config) -> Self {
        Self {
            idempotency_days: config.idempotency_days,
            inbox_days: config.inbox_days,
            parked_days: config.parked_days,
            publication_days: config.publication_days,
            delivery_days: config.delivery_days,
        }
    }
}

/// How many rows were deleted.
///
/// # Errors
/// [`Failure`] of the store; what was deleted before it is gone.
pub async fn prune(store: &Store, now: Timestamp, keep: Retention) -> Result<usize, Failure> {
    prune_by(store, (now, now), keep).await
}

/// As [`prune`]. What guards money grows old by a time of its own, `guards`, which no wrong clock moves far:
/// without a stored answer a repeated request makes a second order.
///
/// # Errors
/// [`Failure`] of the store; what was deleted before it is gone.
pub async fn prune_by(
    store: &Store,
    (now, guards): (Timestamp, Timestamp),
    keep: Retention,
) -> Result<usize, Failure> {
    let guards = guards.min(now);
    let kinds = [
        (Prune::Idempotency, Some(keep.idempotency_days), guards),
        (Prune::Inbox, keep.inbox_days, guards),
        (Prune::Publications, keep.publication_days, now),
        (Prune::Deliveries, keep.delivery_days, now),
    ];
    let mut total = 0;
    for (what, days, by) in kinds {
        let Some(days) = days else { continue };
        let before = by.minus(DAY * days);
        loop {
            let change = Change::Prune {
                what,
                before,
                limit: ROWS_PER_CHANGE,
            };
            let outcome = store
                .submit(Submission {
                    change,
                    at: now,
                    idempotency: None,
                })
                .await?;
            let Outcome::Pruned(rows) = outcome else {
                break;
            };
            counter!("ordercast_pruned_rows_total", "what" => label(what)).increment(rows as u64);
            total += rows;
            if rows < ROWS_PER_CHANGE as usize {
                break;
            }
        }
    }
    Ok(total)
}

const fn label(what: Prune) -> &'static str {
    match what {
        Prune::Idempotency => "idempotency",
        Prune::Inbox => "inbox",
        Prune::Publications => "publications",
        Prune::Deliveries => "deliveries",
    }
}
