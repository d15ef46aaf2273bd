//! `/connection/uni_sse`: the query or the body is a connect request, the answer streams pushes as
//! events. For `EventSource` and `curl`, without an SDK.

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
    opening
        .answer(&shared, Form::OneWayEvents, |peer| {
            peer.connect_request(&connect)
        })
        .await
}

pub async fn post(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Response, Problem> {
    let (opening, connect) = Opening::of_post(request).await?;
    opening
        .answer(&shared, Form::OneWayEvents, |peer| {
            peer.connect_request(&connect)
        })
        .await
}
