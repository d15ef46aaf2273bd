//! A circuit breaker for one host: after failures in a row it is left alone for a while, then asked
//! with one attempt whether it is back.

use crate::Timestamp;
use std::time::Duration;

/// Failures in a row that open it.
const FAILURES: u32 = 5;
const PAUSE_FIRST: Duration = Duration::from_secs(5);
const PAUSE_MAX: Duration = Duration::from_secs(300);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Breaker {
    failures: u32,
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

    pub const fn started(&mut self, now: Timestamp) {
        if self.open_until.is_some() {
            self.probe_since = Some(now);
        }
    }

    pub fn succeeded(&mut self) {
        *self = Self::default();
    }

    pub fn failed(&mut self, now: Timestamp) {
        self.failures = self.failures.saturating_add(1);
        self.probe_since = None;
        if let Some(beyond) = self.failures.checked_sub(FAILURES) {
            let pause = PAUSE_FIRST.saturating_mul(2_u32.saturating_pow(beyond.min(16)));
            self.open_until = Some(now.plus(pause.min(PAUSE_MAX)));
        }
    }
}
