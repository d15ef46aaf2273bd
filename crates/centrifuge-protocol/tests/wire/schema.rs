//! Every field has the number, the JSON name and the type that the protocol gives to it.
//!
//! The tables are transcribed from `client.proto` v0.21; the code under test is not consulted.

use centrifuge_protocol::*;
use serde_json::{Value, json};

/// Protobuf of the field alone and the JSON value it has to become.
fn field(number: u32, kind: &str) -> (Vec<u8>, Value) {
    let varint = |value: u8| {
        let mut out = Vec::new();
        prost::encoding::encode_varint(u64::from(number << 3), &mut out);
        out.push(value);
        out
    };
    let delimited = |value: &[u8]| {
        let mut out = Vec::new();
        prost::encoding::encode_varint(u64::from(number << 3 | 2), &mut out);
        out.push(value.len() as u8);
        out.extend_from_slice(value);
        out
    };
    let info = json!({"user": "", "client": ""});
    match kind {
        "bool" => (varint(1), json!(true)),
        "uint32" | "uint64" | "int32" | "int64" => (varint(1), json!(1)),
        "sint64" => (varint(2), json!(1)),
        "string" => (delimited(b"a"), json!("a")),
        "bytes" => (delimited(b"[7]"), json!([7])),
        "strings" => (delimited(b"a"), json!(["a"])),
        "message" => (delimited(b""), json!({})),
        "info" => (delimited(b""), info),
        "presence" => (delimited(b""), json!({"presence": {}})),
        "stats" => (delimited(b""), json!({"num_clients": 0, "num_users": 0})),
        "history" => (
            delimited(b""),
            json!({"publications": [], "epoch": "", "offset": 0}),
        ),
        "messages" => (delimited(b""), json!([{}])),
        "map<string>" => (delimited(b"\x0a\x01k\x12\x01v"), json!({"k": "v"})),
        // Map entries leave out default values, as scalars do.
        "map<message>" => (delimited(b"\x0a\x01k"), json!({"k": {}})),
        "map<info>" => (delimited(b"\x0a\x01k"), json!({"k": info})),
        other => panic!("unknown kind {other}"),
    }
}

/// `table` holds `number name kind`, separated by commas; `always` what JSON never leaves out.
#[track_caller]
fn check<T>(always: Value, table: &str)
where
    T: prost::Message + Default + PartialEq + serde::Serialize + serde::de::DeserializeOwned,
{
    let mut sum = Vec::new();
    let mut all = always.clone();
    for row in table.split(',') {
        let [number, name, kind] = row.split_whitespace().collect::<Vec<_>>()[..] else {
            panic!("malformed row {row:?}");
        };
        let (protobuf, value) = field(number.parse().unwrap(), kind);
        let mut document = always.clone();
        document[name] = value.clone();
        all[name] = value;
        check_both::<T>(&protobuf, &document);
        sum.extend(protobuf);
    }
    check_both::<T>(&sum, &all);
}

#[track_caller]
fn check_both<T>(protobuf: &[u8], document: &Value)
where
    T: prost::Message + Default + PartialEq + serde::Serialize + serde::de::DeserializeOwned,
{
    let message = T::decode(protobuf).unwrap();
    assert_eq!(message.encode_to_vec(), protobuf, "{document}");
    let text = serde_json::to_string(&message).unwrap();
    assert_eq!(&serde_json::from_str::<Value>(&text).unwrap(), document);
    assert!(
        serde_json::from_str::<T>(&document.to_string()).unwrap() == message,
        "{document}"
    );
}

#[test]
fn envelope() {
    let none = || json!({});
    check::<Command>(
        none(),
        "1 id int64, 4 connect message, 5 subscribe message, 6 unsubscribe message, \
         7 publish message, 8 presence message, 9 presence_stats message, 10 history message, \
         11 ping message, 12 send message, 13 rpc message, 14 refresh message, \
         15 sub_refresh message",
    );
    check::<Reply>(
        none(),
        "1 id int64, 2 error message, 4 push message, 5 connect message, 6 subscribe message, \
         7 unsubscribe message, 8 publish message, 9 presence presence, 10 presence_stats stats, \
         11 history history, 12 ping message, 13 rpc message, 14 refresh message, \
         15 sub_refresh message",
    );
    check::<Push>(
        none(),
        "1 id int64, 2 channel string, 4 pub message, 5 join message, 6 leave message, \
         7 unsubscribe message, 8 message message, 9 subscribe message, 10 connect message, \
         11 disconnect message, 12 refresh message",
    );
    check::<Error>(none(), "1 code uint32, 2 message string, 3 temporary bool");
    check::<EmulationRequest>(none(), "1 node string, 2 session string, 3 data bytes");
}

#[test]
fn requests() {
    let none = || json!({});
    check::<ConnectRequest>(
        none(),
        "1 token string, 2 data bytes, 3 subs map<message>, 4 name string, 5 version string, \
         6 headers map<string>, 7 flag int64, 8 dict string, 9 profile string",
    );
    check::<SubscribeRequest>(
        none(),
        "1 channel string, 2 token string, 3 recover bool, 6 epoch string, 7 offset uint64, \
         8 data bytes, 9 positioned bool, 10 recoverable bool, 11 join_leave bool, \
         12 delta string, 13 tf message, 14 flag int64, 15 type int32, 16 phase int32, \
         17 cursor string, 18 limit int32, 19 asc bool",
    );
    check::<UnsubscribeRequest>(none(), "1 channel string");
    check::<PublishRequest>(
        none(),
        "1 channel string, 2 data bytes, 3 type int32, 4 key string, 5 removed bool",
    );
    check::<PresenceRequest>(none(), "1 channel string");
    check::<PresenceStatsRequest>(none(), "1 channel string");
    check::<HistoryRequest>(
        none(),
        "1 channel string, 7 limit int32, 8 since message, 9 reverse bool",
    );
    check::<SendRequest>(none(), "1 data bytes");
    check::<RpcRequest>(none(), "1 data bytes, 2 method string");
    check::<RefreshRequest>(none(), "1 token string");
    check::<SubRefreshRequest>(
        none(),
        "1 channel string, 2 token string, 3 type int32, 4 track messages, 5 untrack strings",
    );
    check::<TrackBatch>(none(), "1 signature string, 2 items messages");
    check::<KeyedItem>(none(), "1 key string, 2 version uint64");
    check_both::<PingRequest>(b"", &none());
}

#[test]
fn results() {
    let none = || json!({});
    check::<ConnectResult>(
        none(),
        "1 client string, 2 version string, 3 expires bool, 4 ttl uint32, 5 data bytes, \
         6 subs map<message>, 7 ping uint32, 8 pong bool, 9 session string, 10 node string, \
         11 time int64, 12 flag int64, 13 dict message",
    );
    check::<Dictionary>(none(), "1 id string, 2 data bytes, 3 data_b64 string");
    check::<SubscribeResult>(
        none(),
        "1 expires bool, 2 ttl uint32, 3 recoverable bool, 6 epoch string, \
         7 publications messages, 8 recovered bool, 9 offset uint64, 10 positioned bool, \
         11 data bytes, 12 was_recovering bool, 13 delta bool, 14 id int64, 15 type int32, \
         16 phase int32, 17 cursor string, 18 state messages, 19 publish_debounce uint32",
    );
    check::<PresenceResult>(json!({"presence": {}}), "1 presence map<info>");
    check::<PresenceStatsResult>(
        json!({"num_clients": 0, "num_users": 0}),
        "1 num_clients uint32, 2 num_users uint32",
    );
    check::<HistoryResult>(
        json!({"publications": [], "epoch": "", "offset": 0}),
        "1 publications messages, 2 epoch string, 3 offset uint64",
    );
    check::<RpcResult>(none(), "1 data bytes");
    check::<RefreshResult>(
        none(),
        "1 client string, 2 version string, 3 expires bool, 4 ttl uint32",
    );
    check::<SubRefreshResult>(none(), "1 expires bool, 2 ttl uint32, 3 items messages");
    check_both::<UnsubscribeResult>(b"", &none());
    check_both::<PublishResult>(b"", &none());
    check_both::<PingResult>(b"", &none());
}

#[test]
fn pushes() {
    let none = || json!({});
    check::<Join>(none(), "1 info info");
    check::<Leave>(none(), "1 info info");
    check::<Unsubscribe>(none(), "2 code uint32, 3 reason string");
    check::<Subscribe>(
        none(),
        "1 recoverable bool, 4 epoch string, 5 offset uint64, 6 positioned bool, 7 data bytes",
    );
    check::<Message>(none(), "1 data bytes");
    check::<Connect>(
        none(),
        "1 client string, 2 version string, 3 data bytes, 4 subs map<message>, 5 expires bool, \
         6 ttl uint32, 7 ping uint32, 8 pong bool, 9 session string, 10 node string, 11 time int64",
    );
    check::<Disconnect>(none(), "1 code uint32, 2 reason string, 3 reconnect bool");
    check::<Refresh>(none(), "1 expires bool, 2 ttl uint32");
}

#[test]
fn values() {
    check::<Publication>(
        json!({}),
        "4 data bytes, 5 info info, 6 offset uint64, 7 tags map<string>, 8 delta bool, \
         9 time int64, 10 channel string, 11 key string, 12 removed bool, 13 score sint64, \
         14 epoch string, 15 prev_data bytes, 16 version uint64",
    );
    check::<ClientInfo>(
        json!({"user": "", "client": ""}),
        "1 user string, 2 client string, 3 conn_info bytes, 4 chan_info bytes",
    );
    check::<StreamPosition>(json!({}), "1 offset uint64, 2 epoch string");
    check::<FilterNode>(
        json!({}),
        "1 op string, 2 key string, 3 cmp string, 4 val string, 5 vals strings, 6 nodes messages",
    );
}
