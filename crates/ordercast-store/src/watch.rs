//! Whoever waits for one order is woken by its commits, and by no other's.

use crate::{Failure, Found, Store};
use metrics::gauge;
use ordercast_core::{OrderId, ProjectId};
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::sync::watch;

/// Orders that are waited for at the same time; beyond, the answer is 503.
const WATCHED_MAX: usize = 20_000;

type Key = (ProjectId, OrderId);

#[derive(Debug, Default)]
pub(crate) struct Watches {
    orders: Mutex<HashMap<Key, watch::Sender<()>>>,
    /// Spares the writer the lock while nobody waits.
    count: AtomicUsize,
}

impl Watches {
    /// By the writer, after its commit was put into the cache.
    pub(crate) fn committed<'a>(&self, orders: impl Iterator<Item = &'a Key>) {
        if self.count.load(Ordering::SeqCst) == 0 {
            return;
        }
        let watched = self.orders.lock();
        for key in orders {
            if let Some(sender) = watched.get(key) {
                sender.send_replace(());
            }
        }
    }
}

/// Wakes at commits of one order, from when it was made on.
#[derive(Debug)]
pub struct OrderWatch {
    key: Key,
    changed: watch::Receiver<()>,
    watches: Arc<Watches>,
}

impl OrderWatch {
    /// Returns when the order has changed since the last return. Read the order after it was made
    /// and after each return: then nothing is missed.
    pub async fn changed(&mut self) {
        // The sender stands in the map as long as this watch lives.
        let _ = self.changed.changed().await;
    }
}

impl Drop for OrderWatch {
    fn drop(&mut self) {
        gauge!("ordercast_order_watches").decrement(1.0);
        let mut orders = self.watches.orders.lock();
        let is_last = orders
            .get(&self.key)
            .is_some_and(|sender| sender.receiver_count() == 1);
        if is_last {
            orders.remove(&self.key);
            self.watches.count.store(orders.len(), Ordering::SeqCst);
        }
    }
}

impl Store {
    /// # Errors
    /// [`Failure::Overloaded`] when too many orders are waited for.
    pub fn watch(&self, found: &Found) -> Result<OrderWatch, Failure> {
        let watches = Arc::clone(self.watches());
        let key = (found.order.project, found.order.id);
        let changed = {
            let mut orders = watches.orders.lock();
            if orders.len() >= WATCHED_MAX && !orders.contains_key(&key) {
                return Err(Failure::Overloaded);
            }
            let changed = orders.entry(key).or_default().subscribe();
            watches.count.store(orders.len(), Ordering::SeqCst);
            changed
        };
        gauge!("ordercast_order_watches").increment(1.0);
        Ok(OrderWatch {
            key,
            changed,
            watches,
        })
    }
}
