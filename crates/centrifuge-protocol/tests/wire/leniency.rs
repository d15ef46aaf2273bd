//! What clients in the field send although the protocol does not ask for it.

use centrifuge_protocol::{
    Bytes, Command, CommandBody, ConnectRequest, Encoding, HistoryRequest, StreamPosition,
    decode_commands, decode_connect_request, decode_emulation, encode_command,
};

const JSON: Encoding = Encoding::Json;

#[track_caller]
fn decode(frame: &str) -> Vec<Command> {
    decode_commands(JSON, frame.as_bytes(), 8).unwrap()
}

#[track_caller]
fn check_connect(frame: &str, id: i64, data: &'static str) {
    let connect = ConnectRequest {
        data: Bytes::from_static(data.as_bytes()),
        ..Default::default()
    };
    let expected = Command {
        id,
        connect: Some(connect),
        ..Default::default()
    };
    assert_eq!(decode(frame), [expected]);
}

#[test]
fn unity_puts_the_connect_before_the_id() {
    check_connect(
        r#"{"connect":{"data":{"auth":"t","project_id":123}},"id":2147483647}"#,
        2147483647,
        r#"{"auth":"t","project_id":123}"#,
    );
}

#[test]
fn unreal_leaves_tabs_between_tokens() {
    check_connect(
        "{\t\"id\":\t5,\t\"connect\":\t{\t\"data\":\t{\t\"auth\":\t\"t\"\t}\t}\t}",
        5,
        "{\t\"auth\":\t\"t\"\t}",
    );
}

#[test]
fn pretty_printed_documents_are_one_command() {
    check_connect(
        "\r\n{\r\n  \"id\": 1,\n  \"connect\": {\n    \"data\": {\n      \"a\": 1\n    }\n  }\n}\r\n",
        1,
        "{\n      \"a\": 1\n    }",
    );
}

#[test]
fn ids_reach_from_signed_to_unsigned_32_bits_and_are_echoed() {
    for id in [
        0,
        -1,
        1,
        i64::from(i32::MIN),
        i64::from(i32::MAX),
        i64::from(u32::MAX),
    ] {
        check_connect(&format!(r#"{{"id":{id},"connect":{{}}}}"#), id, "");
        for encoding in [JSON, Encoding::Protobuf] {
            let command = Command {
                id,
                ..Default::default()
            };
            let mut frame = Vec::new();
            encode_command(encoding, &command, &mut frame);
            assert_eq!(decode_commands(encoding, &frame, 1).unwrap(), [command]);
        }
    }
}

#[test]
fn data_is_any_json_value() {
    for data in [
        r#"{"project_id":"44056"}"#,
        r#"{"project_id":44056.0,"project_id":null}"#,
        "[]",
        "\"text\"",
        "0",
        "false",
        "-1.5e300",
        r#""\ud800""#,
    ] {
        check_connect(&format!(r#"{{"connect":{{"data":{data}}}}}"#), 0, data);
    }
}

#[test]
fn null_members_count_as_absent() {
    check_connect(
        r#"{"id":null,"connect":{"token":null,"data":null,"subs":null,"headers":null,"flag":null},"send":null}"#,
        0,
        "",
    );
    let history =
        &decode(r#"{"id":1,"history":{"channel":null,"limit":null,"since":null,"reverse":null}}"#)
            [0];
    assert_eq!(
        history.body(),
        CommandBody::History(&HistoryRequest::default())
    );
    let connect = decode(r#"{"connect":{"subs":{"a":null,"b":{}},"headers":{"c":null,"d":"e"}}}"#);
    let connect = connect[0].connect.as_ref().unwrap();
    assert_eq!(connect.subs.keys().collect::<Vec<_>>(), ["b"]);
    assert_eq!(connect.headers.keys().collect::<Vec<_>>(), ["d"]);
    let refresh = decode(r#"{"sub_refresh":{"track":null,"untrack":null}}"#);
    assert_eq!(refresh[0].sub_refresh, Some(Default::default()));
}

#[test]
fn present_but_empty_differs_from_absent() {
    let since = |frame| decode(frame)[0].history.as_ref().unwrap().since.clone();
    assert_eq!(
        since(r#"{"history":{"since":{}}}"#),
        Some(StreamPosition::default())
    );
    assert_eq!(
        since(r#"{"history":{"since":{"offset":0}}}"#),
        Some(StreamPosition::default())
    );
    assert_eq!(since(r#"{"history":{}}"#), None);
}

#[test]
fn unknown_members_are_ignored_at_every_depth() {
    check_connect(
        r#"{"method":"connect","params":{"a":[{}]},"id":1,"connect":{"new":{"x":[1,{}]},"data":1},"future":[]}"#,
        1,
        "1",
    );
}

#[test]
fn legacy_commands_have_no_body() {
    let json = decode(r#"{"id":9,"method":2,"params":{"channel":"c"}}"#);
    // Java SDK 0.2: id 9, method 2, params {channel: "c"}.
    let frame = [0x09, 0x08, 0x09, 0x10, 0x02, 0x1a, 0x03, 0x0a, 0x01, b'c'];
    let protobuf = decode_commands(Encoding::Protobuf, &frame, 1).unwrap();
    for commands in [json, protobuf] {
        assert_eq!(commands.len(), 1);
        assert_eq!(commands[0].id, 9);
        assert_eq!(commands[0].body(), CommandBody::Empty);
    }
}

#[test]
fn several_json_commands_share_a_frame() {
    for frame in [
        "{\"id\":1}\n{\"id\":2}\n{}",
        "{\"id\":1}\n{\"id\":2}\n{}\n",
        "\n\n{\"id\":1}\r\n\t{\"id\":2} {}  ",
        "{\"id\":1}{\"id\":2}{}",
        "{\n\"id\"\n:\n1\n}\n{\n\"id\":2}\n{\n}",
    ] {
        let ids: Vec<i64> = decode(frame).iter().map(|command| command.id).collect();
        assert_eq!(ids, [1, 2, 0], "{frame:?}");
    }
}

#[test]
fn several_protobuf_commands_share_a_frame() {
    let frame = [2, 0x08, 1, 0, 2, 0x08, 2];
    let commands = decode_commands(Encoding::Protobuf, &frame, 3).unwrap();
    let ids: Vec<i64> = commands.iter().map(|command| command.id).collect();
    assert_eq!(ids, [1, 0, 2]);
}

#[test]
fn a_payload_may_be_nested_without_end() {
    let deep = "[".repeat(30_000) + &"]".repeat(30_000);
    let frame = format!(r#"{{"ignored":{deep},"send":{{"data":{deep}}}}}"#);
    assert_eq!(decode(&frame)[0].send.as_ref().unwrap().data, deep);
}

/// Sets every body from `first` on, in the order of the protocol, and expects `first` to win.
#[test]
fn the_first_body_in_protocol_order_counts() {
    let order = [
        "connect",
        "ping",
        "subscribe",
        "unsubscribe",
        "publish",
        "presence",
        "presence_stats",
        "history",
        "rpc",
        "send",
        "refresh",
        "sub_refresh",
    ];
    for (first, name) in order.iter().enumerate() {
        // Backwards, so that the order of the members cannot be what decides.
        let members: Vec<String> = order[first..]
            .iter()
            .rev()
            .map(|name| format!(r#""{name}":{{}}"#))
            .collect();
        let command = &decode(&format!("{{{}}}", members.join(",")))[0];
        let winner = match command.body() {
            CommandBody::Empty => "",
            CommandBody::Connect(_) => "connect",
            CommandBody::Ping(_) => "ping",
            CommandBody::Subscribe(_) => "subscribe",
            CommandBody::Unsubscribe(_) => "unsubscribe",
            CommandBody::Publish(_) => "publish",
            CommandBody::Presence(_) => "presence",
            CommandBody::PresenceStats(_) => "presence_stats",
            CommandBody::History(_) => "history",
            CommandBody::Rpc(_) => "rpc",
            CommandBody::Send(_) => "send",
            CommandBody::Refresh(_) => "refresh",
            CommandBody::SubRefresh(_) => "sub_refresh",
        };
        assert_eq!(winner, *name);
    }
    assert_eq!(decode("{}")[0].body(), CommandBody::Empty);
}

#[test]
fn emulation_holds_a_frame_as_json_text() {
    let body = br#"{"session":"s","node":"n","data":"{\"id\":1}\n{}"}"#;
    let request = decode_emulation(JSON, body).unwrap();
    assert_eq!(
        (request.session.as_str(), request.node.as_str()),
        ("s", "n")
    );
    assert_eq!(decode_commands(JSON, &request.data, 2).unwrap().len(), 2);

    let body = [0x0a, 1, b'n', 0x12, 1, b's', 0x1a, 3, 2, 0x08, 1];
    let request = decode_emulation(Encoding::Protobuf, &body).unwrap();
    assert_eq!(
        (request.session.as_str(), request.node.as_str()),
        ("s", "n")
    );
    assert_eq!(
        decode_commands(Encoding::Protobuf, &request.data, 1).unwrap()[0].id,
        1
    );
}

#[test]
fn unidirectional_transports_take_a_bare_connect_request() {
    let request = decode_connect_request(JSON, br#" {"data":{"a":1},"name":"curl"} "#).unwrap();
    assert_eq!(
        (request.name.as_str(), &request.data[..]),
        ("curl", &br#"{"a":1}"#[..])
    );
    let request = decode_connect_request(Encoding::Protobuf, &[0x22, 1, b'n']).unwrap();
    assert_eq!(request.name, "n");
}

#[test]
fn debug_output_holds_no_credentials() {
    let frame = r#"{"connect":{"token":"hidden","data":"hidden","headers":{"h":"hidden"},
        "subs":{"shown":{"token":"hidden","data":"hidden"}}},
        "subscribe":{"token":"hidden","data":"hidden"},"refresh":{"token":"hidden"},
        "sub_refresh":{"token":"hidden"}}"#;
    let shown = format!("{:?}", decode(frame));
    assert!(
        shown.contains("shown") && !shown.contains("hidden"),
        "{shown}"
    );
    let emulation = br#"{"session":"hidden","data":"hidden"}"#;
    let shown = format!("{:?}", decode_emulation(JSON, emulation).unwrap());
    assert!(
        shown.contains("data_bytes: 6") && !shown.contains("hidden"),
        "{shown}"
    );
}
