//! Answers that are held until an order's status changes. The store's writer wakes those of the orders
//! that it has changed, and no other: a poller costs nothing while nothing happens.
//!
//! Invariant: who holds a place before reading the order misses no change of it.

use metrics::{describe_gauge, gauge};
use ordercast_core::{OrderId, ProjectId};
use ordercast_store::Committed;
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::sync::watch;

/// Held at once. Beyond it an answer is not held: the client polls a little more often.
const HELD_MAX: usize = 10_000;
const SHARDS: usize = 16;

type Key = (ProjectId, OrderId);

#[derive(Clone, Debug, Default)]
pub struct OrderWaits(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    shards: [Mutex<HashMap<Key, watch::Sender<()>>>; SHARDS],
    held: AtomicUsize,
}

impl Shared {
    fn shard(&self, key: Key) -> &Mutex<HashMap<Key, watch::Sender<()>>> {
        &self.shards[key.1.get() as usize % SHARDS]
    }
}

impl OrderWaits {
    /// A place in the wait for one order; `None` when all are taken.
    pub fn hold(&self, project: ProjectId, order: OrderId) -> Option<Held> {
        let shared = &self.0;
        let is_free = |held| (held < HELD_MAX).then_some(held + 1);
        shared
            .held
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, is_free)
            .ok()?;
        gauge!("ordercast_held_order_reads").increment(1.0);
        let key = (project, order);
        let receiver = shared
            .shard(key)
            .lock()
            .entry(key)
            .or_insert_with(|| watch::Sender::new(()))
            .subscribe();
        Some(Held {
            key,
            receiver: Some(receiver),
            shared: Arc::clone(shared),
        })
    }

    pub fn describe() {
        describe_gauge!(
            "ordercast_held_order_reads",
            "Answers held until an order's status changes"
        );
    }

    /// Called by the writer's thread after each commit.
    pub fn wake(&self, committed: &[Committed]) {
        // Who comes after this line reads what was committed before it.
        if self.0.held.load(Ordering::SeqCst) == 0 {
            return;
        }
        for Committed {
            channel,
            publication,
            ..
        } in committed
        {
            let key = (channel.project, publication.order_id);
            if let Some(sender) = self.0.shard(key).lock().get(&key) {
                sender.send_replace(());
            }
        }
    }
}

#[derive(Debug)]
pub struct Held {
    key: Key,
    /// There until the drop.
    receiver: Option<watch::Receiver<()>>,
    shared: Arc<Shared>,
}

impl Held {
    /// Returns when the status has changed since the place was taken, or since the last call.
    pub async fn changed(&mut self) {
        if let Some(receiver) = &mut self.receiver {
            // The sender stays for as long as there is a receiver.
            let _ = receiver.changed().await;
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut shard = self.shared.shard(self.key).lock();
        // Under the lock that receivers are made under, or two that go at once would each take the
        // other for one that stays.
        self.receiver = None;
        if shard
            .get(&self.key)
            .is_some_and(|sender| sender.receiver_count() == 0)
        {
            shard.remove(&self.key);
        }
        drop(shard);
        self.shared.held.fetch_sub(1, Ordering::SeqCst);
        gauge!("ordercast_held_order_reads").decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_that_go_at_once_leave_nothing_behind() {
        let waits = OrderWaits::default();
        let (project, order) = (ProjectId::new(1).expect("id"), OrderId::new(1).expect("id"));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2_000 {
                        drop(waits.hold(project, order));
                    }
                });
            }
        });
        assert!(waits.0.shards.iter().all(|shard| shard.lock().is_empty()));
        assert_eq!(waits.0.held.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn places_are_bounded_and_leave_nothing_behind() {
        let waits = OrderWaits::default();
        let project = ProjectId::new(1).expect("id");
        let order = |n: usize| OrderId::new(1 + n as i64 / 2).expect("id");
        let held: Vec<_> = (0..HELD_MAX)
            .map(|n| waits.hold(project, order(n)).expect("a place"))
            .collect();
        assert!(waits.hold(project, order(0)).is_none());
        drop(held);
        let left: usize = waits.0.shards.iter().map(|shard| shard.lock().len()).sum();
        assert_eq!((left, waits.0.held.load(Ordering::SeqCst)), (0, 0));
        assert!(waits.hold(project, order(0)).is_some());
    }
}
