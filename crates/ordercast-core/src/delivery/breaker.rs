//! A circuit breaker for one endpoint: after failures in a row it is left alone for a while, then asked
//! with one attempt whether it is back.
//!
//! Invariant: one order alone never opens it, however often it fails: a failing order blocks only
//! itself (guarantees, I24).

use crate::{OrderId, Timestamp};
use std::time::Duration;

/// Orders that failed in a row, with no attempt between them that went well, that open it.
pub const ORDERS: usize = 5;
const PAUSE_FIRST: Duration = Duration::from_secs(5);
const PAUSE_MAX: Duration = Duration::from_secs(300);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Breaker {
    /// At most [`ORDERS`], each once.
    failing: Vec<OrderId>,
    /// Pauses since it opened.
    pauses: u32,
    open_until: Option<Timestamp>,
    /// When the one attempt began that asks.
    probe_since: Option<Timestamp>,
}

impl Breaker {
    /// When to ask again; `None`: an attempt may be made.
    #[must_use]
    pub fn open_until(&self, now: Timestamp) -> Option<Timestamp> {
        let until = self.open_until?;
        match self.probe_since {
            // It ends within its time limit, and then this changes; the pause is for a lost one.
            Some(since) if now < since.plus(PAUSE_MAX) => Some(since.plus(PAUSE_MAX)),
            _ if now < until => Some(until),
            _ => None,
        }
    }

    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.open_until.is_some()
    }

    pub const fn started(&mut self, now: Timestamp) {
        if self.open_until.is_some() {
            self.probe_since = Some(now);
        }
    }

    pub fn succeeded(&mut self) {
        *self = Self::default();
    }

    pub fn failed(&mut self, order: OrderId, now: Timestamp) {
        let was_probe = self.probe_since.take().is_some();
        match self.open_until {
            // Begun before it opened: says nothing that is not known.
            Some(until) if !was_probe && now < until => return,
            Some(_) => {}
            None => {
                if !self.failing.contains(&order) {
                    self.failing.push(order);
                }
                if self.failing.len() < ORDERS {
                    return;
                }
            }
        }
        let pause = PAUSE_FIRST.saturating_mul(2_u32.saturating_pow(self.pauses.min(16)));
        self.pauses = self.pauses.saturating_add(1);
        self.open_until = Some(now.plus(pause.min(PAUSE_MAX)));
    }
}
