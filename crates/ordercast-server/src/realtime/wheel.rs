//! One timer wheel for all connections: pings, pongs, lifetimes, close delays.
//!
//! It holds ids, not connections: one that is gone costs eight bytes until its slot comes.

use super::{Clock, registry::Registry};
use parking_lot::Mutex;
use std::{sync::Arc, time::Duration};

const TICK: Duration = Duration::from_millis(100);
const SLOTS: u64 = 512;
/// Furthest appointment: a turn, less what rounding may add.
pub const TURN: Duration = Duration::from_secs(50);

#[derive(Debug)]
pub struct Wheel {
    slots: Vec<Mutex<Vec<u64>>>,
    clock: Clock,
}

impl Wheel {
    pub fn new(clock: Clock) -> Self {
        Self {
            slots: (0..SLOTS).map(|_| Mutex::default()).collect(),
            clock,
        }
    }

    pub fn schedule(&self, id: u64, deadline: Duration) {
        let now = ticks(self.clock.monotonic());
        // Rounded up, so that a visit is never too early.
        let at = (ticks(deadline) + 1).clamp(now + 1, now + SLOTS - 1);
        let slot = usize::try_from(at % SLOTS).unwrap_or(0);
        self.slots[slot].lock().push(id);
    }

    /// Runs until it is dropped.
    pub async fn run(self: Arc<Self>, registry: Arc<Registry>) {
        let mut interval = tokio::time::interval(TICK);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut done = ticks(self.clock.monotonic());
        loop {
            interval.tick().await;
            let now = ticks(self.clock.monotonic());
            while done < now {
                done += 1;
                let slot = usize::try_from(done % SLOTS).unwrap_or(0);
                let ids = std::mem::take(&mut *self.slots[slot].lock());
                for id in ids {
                    let Some(peer) = registry.get(id) else {
                        continue;
                    };
                    if let Some(next) = peer.tick(TICK * u32::try_from(done).unwrap_or(u32::MAX)) {
                        self.schedule(id, next);
                    }
                }
            }
        }
    }
}

fn ticks(at: Duration) -> u64 {
    u64::try_from(at.as_millis() / TICK.as_millis()).unwrap_or(u64::MAX)
}
