//! `/v1/projects`: projects, their event feed, their inbox.

use super::{
    App,
    body::{self, Params},
    caller,
    catalogue::{self, ItemBody},
    openapi::{self, Conflict},
    path::{At, path_id},
    problem::Problem,
    render::Time,
    requested,
};
use crate::{
    auth::{self, check_public_key},
    clock,
};
use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use ordercast_core::{
    OrderId, ProjectId,
    access::{Action, Object},
    ids::{SourceId, Version},
    order::Status,
};
use ordercast_store::{
    Change, CredentialKind, Feed, NewProject, Outcome, Provider, Settings, Submission,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};

const NAME_BYTES_MAX: usize = 200;
const PAGE_MAX: u32 = 1_000;
const WAIT_SECONDS_MAX: u64 = 30;

/// A project to be made
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewProject)]
struct CreateBody {
    /// Without it, one is given.
    project_id: Option<ProjectId>,
    /// 1 to 200 bytes without control characters.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]+$"
    )]
    name: String,
    /// Whether orders are `done` as soon as they are `paid`.
    #[serde(default)]
    complete_on_paid: bool,
    /// Whether orders are `done` when the shop has taken the news that they are `paid`: by an
    /// endpoint's 2xx, or by acknowledging the event. Without it, true.
    complete_on_ack: Option<bool>,
    /// Whether amounts of virtual currencies are numbers on `/api`; without it they are strings.
    #[serde(default)]
    virtual_price_integers: bool,
    /// Without it, 86400.
    #[schema(minimum = 60, maximum = 31_536_000)]
    order_lifetime_seconds: Option<u32>,
    /// Verifies users' JWTs; without both, a secret is made.
    #[schema(min_length = 32)]
    hs256_secret: Option<String>,
    /// PEM, of RS256.
    #[schema(example = "-----BEGIN PUBLIC KEY-----\n…\n-----END PUBLIC KEY-----")]
    rs256_public_key: Option<String>,
    /// The catalogue's first.
    #[serde(default)]
    items: Vec<ItemBody>,
}

/// A project with its secrets, which are shown this once
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Project)]
struct CreatedView {
    project_id: ProjectId,
    name: String,
    complete_on_paid: bool,
    complete_on_ack: bool,
    order_lifetime_seconds: u32,
    virtual_price_integers: bool,
    /// Opens all of the project.
    #[schema(example = "oc_api_1a2b3c4d5e6f")]
    api_key: String,
    jwt: JwtView,
    inbox: InboxView,
    created_at: Time,
}

/// What users' JWTs are verified with
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = ProjectJwt)]
struct JwtView {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    hs256_secret: Option<String>,
    /// Whether the given public key is in use.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    rs256: bool,
}

/// Where the payment provider sends what happened
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProjectInbox)]
struct InboxView {
    #[schema(example = "reference")]
    provider: &'static str,
    source: SourceId,
    #[schema(example = "/v1/inbox/src_2f1c")]
    path: String,
    /// Signs what is sent.
    secret: String,
}

/// Create a project
///
/// With everything that it needs to start: its secrets are in the answer, once.
#[utoipa::path(
    post,
    path = "/v1/projects",
    tag = openapi::PROJECTS,
    operation_id = "createProject",
    request_body(content = CreateBody, example = json!({
        "name": "My game",
        "items": [{ "sku": "sword", "name": "Sword", "price": { "amount": "1.99", "currency": "USD" } }],
    })),
    responses((status = 201, description = "The project", body = CreatedView), Conflict)
)]
pub async fn create(
    State(app): State<App>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    caller::server(&app.auth, &headers, Action::CreateProject, Object::Server)?;
    let raw = body::read(body, body::API_BYTES_MAX).await?;
    let new: CreateBody = body::json(&headers, &raw)?;
    let name = text("name", new.name)?;
    let settings = Settings {
        virtual_price_integers: new.virtual_price_integers,
        complete_on_ack: new.complete_on_ack.unwrap_or(true),
        ..settings(new.complete_on_paid, new.order_lifetime_seconds)?
    };

    let api_key = clock::secret("oc_api_");
    let inbox_secret = clock::secret("oc_inbox_");
    let source = SourceId::new(&clock::secret("src_")[..20])
        .map_err(|error| Problem::invalid("source", error.to_string()))?;
    let mut credentials = vec![(
        CredentialKind::ApiKey,
        api_key[..13].to_owned(),
        auth::sha256(api_key.as_bytes()).to_vec(),
    )];
    let mut jwt = JwtView::default();
    if let Some(pem) = new.rs256_public_key {
        check_public_key(pem.as_bytes())
            .map_err(|error| Problem::invalid("rs256_public_key", error.to_string()))?;
        credentials.push((CredentialKind::Rs256, "rs256".to_owned(), pem.into_bytes()));
        jwt.rs256 = true;
    }
    if new.hs256_secret.is_some() || !jwt.rs256 {
        let secret = new.hs256_secret.unwrap_or_else(|| clock::secret("oc_jwt_"));
        if secret.len() < 32 {
            return Err(Problem::invalid(
                "hs256_secret",
                "must have at least 32 bytes",
            ));
        }
        credentials.push((
            CredentialKind::Hs256,
            "hs256".to_owned(),
            secret.clone().into_bytes(),
        ));
        jwt.hs256_secret = Some(secret);
    }
    let items = catalogue::from_list(new.items)?;

    let change = Change::CreateProject(Box::new(NewProject {
        id: new.project_id,
        name,
        settings,
        credentials,
        sources: vec![(source.clone(), Provider::Reference, inbox_secret.clone())],
        items,
    }));
    let submission = Submission {
        change,
        at: clock::now(),
        idempotency: None,
    };
    match app.store.submit(submission).await? {
        Outcome::Project(created) => {
            app.auth.reload().await?;
            let project = created.0;
            let answer = CreatedView {
                project_id: project.id,
                name: project.name,
                complete_on_paid: project.settings.complete_on_paid,
                complete_on_ack: project.settings.complete_on_ack,
                order_lifetime_seconds: project.settings.order_lifetime_seconds,
                virtual_price_integers: project.settings.virtual_price_integers,
                api_key,
                jwt,
                inbox: InboxView {
                    provider: "reference",
                    path: format!("/v1/inbox/{source}"),
                    source,
                    secret: inbox_secret,
                },
                created_at: Time(project.created_at),
            };
            Ok((StatusCode::CREATED, Json(answer)).into_response())
        }
        _ => Err(Problem::new(
            StatusCode::CONFLICT,
            "exists",
            "there is a project with this id already",
        )),
    }
}

fn settings(complete_on_paid: bool, seconds: Option<u32>) -> Result<Settings, Problem> {
    let mut settings = Settings {
        complete_on_paid,
        ..Settings::default()
    };
    if let Some(seconds) = seconds {
        settings.order_lifetime_seconds = lifetime(seconds)?;
    }
    Ok(settings)
}

pub(super) fn lifetime(seconds: u32) -> Result<u32, Problem> {
    if (60..=31_536_000).contains(&seconds) {
        Ok(seconds)
    } else {
        let rule = "must be 60 to 31536000";
        Err(Problem::invalid("order_lifetime_seconds", rule))
    }
}

pub(super) fn text(field: &str, value: String) -> Result<String, Problem> {
    if value.is_empty() || value.len() > NAME_BYTES_MAX || value.chars().any(char::is_control) {
        let rule = format!("must be 1 to {NAME_BYTES_MAX} bytes without control characters");
        return Err(Problem::invalid(field, rule));
    }
    Ok(value)
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EventsQuery {
    /// `last_id` of the answer before.
    #[serde(default)]
    #[param(required = false, minimum = 0, maximum = 9_007_199_254_740_991_i64)]
    after: i64,
    /// More than 1000 are 1000; without it 100.
    #[param(required = false, minimum = 1, maximum = 1_000)]
    limit: Option<u32>,
    /// Seconds to wait for a first event; more than 30 are 30.
    #[serde(default)]
    #[param(required = false, minimum = 0, maximum = 30)]
    wait: u64,
    /// Only those that the shop has not taken yet, by an endpoint or here.
    #[serde(default)]
    #[param(required = false)]
    unacknowledged: bool,
}

/// What happened to a project's orders
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Events)]
pub struct EventsView {
    events: Vec<EventView>,
    /// Asked for with `after`, the feed goes on.
    last_id: i64,
}

/// One event; ids grow in the order of the commits
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Event)]
struct EventView {
    id: i64,
    #[serde(rename = "type")]
    #[schema(example = "order.status_changed")]
    kind: String,
    created_at: Time,
    #[schema(required)]
    acknowledged_at: Option<Time>,
    data: EventData,
}

#[derive(Debug, Serialize, ToSchema)]
struct EventData {
    order_id: OrderId,
    user_external_id: String,
    version: Version,
    status: Status,
    #[schema(required)]
    previous_status: Option<String>,
}

/// Read the event feed
///
/// By cursor; an event's id grows with the commit order. Can be held until there is one.
#[utoipa::path(
    get,
    path = "/v1/projects/{project}/events",
    tag = openapi::EVENTS,
    operation_id = "listEvents",
    params(EventsQuery),
    responses((status = 200, description = "Events after the cursor", body = EventsView))
)]
pub async fn events(
    State(app): State<App>,
    At(project): At<String>,
    Params(query): Params<EventsQuery>,
    headers: HeaderMap,
) -> Result<Json<EventsView>, Problem> {
    let project: ProjectId = path_id(&project)?;
    caller::server(
        &app.auth,
        &headers,
        Action::ReadEvents,
        Object::Project(project),
    )?;
    let limit = query.limit.unwrap_or(100).clamp(1, PAGE_MAX);
    let feed = if query.unacknowledged {
        Feed::Unacknowledged
    } else {
        Feed::All
    };
    let wait = Duration::from_secs(query.wait.min(WAIT_SECONDS_MAX));
    let deadline = tokio::time::sleep(wait);
    tokio::pin!(deadline);
    let mut newest = app.store.newest_event();
    let mut stopping = app.stopping.clone();
    let rows = loop {
        newest.mark_unchanged();
        let rows = app.store.events(project, feed, query.after, limit).await?;
        if !rows.is_empty() || wait.is_zero() {
            break rows;
        }
        tokio::select! {
            () = &mut deadline => break rows,
            () = requested(&mut stopping) => break rows,
            changed = newest.changed() => if changed.is_err() { break rows },
        }
    };
    let last_id = rows.last().map_or(query.after, |row| row.id);
    let events = rows
        .into_iter()
        .map(|row| EventView {
            id: row.id,
            kind: row.kind,
            created_at: Time(row.at),
            acknowledged_at: row.acknowledged_at.map(Time),
            data: EventData {
                order_id: row.order,
                user_external_id: row.user,
                version: row.version,
                status: row.status,
                previous_status: row.previous_status,
            },
        })
        .collect();
    Ok(Json(EventsView { events, last_id }))
}
