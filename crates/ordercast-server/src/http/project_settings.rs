//! `GET /v1/projects`, `GET`, `PATCH /v1/projects/{project}`: which projects there are and how they
//! are set. Their secrets are shown nowhere but in the answer that made them.

use super::{
    App, body, caller,
    openapi::{self, Invalid},
    path::{At, path_id},
    problem::Problem,
    projects::{lifetime, text},
    render::Time,
};
use crate::clock;
use axum::{Json, body::Body, extract::State, http::HeaderMap};
use ordercast_core::{
    ProjectId,
    access::{Action, Object},
};
use ordercast_store::{Change, Outcome, Project, ProjectChange, Submission};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A project's settings
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProjectSettings)]
pub struct SettingsView {
    project_id: ProjectId,
    name: String,
    complete_on_paid: bool,
    complete_on_ack: bool,
    order_lifetime_seconds: u32,
    virtual_price_integers: bool,
    guests: bool,
    created_at: Time,
}

impl From<&Project> for SettingsView {
    fn from(project: &Project) -> Self {
        Self {
            project_id: project.id,
            name: project.name.clone(),
            complete_on_paid: project.settings.complete_on_paid,
            complete_on_ack: project.settings.complete_on_ack,
            order_lifetime_seconds: project.settings.order_lifetime_seconds,
            virtual_price_integers: project.settings.virtual_price_integers,
            guests: project.settings.guests,
            created_at: Time(project.created_at),
        }
    }
}

/// All projects, by id
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProjectList)]
pub struct ListView {
    projects: Vec<SettingsView>,
}

/// List the projects
#[utoipa::path(
    get,
    path = "/v1/projects",
    tag = openapi::PROJECTS,
    operation_id = "listProjects",
    responses((status = 200, description = "All of them, by id", body = ListView))
)]
pub async fn list(State(app): State<App>, headers: HeaderMap) -> Result<Json<ListView>, Problem> {
    caller::server(&app.auth, &headers, Action::ReadProject, Object::Server)?;
    let registry = app.auth.registry();
    let mut projects: Vec<_> = registry.projects().map(SettingsView::from).collect();
    projects.sort_by_key(|project| project.project_id);
    Ok(Json(ListView { projects }))
}

/// Read a project's settings
#[utoipa::path(
    get,
    path = "/v1/projects/{project}",
    tag = openapi::PROJECTS,
    operation_id = "readProject",
    responses((status = 200, description = "The settings, without secrets", body = SettingsView))
)]
pub async fn read(
    State(app): State<App>,
    At(project): At<String>,
    headers: HeaderMap,
) -> Result<Json<SettingsView>, Problem> {
    let project: ProjectId = path_id(&project)?;
    let object = Object::Project(project);
    caller::server(&app.auth, &headers, Action::ReadProject, object)?;
    let registry = app.auth.registry();
    let keys = registry.project(project).ok_or_else(Problem::not_found)?;
    Ok(Json(SettingsView::from(&keys.project)))
}

/// What of a project is to change; what is not named stays
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProjectChange)]
struct ChangeBody {
    /// 1 to 200 bytes without control characters.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]+$"
    )]
    name: Option<String>,
    /// Whether orders are `done` as soon as they are `paid`.
    complete_on_paid: Option<bool>,
    /// Whether orders are `done` when the shop has taken the news that they are `paid`: by an
    /// endpoint's 2xx, or by acknowledging the event.
    complete_on_ack: Option<bool>,
    /// Whether amounts of virtual currencies are numbers on `/api`; without it they are strings.
    virtual_price_integers: Option<bool>,
    /// Whether buyers without an account may fill carts and make orders.
    guests: Option<bool>,
    /// Of orders that are made from then on.
    #[schema(minimum = 60, maximum = 31_536_000)]
    order_lifetime_seconds: Option<u32>,
}

/// Change a project's settings
#[utoipa::path(
    patch,
    path = "/v1/projects/{project}",
    tag = openapi::PROJECTS,
    operation_id = "changeProject",
    request_body(content = ChangeBody, example = json!({ "complete_on_paid": true })),
    responses((status = 200, description = "The settings as they are now", body = SettingsView), Invalid)
)]
pub async fn change(
    State(app): State<App>,
    At(project): At<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<SettingsView>, Problem> {
    let project: ProjectId = path_id(&project)?;
    let object = Object::Project(project);
    caller::server(&app.auth, &headers, Action::ChangeProject, object)?;
    let raw = body::read(body, body::API_BYTES_MAX).await?;
    let wanted: ChangeBody = body::json(&headers, &raw)?;
    let change = ProjectChange {
        project,
        name: wanted.name.map(|name| text("name", name)).transpose()?,
        complete_on_paid: wanted.complete_on_paid,
        complete_on_ack: wanted.complete_on_ack,
        virtual_price_integers: wanted.virtual_price_integers,
        guests: wanted.guests,
        order_lifetime_seconds: wanted.order_lifetime_seconds.map(lifetime).transpose()?,
    };
    let submission = Submission {
        change: Change::ChangeProject(Box::new(change)),
        at: clock::now(),
        idempotency: None,
    };
    match app.store.submit(submission).await? {
        Outcome::ProjectChanged(project) => {
            app.auth.reload(project.id).await?;
            Ok(Json(SettingsView::from(&*project)))
        }
        Outcome::NotFound => Err(Problem::not_found()),
        _ => Err(Problem::unavailable()),
    }
}
