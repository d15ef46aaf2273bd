//! Current orders in memory, for readers and for the writer: polling does not touch the database.
//!
//! Invariant: after a commit was announced, nobody reads an older version here. The writer puts every
//! changed order in before it announces; a reader's row goes in only if no commit began or was announced
//! since it was read, which both check and write under the shard's lock.

use crate::{
    read::Found,
    turns::{Reading, Turns},
    weighted::WeightedLru,
};
use metrics::{Counter, Gauge, counter, gauge};
use ordercast_core::{OrderId, ProjectId};
use parking_lot::Mutex;
use std::{fmt, sync::Arc};

const SHARDS: usize = 16;
/// Of what orders may take, the part for finding them by their internal keys.
const KEYS_PART: usize = 16;

type Key = (ProjectId, OrderId);

pub(crate) struct OrderCache {
    shards: Vec<Mutex<WeightedLru<Key, Arc<Found>>>>,
    /// From the internal key, which payment tokens carry. It never changes.
    keys: Vec<Mutex<WeightedLru<i64, Key>>>,
    turns: Turns,
    hits: Counter,
    misses: Counter,
    entries: Gauge,
    bytes: Gauge,
}

impl fmt::Debug for OrderCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OrderCache(..)")
    }
}

impl OrderCache {
    /// Bound: `bytes_max`, of all orders together.
    pub(crate) fn new(bytes_max: usize) -> Self {
        let (keys, orders) = (bytes_max / KEYS_PART, bytes_max - bytes_max / KEYS_PART);
        Self {
            shards: (0..SHARDS)
                .map(|_| Mutex::new(WeightedLru::new(orders / SHARDS)))
                .collect(),
            keys: (0..SHARDS)
                .map(|_| Mutex::new(WeightedLru::new(keys / SHARDS)))
                .collect(),
            entries: gauge!("ordercast_order_cache_entries"),
            bytes: gauge!("ordercast_order_cache_bytes"),
            turns: Turns::default(),
            hits: counter!("ordercast_order_cache_total", "result" => "hit"),
            misses: counter!("ordercast_order_cache_total", "result" => "miss"),
        }
    }

    fn shard(&self, key: Key) -> &Mutex<WeightedLru<Key, Arc<Found>>> {
        &self.shards[key.1.get() as usize % SHARDS]
    }

    fn key_shard(&self, order_key: i64) -> &Mutex<WeightedLru<i64, Key>> {
        &self.keys[usize::try_from(order_key).unwrap_or(0) % SHARDS]
    }

    pub(crate) fn get(&self, project: ProjectId, order: OrderId) -> Option<Arc<Found>> {
        let key = (project, order);
        let found = self.shard(key).lock().get(&key).cloned();
        let count = if found.is_some() {
            &self.hits
        } else {
            &self.misses
        };
        count.increment(1);
        found
    }

    pub(crate) fn get_by_key(&self, order_key: i64) -> Option<Arc<Found>> {
        let key = self.key_shard(order_key).lock().get(&order_key).copied()?;
        self.get(key.0, key.1)
    }

    /// Before a reader's statement begins.
    pub(crate) fn reading(&self) -> Reading {
        self.turns.reading()
    }

    /// What a reader found; kept unless a commit may have changed it since.
    pub(crate) fn fill(&self, reading: Reading, found: &Arc<Found>) {
        let key = (found.order.project, found.order.id);
        let mut shard = self.shard(key).lock();
        if self.turns.is_current(reading) {
            shard.put(key, Arc::clone(found), found.bytes());
            self.keep_key(found, key);
        }
    }

    /// By the writer, before its commit.
    pub(crate) fn begin_commit(&self) {
        self.turns.turn();
    }

    /// By the writer, after its commit and before it is announced.
    pub(crate) fn committed<'a>(&self, orders: impl Iterator<Item = &'a Arc<Found>>) {
        self.turns.turn();
        for found in orders {
            let key = (found.order.project, found.order.id);
            self.keep_key(found, key);
            self.shard(key)
                .lock()
                .put(key, Arc::clone(found), found.bytes());
        }
        let sizes = self.shards.iter().map(|shard| shard.lock().size());
        let (entries, bytes) = sizes.fold((0, 0), |all, shard| (all.0 + shard.0, all.1 + shard.1));
        #[expect(clippy::cast_precision_loss, reason = "gauges")]
        {
            self.entries.set(entries as f64);
            self.bytes.set(bytes as f64);
        }
    }

    fn keep_key(&self, found: &Found, key: Key) {
        self.key_shard(found.order_key)
            .lock()
            .put(found.order_key, key, 0);
    }

    /// Deleted ones, before their commit is announced.
    pub(crate) fn forget(&self, project: ProjectId, order: OrderId) {
        self.shard((project, order))
            .lock()
            .remove(&(project, order));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::rows::OrderRow;
    use ordercast_core::{
        Timestamp, UserId,
        ids::Version,
        order::{Content, Facets, Mode, Order},
    };

    fn found(version: i64) -> Arc<Found> {
        let order = Order {
            project: ProjectId::new(1).expect("id"),
            id: OrderId::new(5).expect("id"),
            user: UserId::new("alice").expect("id"),
            mode: Mode::Default,
            content: Content::default(),
            facets: Facets::default(),
            version: Version::new(version).expect("version"),
            created_at: Timestamp::default(),
            updated_at: Timestamp::default(),
            expires_at: Timestamp::default(),
        };
        Arc::new(Found::new(OrderRow {
            order,
            order_key: 9,
            channel_key: 1,
            token_hash: None,
            text_bytes: 100,
        }))
    }

    fn version(cache: &OrderCache) -> Option<i64> {
        let found = cache.get(ProjectId::new(1).expect("id"), OrderId::new(5).expect("id"));
        found.map(|found| found.order.version.get().into())
    }

    #[test]
    fn a_row_that_was_read_before_a_commit_is_not_kept() {
        let cache = OrderCache::new(1 << 20);
        let reading = cache.reading();
        // The reader has its row in hand; meanwhile the order changes, and is evicted again.
        cache.begin_commit();
        cache.committed(std::iter::once(&found(2)));
        cache.shards.iter().for_each(|shard| shard.lock().clear());
        cache.fill(reading, &found(1));
        assert_eq!(version(&cache), None);
        cache.fill(cache.reading(), &found(2));
        assert_eq!(version(&cache), Some(2));
    }

    #[test]
    fn a_row_that_was_read_during_a_commit_is_not_kept_after_it() {
        let cache = OrderCache::new(1 << 20);
        cache.begin_commit();
        let reading = cache.reading();
        cache.committed(std::iter::once(&found(2)));
        cache.shards.iter().for_each(|shard| shard.lock().clear());
        cache.fill(reading, &found(1));
        assert_eq!(version(&cache), None);
    }

    #[test]
    fn a_row_that_was_kept_during_a_commit_is_replaced_by_it() {
        let cache = OrderCache::new(1 << 20);
        cache.begin_commit();
        // Begun after the commit did, read before it ended.
        cache.fill(cache.reading(), &found(1));
        cache.committed(std::iter::once(&found(2)));
        assert_eq!(version(&cache), Some(2));
        assert_eq!(
            cache.get_by_key(9).map(|found| found.order.version.get()),
            Some(2)
        );
    }
}
