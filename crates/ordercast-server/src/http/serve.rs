//! The accept loop: TLS where it is configured, hyper per connection, its limits, an orderly end.

use super::{App, store_api};
use crate::{realtime::WebSockets, tls::TlsStream};
use axum::{Router, body::Body, extract::ConnectInfo};
use futures_util::future::{self, Either};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics::counter;
use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{Notify, mpsc, watch},
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

/// A bound socket: the port is known before the server serves.
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
    pub tls: Option<Arc<ServerConfig>>,
    /// How long a client may take for a request's head, a TLS handshake before the first included.
    pub head: Duration,
}

impl Listener {
    /// # Errors
    /// When the address cannot be bound.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = if address.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        // A restarted server must not wait for the old one's connections to time out.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let inner = socket.listen(BACKLOG)?;
        prepare_accepted(&inner);
        let address = inner.local_addr()?;
        Ok(Self { inner, address })
    }

    /// Serves until the server stops, then waits for running requests.
    pub async fn serve(self, front: Front) {
        let front = Arc::new(front);
        let mut shutdown = front.app.stopping.clone();
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
                    let (front, alive) = (Arc::clone(&front), alive.clone());
                    tokio::spawn(async move {
                        match &front.tls {
                            None => serve_connection(stream, peer, &front, front.head).await,
                            Some(tls) => {
                                let began = Instant::now();
                                // Boxed: it is needed once.
                                let secured = Box::pin(secure(tls, stream, peer, &front));
                                if let Some(stream) = secured.await {
                                    // Whoever is slow twice holds a socket no longer.
                                    let left = front.head.saturating_sub(began.elapsed());
                                    serve_connection(stream, peer, &front, left).await;
                                }
                            }
                        }
                        drop(alive);
                    });
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

/// Ends an HTTP connection at once, for a handler whose answer is not read to its end.
#[derive(Clone, Debug, Default)]
pub struct Hangup(Arc<Notify>);

impl Hangup {
    pub fn now(&self) {
        self.0.notify_one();
    }
}

async fn secure(
    tls: &Arc<ServerConfig>,
    stream: TcpStream,
    peer: SocketAddr,
    front: &Front,
) -> Option<TlsStream> {
    let mut shutdown = front.app.stopping.clone();
    let handshake = tokio::time::timeout(front.head, TlsStream::accept(Arc::clone(tls), stream));
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
    head: Duration,
) {
    let mut shutdown = front.app.stopping.clone();
    let hangup = Hangup::default();
    let (to_handlers, front) = (hangup.clone(), Arc::clone(front));
    let service = service_fn(move |mut request: Request<Incoming>| {
        if let Some(answer) = store_api::poll::answer(&front.app, &request) {
            return Either::Left(future::ready(Ok(answer)));
        }
        if let Some(answer) = front.websockets.answer(peer, &mut request) {
            return Either::Left(future::ready(Ok(answer)));
        }
        request.extensions_mut().insert(ConnectInfo(peer));
        request.extensions_mut().insert(to_handlers.clone());
        Either::Right(front.router.clone().oneshot(request.map(Body::new)))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = hangup.0.notified() => return,
        () = requested(&mut shutdown) => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                ended = &mut connection => ended,
                () = hangup.0.notified() => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, %peer, "connection ended");
    }
}
