//! `POST /connection/uni_http_stream`: the body is a connect request, the answer streams pushes, one a
//! line.

use super::{Shared, form::Form, streaming::Opening};
use crate::http::problem::Problem;
use axum::{
    extract::{Request, State},
    response::Response,
};
use std::sync::Arc;

pub async fn post(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Response, Problem> {
    let (opening, connect) = Opening::of_post(request).await?;
    opening
        .answer(&shared, Form::OneWayStream, |peer| {
            peer.connect_request(&connect)
        })
        .await
}
