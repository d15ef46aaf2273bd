//! The accept loop: TLS where it is configured, hyper per connection, its limits, an orderly end.

use super::{
    App,
    pace::{AnswerBody, Pace, Paced, Times, Upload},
    sockets::{Full, Lent, Plain, Sockets},
    store_api,
};
use crate::{clock, realtime::WebSockets, tls::TlsStream};
use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{HeaderValue, Response, Uri, header, uri::PathAndQuery},
};
use futures_util::future::{self, Either};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use listenfd::ListenFd;
use metrics::counter;
use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{Notify, Semaphore, mpsc, watch},
};
use tokio_rustls::rustls::ServerConfig;
use tower::ServiceExt;

const HEADERS_MAX: usize = 64;
/// Request line and all headers.
const HEAD_BYTES_MAX: usize = 16 * 1024;
const BACKLOG: u32 = 4_096;
/// In the kernel, beyond what the client's window takes.
#[cfg(target_os = "linux")]
const UNSENT_BYTES_MAX: u32 = 64 * 1024;
/// A full file table frees itself when connections end; asking at once again would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Handlers that still run when the server ends get this long.
const DRAIN: Duration = Duration::from_secs(10);
/// Sockets at once that are told that there is no place for them; beyond, they are closed without a word.
const FAREWELLS_MAX: usize = 256;
const FAREWELL_TIME: Duration = Duration::from_secs(1);

/// A socket with its address: known before the server serves, and taken from everybody else.
#[derive(Debug)]
pub struct Reserved {
    socket: Socket,
    pub address: SocketAddr,
}

#[derive(Debug)]
enum Socket {
    /// Bound. Who connects is refused, until it listens.
    Own(TcpSocket),
    /// Of the service manager, which holds it open over restarts: who comes meanwhile waits in it.
    Inherited(std::net::TcpListener),
}

/// A listening socket.
#[derive(Debug)]
pub struct Listener {
    inner: TcpListener,
    pub address: SocketAddr,
}

/// What all connections come to.
pub struct Front {
    pub app: App,
    pub router: Router,
    pub websockets: WebSockets,
    pub sockets: Arc<Sockets>,
    pub tls: Option<Arc<ServerConfig>>,
    /// For the first head a TLS handshake is part of the time.
    pub times: Times,
}

impl Reserved {
    /// The socket that a service manager hands over (systemd's `LISTEN_FDS`), or a new one.
    ///
    /// # Errors
    /// When the address cannot be bound, or what was handed over is no listening TCP socket.
    pub fn take(address: SocketAddr) -> io::Result<Self> {
        let mut handed = ListenFd::from_env();
        match handed.len() {
            0 => Self::bind(address),
            1 => {
                let listener = handed
                    .take_tcp_listener(0)?
                    .ok_or_else(|| io::Error::other("the service manager handed over no socket"))?;
                let address = listener.local_addr()?;
                Ok(Self {
                    socket: Socket::Inherited(listener),
                    address,
                })
            }
            several => Err(io::Error::other(format!(
                "the service manager handed over {several} sockets; one is served"
            ))),
        }
    }

    fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = if address.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        // A restarted server must not wait for the old one's connections to time out.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let address = socket.local_addr()?;
        Ok(Self {
            socket: Socket::Own(socket),
            address,
        })
    }

    /// From now on clients come in.
    ///
    /// # Errors
    /// When somebody else listens there.
    pub fn listen(self) -> io::Result<Listener> {
        let inner = match self.socket {
            Socket::Own(socket) => socket.listen(BACKLOG)?,
            Socket::Inherited(listener) => {
                listener.set_nonblocking(true)?;
                TcpListener::from_std(listener)?
            }
        };
        prepare_accepted(&inner);
        Ok(Listener {
            inner,
            address: self.address,
        })
    }
}

impl Listener {
    /// Serves until the server stops, then waits for running requests.
    pub async fn serve(self, front: Front) {
        let front = Arc::new(front);
        let mut shutdown = front.app.stopping.clone();
        let farewells = Arc::new(Semaphore::new(FAREWELLS_MAX));
        // Every connection holds a sender; when all are dropped, `recv` ends.
        let (alive, mut all_ended) = mpsc::channel::<()>(1);
        loop {
            let accepted = tokio::select! {
                accepted = self.inner.accept() => accepted,
                () = requested(&mut shutdown) => break,
            };
            match accepted {
                Ok((stream, peer)) => {
                    #[cfg(not(target_os = "linux"))]
                    let _ = stream.set_nodelay(true);
                    let is_proxy = front.app.proxies.trusts(peer.ip());
                    let realtime = front.websockets.count();
                    let now = clock::monotonic();
                    let admitted = front.sockets.admit(peer.ip(), is_proxy, realtime, now);
                    let (front, alive) = (Arc::clone(&front), alive.clone());
                    match admitted {
                        Ok(plain) => {
                            tokio::spawn(async move {
                                welcome(stream, peer, &front, plain).await;
                                // First what holds the database: it is closed when all have ended.
                                drop(front);
                                drop(alive);
                            });
                        }
                        // What speaks TLS cannot be told anything yet.
                        Err(full) if front.tls.is_none() => {
                            if let Ok(turn) = Arc::clone(&farewells).try_acquire_owned() {
                                tokio::spawn(async move {
                                    turn_away(stream, full, front.sockets.per_address_max).await;
                                    drop(turn);
                                });
                            }
                        }
                        Err(_) => {}
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "accept failed");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        // Closed now, so that a client that comes is told at once, and a new server finds the port free.
        drop(self.inner);
        drop(alive);
        let _ = tokio::time::timeout(DRAIN, all_ended.recv()).await;
    }
}

/// From the first byte on.
async fn welcome(stream: TcpStream, peer: SocketAddr, front: &Arc<Front>, plain: Plain) {
    let plain = Arc::new(plain);
    let Some(tls) = &front.tls else {
        return serve_connection(stream, peer, front, plain, front.times.head).await;
    };
    let began = clock::monotonic();
    // Boxed: it is needed once.
    let secured = Box::pin(secure(tls, stream, peer, front, &plain));
    if let Some(stream) = secured.await {
        // Whoever is slow twice holds a socket no longer.
        let left = front.times.head.saturating_sub(began.elapsed());
        serve_connection(stream, peer, front, plain, left).await;
    }
}

/// Tells a client that there is no place for it, and reads what it has to say, because a socket that is
/// closed with unread bytes loses the answer.
async fn turn_away(mut stream: TcpStream, full: Full, per_address_max: usize) {
    let mut limit = String::new();
    let (status, code, title) = match full {
        Full::Address => {
            limit = format!(
                "ratelimit-limit: {per_address_max}\r\nratelimit-remaining: 0\r\nratelimit-reset: 1\r\n\
                 ratelimit-policy: \"connections\";q={per_address_max};w=1\r\n\
                 ratelimit: \"connections\";r=0;t=1\r\n"
            );
            (
                "429 Too Many Requests",
                "too_many_connections",
                "too many connections from this address",
            )
        }
        Full::Server => (
            "503 Service Unavailable",
            "unavailable",
            "nothing was changed; try again in a moment",
        ),
    };
    let number = &status[..3];
    let body =
        format!(r#"{{"type":"about:blank","status":{number},"code":"{code}","title":"{title}"}}"#);
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/problem+json\r\nretry-after: 1\r\n{limit}\
         connection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let farewell = async {
        tokio::io::AsyncWriteExt::write_all(&mut stream, answer.as_bytes()).await?;
        tokio::io::AsyncWriteExt::shutdown(&mut stream).await?;
        let mut scratch = [0; 1024];
        while stream.read(&mut scratch).await? > 0 {}
        io::Result::Ok(())
    };
    let _ = tokio::time::timeout(FAREWELL_TIME, farewell).await;
}

/// Accepted sockets inherit what is set here. Small frames must not wait for the peer's delayed ACK;
/// and without a bound the kernel takes megabytes for a client that does not read, and ours on what is
/// outstanding would begin behind them.
fn prepare_accepted(listener: &TcpListener) {
    #[cfg(target_os = "linux")]
    {
        let socket = socket2::SockRef::from(listener);
        if let Err(error) = socket.set_tcp_nodelay(true) {
            tracing::warn!(%error, "small frames will wait");
        }
        if let Err(error) = socket.set_tcp_notsent_lowat(UNSENT_BYTES_MAX) {
            tracing::warn!(%error, "slow readers will be noticed late");
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = listener;
}

/// Whether the server goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    NotYet,
    Now,
}

/// Returns when the server stops. A sender that is gone means the same.
pub async fn requested(shutdown: &mut watch::Receiver<Shutdown>) {
    let _ = shutdown
        .wait_for(|state| *state == Shutdown::Now)
        .await
        .map(|_| ());
}

/// The connection of a handler whose answer does not end by itself.
#[derive(Clone, Debug)]
pub struct Hangup {
    end: Arc<Notify>,
    socket: Arc<Plain>,
}

impl Hangup {
    /// Ends the connection at once, when its client does not read to the end.
    pub fn now(&self) {
        self.end.notify_one();
    }

    /// The answer is a realtime connection, counted as such while this lives.
    pub fn lend(&self) -> Lent {
        self.socket.lend()
    }
}

async fn secure(
    tls: &Arc<ServerConfig>,
    stream: TcpStream,
    peer: SocketAddr,
    front: &Front,
    plain: &Plain,
) -> Option<TlsStream> {
    let Some(_turn) = plain.handshake() else {
        counter!("ordercast_tls_handshakes_failed_total", "why" => "too_many").increment(1);
        return None;
    };
    let mut shutdown = front.app.stopping.clone();
    let handshake =
        tokio::time::timeout(front.times.head, TlsStream::accept(Arc::clone(tls), stream));
    let failed = tokio::select! {
        done = handshake => match done {
            Ok(Ok(stream)) => return Some(stream),
            Ok(Err(error)) => {
                tracing::debug!(%error, %peer, "TLS handshake failed");
                "failed"
            }
            Err(_) => "timeout",
        },
        () = requested(&mut shutdown) => return None,
    };
    counter!("ordercast_tls_handshakes_failed_total", "why" => failed).increment(1);
    None
}

async fn serve_connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    front: &Arc<Front>,
    plain: Arc<Plain>,
    head: Duration,
) {
    let mut shutdown = front.app.stopping.clone();
    let sockets = Arc::clone(&front.sockets);
    let hangup = Hangup {
        end: Arc::default(),
        socket: plain,
    };
    let pace = Pace::start(front.times, head);
    let stream = Paced::new(stream, Arc::clone(&pace));
    let (to_handlers, front) = (hangup.clone(), Arc::clone(front));
    let on_request = Arc::clone(&pace);
    let service = service_fn(move |mut request: Request<Incoming>| {
        let pace = Arc::clone(&on_request);
        pace.asked();
        let answered = |answer: Response<Body>| {
            Either::Left(future::ready(Ok(
                answer.map(|body| AnswerBody::new(body, &pace))
            )))
        };
        front.app.proxies.notice(peer.ip(), request.headers());
        if let Some(uri) = without_last_slash(request.uri()) {
            *request.uri_mut() = uri;
        }
        if let Some(answer) = store_api::poll::answer(&front.app, &request) {
            return answered(answer);
        }
        if let Some(answer) = front.websockets.answer(peer, &mut request) {
            return answered(answer);
        }
        request.extensions_mut().insert(ConnectInfo(peer));
        request.extensions_mut().insert(to_handlers.clone());
        Either::Right(route(front.router.clone(), request, pace))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // By the pace, which knows a head that is late from a connection that is idle.
        .header_read_timeout(None)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let overdue = pace.overdue();
    let crowded = sockets.crowded();
    tokio::pin!(connection, overdue, crowded);
    let mut is_last = false;
    let ended = loop {
        tokio::select! {
            // The deadline is looked at after the connection may have moved it.
            biased;
            ended = &mut connection => break ended,
            () = hangup.end.notified() => return,
            () = &mut overdue => return,
            () = &mut crowded, if !is_last => {
                is_last = true;
                connection.as_mut().graceful_shutdown();
            }
            () = requested(&mut shutdown), if !is_last => {
                is_last = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, %peer, "connection ended");
    }
}

/// Through the router. A body that the handler left is read behind it: the client of a refused request
/// must be able to read the answer, and to go on.
async fn route(
    router: Router,
    request: Request<Incoming>,
    pace: Arc<Pace>,
) -> Result<Response<AnswerBody>, Infallible> {
    let waits_to_send = request.headers().contains_key(header::EXPECT);
    let (head, body) = request.into_parts();
    let has_body = !hyper::body::Body::is_end_stream(&body);
    let upload = has_body.then(|| Upload::new(body));
    let body = upload.clone().map_or_else(Body::empty, Body::new);
    let mut response = router.oneshot(Request::from_parts(head, body)).await?;
    if let Some(upload) = upload {
        // A client that asked whether it may send has not sent: nothing would come.
        let is_whole = upload.has_ended() || (!waits_to_send && upload.finish().await);
        if !is_whole {
            pace.left_unread();
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
    }
    Ok(response.map(|body| AnswerBody::new(body, &pace)))
}

/// Several SDKs in the field end some paths of `/api/v2` and `/api/v3` with a slash: it is as if it were
/// not there.
fn without_last_slash(uri: &Uri) -> Option<Uri> {
    let path = uri.path().strip_suffix('/')?;
    if !path.starts_with("/api/v2/") && !path.starts_with("/api/v3/") {
        return None;
    }
    let shorter = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(shorter).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_last_slash_below_the_store_api_is_left_out() {
        for (given, expected) in [
            (
                "/api/v2/project/1/free/cart/",
                Some("/api/v2/project/1/free/cart"),
            ),
            (
                "/api/v2/project/1/cart/?a=/",
                Some("/api/v2/project/1/cart?a=/"),
            ),
            (
                "/api/v3/project/1/admin/order/search/",
                Some("/api/v3/project/1/admin/order/search"),
            ),
            (
                "http://a/api/v2/project/1/cart/",
                Some("http://a/api/v2/project/1/cart"),
            ),
            ("/api/v2/project/1/free/cart", None),
            ("/v1/projects/", None),
            ("/api/v2/", None),
            ("/", None),
        ] {
            let shorter = without_last_slash(&given.parse().expect("a URI"));
            assert_eq!(
                shorter,
                expected.map(|uri| uri.parse().expect("a URI")),
                "{given}"
            );
        }
    }
}
