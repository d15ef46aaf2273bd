//! Calls to real servers, with names that an own resolver answers.

use axum::{
    Router,
    http::{HeaderMap, StatusCode},
    response::Redirect,
    routing::post,
};
use ordercast_server::outbound::{
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
pub struct Names(Arc<Mutex<Vec<Vec<IpAddr>>>>);

impl Names {
    pub fn of(answers: &[&[&str]]) -> Self {
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
pub fn policy() -> Policy {
    Policy {
        allow_http: true,
        allow_any_port: true,
        allowed_networks: vec!["127.0.0.1/32".parse().expect("network")],
        allow_any_address: false,
    }
}

pub fn dialer(names: Names, timeout: Duration) -> Dialer {
    Dialer::new(policy(), names, Vec::new(), timeout).expect("TLS")
}

pub async fn send(dialer: &Dialer, address: SocketAddr) -> Result<Answer, SendError> {
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
pub async fn serve_raw(answer: Vec<u8>, is_kept_open: bool) -> (SocketAddr, Arc<AtomicUsize>) {
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

pub const LONG: Duration = Duration::from_secs(20);

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
async fn a_body_that_never_ends_does_not_hold_up_the_answer() {
    let begun = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbegun".to_vec();
    let (address, _) = serve_raw(begun, true).await;
    // As long as a test may last: whoever waits for the body never returns.
    let patient = dialer(Names::of(&[&["127.0.0.1"]]), Duration::from_secs(3600));
    let answer = send(&patient, address).await.expect("answer");
    assert_eq!(
        (answer.status, answer.body.as_slice(), answer.is_whole),
        (200, b"begun".as_slice(), false)
    );
}

/// What is asked for its body is waited for, and says when a part of it is missing.
#[tokio::test]
async fn of_what_is_read_for_its_body_it_is_known_whether_it_is_whole() {
    let get = async |answer: &str, bytes_max: usize| {
        let (address, _) = serve_raw(answer.as_bytes().to_vec(), false).await;
        let url = format!("http://idp.example:{}/keys", address.port());
        let url = TargetUrl::parse(&url, &policy()).expect("a URL");
        let dialer = dialer(Names::of(&[&["127.0.0.1"]]), LONG);
        let answer = dialer.get(&url, HeaderMap::new(), bytes_max).await;
        let answer = answer.expect("answer");
        (
            String::from_utf8(answer.body).expect("text"),
            answer.is_whole,
        )
    };
    let whole = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nkeys";
    assert_eq!(get(whole, 4).await, ("keys".to_owned(), true));
    assert_eq!(get(whole, 3).await, ("key".to_owned(), false));
    let broken = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nkeys";
    assert_eq!(get(broken, 9).await, ("keys".to_owned(), false));
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
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = closed.local_addr().expect("address");
    drop(closed);
    assert_eq!(
        send(&dialer(here(), LONG), address).await.err(),
        Some(SendError::Connect(io::ErrorKind::ConnectionRefused))
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

/// An address that swallows connections must not cost the time that the request has: shops whose IPv6
/// leads nowhere are reached over IPv4.
#[tokio::test]
async fn an_address_that_swallows_connections_does_not_hold_up_the_next() {
    let swallowing = Swallowing::new("127.0.0.2").await;
    let listener = TcpListener::bind(("127.0.0.1", swallowing.port)).await;
    let listener = listener.expect("the same port of another address");
    let address = listener.local_addr().expect("address");
    let router = Router::new().route("/hook", post(async || StatusCode::OK));
    tokio::spawn(async { axum::serve(listener, router).await });
    let both = Policy {
        allowed_networks: vec!["127.0.0.0/8".parse().expect("network")],
        ..policy()
    };
    let names = Names::of(&[&["127.0.0.2", "127.0.0.1"]]);
    // As long as a test may last: whoever waits for the first address never returns.
    let patient = Duration::from_secs(3600);
    let dialer = Dialer::new(both, names, Vec::new(), patient).expect("TLS");
    let answer = send(&dialer, address).await.expect("answer");
    assert_eq!((answer.status, answer.address), (200, Some(address)));
}

/// A port whose queue of connections is full: the kernel answers no further one.
struct Swallowing {
    port: u16,
    _listener: socket2::Socket,
    _queued: Vec<tokio::net::TcpStream>,
}

impl Swallowing {
    async fn new(ip: &str) -> Self {
        let any: SocketAddr = format!("{ip}:0").parse().expect("address");
        let listener = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
        let listener = listener.expect("a socket");
        listener.bind(&any.into()).expect("a port");
        listener.listen(0).expect("a queue of one");
        let address = listener.local_addr().expect("address").as_socket();
        let address = address.expect("an IP address");
        let mut queued = Vec::new();
        // How many it takes differs between kernels; the first that hangs shows that it is full.
        let hangs = Duration::from_millis(500);
        while let Ok(stream) =
            tokio::time::timeout(hangs, tokio::net::TcpStream::connect(address)).await
        {
            queued.push(stream.expect("queued"));
        }
        Self {
            port: address.port(),
            _listener: listener,
            _queued: queued,
        }
    }
}

#[tokio::test]
async fn requests_say_what_they_accept_and_who_asks() {
    let router = Router::new().route(
        "/hook",
        post(async |headers: HeaderMap| {
            let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
            format!("{:?} {:?}", text("accept"), text("user-agent"))
        }),
    );
    let address = serve(router).await;
    let dialer = dialer(Names::of(&[&["127.0.0.1"]]), LONG);
    let answer = send(&dialer, address).await.expect("answer");
    let said = String::from_utf8(answer.body).expect("text");
    let agent = concat!("Ordercast/", env!("CARGO_PKG_VERSION"));
    assert_eq!(said, format!("{:?} {:?}", Some("*/*"), Some(agent)));
}
