//! Why there was no answer, in words that tell whoever runs the other side what to repair.

use hyper_util::client::legacy::Error as ClientError;
use std::{
    error::Error as StdError,
    io,
    net::{IpAddr, SocketAddr},
};
use thiserror::Error;
use tokio_rustls::rustls::{CertificateError, Error as TlsError, InvalidMessage};

/// Of a text that another side has a say in: names in certificates, for example.
const DETAIL_CHARS_MAX: usize = 200;

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SendError {
    #[error("its name does not resolve")]
    Unresolved,
    #[error("its name resolves to {0}, which is not public")]
    Guarded(IpAddr),
    #[error("no connection to it: {0}")]
    Connect(io::ErrorKind),
    #[error("no TLS with it: {0}")]
    Tls(String),
    #[error("no answer in time")]
    Timeout,
    /// What came is not HTTP, not even when read as generously as clients in the field read it.
    #[error("its answer is not HTTP: {0}")]
    Malformed(String),
    #[error("the connection broke off before an answer came")]
    Broken,
}

/// That there was no answer, and which address it was expected from, if one was dialled.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{error}")]
pub struct Unanswered {
    pub error: SendError,
    pub address: Option<SocketAddr>,
}

/// Ours stands in the chain of causes, or the HTTP library's.
pub(super) fn why(error: &ClientError) -> SendError {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(inner) = cause {
        if let Some(known) = inner.downcast_ref::<SendError>() {
            return known.clone();
        }
        if let Some(http) = inner.downcast_ref::<hyper::Error>()
            && http.is_parse()
        {
            return SendError::Malformed(malformed(http));
        }
        cause = inner.source();
    }
    SendError::Broken
}

fn malformed(error: &hyper::Error) -> String {
    if error.is_parse_version_h2() {
        return "it speaks HTTP/2 only, and was asked in HTTP/1.1".to_owned();
    }
    if error.is_parse_too_large() {
        return "the head of its answer is too large".to_owned();
    }
    let text = error.to_string();
    match text.as_str() {
        "invalid HTTP version parsed" => {
            "it does not begin with HTTP/1.1 or HTTP/1.0 and a status".to_owned()
        }
        "invalid HTTP status-code parsed" => {
            "its status is not a number of three digits".to_owned()
        }
        "invalid content-length parsed" => {
            "its Content-Length is no number, or there are several".to_owned()
        }
        "invalid HTTP header parsed" => "a line of its head is no header".to_owned(),
        _ => cut(text),
    }
}

/// What went wrong before the first byte of HTTP.
pub(super) fn tls(error: &io::Error) -> SendError {
    let inner = error.get_ref();
    let text = match inner.and_then(|inner| inner.downcast_ref::<TlsError>()) {
        Some(error) => tls_text(error),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            "it closed the connection during the handshake".to_owned()
        }
        None => error.kind().to_string(),
    };
    SendError::Tls(text)
}

fn tls_text(error: &TlsError) -> String {
    let certificate = |text: &str| format!("its certificate {text}");
    match error {
        TlsError::InvalidCertificate(why) => match why {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                certificate("has expired")
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                certificate("is not valid yet")
            }
            CertificateError::UnknownIssuer => certificate(
                "is not signed by an authority that this server trusts, or it does not send the \
                 certificates between",
            ),
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                certificate("is for another name")
            }
            CertificateError::Revoked => certificate("was revoked"),
            CertificateError::BadSignature => certificate("has a wrong signature"),
            CertificateError::BadEncoding => certificate("cannot be read"),
            other => cut(certificate(&format!("is not accepted: {other}"))),
        },
        TlsError::NoCertificatesPresented => "it shows no certificate".to_owned(),
        TlsError::InvalidMessage(InvalidMessage::InvalidContentType)
        | TlsError::InvalidMessage(InvalidMessage::UnknownProtocolVersion) => {
            "it does not speak TLS on this port".to_owned()
        }
        TlsError::AlertReceived(alert) => cut(format!("it broke off with the alert {alert:?}")),
        TlsError::PeerIncompatible(why) => cut(format!(
            "it offers nothing that this server accepts: {why:?}"
        )),
        other => cut(other.to_string()),
    }
}

fn cut(text: String) -> String {
    match text.char_indices().nth(DETAIL_CHARS_MAX) {
        None => text,
        Some((end, _)) => format!("{}...", &text[..end]),
    }
}
