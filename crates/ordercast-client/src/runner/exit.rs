//! The ways out of a connection.
//!
//! Invariant: whether to come back is decided by the rule of the SDKs, not by the text of a reason.

use centrifuge_protocol::should_reconnect;

use crate::error::TrackError;

/// Why something did not go on.
pub(super) enum Exit {
    /// The connection is gone or was not made; there may be another.
    Lost { code: Option<u16>, reason: String },
    /// There will be no other.
    Failed {
        code: Option<u16>,
        error: TrackError,
    },
    /// Nothing is left to do, or nobody listens.
    Finished,
}

/// A close frame came, or the connection broke.
pub(super) fn closed(code: Option<u16>, reason: String) -> Exit {
    match code {
        Some(code) if !should_reconnect(code) => Exit::Failed {
            code: Some(code),
            error: TrackError::Closed { code, reason },
        },
        Some(_) | None => Exit::Lost { code, reason },
    }
}

/// The connection is given up from this side.
pub(super) fn lost(reason: &str) -> Exit {
    Exit::Lost {
        code: None,
        reason: reason.to_owned(),
    }
}
