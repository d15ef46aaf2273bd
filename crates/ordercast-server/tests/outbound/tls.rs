//! Certificates that are not taken, and what is said of them.

use super::dial::{LONG, Names, policy};
use http::HeaderMap;
use ordercast_server::outbound::{
    dial::{Dialer, SendError},
    guard::TargetUrl,
};
use rcgen::{CertificateParams, CertifiedKey, KeyPair};
use std::sync::Arc;
use time::{Duration, OffsetDateTime};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::rustls::{
    ServerConfig, SupportedProtocolVersion,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer},
    version::{TLS12, TLS13},
};

struct Shop {
    port: u16,
    certificate: CertificateDer<'static>,
}

/// Answers 200 behind this certificate.
async fn serve(
    pair: CertifiedKey<KeyPair>,
    versions: &[&'static SupportedProtocolVersion],
) -> Shop {
    let certificate = pair.cert.der().clone();
    let key = PrivateKeyDer::try_from(pair.signing_key.serialize_der()).expect("a key");
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .expect("a pair");
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("address").port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                    .await;
            }
        }
    });
    Shop { port, certificate }
}

/// Signed by itself, for a name, from and until so many days from now.
fn pair(name: &str, days: (i64, i64)) -> CertifiedKey<KeyPair> {
    let signing_key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
    let now = OffsetDateTime::now_utc();
    params.not_before = now + Duration::days(days.0);
    params.not_after = now + Duration::days(days.1);
    let cert = params.self_signed(&signing_key).expect("a certificate");
    CertifiedKey { cert, signing_key }
}

async fn call(port: u16, trusted: Vec<CertificateDer<'static>>) -> Result<u16, SendError> {
    let url = format!("https://shop.example:{port}/hook");
    let url = TargetUrl::parse(&url, &policy()).expect("a URL");
    let names = Names::of(&[&["127.0.0.1"]]);
    let dialer = Dialer::new(policy(), names, trusted, LONG).expect("TLS");
    let answer = dialer.send(&url, HeaderMap::new(), Vec::new()).await;
    answer.map(|answer| answer.status).map_err(|unanswered| {
        let dialled = unanswered.address.map(|address| address.port());
        assert_eq!(dialled, Some(port));
        unanswered.error
    })
}

#[tokio::test]
async fn each_cause_has_its_words() {
    let check = async |port: u16, trusted: Vec<CertificateDer<'static>>, expected: &str| {
        let refused = call(port, trusted).await.expect_err("no answer");
        assert_eq!(refused, SendError::Tls(expected.to_owned()));
    };
    let good = serve(pair("shop.example", (-1, 1)), &[&TLS12, &TLS13]).await;
    assert_eq!(call(good.port, vec![good.certificate]).await, Ok(200));
    check(
        good.port,
        Vec::new(),
        "its certificate is not signed by an authority that this server trusts, or it does not send \
         the certificates between",
    )
    .await;
    for (name, days, expected) in [
        ("shop.example", (-9, -1), "its certificate has expired"),
        ("shop.example", (1, 9), "its certificate is not valid yet"),
        (
            "other.example",
            (-1, 1),
            "its certificate is for another name",
        ),
    ] {
        let shop = serve(pair(name, days), &[&TLS12, &TLS13]).await;
        check(shop.port, vec![shop.certificate], expected).await;
    }
    let (plain, _) =
        super::dial::serve_raw(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), false).await;
    check(
        plain.port(),
        Vec::new(),
        "it does not speak TLS on this port",
    )
    .await;
    let (rude, _) = super::dial::serve_raw(Vec::new(), false).await;
    check(
        rude.port(),
        Vec::new(),
        "it closed the connection during the handshake",
    )
    .await;
}
