//! `GET /connection/websocket` and `/connection/uni_websocket`: the handshake, after which the bare
//! socket is ours.

use super::{
    Shared, connection, cors, door,
    form::Form,
    peer::{Outlet, Work},
    registry::Place,
    socket::Socket,
    streaming::Connect,
};
use crate::{
    clock,
    http::{Paced, measure, problem::Problem},
    tls::TlsStream,
};
use axum::{
    extract::{ConnectInfo, Query, Request, State, rejection::QueryRejection},
    http::{self, HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use std::{net::SocketAddr, sync::Arc};
use tokio::net::TcpStream;

const PROTOBUF: &str = "centrifuge-protobuf";
const JSON: &str = "centrifuge-json";

pub const WEBSOCKET: &str = "/connection/websocket";

/// The one request that every buyer makes, answered before the router: that is a tenth of what opening a
/// connection costs.
///
/// Invariant: gives the very answer that [`websocket`] behind the router would give, or none.
#[derive(Clone, Debug)]
pub struct WebSockets(pub(super) Arc<Shared>);

impl WebSockets {
    /// Realtime connections that are open, on whatever transport.
    pub fn count(&self) -> usize {
        self.0.registry.count()
    }

    pub fn answer<B>(
        &self,
        address: SocketAddr,
        request: &mut http::Request<B>,
    ) -> Option<Response> {
        if request.method() != Method::GET || request.uri().path() != WEBSOCKET {
            return None;
        }
        let started = clock::monotonic();
        let answered = begin(&self.0, address, request);
        let response = answered.unwrap_or_else(IntoResponse::into_response);
        measure::record(WEBSOCKET, response.status().as_u16(), started.elapsed());
        Some(response)
    }
}

/// Both directions: commands and replies.
pub async fn websocket(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    mut request: Request,
) -> Result<Response, Problem> {
    begin(&shared, address, &mut request)
}

fn begin<B>(
    shared: &Arc<Shared>,
    address: SocketAddr,
    request: &mut http::Request<B>,
) -> Result<Response, Problem> {
    let key = check(shared, address, request)?;
    let (form, protocol) = form(request.headers(), request.uri().query());
    enter(shared, address, request, form, Bytes::new())?;
    Ok(switch(&key, protocol))
}

/// One way: the query or the first message is a connect request, and pushes follow.
pub async fn uni_websocket(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    query: Result<Query<Connect>, QueryRejection>,
    mut request: Request,
) -> Result<Response, Problem> {
    let connect = Connect::optional(query)?;
    let key = check(&shared, address, &request)?;
    enter(
        &shared,
        address,
        &mut request,
        Form::OneWayWebSocket,
        connect,
    )?;
    Ok(switch(&key, None))
}

/// After the answer the socket becomes a connection, or is told to come again.
fn enter<B>(
    shared: &Arc<Shared>,
    address: SocketAddr,
    request: &mut http::Request<B>,
    form: Form,
    connect: Bytes,
) -> Result<(), Problem> {
    match door::enter(shared, request.headers(), address) {
        Ok(place) => {
            let (shared, upgrade) = (Arc::clone(shared), hyper::upgrade::on(request));
            tokio::spawn(Box::pin(open(shared, place, form, connect, upgrade)));
            Ok(())
        }
        Err(refused) => {
            let (Some((code, reason)), Ok(turn)) = (
                refused.close(),
                Arc::clone(&shared.turned_away).try_acquire_owned(),
            ) else {
                return Err(refused.problem(shared));
            };
            let last_words = form.close(code.code(), reason);
            let upgrade = hyper::upgrade::on(request);
            tokio::spawn(Box::pin(async move {
                if let Some((socket, _)) = upgrade.await.ok().and_then(bare) {
                    connection::turn_away(socket, last_words).await;
                }
                drop(turn);
            }));
            Ok(())
        }
    }
}

/// `connect`: a connect request that came with the upgrade, or nothing.
async fn open(shared: Arc<Shared>, place: Place, form: Form, connect: Bytes, upgrade: OnUpgrade) {
    let Some((socket, leftover)) = upgrade.await.ok().and_then(bare) else {
        return;
    };
    let peer = door::seat(&shared, &place, form, Outlet::Socket(socket));
    let early = if connect.is_empty() {
        Work::new()
    } else {
        peer.connect_request(&connect)
    };
    // A task of its own, so that nothing of the handshake stays in it.
    tokio::spawn(connection::run(shared, peer, place, early, leftover));
}

/// The socket itself and what was read too far.
fn bare(upgraded: Upgraded) -> Option<(Socket, Bytes)> {
    let upgraded = match upgraded.downcast::<TokioIo<Paced<TcpStream>>>() {
        Ok(parts) => {
            let socket = Socket::Plain(parts.io.into_inner().into_inner());
            return Some((socket, parts.read_buf));
        }
        Err(upgraded) => upgraded,
    };
    let parts = upgraded.downcast::<TokioIo<Paced<TlsStream>>>().ok()?;
    let socket = Socket::Tls(Box::new(parts.io.into_inner().into_inner()));
    Some((socket, parts.read_buf))
}

/// The handshake, and whose page it is. Gives the client's key.
fn check<B>(
    shared: &Shared,
    address: SocketAddr,
    request: &http::Request<B>,
) -> Result<String, Problem> {
    let key = key(request.headers())?;
    let (headers, uri) = (request.headers(), request.uri());
    let peer = address.ip();
    if !shared.origins.admit(headers, uri, peer, &shared.proxies) {
        return Err(cors::forbidden());
    }
    Ok(key)
}

/// RFC 6455, 4.2.1.
fn key(headers: &HeaderMap) -> Result<String, Problem> {
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

/// The form, and the subprotocol to name in the answer. Only what was offered may be named, and
/// an offer that we do not know is no reason to fail (realtime contract, A7).
fn form(headers: &HeaderMap, query: Option<&str>) -> (Form, Option<&'static str>) {
    let offered = |name: &str| {
        headers
            .get_all(header::SEC_WEBSOCKET_PROTOCOL)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(|list| list.split(',').any(|part| part.trim() == name))
    };
    if offered(PROTOBUF) {
        return (Form::WebSocketProtobuf, Some(PROTOBUF));
    }
    let asked = query
        .unwrap_or_default()
        .split('&')
        .any(|pair| pair == "format=protobuf" || pair == "cf_protocol=protobuf");
    if asked {
        return (Form::WebSocketProtobuf, None);
    }
    (Form::WebSocketJson, offered(JSON).then_some(JSON))
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
