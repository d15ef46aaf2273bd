//! What holds for all messages and all bytes.

use centrifuge_protocol::{
    Bytes, Command, DecodeError, Encoding, Publication, Push, Reply, decode_commands,
    decode_connect_request, decode_emulation, decode_pushes, decode_replies, encode_command,
    encode_push, encode_reply,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::sample;

const ENCODINGS: [Encoding; 2] = [Encoding::Json, Encoding::Protobuf];

type Encode<T> = fn(Encoding, &T, &mut Vec<u8>);
type Decode<T> = fn(Encoding, &[u8], usize) -> Result<Vec<T>, DecodeError>;

/// Both encodings give the messages back, alone and several in a frame; since they give back equal
/// values, they agree with each other.
fn check_round_trip<T: PartialEq + std::fmt::Debug>(
    messages: &[T],
    encode: Encode<T>,
    decode: Decode<T>,
) -> Result<(), TestCaseError> {
    for encoding in ENCODINGS {
        let mut frame = Vec::new();
        for message in messages {
            let start = frame.len();
            encode(encoding, message, &mut frame);
            if encoding == Encoding::Json {
                prop_assert!(!frame[start..].contains(&b'\n'));
                prop_assert!(!frame[start..].contains(&b'\r'));
                frame.push(b'\n');
            }
        }
        // Equality is asserted bare: `Debug` of requests leaves out what may differ.
        let decoded = decode(encoding, &frame, messages.len());
        prop_assert!(
            decoded.as_deref() == Ok(messages),
            "{encoding:?} {} {decoded:?}",
            String::from_utf8_lossy(&frame)
        );
    }
    Ok(())
}

fn command() -> impl Strategy<Value = Command> {
    (
        sample::message::<Command>(),
        i64::from(i32::MIN)..=i64::from(u32::MAX),
    )
        .prop_map(|(command, id)| Command { id, ..command })
}

/// Bytes near enough to real frames to reach the depths of the decoders.
fn almost_json() -> impl Strategy<Value = Vec<u8>> {
    let token = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        " ",
        "\n",
        "\t",
        "null",
        "true",
        "0",
        "-1",
        "1e9",
        "\"\"",
        "\"id\"",
        "\"connect\"",
        "\"data\"",
        "\"subs\"",
        "\"history\"",
        "\"since\"",
        "\"push\"",
        "\"pub\"",
        "\"tags\"",
        "\"error\"",
        "\"tf\"",
        "\"nodes\"",
        "\"\\ud800\"",
        "{}",
        "[]",
    ]);
    vec(token, 0..40).prop_map(|tokens| tokens.concat().into_bytes())
}

/// A frame of a real command with one byte changed and the end cut off.
fn damaged_frame() -> impl Strategy<Value = Vec<u8>> {
    (
        command(),
        any::<bool>(),
        any::<prop::sample::Index>(),
        any::<u8>(),
        any::<prop::sample::Index>(),
    )
        .prop_map(|(command, json, place, byte, end)| {
            let mut frame = Vec::new();
            encode_command(ENCODINGS[usize::from(!json)], &command, &mut frame);
            let place = place.index(frame.len());
            frame[place] = byte;
            frame.truncate(end.index(frame.len() + 1));
            frame
        })
}

fn decode_as_everything(frame: &[u8], max: usize) -> Result<(), TestCaseError> {
    for encoding in ENCODINGS {
        if let Ok(commands) = decode_commands(encoding, frame, max) {
            prop_assert!((1..=max).contains(&commands.len()));
        }
        if let Ok(replies) = decode_replies(encoding, frame, max) {
            prop_assert!((1..=max).contains(&replies.len()));
        }
        if let Ok(pushes) = decode_pushes(encoding, frame, max) {
            prop_assert!((1..=max).contains(&pushes.len()));
        }
        let _ = decode_connect_request(encoding, frame);
        let _ = decode_emulation(encoding, frame);
    }
    Ok(())
}

proptest! {
    #[test]
    fn commands_survive_both_encodings(commands in vec(command(), 1..4)) {
        check_round_trip(&commands, encode_command, decode_commands)?;
    }

    #[test]
    fn replies_survive_both_encodings(replies in vec(sample::message::<Reply>(), 1..4)) {
        check_round_trip(&replies, encode_reply, decode_replies)?;
    }

    #[test]
    fn pushes_survive_both_encodings(pushes in vec(sample::message::<Push>(), 1..4)) {
        check_round_trip(&pushes, encode_push, decode_pushes)?;
    }

    #[test]
    fn any_bytes_are_read_or_refused(frame in vec(any::<u8>(), 0..200), max in 0..4_usize) {
        decode_as_everything(&frame, max)?;
    }

    #[test]
    fn any_tokens_are_read_or_refused(frame in almost_json(), max in 0..4_usize) {
        decode_as_everything(&frame, max)?;
    }

    #[test]
    fn any_damage_is_read_or_refused(frame in damaged_frame(), max in 1..4_usize) {
        decode_as_everything(&frame, max)?;
    }

    #[test]
    fn any_payload_leaves_the_frame_intact(payload in vec(any::<u8>(), 1..40), offset: u64) {
        let publication = Publication { data: Bytes::from(payload), offset, ..Default::default() };
        let push = Push { publication: Some(publication), ..Default::default() };
        let mut frame = Vec::new();
        encode_push(Encoding::Json, &push, &mut frame);
        prop_assert!(!frame.contains(&b'\n') && !frame.contains(&b'\r'));
        let read = decode_pushes(Encoding::Json, &frame, 1).unwrap();
        prop_assert_eq!(read[0].publication.as_ref().unwrap().offset, offset);
    }
}
