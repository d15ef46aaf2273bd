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
            self.turn_to(now, &mut done, |id, at| registry.get(id)?.tick(at));
        }
    }

    /// Visits whose slot has come by `now`. `visit` tells when to come again.
    ///
    /// All slots are emptied before anybody is visited: a process that was suspended for half a turn has
    /// many to catch up with, and what is booked meanwhile may lie behind them in the wheel, where it
    /// would be taken for an appointment that no longer stands.
    fn turn_to(
        &self,
        now: u64,
        done: &mut u64,
        mut visit: impl FnMut(u64, Duration) -> Option<Duration>,
    ) {
        let mut due = Vec::new();
        for tick in (*done + 1..=now).take(self.slots.len()) {
            let slot = usize::try_from(tick % SLOTS).unwrap_or(0);
            due.append(&mut self.slots[slot].lock());
        }
        *done = now.max(*done);
        let at = TICK * u32::try_from(now).unwrap_or(u32::MAX);
        for id in due {
            if let Some(next) = visit(id, at) {
                self.schedule(id, next);
            }
        }
    }
}

fn ticks(at: Duration) -> u64 {
    u64::try_from(at.as_millis() / TICK.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every 25 s, as pings are; the process was suspended for `suspended` before the first one.
    fn pings_after(suspended: Duration) {
        let interval = Duration::from_secs(25);
        // The wheel books from now on, and has done nothing for so long.
        let started = crate::clock::monotonic().checked_sub(suspended);
        let clock = Clock {
            started: started.expect("a machine that is up for a few minutes"),
        };
        let wheel = Wheel::new(clock);
        let now = ticks(clock.monotonic());
        let mut done = 0;
        // Each has an appointment somewhere in the time that was slept through.
        let mut scheduled: Vec<_> = (1..250).map(|tick| TICK * tick).collect();
        for (id, at) in scheduled.iter().enumerate() {
            let slot = usize::try_from((ticks(*at) + 1) % SLOTS).expect("small");
            wheel.slots[slot].lock().push(id as u64);
        }
        let mut visits = vec![0; scheduled.len()];
        for now in [now, now + 251, now + 502] {
            wheel.turn_to(now, &mut done, |id, at| {
                let id = usize::try_from(id).expect("small");
                // As a peer does: an older appointment, another one stands.
                if at < scheduled[id] {
                    return None;
                }
                visits[id] += 1;
                scheduled[id] = at + interval;
                // What is booked is booked from the real time on.
                Some(scheduled[id])
            });
        }
        assert!(
            visits.iter().all(|count| *count >= 2),
            "{suspended:?}: {visits:?}"
        );
    }

    #[test]
    fn nobody_is_forgotten_after_the_process_was_suspended() {
        for seconds in [0, 26, 30, 51, 52, 120] {
            pings_after(Duration::from_secs(seconds));
        }
    }
}
