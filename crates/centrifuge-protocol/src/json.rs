//! Frames of JSON documents.
//!
//! Invariant: reading takes time linear in the frame and at most the recursion depth of
//! `serde_json`; writing yields one line.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::error::{DecodeError, JsonFault};
use crate::lenient::Object;

/// Reads objects that follow each other, with JSON whitespace around them or without. Upstream
/// splits at line breaks; clients in the field send pretty-printed documents, which that breaks.
pub(crate) fn decode<T: DeserializeOwned>(
    frame: &[u8],
    messages_max: usize,
) -> Result<Vec<T>, DecodeError> {
    let text = std::str::from_utf8(frame).map_err(|_| DecodeError::NotUtf8)?;
    let mut messages = Vec::new();
    let mut documents = serde_json::Deserializer::from_str(text).into_iter::<Object<T>>();
    loop {
        let rest = &frame[documents.byte_offset()..];
        let Some(first) = rest.iter().find(|byte| !is_whitespace(**byte)) else {
            break;
        };
        if *first != b'{' {
            return Err(if messages.is_empty() {
                DecodeError::NotAnObject
            } else {
                DecodeError::TrailingData
            });
        }
        if messages.len() == messages_max {
            return Err(DecodeError::TooMany { max: messages_max });
        }
        match documents.next() {
            Some(Ok(Object(message))) => messages.push(message),
            Some(Err(error)) => return Err(fault(&error)),
            None => break,
        }
    }
    if messages.is_empty() {
        return Err(DecodeError::Empty);
    }
    Ok(messages)
}

/// Reads exactly one object.
pub(crate) fn decode_one<T: DeserializeOwned>(document: &[u8]) -> Result<T, DecodeError> {
    let mut messages = decode(document, 1)?;
    messages.pop().ok_or(DecodeError::Empty)
}

pub(crate) fn encode<T: Serialize>(message: &T, out: &mut Vec<u8>) {
    // Keys are strings, payloads are checked, and a Vec takes every write.
    serde_json::to_writer(out, message).expect("messages of the protocol always serialise");
}

/// Whitespace of RFC 8259 section 2, which is less than what Rust calls ASCII whitespace.
fn is_whitespace(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Keeps the place and drops the text: serde quotes the offending value, which may be a token.
fn fault(error: &serde_json::Error) -> DecodeError {
    let fault = match error.classify() {
        Category::Eof => JsonFault::Truncated,
        Category::Data => JsonFault::Shape,
        Category::Syntax | Category::Io => JsonFault::Syntax,
    };
    DecodeError::Json {
        fault,
        line: error.line(),
        column: error.column(),
    }
}
