//! What all connections together have outstanding: bytes that their clients do not read.
//!
//! Invariant: every queued byte of a connection is counted once. While there are too many, those who
//! read least go: a connection's own bound shrinks, and whoever is above it is closed at the next frame
//! for it, a ping at the latest.

use metrics::gauge;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Outstanding bytes of one reader behind the frame that is being written (realtime contract, A12):
/// one long reply is no sign of a slow reader.
const QUEUE_BYTES_MAX: usize = 64 * 1024;
/// Outstanding bytes of one reader, that frame included, while all together have too much. Enough for
/// a connect and what follows it, so that who does read can still come in.
const UNDER_PRESSURE_BYTES_MAX: usize = 16 * 1024;

#[derive(Debug)]
pub struct Backlog {
    bytes: AtomicUsize,
    max: usize,
}

impl Backlog {
    pub fn new(max: usize) -> Self {
        Self {
            bytes: AtomicUsize::new(0),
            max,
        }
    }

    /// Whether a connection may have so many bytes outstanding, `front` of them in the frame that is
    /// being written.
    pub fn allows(&self, bytes: usize, front: usize) -> bool {
        if self.bytes.load(Ordering::Relaxed) > self.max {
            bytes <= UNDER_PRESSURE_BYTES_MAX
        } else {
            bytes - front <= QUEUE_BYTES_MAX
        }
    }
}

/// A connection's part of it; taken off when it is dropped.
#[derive(Debug)]
pub struct Share {
    pub backlog: Arc<Backlog>,
    bytes: usize,
}

impl Share {
    pub fn new(backlog: Arc<Backlog>) -> Self {
        Self { backlog, bytes: 0 }
    }

    /// Costs nothing where a frame went straight to the socket, which is nearly always.
    pub fn set(&mut self, bytes: usize) {
        if bytes == self.bytes {
            return;
        }
        let all = &self.backlog.bytes;
        if bytes > self.bytes {
            all.fetch_add(bytes - self.bytes, Ordering::Relaxed);
        } else {
            all.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
        }
        // Far below 2^53: the value is a bound on memory.
        #[expect(clippy::cast_precision_loss, reason = "a gauge")]
        gauge!("ordercast_outbound_bytes").increment(bytes as f64 - self.bytes as f64);
        self.bytes = bytes;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_of_each_shrinks_while_all_together_have_too_much() {
        let backlog = Arc::new(Backlog::new(100));
        let is_full = || {
            let long_reply = backlog.allows(80_000 + QUEUE_BYTES_MAX, 80_000);
            assert!(!backlog.allows(80_001 + QUEUE_BYTES_MAX, 80_000));
            assert!(backlog.allows(UNDER_PRESSURE_BYTES_MAX, 0));
            assert_eq!(backlog.allows(UNDER_PRESSURE_BYTES_MAX + 1, 0), long_reply);
            !long_reply
        };
        let mut one = Share::new(Arc::clone(&backlog));
        let mut other = Share::new(Arc::clone(&backlog));
        one.set(60);
        other.set(40);
        assert!(!is_full());
        other.set(41);
        assert!(is_full());
        one.set(59);
        assert!(!is_full());
        one.set(60);
        assert!(is_full());
        drop(other);
        assert!(!is_full());
        drop(one);
        assert_eq!(backlog.bytes.load(Ordering::Relaxed), 0);
    }
}
