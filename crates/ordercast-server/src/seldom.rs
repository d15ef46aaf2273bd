//! Log lines that anybody outside can cause: one a minute for each kind, with how many there were.
//!
//! Bound: [`KINDS_MAX`] kinds. Beyond them a new kind is not logged before a minute has passed for one
//! of the others; the metrics count it all the same.

use crate::clock;
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    hash::Hash,
    time::{Duration, Instant},
};

const PAUSE: Duration = Duration::from_secs(60);
const KINDS_MAX: usize = 256;

#[derive(Debug)]
pub(crate) struct Seldom<K> {
    kinds: Mutex<HashMap<K, Kind>>,
}

#[derive(Debug)]
struct Kind {
    said_at: Instant,
    unsaid: u64,
}

impl<K> Default for Seldom<K> {
    fn default() -> Self {
        Self {
            kinds: Mutex::default(),
        }
    }
}

impl<K: Eq + Hash> Seldom<K> {
    /// One more of this kind. If it is time for a line: how many that line stands for.
    pub(crate) fn count(&self, kind: K) -> Option<u64> {
        self.count_at(kind, clock::monotonic())
    }

    fn count_at(&self, kind: K, now: Instant) -> Option<u64> {
        let mut kinds = self.kinds.lock();
        let is_over = |at: Instant| now.saturating_duration_since(at) >= PAUSE;
        if let Some(known) = kinds.get_mut(&kind) {
            known.unsaid += 1;
            if !is_over(known.said_at) {
                return None;
            }
            known.said_at = now;
            return Some(std::mem::take(&mut known.unsaid));
        }
        if kinds.len() >= KINDS_MAX {
            kinds.retain(|_, known| !is_over(known.said_at));
            if kinds.len() >= KINDS_MAX {
                return None;
            }
        }
        let said = Kind {
            said_at: now,
            unsaid: 0,
        };
        kinds.insert(kind, said);
        Some(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_has_a_line_a_minute_which_says_how_many() {
        let seldom = Seldom::default();
        let start = clock::monotonic();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(seldom.count_at("a", at(0)), Some(1));
        assert_eq!(seldom.count_at("a", at(1)), None);
        assert_eq!(seldom.count_at("b", at(2)), Some(1));
        assert_eq!(seldom.count_at("a", at(59)), None);
        assert_eq!(seldom.count_at("a", at(60)), Some(3));
        assert_eq!(seldom.count_at("a", at(61)), None);
    }

    #[test]
    fn kinds_are_bounded_and_make_room_after_a_minute() {
        let seldom = Seldom::default();
        let start = clock::monotonic();
        for kind in 0..KINDS_MAX {
            assert_eq!(seldom.count_at(kind, start), Some(1));
        }
        assert_eq!(seldom.count_at(KINDS_MAX, start), None);
        assert_eq!(seldom.count_at(KINDS_MAX, start + PAUSE), Some(1));
        assert_eq!(seldom.kinds.lock().len(), 1);
    }
}
