//! Calls to real servers, with names that an own resolver answers.

use axum::{
    Router,
    http::{HeaderMap, StatusCode},
    response::Redirect,
    routing::post,
};
use ordercast_server::delivery::{
    connect::Lookup,
    dial::{Answer, BODY_BYTES_MAX, Dialer, SendError},
    guard::{Policy, TargetUrl},
};
use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// Gives one answer after the other, the last for ever.
#[derive(Clone)]
struct Names(Arc<Mutex<Vec<Vec<IpAddr>>>>);

impl Names {
    fn of(answers: &[&[&str]]) -> Self {
        let answers = answers
            .iter()
            .map(|ips| ips.iter().map(|ip| ip.parse().expect("ip")).collect())
            .collect();
        Self(Arc::new(Mutex::new(answers)))
    }
}

impl Lookup for Names {
    async fn lookup(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        let mut answers = self.0.lock().expect("answers");
        if answers.len() > 1 {
            return Ok(answers.remove(0));
        }
        answers
            .first()
            .cloned()
            .ok_or_else(|| io::Error::other("no such name"))
    }
}

/// Loopback stands for the public Internet here: everything else is forbidden as usual.
fn policy() -> Policy {
    Policy {
        allow_http: true,
        allow_any_port: true,
        allowed_networks: vec!["127.0.0.1/32".parse().expect("network")],
    }
}

fn dialer(names: Names, timeout: Duration) -> Dialer {
    Dialer::new(policy(), names, Vec::new(), timeout).expect("TLS")
}

async fn send(dialer: &Dialer, address: SocketAddr) -> Result<Answer, SendError> {
    let url = format!("http://shop.example:{}/hook", address.port());
    let url = TargetUrl::parse(&url, &policy()).expect("a URL");
    let answer = dialer.send(&url, HeaderMap::new(), b"{}".to_vec()).await;
    answer.map_err(|unanswered| unanswered.error)
}

async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("address");
    tokio::spawn(async { axum::serve(listener, router).await });
    address
}

/// Answers with these bytes and says how many connections there were.
async fn serve_raw(answer: Vec<u8>, is_kept_open: bool) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("address");
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            counted.fetch_add(1, Ordering::SeqCst);
            let answer = answer.clone();
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(&answer).await;
                if is_kept_open {
                    std::future::pending::<()>().await;
                }
            });
        }
    });
    (address, count)
}

const LONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_name_that_turns_private_is_not_dialled_any_more() {
    // Closes after each answer, so that every request resolves the name again.
    let (address, connections) = serve_raw(
        b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n".to_vec(),
        false,
    )
    .await;
    let names = Names::of(&[
        &["127.0.0.1"],
        &["127.0.0.2"],
        &["::1"],
        &["10.0.0.1"],
        &["169.254.169.254"],
    ]);
    let dialer = dialer(names, LONG);
    assert_eq!(send(&dialer, address).await.expect("answer").status, 204);
    for private in ["127.0.0.2", "::1", "10.0.0.1", "169.254.169.254"] {
        let refused = send(&dialer, address).await.expect_err("not dialled");
        assert_eq!(refused, SendError::Guarded(private.parse().expect("ip")));
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn of_several_addresses_only_the_public_ones_are_dialled() {
    let address = serve(Router::new().route("/hook", post(async || StatusCode::OK))).await;
    let dialer = dialer(Names::of(&[&["10.0.0.1", "127.0.0.1", "::1"]]), LONG);
    let answer = send(&dialer, address).await.expect("answer");
    assert_eq!(answer.address, Some(address));
}

#[tokio::test]
async fn connections_are_used_again() {
    let names = Names::of(&[&["127.0.0.1"], &["10.0.0.1"]]);
    let address = serve(Router::new().route("/hook", post(async || "ok"))).await;
    let dialer = dialer(names, LONG);
    // The second lookup would be refused: only a connection that is used again gets through.
    for _ in 0..3 {
        assert_eq!(send(&dialer, address).await.expect("answer").body, b"ok");
    }
}

#[tokio::test]
async fn redirects_are_answers() {
    let reached = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&reached);
    let router = Router::new()
        .route("/hook", post(async || Redirect::temporary("/other")))
        .route(
            "/other",
            post(async move || {
                counted.fetch_add(1, Ordering::SeqCst);
            }),
        );
    let address = serve(router).await;
    let dialer = dialer(Names::of(&[&["127.0.0.1"]]), LONG);
    assert_eq!(send(&dialer, address).await.expect("answer").status, 307);
    assert_eq!(reached.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn of_a_huge_answer_only_the_beginning_is_kept() {
    let address = serve(Router::new().route("/hook", post(async || "x".repeat(10_000_000)))).await;
    let dialer = dialer(Names::of(&[&["127.0.0.1"]]), LONG);
    let answer = send(&dialer, address).await.expect("answer");
    assert_eq!((answer.status, answer.body.len()), (200, BODY_BYTES_MAX));
}

#[tokio::test]
async fn a_body_that_never_ends_does_not_change_the_answer() {
    let begun = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbegun".to_vec();
    let (address, _) = serve_raw(begun, true).await;
    let dialer = dialer(Names::of(&[&["127.0.0.1"]]), Duration::from_millis(300));
    let answer = send(&dialer, address).await.expect("answer");
    assert_eq!(
        (answer.status, answer.body.as_slice()),
        (200, b"begun".as_slice())
    );
}

#[tokio::test]
async fn what_is_no_answer_says_why() {
    let short = Duration::from_millis(300);
    let (silent, _) = serve_raw(Vec::new(), true).await;
    let here = || Names::of(&[&["127.0.0.1"]]);
    assert_eq!(
        send(&dialer(here(), short), silent).await.err(),
        Some(SendError::Timeout)
    );
    let (rude, _) = serve_raw(Vec::new(), false).await;
    assert_eq!(
        send(&dialer(here(), LONG), rude).await.err(),
        Some(SendError::Broken)
    );
    let (wrong, _) = serve_raw(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(), false).await;
    assert_eq!(
        send(&dialer(here(), LONG), wrong).await.err(),
        Some(SendError::Broken)
    );
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = closed.local_addr().expect("address");
    drop(closed);
    assert_eq!(
        send(&dialer(here(), LONG), address).await.err(),
        Some(SendError::Connect)
    );
    let unknown = dialer(Names::of(&[]), LONG);
    assert_eq!(
        send(&unknown, address).await.err(),
        Some(SendError::Unresolved)
    );
}

/// The log of attempts has it, whether or not there was an answer.
#[tokio::test]
async fn what_is_no_answer_says_which_address_was_dialled() {
    let unanswered = async |dialer: &Dialer, address: SocketAddr| {
        let url = format!("http://shop.example:{}/hook", address.port());
        let url = TargetUrl::parse(&url, &policy()).expect("a URL");
        let answer = dialer.send(&url, HeaderMap::new(), Vec::new()).await;
        answer.expect_err("no answer").address
    };
    let here = || Names::of(&[&["127.0.0.1"]]);
    let (silent, _) = serve_raw(Vec::new(), true).await;
    let impatient = dialer(here(), Duration::from_millis(300));
    assert_eq!(unanswered(&impatient, silent).await, Some(silent));
    let (rude, _) = serve_raw(Vec::new(), false).await;
    assert_eq!(unanswered(&dialer(here(), LONG), rude).await, Some(rude));
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = closed.local_addr().expect("address");
    drop(closed);
    let patient = dialer(here(), LONG);
    assert_eq!(unanswered(&patient, address).await, Some(address));
    let guarded = dialer(Names::of(&[&["10.0.0.1"]]), LONG);
    assert_eq!(unanswered(&guarded, address).await, None, "not dialled");
}

/// It was not dialled for the request that it fails.
#[tokio::test]
async fn a_connection_that_breaks_off_when_used_again_says_its_address() {
    let address = serve_once_then_hang().await;
    let dialer = dialer(Names::of(&[&["127.0.0.1"]]), Duration::from_millis(300));
    assert_eq!(send(&dialer, address).await.expect("answer").status, 204);
    let url = format!("http://shop.example:{}/hook", address.port());
    let url = TargetUrl::parse(&url, &policy()).expect("a URL");
    let unanswered = dialer.send(&url, HeaderMap::new(), Vec::new()).await;
    assert_eq!(unanswered.expect_err("no answer").address, Some(address));
}

/// One connection, of which the first request is answered.
async fn serve_once_then_hang() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("address");
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        drop(listener);
        let _ = stream.read(&mut [0; 4096]).await;
        let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
        std::future::pending::<()>().await;
    });
    address
}

#[tokio::test]
async fn retry_after_is_read_in_both_forms() {
    for (value, least, most) in [
        ("120", 120, 120),
        ("Wed, 01 Jan 2120 00:00:00 GMT", 1_000_000, u64::MAX),
    ] {
        let answer =
            format!("HTTP/1.1 503 Busy\r\nretry-after: {value}\r\ncontent-length: 0\r\n\r\n");
        let (address, _) = serve_raw(answer.into_bytes(), false).await;
        let dialer = dialer(Names::of(&[&["127.0.0.1"]]), LONG);
        let after = send(&dialer, address).await.expect("answer").retry_after;
        let seconds = after.expect(value).as_secs();
        assert!((least..=most).contains(&seconds), "{value}: {seconds}");
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_trusts_is_refused() {
    let pair = rcgen::generate_simple_self_signed(vec!["shop.example".to_owned()]).expect("a pair");
    let certificate = pair.cert.der().clone();
    let key =
        tokio_rustls::rustls::pki_types::PrivateKeyDer::try_from(pair.signing_key.serialize_der())
            .expect("a key");
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let config = tokio_rustls::rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .expect("a pair");
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("address").port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                    .await;
            }
        }
    });
    let url = format!("https://shop.example:{port}/hook");
    let url = TargetUrl::parse(&url, &policy()).expect("a URL");
    let names = || Names::of(&[&["127.0.0.1"]]);
    let refusing = Dialer::new(policy(), names(), Vec::new(), LONG).expect("TLS");
    let refused = refusing.send(&url, HeaderMap::new(), Vec::new()).await;
    let refused = refused.expect_err("no answer");
    assert_eq!(refused.error, SendError::Tls);
    assert_eq!(refused.address.map(|address| address.port()), Some(port));
    let trusting = Dialer::new(policy(), names(), vec![certificate], LONG).expect("TLS");
    let answer = trusting.send(&url, HeaderMap::new(), Vec::new()).await;
    assert_eq!(answer.expect("answer").status, 200);
}
