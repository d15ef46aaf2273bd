//! The shop's backend: follows the event feed, hands out what was paid, reports `done`.
//!
//! It keeps nothing between runs. The feed is read from its start again, and the idempotency key of
//! each grant makes a repeated one harmless.

use super::{
    Demo,
    api::{Api, CallError, Event, FEED_WAIT},
};
use ordercast_core::OrderId;
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::{sync::Semaphore, time::sleep};

/// A viewer should see `paid` before `done` comes.
const PACKING: Duration = Duration::from_millis(1_500);
const PAGE: u32 = 500;
const GRANTS_AT_ONCE: usize = 16;
/// Between empty pages that came too early: a feed that does not hold must not be hammered.
const PAUSE: Duration = Duration::from_secs(1);
const RETRY_MIN: Duration = Duration::from_millis(200);
const RETRY_MAX: Duration = Duration::from_secs(10);

/// Runs until it is dropped.
pub async fn run_shop(demo: Arc<Demo>) {
    let mut shop = Shop {
        api: Api::new(&demo),
        cursor: 0,
        to_grant: BTreeMap::new(),
        slots: Arc::new(Semaphore::new(GRANTS_AT_ONCE)),
    };
    let mut retry = RETRY_MIN;
    loop {
        match shop.follow().await {
            Ok(()) => retry = RETRY_MIN,
            Err(error) => {
                tracing::debug!(%error, "the demo shop lost the event feed");
                sleep(retry).await;
                retry = (retry * 2).min(RETRY_MAX);
            }
        }
    }
}

struct Shop {
    api: Api,
    /// Id of the last event that was read.
    cursor: u64,
    /// Orders whose last event says `paid`, and when that was. While catching up, a later event
    /// takes an order out again before anything is asked of the server.
    to_grant: BTreeMap<OrderId, Duration>,
    slots: Arc<Semaphore>,
}

impl Shop {
    async fn follow(&mut self) -> Result<(), CallError> {
        let asked = Instant::now();
        // While orders wait to be granted the end of the feed must be found without waiting.
        let wait = if self.to_grant.is_empty() {
            FEED_WAIT
        } else {
            Duration::ZERO
        };
        let page = self.api.events(self.cursor, PAGE, wait).await?;
        for event in &page.events {
            self.note(event);
        }
        if page.events.is_empty() && wait > PAUSE && asked.elapsed() < PAUSE {
            sleep(PAUSE).await;
        }
        self.cursor = self.cursor.max(page.last_id);
        if page.events.is_empty() {
            self.grant_all();
        }
        Ok(())
    }

    fn note(&mut self, event: &Event) {
        let Some(order) = event.data.order_id else {
            return;
        };
        if event.kind == "order.paid" {
            self.to_grant.insert(order, packing_left(&event.created_at));
        } else {
            self.to_grant.remove(&order);
        }
    }

    fn grant_all(&mut self) {
        for (order, packing) in std::mem::take(&mut self.to_grant) {
            let (api, slots) = (self.api.clone(), Arc::clone(&self.slots));
            tokio::spawn(async move {
                sleep(packing).await;
                // The semaphore is never closed.
                let Ok(_slot) = slots.acquire().await else {
                    return;
                };
                grant(&api, order).await;
            });
        }
    }
}

/// An order that was paid a while ago, before a restart say, is not kept waiting again.
fn packing_left(paid_at: &str) -> Duration {
    let Ok(paid_at) = OffsetDateTime::parse(paid_at, &Rfc3339) else {
        return PACKING;
    };
    let age = OffsetDateTime::now_utc() - paid_at;
    PACKING.saturating_sub(age.try_into().unwrap_or(Duration::ZERO))
}

async fn grant(api: &Api, order: OrderId) {
    let mut retry = RETRY_MIN;
    loop {
        match api.mark_done(order).await {
            Ok(()) => return tracing::info!(%order, "the demo shop handed the item over"),
            // Canceled meanwhile, or done already: nothing is left to do.
            Err(CallError::Status(status)) if status.is_client_error() && status != 429 => {
                return tracing::info!(%order, %status, "the demo shop does not grant");
            }
            Err(error) => {
                tracing::debug!(%order, %error, "the demo shop could not report done");
                sleep(retry).await;
                retry = (retry * 2).min(RETRY_MAX);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_fresh_payment_waits_for_its_packing() {
        assert_eq!(packing_left("2020-01-01T00:00:00.000Z"), Duration::ZERO);
        assert_eq!(packing_left("not a time"), PACKING);
        let now = OffsetDateTime::now_utc().format(&Rfc3339).expect("a time");
        assert!(packing_left(&now) > PACKING / 2);
        assert!(packing_left("2099-01-01T00:00:00Z") <= PACKING);
    }
}
