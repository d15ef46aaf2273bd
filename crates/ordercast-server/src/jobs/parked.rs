//! Webhooks that wait for their order. Those that named one which does not come are flagged, once, for a
//! person (providers contract, section 2): they were sent to the wrong project, or the shop never made the
//! order here. All of them end with age. What names no order of ours is somebody else's payment through the
//! same provider account: it waits and ends without an alarm.

use metrics::{counter, gauge};
use ordercast_core::Timestamp;
use ordercast_store::{Change, Failure, InboxChange, Outcome, Store, Submission};
use std::time::Duration;

/// An order is made before its payment; what comes earlier overtook it by seconds.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// So that no change waits long behind one of these.
const ROWS_PER_CHANGE: u32 = 500;

/// Flags what has waited for longer than orders are late; how many wait so now.
///
/// # Errors
/// [`Failure`] of the store.
pub async fn report_parked(store: &Store, now: Timestamp) -> Result<u32, Failure> {
    let before = now.minus(PATIENCE);
    let limit = ROWS_PER_CHANGE;
    let flagged = each(store, now, || InboxChange::FlagWaiting { before, limit }).await?;
    let waiting = store.waiting_since(before).await?;
    gauge!("ordercast_inbox_parked_long").set(waiting);
    if flagged > 0 {
        tracing::warn!(
            flagged,
            waiting,
            "webhooks wait for orders that do not come; see GET /v1/projects/{{p}}/inbox?attention=true, \
             and match or dismiss them"
        );
    }
    Ok(waiting)
}

/// Puts aside what has waited for so many days; how many.
///
/// # Errors
/// [`Failure`] of the store.
pub async fn expire_parked(store: &Store, now: Timestamp, days: u32) -> Result<usize, Failure> {
    let before = now.minus(DAY * days);
    let limit = ROWS_PER_CHANGE;
    let expired = each(store, now, || InboxChange::Expire { before, limit }).await?;
    counter!("ordercast_inbox_expired_total").increment(expired as u64);
    Ok(expired)
}

async fn each(
    store: &Store,
    now: Timestamp,
    change: impl Fn() -> InboxChange,
) -> Result<usize, Failure> {
    let mut total = 0;
    loop {
        let submission = Submission {
            change: Change::Inbox(Box::new(change())),
            at: now,
            idempotency: None,
        };
        let Outcome::Pruned(rows) = store.submit(submission).await? else {
            return Ok(total);
        };
        total += rows;
        if rows < ROWS_PER_CHANGE as usize {
            return Ok(total);
        }
    }
}
