//! When an endpoint is given up.

use crate::Timestamp;
use std::time::Duration;

/// Both must be: a busy shop fails often in a minute, a quiet one seldom in a week.
pub const FAILURES_MIN: u32 = 20;
pub const FAILING_MIN: Duration = Duration::from_secs(5 * 24 * 3600);

/// `failures`: attempts in a row that failed, the first of them at `since`.
#[must_use]
pub fn is_hopeless(failures: u32, since: Timestamp, now: Timestamp) -> bool {
    failures >= FAILURES_MIN && now >= since.plus(FAILING_MIN)
}
