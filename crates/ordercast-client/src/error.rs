//! Why tracking cannot begin or cannot go on.
//!
//! Invariant: each variant asks for a different act of the caller, and none repeats the token.

use http::StatusCode;
use ordercast_core::OrderId;

/// Why a configuration cannot be used. The caller corrects it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The URL is not one, or has parts that a base cannot have.
    #[error("URL {url:?} {fault}; it should look like http://127.0.0.1:8080")]
    Url {
        /// As it was given.
        url: String,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// The token cannot stand in an HTTP header.
    #[error("the token is empty or has characters other than visible ASCII")]
    Token,
    /// Ending on a final status was asked for without saying of which order.
    #[error("`until_final` needs an `order_id`")]
    NoOrder,
    /// An https or wss URL, in a build without the feature `tls`.
    #[error("URL {url:?} needs TLS, which this build leaves out (cargo feature `tls`)")]
    TlsLeftOut {
        /// As it was given.
        url: String,
    },
    /// The operating system has no usable certificates, so no server could be trusted.
    #[error("no trusted certificates were found on this system: {0}")]
    NoCertificates(String),
}

/// Why tracking ended before it was finished. Nothing follows it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrackError {
    /// The token has run out, is not this project's or not this user's: start again with a fresh
    /// one.
    #[error("the server does not accept the token ({code} {message})")]
    Unauthorized {
        /// Protocol error code (109 token expired) or HTTP status.
        code: u32,
        /// The server's words.
        message: String,
    },
    /// The server refuses the session for another reason than the token.
    #[error("the server refuses the session ({code} {message})")]
    Refused {
        /// Protocol error code.
        code: u32,
        /// The server's words.
        message: String,
    },
    /// The server closed the connection with a code that forbids to come back.
    #[error("the server closed the connection for good ({code} {reason})")]
    Closed {
        /// Close code.
        code: u16,
        /// The server's words.
        reason: String,
    },
    /// The URL leads to something that answers the first upgrade request with a refusal.
    #[error("no order tracking at this URL: the WebSocket upgrade was answered with HTTP {0}")]
    NoWebSocket(StatusCode),
    /// The order does not exist, or not for this token.
    #[error("order {0} does not exist in this project for this token")]
    OrderNotFound(OrderId),
    /// The server speaks something else than order tracking.
    #[error("the server does not speak the tracking protocol: {0}")]
    Protocol(String),
}
