//! `/v1/projects/{project}/api-keys`: what shops' backends call with.
//!
//! Invariant: a key is shown once, in the answer that made it; only its hash is kept.

use super::{
    App, body,
    caller::{self, denied, permit},
    path_id,
    problem::Problem,
    projects::text,
    render,
};
use crate::{auth::sha256, clock};
use axum::{
    Json,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use ordercast_core::{
    ProjectId, Timestamp,
    access::{Action, Object, Scopes, authorize_grant},
};
use ordercast_store::{
    Change, Credential, CredentialChange, CredentialKind, CredentialOutcome, KeyFamily,
    NewCredential, Outcome, Secret, Submission,
};
use serde::Deserialize;
use serde_json::{Value, json};

/// What of a key is shown to tell it from others: 30 of its 256 bits.
const PREFIX_LENGTH: usize = 13;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CreateBody {
    name: String,
    scopes: Vec<String>,
}

pub async fn create(
    State(app): State<App>,
    Path(project): Path<String>,
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
    let mut answer = render(&credential, None);
    answer["key"] = json!(key);
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

pub async fn list(
    State(app): State<App>,
    Path(project): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    let project: ProjectId = path_id(&project)?;
    let object = Object::Project(project);
    caller::server(&app.auth, &headers, Action::ManageKeys, object)?;
    require(&app, project)?;
    let keys: Vec<_> = app
        .store
        .credentials(project, KeyFamily::Api)
        .await?
        .iter()
        .map(|key| render(key, app.auth.last_used(key.id)))
        .collect();
    Ok(Json(json!({ "keys": keys })))
}

pub async fn revoke(
    State(app): State<App>,
    Path((project, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    end(&app, &project, &id, &headers, KeyFamily::Api).await
}

fn render(key: &Credential, used_at: Option<Timestamp>) -> Value {
    json!({
        "id": key.id,
        "name": key.label,
        "prefix": key.name,
        "scopes": key.scopes.map(Scopes::names),
        "created_at": render::time(key.created_at),
        "created_by": key.created_by,
        "last_used_at": used_at.max(key.last_used_at).map(render::time),
        "revoked_at": key.ended_at.map(render::time),
    })
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
    app.auth.reload().await?;
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
    app.auth.reload().await?;
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
