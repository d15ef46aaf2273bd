//! TLS of the server itself, for those who run it without a proxy in front.
//!
//! Invariant: a key pair that cannot be used never takes the place of one that can: at the start it
//! is an error, later it is a warning and the old one goes on.

mod key_pair;
mod reload;
mod stream;

pub use key_pair::{Files, KeyPair, KeyPairError, date};
pub(crate) use stream::TlsStream;

use crate::{StartError, clock, http::Shutdown};
use parking_lot::RwLock;
use std::{fmt, sync::Arc};
use tokio::sync::watch;
use tokio_rustls::rustls::{
    Error, ServerConfig,
    crypto::aws_lc_rs,
    server::{ClientHello, NoServerSessionStorage, ResolvesServerCert},
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};

/// A key pair that can be used, and where a newer one will be found.
pub(crate) struct Secured {
    files: Files,
    fingerprint: [u8; 32],
    current: Arc<Current>,
    config: Arc<ServerConfig>,
}

impl fmt::Debug for Secured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secured")
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

impl Secured {
    pub fn open(files: Files) -> Result<Self, StartError> {
        let contents = files.read()?;
        let pair = files.check(&contents, clock::now())?;
        pair.report();
        let current = Arc::new(Current(RwLock::new(pair.certified)));
        let config = config(Arc::clone(&current)).map_err(StartError::Tls)?;
        Ok(Self {
            files,
            fingerprint: contents.fingerprint(),
            current,
            config: Arc::new(config),
        })
    }

    /// Looks out for a renewed pair until the server stops.
    pub fn start(self, shutdown: watch::Receiver<Shutdown>) -> Arc<ServerConfig> {
        let watch = reload::watch(self.files, self.fingerprint, self.current, shutdown);
        tokio::spawn(watch);
        self.config
    }
}

/// What handshakes use: the newest pair. Connections that run have theirs, whatever comes.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl Current {
    fn replace(&self, pair: KeyPair) {
        *self.0.write() = pair.certified;
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read()))
    }
}

fn config(current: Arc<Current>) -> Result<ServerConfig, Error> {
    // TLS 1.2 for one shop SDK in the field that knows no other (realtime contract, C1).
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(current);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // A client that comes back brings its session along: a reconnect storm costs no signatures, and
    // the server remembers nothing.
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 1;
    Ok(config)
}
