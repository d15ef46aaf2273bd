//! How the generator reaches the server under load: TCP, in TLS where the server speaks it.

use anyhow::Context;
use std::{
    fs,
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::Arc,
};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        client::Resumption,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    },
};
use tokio_tungstenite::MaybeTlsStream;

pub type Stream = MaybeTlsStream<TcpStream>;

#[derive(Clone, Debug)]
pub struct Dialer {
    pub address: SocketAddr,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

impl Dialer {
    pub const fn plain(address: SocketAddr) -> Self {
        Self { address, tls: None }
    }

    /// `trusted`: a PEM file of certificates beside those that the system trusts.
    pub fn tls(address: SocketAddr, host: &str, trusted: Option<&Path>) -> anyhow::Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(file) = trusted {
            let pem = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
            for certificate in CertificateDer::pem_slice_iter(&pem) {
                let certificate = certificate
                    .with_context(|| format!("{} is not PEM of certificates", file.display()))?;
                roots.add(certificate)?;
            }
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        // Thousands of buyers who have not been here before: each pays for a whole handshake.
        config.resumption = Resumption::disabled();
        let name = ServerName::try_from(host.to_owned())
            .with_context(|| format!("no certificate can name {host:?}"))?;
        Ok(Self {
            address,
            tls: Some((Arc::new(config), name)),
        })
    }

    /// `source`: the address of this machine to connect from.
    pub async fn dial(&self, source: Option<IpAddr>) -> anyhow::Result<Stream> {
        let socket = match self.address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        if let Some(source) = source {
            socket.bind(SocketAddr::new(source, 0))?;
        }
        let stream = socket.connect(self.address).await?;
        stream.set_nodelay(true)?;
        let Some((config, name)) = &self.tls else {
            return Ok(MaybeTlsStream::Plain(stream));
        };
        let connector = TlsConnector::from(Arc::clone(config));
        let stream = connector.connect(name.clone(), stream).await?;
        Ok(MaybeTlsStream::Rustls(stream))
    }
}

/// The socket below.
pub fn tcp(stream: &Stream) -> Option<&TcpStream> {
    match stream {
        MaybeTlsStream::Plain(stream) => Some(stream),
        MaybeTlsStream::Rustls(stream) => Some(stream.get_ref().0),
        _ => None,
    }
}
