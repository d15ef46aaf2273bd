//! Callers that wait for one order, or for the events of one project, are woken by its commits and by no
//! other's.
//!
//! Bound: keys that are waited for. While less than half of the places are taken anybody may have one;
//! beyond that only a project that has less than an equal share.

use crate::{Failure, Found, Store};
use metrics::{Gauge, gauge};
use ordercast_core::{OrderId, ProjectId};
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    fmt::Debug,
    hash::Hash,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::sync::watch;

/// Keys that are waited for at the same time; beyond, the answer is 503.
const WATCHED_MAX: usize = 20_000;

/// What can be waited for.
pub trait Watched: Copy + Debug + Eq + Hash {
    fn project(self) -> ProjectId;
}

impl Watched for (ProjectId, OrderId) {
    fn project(self) -> ProjectId {
        self.0
    }
}

impl Watched for ProjectId {
    fn project(self) -> ProjectId {
        self
    }
}

#[derive(Debug)]
pub(crate) struct Watches<K: Watched> {
    places: Mutex<Places<K>>,
    /// Spares the writer the lock while nobody waits.
    count: AtomicUsize,
    waiting: Gauge,
}

#[derive(Debug)]
struct Places<K> {
    senders: HashMap<K, watch::Sender<()>>,
    of_project: HashMap<ProjectId, usize>,
}

impl<K: Watched> Watches<K> {
    pub(crate) fn new(metric: &'static str) -> Self {
        Self {
            places: Mutex::new(Places {
                senders: HashMap::new(),
                of_project: HashMap::new(),
            }),
            count: AtomicUsize::new(0),
            waiting: gauge!(metric),
        }
    }

    /// By the writer, after its commit was put into the cache.
    pub(crate) fn committed(&self, keys: impl Iterator<Item = K>) {
        if self.count.load(Ordering::SeqCst) == 0 {
            return;
        }
        let places = self.places.lock();
        for key in keys {
            if let Some(sender) = places.senders.get(&key) {
                sender.send_replace(());
            }
        }
    }

    fn watch(self: &Arc<Self>, key: K) -> Result<Watch<K>, Failure> {
        let mut places = self.places.lock();
        if !places.senders.contains_key(&key) {
            if !places.has_room(key.project()) {
                return Err(Failure::Overloaded);
            }
            *places.of_project.entry(key.project()).or_default() += 1;
        }
        let changed = places.senders.entry(key).or_default().subscribe();
        self.count.store(places.senders.len(), Ordering::SeqCst);
        drop(places);
        self.waiting.increment(1.0);
        Ok(Watch {
            key,
            changed,
            watches: Arc::clone(self),
        })
    }
}

impl<K> Places<K> {
    fn has_room(&self, project: ProjectId) -> bool {
        let half = WATCHED_MAX / 2;
        if self.senders.len() < half {
            return true;
        }
        let own = self.of_project.get(&project).copied();
        let sharing = self.of_project.len() + usize::from(own.is_none());
        self.senders.len() < WATCHED_MAX && own.unwrap_or(0) < half / sharing
    }
}

/// Wakes at commits of one key, from when it was made on.
#[derive(Debug)]
pub struct Watch<K: Watched> {
    key: K,
    changed: watch::Receiver<()>,
    watches: Arc<Watches<K>>,
}

/// Wakes when an order changes.
pub type OrderWatch = Watch<(ProjectId, OrderId)>;
/// Wakes when anything happens to a project's orders.
pub type EventWatch = Watch<ProjectId>;

impl<K: Watched> Watch<K> {
    /// Returns when something has changed since the last return. Read after it was made and after each
    /// return: then nothing is missed.
    pub async fn changed(&mut self) {
        // The sender stands in the map as long as this watch lives.
        let _ = self.changed.changed().await;
    }
}

impl<K: Watched> Drop for Watch<K> {
    fn drop(&mut self) {
        self.watches.waiting.decrement(1.0);
        let mut places = self.watches.places.lock();
        let is_last = places
            .senders
            .get(&self.key)
            .is_some_and(|sender| sender.receiver_count() == 1);
        if !is_last {
            return;
        }
        places.senders.remove(&self.key);
        let project = self.key.project();
        if let Some(of_project) = places.of_project.get_mut(&project) {
            *of_project -= 1;
            if *of_project == 0 {
                places.of_project.remove(&project);
            }
        }
        let count = places.senders.len();
        self.watches.count.store(count, Ordering::SeqCst);
    }
}

impl Store {
    /// # Errors
    /// [`Failure::Overloaded`] when too many orders are waited for.
    pub fn watch(&self, found: &Found) -> Result<OrderWatch, Failure> {
        let key = (found.order.project, found.order.id);
        self.order_watches().watch(key)
    }

    /// # Errors
    /// [`Failure::Overloaded`] when the events of too many projects are waited for.
    pub fn watch_events(&self, project: ProjectId) -> Result<EventWatch, Failure> {
        self.event_watches().watch(project)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(id: i64) -> ProjectId {
        ProjectId::new(id).expect("id")
    }

    #[test]
    fn one_projects_waiters_leave_room_for_anothers() {
        let watches = Arc::new(Watches::new("test"));
        let key = |of, order| (project(of), OrderId::new(order).expect("id"));
        let mut held = Vec::new();
        let refused = (1..=20_000).find_map(|order| match watches.watch(key(1, order)) {
            Ok(watch) => {
                held.push(watch);
                None
            }
            Err(failure) => Some((order, failure)),
        });
        assert_eq!(refused, Some((10_001, Failure::Overloaded)));
        held.push(
            watches
                .watch(key(1, 1))
                .expect("one that is waited for already"),
        );
        held.push(watches.watch(key(2, 1)).expect("another project's"));
        held.clear();
        assert_eq!(watches.count.load(Ordering::SeqCst), 0);
        assert!(watches.places.lock().of_project.is_empty());
    }

    #[tokio::test]
    async fn a_commit_wakes_its_own_project() {
        let watches = Arc::new(Watches::new("test"));
        let mut one = watches.watch(project(1)).expect("room");
        let other = watches.watch(project(2)).expect("room");
        watches.committed([project(1)].into_iter());
        one.changed().await;
        assert!(!other.changed.has_changed().expect("a sender"));
    }
}
