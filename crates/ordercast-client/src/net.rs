//! The outside world as the runner sees it, and the real one.
//!
//! Invariant: everything returns within a bounded time, and no error is more than a text, for
//! nothing but "try again" follows from it. The runner is the only caller; tests bring a world of
//! their own.

mod dial;
mod order;
mod websocket;

use std::future::Future;
use std::time::Duration;

use centrifuge_protocol::Bytes;
use http::StatusCode;
use ordercast_core::order::TrackingStatus;

use crate::config::Endpoints;
use crate::error::ConfigError;
use dial::Dialer;

/// A way to open connections and to fetch the order.
pub(crate) trait Net: Send + Sync + 'static {
    /// A connection.
    type Socket: Socket;

    /// Opens a connection.
    fn open(&self) -> impl Future<Output = Result<Self::Socket, OpenError>> + Send;

    /// Fetches the order that is tracked, unless the answer would have this entity tag.
    fn order(&self, etag: Option<String>) -> impl Future<Output = Answer> + Send;
}

/// A connection of frames.
pub(crate) trait Socket: Send {
    /// Sends a frame; the error says why the connection is of no more use.
    fn send(&mut self, frame: Vec<u8>) -> impl Future<Output = Result<(), String>> + Send;

    /// The next frame or the end. Dropping the future loses nothing.
    fn next(&mut self) -> impl Future<Output = Incoming> + Send;

    /// Says goodbye, if the server listens.
    fn close(&mut self) -> impl Future<Output = ()> + Send;
}

/// What comes from a connection.
#[derive(Debug)]
pub(crate) enum Incoming {
    Frame(Bytes),
    Closed { code: Option<u16>, reason: String },
}

/// Why no connection was opened.
#[derive(Debug)]
pub(crate) enum OpenError {
    /// An HTTP server is there and refuses the upgrade with a status that asks for another URL
    /// or other headers rather than for patience.
    Refused(StatusCode),
    /// Anything else; for a person.
    Failed(String),
}

/// What came of fetching the order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Status {
        status: TrackingStatus,
        etag: Option<String>,
    },
    /// It would have the entity tag that was named.
    Unchanged,
    /// There is no such order for this token.
    NotFound,
    Unauthorized {
        code: u16,
        message: String,
    },
    /// Another request may do better.
    Failed {
        reason: String,
        retry_after: Option<Duration>,
    },
}

/// TCP, with TLS where the URL asks for it.
pub(crate) struct RealNet {
    endpoints: Endpoints,
    dialer: Dialer,
}

impl RealNet {
    pub(crate) fn new(endpoints: Endpoints, url: &str) -> Result<Self, ConfigError> {
        let dialer = Dialer::new(&endpoints, url)?;
        Ok(Self { endpoints, dialer })
    }
}

impl Net for RealNet {
    type Socket = websocket::WebSocket;

    async fn open(&self) -> Result<Self::Socket, OpenError> {
        websocket::open(&self.endpoints, &self.dialer).await
    }

    async fn order(&self, etag: Option<String>) -> Answer {
        order::fetch(&self.endpoints, &self.dialer, etag).await
    }
}

/// A refusal that waiting will not change, as far as a status can tell.
fn is_hopeless(status: StatusCode) -> bool {
    status.is_client_error()
        && ![
            StatusCode::REQUEST_TIMEOUT,
            StatusCode::TOO_EARLY,
            StatusCode::TOO_MANY_REQUESTS,
        ]
        .contains(&status)
}
