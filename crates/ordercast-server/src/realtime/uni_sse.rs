//! `/connection/uni_sse`: the query or the body is a connect request, the answer streams pushes as
//! events. For `EventSource` and `curl`, without an SDK.
//!
//! An event's id is a position in the channel. `EventSource` sends the newest one back when it comes
//! again, which its address cannot carry: what it missed then follows as ordinary pushes.

use super::{
    Shared,
    form::Form,
    streaming::{Connect, Opening},
};
use crate::http::problem::Problem;
use axum::{
    extract::{Query, Request, State, rejection::QueryRejection},
    response::Response,
};
use std::sync::Arc;

pub async fn get(
    State(shared): State<Arc<Shared>>,
    query: Result<Query<Connect>, QueryRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let (opening, connect) = Opening::of_get(&request, query)?;
    answer(&shared, opening, &connect).await
}

pub async fn post(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Response, Problem> {
    let (opening, connect) = Opening::of_post(request).await?;
    answer(&shared, opening, &connect).await
}

async fn answer(
    shared: &Arc<Shared>,
    opening: Opening,
    connect: &[u8],
) -> Result<Response, Problem> {
    let position = opening.position();
    opening
        .answer(shared, Form::OneWayEvents, |peer| {
            peer.connect_request_from(connect, position)
        })
        .await
}
