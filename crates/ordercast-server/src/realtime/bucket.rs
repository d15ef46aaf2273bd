//! A token bucket: so many at once, and then so many a second.

use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    pub per_second: f64,
    pub burst: f64,
}

impl Rate {
    pub fn new(per_second: u32, burst: u32) -> Self {
        Self {
            per_second: per_second.into(),
            burst: burst.into(),
        }
    }

    /// In whole tokens.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "made of a whole number that is not negative"
    )]
    pub fn per_second(self) -> u32 {
        self.per_second as u32
    }
}

/// Whoever owns it keeps its [`Rate`]: most buckets of a kind have the same one.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    tokens: f64,
    filled_at: Duration,
}

impl Bucket {
    pub fn full(rate: Rate) -> Self {
        Self {
            tokens: rate.burst,
            filled_at: Duration::ZERO,
        }
    }

    /// Adds what has come by `now`, which is monotonic. A clock read late by another thread takes
    /// nothing back.
    fn fill(&mut self, rate: Rate, now: Duration) {
        let passed = now.saturating_sub(self.filled_at).as_secs_f64();
        self.filled_at = self.filled_at.max(now);
        self.tokens = (self.tokens + passed * rate.per_second).min(rate.burst);
    }

    pub fn has_token(&mut self, rate: Rate, now: Duration) -> bool {
        self.fill(rate, now);
        self.tokens >= 1.0
    }

    pub fn is_full(&mut self, rate: Rate, now: Duration) -> bool {
        self.fill(rate, now);
        self.tokens >= rate.burst
    }

    /// After [`has_token`](Self::has_token).
    pub fn take(&mut self) {
        self.tokens -= 1.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let rate = Rate::new(10, 3);
        let mut bucket = Bucket::full(rate);
        let at = |millis: u64| Duration::from_millis(1_000 + millis);
        let mut passed = |millis| {
            let mut pass = || {
                let may = bucket.has_token(rate, at(millis));
                if may {
                    bucket.take();
                }
                may
            };
            (0..20).filter(|_| pass()).count()
        };
        assert_eq!(passed(0), 3);
        assert_eq!(passed(99), 0);
        assert_eq!(passed(200), 2);
        // Never more than the burst, and a clock read late by another thread gives nothing back.
        assert_eq!(passed(60_000), 3);
        assert_eq!(passed(59_000), 0);
        assert_eq!(passed(60_050), 0);
        assert_eq!(passed(60_101), 1);
    }
}
