//! One GET of a key set: bounded in time and size, no redirects, no proxies of the environment.

use super::{
    address::{Address, Reach, may_ask},
    document::DOCUMENT_BYTES_MAX,
};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Request, StatusCode, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};
use thiserror::Error;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs, pki_types::ServerName},
};

/// The whole of it (guarantees, 3.1).
const TIMEOUT: Duration = Duration::from_secs(3);

/// Kept coarse: it is shown to a project's administrator, who must not learn about the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FetchError {
    #[error("could not be reached within {} s", TIMEOUT.as_secs())]
    Unreachable,
    #[error("did not answer with 200")]
    Status,
    #[error("is larger than {DOCUMENT_BYTES_MAX} bytes or broke off")]
    Body,
}

/// # Errors
/// [`FetchError`].
pub async fn fetch(address: &Address, reach: Reach) -> Result<Bytes, FetchError> {
    match tokio::time::timeout(TIMEOUT, get(address, reach)).await {
        Ok(result) => result,
        Err(_) => Err(FetchError::Unreachable),
    }
}

async fn get(address: &Address, reach: Reach) -> Result<Bytes, FetchError> {
    let stream = connect(address, reach).await.map_err(|error| {
        tracing::debug!(%error, host = address.host, "key set not reached");
        FetchError::Unreachable
    })?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|_| FetchError::Unreachable)?;
    // Ends with the sender, or with this future.
    let _end = AbortOnDrop(tokio::spawn(connection).abort_handle());
    let host = if address.port == if address.is_secure { 443 } else { 80 } {
        bracketed(&address.host)
    } else {
        format!("{}:{}", bracketed(&address.host), address.port)
    };
    let request = Request::get(address.path.as_str())
        .header(header::HOST, host)
        .header(header::ACCEPT, "application/jwk-set+json, application/json")
        .header(
            header::USER_AGENT,
            concat!("ordercast/", env!("CARGO_PKG_VERSION")),
        )
        .body(Empty::<Bytes>::new())
        .map_err(|_| FetchError::Unreachable)?;
    let response = sender
        .send_request(request)
        .await
        .map_err(|_| FetchError::Unreachable)?;
    if response.status() != StatusCode::OK {
        return Err(FetchError::Status);
    }
    Limited::new(response.into_body(), DOCUMENT_BYTES_MAX)
        .collect()
        .await
        .map(|body| body.to_bytes())
        .map_err(|_| FetchError::Body)
}

struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn bracketed(host: &str) -> String {
    if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    }
}

trait Bytestream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Bytestream for T {}

async fn connect(address: &Address, reach: Reach) -> std::io::Result<Box<dyn Bytestream>> {
    // The addresses that were checked are the ones that are connected to: a name that resolves to
    // something else a moment later gains nothing.
    let allowed: Vec<SocketAddr> = lookup_host((address.host.as_str(), address.port))
        .await?
        .filter(|found| may_ask(found.ip(), reach))
        .collect();
    let tcp = TcpStream::connect(allowed.as_slice()).await?;
    if !address.is_secure {
        return Ok(Box::new(tcp));
    }
    let name = ServerName::try_from(address.host.clone()).map_err(std::io::Error::other)?;
    Ok(Box::new(tls()?.connect(name, tcp).await?))
}

/// Trusts what the operating system trusts, where self-hosters put their own authority.
fn tls() -> std::io::Result<TlsConnector> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if let Some(config) = CONFIG.get() {
        return Ok(TlsConnector::from(Arc::clone(config)));
    }
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        tracing::error!(errors = ?found.errors, "no trusted certificates on this system");
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(std::io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let config = CONFIG.get_or_init(|| Arc::new(config));
    Ok(TlsConnector::from(Arc::clone(config)))
}
