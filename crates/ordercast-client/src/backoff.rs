//! How long to wait before the next attempt.
//!
//! Invariant: pure; every delay lies in [`DELAY_MIN`]..=[`DELAY_MAX`]. The runner brings the
//! random number.

use std::time::Duration;

/// Shortest delay: what the Go SDK uses, and too long for a loop to hurt the server.
pub(crate) const DELAY_MIN: Duration = Duration::from_millis(200);
/// Longest delay, as in all SDKs.
pub(crate) const DELAY_MAX: Duration = Duration::from_secs(20);

/// The delay before attempt number `failures` + 1 in a row; `fraction` is random in 0..=1.
///
/// Full jitter: anything up to twice the previous span, so that clients which a restart threw out
/// together do not come back together.
pub(crate) fn delay(failures: u32, fraction: f64) -> Duration {
    // 2^7 times the minimum is above the maximum; a greater exponent changes nothing.
    let span = DELAY_MIN * 2_u32.pow(failures.min(7));
    let span = span.min(DELAY_MAX - DELAY_MIN);
    DELAY_MIN + span.mul_f64(fraction.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_and_stays_within_bounds() {
        let spans: Vec<u128> = (0..9).map(|n| delay(n, 1.0).as_millis()).collect();
        assert_eq!(
            spans,
            [400, 600, 1000, 1800, 3400, 6600, 13000, 20000, 20000]
        );
        for failures in [0, 1, 7, 8, u32::MAX] {
            assert_eq!(delay(failures, 0.0), DELAY_MIN);
            assert!(delay(failures, 1.0) <= DELAY_MAX);
            assert_eq!(delay(failures, f64::INFINITY), delay(failures, 1.0));
        }
    }
}
