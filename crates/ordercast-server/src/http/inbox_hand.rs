//! What people do with a provider's webhook that found no order, or that nobody understood.

use super::{
    App, body, caller,
    deliveries::row_id,
    openapi::{self, Conflict, Invalid},
    path::{At, path_id},
    problem::Problem,
};
use crate::clock;
use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use ordercast_core::{
    OrderId, ProjectId,
    access::{Action, Object},
    order::Actor,
};
use ordercast_store::{Change, HandleRefusal, InboxChange, InboxOutcome, Outcome, Submission};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

const REASON_BYTES_MAX: usize = 500;

/// Why it is put aside
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = InboxDismissal)]
struct DismissBody {
    /// 1 to 500 bytes, for whoever asks later.
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
}

/// Which order it is about
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = InboxMatch)]
struct MatchBody {
    order_id: OrderId,
}

/// What became of it
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InboxHandled)]
pub struct HandledView {
    id: i64,
    #[schema(example = "applied")]
    state: &'static str,
    reason: String,
    #[schema(required)]
    order_id: Option<OrderId>,
}

impl From<InboxOutcome> for HandledView {
    fn from(outcome: InboxOutcome) -> Self {
        Self {
            id: outcome.inbox_id,
            state: outcome.state.as_str(),
            reason: outcome.reason,
            order_id: outcome.order,
        }
    }
}

/// Dismiss a webhook
///
/// It waits no longer, needs nobody's attention, and moves no order. Who did it and why is kept beside it.
#[utoipa::path(
    post,
    path = "/v1/projects/{project}/inbox/{entry}/dismiss",
    tag = openapi::EVENTS,
    operation_id = "dismissInboxEntry",
    request_body(content = DismissBody, example = json!({ "reason": "a payment of our other shop" })),
    responses((status = 200, description = "It is put aside", body = HandledView), Conflict, Invalid)
)]
pub async fn dismiss(
    State(app): State<App>,
    At((project, entry)): At<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<HandledView>, Problem> {
    let (project, actor) = permitted(&app, &project, &headers)?;
    let id = row_id(&entry)?;
    let raw = body::read(body, body::API_BYTES_MAX).await?;
    let DismissBody { reason } = body::json(&headers, &raw)?;
    let is_text = !reason.trim().is_empty() && !reason.chars().any(char::is_control);
    if !is_text || reason.len() > REASON_BYTES_MAX {
        let rule = "must be 1 to 500 bytes of text without control characters";
        return Err(Problem::invalid("reason", rule));
    }
    let change = InboxChange::Dismiss {
        project,
        id,
        reason,
        actor,
    };
    submit(&app, change).await
}

/// Match a webhook with an order
///
/// The order hears it as if it had been named, whenever it happened, and so it does what comes of the same
/// payment from now on. The version that this makes says who did it. For a payment that named no order, or
/// another one than it was for.
#[utoipa::path(
    post,
    path = "/v1/projects/{project}/inbox/{entry}/match",
    tag = openapi::EVENTS,
    operation_id = "matchInboxEntry",
    request_body(content = MatchBody, example = json!({ "order_id": 1_000_001 })),
    responses((status = 200, description = "What the order made of it", body = HandledView), Conflict, Invalid)
)]
pub async fn match_order(
    State(app): State<App>,
    At((project, entry)): At<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<HandledView>, Problem> {
    let (project, actor) = permitted(&app, &project, &headers)?;
    let id = row_id(&entry)?;
    let raw = body::read(body, body::API_BYTES_MAX).await?;
    let MatchBody { order_id } = body::json(&headers, &raw)?;
    let change = InboxChange::Match {
        project,
        id,
        order: order_id,
        actor,
    };
    submit(&app, change).await
}

/// It decides what pays an order: for those who may mark orders as paid.
fn permitted(app: &App, project: &str, headers: &HeaderMap) -> Result<(ProjectId, Actor), Problem> {
    let project: ProjectId = path_id(project)?;
    let object = Object::Project(project);
    let key_name = caller::server(&app.auth, headers, Action::ChangeOrder, object)?;
    Ok((project, Actor::ApiKey(key_name)))
}

async fn submit(app: &App, change: InboxChange) -> Result<Json<HandledView>, Problem> {
    let submission = Submission {
        change: Change::Inbox(Box::new(change)),
        at: clock::now(),
        idempotency: None,
    };
    match app.store.submit(submission).await? {
        Outcome::Received(outcome) => Ok(Json(outcome.into())),
        Outcome::NotFound => Err(Problem::not_found()),
        Outcome::HandleRefused(refusal) => Err(refused(refusal)),
        _ => Err(Problem::unavailable()),
    }
}

fn refused(refusal: HandleRefusal) -> Problem {
    let conflict = |code, title: String| Problem::new(StatusCode::CONFLICT, code, title);
    match refusal {
        HandleRefusal::NotOpen(state) => {
            let state = state.as_str();
            conflict(
                "not_open",
                format!("the webhook is {state}: there is nothing left to do"),
            )
            .with("state", state)
        }
        HandleRefusal::NoPayment => {
            let why = "what was understood of the webhook is about no payment; dismiss it, or map its word";
            conflict("no_payment", why.to_owned())
        }
        HandleRefusal::NoSuchOrder => Problem::invalid("order_id", "is no order of the project"),
        HandleRefusal::OfAnotherOrder => {
            let why = "its payment belongs to another order";
            conflict("of_another_order", why.to_owned())
        }
    }
}
