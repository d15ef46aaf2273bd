//! `POST /connection/http_stream`: the body is the first commands, the answer streams replies, and
//! further commands come by [`/emulation`](super::emulation).

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
    let (opening, commands) = Opening::of_post(request).await?;
    let form = if opening.is_protobuf() {
        Form::StreamProtobuf
    } else {
        Form::StreamJson
    };
    opening
        .answer(&shared, form, |peer| peer.commands(&commands))
        .await
}
