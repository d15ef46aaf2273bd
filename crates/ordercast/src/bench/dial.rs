//! How the generator reaches the server under load: TCP, in TLS where the server speaks it.

use crate::trust::client_config;
use anyhow::Context;
use std::{
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::Arc,
};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, client::Resumption, pki_types::ServerName},
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
        let mut config = client_config(trusted)?;
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
