//! The id of a request: the caller's own `x-request-id` or one of ours, in the answer and on every log
//! line of the request, so that a shop and its operator can speak of the same one.

use crate::clock;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use std::sync::{
    LazyLock,
    atomic::{AtomicU64, Ordering},
};

pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Longer ones are replaced: an id stands on every line of the log.
const BYTES_MAX: usize = 128;

/// Random for each process, so that ids of two processes differ; the counter tells requests apart.
static PROCESS: LazyLock<u32> = LazyLock::new(|| u32::from_le_bytes(clock::random()));
static NEXT: AtomicU64 = AtomicU64::new(1);

/// The caller's id when it is 1 to 128 visible ASCII characters, else a new one.
pub fn of(headers: &HeaderMap) -> HeaderValue {
    let given = headers.get(HEADER).filter(|given| {
        (1..=BYTES_MAX).contains(&given.len()) && given.as_bytes().iter().all(u8::is_ascii_graphic)
    });
    given.cloned().unwrap_or_else(new)
}

fn new() -> HeaderValue {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let text = format!("{:08x}{number:08x}", *PROCESS);
    // Hexadecimal digits are always a header's value.
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("0"))
}

/// Puts the id of the request with `headers` into its answer, for answers given before the router.
pub fn answer(headers: &HeaderMap, answer: &mut HeaderMap) {
    answer.insert(HEADER, of(headers));
}
