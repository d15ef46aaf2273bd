//! When a delivery is tried again.

use super::Mode;
use crate::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use std::time::Duration;
use thiserror::Error;

const DELAYS_MAX: usize = 64;
const DELAY_SECONDS_MAX: u32 = 7 * 24 * 3600;
/// Of how much of it a delay is moved at most, so that what failed together does not return together.
const JITTER: f64 = 0.2;
/// However long an endpoint asks to be left alone.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 3600);

const MINUTE: u32 = 60;
const HOUR: u32 = 3600;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("must be at most {DELAYS_MAX} delays of 1 to {DELAY_SECONDS_MAX} seconds")]
pub struct InvalidSchedule;

/// Seconds between one attempt and the next; after the last the delivery is dead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Schedule(Vec<u32>);

impl Schedule {
    /// # Errors
    /// [`InvalidSchedule`] for more than 64 delays, or one that is not of 1 second to 7 days.
    pub fn new(delays: Vec<u32>) -> Result<Self, InvalidSchedule> {
        let is_valid = delays.len() <= DELAYS_MAX
            && delays
                .iter()
                .all(|delay| (1..=DELAY_SECONDS_MAX).contains(delay));
        if is_valid {
            Ok(Self(delays))
        } else {
            Err(InvalidSchedule)
        }
    }

    /// 20 attempts within 12 hours (store contract, decision 7).
    #[must_use]
    pub fn reference() -> Self {
        let minutes = std::iter::repeat_n(5, 2)
            .chain(std::iter::repeat_n(15, 7))
            .chain(std::iter::repeat_n(60, 10));
        Self(minutes.map(|minutes| minutes * MINUTE).collect())
    }

    /// 11 attempts within 76 hours: as the Standard Webhooks specification recommends, with one more
    /// soon after the first, because most failures are a restart of the receiver.
    #[must_use]
    pub fn standard() -> Self {
        Self(vec![
            5,
            30,
            5 * MINUTE,
            30 * MINUTE,
            2 * HOUR,
            5 * HOUR,
            10 * HOUR,
            14 * HOUR,
            20 * HOUR,
            24 * HOUR,
        ])
    }

    /// What an endpoint gets that asks for nothing else.
    #[must_use]
    pub fn of_mode(mode: Mode) -> Self {
        match mode {
            Mode::Standard => Self::standard(),
            Mode::ReferenceSeparate | Mode::ReferenceCombined => Self::reference(),
        }
    }

    #[must_use]
    pub fn delays(&self) -> &[u32] {
        &self.0
    }

    /// `made`: attempts until now, 1 or more. `jitter`: -1 to 1, chance. What the endpoint asks for is
    /// granted up to a day, and never makes a delay shorter. `None`: that was the last.
    #[must_use]
    pub fn next(
        &self,
        made: u32,
        now: Timestamp,
        retry_after: Option<Duration>,
        jitter: f64,
    ) -> Option<Timestamp> {
        let index = usize::try_from(made.checked_sub(1)?).ok()?;
        let seconds = f64::from(*self.0.get(index)?);
        let moved = seconds * (1.0 + JITTER * jitter.clamp(-1.0, 1.0));
        let asked = retry_after.unwrap_or_default().min(RETRY_AFTER_MAX);
        Some(now.plus(Duration::from_secs_f64(moved).max(asked)))
    }
}

impl<'de> Deserialize<'de> for Schedule {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Self::new(Vec::deserialize(d)?).map_err(serde::de::Error::custom)
    }
}
