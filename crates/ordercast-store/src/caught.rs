//! A panic while one change is decided fails that change alone.
//!
//! Everywhere else a broken invariant ends the process: nothing must go on from a state that cannot be
//! (see `end_on_panic` of the binary). A decision is the exception, because nothing goes on from it:
//! it is a function of rows, its transaction is rolled back, and what memory holds of it is forgotten.

use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
};
use thiserror::Error;

thread_local! {
    static IS_DECIDING: Cell<bool> = const { Cell::new(false) };
}

/// What was decided broke an invariant of ours; its message is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("an invariant was broken while this was decided")]
pub struct Panicked;

/// Whether a panic of this thread fails one decision only.
#[must_use]
pub fn is_deciding() -> bool {
    IS_DECIDING.get()
}

/// Shows the counter before there is anything to count.
pub(crate) fn describe() {
    metrics::counter!("ordercast_panics_total").increment(0);
}

/// The caller must drop all that `decide` may have changed when it fails.
///
/// # Errors
/// [`Panicked`], counted as `ordercast_panics_total`.
pub fn caught<T>(decide: impl FnOnce() -> T) -> Result<T, Panicked> {
    let was_deciding = IS_DECIDING.replace(true);
    let decided = catch_unwind(AssertUnwindSafe(decide));
    IS_DECIDING.set(was_deciding);
    decided.map_err(|_| {
        metrics::counter!("ordercast_panics_total").increment(1);
        Panicked
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_fails_one_decision_only() {
        assert_eq!(caught(is_deciding), Ok(true));
        let decided = caught(|| assert!(!is_deciding(), "a broken invariant"));
        assert_eq!(decided, Err(Panicked));
        assert!(!is_deciding());
    }
}
