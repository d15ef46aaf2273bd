//! A way to a server that speaks TLS: a port of this machine, behind which each connection goes on
//! encrypted. So the commands' one HTTP client needs no TLS of its own, beside the one that we have.

use crate::trust::client_config;
use anyhow::Context;
use reqwest::header::HeaderValue;
use serde_json::json;
use std::{net::Ipv4Addr, path::Path, sync::Arc};
use tokio::{
    io::{AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsConnector, rustls::pki_types::ServerName};
use url::Url;

#[derive(Debug)]
pub struct Tunnel {
    /// Its end on this machine, with the path of the server's address.
    pub base: String,
    /// What the server is called there.
    pub host: HeaderValue,
}

/// The other end.
struct Far {
    connector: TlsConnector,
    name: ServerName<'static>,
    host: String,
    port: u16,
}

impl Tunnel {
    /// `trusted`: a PEM file of certificates beside those that the system trusts.
    pub fn open(url: &str, trusted: Option<&Path>) -> anyhow::Result<Self> {
        let parsed = Url::parse(url).with_context(|| format!("--url {url}: is no address"))?;
        let host = parsed
            .host_str()
            .with_context(|| format!("--url {url}: names no host"))?;
        let port = parsed.port_or_known_default().unwrap_or(443);
        let bare = host.trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(bare.clone())
            .with_context(|| format!("no certificate can name {bare:?}"))?;
        let far = Arc::new(Far {
            connector: TlsConnector::from(Arc::new(client_config(trusted)?)),
            name,
            host: bare,
            port,
        });
        let near = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        near.set_nonblocking(true)?;
        let base = format!("http://{}{}", near.local_addr()?, parsed.path());
        let near = TcpListener::from_std(near)?;
        let called = parsed
            .port()
            .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        tokio::spawn(async move {
            while let Ok((stream, _)) = near.accept().await {
                tokio::spawn(carry(stream, Arc::clone(&far)));
            }
        });
        Ok(Self {
            base,
            host: HeaderValue::from_str(&called)?,
        })
    }
}

/// One connection. Why there is none is told as an answer, which the commands show.
async fn carry(mut near: TcpStream, far: Arc<Far>) {
    match far.connect().await {
        Ok(mut stream) => {
            // Either side may go first; the other sees it.
            let _ = copy_bidirectional(&mut near, &mut stream).await;
        }
        Err(error) => {
            let title = format!("{}:{}: {error}; see --url and --ca", far.host, far.port);
            let body = json!({ "title": title }).to_string();
            let answer = format!(
                "HTTP/1.1 502 Bad Gateway\r\nContent-Type: application/problem+json\r\n\
                 Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = near.write_all(answer.as_bytes()).await;
        }
    }
}

impl Far {
    async fn connect(&self) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        self.connector.connect(self.name.clone(), stream).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HOST;
    use tokio::io::AsyncReadExt;
    use tokio_rustls::{
        TlsAcceptor,
        rustls::{ServerConfig, crypto::aws_lc_rs, pki_types::PrivateKeyDer},
    };

    /// Answers each request with its own head. Its port, and its certificate as PEM.
    async fn echo() -> (u16, String) {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("made");
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("a pair");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let port = listener.local_addr().expect("bound").port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    continue;
                };
                let mut head = vec![0; 4096];
                let length = stream.read(&mut head).await.unwrap_or_default();
                let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.write_all(&head[..length]).await;
            }
        });
        (port, made.cert.pem())
    }

    #[tokio::test]
    async fn a_server_with_a_certificate_of_its_own_is_reached_if_that_is_trusted() {
        let (port, certificate) = echo().await;
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), certificate).expect("written");
        let url = format!("https://localhost:{port}/behind");
        let get = async |trusted| {
            let tunnel = Tunnel::open(&url, trusted).expect("opens");
            let request = reqwest::Client::new().get(format!("{}/v1", tunnel.base));
            let answer = request
                .header(HOST, tunnel.host)
                .send()
                .await
                .expect("answered");
            (
                answer.status().as_u16(),
                answer.text().await.expect("a body"),
            )
        };
        let (status, head) = get(Some(file.path())).await;
        assert_eq!(status, 200, "{head}");
        assert!(head.starts_with("GET /behind/v1 HTTP/1.1"), "{head}");
        assert!(head.contains(&format!("localhost:{port}")), "{head}");
        let (status, said) = get(None).await;
        assert_eq!(status, 502);
        assert!(said.contains("--ca"), "{said}");
    }
}
