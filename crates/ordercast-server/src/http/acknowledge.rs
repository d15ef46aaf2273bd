//! `POST /v1/projects/{project}/events/acknowledge`: the shop has taken events, for which an endpoint's
//! 2xx would do as well.

use super::{
    App, api_keys, body, caller,
    endpoints::{refusal, submit},
    openapi::{self, Invalid},
    path::{At, path_id},
    problem::Problem,
};
use axum::{Json, body::Body, extract::State, http::HeaderMap};
use ordercast_core::{
    ProjectId,
    access::{Action, Object},
};
use ordercast_store::{
    Acknowledger, Outcome, WebhookChange, WebhookOutcome, webhooks::ACKNOWLEDGED_MAX,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Events that were taken
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Acknowledgement)]
struct AcknowledgeBody {
    /// Ids of the feed; those of other projects are passed over.
    #[schema(min_items = 1, max_items = 1000)]
    event_ids: Vec<i64>,
}

/// How many were news
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Acknowledged)]
pub struct AcknowledgedView {
    /// That were not acknowledged before.
    acknowledged: u32,
}

/// Acknowledge events
///
/// Nothing more is sent of them to endpoints that complete, and `unacknowledged=true` no longer shows
/// them. If the project completes orders on acknowledgement, the order of an `order.paid` or an
/// `order.reinstated` becomes `done`.
#[utoipa::path(
    post,
    path = "/v1/projects/{project}/events/acknowledge",
    tag = openapi::EVENTS,
    operation_id = "acknowledgeEvents",
    request_body(content = AcknowledgeBody, example = json!({ "event_ids": [1, 2] })),
    responses((status = 200, description = "How many", body = AcknowledgedView), Invalid)
)]
pub async fn acknowledge(
    State(app): State<App>,
    At(project): At<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<AcknowledgedView>, Problem> {
    let project: ProjectId = path_id(&project)?;
    let object = Object::Project(project);
    caller::server(&app.auth, &headers, Action::AcknowledgeEvents, object)?;
    api_keys::require(&app, project)?;
    let raw = body::read(body, body::API_BYTES_MAX).await?;
    let asked: AcknowledgeBody = body::json(&headers, &raw)?;
    if !(1..=ACKNOWLEDGED_MAX).contains(&asked.event_ids.len()) {
        return Err(Problem::invalid("event_ids", "must be 1 to 1000 ids"));
    }
    let change = WebhookChange::Acknowledge {
        project,
        events: asked.event_ids,
        by: Acknowledger::Backend,
    };
    match submit(&app, change).await? {
        Outcome::Webhooks(WebhookOutcome::Acknowledged(acknowledged)) => {
            Ok(Json(AcknowledgedView { acknowledged }))
        }
        // None of them is the project's.
        Outcome::NotFound => Ok(Json(AcknowledgedView { acknowledged: 0 })),
        other => Err(refusal(&other)),
    }
}
