//! `GET /v1/projects`, `GET`, `PATCH /v1/projects/{project}`: which projects there are and how they
//! are set. Their secrets are shown nowhere but in the answer that made them.

use super::{
    App, body, caller, path_id,
    problem::Problem,
    projects::{lifetime, text},
    render,
};
use crate::clock;
use axum::{
    Json,
    body::Body,
    extract::{Path, State},
    http::HeaderMap,
};
use ordercast_core::{
    ProjectId,
    access::{Action, Object},
};
use ordercast_store::{Change, Outcome, Project, ProjectChange, Submission};
use serde::Deserialize;
use serde_json::{Value, json};

/// By id; for the operator.
pub async fn list(State(app): State<App>, headers: HeaderMap) -> Result<Json<Value>, Problem> {
    caller::server(&app.auth, &headers, Action::ReadProject, Object::Server)?;
    let registry = app.auth.registry();
    let mut projects: Vec<_> = registry.projects().collect();
    projects.sort_by_key(|project| project.id);
    let projects: Vec<_> = projects.into_iter().map(shown).collect();
    Ok(Json(json!({ "projects": projects })))
}

pub async fn read(
    State(app): State<App>,
    Path(project): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    let project: ProjectId = path_id(&project)?;
    let object = Object::Project(project);
    caller::server(&app.auth, &headers, Action::ReadProject, object)?;
    let registry = app.auth.registry();
    let keys = registry.project(project).ok_or_else(Problem::not_found)?;
    Ok(Json(shown(&keys.project)))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeBody {
    name: Option<String>,
    complete_on_paid: Option<bool>,
    virtual_price_integers: Option<bool>,
    order_lifetime_seconds: Option<u32>,
}

/// What is not named stays. Orders that are there keep the life that they were made with.
pub async fn change(
    State(app): State<App>,
    Path(project): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, Problem> {
    let project: ProjectId = path_id(&project)?;
    let object = Object::Project(project);
    caller::server(&app.auth, &headers, Action::ChangeProject, object)?;
    let raw = body::read(body, body::API_BYTES_MAX).await?;
    let wanted: ChangeBody = body::json(&headers, &raw)?;
    let change = ProjectChange {
        project,
        name: wanted.name.map(|name| text("name", name)).transpose()?,
        complete_on_paid: wanted.complete_on_paid,
        virtual_price_integers: wanted.virtual_price_integers,
        order_lifetime_seconds: wanted.order_lifetime_seconds.map(lifetime).transpose()?,
    };
    let submission = Submission {
        change: Change::ChangeProject(Box::new(change)),
        at: clock::now(),
        idempotency: None,
    };
    match app.store.submit(submission).await? {
        Outcome::ProjectChanged(project) => {
            app.auth.reload().await?;
            Ok(Json(shown(&project)))
        }
        Outcome::NotFound => Err(Problem::not_found()),
        _ => Err(Problem::unavailable()),
    }
}

pub(super) fn shown(project: &Project) -> Value {
    json!({
        "project_id": project.id,
        "name": project.name,
        "complete_on_paid": project.settings.complete_on_paid,
        "order_lifetime_seconds": project.settings.order_lifetime_seconds,
        "virtual_price_integers": project.settings.virtual_price_integers,
        "created_at": render::time(project.created_at),
    })
}
