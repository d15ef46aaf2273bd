//! Who gets in over the HTTP transports, who is believed, and whose words reach a session.

use crate::{
    raw_socket::{
        TEXT, connect_command, dial, frame, read_frame, read_head, read_to_close, upgrade_request,
    },
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

/// What a WebSocket gets: the status of its handshake, and the code that it is closed with.
async fn upgraded(f: &Fixture, more: &str) -> (String, Option<u16>) {
    let mut stream = dial(f).await;
    let request = upgrade_request(more);
    stream.write_all(request.as_bytes()).await.expect("sent");
    let head = read_head(&mut stream).await;
    let status = head.split_whitespace().nth(1).expect("a status").to_owned();
    if status != "101" {
        return (status, None);
    }
    let (_, code) = read_to_close(&mut stream).await;
    (status, code)
}

#[tokio::test]
async fn a_websocket_over_a_limit_of_all_is_told_to_come_again_after_its_handshake() {
    let f = start(|flags| flags.connections = Some(1)).await;
    let (stream, _) = admitted(&f, "alice", &[]).await;
    assert_eq!(upgraded(&f, "").await, ("101".to_owned(), Some(3013)));
    let protobuf = "sec-websocket-protocol: centrifuge-protobuf\r\n";
    assert_eq!(upgraded(&f, protobuf).await, ("101".to_owned(), Some(3013)));
    // `EventSource` comes again only after a stream.
    let connect = json!({ "data": { "auth": user_jwt("bob"), "project_id": f.project } });
    let events = f
        .send(
            Method::POST,
            "/connection/uni_sse",
            &[],
            connect.to_string(),
        )
        .await;
    assert_eq!(events.status, StatusCode::OK, "{}", events.text);
    assert!(
        events.text.contains(r#""disconnect":{"code":3013"#),
        "{}",
        events.text
    );
    drop(stream);

    let f = start(|flags| flags.connections_per_ip = Some(1)).await;
    let (_stream, _) = admitted(&f, "alice", &[]).await;
    assert_eq!(upgraded(&f, "").await, ("429".to_owned(), None));
}

#[tokio::test]
async fn an_address_that_is_refused_takes_nothing_from_the_others() {
    let f = start(|flags| {
        flags.connections_per_ip = Some(1);
        flags.connects_per_second = Some(1);
        flags.connect_burst = Some(3);
        flags.trusted_proxies = Some(vec!["127.0.0.0/8".parse().expect("network")]);
    })
    .await;
    let from = |last: u8| format!("198.51.100.{last}");
    let _first = admitted(&f, "alice", &[("x-forwarded-for", &from(1))]).await;
    for _ in 0..50 {
        refused(&f, &[("x-forwarded-for", &from(1))], ADDRESS_FULL).await;
    }
    let _second = admitted(&f, "bob", &[("x-forwarded-for", &from(2))]).await;
    let _third = admitted(&f, "carol", &[("x-forwarded-for", &from(3))]).await;
}

#[tokio::test]
async fn an_address_that_comes_and_goes_too_fast_waits_alone() {
    let f = start(|flags| {
        flags.connections_per_ip = Some(1);
        flags.connects_per_second_per_ip = Some(1);
        flags.trusted_proxies = Some(vec!["127.0.0.0/8".parse().expect("network")]);
    })
    .await;
    let one = [("x-forwarded-for", "198.51.100.1")];
    let answer = loop {
        let answer = open(&f, "alice", &one).await;
        // The place of the one before is free when the server has seen its end.
        if answer.status() == StatusCode::TOO_MANY_REQUESTS {
            let body: Value = answer.json().await.expect("a problem");
            if body["code"] == "connections_too_fast" {
                break body;
            }
        }
    };
    assert_eq!(answer["status"], 429);
    let _other = admitted(&f, "bob", &[("x-forwarded-for", "198.51.100.2")]).await;
}

#[tokio::test]
async fn a_message_before_the_connect_has_16_kib() {
    let f = start(|_| {}).await;
    for (bytes, expected) in [(16 * 1024, Some(3501)), (16 * 1024 + 1, Some(1009))] {
        let mut stream = crate::raw_socket::open(&f).await;
        let frame = frame(TEXT, &vec![b' '; bytes]);
        stream.write_all(&frame).await.expect("sent");
        let (_, code) = read_to_close(&mut stream).await;
        assert_eq!(code, expected, "{bytes}");
    }
    let mut stream = crate::raw_socket::open(&f).await;
    let connect = connect_command(&f, &user_jwt("alice")).to_string();
    stream
        .write_all(&frame(TEXT, connect.as_bytes()))
        .await
        .expect("sent");
    let (_, reply) = read_frame(&mut stream).await;
    assert!(String::from_utf8_lossy(&reply).contains("\"connect\""));
    let history = format!("{{\"id\":2,\"ping\":{{}}{}}}", " ".repeat(60 * 1024));
    stream
        .write_all(&frame(TEXT, history.as_bytes()))
        .await
        .expect("sent");
    let (_, reply) = read_frame(&mut stream).await;
    assert_eq!(reply, br#"{"id":2,"ping":{}}"#);
}

#[tokio::test]
async fn a_page_of_the_host_itself_may_connect_on_every_transport() {
    let f = start(|_| {}).await;
    let connect = json!({ "data": { "auth": "nobody", "project_id": f.project } }).to_string();
    for (origin, is_own) in [
        ("http://127.0.0.1", true),
        ("https://127.0.0.1:8443", true),
        ("ws://127.0.0.1", true),
        ("https://127.0.0.1.evil.example", false),
        ("https://evil.example", false),
        ("null", false),
    ] {
        let status = if is_own { "101" } else { "403" };
        let more = format!("origin: {origin}\r\n");
        let head = {
            let mut stream = dial(&f).await;
            let request = upgrade_request(&more).replace("host: a", "host: 127.0.0.1:1234");
            stream.write_all(request.as_bytes()).await.expect("sent");
            read_head(&mut stream).await
        };
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status}")),
            "{origin}: {head}"
        );
        for path in ["http_stream", "sse", "uni_sse", "uni_http_stream"] {
            let path = format!("/connection/{path}");
            let answer = f
                .send(Method::POST, &path, &[("origin", origin)], connect.clone())
                .await;
            let is_forbidden = answer.status == StatusCode::FORBIDDEN;
            assert_eq!(is_forbidden, !is_own, "{path} {origin}: {}", answer.text);
        }
    }
}

/// The events of a stream until `count` have come: their ids, and what they say.
async fn events(stream: &mut Response, count: usize) -> Vec<(String, Value)> {
    let mut text = String::new();
    while text.matches("\n\n").count() < count {
        let chunk = stream.chunk().await.expect("read").expect("an event");
        text.push_str(std::str::from_utf8(&chunk).expect("text"));
    }
    text.trim_start()
        .split_terminator("\n\n")
        .map(|event| {
            let (id, data) = event.split_once("\ndata: ").unwrap_or(("", &event[6..]));
            (id.to_owned(), serde_json::from_str(data).expect("JSON"))
        })
        .collect()
}

#[tokio::test]
async fn an_event_source_that_comes_again_gets_what_it_missed() {
    let f = start(|_| {}).await;
    let orders = [f.create_order("alice").await, f.create_order("alice").await];
    let connect = json!({ "data": { "auth": user_jwt("alice"), "project_id": f.project } });
    let listen = async |last_event_id: &str| {
        let url = format!("{}/connection/uni_sse", f.base);
        let request = f.client.post(url).body(connect.to_string());
        let request = request.header("last-event-id", last_event_id);
        request.send().await.expect("answer")
    };
    let mut stream = listen("").await;
    let first = events(&mut stream, 3).await;
    let subs = first[0].1["connect"]["subs"].as_object().expect("subs");
    let epoch = subs.values().next().expect("one")["epoch"]
        .as_str()
        .expect("text");
    let ids: Vec<_> = first.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, [0, 1, 2].map(|at| format!("id: {epoch}:{at}")));
    drop(stream);

    let path = f.v1(&format!("/orders/{}/transitions", orders[0]));
    f.post(&path, &f.api_key, &json!({ "to": "paid" })).await;
    let mut again = listen(&format!("{epoch}:2")).await;
    let missed = events(&mut again, 2).await;
    let sub = missed[0].1["connect"]["subs"].as_object().expect("subs");
    assert_eq!(sub.values().next().expect("one")["recovered"], true);
    assert_eq!(missed[0].0, format!("id: {epoch}:2"));
    assert_eq!(missed[1].0, format!("id: {epoch}:3"));
    assert_eq!(
        missed[1].1["pub"]["data"],
        json!({ "order_id": orders[0], "status": "paid" })
    );
    f.post(&path, &f.api_key, &json!({ "to": "done" })).await;
    let live = events(&mut again, 1).await;
    assert_eq!(live[0].0, format!("id: {epoch}:4"));
}

#[tokio::test]
async fn an_event_source_is_told_by_the_status_what_will_not_do_next_time_either() {
    let f = start(|_| {}).await;
    let of = |auth: &str| json!({ "data": { "auth": auth, "project_id": f.project } }).to_string();
    for (connect, expected, code) in [
        (of("nobody"), 401, "unauthorized"),
        (of(""), 401, "unauthorized"),
        ("{}".to_owned(), 401, "unauthorized"),
        ("nonsense".to_owned(), 400, "bad_connect"),
    ] {
        let posted = f
            .send(Method::POST, "/connection/uni_sse", &[], connect.clone())
            .await;
        assert_eq!(
            (posted.status.as_u16(), posted.code().as_str()),
            (expected, code)
        );
        let query: String = url::form_urlencoded::byte_serialize(connect.as_bytes()).collect();
        let path = format!("/connection/uni_sse?cf_connect={query}");
        let got = f.send(Method::GET, &path, &[], "").await;
        assert_eq!(got.status.as_u16(), expected, "{connect}");
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
async fn the_header_that_the_proxy_does_not_write_is_the_clients_own() {
    let (xff, fwd) = ("x-forwarded-for", "forwarded");
    let of = |last: u8| format!("198.51.100.{last}");
    for (header, written, other) in [("X-Forwarded-For", xff, fwd), ("Forwarded", fwd, xff)] {
        let f = start(|flags| {
            flags.connections_per_ip = Some(1);
            flags.trusted_proxies = Some(vec!["127.0.0.0/8".parse().expect("network")]);
            flags.proxy_header = Some(header.parse().expect("header"));
        })
        .await;
        let value = |name: &str, last: u8| match name {
            "forwarded" => format!("for={}", of(last)),
            _ => of(last),
        };
        let (one, two) = (value(written, 1), value(written, 2));
        let _first = admitted(&f, "alice", &[(written, &one)]).await;
        let made_up = value(other, 9);
        refused(&f, &[(written, &one), (other, &made_up)], ADDRESS_FULL).await;
        let _second = admitted(&f, "bob", &[(written, &two), (other, &value(other, 1))]).await;
    }
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
