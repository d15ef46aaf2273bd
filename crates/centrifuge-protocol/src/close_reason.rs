//! The text of a WebSocket close frame, as SDKs can bear it.
//!
//! Invariant: a reason is never empty, never too long for a close frame and never JSON. JavaScript
//! looks at the close code only when a reason is present and fails to parse as JSON (JSON there
//! was the reconnect advice of protocol v1); otherwise it reconnects for ever, even after a
//! terminal code.

use std::borrow::Cow;
use std::fmt;

/// Why a connection is closed: 1 to 123 bytes of text that is not JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseReason(Cow<'static, str>);

/// Why a text cannot be the reason of a close frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CloseReasonError {
    /// It is empty.
    #[error("close reason is empty")]
    Empty,
    /// It is longer than [`CloseReason::BYTES_MAX`].
    #[error("close reason is longer than {} bytes", CloseReason::BYTES_MAX)]
    TooLong,
    /// It is JSON or could be taken for it.
    #[error("close reason does not begin with a letter or is a JSON literal")]
    LikeJson,
}

impl CloseReason {
    /// Longest reason in bytes: a control frame carries 125, the code takes two (RFC 6455 5.5).
    pub const BYTES_MAX: usize = 123;

    /// A reason that is known when the program is written.
    ///
    /// # Panics
    ///
    /// Panics where [`CloseReason::new`] would refuse; in a `const` that fails the build.
    pub const fn from_static(text: &'static str) -> Self {
        assert!(check(text).is_none(), "not usable as a close reason");
        CloseReason(Cow::Borrowed(text))
    }

    /// A reason put together while running.
    ///
    /// # Errors
    ///
    /// Refuses a text that is empty, longer than [`CloseReason::BYTES_MAX`], or that does not
    /// begin with an ASCII letter or is one of the words that some JSON parser takes for a value.
    pub fn new(text: impl Into<String>) -> Result<Self, CloseReasonError> {
        let text = text.into();
        match check(&text) {
            None => Ok(CloseReason(Cow::Owned(text))),
            Some(error) => Err(error),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for CloseReason {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A value of JSON that begins with a letter is a literal, so this little can run in a `const`.
/// `NaN` and `Infinity` are no JSON, but Python reads them.
const fn check(text: &str) -> Option<CloseReasonError> {
    let bytes = text.as_bytes();
    if bytes.is_empty() {
        return Some(CloseReasonError::Empty);
    }
    if bytes.len() > CloseReason::BYTES_MAX {
        return Some(CloseReasonError::TooLong);
    }
    let literal = matches!(
        bytes.trim_ascii_end(),
        b"true" | b"false" | b"null" | b"NaN" | b"Infinity"
    );
    if literal || !bytes[0].is_ascii_alphabetic() {
        return Some(CloseReasonError::LikeJson);
    }
    None
}
