//! Whether the clock can be believed: jobs that end an order's life or delete rows by age wait while it
//! cannot.
//!
//! A clock that goes as time passes is steady. After a step, in the running process or since the time at
//! which it was known to be steady before, the jobs wait as long as the step was, an hour at most, for
//! somebody to put it right. A clock that stays where it stepped to is believed after that.

use ordercast_core::Timestamp;
use std::time::Duration;

/// Clocks are corrected by less than this all the time.
pub const STEP_MIN: Duration = Duration::from_secs(5 * 60);
/// The longest that jobs wait for a clock to be put right.
pub const WAIT_MAX: Duration = Duration::from_secs(3600);
/// Looks come every few seconds: a monotonic clock that says more in between was stepped too, or the
/// process was stopped, and saw nothing of that time.
const BETWEEN_LOOKS_MAX: Duration = Duration::from_secs(60);

/// The time of day at one moment of a clock that never steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Moment {
    time: Timestamp,
    monotonic: Duration,
}

impl Moment {
    /// Milliseconds that `time` is ahead of what it should be, now that `monotonic` has passed.
    fn step(self, time: Timestamp, monotonic: Duration) -> i64 {
        let expected = self.time.plus(monotonic.saturating_sub(self.monotonic));
        time.millis() - expected.millis()
    }
}

fn is_step(millis: i64) -> bool {
    Duration::from_millis(millis.unsigned_abs()) >= STEP_MIN
}

/// A clock that stepped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Doubt {
    since: Moment,
    until: Duration,
}

#[derive(Debug)]
pub struct Steadiness {
    /// The monotonic time of the last look, and how much of it was seen to pass.
    last: Duration,
    passed: Duration,
    believed: Moment,
    doubt: Option<Doubt>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    Steady,
    /// Milliseconds that it is ahead of what was believed (negative: behind), and how long jobs wait yet.
    Doubtful {
        step: i64,
        wait: Duration,
    },
}

impl Steadiness {
    /// `before`: when the clock was known to be steady before this process.
    #[must_use]
    pub fn new(before: Option<Timestamp>, monotonic: Duration, now: Timestamp) -> Self {
        Self {
            last: monotonic,
            passed: Duration::ZERO,
            believed: Moment {
                time: before.unwrap_or(now),
                monotonic: Duration::ZERO,
            },
            doubt: None,
        }
    }

    pub fn look(&mut self, now: Timestamp, monotonic: Duration) -> Clock {
        self.passed += monotonic.saturating_sub(self.last).min(BETWEEN_LOOKS_MAX);
        self.last = monotonic;
        let monotonic = self.passed;
        let here = Moment {
            time: now,
            monotonic,
        };
        let step = self.believed.step(now, monotonic);
        if !is_step(step) {
            self.believed = here;
            self.doubt = None;
            return Clock::Steady;
        }
        let doubt = match self.doubt {
            // It has stayed where it stepped to.
            Some(doubt) if !is_step(doubt.since.step(now, monotonic)) => doubt,
            _ => Doubt {
                since: here,
                until: monotonic + Duration::from_millis(step.unsigned_abs()).min(WAIT_MAX),
            },
        };
        self.doubt = Some(doubt);
        let wait = doubt.until.saturating_sub(monotonic);
        if wait.is_zero() {
            self.believed = here;
            self.doubt = None;
            return Clock::Steady;
        }
        Clock::Doubtful { step, wait }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60;
    const DAY: i64 = 24 * 3600;

    /// Seconds of the time of day and of the clock that never steps, and whether jobs may run then.
    fn check(before: Option<i64>, looks: &[(i64, u64, bool)]) {
        let time = |seconds| Timestamp::from_seconds(1_700_000_000 + seconds);
        let mut clock = Steadiness::new(before.map(time), Duration::ZERO, time(looks[0].0));
        let mut last = 0;
        for (now, monotonic, is_steady) in looks {
            // As often as the jobs look.
            let mut found = None;
            while last < *monotonic || found.is_none() {
                last = (*monotonic).min(last + 5);
                let ago = i64::try_from(*monotonic - last).expect("seconds");
                found = Some(clock.look(time(*now - ago), Duration::from_secs(last)));
            }
            let is_found = found == Some(Clock::Steady);
            assert_eq!(is_found, *is_steady, "{now} {monotonic} {found:?}");
        }
    }

    #[test]
    fn a_monotonic_clock_that_steps_along_proves_nothing() {
        let start = Timestamp::from_seconds(1_700_000_000);
        let mut clock = Steadiness::new(Some(start), Duration::ZERO, start);
        assert_eq!(clock.look(start, Duration::ZERO), Clock::Steady);
        let days = Duration::from_secs(8 * 24 * 3600);
        let found = clock.look(start.plus(days), days);
        assert!(matches!(found, Clock::Doubtful { .. }), "{found:?}");
    }

    #[test]
    fn a_clock_that_goes_as_time_passes_is_steady() {
        check(None, &[(0, 0, true), (60, 60, true), (DAY, 86_400, true)]);
        check(Some(0), &[(1, 0, true), (MINUTE * 4, 60, true)]);
        // Small corrections, forwards and back, are never a step.
        check(Some(0), &[(200, 0, true), (30, 60, true), (300, 120, true)]);
    }

    #[test]
    fn jobs_wait_for_a_clock_that_is_wrong_for_a_while() {
        let days = 8 * DAY;
        check(
            Some(0),
            &[
                (10, 10, true),
                (days, 20, false),
                (days + 50, 70, false),
                // Put right.
                (80, 80, true),
                (90, 90, true),
            ],
        );
        // Wrong from the start of the process on, and again after a second one.
        check(Some(0), &[(days, 0, false), (days + 3_500, 3_500, false)]);
        // Back, too: what is written then looks old afterwards.
        check(Some(0), &[(-days, 0, false), (100, 100, true)]);
    }

    #[test]
    fn a_clock_that_stays_is_believed() {
        let days = 8 * DAY;
        check(
            Some(0),
            &[
                (days, 0, false),
                (days + 3_599, 3_599, false),
                (days + 3_600, 3_600, true),
                (days + 3_700, 3_700, true),
            ],
        );
        // A server that was off for ten minutes waits ten minutes.
        check(
            Some(0),
            &[(600, 0, false), (1_199, 599, false), (1_200, 600, true)],
        );
        // A clock that steps again and again is never believed.
        check(
            Some(0),
            &[
                (days, 0, false),
                (2 * days, 3_000, false),
                (3 * days, 3_700, false),
                (3 * days + 2_800, 6_500, false),
            ],
        );
    }
}
