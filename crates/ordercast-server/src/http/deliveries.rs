//! Deliveries: what was sent to an endpoint, how it answered, and what is sent again.

use super::{
    App, body,
    body::Params,
    endpoints::{find, permitted, refusal, require_allowed, submit},
    openapi::{self, Conflict, Invalid},
    path::At,
    problem::Problem,
    render::Time,
};
use crate::clock;
use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use ordercast_core::{OrderId, ProjectId, Timestamp, delivery, ids::EndpointId};
use ordercast_store::{
    AttemptRow, DeliveryFilter, DeliveryRow, DeliveryState, Outcome, WebhookChange, WebhookOutcome,
};
use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use utoipa::{IntoParams, ToSchema};

const PAGE_MAX: u32 = 1_000;
/// Of one change, so that no other waits long behind it.
const BITE: u32 = 500;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// `pending`, `delivered`, `dead` or `settled`.
    #[param(required = false)]
    state: Option<StateWord>,
    /// Ids below this one: the last of the page before.
    #[param(required = false, minimum = 1, maximum = 9_007_199_254_740_991_i64)]
    before: Option<i64>,
    /// More than 1000 are 1000; without it 100.
    #[param(required = false, minimum = 1, maximum = 1_000)]
    limit: Option<u32>,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = DeliveryState)]
#[serde(rename_all = "snake_case")]
enum StateWord {
    /// Waits for its first or its next attempt, or for another delivery of its order.
    Pending,
    Delivered,
    /// Given up; `reason` says why.
    Dead,
    /// The shop took the event through the event API first.
    Settled,
}

impl From<StateWord> for DeliveryState {
    fn from(word: StateWord) -> Self {
        match word {
            StateWord::Pending => Self::Pending,
            StateWord::Delivered => Self::Delivered,
            StateWord::Dead => Self::Dead,
            StateWord::Settled => Self::Settled,
        }
    }
}

impl From<DeliveryState> for StateWord {
    fn from(state: DeliveryState) -> Self {
        match state {
            DeliveryState::Pending => Self::Pending,
            DeliveryState::Delivered => Self::Delivered,
            DeliveryState::Dead => Self::Dead,
            DeliveryState::Settled => Self::Settled,
        }
    }
}

/// One event on its way to one endpoint
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Delivery)]
pub struct DeliveryView {
    id: i64,
    endpoint_id: EndpointId,
    event_id: i64,
    #[schema(example = "order.paid")]
    event_type: String,
    /// `event`, or in a reference mode the type that is sent.
    notification: &'static str,
    order_id: OrderId,
    state: StateWord,
    #[schema(required)]
    reason: Option<String>,
    /// Made so far.
    attempts: u32,
    /// Null while it is finished or waits for another delivery of its order.
    #[schema(required)]
    next_attempt_at: Option<Time>,
    #[schema(required)]
    finished_at: Option<Time>,
}

impl From<&DeliveryRow> for DeliveryView {
    fn from(row: &DeliveryRow) -> Self {
        Self {
            id: row.id,
            endpoint_id: row.endpoint,
            event_id: row.event,
            event_type: row.event_type.clone(),
            notification: row.notification.as_str(),
            order_id: row.order,
            state: row.state.into(),
            reason: row.reason.clone(),
            attempts: row.attempts,
            next_attempt_at: row.next_at.map(Time),
            finished_at: row.finished_at.map(Time),
        }
    }
}

/// Deliveries to an endpoint
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Deliveries)]
pub struct ListView {
    deliveries: Vec<DeliveryView>,
}

/// A delivery with its attempts
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeliveryDetails)]
pub struct DetailsView {
    #[serde(flatten)]
    delivery: DeliveryView,
    /// What is sent, the same in every attempt.
    body: String,
    /// Newest first, at most 100.
    attempts_made: Vec<AttemptView>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeliveryAttempt)]
struct AttemptView {
    attempt: u32,
    at: Time,
    duration_ms: u64,
    /// HTTP status of the answer.
    #[schema(required)]
    status: Option<u16>,
    /// Why there was none.
    #[schema(required)]
    error: Option<String>,
    /// That was dialled.
    #[schema(required)]
    address: Option<String>,
    /// How the answer began.
    response: String,
}

impl From<&AttemptRow> for AttemptView {
    fn from(row: &AttemptRow) -> Self {
        Self {
            attempt: row.attempt,
            at: Time(row.at),
            duration_ms: u64::try_from(row.duration.as_millis()).unwrap_or(u64::MAX),
            status: row.status,
            error: row.error.clone(),
            address: row.address.clone(),
            response: String::from_utf8_lossy(&row.body).into_owned(),
        }
    }
}

/// List deliveries
///
/// To one endpoint, newest first.
#[utoipa::path(
    get,
    path = "/v1/projects/{project}/endpoints/{endpoint}/deliveries",
    tag = openapi::WEBHOOKS,
    operation_id = "listDeliveries",
    params(ListQuery),
    responses((status = 200, description = "Deliveries, newest first", body = ListView))
)]
pub async fn list(
    State(app): State<App>,
    At((project, endpoint)): At<(String, String)>,
    Params(query): Params<ListQuery>,
    headers: HeaderMap,
) -> Result<Json<ListView>, Problem> {
    let project = permitted(&app, &project, &headers)?;
    let endpoint = find(&app, project, &endpoint).await?;
    let filter = DeliveryFilter {
        state: query.state.map(DeliveryState::from),
        before: query.before,
        limit: query.limit.unwrap_or(100).clamp(1, PAGE_MAX),
    };
    let rows = app.store.deliveries(project, endpoint.id, filter).await?;
    Ok(Json(ListView {
        deliveries: rows.iter().map(DeliveryView::from).collect(),
    }))
}

/// Read a delivery
///
/// With what is sent, and every attempt.
#[utoipa::path(
    get,
    path = "/v1/projects/{project}/deliveries/{delivery}",
    tag = openapi::WEBHOOKS,
    operation_id = "readDelivery",
    responses((status = 200, description = "The delivery", body = DetailsView))
)]
pub async fn read(
    State(app): State<App>,
    At((project, delivery)): At<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<DetailsView>, Problem> {
    let project = permitted(&app, &project, &headers)?;
    let id = row_id(&delivery)?;
    let found = app.store.delivery(project, id).await?;
    let (row, attempts, due) = found.ok_or_else(Problem::not_found)?;
    let form = form_of(&app, project, row.endpoint).await?;
    let body = delivery::body(form, due.notification, &due.event, &due.order);
    Ok(Json(DetailsView {
        delivery: DeliveryView::from(&row),
        body: String::from_utf8_lossy(&body).into_owned(),
        attempts_made: attempts.iter().map(AttemptView::from).collect(),
    }))
}

const UNKNOWN_FORM: delivery::Form = delivery::Form {
    mode: delivery::Mode::Standard,
    has_item_flags: false,
};

/// Of an endpoint that is deleted nobody knows any more how it was spoken to.
async fn form_of(
    app: &App,
    project: ProjectId,
    endpoint: EndpointId,
) -> Result<delivery::Form, Problem> {
    let endpoints = app.store.endpoints(Some(project)).await?;
    let found = endpoints.iter().find(|found| found.id == endpoint);
    Ok(found.map_or(UNKNOWN_FORM, |found| found.settings.form()))
}

/// Send a delivery again
///
/// At once, with the same id; before what comes after it of the same order.
#[utoipa::path(
    post,
    path = "/v1/projects/{project}/deliveries/{delivery}/resend",
    tag = openapi::WEBHOOKS,
    operation_id = "resendDelivery",
    responses((status = 202, description = "It is queued"), Conflict)
)]
pub async fn resend(
    State(app): State<App>,
    At((project, delivery)): At<(String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let project = permitted(&app, &project, &headers)?;
    let delivery = row_id(&delivery)?;
    if let Some((row, ..)) = app.store.delivery(project, delivery).await? {
        let endpoints = app.store.endpoints(Some(project)).await?;
        if let Some(endpoint) = endpoints.iter().find(|found| found.id == row.endpoint) {
            require_allowed(&app, endpoint)?;
        }
    }
    let change = WebhookChange::Resend { project, delivery };
    match submit(&app, change).await? {
        Outcome::Webhooks(WebhookOutcome::Done) => Ok(StatusCode::ACCEPTED),
        other => Err(refusal(&other)),
    }
}

/// Which deliveries
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SendAgain)]
struct SinceBody {
    /// Of events since then (RFC 3339).
    #[schema(format = DateTime, example = "2026-11-23T08:00:00Z")]
    since: String,
    /// Only count them.
    #[serde(default)]
    dry_run: bool,
}

/// How many deliveries
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SentAgain)]
pub struct CountView {
    /// Queued, or with `dry_run` those that would be.
    deliveries: u32,
    dry_run: bool,
}

/// Send dead deliveries again
///
/// All of this endpoint since a time.
#[utoipa::path(
    post,
    path = "/v1/projects/{project}/endpoints/{endpoint}/recover",
    tag = openapi::WEBHOOKS,
    operation_id = "recoverDeliveries",
    request_body(content = SinceBody, example = json!({ "since": "2026-11-23T08:00:00Z", "dry_run": true })),
    responses((status = 200, description = "How many", body = CountView), Invalid, Conflict)
)]
pub async fn recover(
    State(app): State<App>,
    At((project, endpoint)): At<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<CountView>, Problem> {
    let project = permitted(&app, &project, &headers)?;
    let found = find(&app, project, &endpoint).await?;
    let endpoint = found.id;
    let (since, dry_run) = since(&headers, body).await?;
    if !dry_run {
        require_allowed(&app, &found)?;
    }
    if dry_run {
        let deliveries = app.store.recoverable(project, endpoint, since).await?;
        return Ok(Json(CountView {
            deliveries,
            dry_run,
        }));
    }
    let mut deliveries = 0_u32;
    loop {
        let change = WebhookChange::Recover {
            project,
            endpoint,
            since,
            limit: BITE,
        };
        let (count, _) = queued(submit(&app, change).await?)?;
        deliveries = deliveries.saturating_add(count);
        if count < BITE {
            return Ok(Json(CountView {
                deliveries,
                dry_run,
            }));
        }
    }
}

/// Send what was never sent
///
/// Events since a time that this endpoint was not told of: it did not exist yet, or was not enabled.
/// Not before the days for which this server keeps deliveries.
#[utoipa::path(
    post,
    path = "/v1/projects/{project}/endpoints/{endpoint}/replay",
    tag = openapi::WEBHOOKS,
    operation_id = "replayEvents",
    request_body(content = SinceBody, example = json!({ "since": "2026-11-23T08:00:00Z" })),
    responses((status = 200, description = "How many", body = CountView), Invalid, Conflict)
)]
pub async fn replay(
    State(app): State<App>,
    At((project, endpoint)): At<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<CountView>, Problem> {
    let project = permitted(&app, &project, &headers)?;
    let found = find(&app, project, &endpoint).await?;
    let endpoint = found.id;
    let (since, dry_run) = since(&headers, body).await?;
    if !dry_run {
        require_allowed(&app, &found)?;
    }
    // Older deliveries are deleted: what was sent would be sent again.
    if let Some(kept) = app.sending.kept
        && since < clock::now().minus(kept)
    {
        let days = kept.as_secs() / (24 * 3600);
        let rule =
            format!("must be within the last {days} days: what was sent before is forgotten");
        return Err(Problem::invalid("since", rule));
    }
    if dry_run {
        let deliveries = app.store.replayable(project, endpoint, since).await?;
        return Ok(Json(CountView {
            deliveries,
            dry_run,
        }));
    }
    let (mut deliveries, mut after) = (0_u32, 0);
    loop {
        let change = WebhookChange::Replay {
            project,
            endpoint,
            since,
            after,
            limit: BITE,
        };
        let (count, last_event) = queued(submit(&app, change).await?)?;
        deliveries = deliveries.saturating_add(count);
        match last_event {
            Some(last) => after = last,
            None => {
                return Ok(Json(CountView {
                    deliveries,
                    dry_run,
                }));
            }
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OperatorEventsQuery {
    /// Ids below this one: the last of the page before.
    #[param(required = false, minimum = 1, maximum = 9_007_199_254_740_991_i64)]
    before: Option<i64>,
    /// More than 1000 are 1000; without it 100.
    #[param(required = false, minimum = 1, maximum = 1_000)]
    limit: Option<u32>,
}

/// What an operator should know
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OperatorEvents)]
pub struct OperatorEventsView {
    events: Vec<OperatorEventView>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OperatorEvent)]
struct OperatorEventView {
    id: i64,
    /// `endpoint.disabled` or `delivery.dead`; of providers' webhooks `inbox.unreadable`,
    /// `inbox.thin_event`, `inbox.unknown_word`, `inbox.waiting` or `inbox.before_order`.
    #[serde(rename = "type")]
    #[schema(example = "endpoint.disabled")]
    kind: String,
    #[schema(required)]
    endpoint_id: Option<EndpointId>,
    #[schema(required)]
    delivery_id: Option<i64>,
    detail: String,
    at: Time,
}

/// Read what went wrong with webhooks
///
/// Endpoints that were disabled and deliveries that were given up, newest first.
#[utoipa::path(
    get,
    path = "/v1/projects/{project}/operator-events",
    tag = openapi::WEBHOOKS,
    operation_id = "listOperatorEvents",
    params(OperatorEventsQuery),
    responses((status = 200, description = "Newest first", body = OperatorEventsView))
)]
pub async fn operator_events(
    State(app): State<App>,
    At(project): At<String>,
    Params(query): Params<OperatorEventsQuery>,
    headers: HeaderMap,
) -> Result<Json<OperatorEventsView>, Problem> {
    let project = permitted(&app, &project, &headers)?;
    let limit = query.limit.unwrap_or(100).clamp(1, PAGE_MAX);
    let rows = app
        .store
        .operator_events(project, query.before, limit)
        .await?;
    let events = rows
        .into_iter()
        .map(|row| OperatorEventView {
            id: row.id,
            kind: row.kind,
            endpoint_id: row.endpoint,
            delivery_id: row.delivery,
            detail: row.detail,
            at: Time(row.at),
        })
        .collect();
    Ok(Json(OperatorEventsView { events }))
}

async fn since(headers: &HeaderMap, body: Body) -> Result<(Timestamp, bool), Problem> {
    let raw = body::read(body, body::API_BYTES_MAX).await?;
    let asked: SinceBody = body::json(headers, &raw)?;
    let since = OffsetDateTime::parse(&asked.since, &Rfc3339)
        .map_err(|_| Problem::invalid("since", "must be a time as of RFC 3339"))?;
    Ok((
        Timestamp::from_seconds(since.unix_timestamp()),
        asked.dry_run,
    ))
}

fn queued(outcome: Outcome) -> Result<(u32, Option<i64>), Problem> {
    match outcome {
        Outcome::Webhooks(WebhookOutcome::Queued { count, last_event }) => Ok((count, last_event)),
        other => Err(refusal(&other)),
    }
}

/// The number of a row: what cannot be one names nothing.
pub(super) fn row_id(text: &str) -> Result<i64, Problem> {
    text.parse()
        .ok()
        .filter(|id| (1..=(1_i64 << 53)).contains(id))
        .ok_or_else(Problem::not_found)
}
