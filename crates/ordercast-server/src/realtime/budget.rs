//! Memory that clients make the server hold: frames that they do not read, and frames whose rest they do
//! not send.
//!
//! Invariant: the budget holds the sum of what its shares say, and a share that is dropped says nothing.

use metrics::gauge;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// For all clients together (guarantees, I29).
pub const BYTES_MAX: usize = 256 * 1024 * 1024;

/// Which way the bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Complete, and waits for its client to read.
    Out,
    /// Incomplete, and waits for its client to go on.
    In,
}

#[derive(Debug)]
pub struct Budget {
    out: AtomicUsize,
    r#in: AtomicUsize,
    bytes_max: usize,
}

impl Budget {
    pub fn new(bytes_max: usize) -> Arc<Self> {
        Arc::new(Self {
            out: AtomicUsize::new(0),
            r#in: AtomicUsize::new(0),
            bytes_max,
        })
    }

    fn side(&self, direction: Direction) -> &AtomicUsize {
        match direction {
            Direction::Out => &self.out,
            Direction::In => &self.r#in,
        }
    }

    pub fn bytes(&self) -> usize {
        let of = |direction| self.side(direction).load(Ordering::Relaxed);
        of(Direction::Out) + of(Direction::In)
    }

    pub fn is_full(&self) -> bool {
        self.bytes() > self.bytes_max
    }
}

/// What one holder has. Four bytes: one sits in every connection.
#[derive(Debug, Default)]
pub struct Share(u32);

impl Share {
    /// It holds so many bytes now.
    pub fn set(&mut self, budget: &Budget, direction: Direction, bytes: usize) {
        let before = self.0;
        let now = u32::try_from(bytes).unwrap_or(u32::MAX);
        if now == before {
            return;
        }
        self.0 = now;
        let side = budget.side(direction);
        let size = |bytes: u32| usize::try_from(bytes).unwrap_or(usize::MAX);
        if before < now {
            side.fetch_add(size(now - before), Ordering::Relaxed);
        } else {
            side.fetch_sub(size(before - now), Ordering::Relaxed);
        }
        #[expect(clippy::cast_precision_loss, reason = "a gauge")]
        let held = side.load(Ordering::Relaxed) as f64;
        match direction {
            Direction::Out => gauge!("ordercast_outbound_bytes").set(held),
            Direction::In => gauge!("ordercast_inbound_bytes").set(held),
        }
    }
}
