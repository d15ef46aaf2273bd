//! A map whose copy shares what did not change: to replace one project among fifty thousand costs a few
//! microseconds, and whoever reads the old one goes on with it.

use std::{
    borrow::Borrow,
    collections::HashMap,
    hash::{BuildHasher, Hash, RandomState},
    sync::Arc,
};

/// A change copies one of these parts.
const PARTS: usize = 256;

#[derive(Clone, Debug)]
pub(super) struct SharedMap<K, V> {
    parts: Vec<Arc<HashMap<K, V>>>,
    hasher: RandomState,
}

impl<K, V> Default for SharedMap<K, V> {
    fn default() -> Self {
        Self {
            parts: vec![Arc::default(); PARTS],
            hasher: RandomState::new(),
        }
    }
}

impl<K: Hash + Eq + Clone, V: Clone> SharedMap<K, V> {
    fn part<Q: Hash + ?Sized>(&self, key: &Q) -> usize {
        usize::try_from(self.hasher.hash_one(key) % PARTS as u64).unwrap_or(0)
    }

    pub(super) fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.parts[self.part(key)].get(key)
    }

    pub(super) fn insert(&mut self, key: K, value: V) {
        let part = self.part(&key);
        Arc::make_mut(&mut self.parts[part]).insert(key, value);
    }

    pub(super) fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let part = self.part(key);
        Arc::make_mut(&mut self.parts[part]).remove(key)
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.parts.iter().flat_map(|part| part.values())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_that_is_changed_leaves_the_other_as_it_is_and_shares_the_rest() {
        let mut before = SharedMap::default();
        for key in 0..1_000 {
            before.insert(key, key);
        }
        let mut after = before.clone();
        after.insert(7, 70);
        after.remove(&8);
        assert_eq!((before.get(&7), before.get(&8)), (Some(&7), Some(&8)));
        assert_eq!((after.get(&7), after.get(&8)), (Some(&70), None));
        assert_eq!(after.values().count(), 999);
        let parts = before.parts.iter().zip(&after.parts);
        let shared = parts.filter(|(one, other)| Arc::ptr_eq(one, other)).count();
        assert!(shared >= PARTS - 2, "{shared}");
    }
}
