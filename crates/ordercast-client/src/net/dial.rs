//! A byte stream to the server, with TLS where the URL asks for it.
//!
//! Invariant: WebSocket and polling use the same stream, so that they trust the same certificates
//! and neither goes where the other does not (proxies of the environment are not used).

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::config::Endpoints;
use crate::error::ConfigError;

/// Bytes to and from the server.
pub(super) trait Bytestream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Bytestream for T {}

/// Opens byte streams to one server.
pub(super) struct Dialer {
    host: String,
    port: u16,
    tls: Option<Arc<tls::Tls>>,
}

impl Dialer {
    pub(super) fn new(endpoints: &Endpoints, url: &str) -> Result<Self, ConfigError> {
        let tls = if endpoints.secure {
            Some(Arc::new(tls::Tls::new(&endpoints.host, url)?))
        } else {
            None
        };
        Ok(Self {
            host: endpoints.host.clone(),
            port: endpoints.port,
            tls,
        })
    }

    /// Not bounded in time: callers bound the whole of what they do.
    pub(super) async fn dial(&self) -> std::io::Result<Box<dyn Bytestream>> {
        let tcp = TcpStream::connect((self.host.as_str(), self.port)).await?;
        // Frames are small and answered: a delay would only add to the latency.
        tcp.set_nodelay(true)?;
        match &self.tls {
            Some(tls) => tls.wrap(tcp).await,
            None => Ok(Box::new(tcp)),
        }
    }
}

#[cfg(feature = "tls")]
mod tls {
    use std::sync::Arc;

    use tokio::net::TcpStream;
    use tokio_rustls::TlsConnector;
    use tokio_rustls::rustls::crypto::aws_lc_rs;
    use tokio_rustls::rustls::pki_types::ServerName;
    use tokio_rustls::rustls::{ClientConfig, RootCertStore};

    use super::Bytestream;
    use crate::error::ConfigError;

    /// TLS with the certificates of the operating system, where self-hosters put their own CA.
    pub(super) struct Tls {
        connector: TlsConnector,
        name: ServerName<'static>,
    }

    impl Tls {
        pub(super) fn new(host: &str, url: &str) -> Result<Self, ConfigError> {
            let name = ServerName::try_from(host.to_owned()).map_err(|_| ConfigError::Url {
                url: url.to_owned(),
                fault: "has a host that no certificate can name",
            })?;
            let found = rustls_native_certs::load_native_certs();
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(found.certs);
            if roots.is_empty() {
                let errors: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
                return Err(ConfigError::NoCertificates(errors.join("; ")));
            }
            // The provider is named here and not installed for the process: that choice is the
            // application's.
            let provider = Arc::new(aws_lc_rs::default_provider());
            let config = ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .map_err(|error| ConfigError::NoCertificates(error.to_string()))?
                .with_root_certificates(roots)
                .with_no_client_auth();
            Ok(Self {
                connector: TlsConnector::from(Arc::new(config)),
                name,
            })
        }

        pub(super) async fn wrap(&self, tcp: TcpStream) -> std::io::Result<Box<dyn Bytestream>> {
            Ok(Box::new(
                self.connector.connect(self.name.clone(), tcp).await?,
            ))
        }
    }
}

#[cfg(not(feature = "tls"))]
mod tls {
    use tokio::net::TcpStream;

    use super::Bytestream;
    use crate::error::ConfigError;

    /// Cannot be made.
    pub(super) enum Tls {}

    impl Tls {
        pub(super) fn new(_host: &str, url: &str) -> Result<Self, ConfigError> {
            Err(ConfigError::TlsLeftOut {
                url: url.to_owned(),
            })
        }

        pub(super) async fn wrap(&self, _tcp: TcpStream) -> std::io::Result<Box<dyn Bytestream>> {
            match *self {}
        }
    }
}
