//! Frames that are refused, and with what.

use centrifuge_protocol::{
    DecodeError, Encoding, JsonFault, decode_commands, decode_connect_request, decode_emulation,
    decode_pushes, decode_replies,
};

#[track_caller]
fn refuse(encoding: Encoding, frame: impl AsRef<[u8]>) -> DecodeError {
    decode_commands(encoding, frame.as_ref(), 3).unwrap_err()
}

#[track_caller]
fn check_json(frame: impl AsRef<[u8]>, expected: DecodeError) {
    assert_eq!(refuse(Encoding::Json, frame), expected);
}

#[track_caller]
fn check_fault(frame: &str, expected: JsonFault) {
    match refuse(Encoding::Json, frame) {
        DecodeError::Json { fault, .. } => assert_eq!(fault, expected),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn check_protobuf(frame: &[u8], expected: DecodeError) {
    assert_eq!(refuse(Encoding::Protobuf, frame), expected);
}

#[test]
fn frames_without_a_message() {
    check_json("", DecodeError::Empty);
    check_json(" \t\r\n", DecodeError::Empty);
    check_protobuf(&[], DecodeError::Empty);
}

#[test]
fn json_frames_that_are_not_objects() {
    for frame in [
        "[]",
        "[{}]",
        "1",
        "null",
        "\"{}\"",
        "connect",
        "\u{feff}{}",
        ",{}",
        "\u{b}{}",
    ] {
        check_json(frame, DecodeError::NotAnObject);
    }
    check_json(b"\xff", DecodeError::NotUtf8);
    check_json(b"{\"unknown\":\"\xc3\x28\"}", DecodeError::NotUtf8);
}

#[test]
fn json_frames_with_something_after_the_object() {
    for frame in ["{}x", "{}\n[]", "{},{}", "{} null", "{}\0", "{}}"] {
        check_json(frame, DecodeError::TrailingData);
    }
}

#[test]
fn json_that_is_malformed() {
    for frame in [
        "{id:1}",
        "{\"id\":01}",
        "{\"id\":1,}",
        "{\"a\":'b'}",
        "{\"a\":\"\t\"}",
        "{//\n}",
    ] {
        check_fault(frame, JsonFault::Syntax);
    }
    for frame in ["{", "{\"id\"", "{\"id\":1", "{}\n{\"send\":{\"data\":[1,"] {
        check_fault(frame, JsonFault::Truncated);
    }
    check_json(
        "{}\n{\"id\":1,]",
        DecodeError::Json {
            fault: JsonFault::Syntax,
            line: 2,
            column: 9,
        },
    );
}

#[test]
fn json_members_of_another_type() {
    for frame in [
        r#"{"id":"1"}"#,
        r#"{"id":1.5}"#,
        r#"{"id":1e3}"#,
        r#"{"id":99999999999999999999}"#,
        r#"{"connect":[]}"#,
        r#"{"connect":["token"]}"#,
        r#"{"connect":1}"#,
        r#"{"connect":{"token":1}}"#,
        r#"{"connect":{"subs":[]}}"#,
        r#"{"connect":{"subs":{"a":[]}}}"#,
        r#"{"connect":{"headers":{"a":1}}}"#,
        r#"{"history":{"limit":2147483648}}"#,
        r#"{"history":{"since":{"offset":-1}}}"#,
        r#"{"history":{"reverse":1}}"#,
        r#"{"sub_refresh":{"track":[[]]}}"#,
    ] {
        check_fault(frame, JsonFault::Shape);
    }
}

#[test]
fn json_members_that_come_twice() {
    check_fault(r#"{"id":1,"id":1}"#, JsonFault::Shape);
    check_fault(r#"{"connect":{},"connect":{}}"#, JsonFault::Shape);
    check_fault(r#"{"connect":{"subs":{"a":{},"a":{}}}}"#, JsonFault::Shape);
    check_fault(
        r#"{"connect":{"headers":{"a":"","a":""}}}"#,
        JsonFault::Shape,
    );
}

#[test]
fn ids_beyond_32_bits() {
    for id in [-2_147_483_649, 4_294_967_296, i64::MIN, i64::MAX] {
        check_json(
            format!(r#"{{"id":{id}}}"#),
            DecodeError::IdOutOfRange { id },
        );
    }
    check_protobuf(
        &[6, 0x08, 0x80, 0x80, 0x80, 0x80, 0x10],
        DecodeError::IdOutOfRange { id: 4_294_967_296 },
    );
}

#[test]
fn more_commands_than_allowed() {
    for (encoding, one) in [(Encoding::Json, &b"{}"[..]), (Encoding::Protobuf, &[0])] {
        for count in 1..6_usize {
            let decoded = decode_commands(encoding, &one.repeat(count), 3);
            if count <= 3 {
                assert_eq!(decoded.unwrap().len(), count);
            } else {
                assert_eq!(decoded.unwrap_err(), DecodeError::TooMany { max: 3 });
            }
        }
        let none = decode_commands(encoding, one, 0);
        assert_eq!(none.unwrap_err(), DecodeError::TooMany { max: 0 });
    }
}

#[test]
fn surplus_commands_are_not_even_read() {
    assert_eq!(
        decode_commands(Encoding::Json, b"{}{malformed", 1).unwrap_err(),
        DecodeError::TooMany { max: 1 }
    );
    assert_eq!(
        decode_commands(Encoding::Protobuf, &[0, 0xff], 1).unwrap_err(),
        DecodeError::TooMany { max: 1 }
    );
}

#[test]
fn protobuf_lengths_that_lie() {
    check_protobuf(&[0x80], DecodeError::TruncatedLength);
    check_protobuf(&[0, 0xff, 0xff], DecodeError::TruncatedLength);
    check_protobuf(
        &[2, 0x08],
        DecodeError::Truncated {
            length: 2,
            available: 1,
        },
    );
    check_protobuf(
        &[1],
        DecodeError::Truncated {
            length: 1,
            available: 0,
        },
    );
    let longest = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    check_protobuf(
        &longest,
        DecodeError::Truncated {
            length: u64::MAX,
            available: 0,
        },
    );
    let too_wide = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
    check_protobuf(&too_wide, DecodeError::LengthOverflow);
    check_protobuf(&[0x80; 11], DecodeError::LengthOverflow);
}

#[test]
fn protobuf_messages_that_are_malformed() {
    // A varint without end, field number 0, a length beyond the message, the wrong wire type,
    // a string that is not UTF-8.
    for message in [
        &[0x08, 0x80][..],
        &[0x00, 0x01],
        &[0x22, 0x05],
        &[0x0a, 0x00],
        &[0x2a, 0x03, 0x0a, 0x01, 0xff],
    ] {
        let mut frame = vec![message.len() as u8];
        frame.extend_from_slice(message);
        check_protobuf(&frame, DecodeError::Protobuf);
    }
}

/// `{"subscribe":{"tf":…}}` with that many filters inside each other, in both encodings.
fn nested_filters(depth: usize) -> [(Encoding, Vec<u8>); 2] {
    let json = format!(
        r#"{{"subscribe":{{"tf":{}{{}}{}}}}}"#,
        r#"{"nodes":["#.repeat(depth),
        "]}".repeat(depth)
    );
    let delimited = |field: u8, message: Vec<u8>| {
        let mut out = vec![field << 3 | 2];
        prost::encoding::encode_varint(message.len() as u64, &mut out);
        out.extend(message);
        out
    };
    let filter = (0..depth).fold(Vec::new(), |message, _| delimited(6, message));
    let command = delimited(5, delimited(13, filter));
    let mut protobuf = Vec::new();
    prost::encoding::encode_varint(command.len() as u64, &mut protobuf);
    protobuf.extend(command);
    [
        (Encoding::Json, json.into_bytes()),
        (Encoding::Protobuf, protobuf),
    ]
}

#[test]
fn filters_may_be_nested_but_not_without_end() {
    for (encoding, frame) in nested_filters(50) {
        assert!(decode_commands(encoding, &frame, 1).is_ok(), "{encoding:?}");
    }
    for (encoding, frame) in nested_filters(10_000) {
        let error = refuse(encoding, frame);
        assert!(
            matches!(
                error,
                DecodeError::Protobuf
                    | DecodeError::Json {
                        fault: JsonFault::Syntax,
                        ..
                    }
            ),
            "{error:?}"
        );
    }
}

#[test]
fn the_other_decoders_refuse_alike() {
    assert_eq!(
        decode_replies(Encoding::Json, b"", 1),
        Err(DecodeError::Empty)
    );
    assert_eq!(
        decode_pushes(Encoding::Protobuf, &[0, 0], 1),
        Err(DecodeError::TooMany { max: 1 })
    );
    assert_eq!(
        decode_connect_request(Encoding::Json, b"[]"),
        Err(DecodeError::NotAnObject)
    );
    assert_eq!(
        decode_connect_request(Encoding::Json, b"{}{}"),
        Err(DecodeError::TooMany { max: 1 })
    );
    assert_eq!(
        decode_connect_request(Encoding::Protobuf, &[9]),
        Err(DecodeError::Protobuf)
    );
    for data in ["{}", "1", "[\"{}\"]"] {
        let body = format!(r#"{{"data":{data}}}"#);
        assert_eq!(
            decode_emulation(Encoding::Json, body.as_bytes()),
            Err(DecodeError::EmulationData)
        );
    }
}

#[test]
fn every_error_is_fit_for_a_close_frame() {
    let errors = [
        DecodeError::Empty,
        DecodeError::NotUtf8,
        DecodeError::NotAnObject,
        DecodeError::TrailingData,
        DecodeError::Json {
            fault: JsonFault::Syntax,
            line: usize::MAX,
            column: usize::MAX,
        },
        DecodeError::Json {
            fault: JsonFault::Shape,
            line: usize::MAX,
            column: usize::MAX,
        },
        DecodeError::Json {
            fault: JsonFault::Truncated,
            line: usize::MAX,
            column: usize::MAX,
        },
        DecodeError::TooMany { max: usize::MAX },
        DecodeError::IdOutOfRange { id: i64::MIN },
        DecodeError::TruncatedLength,
        DecodeError::LengthOverflow,
        DecodeError::Truncated {
            length: u64::MAX,
            available: usize::MAX,
        },
        DecodeError::Protobuf,
        DecodeError::EmulationData,
    ];
    for error in errors {
        assert_eq!(
            error.close_reason().as_str(),
            format!("bad request: {error}")
        );
    }
}

#[test]
fn errors_do_not_repeat_what_was_sent() {
    let error = refuse(Encoding::Json, r#"{"id":"secret"}"#);
    assert!(!format!("{error} {error:?}").contains("secret"));
}
