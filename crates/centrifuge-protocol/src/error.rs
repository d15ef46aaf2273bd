//! Why a frame could not be read.
//!
//! Invariant: no variant repeats what the peer sent beyond a number, so an error may be logged and
//! sent back as a close reason whatever the frame held.

use std::fmt;

use crate::close_reason::CloseReason;

/// Why a frame could not be read. A server answers each with disconnect code 3501 (bad request).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The frame holds no message.
    #[error("empty frame")]
    Empty,
    /// A JSON frame is not UTF-8.
    #[error("frame is not UTF-8")]
    NotUtf8,
    /// A JSON frame does not begin with an object.
    #[error("frame is not a JSON object")]
    NotAnObject,
    /// After one or more JSON objects something else follows.
    #[error("trailing data after a JSON object")]
    TrailingData,
    /// A JSON object cannot be read.
    #[error("{fault} at line {line} column {column}")]
    Json {
        /// What is wrong.
        fault: JsonFault,
        /// Line in the frame, from 1.
        line: usize,
        /// Column in bytes, from 1; 0 is the break before the line.
        column: usize,
    },
    /// The frame holds more messages than the caller allows.
    #[error("more than {max} messages in a frame")]
    TooMany {
        /// Most messages that the caller allows.
        max: usize,
    },
    /// The id of a command is not in -2^31..=2^32-1.
    #[error("command id {id} is out of range")]
    IdOutOfRange {
        /// The id.
        id: i64,
    },
    /// A protobuf frame ends within the length of a message.
    #[error("frame ends within a message length")]
    TruncatedLength,
    /// The length of a protobuf message is longer than 64 bits.
    #[error("message length is longer than 64 bits")]
    LengthOverflow,
    /// A protobuf frame ends within a message.
    #[error("message of {length} bytes has only {available}")]
    Truncated {
        /// Bytes that were announced.
        length: u64,
        /// Bytes that are there.
        available: usize,
    },
    /// A protobuf message cannot be read.
    #[error("malformed protobuf message")]
    Protobuf,
    /// The commands inside an emulation request are not a JSON string.
    #[error("data of an emulation request is not a JSON string")]
    EmulationData,
}

impl DecodeError {
    /// The error as the reason of a close frame.
    pub fn close_reason(&self) -> CloseReason {
        const FALLBACK: CloseReason = CloseReason::from_static("bad request: undecodable frame");
        CloseReason::new(format!("bad request: {self}")).unwrap_or(FALLBACK)
    }
}

/// What is wrong with a JSON document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonFault {
    /// It is not JSON, or is nested too deeply.
    Syntax,
    /// It is JSON, but a member has a type or a value that the protocol does not allow, or comes
    /// twice.
    Shape,
    /// It ends too early.
    Truncated,
}

impl fmt::Display for JsonFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            JsonFault::Syntax => "malformed JSON",
            JsonFault::Shape => "unexpected type, value or duplicate",
            JsonFault::Truncated => "truncated JSON",
        })
    }
}
