//! Tokens that were verified: a poller shows the same one every few seconds, and after a restart all
//! clients come at once.
//!
//! Invariant: an entry is found only while its token lives and all keys and rules that it was judged
//! by are in use; the caller puts them into the entry's name, together with the whole token.

use metrics::{Counter, Gauge, counter, gauge};
use ordercast_core::{Timestamp, UserId};
use parking_lot::Mutex;
use std::collections::HashMap;

/// What one takes with the longest user id.
const ENTRY_BYTES: usize = 384;

/// SHA-256 over what the token was judged by, and the token.
pub(super) type Name = [u8; 32];

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verified {
    pub user: UserId,
    /// `exp` and what clocks may differ: from then on the token is refused.
    pub valid_until: Timestamp,
}

/// When the younger half is full it becomes the older one, and the older one goes: what is asked for
/// moves to the younger half, so that only what nobody shows any more is lost.
#[derive(Debug)]
pub(super) struct TokenCache {
    halves: Mutex<Halves>,
    /// Of each half.
    entries_max: usize,
    hits: Counter,
    misses: Counter,
    entries: Gauge,
}

impl TokenCache {
    /// Bound: `bytes_max`, of both halves together.
    pub(super) fn new(bytes_max: usize) -> Self {
        let asked = |result| counter!("ordercast_token_cache_total", "result" => result);
        Self {
            halves: Mutex::default(),
            entries_max: (bytes_max / 2 / ENTRY_BYTES).max(1),
            hits: asked("hit"),
            misses: asked("miss"),
            entries: gauge!("ordercast_token_cache_entries"),
        }
    }
}

#[derive(Debug, Default)]
struct Halves {
    young: HashMap<Name, Verified>,
    old: HashMap<Name, Verified>,
}

impl TokenCache {
    pub(super) fn get(&self, name: &Name, now: Timestamp) -> Option<Verified> {
        let mut halves = self.halves.lock();
        let found = match halves.young.get(name) {
            Some(found) => Some(found.clone()),
            None => halves
                .old
                .remove(name)
                .inspect(|found| halves.put(*name, found.clone(), self.entries_max)),
        };
        drop(halves);
        let found = found.filter(|found| found.valid_until > now);
        let count = if found.is_some() {
            &self.hits
        } else {
            &self.misses
        };
        count.increment(1);
        found
    }

    pub(super) fn put(&self, name: Name, verified: Verified) {
        let mut halves = self.halves.lock();
        halves.put(name, verified, self.entries_max);
        #[allow(clippy::cast_precision_loss)] // Bounded far below.
        let entries = (halves.young.len() + halves.old.len()) as f64;
        self.entries.set(entries);
    }
}

impl Halves {
    fn put(&mut self, name: Name, verified: Verified, entries_max: usize) {
        if self.young.len() >= entries_max {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(name, verified);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: usize = 2 * 1_000 * ENTRY_BYTES;

    fn name(number: usize) -> Name {
        let mut name = [0; 32];
        name[..8].copy_from_slice(&number.to_le_bytes());
        name
    }

    fn verified(until: i64) -> Verified {
        Verified {
            user: UserId::new("alice").expect("id"),
            valid_until: Timestamp::from_millis(until),
        }
    }

    #[test]
    fn an_entry_ends_with_its_token() {
        let cache = TokenCache::new(BYTES);
        cache.put(name(1), verified(1_000));
        let at = Timestamp::from_millis;
        assert_eq!(cache.get(&name(1), at(999)), Some(verified(1_000)));
        assert_eq!(cache.get(&name(1), at(1_000)), None);
        assert_eq!(cache.get(&name(2), at(0)), None);
    }

    #[test]
    fn is_bounded_and_keeps_what_is_asked_for() {
        let cache = TokenCache::new(BYTES);
        let now = Timestamp::from_millis(0);
        cache.put(name(0), verified(1));
        cache.put(name(1), verified(1));
        for number in 2..4_000 {
            cache.put(name(number), verified(1));
            if number % 100 == 0 {
                assert!(cache.get(&name(0), now).is_some(), "after {number}");
            }
        }
        assert!(cache.get(&name(1), now).is_none());
        let halves = cache.halves.lock();
        assert!(halves.young.len() <= 1_000 && halves.old.len() <= 1_000);
    }
}
