//! Orders that were not paid within their stated life become `expired`. Buyers see no difference: a
//! payment that was on its way still makes such an order `paid`.

use futures_util::future::join_all;
use metrics::counter;
use ordercast_core::Timestamp;
use ordercast_store::{Change, Failure, Outcome, Store, Submission};

/// Far below what fills the writer's queue.
const BATCH: u32 = 256;

/// How many orders expired.
///
/// # Errors
/// [`Failure`] of the store; what had expired before it stays so.
pub async fn expire(store: &Store, now: Timestamp) -> Result<usize, Failure> {
    let mut total = 0;
    loop {
        let overdue = store.overdue(now, BATCH).await?;
        let found = overdue.len();
        let changes = overdue.into_iter().map(|(project, order)| {
            store.submit(Submission {
                change: Change::Expire { project, order },
                at: now,
                idempotency: None,
            })
        });
        let mut expired = 0;
        for outcome in join_all(changes).await {
            expired += usize::from(matches!(outcome?, Outcome::Order(_)));
        }
        total += expired;
        counter!("ordercast_orders_expired_total").increment(expired as u64);
        // Those that were paid meanwhile are not found again; nothing moved means nothing will.
        if found < BATCH as usize || expired == 0 {
            return Ok(total);
        }
    }
}
