//! Frames recorded from the official SDKs, byte by byte.

use std::collections::BTreeMap;

use centrifuge_protocol::{
    Bytes, ClientInfo, Command, Connect, ConnectRequest, ConnectResult, Encoding, Error, ErrorCode,
    HistoryRequest, HistoryResult, PresenceResult, PresenceStatsResult, Publication, PublishResult,
    Push, Reply, RpcResult, StreamPosition, SubscribeResult, decode_commands, decode_pushes,
    decode_replies, encode_command, encode_push, encode_reply,
};

fn data(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

fn from_hex(hex: &str) -> Vec<u8> {
    hex.split(' ')
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect()
}

#[track_caller]
fn check_command(encoding: Encoding, command: &Command, frame: &[u8]) {
    let mut encoded = Vec::new();
    encode_command(encoding, command, &mut encoded);
    assert_eq!(encoded, frame, "{}", String::from_utf8_lossy(&encoded));
    assert_eq!(
        decode_commands(encoding, frame, 1).unwrap(),
        std::slice::from_ref(command)
    );
}

#[track_caller]
fn check_reply(encoding: Encoding, reply: &Reply, frame: &[u8]) {
    let mut encoded = Vec::new();
    encode_reply(encoding, reply, &mut encoded);
    assert_eq!(encoded, frame, "{}", String::from_utf8_lossy(&encoded));
    assert_eq!(
        decode_replies(encoding, frame, 1).unwrap(),
        std::slice::from_ref(reply)
    );
}

fn connect(data: Bytes, name: &str) -> Command {
    let connect = ConnectRequest {
        data,
        name: name.into(),
        ..Default::default()
    };
    Command {
        id: 1,
        connect: Some(connect),
        ..Default::default()
    }
}

fn history(channel: &str, since: Option<StreamPosition>) -> Command {
    let history = HistoryRequest {
        channel: channel.into(),
        limit: -1,
        since,
        reverse: false,
    };
    Command {
        id: 2,
        history: Some(history),
        ..Default::default()
    }
}

fn pushed(channel: &str, data: Bytes) -> Push {
    let publication = Publication {
        data,
        offset: 5,
        ..Default::default()
    };
    Push {
        channel: channel.into(),
        publication: Some(publication),
        ..Default::default()
    }
}

#[test]
fn ping_and_pong_are_two_bytes_in_json_and_one_in_protobuf() {
    for (encoding, frame) in [(Encoding::Json, &b"{}"[..]), (Encoding::Protobuf, &[0])] {
        check_command(encoding, &Command::default(), frame);
        check_reply(encoding, &Reply::default(), frame);
        let mut encoded = Vec::new();
        encode_push(encoding, &Push::default(), &mut encoded);
        assert_eq!(encoded, frame);
        assert_eq!(
            decode_pushes(encoding, frame, 1).unwrap(),
            [Push::default()]
        );
    }
}

#[test]
fn protobuf_frames_of_the_sdk() {
    check_command(
        Encoding::Protobuf,
        &connect(data("{}"), ""),
        &from_hex("08 08 01 22 04 12 02 7b 7d"),
    );
    check_command(
        Encoding::Protobuf,
        &history("#42", Some(StreamPosition::default())),
        &from_hex("16 08 02 52 12 0a 03 23 34 32 38 ff ff ff ff ff ff ff ff ff 01 42 00"),
    );
    check_reply(
        Encoding::Protobuf,
        &Reply {
            id: 3,
            rpc: Some(RpcResult::default()),
            ..Default::default()
        },
        &from_hex("04 08 03 6a 00"),
    );
    check_reply(
        Encoding::Protobuf,
        &Reply {
            push: Some(pushed("#42", data("{}"))),
            ..Default::default()
        },
        &from_hex("0f 22 0d 12 03 23 34 32 22 06 22 02 7b 7d 30 05"),
    );
}

#[test]
fn json_commands_of_the_sdk() {
    check_command(
        Encoding::Json,
        &connect(data(r#"{"auth":"<jwt>","project_id":44056}"#), "js"),
        br#"{"id":1,"connect":{"data":{"auth":"<jwt>","project_id":44056},"name":"js"}}"#,
    );
    // What JavaScript sends names two zero values, which are left out when written here.
    let sent = br##"{"id":2,"history":{"channel":"#u42","limit":-1,"since":{"offset":0},"reverse":false}}"##;
    let command = history("#u42", Some(StreamPosition::default()));
    assert_eq!(
        decode_commands(Encoding::Json, sent, 1).unwrap(),
        std::slice::from_ref(&command)
    );
    check_command(
        Encoding::Json,
        &command,
        br##"{"id":2,"history":{"channel":"#u42","limit":-1,"since":{}}}"##,
    );
    check_command(
        Encoding::Json,
        &history("#u42", None),
        br##"{"id":2,"history":{"channel":"#u42","limit":-1}}"##,
    );
}

#[test]
fn json_replies_of_the_contract() {
    let subscription = SubscribeResult {
        recoverable: true,
        positioned: true,
        epoch: "abcd".into(),
        offset: 4,
        ..Default::default()
    };
    let subs = BTreeMap::from([("#u42".to_owned(), subscription)]);
    let connect = ConnectResult {
        client: "<uuid>".into(),
        version: "x".into(),
        subs,
        ping: 25,
        pong: true,
        ..Default::default()
    };
    check_reply(
        Encoding::Json,
        &Reply { id: 1, connect: Some(connect), ..Default::default() },
        br##"{"id":1,"connect":{"client":"<uuid>","version":"x","subs":{"#u42":{"recoverable":true,"epoch":"abcd","offset":4,"positioned":true}},"ping":25,"pong":true}}"##,
    );
    check_reply(
        Encoding::Json,
        &Reply {
            push: Some(pushed("#u42", data(r#"{"order_id":1,"status":"paid"}"#))),
            ..Default::default()
        },
        br##"{"push":{"channel":"#u42","pub":{"data":{"order_id":1,"status":"paid"},"offset":5}}}"##,
    );
    let publication = Publication {
        data: data(r#"{"a":[]}"#),
        offset: 1,
        ..Default::default()
    };
    let history = HistoryResult {
        publications: vec![publication],
        epoch: "abcd".into(),
        offset: 5,
    };
    check_reply(
        Encoding::Json,
        &Reply { id: 2, history: Some(history), ..Default::default() },
        br#"{"id":2,"history":{"publications":[{"data":{"a":[]},"offset":1}],"epoch":"abcd","offset":5}}"#,
    );
}

#[test]
fn success_shows_as_an_empty_object() {
    check_reply(
        Encoding::Json,
        &Reply {
            id: 3,
            rpc: Some(RpcResult::default()),
            ..Default::default()
        },
        br#"{"id":3,"rpc":{}}"#,
    );
    check_reply(
        Encoding::Json,
        &Reply {
            id: 4,
            publish: Some(PublishResult {}),
            ..Default::default()
        },
        br#"{"id":4,"publish":{}}"#,
    );
}

#[test]
fn members_that_sdks_dereference_are_always_present() {
    check_reply(
        Encoding::Json,
        &Reply {
            id: 1,
            history: Some(HistoryResult::default()),
            ..Default::default()
        },
        br#"{"id":1,"history":{"publications":[],"epoch":"","offset":0}}"#,
    );
    check_reply(
        Encoding::Json,
        &Reply {
            id: 1,
            presence: Some(PresenceResult::default()),
            ..Default::default()
        },
        br#"{"id":1,"presence":{"presence":{}}}"#,
    );
    let presence = BTreeMap::from([("c".to_owned(), ClientInfo::default())]);
    check_reply(
        Encoding::Json,
        &Reply {
            id: 1,
            presence: Some(PresenceResult { presence }),
            ..Default::default()
        },
        br#"{"id":1,"presence":{"presence":{"c":{"user":"","client":""}}}}"#,
    );
    check_reply(
        Encoding::Json,
        &Reply {
            id: 1,
            presence_stats: Some(PresenceStatsResult::default()),
            ..Default::default()
        },
        br#"{"id":1,"presence_stats":{"num_clients":0,"num_users":0}}"#,
    );
}

#[test]
fn errors_carry_their_text() {
    check_reply(
        Encoding::Json,
        &Reply {
            id: 1,
            error: Some(Error::new(ErrorCode::Internal)),
            ..Default::default()
        },
        br#"{"id":1,"error":{"code":100,"message":"internal server error","temporary":true}}"#,
    );
    check_reply(
        Encoding::Json,
        &Reply {
            id: 1,
            error: Some(ErrorCode::TokenExpired.into()),
            ..Default::default()
        },
        br#"{"id":1,"error":{"code":109,"message":"token expired"}}"#,
    );
}

#[test]
fn replies_without_id_and_push_are_pings() {
    for (frame, ping) in [
        ("{}", true),
        (r#"{"rpc":{}}"#, true),
        (r#"{"id":1}"#, false),
        (r#"{"id":-1,"connect":{}}"#, false),
        (r#"{"push":{}}"#, false),
    ] {
        let replies = decode_replies(Encoding::Json, frame.as_bytes(), 1).unwrap();
        assert_eq!(replies[0].is_ping(), ping, "{frame}");
    }
}

#[test]
fn unidirectional_transports_begin_with_a_bare_connect_push() {
    let connect = Connect {
        client: "c".into(),
        ping: 25,
        ..Default::default()
    };
    let push = Push {
        connect: Some(connect),
        ..Default::default()
    };
    let mut encoded = Vec::new();
    encode_push(Encoding::Json, &push, &mut encoded);
    assert_eq!(encoded, br#"{"connect":{"client":"c","ping":25}}"#);
    assert_eq!(decode_pushes(Encoding::Json, &encoded, 1).unwrap(), [push]);
}

#[test]
fn messages_are_appended() {
    let mut out = b"before".to_vec();
    encode_reply(Encoding::Json, &Reply::default(), &mut out);
    encode_reply(Encoding::Protobuf, &Reply::default(), &mut out);
    assert_eq!(out, b"before{}\0");
}

#[track_caller]
fn check_payload(payload: &'static [u8], written: &str) {
    let push = pushed("c", Bytes::from_static(payload));
    let mut encoded = Vec::new();
    encode_push(Encoding::Json, &push, &mut encoded);
    let expected = format!(r#"{{"channel":"c","pub":{{"data":{written},"offset":5}}}}"#);
    assert_eq!(String::from_utf8(encoded).unwrap(), expected);
}

#[test]
fn payloads_are_embedded_on_one_line() {
    check_payload(b"{\r\n\t\"a\": [\n1,\n2\n]\n}\n", "{\t\"a\": [1,2]}");
    check_payload(br#""line\nbreak""#, r#""line\nbreak""#);
    check_payload(b" 1.50 ", "1.50");
}

#[test]
fn payloads_that_are_not_json_become_text() {
    check_payload(b"hello", r#""hello""#);
    check_payload(b"{}{}", r#""{}{}""#);
    check_payload(b"1\n2", r#""1\n2""#);
    check_payload(b"\"a\nb\"", r#""\"a\nb\"""#);
    check_payload(b"\xff", "\"\u{fffd}\"");
}
