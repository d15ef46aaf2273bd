//! `POST /emulation`: commands and pongs of a client whose connection only brings replies. It names
//! the connection as the connect reply named it.

use super::{
    Shared,
    peer::{Outlet, Peer},
    streaming::{COMMANDS_BYTES_MAX, is_protobuf},
    work::carry_out_all,
};
use crate::http::{body, problem::Problem};
use axum::{
    extract::{Request, State},
    http::StatusCode,
};
use centrifuge_protocol::{Encoding, decode_emulation};
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// 204 too for a connection that is gone: it may have ended while the request was on its way, and
/// the client learns that from the connection.
pub async fn post(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<StatusCode, Problem> {
    let encoding = if is_protobuf(request.headers()) {
        Encoding::Protobuf
    } else {
        Encoding::Json
    };
    let body = body::read(request.into_body(), COMMANDS_BYTES_MAX).await?;
    let request = decode_emulation(encoding, &body).map_err(|error| {
        let what = format!("not an emulation request: {error}");
        Problem::new(StatusCode::BAD_REQUEST, "bad_emulation", what)
    })?;
    if request.node != shared.node {
        let title = "this node does not hold the connection; reconnect";
        return Err(Problem::new(StatusCode::NOT_FOUND, "unknown_node", title));
    }
    if let Some(peer) = find(&shared, &request.session) {
        let work = peer.commands(&request.data);
        // A task of its own: a client that hangs up meanwhile must not leave the session waiting for an
        // answer that nobody brings.
        let carried_out = tokio::spawn(async move { carry_out_all(&shared, &peer, work).await });
        let _ = carried_out.await;
    }
    Ok(StatusCode::NO_CONTENT)
}

fn find(shared: &Shared, session: &str) -> Option<Arc<Peer>> {
    let (id, _) = session.split_once('.')?;
    let peer = shared.registry.get(u64::from_str_radix(id, 16).ok()?)?;
    let Outlet::Body(body) = &peer.outlet else {
        return None;
    };
    let address = body.address.as_ref()?;
    let is_it: bool = address.session.as_bytes().ct_eq(session.as_bytes()).into();
    is_it.then_some(peer)
}
