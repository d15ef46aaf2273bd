//! Frames to messages and messages to frames, in either encoding.
//!
//! Invariant: every function is total: any bytes give messages or a [`DecodeError`], any message
//! can be written.

use bytes::Bytes;
use prost::Message;
use serde::de::DeserializeOwned;

use crate::error::DecodeError;
use crate::message::{Command, ConnectRequest, EmulationRequest, Push, Reply};
use crate::{json, protobuf};

/// How messages are written. Centrifuge client protocol v2: protobuf when the subprotocol
/// `centrifuge-protobuf` was negotiated, JSON otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Text frames; documents follow each other, customarily one a line.
    Json,
    /// Binary frames; each message is preceded by its length as an unsigned varint.
    Protobuf,
}

/// Smallest id of a command: raw clients derive ids from a signed 32-bit hash.
const COMMAND_ID_MIN: i64 = i32::MIN as i64;
/// Greatest id of a command: the protocol says uint32.
const COMMAND_ID_MAX: i64 = u32::MAX as i64;

/// Reads the commands of a frame, on the server. A pong (`{}`, byte `00`) is `Command::default()`.
///
/// JSON: unknown members are ignored, a member that is `null` counts as absent, one that comes
/// twice is refused, and any JSON whitespace may stand between tokens and documents. Protobuf:
/// unknown fields are ignored.
///
/// # Errors
///
/// [`DecodeError`] says what is wrong with the frame; nothing of the frame may be acted on then.
/// More than `commands_max` commands are refused before the surplus one is read.
pub fn decode_commands(
    encoding: Encoding,
    frame: &[u8],
    commands_max: usize,
) -> Result<Vec<Command>, DecodeError> {
    let commands: Vec<Command> = decode_frame(encoding, frame, commands_max)?;
    for &Command { id, .. } in &commands {
        if !(COMMAND_ID_MIN..=COMMAND_ID_MAX).contains(&id) {
            return Err(DecodeError::IdOutOfRange { id });
        }
    }
    Ok(commands)
}

/// Reads the replies of a frame, on the client. A ping is `Reply::default()`.
///
/// # Errors
///
/// As [`decode_commands`].
pub fn decode_replies(
    encoding: Encoding,
    frame: &[u8],
    replies_max: usize,
) -> Result<Vec<Reply>, DecodeError> {
    decode_frame(encoding, frame, replies_max)
}

/// Reads the bare pushes of a frame, on the client of a unidirectional transport. A ping is
/// `Push::default()`.
///
/// # Errors
///
/// As [`decode_commands`].
pub fn decode_pushes(
    encoding: Encoding,
    frame: &[u8],
    pushes_max: usize,
) -> Result<Vec<Push>, DecodeError> {
    decode_frame(encoding, frame, pushes_max)
}

/// Reads the bare request that opens a unidirectional transport: one JSON object, or one protobuf
/// message without a length before it.
///
/// # Errors
///
/// As [`decode_commands`]; a second JSON object is [`DecodeError::TooMany`].
pub fn decode_connect_request(
    encoding: Encoding,
    message: &[u8],
) -> Result<ConnectRequest, DecodeError> {
    decode_message(encoding, message)
}

/// Reads the body of an emulation request: one JSON object, or one protobuf message without a
/// length before it. `data` of the result is a frame for [`decode_commands`] in both encodings.
///
/// # Errors
///
/// As [`decode_commands`]; also [`DecodeError::EmulationData`] when `data` is JSON but neither
/// absent nor a string, which is how the frame is embedded.
pub fn decode_emulation(encoding: Encoding, body: &[u8]) -> Result<EmulationRequest, DecodeError> {
    let mut request: EmulationRequest = decode_message(encoding, body)?;
    if encoding == Encoding::Json && !request.data.is_empty() {
        let frame: String =
            serde_json::from_slice(&request.data).map_err(|_| DecodeError::EmulationData)?;
        request.data = Bytes::from(frame);
    }
    Ok(request)
}

/// Appends one command. JSON has no line break, neither inside nor at the end; protobuf has its
/// length in front. A payload that is not JSON becomes a JSON string.
pub fn encode_command(encoding: Encoding, command: &Command, out: &mut Vec<u8>) {
    match encoding {
        Encoding::Json => json::encode(command, out),
        Encoding::Protobuf => protobuf::encode(command, out),
    }
}

/// Appends one reply, as [`encode_command`] does. A ping is exactly `{}` or the byte `00`.
pub fn encode_reply(encoding: Encoding, reply: &Reply, out: &mut Vec<u8>) {
    match encoding {
        Encoding::Json => json::encode(reply, out),
        Encoding::Protobuf => protobuf::encode(reply, out),
    }
}

/// Appends one bare push for a unidirectional transport, as [`encode_command`] does. A ping is
/// exactly `{}` or the byte `00`.
pub fn encode_push(encoding: Encoding, push: &Push, out: &mut Vec<u8>) {
    match encoding {
        Encoding::Json => json::encode(push, out),
        Encoding::Protobuf => protobuf::encode(push, out),
    }
}

fn decode_frame<T: Message + Default + DeserializeOwned>(
    encoding: Encoding,
    frame: &[u8],
    messages_max: usize,
) -> Result<Vec<T>, DecodeError> {
    match encoding {
        Encoding::Json => json::decode(frame, messages_max),
        Encoding::Protobuf => protobuf::decode(frame, messages_max),
    }
}

fn decode_message<T: Message + Default + DeserializeOwned>(
    encoding: Encoding,
    message: &[u8],
) -> Result<T, DecodeError> {
    match encoding {
        Encoding::Json => json::decode_one(message),
        Encoding::Protobuf => protobuf::decode_one(message),
    }
}
