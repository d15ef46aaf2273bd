//! The server's own TLS, with certificates made here.

use crate::support::{Fixture, start_default, try_serve_with, user_jwt};
use futures_util::{SinkExt, StreamExt};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, Issuer, KeyPair, date_time_ymd,
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::{fs, net::SocketAddr, path::Path, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion,
        crypto::aws_lc_rs,
        pki_types::ServerName,
        version::{TLS12, TLS13},
    },
};
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

const NAME: &str = "orders.example";
/// Long enough for a slow machine; reached only when a test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// Signs certificates, and is trusted by the clients that know it.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

struct Pair {
    certificate: String,
    key: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("params");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("authority");
        Self { issuer }
    }

    fn issue(&self) -> Pair {
        self.issue_for(2020, 4000)
    }

    fn issue_for(&self, from_year: i32, to_year: i32) -> Pair {
        let issuer: &Issuer<'_, KeyPair> = &self.issuer;
        let key = KeyPair::generate().expect("key");
        let mut params = CertificateParams::new(vec![NAME.to_owned()]).expect("params");
        params.not_before = date_time_ymd(from_year, 1, 1);
        params.not_after = date_time_ymd(to_year, 1, 1);
        let certificate = params.signed_by(&key, issuer).expect("signed");
        Pair {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    }

    fn connector(&self, version: &'static SupportedProtocolVersion) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).expect("root");
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .expect("version")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        TlsConnector::from(Arc::new(config))
    }
}

impl Pair {
    fn write(&self, folder: &Path) {
        fs::write(folder.join("tls.crt"), &self.certificate).expect("written");
        fs::write(folder.join("tls.key"), &self.key).expect("written");
    }
}

/// A server on the default project's data, with this pair.
async fn start(pair: &Pair) -> Fixture {
    let mut f = start_default().await;
    pair.write(f.folder());
    f.stop().await;
    let folder = f.folder().to_owned();
    f.start_again_with(|flags| {
        flags.tls_certificate = Some(folder.join("tls.crt"));
        flags.tls_key = Some(folder.join("tls.key"));
    })
    .await;
    f
}

fn address(f: &Fixture) -> SocketAddr {
    f.base
        .trim_start_matches("http://")
        .parse()
        .expect("address")
}

async fn dial(f: &Fixture, connector: &TlsConnector) -> std::io::Result<TlsStream<TcpStream>> {
    let tcp = TcpStream::connect(address(f)).await?;
    let name = ServerName::try_from(NAME).expect("name");
    connector.connect(name, tcp).await
}

/// One request, one answer: status and body.
async fn ask(
    f: &Fixture,
    connector: &TlsConnector,
    head: &str,
    body: &str,
) -> (StatusCode, String) {
    let mut stream = dial(f, connector).await.expect("TLS");
    let request = format!(
        "{head} HTTP/1.1\r\nhost: {NAME}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n{body}",
        f.api_key,
        body.len()
    );
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).expect("status");
    (status.parse().expect("status"), body.to_owned())
}

async fn pay(f: &Fixture, connector: &TlsConnector, order: i64) {
    let head = format!("POST {}", f.v1(&format!("/orders/{order}/transitions")));
    let (status, body) = ask(f, connector, &head, r#"{"to":"paid"}"#).await;
    assert_eq!(status, StatusCode::OK, "{body}");
}

type Socket = WebSocketStream<TlsStream<TcpStream>>;

async fn track(f: &Fixture, stream: TlsStream<TcpStream>) -> Socket {
    let url = format!("wss://{NAME}/connection/websocket");
    let (mut socket, _) = client_async(url, stream).await.expect("upgrade");
    let data = json!({ "auth": user_jwt("alice"), "project_id": f.project });
    let connect = json!({ "id": 1, "connect": { "data": data } });
    socket
        .send(Message::text(connect.to_string()))
        .await
        .expect("sent");
    let reply = next(&mut socket).await;
    assert!(reply.get("connect").is_some(), "{reply}");
    socket
}

async fn next(socket: &mut Socket) -> Value {
    let message = tokio::time::timeout(PATIENCE, socket.next()).await;
    let message = message
        .expect("in time")
        .expect("a message")
        .expect("a frame");
    serde_json::from_str(message.to_text().expect("text")).expect("JSON")
}

/// The statuses that are pushed until this one.
async fn until(socket: &mut Socket, order: i64, status: &str) {
    loop {
        let message = next(socket).await;
        let data = &message["push"]["pub"]["data"];
        if data["order_id"] == order && data["status"] == status {
            return;
        }
    }
}

#[tokio::test]
async fn http_and_websocket_over_both_versions() {
    let authority = Authority::new();
    let mut f = start_default().await;
    let orders = [f.create_order("alice").await, f.create_order("alice").await];
    f.stop().await;
    let folder = f.folder().to_owned();
    authority.issue().write(&folder);
    f.start_again_with(|flags| {
        flags.tls_certificate = Some(folder.join("tls.crt"));
        flags.tls_key = Some(folder.join("tls.key"));
    })
    .await;
    for ((version, expected), order) in [
        (&TLS12, ProtocolVersion::TLSv1_2),
        (&TLS13, ProtocolVersion::TLSv1_3),
    ]
    .into_iter()
    .zip(orders)
    {
        let connector = authority.connector(version);
        let stream = dial(&f, &connector).await.expect("TLS");
        let (_, state) = stream.get_ref();
        assert_eq!(state.protocol_version(), Some(expected));
        assert_eq!(state.alpn_protocol(), Some(&b"http/1.1"[..]));
        let mut socket = track(&f, stream).await;
        pay(&f, &connector, order).await;
        until(&mut socket, order, "paid").await;
        // Larger than a record, and than what is read at once.
        socket
            .send(Message::Ping(vec![7; 125].into()))
            .await
            .expect("sent");
        let spaces = " ".repeat(40_000);
        let history = json!({ "id": 2, "history": { "channel": "nobody's" } }).to_string();
        socket
            .send(Message::text(format!("{history}{spaces}")))
            .await
            .expect("sent");
        let pong = socket.next().await.expect("a message").expect("a frame");
        assert_eq!(pong, Message::Pong(vec![7; 125].into()));
        let answer = next(&mut socket).await;
        assert_eq!(answer["error"]["code"], 103, "{answer}");
        socket.close(None).await.expect("closed");
        while let Some(Ok(_)) = socket.next().await {}
    }
    f.stop().await;
}

#[tokio::test]
async fn events_over_tls() {
    let authority = Authority::new();
    let f = start(&authority.issue()).await;
    let connector = authority.connector(&TLS13);
    let data =
        json!({ "data": { "auth": user_jwt("alice"), "project_id": f.project } }).to_string();
    let mut stream = dial(&f, &connector).await.expect("TLS");
    let request = format!(
        "POST /connection/uni_sse HTTP/1.1\r\nhost: {NAME}\r\ncontent-length: {}\r\n\r\n{data}",
        data.len()
    );
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut seen = String::new();
    while !seen.contains("\"connect\":{") {
        let mut buffer = [0; 1024];
        let count = stream.read(&mut buffer).await.expect("read");
        assert_ne!(count, 0, "ended after {seen}");
        seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
    f.stop().await;
}

#[tokio::test]
async fn a_renewed_pair_is_taken_into_use_and_running_connections_stay() {
    let [old, renewed] = [Authority::new(), Authority::new()];
    let first = old.issue();
    let f = start(&first).await;
    let trusts_old = old.connector(&TLS13);
    let trusts_renewed = renewed.connector(&TLS13);
    let mut socket = track(&f, dial(&f, &trusts_old).await.expect("TLS")).await;
    assert!(dial(&f, &trusts_renewed).await.is_err());

    // Half of a renewal, as it stands on the disk for a moment: nothing changes.
    let second = renewed.issue();
    let half = Pair {
        certificate: second.certificate.clone(),
        key: first.key,
    };
    half.write(f.folder());
    drop(dial(&f, &trusts_old).await.expect("TLS"));

    second.write(f.folder());
    tokio::time::timeout(PATIENCE, async {
        while dial(&f, &trusts_renewed).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the renewed certificate");
    assert!(dial(&f, &trusts_old).await.is_err());

    let body = json!({
        "user_external_id": "alice",
        "items": [{ "sku": "sword", "price": { "amount": "1.99", "currency": "USD" } }],
    });
    let head = format!("POST {}", f.v1("/orders"));
    let (status, made) = ask(&f, &trusts_renewed, &head, &body.to_string()).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let made: Value = serde_json::from_str(&made).expect("JSON");
    let order = made["order_id"].as_i64().expect("order_id");
    until(&mut socket, order, "new").await;
    f.stop().await;
}

#[tokio::test]
async fn what_is_no_tls_is_cut_and_hurts_nobody() {
    let authority = Authority::new();
    let f = start(&authority.issue()).await;
    let mut plain = TcpStream::connect(address(&f)).await.expect("TCP");
    plain
        .write_all(b"GET /health HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .expect("sent");
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    let (status, _) = ask(&f, &authority.connector(&TLS13), "GET /health", "").await;
    assert_eq!(status, StatusCode::OK);
    f.stop().await;
}

/// A server that is started with these two files, which are left out where they are empty.
async fn check(certificate: &str, key: &str, expected: &str) {
    let folder = tempfile::tempdir().expect("folder");
    let write = |name, text: &str| {
        let path = folder.path().join(name);
        if !text.is_empty() {
            fs::write(&path, text).expect("written");
        }
        path
    };
    let (certificate, key) = (write("tls.crt", certificate), write("tls.key", key));
    let data = folder.path().join("data");
    let error = try_serve_with(&data, |flags| {
        flags.tls_certificate = Some(certificate);
        flags.tls_key = Some(key);
    })
    .await
    .expect_err("refused");
    let said = error.to_string();
    assert!(said.contains(expected), "{said}");
    assert!(!data.join("ordercast.db").exists(), "nothing is made");
}

#[tokio::test]
async fn pairs_that_cannot_be_used_are_refused_at_the_start() {
    let authority = Authority::new();
    let good = authority.issue();
    let other = authority.issue();
    check("", &good.key, "cannot read tls_certificate").await;
    check(&good.certificate, "", "cannot read tls_key").await;
    check("no PEM", &good.key, "holds no certificate").await;
    check(&good.key, &good.key, "holds no certificate").await;
    check(&good.certificate, "no PEM", "holds no private key").await;
    check(&good.certificate, &good.certificate, "holds no private key").await;
    check(&good.certificate, &other.key, "does not belong to").await;
    let past = authority.issue_for(2020, 2021);
    check(&past.certificate, &past.key, "expired at 2021-01-01").await;
    let future = authority.issue_for(3000, 3001);
    check(
        &future.certificate,
        &future.key,
        "is not valid before 3000-01-01",
    )
    .await;
}

#[test]
fn one_file_without_the_other_is_refused() {
    use confique::Layer;
    let mut flags = ordercast_server::config::Partial::empty();
    flags.tls_key = Some("tls.key".into());
    let error = ordercast_server::config::Config::load(flags, None).expect_err("refused");
    let expected = "tls_key is tls.key; it must be set together with tls_certificate";
    assert_eq!(error.to_string(), expected);
}

/// A server on the default project's data that gives a request's head this long.
async fn start_with_head(pair: &Pair, seconds: u32) -> Fixture {
    let mut f = start(pair).await;
    f.stop().await;
    let folder = f.folder().to_owned();
    f.start_again_with(|flags| {
        flags.tls_certificate = Some(folder.join("tls.crt"));
        flags.tls_key = Some(folder.join("tls.key"));
        flags.head_seconds = Some(seconds);
    })
    .await;
    f
}

/// Reads until the server ends it; what it said before.
async fn cut(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer))
        .await
        .expect("cut");
    answer
}

#[tokio::test]
async fn a_handshake_that_does_not_end_is_cut() {
    let authority = Authority::new();
    let f = start_with_head(&authority.issue(), 1).await;
    let mut silent = TcpStream::connect(address(&f)).await.expect("TCP");
    let mut begun = TcpStream::connect(address(&f)).await.expect("TCP");
    // The head of a record that announces a kilobyte.
    begun
        .write_all(b"\x16\x03\x01\x04\x00\x01")
        .await
        .expect("sent");
    assert_eq!(cut(&mut silent).await, b"");
    assert_eq!(cut(&mut begun).await, b"");
    f.stop().await;
}

#[tokio::test]
async fn a_slow_handshake_leaves_less_time_for_the_head() {
    let authority = Authority::new();
    let f = start_with_head(&authority.issue(), 2).await;
    let slow = TcpStream::connect(address(&f)).await.expect("TCP");
    // Not a wait for something: its slowness is what is tested.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut later = TcpStream::connect(address(&f)).await.expect("TCP");
    let name = ServerName::try_from(NAME).expect("name");
    let connector = authority.connector(&TLS13);
    let mut slow = connector.connect(name, slow).await.expect("TLS");
    slow.write_all(b"GET /health HTTP/1.1\r\nhost: ")
        .await
        .expect("sent");
    // The one that came a second later shows when two seconds from now are over.
    let first = tokio::select! {
        _ = cut(&mut slow) => "slow",
        _ = cut(&mut later) => "later",
    };
    assert_eq!(first, "slow");
    f.stop().await;
}

#[tokio::test]
async fn the_time_for_the_first_head_does_not_end_what_is_served() {
    let authority = Authority::new();
    let f = start_with_head(&authority.issue(), 1).await;
    let connector = authority.connector(&TLS13);
    let mut socket = track(&f, dial(&f, &connector).await.expect("TLS")).await;
    // Silent from then on; when it is cut, the time of those before it is over.
    let mut silent = TcpStream::connect(address(&f)).await.expect("TCP");
    assert_eq!(cut(&mut silent).await, b"");
    socket
        .send(Message::Ping(vec![7].into()))
        .await
        .expect("sent");
    let pong = socket.next().await.expect("a message").expect("a frame");
    assert_eq!(pong, Message::Pong(vec![7].into()));
    f.stop().await;
}
