//! `/v1/projects`: projects are made and listed.

use super::{
    App, body, caller,
    catalogue::{self, ItemBody},
    openapi::{self, Conflict},
    problem::Problem,
    render::Time,
};
use crate::{
    auth::{self, Algorithm, check_key, check_public_key},
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
    ProjectId,
    access::{Action, Object},
    ids::SourceId,
};
use ordercast_store::{
    Change, CredentialKind, NewProject, Outcome, Provider, Settings, Submission,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

const NAME_BYTES_MAX: usize = 200;

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
    /// Whether buyers without an account may fill carts and make orders. Nobody vouches for them: their
    /// requests are limited by address, and what they never paid for is deleted.
    #[serde(default)]
    guests: bool,
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
    guests: bool,
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
        guests: new.guests,
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
        check_key(Algorithm::Hs256, secret.as_bytes())
            .map_err(|error| Problem::invalid("hs256_secret", error.to_string()))?;
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
            let project = created.0;
            app.auth.reload(project.id).await?;
            let answer = CreatedView {
                project_id: project.id,
                name: project.name,
                complete_on_paid: project.settings.complete_on_paid,
                complete_on_ack: project.settings.complete_on_ack,
                order_lifetime_seconds: project.settings.order_lifetime_seconds,
                virtual_price_integers: project.settings.virtual_price_integers,
                guests: project.settings.guests,
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
