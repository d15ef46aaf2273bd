//! Deletes what nobody may still need. The order log itself is kept unless the operator wants otherwise:
//! replay from it is what the product is for.
//!
//! What may go is found on a reader. The writer deletes it by key, in bites of a few milliseconds, and has
//! most of the time between two of them for changes. What that leaves unused of the file is given back in
//! the same way.

use crate::config::Config;
use metrics::{counter, gauge};
use ordercast_core::Timestamp;
use ordercast_store::{Change, Failure, OldKey, Outcome, Prune, Store, Submission};
use std::time::{Duration, Instant};

const DAY: Duration = Duration::from_secs(24 * 3600);
/// Upkeep takes at most one part in so many of the writer's time.
const SHARE: u32 = 5;
/// Free pages that are worth keeping: what is written next takes them.
const FREE_PAGES_KEPT: u64 = 256;
/// Beyond these, one part in so many of the file.
const FREE_PART_KEPT: u64 = 16;
/// Asked of the writer at once; it stops when its time is over.
const PAGES_AT_ONCE: u32 = 64;
/// Free pages beyond which it is worth telling that an old file cannot shrink.
const FREE_PAGES_TOLD: u64 = 64 * 1024;

/// How long things are kept, days; `None`: for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    pub idempotency_days: u32,
    pub inbox_days: Option<u32>,
    /// How long a webhook waits for its order.
    pub parked_days: u32,
    pub publication_days: Option<u32>,
    pub delivery_days: Option<u32>,
    /// After the end of their life.
    pub guest_order_days: u32,
    /// How far back a client may always recover, whatever `publication_days` says (guarantees, I19).
    pub recoverable: Duration,
}

/// What a client that comes back may have missed at the least.
const RECOVERABLE_MIN: Duration = Duration::from_secs(600);
/// The longest that SDKs in the field wait before they come back.
const BACK_OFF: Duration = Duration::from_secs(20);

impl From<&Config> for Retention {
    fn from(config: &Config) -> Self {
        let lifetime = Duration::from_secs(config.connection_lifetime_seconds.into());
        Self {
            idempotency_days: config.idempotency_days,
            inbox_days: config.inbox_days,
            parked_days: config.parked_days,
            publication_days: config.publication_days,
            delivery_days: config.delivery_days,
            guest_order_days: config.guest_order_days,
            recoverable: RECOVERABLE_MIN.max(lifetime + 2 * BACK_OFF),
        }
    }
}

impl Retention {
    fn of(&self, what: Prune) -> Option<Duration> {
        let days = match what {
            Prune::Idempotency => Some(self.idempotency_days),
            Prune::Inbox => self.inbox_days,
            Prune::Publications => self.publication_days,
            Prune::Deliveries | Prune::OperatorEvents => self.delivery_days,
            Prune::GuestOrders => Some(self.guest_order_days),
        };
        let kept = DAY * days?;
        Some(match what {
            Prune::Publications => kept.max(self.recoverable),
            Prune::Idempotency
            | Prune::Inbox
            | Prune::Deliveries
            | Prune::OperatorEvents
            | Prune::GuestOrders => kept,
        })
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
    let mut total = 0;
    for what in Prune::ALL {
        let by = match what {
            // An order that is gone cannot be paid any more.
            Prune::Idempotency | Prune::Inbox | Prune::GuestOrders => guards,
            Prune::Publications | Prune::Deliveries | Prune::OperatorEvents => now,
        };
        if let Some(kept) = keep.of(what) {
            total += prune_all(store, now, what, by.minus(kept)).await?;
        }
    }
    shrink(store, now).await?;
    Ok(total)
}

async fn prune_all(
    store: &Store,
    now: Timestamp,
    what: Prune,
    before: Timestamp,
) -> Result<usize, Failure> {
    let (mut total, mut after) = (0, None);
    loop {
        let old = store.old(what, before, after).await?;
        total += delete(store, now, (what, before), old.keys).await?;
        after = match old.next {
            Some(next) => Some(next),
            None => return Ok(total),
        };
    }
}

async fn delete(
    store: &Store,
    now: Timestamp,
    (what, before): (Prune, Timestamp),
    mut keys: Vec<OldKey>,
) -> Result<usize, Failure> {
    let mut total = 0;
    while !keys.is_empty() {
        let change = Change::Prune {
            what,
            before,
            keys: keys.clone(),
        };
        let (handled, deleted) = bite(store, now, change).await?;
        counter!("ordercast_pruned_rows_total", "what" => what.as_str()).increment(deleted as u64);
        total += deleted;
        // The writer looks at one at least.
        keys.drain(..handled.clamp(1, keys.len()));
    }
    Ok(total)
}

/// Gives the file's free pages back, but for some.
async fn shrink(store: &Store, now: Timestamp) -> Result<(), Failure> {
    loop {
        let pages = store.pages().await?;
        #[expect(clippy::cast_precision_loss, reason = "gauges")]
        {
            gauge!("ordercast_database_pages").set(pages.all as f64);
            gauge!("ordercast_database_free_pages").set(pages.free as f64);
        }
        let kept = FREE_PAGES_KEPT.max(pages.all / FREE_PART_KEPT);
        if pages.free <= kept {
            return Ok(());
        }
        if !pages.can_shrink {
            if pages.free > FREE_PAGES_TOLD {
                tracing::warn!(
                    free_pages = pages.free,
                    "the database was made by an older version and does not shrink by itself: \
                     `ordercast compact` writes it anew, once, while the server is stopped"
                );
            }
            return Ok(());
        }
        let mut left = pages.free - kept;
        while left > 0 {
            let some = u32::try_from(left).unwrap_or(u32::MAX).min(PAGES_AT_ONCE);
            let (handled, _) = bite(store, now, Change::Shrink { pages: some }).await?;
            left = left.saturating_sub(handled.max(1) as u64);
        }
    }
}

/// How many were handled and how many deleted. Rests afterwards, so that changes have the most of the
/// writer's time.
async fn bite(store: &Store, now: Timestamp, change: Change) -> Result<(usize, usize), Failure> {
    let began = Instant::now();
    let submission = Submission {
        change,
        at: now,
        idempotency: None,
    };
    let outcome = store.submit(submission).await?;
    tokio::time::sleep(began.elapsed() * (SHARE - 1)).await;
    match outcome {
        Outcome::Deleted { handled, deleted } => Ok((handled, deleted)),
        _ => Ok((0, 0)),
    }
}
