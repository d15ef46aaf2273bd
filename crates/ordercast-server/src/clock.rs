//! The one place where the server asks for the time of day and for randomness.

use ordercast_core::Timestamp;
use std::time::{SystemTime, UNIX_EPOCH};

#[must_use]
pub fn now() -> Timestamp {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

/// # Panics
/// When the operating system has no randomness to give: nothing safe can be done then.
#[must_use]
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    if let Err(error) = getrandom::fill(&mut bytes) {
        panic!("the operating system gives no randomness: {error}");
    }
    bytes
}

/// A secret of 32 random bytes behind a prefix that says what it is.
#[must_use]
pub fn secret(prefix: &str) -> String {
    let bytes = random::<32>();
    format!(
        "{prefix}{}",
        data_encoding::BASE32_NOPAD
            .encode(&bytes)
            .to_ascii_lowercase()
    )
}

/// For durations: never jumps.
#[must_use]
pub fn monotonic() -> std::time::Instant {
    std::time::Instant::now()
}
