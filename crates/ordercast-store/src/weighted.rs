//! A map that holds so many bytes and forgets what nobody has asked for longest.

use lru::LruCache;
use std::hash::Hash;

/// What one entry costs beside its value: its place in the map and in the order of use.
const ENTRY_BYTES: usize = 128;

#[derive(Debug)]
pub(crate) struct WeightedLru<K: Hash + Eq, V> {
    entries: LruCache<K, (usize, V)>,
    bytes: usize,
    bytes_max: usize,
}

impl<K: Hash + Eq, V> WeightedLru<K, V> {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            entries: LruCache::unbounded(),
            bytes: 0,
            bytes_max,
        }
    }

    pub(crate) fn get(&mut self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|(_, value)| value)
    }

    /// `bytes`: of the value, with all that it owns. What is heavier than all may be is not kept.
    pub(crate) fn put(&mut self, key: K, value: V, bytes: usize) {
        let bytes = bytes + ENTRY_BYTES;
        self.bytes += bytes;
        if let Some((before, _)) = self.entries.put(key, (bytes, value)) {
            self.bytes -= before;
        }
        self.shrink();
    }

    /// Changes a value, and says what it weighs then. `None`: it is not there.
    pub(crate) fn change<T>(
        &mut self,
        key: &K,
        change: impl FnOnce(&mut V) -> (T, usize),
    ) -> Option<T> {
        let (bytes, value) = self.entries.get_mut(key)?;
        let (changed, now) = change(value);
        let before = std::mem::replace(bytes, now + ENTRY_BYTES);
        self.bytes = self.bytes - before + now + ENTRY_BYTES;
        self.shrink();
        Some(changed)
    }

    /// Whether it was there.
    pub(crate) fn remove(&mut self, key: &K) -> bool {
        match self.entries.pop(key) {
            Some((bytes, _)) => {
                self.bytes -= bytes;
                true
            }
            None => false,
        }
    }

    fn shrink(&mut self) {
        while self.bytes > self.bytes_max
            && let Some((_, (bytes, _))) = self.entries.pop_lru()
        {
            self.bytes -= bytes;
        }
    }

    /// Entries, and bytes.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.entries.len(), self.bytes)
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_asked_for_longest_makes_way() {
        let mut map = WeightedLru::new(3 * (ENTRY_BYTES + 100));
        for key in 1..=3 {
            map.put(key, key, 100);
        }
        assert_eq!(map.get(&1), Some(&1));
        map.put(4, 4, 100);
        assert_eq!(map.get(&2), None);
        assert_eq!(map.get(&1), Some(&1));
        // One that got heavier counts as what it is now, one that was replaced as what replaced it.
        map.change(&1, |value| (*value = 10, 150));
        assert_eq!(map.get(&3), None);
        assert_eq!(map.size().0, 2);
        map.put(1, 11, 100);
        map.put(5, 5, 100);
        assert_eq!(map.size(), (3, 3 * (ENTRY_BYTES + 100)));
        // Nothing is heavier than all may be.
        map.put(6, 6, 10_000);
        assert_eq!(map.size(), (0, 0));
    }
}
