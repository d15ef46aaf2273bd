//! Who gets in over the HTTP transports, who is believed, and whose words reach a session.

use crate::{
    raw_socket::{connect_command, dial, read_head},
    support::{Fixture, start_default, user_jwt},
};
use ordercast_server::config::Partial;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

const ADDRESS_FULL: (StatusCode, &str) = (StatusCode::TOO_MANY_REQUESTS, "too_many_connections");
const NOT_NOW: (StatusCode, &str) = (StatusCode::SERVICE_UNAVAILABLE, "unavailable");

async fn start(set: impl FnOnce(&mut Partial)) -> Fixture {
    let mut f = start_default().await;
    f.stop().await;
    f.start_again_with(set).await;
    f
}

async fn open(f: &Fixture, user: &str, headers: &[(&str, &str)]) -> Response {
    let data = json!({ "auth": user_jwt(user), "project_id": f.project });
    let connect = json!({ "id": 1, "connect": { "data": data } });
    let url = format!("{}/connection/http_stream", f.base);
    let mut request = f.client.post(url).body(connect.to_string());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.expect("answer")
}

/// An open stream: its next message.
async fn next(stream: &mut Response) -> Value {
    let line = stream.chunk().await.expect("read").expect("a message");
    serde_json::from_slice(&line).expect("one line")
}

async fn admitted(f: &Fixture, user: &str, headers: &[(&str, &str)]) -> (Response, Value) {
    let mut stream = open(f, user, headers).await;
    assert_eq!(stream.status(), StatusCode::OK, "{headers:?}");
    let reply = next(&mut stream).await;
    (stream, reply)
}

async fn refused(f: &Fixture, headers: &[(&str, &str)], expected: (StatusCode, &str)) {
    let answer = open(f, "bob", headers).await;
    let status = answer.status();
    let waits = answer.headers().get("retry-after").cloned();
    let body = answer.text().await.expect("body");
    let body: Value = serde_json::from_str(&body).unwrap_or_else(|_| panic!("{status} {body}"));
    let code = body["code"].as_str().expect("code");
    assert_eq!((status, code), expected, "{headers:?}");
    assert!(waits.is_some(), "when to come again");
}

#[tokio::test]
async fn a_full_address_and_a_full_server_refuse_until_a_place_is_free() {
    for (set, expected) in [
        (
            (|flags| flags.connections_per_ip = Some(1)) as fn(&mut Partial),
            ADDRESS_FULL,
        ),
        (|flags| flags.connections = Some(1), NOT_NOW),
    ] {
        let f = start(set).await;
        let (stream, _) = admitted(&f, "alice", &[]).await;
        refused(&f, &[], expected).await;
        drop(stream);
        while open(&f, "bob", &[]).await.status() != StatusCode::OK {}
    }
}

#[tokio::test]
async fn who_comes_after_the_burst_waits() {
    let f = start(|flags| {
        flags.connects_per_second = Some(1);
        flags.connect_burst = Some(1);
    })
    .await;
    let (_stream, _) = admitted(&f, "alice", &[]).await;
    // More at once than a slow machine takes in a second's turn.
    let all = futures_util::future::join_all((0..20).map(|_| open(&f, "bob", &[]))).await;
    let refused = all.iter().filter(|answer| answer.status() == NOT_NOW.0);
    assert!(refused.clone().count() > 0);
    for answer in refused {
        assert!(answer.headers().contains_key("retry-after"));
    }
}

#[tokio::test]
async fn the_ninth_connection_of_a_user_is_told_to_come_again() {
    let f = start(|_| {}).await;
    let mut streams = Vec::new();
    for _ in 0..8 {
        streams.push(admitted(&f, "alice", &[]).await);
    }
    let (mut ninth, reply) = admitted(&f, "alice", &[]).await;
    assert_eq!(
        (&reply["error"]["code"], &reply["error"]["temporary"]),
        (&json!(111), &json!(true))
    );
    assert_eq!(next(&mut ninth).await["push"]["disconnect"]["code"], 3013);
    admitted(&f, "bob", &[]).await;
}

#[tokio::test]
async fn a_header_names_the_client_only_when_a_named_proxy_wrote_it() {
    let one = [("x-forwarded-for", "198.51.100.1")];
    let f = start(|flags| {
        flags.connections_per_ip = Some(1);
        flags.trusted_proxies = Some(vec!["127.0.0.0/8".parse().expect("network")]);
    })
    .await;
    let _first = admitted(&f, "alice", &one).await;
    let _second = admitted(&f, "alice", &[("x-forwarded-for", "198.51.100.2")]).await;
    // What the client itself wrote stands left of what the proxy appended.
    refused(
        &f,
        &[("x-forwarded-for", "203.0.113.9, 198.51.100.1")],
        ADDRESS_FULL,
    )
    .await;

    let f = start(|flags| {
        flags.connections_per_ip = Some(1);
        flags.trusted_proxies = Some(vec!["10.0.0.0/8".parse().expect("network")]);
    })
    .await;
    let _first = admitted(&f, "alice", &one).await;
    refused(&f, &[("x-forwarded-for", "198.51.100.2")], ADDRESS_FULL).await;
    refused(&f, &[("forwarded", "for=198.51.100.2")], ADDRESS_FULL).await;
}

#[tokio::test]
async fn only_who_read_the_connect_reply_speaks_for_a_connection() {
    let f = start(|_| {}).await;
    let (mut stream, reply) = admitted(&f, "alice", &[]).await;
    let (_other, foreign) = admitted(&f, "mallory", &[]).await;
    let text =
        |reply: &Value, field: &str| reply["connect"][field].as_str().expect("text").to_owned();
    let (session, node) = (text(&reply, "session"), text(&reply, "node"));
    let emulate = async |session: &str, node: &str, data: String| {
        let body = json!({ "session": session, "node": node, "data": data }).to_string();
        let headers = [("content-type", "application/json")];
        f.send(Method::POST, "/emulation", &headers, body).await
    };
    let ping = |id: i64| json!({ "id": id, "ping": {} }).to_string();
    let (id, _) = session.split_once('.').expect("id and secret");
    let (_, foreign_secret) = foreign["connect"]["session"]
        .as_str()
        .and_then(|session| session.split_once('.'))
        .expect("id and secret");
    // Answered as the right one is: who guesses learns nothing, and does nothing.
    for guess in [
        "",
        ".",
        id,
        &format!("{id}."),
        &format!("{id}.{foreign_secret}"),
    ] {
        let answer = emulate(guess, &node, ping(66)).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{guess:?}");
    }
    let elsewhere = emulate(&session, "elsewhere", ping(66)).await;
    assert_eq!(elsewhere.status, StatusCode::NOT_FOUND);
    assert_eq!(elsewhere.code(), "unknown_node");
    let large = emulate(&session, &node, " ".repeat(64 * 1024)).await;
    assert_eq!(large.status, StatusCode::PAYLOAD_TOO_LARGE);
    for bad in ["", "nonsense", "[]", r#"{"session":1}"#] {
        let answer = f.send(Method::POST, "/emulation", &[], bad).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{bad}");
        assert_eq!(answer.code(), "bad_emulation");
    }
    let answer = emulate(&session, &node, ping(2)).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert_eq!(next(&mut stream).await, json!({ "id": 2, "ping": {} }));
}

#[tokio::test]
async fn a_connect_over_64_kib_is_refused_before_anything_is_made_for_it() {
    let f = start(|_| {}).await;
    for path in ["http_stream", "sse", "uni_http_stream", "uni_sse"] {
        let path = format!("/connection/{path}");
        let answer = f
            .send(Method::POST, &path, &[], " ".repeat(64 * 1024 + 1))
            .await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{path}");
    }
}

#[tokio::test]
async fn a_stream_that_is_not_read_ends_with_3008() {
    let f = start(|_| {}).await;
    for _ in 0..50 {
        let order = f.create_order("alice").await;
        for status in ["paid", "done"] {
            let path = f.v1(&format!("/orders/{order}/transitions"));
            let changed = f.post(&path, &f.api_key, &json!({ "to": status })).await;
            assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
        }
    }
    let mut stream = dial(&f).await;
    let connect = connect_command(&f, &user_jwt("alice")).to_string();
    let head = format!(
        "POST /connection/http_stream HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{connect}",
        connect.len()
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    read_head(&mut stream).await;
    let mut reader = BufReader::new(stream);
    // The length of the chunk, and the chunk.
    let mut line = String::new();
    reader.read_line(&mut line).await.expect("a length");
    line.clear();
    reader.read_line(&mut line).await.expect("a reply");
    let reply: Value = serde_json::from_str(&line).expect("JSON");
    let (session, node) = (&reply["connect"]["session"], &reply["connect"]["node"]);
    let channel = format!("orders:{}#alice", f.project);
    let history = json!({ "id": 2, "history": { "channel": channel, "limit": -1 } }).to_string();
    let histories = [history.as_str(); 13].join("\n");
    for _ in 0..3 {
        let body = json!({ "session": session, "node": node, "data": histories }).to_string();
        let answer = f.send(Method::POST, "/emulation", &[], body).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT);
    }
    let mut rest = Vec::new();
    let _ = reader.read_to_end(&mut rest).await;
    let rest = String::from_utf8_lossy(&rest);
    let end = rest.len().saturating_sub(300);
    assert!(
        rest.contains(r#""disconnect":{"code":3008"#),
        "{}",
        &rest[end..]
    );
}

/// A channel's log of `publications` and more, and a stream of its buyer: the stream, its address.
async fn long_channel(f: &Fixture, publications: usize) -> (Response, Value) {
    for _ in 0..publications.div_ceil(3) {
        let order = f.create_order("alice").await;
        for status in ["paid", "done"] {
            let path = f.v1(&format!("/orders/{order}/transitions"));
            let changed = f.post(&path, &f.api_key, &json!({ "to": status })).await;
            assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
        }
    }
    let (stream, reply) = admitted(f, "alice", &[]).await;
    let address = json!({
        "session": reply["connect"]["session"],
        "node": reply["connect"]["node"],
    });
    (stream, address)
}

#[tokio::test]
async fn a_client_that_hangs_up_after_a_command_leaves_no_session_that_waits_for_ever() {
    let f = start(|_| {}).await;
    let (mut stream, mut said) = long_channel(&f, 300).await;
    let channel = format!("orders:{}#alice", f.project);
    let history = json!({ "id": 2, "history": { "channel": channel, "limit": -1 } });
    let mut answered = 0;
    // Two commands each: below the burst that is allowed.
    for _ in 0..18 {
        said["data"] = history.to_string().into();
        let body = said.to_string();
        let head = format!(
            "POST /emulation HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut socket = dial(&f).await;
        socket.write_all(head.as_bytes()).await.expect("sent");
        socket2::SockRef::from(&socket)
            .set_linger(Some(std::time::Duration::ZERO))
            .expect("set");
        // The network is gone before the answer.
        drop(socket);
        said["data"] = json!({ "id": 3, "ping": {} }).to_string().into();
        let answer = f
            .send(Method::POST, "/emulation", &[], said.to_string())
            .await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT);
        // The request that was cut may have been lost; the ping was not.
        loop {
            let chunk = stream
                .chunk()
                .await
                .expect("read")
                .expect("the stream goes on");
            let text = String::from_utf8_lossy(&chunk).into_owned();
            answered += usize::from(text.contains("\"history\""));
            if text.contains("\"ping\":{}") {
                break;
            }
        }
    }
    assert!(
        answered > 0,
        "no command came through before its connection was cut"
    );
}
