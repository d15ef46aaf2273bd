//! Connections: the name is resolved, every address is asked of the guard, and only those that it lets
//! through are dialled.

use super::{
    fault::{self, SendError},
    guard::Policy,
    race,
};
use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::{
    client::legacy::connect::{Connected, Connection},
    rt::TokioIo,
};
use rustls_native_certs::load_native_certs;
use std::{
    cell::Cell,
    fmt, io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, Error as TlsError, RootCertStore,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, ServerName},
    },
};
use tower::Service;

/// Names to addresses: the system's way, or a test's own.
pub trait Lookup: Send + Sync + 'static {
    fn lookup(&self, name: &str) -> impl Future<Output = io::Result<Vec<IpAddr>>> + Send;
}

/// As the system resolves names.
#[derive(Clone, Copy, Debug, Default)]
pub struct System;

impl Lookup for System {
    async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let found = tokio::net::lookup_host((name, 0)).await?;
        Ok(found.map(|address| address.ip()).collect())
    }
}

tokio::task_local! {
    /// The client asks for connections by URL alone, and drops one that is not ready in time: so what
    /// was dialled last is noted here, for the log of an attempt without an answer.
    static LAST_DIALLED: Cell<Option<SocketAddr>>;
}

/// With which address was dialled last meanwhile.
pub(super) async fn note_dialled<F: Future>(call: F) -> (F::Output, Option<SocketAddr>) {
    let noting = async {
        let output = call.await;
        (output, LAST_DIALLED.with(Cell::get))
    };
    LAST_DIALLED.scope(Cell::new(None), noting).await
}

pub struct Connector<L> {
    policy: Arc<Policy>,
    lookup: Arc<L>,
    tls: TlsConnector,
}

impl<L> fmt::Debug for Connector<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector(..)")
    }
}

impl<L> Clone for Connector<L> {
    fn clone(&self) -> Self {
        Self {
            policy: Arc::clone(&self.policy),
            lookup: Arc::clone(&self.lookup),
            tls: self.tls.clone(),
        }
    }
}

impl<L: Lookup> Connector<L> {
    /// `roots`: certificates to be trusted beside the system's.
    pub fn new(
        policy: Policy,
        lookup: L,
        roots: Vec<CertificateDer<'static>>,
    ) -> Result<Self, TlsError> {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(load_native_certs().certs);
        store.add_parsable_certificates(roots);
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(store)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            policy: Arc::new(policy),
            lookup: Arc::new(lookup),
            tls: TlsConnector::from(Arc::new(config)),
        })
    }

    async fn connect(self, uri: Uri) -> Result<Stream, SendError> {
        let host = uri.host().unwrap_or_default();
        let host = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        let is_secure = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
        let stream = self.dial(host, port).await?;
        let address = stream
            .peer_addr()
            .map_err(|error| SendError::Connect(error.kind()))?;
        // Requests are written at once.
        let _ = stream.set_nodelay(true);
        let io: Pin<Box<dyn Io>> = if is_secure {
            let name = ServerName::try_from(host.to_owned())
                .map_err(|_| SendError::Tls("its name cannot stand in a certificate".to_owned()))?;
            let stream = self.tls.connect(name, stream).await;
            Box::pin(stream.map_err(|error| fault::tls(&error))?)
        } else {
            Box::pin(stream)
        };
        Ok(Stream {
            io: TokioIo::new(io),
            address,
        })
    }

    async fn dial(&self, host: &str, port: u16) -> Result<TcpStream, SendError> {
        let found = match host.parse() {
            Ok(ip) => vec![ip],
            Err(_) => {
                let found = self.lookup.lookup(host).await;
                found.map_err(|_| SendError::Unresolved)?
            }
        };
        let first = *found.first().ok_or(SendError::Unresolved)?;
        let allowed = found.into_iter().filter(|ip| self.policy.may_dial(*ip));
        let addresses = race::by_turns(allowed);
        let stream = race::first(addresses, SendError::Guarded(first), async |ip| {
            let address = SocketAddr::new(ip, port);
            note(address);
            TcpStream::connect(address)
                .await
                .map_err(|error| SendError::Connect(error.kind()))
        })
        .await?;
        if let Ok(address) = stream.peer_addr() {
            note(address);
        }
        Ok(stream)
    }
}

fn note(address: SocketAddr) {
    // Nobody waits any more for one that the client goes on with by itself.
    let _ = LAST_DIALLED.try_with(|last| last.set(Some(address)));
}

impl<L: Lookup> Service<Uri> for Connector<L> {
    type Response = Stream;
    type Error = SendError;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, SendError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().connect(uri))
    }
}

trait Io: AsyncRead + AsyncWrite + Send {}
impl<T: AsyncRead + AsyncWrite + Send> Io for T {}

/// Tells, with every answer, which address was dialled.
pub struct Stream {
    io: TokioIo<Pin<Box<dyn Io>>>,
    address: SocketAddr,
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stream({})", self.address)
    }
}

/// In the extensions of an answer.
#[derive(Clone, Copy, Debug)]
pub struct Dialled(pub SocketAddr);

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new().extra(Dialled(self.address))
    }
}

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl Write for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}
