//! Frames of length-delimited protobuf messages.
//!
//! Invariant: no length is believed before that many bytes are there, so a frame never makes the
//! decoder reserve more than it holds.

use prost::Message;

use crate::error::DecodeError;

/// Bytes of the longest varint of 64 bits.
const VARINT_BYTES_MAX: usize = 10;

/// Reads messages that are each preceded by their length as an unsigned varint.
pub(crate) fn decode<T: Message + Default>(
    mut frame: &[u8],
    messages_max: usize,
) -> Result<Vec<T>, DecodeError> {
    if frame.is_empty() {
        return Err(DecodeError::Empty);
    }
    let mut messages = Vec::new();
    while !frame.is_empty() {
        if messages.len() == messages_max {
            return Err(DecodeError::TooMany { max: messages_max });
        }
        let (length, rest) = split_length(frame)?;
        let available = rest.len();
        let (message, rest) = usize::try_from(length)
            .ok()
            .and_then(|length| rest.split_at_checked(length))
            .ok_or(DecodeError::Truncated { length, available })?;
        messages.push(decode_one(message)?);
        frame = rest;
    }
    Ok(messages)
}

/// Reads one message that fills the whole input, without a length before it.
pub(crate) fn decode_one<T: Message + Default>(message: &[u8]) -> Result<T, DecodeError> {
    T::decode(message).map_err(|_| DecodeError::Protobuf)
}

pub(crate) fn encode<T: Message>(message: &T, out: &mut Vec<u8>) {
    message
        .encode_length_delimited(out)
        .expect("a Vec has room for every message");
}

fn split_length(frame: &[u8]) -> Result<(u64, &[u8]), DecodeError> {
    let mut length = 0_u64;
    for (index, byte) in frame.iter().take(VARINT_BYTES_MAX).enumerate() {
        let bits = u64::from(byte & 0x7f);
        let shifted = bits << (7 * index);
        if shifted >> (7 * index) != bits {
            return Err(DecodeError::LengthOverflow);
        }
        length |= shifted;
        if byte & 0x80 == 0 {
            return Ok((length, &frame[index + 1..]));
        }
    }
    if frame.len() < VARINT_BYTES_MAX {
        Err(DecodeError::TruncatedLength)
    } else {
        Err(DecodeError::LengthOverflow)
    }
}
