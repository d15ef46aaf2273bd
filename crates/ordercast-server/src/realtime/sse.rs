//! `/connection/sse`: the query or the body is the first commands, the answer streams replies as
//! events, and further commands come by [`/emulation`](super::emulation). JSON only: events are text.

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
    let (opening, commands) = Opening::of_get(&request, query)?;
    opening
        .answer(&shared, Form::Events, |peer| peer.commands(&commands))
        .await
}

pub async fn post(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Response, Problem> {
    let (opening, commands) = Opening::of_post(request).await?;
    opening
        .answer(&shared, Form::Events, |peer| peer.commands(&commands))
        .await
}
