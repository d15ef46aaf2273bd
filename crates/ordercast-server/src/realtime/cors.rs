//! Pages of other origins on the HTTP transports: the rules of the WebSocket's upgrade, and the
//! headers that make a browser hand over the answer.

use super::Shared;
use crate::http::problem::Problem;
use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::{net::SocketAddr, sync::Arc};

const PREFLIGHT_SECONDS: HeaderValue = HeaderValue::from_static("300");
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, OPTIONS");

pub async fn guard(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let asked = request.headers();
    let (uri, peer) = (request.uri(), peer.ip());
    if !shared.origins.admit(asked, uri, peer, &shared.proxies) {
        return forbidden().into_response();
    }
    let mut headers = HeaderMap::new();
    if let Some(origin) = asked.get(header::ORIGIN) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
            HeaderValue::from_static("true"),
        );
    }
    headers.insert(header::VARY, HeaderValue::from_name(header::ORIGIN));
    let mut response = next.run(request).await;
    response.headers_mut().extend(headers);
    response
}

/// What a browser asks before a request that an HTML form could not send.
pub async fn preflight(asked: HeaderMap) -> (StatusCode, HeaderMap) {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(header::ALLOW, METHODS);
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_SECONDS);
    if let Some(names) = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
    }
    (StatusCode::NO_CONTENT, headers)
}

pub fn forbidden() -> Problem {
    let title = "pages of this origin may not connect; see allowed_origins";
    Problem::new(StatusCode::FORBIDDEN, "origin", title)
}
