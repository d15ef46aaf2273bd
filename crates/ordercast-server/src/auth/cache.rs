//! Tokens that were verified: a poller shows the same one every few seconds, and after a restart all
//! clients come at once.
//!
//! Invariant: an entry is found only while its token lives and all keys and rules that it was judged
//! by are in use; the caller puts them into the entry's name, together with the whole token.

use metrics::{Counter, Gauge, counter, gauge};
use ordercast_core::{Timestamp, UserId};
use parking_lot::Mutex;
use std::collections::HashMap;

/// Two halves of this: about 20 MB with the longest user ids.
const HALF_MAX: usize = 32_768;

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
    hits: Counter,
    misses: Counter,
    entries: Gauge,
}

impl Default for TokenCache {
    fn default() -> Self {
        let asked = |result| counter!("ordercast_token_cache_total", "result" => result);
        Self {
            halves: Mutex::default(),
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
                .inspect(|found| halves.put(*name, found.clone())),
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
        halves.put(name, verified);
        #[allow(clippy::cast_precision_loss)] // Bounded far below.
        let entries = (halves.young.len() + halves.old.len()) as f64;
        self.entries.set(entries);
    }
}

impl Halves {
    fn put(&mut self, name: Name, verified: Verified) {
        if self.young.len() >= HALF_MAX {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(name, verified);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let cache = TokenCache::default();
        cache.put(name(1), verified(1_000));
        let at = Timestamp::from_millis;
        assert_eq!(cache.get(&name(1), at(999)), Some(verified(1_000)));
        assert_eq!(cache.get(&name(1), at(1_000)), None);
        assert_eq!(cache.get(&name(2), at(0)), None);
    }

    #[test]
    fn is_bounded_and_keeps_what_is_asked_for() {
        let cache = TokenCache::default();
        let now = Timestamp::from_millis(0);
        cache.put(name(0), verified(1));
        cache.put(name(1), verified(1));
        for number in 2..HALF_MAX * 4 {
            cache.put(name(number), verified(1));
            if number % 1_000 == 0 {
                assert!(cache.get(&name(0), now).is_some(), "after {number}");
            }
        }
        assert!(cache.get(&name(1), now).is_none());
        let halves = cache.halves.lock();
        assert!(halves.young.len() <= HALF_MAX && halves.old.len() <= HALF_MAX);
    }
}
