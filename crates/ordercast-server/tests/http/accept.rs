//! From the socket on: how many there may be, how long one may take, and how each ends.

use crate::{
    raw_socket::{dial, read_head, upgrade_request},
    support::{Fixture, start_default, start_with},
};
use ordercast_server::config::Partial;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

const HEALTH: &str = "GET /health HTTP/1.1\r\nhost: a\r\n\r\n";

async fn start(set: impl FnOnce(&mut Partial)) -> Fixture {
    let mut f = start_default().await;
    f.stop().await;
    f.start_again_with(set).await;
    f
}

/// From another address of this machine.
async fn dial_from(f: &Fixture, address: &str) -> TcpStream {
    let to = f
        .base
        .trim_start_matches("http://")
        .parse()
        .expect("address");
    let socket = TcpSocket::new_v4().expect("socket");
    let from = format!("{address}:0").parse().expect("address");
    socket.bind(from).expect("bound");
    socket.connect(to).await.expect("TCP")
}

async fn said(stream: &mut TcpStream, text: &str) -> String {
    stream.write_all(text.as_bytes()).await.expect("sent");
    read_head(stream).await
}

/// Everything until the server closes, an end without a reset.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.expect("no reset");
    String::from_utf8(bytes).expect("text")
}

async fn metric(f: &Fixture, name: &str) -> String {
    let text = f.internal("/metrics").await.text;
    let line = text.lines().find(|line| line.starts_with(name));
    line.unwrap_or_default().to_owned()
}

#[tokio::test]
async fn idle_connections_of_one_address_keep_nobody_else_out() {
    let f = start(|flags| flags.http_connections_per_ip = Some(3)).await;
    let mut held = Vec::new();
    // Another address than the one that the metrics are read from.
    for _ in 0..3 {
        let mut stream = dial_from(&f, "127.0.0.2").await;
        assert!(said(&mut stream, HEALTH).await.starts_with("HTTP/1.1 200"));
        held.push(stream);
    }
    let mut fourth = dial_from(&f, "127.0.0.2").await;
    let refused = rest(&mut fourth).await;
    assert!(refused.starts_with("HTTP/1.1 429"), "{refused}");
    assert!(refused.contains("\r\nretry-after: 1\r\n"), "{refused}");
    assert!(
        refused.contains("\r\nratelimit: \"connections\";r=0"),
        "{refused}"
    );
    assert!(refused.ends_with("from this address\"}"), "{refused}");
    let mut buyer = dial_from(&f, "127.0.0.3").await;
    let upgraded = said(&mut buyer, &upgrade_request("")).await;
    assert!(upgraded.starts_with("HTTP/1.1 101"), "{upgraded}");
    let refusals = metric(&f, "ordercast_sockets_refused_total{why=\"address\"}").await;
    assert!(
        !refusals.ends_with(" 0") && !refusals.is_empty(),
        "{refusals}"
    );
    // A place that was given back is free.
    drop(held.pop());
    loop {
        let mut stream = dial_from(&f, "127.0.0.2").await;
        if said(&mut stream, HEALTH).await.starts_with("HTTP/1.1 200") {
            break;
        }
    }
}

#[tokio::test]
async fn a_websocket_is_no_plain_connection_any_more() {
    let f = start(|flags| flags.http_connections_per_ip = Some(1)).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        // The place of the one before is free when its upgrade is done, which only the server sees.
        let stream = loop {
            let mut stream = dial_from(&f, "127.0.0.2").await;
            let head = said(&mut stream, &upgrade_request("")).await;
            if head.starts_with("HTTP/1.1 101") {
                break stream;
            }
            assert!(head.starts_with("HTTP/1.1 429"), "{head}");
        };
        open.push(stream);
    }
}

#[tokio::test]
async fn trusted_proxies_may_have_any_number_of_connections() {
    let f = start(|flags| {
        flags.http_connections_per_ip = Some(1);
        flags.trusted_proxies = Some(vec!["127.0.0.2/32".parse().expect("network")]);
    })
    .await;
    let mut held = Vec::new();
    for _ in 0..5 {
        let mut stream = dial_from(&f, "127.0.0.2").await;
        assert!(said(&mut stream, HEALTH).await.starts_with("HTTP/1.1 200"));
        held.push(stream);
    }
}

#[tokio::test]
async fn an_idle_connection_waits_longer_than_a_head_may_take() {
    let f = start(|flags| {
        flags.head_seconds = Some(1);
        flags.idle_seconds = Some(3600);
    })
    .await;
    let mut idle = dial(&f).await;
    assert!(said(&mut idle, HEALTH).await.starts_with("HTTP/1.1 200"));
    let body = idle.read_u8().await.expect("a body");
    assert_eq!(body, b'{');
    // Two others that say half a head, one as its first word, one after an answer: both are ended, and by
    // then the idle one has waited longer than they may.
    let mut slow = dial(&f).await;
    slow.write_all(b"GET /health HT").await.expect("sent");
    assert_eq!(rest(&mut slow).await, "");
    let mut again = dial(&f).await;
    assert!(said(&mut again, HEALTH).await.starts_with("HTTP/1.1 200"));
    again.write_all(b"GET /health HT").await.expect("sent");
    let ended = rest(&mut again).await;
    assert!(
        ended.ends_with('}'),
        "the body of the answer alone: {ended}"
    );
    assert!(!said(&mut idle, HEALTH).await.is_empty());
}

#[tokio::test]
async fn an_idle_connection_ends_after_its_time() {
    let f = start(|flags| flags.idle_seconds = Some(1)).await;
    let mut idle = dial(&f).await;
    assert!(said(&mut idle, HEALTH).await.starts_with("HTTP/1.1 200"));
    assert!(rest(&mut idle).await.ends_with('}'));
}

/// A body that is sent behind its head, as clients do that have more than one packet.
async fn refused_with_body(f: &Fixture, bytes: usize, expected: &str) -> TcpStream {
    let mut stream = dial(f).await;
    let head = format!(
        "POST /v1/projects/{}/orders HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
         content-length: {bytes}\r\n\r\n",
        f.project
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    // Nobody reads this: the credential is missing.
    let chunk = vec![b' '; 16 * 1024];
    let mut left = bytes;
    while left > 0 {
        let part = left.min(chunk.len());
        stream
            .write_all(&chunk[..part])
            .await
            .expect("the server reads on");
        left -= part;
    }
    let answer = read_head(&mut stream).await;
    assert!(answer.starts_with(expected), "{answer}");
    stream
}

#[tokio::test]
async fn the_answer_to_a_refused_request_is_readable_and_the_connection_goes_on() {
    let f = start_default().await;
    for bytes in [10, 60 * 1024] {
        let mut stream = refused_with_body(&f, bytes, "HTTP/1.1 401").await;
        let mut body = [0; 1024];
        let read = stream.read(&mut body).await.expect("a body");
        assert!(read > 0);
        let head = said(&mut stream, HEALTH).await;
        assert!(head.contains("HTTP/1.1 200"), "{bytes}: {head}");
    }
}

#[tokio::test]
async fn the_answer_to_a_long_body_is_readable_and_the_connection_ends() {
    let f = start_default().await;
    let mut stream = refused_with_body(&f, 2 * 1024 * 1024, "HTTP/1.1 401").await;
    rest(&mut stream).await;
}

#[tokio::test]
async fn what_is_no_request_gets_an_answer_that_can_be_read() {
    let f = start_default().await;
    let mut stream = dial(&f).await;
    let long = format!(
        "GET /health HTTP/1.1\r\nhost: a\r\nx: {}\r\n",
        "x".repeat(64 * 1024)
    );
    stream.write_all(long.as_bytes()).await.expect("sent");
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test]
async fn a_last_slash_of_the_store_api_is_as_if_it_were_not_there() {
    let project = json!({ "name": "Test", "hs256_secret": crate::support::JWT_SECRET });
    let f = start_with(project, |_| {}).await;
    let token = crate::support::user_jwt("alice");
    let order = f.create_order("alice").await;
    for path in [
        "/free/cart/",
        "/cart/",
        "/free/cart/?engine=android",
        &format!("/order/{order}/"),
    ] {
        let path = f.v2(path);
        let with_slash = f.get(&path, &token).await;
        let without = f.get(&path.replacen("/?", "?", 1), &token).await;
        let bare = path.strip_suffix('/').unwrap_or(&path);
        let bare = if path.contains('?') {
            without
        } else {
            f.get(bare, &token).await
        };
        assert_eq!(
            (with_slash.status, with_slash.text),
            (bare.status, bare.text),
            "{path}"
        );
    }
    let buy = f.post(&f.v2("/free/cart/"), &token, &json!({})).await;
    assert_ne!(buy.code(), "1019", "{}", buy.text);
    let other = f.get("/v1/projects/", &f.api_key).await;
    assert_eq!(other.status.as_u16(), 404);
}
