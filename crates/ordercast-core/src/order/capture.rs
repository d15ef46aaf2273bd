//! What came in of one payment: as a whole, or in parts that its provider names.

use crate::ids::CaptureId;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capture {
    /// `None`: the payment as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<CaptureId>,
    /// Minor units; `None`: not told, only that it failed.
    pub minor: Option<i64>,
    /// It was told as done and did not happen.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub failed: bool,
}

/// Far above any honest payment; a bound because each capture is kept in the order's row.
pub(super) const CAPTURES_MAX: usize = 100;

/// Of a payment that is told as a whole and in parts, the larger sum: they are the same money. A part
/// that failed without ever having been told as done is missing from the whole.
pub(super) fn sum(captures: &[Capture]) -> i64 {
    let mut whole = 0_i64;
    let mut parts = 0_i64;
    let mut failed = 0_i64;
    for capture in captures {
        match (&capture.id, capture.failed, capture.minor) {
            (None, false, Some(minor)) => whole = whole.max(minor),
            (Some(_), false, Some(minor)) => parts = parts.saturating_add(minor),
            (Some(_), true, Some(minor)) => failed = failed.saturating_add(minor),
            (Some(_), true, None) => failed = i64::MAX,
            (None, true, _) | (_, false, None) => {}
        }
    }
    whole.saturating_sub(failed).max(parts).max(0)
}
