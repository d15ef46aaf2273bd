//! `/v1/projects/{project}/endpoints`: where a project's events are sent to.

use super::{
    App, body, caller,
    endpoint_secrets::{SecretView, new_secret, warnings},
    openapi::{self, Conflict, Empty, Invalid},
    path::{At, path_id},
    problem::Problem,
    render::Time,
};
use crate::{
    clock,
    delivery::{sending::Target, sign::SigningSecret},
    outbound::guard::TargetUrl,
};
use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use ordercast_core::{
    ProjectId,
    access::{Action, Object},
    delivery::{self, CustomHeaders, Mode, Notification, Schedule},
    ids::EndpointId,
};
use ordercast_store::{
    Change, Endpoint, EndpointSettings, NewEndpoint, NotNow, Outcome, Secret, Submission,
    WebhookChange, WebhookOutcome,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};
use utoipa::ToSchema;

const DESCRIPTION_BYTES_MAX: usize = 200;
const CONCURRENCY: std::ops::RangeInclusive<u32> = 1..=100;
const CONCURRENCY_DEFAULT: u32 = 4;
const RATE: std::ops::RangeInclusive<u32> = 1..=10_000;

/// An endpoint to be made
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewEndpoint)]
struct CreateBody {
    /// https, on port 443 or 8443, on a public address.
    #[schema(max_length = 2048, example = "https://shop.example/webhooks")]
    url: String,
    /// At most 200 bytes.
    #[serde(default)]
    #[schema(max_length = 200)]
    description: String,
    /// Without it, `standard`.
    mode: Option<Mode>,
    /// Types of events; in the reference modes `payment`, `order_paid`, `refund`, `order_canceled`.
    /// Empty: all.
    #[serde(default)]
    #[schema(example = json!(["order.paid", "order.canceled"]))]
    event_types: Vec<String>,
    /// Seconds between attempts, at most 64 of 1 to 604800. Without it, 5 s, 30 s, 5 min and so on up to
    /// 76 hours in the standard mode, 20 attempts within 12 hours in a reference mode.
    #[schema(example = json!([5, 300, 1800, 7200]))]
    schedule: Option<Vec<u32>>,
    /// Attempts a second; without it, no limit.
    #[schema(minimum = 1, maximum = 10_000)]
    rate: Option<u32>,
    /// Attempts at the same time; without it 4.
    #[schema(minimum = 1, maximum = 100)]
    concurrency: Option<u32>,
    /// Your own: `whsec_…`, `whsk_…`, or in a reference mode any text of 8 to 200 characters.
    /// Without it one is made.
    secret: Option<String>,
    /// Make an ed25519 key instead of a shared secret.
    #[serde(default)]
    asymmetric: bool,
    /// Whether what it accepts counts as taken by the shop: an event is acknowledged, and a paid order
    /// may become `done`, once every endpoint that completes has it. Needs `orders:write`. Without it:
    /// true, if it is told of paid orders, is in a reference mode or the first to complete, and the key
    /// has `orders:write`.
    completes: Option<bool>,
    /// Sent with every request, at most 10. Not those of the signature (`webhook-…`, `svix-…`, in a
    /// reference mode `authorization`), of the body or of the connection. Values are not shown again.
    #[serde(default)]
    #[schema(example = json!({ "x-gateway-key": "the-gateways-secret" }))]
    headers: BTreeMap<String, String>,
}

/// What of an endpoint is to change; what is not named stays
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EndpointChange)]
struct ChangeBody {
    #[schema(max_length = 2048)]
    url: Option<String>,
    #[schema(max_length = 200)]
    description: Option<String>,
    /// Of events that come from then on.
    event_types: Option<Vec<String>>,
    schedule: Option<Vec<u32>>,
    /// 0: no limit.
    #[schema(minimum = 0, maximum = 10_000)]
    rate: Option<u32>,
    #[schema(minimum = 1, maximum = 100)]
    concurrency: Option<u32>,
    /// To set it, or to change the `url` of an endpoint that completes, the key needs `orders:write`.
    completes: Option<bool>,
    /// Takes the place of all of them; `{}`: none.
    headers: Option<BTreeMap<String, String>>,
    /// `false`: nothing is sent, and nothing is queued; `replay` sends it later. `true` forgets
    /// failures and sends what waited at once.
    enabled: Option<bool>,
}

/// Where events are sent to, without its secrets
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Endpoint)]
pub struct EndpointView {
    id: EndpointId,
    url: String,
    description: String,
    mode: Mode,
    event_types: Vec<String>,
    schedule: Vec<u32>,
    #[schema(required)]
    rate: Option<u32>,
    concurrency: u32,
    /// Whether what it accepts counts as taken by the shop.
    completes: bool,
    /// Of its own headers, without their values.
    header_names: Vec<String>,
    enabled: bool,
    /// Why it is not enabled.
    #[schema(required)]
    disabled_reason: Option<String>,
    #[schema(required)]
    disabled_at: Option<Time>,
    /// Attempts that failed since the last one that did not.
    failures: u32,
    #[schema(required)]
    failing_since: Option<Time>,
    secrets: Vec<SecretView>,
    created_at: Time,
}

/// An endpoint with its secret, which is shown this once
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CreatedEndpoint)]
struct CreatedView {
    #[serde(flatten)]
    shown: EndpointView,
    secret: String,
    /// What whoever verifies the signatures should know.
    warnings: Vec<String>,
}

/// A project's endpoints
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Endpoints)]
pub struct ListView {
    endpoints: Vec<EndpointView>,
}

pub(super) fn view(endpoint: &Endpoint) -> EndpointView {
    let settings = &endpoint.settings;
    let now = clock::now();
    let disabled = endpoint.disabled.as_ref();
    EndpointView {
        id: endpoint.id,
        url: settings.url.clone(),
        description: settings.description.clone(),
        mode: settings.mode,
        event_types: settings.event_types.clone(),
        schedule: settings.schedule.delays().to_vec(),
        rate: settings.rate,
        concurrency: settings.concurrency,
        completes: settings.completes,
        header_names: endpoint
            .headers
            .iter()
            .flat_map(|headers| headers.iter().map(|(name, _)| name.to_owned()))
            .collect(),
        enabled: disabled.is_none(),
        disabled_reason: disabled.map(|disabled| disabled.reason.clone()),
        disabled_at: disabled.map(|disabled| Time(disabled.at)),
        failures: endpoint.failures,
        failing_since: endpoint.failing_since.map(Time),
        secrets: endpoint
            .secrets
            .iter()
            .filter(|secret| secret.is_live(now))
            .map(SecretView::from)
            .collect(),
        created_at: Time(endpoint.created_at),
    }
}

/// List the endpoints
#[utoipa::path(
    get,
    path = "/v1/projects/{project}/endpoints",
    tag = openapi::WEBHOOKS,
    operation_id = "listEndpoints",
    responses((status = 200, description = "All of them, without secrets", body = ListView))
)]
pub async fn list(
    State(app): State<App>,
    At(project): At<String>,
    headers: HeaderMap,
) -> Result<Json<ListView>, Problem> {
    let project = permitted(&app, &project, &headers)?;
    let endpoints = app.store.endpoints(Some(project)).await?;
    Ok(Json(ListView {
        endpoints: endpoints.iter().map(view).collect(),
    }))
}

/// Create an endpoint
///
/// It is told of what happens from then on. The secret is in the answer, once.
#[utoipa::path(
    post,
    path = "/v1/projects/{project}/endpoints",
    tag = openapi::WEBHOOKS,
    operation_id = "createEndpoint",
    request_body(content = CreateBody, example = json!({ "url": "https://shop.example/webhooks" })),
    responses((status = 201, description = "The endpoint", body = CreatedView), Conflict)
)]
pub async fn create(
    State(app): State<App>,
    At(project): At<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let project = permitted(&app, &project, &headers)?;
    let raw = body::read(body, body::API_BYTES_MAX).await?;
    let new: CreateBody = body::json(&headers, &raw)?;
    let mode = new.mode.unwrap_or(Mode::Standard);
    let settings = EndpointSettings {
        url: url(&app, new.url)?,
        description: description(new.description)?,
        mode,
        has_item_flags: false,
        event_types: event_types(mode, new.event_types)?,
        schedule: new
            .schedule
            .map_or_else(|| Ok(Schedule::of_mode(mode)), schedule)?,
        rate: new.rate.map(rate).transpose()?,
        concurrency: concurrency(new.concurrency.unwrap_or(CONCURRENCY_DEFAULT))?,
        completes: false,
    };
    let completes = match (new.completes, may_complete(&app, project, &headers)) {
        (Some(true), may) => may.map(|()| Some(true))?,
        (Some(false), _) | (None, Err(_)) => Some(false),
        (None, Ok(())) => None,
    };
    let secret = match new.secret {
        Some(_) if new.asymmetric => {
            let rule = "is for a secret that is made here: leave out secret";
            return Err(Problem::invalid("asymmetric", rule));
        }
        Some(secret) => given_secret(mode, secret)?,
        None => new_secret(new.asymmetric)?,
    };
    let change = WebhookChange::CreateEndpoint(Box::new(NewEndpoint {
        project,
        settings,
        completes,
        headers: custom_headers(mode, new.headers)?,
        secret: Secret::new(secret.as_bytes().to_vec()),
    }));
    let endpoint = endpoint(submit(&app, change).await?)?;
    let answer = CreatedView {
        warnings: warnings(&endpoint),
        shown: view(&endpoint),
        secret,
    };
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

/// Read an endpoint
#[utoipa::path(
    get,
    path = "/v1/projects/{project}/endpoints/{endpoint}",
    tag = openapi::WEBHOOKS,
    operation_id = "readEndpoint",
    responses((status = 200, description = "The endpoint, without secrets", body = EndpointView))
)]
pub async fn read(
    State(app): State<App>,
    At((project, endpoint)): At<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<EndpointView>, Problem> {
    let project = permitted(&app, &project, &headers)?;
    Ok(Json(view(&find(&app, project, &endpoint).await?)))
}

/// Change an endpoint
#[utoipa::path(
    patch,
    path = "/v1/projects/{project}/endpoints/{endpoint}",
    tag = openapi::WEBHOOKS,
    operation_id = "changeEndpoint",
    request_body(content = ChangeBody, example = json!({ "enabled": true })),
    responses((status = 200, description = "The endpoint as it is now", body = EndpointView), Invalid)
)]
pub async fn change(
    State(app): State<App>,
    At((project, endpoint_id)): At<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<EndpointView>, Problem> {
    let project = permitted(&app, &project, &headers)?;
    let found = find(&app, project, &endpoint_id).await?;
    let raw = body::read(body, body::API_BYTES_MAX).await?;
    let wanted: ChangeBody = body::json(&headers, &raw)?;
    let before = found.settings.clone();
    let mode = before.mode;
    let settings = EndpointSettings {
        url: wanted.url.map_or(Ok(before.url), |text| url(&app, text))?,
        description: wanted
            .description
            .map_or(Ok(before.description), description)?,
        mode,
        has_item_flags: before.has_item_flags,
        event_types: wanted
            .event_types
            .map_or(Ok(before.event_types), |types| event_types(mode, types))?,
        schedule: wanted.schedule.map_or(Ok(before.schedule), schedule)?,
        rate: match wanted.rate {
            None => before.rate,
            Some(0) => None,
            Some(given) => Some(rate(given)?),
        },
        concurrency: wanted
            .concurrency
            .map_or(Ok(before.concurrency), concurrency)?,
        completes: wanted.completes.unwrap_or(before.completes),
    };
    // Whoever says where the shop's answers come from says which orders are done.
    let is_other = !found.settings.completes || settings.url != found.settings.url;
    if settings.completes && is_other {
        may_complete(&app, project, &headers)?;
    }
    let custom = wanted
        .headers
        .map(|given| custom_headers(mode, given))
        .transpose()?;
    let is_enabled = found.disabled.is_none();
    let id = found.id;
    let mut now = found;
    if settings != now.settings || custom.is_some() {
        let change = WebhookChange::ChangeEndpoint {
            project,
            endpoint: id,
            settings,
            headers: custom,
        };
        now = endpoint(submit(&app, change).await?)?;
    }
    match wanted.enabled {
        Some(true) => {
            let change = WebhookChange::EnableEndpoint {
                project,
                endpoint: id,
            };
            now = endpoint(submit(&app, change).await?)?;
        }
        Some(false) if is_enabled => {
            let change = WebhookChange::DisableEndpoint {
                project,
                endpoint: id,
                reason: "by the shop".to_owned(),
            };
            now = endpoint(submit(&app, change).await?)?;
        }
        Some(false) | None => {}
    }
    Ok(Json(view(&now)))
}

/// Delete an endpoint
///
/// What was not delivered to it is dead.
#[utoipa::path(
    delete,
    path = "/v1/projects/{project}/endpoints/{endpoint}",
    tag = openapi::WEBHOOKS,
    operation_id = "deleteEndpoint",
    responses(Empty)
)]
pub async fn delete(
    State(app): State<App>,
    At((project, endpoint)): At<(String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let project = permitted(&app, &project, &headers)?;
    let change = WebhookChange::EndEndpoint {
        project,
        endpoint: path_id(&endpoint)?,
    };
    match submit(&app, change).await? {
        Outcome::Webhooks(WebhookOutcome::Done) => Ok(StatusCode::NO_CONTENT),
        other => Err(refusal(&other)),
    }
}

pub(super) fn permitted(
    app: &App,
    project: &str,
    headers: &HeaderMap,
) -> Result<ProjectId, Problem> {
    let project: ProjectId = path_id(project)?;
    let object = Object::Project(project);
    caller::server(&app.auth, headers, Action::ManageWebhooks, object)?;
    super::api_keys::require(app, project)?;
    Ok(project)
}

/// Whether the caller may say what completes orders: as good as to change them.
fn may_complete(app: &App, project: ProjectId, headers: &HeaderMap) -> Result<(), Problem> {
    let object = Object::Project(project);
    caller::server(&app.auth, headers, Action::AcknowledgeEvents, object)?;
    Ok(())
}

pub(super) async fn find(app: &App, project: ProjectId, id: &str) -> Result<Endpoint, Problem> {
    let id: EndpointId = path_id(id)?;
    let endpoints = app.store.endpoints(Some(project)).await?;
    endpoints
        .into_iter()
        .find(|endpoint| endpoint.id == id)
        .ok_or_else(Problem::not_found)
}

pub(super) async fn submit(app: &App, change: WebhookChange) -> Result<Outcome, Problem> {
    let submission = Submission {
        change: Change::Webhooks(Box::new(change)),
        at: clock::now(),
        idempotency: None,
    };
    Ok(app.store.submit(submission).await?)
}

pub(super) fn endpoint(outcome: Outcome) -> Result<Endpoint, Problem> {
    match outcome {
        Outcome::Webhooks(WebhookOutcome::Endpoint(endpoint)) => Ok(*endpoint),
        other => Err(refusal(&other)),
    }
}

pub(super) fn refusal(outcome: &Outcome) -> Problem {
    match outcome {
        Outcome::NotFound => Problem::not_found(),
        Outcome::Webhooks(WebhookOutcome::TooMany { limit }) => Problem::new(
            StatusCode::CONFLICT,
            "limit_reached",
            format!("there may be {limit} of these at once; delete one first"),
        )
        .with("limit", *limit),
        Outcome::Webhooks(WebhookOutcome::NotNow(NotNow::Disabled)) => Problem::new(
            StatusCode::CONFLICT,
            "endpoint_disabled",
            "the endpoint is disabled: nothing is sent there; enable it first",
        ),
        Outcome::Webhooks(WebhookOutcome::NotNow(NotNow::Deleted)) => Problem::new(
            StatusCode::CONFLICT,
            "endpoint_deleted",
            "the endpoint was deleted: nothing is sent there any more",
        ),
        _ => Problem::unavailable(),
    }
}

pub(super) fn url(app: &App, text: String) -> Result<String, Problem> {
    match TargetUrl::parse(&text, &app.sending.policy) {
        Ok(_) => Ok(text),
        Err(rule) => Err(Problem::invalid("url", rule.to_string())),
    }
}

fn description(text: String) -> Result<String, Problem> {
    if text.len() > DESCRIPTION_BYTES_MAX || text.chars().any(char::is_control) {
        let rule =
            format!("must be at most {DESCRIPTION_BYTES_MAX} bytes without control characters");
        return Err(Problem::invalid("description", rule));
    }
    Ok(text)
}

fn event_types(mode: Mode, mut types: Vec<String>) -> Result<Vec<String>, Problem> {
    let known: Vec<&str> = match mode {
        Mode::Standard => delivery::EVENT_TYPES.to_vec(),
        Mode::ReferenceSeparate | Mode::ReferenceCombined => Notification::ALL
            .into_iter()
            .filter(|notification| *notification != Notification::Event)
            .map(Notification::as_str)
            .collect(),
    };
    if types.iter().all(|wanted| known.contains(&wanted.as_str())) {
        types.sort();
        types.dedup();
        Ok(types)
    } else {
        let rule = format!("must be some of {}", known.join(", "));
        Err(Problem::invalid("event_types", rule))
    }
}

fn custom_headers(mode: Mode, given: BTreeMap<String, String>) -> Result<CustomHeaders, Problem> {
    CustomHeaders::new(mode, given).map_err(|rule| Problem::invalid("headers", rule.to_string()))
}

fn schedule(delays: Vec<u32>) -> Result<Schedule, Problem> {
    Schedule::new(delays).map_err(|rule| Problem::invalid("schedule", rule.to_string()))
}

fn rate(rate: u32) -> Result<u32, Problem> {
    if RATE.contains(&rate) {
        Ok(rate)
    } else {
        Err(Problem::invalid("rate", "must be 1 to 10000"))
    }
}

fn concurrency(concurrency: u32) -> Result<u32, Problem> {
    if CONCURRENCY.contains(&concurrency) {
        Ok(concurrency)
    } else {
        Err(Problem::invalid("concurrency", "must be 1 to 100"))
    }
}

/// Answers 409 when the server would not send there, so that nothing is queued in vain.
pub(super) fn require_allowed(app: &App, endpoint: &Endpoint) -> Result<Arc<Target>, Problem> {
    app.sending.target(endpoint).ok_or_else(|| {
        Problem::new(
            StatusCode::CONFLICT,
            "endpoint_not_allowed",
            "the server's configuration does not allow to send there",
        )
    })
}

/// As it is kept and shown.
pub(super) fn given_secret(mode: Mode, text: String) -> Result<String, Problem> {
    let secret =
        SigningSecret::parse(&text).map_err(|rule| Problem::invalid("secret", rule.to_string()))?;
    if secret.is_plain() && mode == Mode::Standard {
        let rule = "must begin with whsec_ or whsk_ in the standard mode";
        return Err(Problem::invalid("secret", rule));
    }
    match mode {
        Mode::Standard => Ok(secret.padded().to_string()),
        // The text itself signs there.
        Mode::ReferenceSeparate | Mode::ReferenceCombined => Ok(text),
    }
}
