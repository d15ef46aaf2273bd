//! `/v1/projects`: projects, their event feed, their inbox.

use super::{
    App,
    body::{self, Params},
    caller,
    catalogue::{self, ItemBody},
    path_id,
    problem::Problem,
    project_settings, render, requested,
};
use crate::{
    auth::{self, check_public_key},
    clock,
};
use axum::{
    Json,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use ordercast_core::{
    ProjectId,
    access::{Action, Object},
    ids::SourceId,
};
use ordercast_store::{
    Change, CredentialKind, NewProject, Outcome, Provider, Settings, Submission,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

const NAME_BYTES_MAX: usize = 200;
const PAGE_MAX: u32 = 1_000;
const WAIT_SECONDS_MAX: u64 = 30;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CreateBody {
    project_id: Option<ProjectId>,
    name: String,
    #[serde(default)]
    complete_on_paid: bool,
    #[serde(default)]
    virtual_price_integers: bool,
    order_lifetime_seconds: Option<u32>,
    /// Verifies users' JWTs; without both, a secret is made.
    hs256_secret: Option<String>,
    rs256_public_key: Option<String>,
    #[serde(default)]
    items: Vec<ItemBody>,
}

/// Makes a project with everything that it needs to start: its secrets are in the answer, once.
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
    let mut jwt = json!({});
    if let Some(pem) = new.rs256_public_key {
        check_public_key(pem.as_bytes())
            .map_err(|error| Problem::invalid("rs256_public_key", error.to_string()))?;
        credentials.push((CredentialKind::Rs256, "rs256".to_owned(), pem.into_bytes()));
        jwt["rs256"] = json!(true);
    }
    if new.hs256_secret.is_some() || jwt.get("rs256").is_none() {
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
        jwt["hs256_secret"] = json!(secret);
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
            let mut answer = project_settings::shown(&project);
            answer["api_key"] = json!(api_key);
            answer["jwt"] = jwt;
            answer["inbox"] = json!({
                "provider": "reference",
                "source": source,
                "path": format!("/v1/inbox/{source}"),
                "secret": inbox_secret,
            });
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

#[derive(Debug, Deserialize)]
pub struct EventsQuery {
    #[serde(default)]
    after: i64,
    limit: Option<u32>,
    /// Seconds to wait for a first event, 0..=30.
    #[serde(default)]
    wait: u64,
}

/// The project's event feed by cursor. An event's id grows with the commit order.
pub async fn events(
    State(app): State<App>,
    Path(project): Path<String>,
    Params(query): Params<EventsQuery>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    let project: ProjectId = path_id(&project)?;
    caller::server(
        &app.auth,
        &headers,
        Action::ReadEvents,
        Object::Project(project),
    )?;
    let limit = query.limit.unwrap_or(100).clamp(1, PAGE_MAX);
    let wait = Duration::from_secs(query.wait.min(WAIT_SECONDS_MAX));
    let deadline = tokio::time::sleep(wait);
    tokio::pin!(deadline);
    let mut newest = app.store.newest_event();
    let mut stopping = app.stopping.clone();
    let rows = loop {
        newest.mark_unchanged();
        let rows = app.store.events(project, query.after, limit).await?;
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
    let events: Vec<_> = rows
        .into_iter()
        .map(|row| {
            json!({
                "id": row.id,
                "type": row.kind,
                "created_at": render::time(row.at),
                "data": {
                    "order_id": row.order,
                    "user_external_id": row.user,
                    "version": row.version,
                    "status": row.status,
                    "previous_status": row.previous_status,
                },
            })
        })
        .collect();
    Ok(Json(json!({ "events": events, "last_id": last_id })))
}

#[derive(Debug, Deserialize)]
pub struct InboxQuery {
    limit: Option<u32>,
}

/// What providers sent and what became of it, newest first.
pub async fn inbox(
    State(app): State<App>,
    Path(project): Path<String>,
    Params(query): Params<InboxQuery>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    let project: ProjectId = path_id(&project)?;
    caller::server(
        &app.auth,
        &headers,
        Action::ReadEvents,
        Object::Project(project),
    )?;
    let limit = query.limit.unwrap_or(100).clamp(1, PAGE_MAX);
    let entries: Vec<_> = app
        .store
        .inbox(project, limit)
        .await?
        .into_iter()
        .map(|row| {
            json!({
                "id": row.id,
                "source": row.source,
                "kind": row.kind,
                "state": row.state,
                "reason": row.reason,
                "order_id": row.order,
                "duplicates": row.duplicates,
                "received_at": render::time(row.received_at),
            })
        })
        .collect();
    Ok(Json(json!({ "entries": entries })))
}
