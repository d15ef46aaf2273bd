//! Clients that mean harm beside clients that mean none, on one server.

use crate::{
    raw_socket::{
        CLOSE, PING, TEXT, connect_command, dial, frame, open, read_frame, read_to_close,
        upgrade_request,
    },
    support::{Fixture, start_default, user_jwt},
};
use futures_util::{SinkExt, StreamExt, future::join_all};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::Barrier,
    task::JoinSet,
};
use tokio_tungstenite::{connect_async, tungstenite::Message};

const HONEST: usize = 500;
/// Of each kind.
const HOSTILE: usize = 50;
/// As many as one user may have: they share a channel that holds much.
const STALLED: usize = 7;
/// Until it reads what was written before the server had enough. Shorter than the server waits for
/// its close frame to be read.
const STALL: Duration = Duration::from_millis(1_500);
const FAT: &str = "fat";
const FAT_ORDERS: usize = 100;

#[derive(Clone, Copy, Debug)]
enum Hostile {
    /// Asks and never reads.
    Stalled,
    /// Sends the head of its request a byte at a time.
    Slowloris,
    /// Sends what is no frame.
    Garbage,
    /// Sends what is no command.
    Nonsense,
    /// Announces a frame of a gigabyte.
    Oversize,
    /// Upgrades and says nothing.
    Mute,
    /// Sends commands faster than allowed.
    Flood,
    /// Sends WebSocket pings faster than allowed: each wants an answer too.
    Pinging,
    /// Asks for what is not its own, again and again.
    Prying,
    /// Never answers a ping.
    Pongless,
    /// Has no credential.
    Stranger,
}

impl Hostile {
    const ALL: [Self; 11] = [
        Self::Stalled,
        Self::Slowloris,
        Self::Garbage,
        Self::Nonsense,
        Self::Oversize,
        Self::Mute,
        Self::Flood,
        Self::Pinging,
        Self::Prying,
        Self::Pongless,
        Self::Stranger,
    ];

    /// What the server ends it with; nothing where no WebSocket came to be.
    fn code(self) -> Option<u16> {
        match self {
            Self::Stalled => Some(3008),
            Self::Slowloris => None,
            Self::Garbage => Some(1002),
            Self::Nonsense => Some(3501),
            Self::Oversize => Some(1009),
            Self::Mute => Some(3000),
            Self::Flood | Self::Pinging => Some(3013),
            Self::Prying => Some(3509),
            Self::Pongless => Some(3012),
            Self::Stranger => Some(3500),
        }
    }

    async fn attack(self, f: &Fixture, number: usize) -> Option<u16> {
        if let Self::Slowloris = self {
            return slowloris(f).await;
        }
        let mut stream = open(f).await;
        let auth = match self {
            Self::Stranger => "nobody".to_owned(),
            Self::Stalled => user_jwt(FAT),
            _ => user_jwt(&format!("mallory-{self:?}-{number}")),
        };
        let connect = frame(TEXT, connect_command(f, &auth).to_string().as_bytes());
        match self {
            Self::Garbage => send(&mut stream, &[0xFF; 64]).await,
            Self::Oversize => send(&mut stream, b"\x81\xff\0\0\0\0\x40\0\0\0\0\0\0\0").await,
            Self::Nonsense => send(&mut stream, &frame(TEXT, b"give me money")).await,
            Self::Mute | Self::Slowloris => {}
            Self::Stalled
            | Self::Flood
            | Self::Pinging
            | Self::Prying
            | Self::Pongless
            | Self::Stranger => send(&mut stream, &connect).await,
        }
        match self {
            Self::Stalled => {
                let channel = format!("orders:{}#{FAT}", f.project);
                let ask = json!({ "id": 2, "history": { "channel": channel, "limit": -1 } });
                send(
                    &mut stream,
                    &frame(TEXT, ask.to_string().as_bytes()).repeat(39),
                )
                .await;
                tokio::time::sleep(STALL).await;
            }
            Self::Flood => {
                let ask = frame(TEXT, br#"{"id":2,"history":{"channel":"x"}}"#);
                send(&mut stream, &ask.repeat(60)).await;
            }
            Self::Pinging => send(&mut stream, &frame(PING, b"?").repeat(60)).await,
            Self::Prying => return pry(&mut stream).await,
            Self::Slowloris
            | Self::Garbage
            | Self::Nonsense
            | Self::Oversize
            | Self::Mute
            | Self::Pongless
            | Self::Stranger => {}
        }
        read_to_close(&mut stream).await.1
    }
}

/// Asks when it was answered, and slower than a flood.
async fn pry(stream: &mut tokio::net::TcpStream) -> Option<u16> {
    let ask = frame(TEXT, br#"{"id":2,"subscribe":{"channel":"x"}}"#);
    let mut pause = tokio::time::interval(Duration::from_millis(60));
    pause.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let (opcode, payload) = read_frame(stream).await;
        if opcode == CLOSE {
            return Some(u16::from_be_bytes([payload[0], payload[1]]));
        }
        pause.tick().await;
        send(stream, &ask).await;
    }
}

/// The server may be gone already: what it ended with is read afterwards.
async fn send(stream: &mut tokio::net::TcpStream, bytes: &[u8]) {
    let _ = stream.write_all(bytes).await;
}

async fn slowloris(f: &Fixture) -> Option<u16> {
    let mut stream = dial(f).await;
    let request = upgrade_request("");
    let mut pause = tokio::time::interval(Duration::from_millis(500));
    for byte in request.bytes() {
        pause.tick().await;
        if stream.write_all(&[byte]).await.is_err() {
            return None;
        }
        let mut answer = [0; 16];
        match stream.try_read(&mut answer) {
            Ok(0) => return None,
            Ok(_) => {
                let _ = stream.read_to_end(&mut Vec::new()).await;
                return None;
            }
            Err(_) => {}
        }
    }
    panic!(
        "the server waited for a whole head, {} bytes long",
        request.len()
    );
}

/// A change through the API, at the pace that the server allows, and when it was asked for.
async fn change(f: &Fixture, path: &str, body: &Value) -> (Instant, Value) {
    loop {
        let asked_at = Instant::now();
        let answer = f.post(path, &f.api_key, body).await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            tokio::time::sleep(Duration::from_secs(1)).await;
            continue;
        }
        assert!(answer.status.is_success(), "{}", answer.text);
        return (asked_at, answer.json());
    }
}

async fn create(f: &Fixture, user: &str) -> i64 {
    let body = json!({
        "user_external_id": user,
        "items": [{ "sku": "sword", "price": { "amount": "1.99", "currency": "USD" } }],
    });
    let (_, made) = change(f, &f.v1("/orders"), &body).await;
    made["order_id"].as_i64().expect("order_id")
}

fn path(f: &Fixture, order: i64) -> String {
    f.v1(&format!("/orders/{order}/transitions"))
}

fn to(status: &str) -> Value {
    json!({ "to": status })
}

/// Tracks its order to `done`; gives every publication that it saw, and when it saw `paid`.
async fn honest(
    f: Arc<Fixture>,
    user: String,
    order: i64,
    connected: Arc<Barrier>,
) -> (Vec<(u64, String)>, Instant) {
    let url = f.base.replace("http", "ws") + "/connection/websocket";
    let (mut socket, _) = connect_async(url).await.expect("upgrade");
    let connect = connect_command(&f, &user_jwt(&user)).to_string();
    socket.send(Message::text(connect)).await.expect("sent");
    let mut seen = Vec::new();
    let mut paid_at = Instant::now();
    loop {
        let message = socket.next().await.expect("still open").expect("a frame");
        let Message::Text(text) = message else {
            panic!("{user} got {message:?}");
        };
        let message: Value = serde_json::from_str(&text).expect("JSON");
        if text.as_str() == "{}" {
            socket.send(Message::text("{}")).await.expect("sent");
        } else if message.get("connect").is_some() {
            connected.wait().await;
        } else if message["id"] == 2 {
            // All that could still come was sent before this answer.
            return (seen, paid_at);
        } else {
            let publication = &message["push"]["pub"];
            assert_eq!(publication["data"]["order_id"], order, "{user} got {text}");
            let status = publication["data"]["status"].as_str().expect("status");
            seen.push((
                publication["offset"].as_u64().expect("offset"),
                status.to_owned(),
            ));
            match status {
                "paid" => paid_at = Instant::now(),
                "done" => {
                    let last = Message::text(r#"{"id":2,"ping":{}}"#);
                    socket.send(last).await.expect("sent");
                }
                _ => {}
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes half a minute: cargo test -p ordercast-server --test http -- --ignored"]
async fn hostile_clients_are_cut_and_honest_ones_get_every_change_once() {
    let mut f = start_default().await;
    f.stop().await;
    f.start_again_with(|flags| {
        flags.connections_per_ip = Some(10_000);
        flags.ping_seconds = Some(5);
    })
    .await;
    let f = Arc::new(f);
    let users: Vec<_> = (0..HONEST)
        .map(|number| format!("honest-{number}"))
        .collect();
    let orders = join_all(users.iter().map(|user| create(&f, user))).await;

    for _ in 0..FAT_ORDERS {
        let order = create(&f, FAT).await;
        for status in ["paid", "done"] {
            change(&f, &path(&f, order), &to(status)).await;
        }
    }

    let connected = Arc::new(Barrier::new(HONEST + 1));
    let trackers: Vec<_> = users
        .iter()
        .zip(&orders)
        .map(|(user, order)| {
            tokio::spawn(honest(
                Arc::clone(&f),
                user.clone(),
                *order,
                Arc::clone(&connected),
            ))
        })
        .collect();
    connected.wait().await;

    let mut attacks = JoinSet::new();
    for number in 0..HOSTILE {
        for kind in Hostile::ALL {
            let kind = match kind {
                Hostile::Stalled if number >= STALLED => Hostile::Stranger,
                kind => kind,
            };
            let f = Arc::clone(&f);
            attacks.spawn(async move { (kind, kind.attack(&f, number).await) });
        }
    }
    let mut asked_at = Vec::new();
    for order in &orders {
        asked_at.push(change(&f, &path(&f, *order), &to("paid")).await.0);
    }
    while let Some(ended) = attacks.join_next().await {
        let (kind, code) = ended.expect("an attack");
        assert_eq!(code, kind.code(), "{kind:?}");
    }
    for order in &orders {
        change(&f, &path(&f, *order), &to("done")).await;
    }

    let mut delays = Vec::new();
    for ((tracker, asked_at), user) in trackers.into_iter().zip(asked_at).zip(&users) {
        let (seen, paid_at) = tracker.await.expect("a tracker");
        let expected = [(1, "new"), (2, "paid"), (3, "done")];
        assert_eq!(
            seen,
            expected.map(|(n, status)| (n, status.to_owned())),
            "{user}"
        );
        delays.push(paid_at - asked_at);
    }
    delays.sort();
    let part = |share: usize| delays[delays.len() * share / 100];
    println!(
        "change asked to push seen, under attack: p50 {:?}, p99 {:?}",
        part(50),
        part(99)
    );
    let health = f.send(reqwest::Method::GET, "/health", &[], "").await;
    assert_eq!(health.status, StatusCode::OK);
    let f = Arc::into_inner(f).expect("nobody else");
    f.stop().await;
}

#[tokio::test]
async fn who_breaks_a_rule_at_once_is_cut_with_its_code() {
    let f = start_default().await;
    for kind in [
        Hostile::Garbage,
        Hostile::Nonsense,
        Hostile::Oversize,
        Hostile::Flood,
        Hostile::Pinging,
        Hostile::Prying,
        Hostile::Stranger,
    ] {
        assert_eq!(kind.attack(&f, 0).await, kind.code(), "{kind:?}");
    }
}

#[tokio::test]
async fn a_head_that_does_not_end_is_cut() {
    let mut f = start_default().await;
    f.stop().await;
    f.start_again_with(|flags| flags.head_seconds = Some(1))
        .await;
    let whole = upgrade_request("");
    for part in [1, whole.len() / 2, whole.len() - 1] {
        let mut stream = dial(&f).await;
        stream
            .write_all(&whole.as_bytes()[..part])
            .await
            .expect("sent");
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(!answer.contains(" 101 "), "{part} bytes: {answer}");
    }
}
