//! `POST /v1/projects/{project}/endpoints/{endpoint}/test`: whether the receiver works, before it
//! matters.

use super::{
    App,
    endpoints::{find, permitted, require_allowed},
    openapi::{self, Conflict},
    path::At,
    problem::Problem,
};
use crate::clock;
use axum::{Json, extract::State, http::HeaderMap};
use ordercast_core::delivery::{Notification, Verdict, test_body, verdict};
use serde::Serialize;
use utoipa::ToSchema;

/// How an endpoint answered
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EndpointTest)]
pub struct TestView {
    /// Whether a delivery would have been accepted.
    accepted: bool,
    #[schema(required)]
    status: Option<u16>,
    /// Why there was no answer.
    #[schema(required)]
    error: Option<String>,
    /// That was dialled.
    #[schema(required)]
    address: Option<String>,
    duration_ms: u64,
    /// How its answer began.
    response: String,
    /// What was sent.
    request: String,
}

/// Test an endpoint
///
/// Sends an event of the type `endpoint.test` now (in the reference modes a `user_validation`), shaped and
/// signed as all others, about no order. Nothing of it is kept.
#[utoipa::path(
    post,
    path = "/v1/projects/{project}/endpoints/{endpoint}/test",
    tag = openapi::WEBHOOKS,
    operation_id = "testEndpoint",
    responses((status = 200, description = "How it answered", body = TestView), Conflict)
)]
pub async fn test(
    State(app): State<App>,
    At((project, id)): At<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<TestView>, Problem> {
    let project = permitted(&app, &project, &headers)?;
    let endpoint = find(&app, project, &id).await?;
    let target = require_allowed(&app, &endpoint)?;
    let now = clock::now();
    let body = test_body(target.form.mode, project, now);
    let id = clock::secret("evt_test_");
    let signed = target.headers(&id, now, &body);
    let request = String::from_utf8_lossy(&body).into_owned();
    let began = clock::monotonic();
    let result = app.sending.dialer.send(&target.url, signed, body).await;
    let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(Json(match result {
        Ok(answer) => TestView {
            accepted: verdict(target.form.mode, Notification::Event, answer.status)
                == Verdict::Accepted,
            status: Some(answer.status),
            error: None,
            address: answer.address.map(|address| address.to_string()),
            duration_ms,
            response: String::from_utf8_lossy(&answer.body).into_owned(),
            request,
        },
        Err(unanswered) => TestView {
            accepted: false,
            status: None,
            error: Some(unanswered.error.to_string()),
            address: unanswered.address.map(|address| address.to_string()),
            duration_ms,
            response: String::new(),
            request,
        },
    }))
}
