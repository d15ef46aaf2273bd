//! `/v1/projects/{project}/api-keys`: what shops' backends call with.
//!
//! Invariant: a key is shown once, in the answer that made it; only its hash is kept.

use super::{
    App, body,
    caller::{self, denied, permit},
    openapi::{self, Conflict, Empty},
    path::{At, path_id},
    problem::Problem,
    projects::text,
    render::Time,
};
use crate::{auth::sha256, clock};
use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use ordercast_core::{
    ProjectId, Timestamp,
    access::{Action, Object, Scopes, authorize_grant},
    ids::CredentialId,
};
use ordercast_store::{
    Change, Credential, CredentialChange, CredentialKind, CredentialOutcome, KeyFamily,
    NewCredential, Outcome, Secret, Submission,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What of a key is shown to tell it from others: 30 of its 256 bits.
const PREFIX_LENGTH: usize = 13;

/// An API key to be made
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewApiKey)]
struct CreateBody {
    /// 1 to 200 bytes without control characters.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]+$"
    )]
    name: String,
    /// `*` alone, or what the key may do.
    #[schema(min_items = 1, example = json!(["orders:read", "orders:write"]))]
    scopes: Vec<String>,
}

/// An API key without its secret
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ApiKey)]
pub struct KeyView {
    id: CredentialId,
    name: String,
    /// How the key begins.
    prefix: String,
    #[schema(required)]
    scopes: Option<Vec<&'static str>>,
    created_at: Time,
    /// The name of the key that made it; empty for the one that came with the project.
    created_by: String,
    /// Exact to about a minute.
    #[schema(required)]
    last_used_at: Option<Time>,
    #[schema(required)]
    revoked_at: Option<Time>,
}

/// An API key, shown this once
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CreatedApiKey)]
struct CreatedView {
    #[serde(flatten)]
    shown: KeyView,
    key: String,
}

/// A project's API keys
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ApiKeys)]
pub struct ListView {
    keys: Vec<KeyView>,
}

/// Create an API key
///
/// With no more than the caller may do. The key is in the answer, once.
#[utoipa::path(
    post,
    path = "/v1/projects/{project}/api-keys",
    tag = openapi::KEYS,
    operation_id = "createApiKey",
    request_body(content = CreateBody, example = json!({ "name": "backend", "scopes": ["orders:read"] })),
    responses((status = 201, description = "The key", body = CreatedView), Conflict)
)]
pub async fn create(
    State(app): State<App>,
    At(project): At<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let project: ProjectId = path_id(&project)?;
    let (principal, by) = caller::backend(&app.auth, &headers)?;
    permit(&principal, Action::ManageKeys, Object::Project(project))?;
    let raw = body::read(body, body::API_BYTES_MAX).await?;
    let new: CreateBody = body::json(&headers, &raw)?;
    let label = text("name", new.name)?;
    let scopes = Scopes::parse(new.scopes.iter().map(String::as_str))
        .map_err(|error| Problem::invalid("scopes", error.to_string()))?;
    authorize_grant(&principal, scopes).map_err(denied)?;
    let key = clock::secret("oc_api_");
    let credential = NewCredential {
        kind: CredentialKind::ApiKey,
        name: key[..PREFIX_LENGTH].to_owned(),
        label,
        kid: None,
        scopes: Some(scopes),
        value: Secret::new(sha256(key.as_bytes())),
        key_set: None,
    };
    let mut made = add(&app, project, vec![credential], by).await?;
    let Some(credential) = made.pop() else {
        return Err(Problem::unavailable());
    };
    let shown = view(&credential, None);
    let answer = CreatedView { shown, key };
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

/// List API keys
#[utoipa::path(
    get,
    path = "/v1/projects/{project}/api-keys",
    tag = openapi::KEYS,
    operation_id = "listApiKeys",
    responses((status = 200, description = "All of them, without their secrets", body = ListView))
)]
pub async fn list(
    State(app): State<App>,
    At(project): At<String>,
    headers: HeaderMap,
) -> Result<Json<ListView>, Problem> {
    let project: ProjectId = path_id(&project)?;
    let object = Object::Project(project);
    caller::server(&app.auth, &headers, Action::ManageKeys, object)?;
    require(&app, project)?;
    let keys = app
        .store
        .credentials(project, KeyFamily::Api)
        .await?
        .iter()
        .map(|key| view(key, app.auth.last_used(key.id)))
        .collect();
    Ok(Json(ListView { keys }))
}

/// Revoke an API key
///
/// When the answer comes it is refused already.
#[utoipa::path(
    delete,
    path = "/v1/projects/{project}/api-keys/{id}",
    tag = openapi::KEYS,
    operation_id = "revokeApiKey",
    responses(Empty)
)]
pub async fn revoke(
    State(app): State<App>,
    At((project, id)): At<(String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    end(&app, &project, &id, &headers, KeyFamily::Api).await
}

fn view(key: &Credential, used_at: Option<Timestamp>) -> KeyView {
    KeyView {
        id: key.id,
        name: key.label.clone(),
        prefix: key.name.clone(),
        scopes: key.scopes.map(Scopes::names),
        created_at: Time(key.created_at),
        created_by: key.created_by.clone(),
        last_used_at: used_at.max(key.last_used_at).map(Time),
        revoked_at: key.ended_at.map(Time),
    }
}

/// Stores new keys of either family and puts them into use.
pub(super) async fn add(
    app: &App,
    project: ProjectId,
    keys: Vec<NewCredential>,
    by: String,
) -> Result<Vec<Credential>, Problem> {
    let outcome = submit(app, CredentialChange::AddKeys { project, keys, by }).await?;
    let added = match outcome {
        Outcome::Credentials(CredentialOutcome::Keys(added)) => added,
        Outcome::Exists => {
            return Err(Problem::new(
                StatusCode::CONFLICT,
                "exists",
                "there is a live key of this algorithm with this kid already",
            ));
        }
        other => return Err(refusal(&other)),
    };
    app.auth.reload(project).await?;
    Ok(added)
}

/// Ends a key of either family. When the answer comes it is refused already.
pub(super) async fn end(
    app: &App,
    project: &str,
    id: &str,
    headers: &HeaderMap,
    family: KeyFamily,
) -> Result<StatusCode, Problem> {
    let project: ProjectId = path_id(project)?;
    let object = Object::Project(project);
    caller::server(&app.auth, headers, Action::ManageKeys, object)?;
    let change = CredentialChange::EndKey {
        project,
        id: path_id(id)?,
        family,
    };
    let outcome = submit(app, change).await?;
    app.auth.reload(project).await?;
    match outcome {
        Outcome::Credentials(CredentialOutcome::Done) => Ok(StatusCode::NO_CONTENT),
        other => Err(refusal(&other)),
    }
}

pub(super) async fn submit(app: &App, change: CredentialChange) -> Result<Outcome, Problem> {
    let submission = Submission {
        change: Change::Credentials(Box::new(change)),
        at: clock::now(),
        idempotency: None,
    };
    Ok(app.store.submit(submission).await?)
}

pub(super) fn refusal(outcome: &Outcome) -> Problem {
    match outcome {
        Outcome::NotFound => Problem::not_found(),
        Outcome::Credentials(CredentialOutcome::TooMany { limit }) => Problem::new(
            StatusCode::CONFLICT,
            "limit_reached",
            format!("there may be {limit} of these at once; end one first"),
        )
        .with("limit", *limit),
        _ => Problem::unavailable(),
    }
}

/// The operator sees projects that are not there, too: they are not.
pub(super) fn require(app: &App, project: ProjectId) -> Result<(), Problem> {
    match app.auth.registry().project(project) {
        Some(_) => Ok(()),
        None => Err(Problem::not_found()),
    }
}
