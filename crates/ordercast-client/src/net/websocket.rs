//! The tracking protocol's WebSocket.
//!
//! Invariant: what the peer can make us hold is bounded, and control frames are answered before
//! the next frame is returned.

use std::time::Duration;

use centrifuge_protocol::{Bytes, Encoding};
use futures_util::{SinkExt, StreamExt};
use http::header::SEC_WEBSOCKET_PROTOCOL;
use http::{HeaderValue, StatusCode};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::dial::{Bytestream, Dialer};
use super::{Incoming, OpenError, Socket, is_hopeless};
use crate::config::Endpoints;

/// Bound on name resolution, TCP, TLS and upgrade together. The Go SDK allows a second, which
/// mobile networks exceed.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
/// Bound on one write: the system's buffers hold far more than we ever send.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);
/// Bound on the farewell, which nothing depends on.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// Greatest message: 1,000 recovered publications are about 100 KB.
const MESSAGE_BYTES_MAX: usize = 4 << 20;
/// Read buffer. Messages are small; the library's default is 128 KiB a connection.
const READ_BUFFER_BYTES: usize = 16 << 10;

/// One connection.
pub(crate) struct WebSocket {
    stream: WebSocketStream<Box<dyn Bytestream>>,
    encoding: Encoding,
}

pub(super) async fn open(endpoints: &Endpoints, dialer: &Dialer) -> Result<WebSocket, OpenError> {
    match timeout(OPEN_TIMEOUT, upgrade(endpoints, dialer)).await {
        Ok(result) => result,
        Err(_) => Err(OpenError::Failed(format!(
            "no connection to {} within {} s",
            endpoints.authority,
            OPEN_TIMEOUT.as_secs()
        ))),
    }
}

async fn upgrade(endpoints: &Endpoints, dialer: &Dialer) -> Result<WebSocket, OpenError> {
    let failed = |what: &str, error: &dyn std::fmt::Display| {
        OpenError::Failed(format!("{what} {}: {error}", endpoints.authority))
    };
    let stream = dialer
        .dial()
        .await
        .map_err(|error| failed("cannot connect to", &error))?;
    let mut request = endpoints
        .websocket
        .clone()
        .into_client_request()
        .map_err(|error| failed("cannot ask", &error))?;
    let encoding = endpoints.encoding;
    if encoding == Encoding::Protobuf {
        let protocol = HeaderValue::from_static("centrifuge-protobuf");
        request
            .headers_mut()
            .insert(SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX))
        .read_buffer_size(READ_BUFFER_BYTES);
    match client_async_with_config(request, stream, Some(config)).await {
        Ok((stream, _)) => Ok(WebSocket { stream, encoding }),
        // A server that answers the upgrade with a page is no server of ours.
        Err(Error::Http(response))
            if is_hopeless(response.status()) || response.status() == StatusCode::OK =>
        {
            Err(OpenError::Refused(response.status()))
        }
        Err(error) => Err(failed("no WebSocket at", &error)),
    }
}

impl Socket for WebSocket {
    async fn send(&mut self, frame: Vec<u8>) -> Result<(), String> {
        let message = match self.encoding {
            Encoding::Protobuf => Message::binary(frame),
            Encoding::Json => match Utf8Bytes::try_from(frame) {
                Ok(text) => Message::Text(text),
                Err(_) => return Err("the command is not UTF-8".to_owned()),
            },
        };
        match timeout(SEND_TIMEOUT, self.stream.send(message)).await {
            Ok(sent) => sent.map_err(|error| format!("connection lost: {error}")),
            Err(_) => Err("the server does not read".to_owned()),
        }
    }

    async fn next(&mut self) -> Incoming {
        loop {
            return match self.stream.next().await {
                Some(Ok(Message::Text(text))) => Incoming::Frame(Bytes::from(text)),
                Some(Ok(Message::Binary(bytes))) => Incoming::Frame(bytes),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
                Some(Ok(Message::Close(frame))) => {
                    // The library has queued the answer; the server waits for it to let go.
                    let _ = timeout(CLOSE_TIMEOUT, self.stream.flush()).await;
                    match frame {
                        Some(frame) => Incoming::Closed {
                            code: Some(frame.code.into()),
                            reason: frame.reason.as_str().to_owned(),
                        },
                        None => closed("closed without a code"),
                    }
                }
                Some(Err(error)) => closed(&format!("connection lost: {error}")),
                None => closed("connection lost"),
            };
        }
    }

    async fn close(&mut self) {
        let _ = timeout(CLOSE_TIMEOUT, self.stream.close(None)).await;
    }
}

fn closed(reason: &str) -> Incoming {
    Incoming::Closed {
        code: None,
        reason: reason.to_owned(),
    }
}
