//! `GET /connection/websocket`: the handshake, after which the bare socket is ours.

use super::{Shared, connection, origin, peer::Peer, registry::Full};
use crate::{clock, http::problem::Problem};
use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use centrifuge_protocol::Encoding;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use ordercast_core::session::Session;
use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
};
use tokio::net::TcpStream;

const PROTOBUF: &str = "centrifuge-protobuf";
const JSON: &str = "centrifuge-json";

pub async fn websocket(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    mut request: Request,
) -> Result<Response, Response> {
    let headers = request.headers();
    let key = check(headers).map_err(IntoResponse::into_response)?;
    if !origin::is_allowed(headers, &shared.allowed_origins) {
        let title = "pages of this origin may not connect; see allowed_origins";
        return Err(Problem::new(StatusCode::FORBIDDEN, "origin", title).into_response());
    }
    if shared.draining.load(Ordering::Relaxed) {
        return Err(Problem::unavailable().into_response());
    }
    let place = shared
        .registry
        .admit(address.ip())
        .map_err(|full| match full {
            Full::Server => Problem::unavailable().into_response(),
            Full::Address => Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_connections",
                "too many connections from this address",
            )
            .into_response(),
        })?;
    let (encoding, protocol) = encoding(headers, request.uri().query());
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(Box::pin(async move {
        let Some((stream, leftover)) = upgrade.await.ok().and_then(bare) else {
            return;
        };
        let (seed, client) = clock::random::<24>()
            .split_at_checked(8)
            .map_or((0, 0), |(a, b)| {
                (
                    u64::from_le_bytes(a.try_into().unwrap_or_default()),
                    u128::from_le_bytes(b.try_into().unwrap_or_default()),
                )
            });
        let session = Session::new(shared.clock.monotonic(), shared.session, seed, client);
        let peer = Peer::new(place.id, encoding, stream, shared.clock, session);
        // A task of its own, so that nothing of the handshake stays in it.
        tokio::spawn(connection::run(shared, Arc::new(peer), place, leftover));
    }));
    Ok(switch(&key, protocol))
}

/// The socket itself and what was read too far.
fn bare(upgraded: Upgraded) -> Option<(TcpStream, Bytes)> {
    let parts = upgraded.downcast::<TokioIo<TcpStream>>().ok()?;
    Some((parts.io.into_inner(), parts.read_buf))
}

/// RFC 6455, 4.2.1. Gives the client's key.
fn check(headers: &HeaderMap) -> Result<String, Problem> {
    let has = |name: header::HeaderName, token: &str| {
        headers
            .get_all(name)
            .iter()
            .filter_map(|v| v.to_str().ok())
            .any(|list| {
                list.split(',')
                    .any(|part| part.trim().eq_ignore_ascii_case(token))
            })
    };
    if !has(header::CONNECTION, "upgrade") || !has(header::UPGRADE, "websocket") {
        return Err(Problem::new(
            StatusCode::UPGRADE_REQUIRED,
            "upgrade_required",
            "this path speaks WebSocket only",
        ));
    }
    let text = |name| {
        headers
            .get(name)
            .and_then(|v: &HeaderValue| v.to_str().ok())
    };
    if text(header::SEC_WEBSOCKET_VERSION) != Some("13") {
        return Err(Problem::new(
            StatusCode::UPGRADE_REQUIRED,
            "websocket_version",
            "only version 13 of WebSocket is spoken",
        ));
    }
    let key = text(header::SEC_WEBSOCKET_KEY).unwrap_or_default();
    match data_encoding::BASE64.decode(key.as_bytes()) {
        Ok(nonce) if nonce.len() == 16 => Ok(key.to_owned()),
        _ => Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "websocket_key",
            "Sec-WebSocket-Key must be 16 bytes in base64",
        )),
    }
}

/// The encoding, and the subprotocol to name in the answer. Only what was offered may be named, and
/// an offer that we do not know is no reason to fail (realtime contract, A7).
fn encoding(headers: &HeaderMap, query: Option<&str>) -> (Encoding, Option<&'static str>) {
    let offered = |name: &str| {
        headers
            .get_all(header::SEC_WEBSOCKET_PROTOCOL)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(|list| list.split(',').any(|part| part.trim() == name))
    };
    if offered(PROTOBUF) {
        return (Encoding::Protobuf, Some(PROTOBUF));
    }
    let asked = query
        .unwrap_or_default()
        .split('&')
        .any(|pair| pair == "format=protobuf" || pair == "cf_protocol=protobuf");
    if asked {
        return (Encoding::Protobuf, None);
    }
    (Encoding::Json, offered(JSON).then_some(JSON))
}

fn switch(key: &str, protocol: Option<&'static str>) -> Response {
    let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
    let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::from_str(&accept) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    if let Some(protocol) = protocol {
        headers.insert(
            header::SEC_WEBSOCKET_PROTOCOL,
            HeaderValue::from_static(protocol),
        );
    }
    response
}
