//! *Get and update webhook settings*: the one endpoint that shops of the reference know. It is the
//! project's first in a reference mode; `/v1` shows and changes it as any other.

use super::{
    super::{
        App,
        endpoints::{endpoint, submit},
        openapi,
    },
    error::ApiError,
    path::At,
    purchase::read as read_body,
    render, who,
};
use crate::{auth, clock, delivery::sign::SigningSecret, outbound::guard::TargetUrl};
use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use ordercast_core::{
    ProjectId,
    access::Action,
    delivery::{CustomHeaders, Mode, Schedule},
};
use ordercast_store::{Endpoint, EndpointSettings, NewEndpoint, Secret, WebhookChange};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;

const CONCURRENCY: u32 = 4;

/// Where webhooks are sent to
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookSettings)]
struct WebhookView {
    url: String,
    secret: String,
    is_enabled: bool,
    /// 2: items say whether they are free, a bonus or out of a bundle.
    version: u8,
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = WebhookSettingsChange)]
struct WebhookBody {
    #[schema(value_type = String, required = true, max_length = 2048)]
    url: Option<String>,
    /// 8 to 200 visible characters. Without it the one until now stays; a new endpoint gets one.
    secret: Option<String>,
    /// Without it, true.
    is_enabled: Option<bool>,
    #[schema(minimum = 1, maximum = 2)]
    version: Option<u8>,
}

/// Read the webhook settings
#[utoipa::path(
    get,
    path = "/webhook",
    tag = openapi::BACKENDS,
    operation_id = "readWebhookSettings",
    responses((status = 200, description = "The settings, with the secret", body = WebhookView))
)]
pub async fn read(
    State(app): State<App>,
    At(project): At<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let project = permitted(&app, &project, &headers)?;
    let found = find(&app, project)
        .await?
        .ok_or_else(ApiError::webhook_not_found)?;
    let now = clock::now();
    let mut live = found.secrets.iter().filter(|secret| secret.is_live(now));
    let secret = live.next().and_then(|secret| {
        std::str::from_utf8(secret.value.expose())
            .map(ToOwned::to_owned)
            .ok()
    });
    let answer = WebhookView {
        secret: secret.unwrap_or_default(),
        is_enabled: found.disabled.is_none(),
        version: if found.settings.has_item_flags { 2 } else { 1 },
        url: found.settings.url,
    };
    Ok(render::ok(&answer))
}

/// Change the webhook settings
#[utoipa::path(
    put,
    path = "/webhook",
    tag = openapi::BACKENDS,
    operation_id = "putWebhookSettings",
    request_body(content = WebhookBody, example = json!({
        "url": "https://shop.example/webhook", "secret": "a-secret-of-the-shop", "is_enabled": true,
    })),
    responses((status = 204, description = "It is so now"))
)]
pub async fn put(
    State(app): State<App>,
    At(project): At<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, ApiError> {
    let project = permitted(&app, &project, &headers)?;
    let (asked, _) = read_body::<WebhookBody>(&headers, body).await?;
    let url = asked.url.filter(|url| !url.is_empty());
    let url = url.ok_or_else(|| ApiError::invalid("url", "must be given"))?;
    TargetUrl::parse(&url, &app.sending.policy).map_err(|rule| ApiError::invalid("url", rule))?;
    if let Some(secret) = &asked.secret {
        SigningSecret::parse(secret).map_err(|rule| ApiError::invalid("secret", rule))?;
    }
    let version = asked.version.unwrap_or(1);
    if !(1..=2).contains(&version) {
        return Err(ApiError::invalid("version", "must be 1 or 2"));
    }
    let found = find(&app, project).await?;
    let is_enabled = asked.is_enabled.unwrap_or(true);
    let now = match found {
        None => {
            let secret = asked.secret.unwrap_or_else(|| clock::secret(""));
            let may_complete = may_complete(&app, &headers, project).is_ok();
            let change = WebhookChange::CreateEndpoint(Box::new(NewEndpoint {
                project,
                completes: (!may_complete).then_some(false),
                headers: CustomHeaders::default(),
                settings: EndpointSettings {
                    url,
                    description: String::new(),
                    mode: Mode::ReferenceCombined,
                    has_item_flags: version == 2,
                    event_types: Vec::new(),
                    schedule: Schedule::reference(),
                    rate: None,
                    concurrency: CONCURRENCY,
                    completes: false,
                },
                secret: Secret::new(secret.into_bytes()),
            }));
            endpoint(submit(&app, change).await?)?
        }
        Some(found) => {
            // Whoever says where the shop's answers come from says which orders are done.
            if found.settings.completes && found.settings.url != url {
                may_complete(&app, &headers, project)?;
            }
            change_found(&app, project, found, url, version, asked.secret).await?
        }
    };
    let (is_now, endpoint_id) = (now.disabled.is_none(), now.id);
    let change = match (is_now, is_enabled) {
        (false, true) => WebhookChange::EnableEndpoint {
            project,
            endpoint: endpoint_id,
        },
        (true, false) => WebhookChange::DisableEndpoint {
            project,
            endpoint: endpoint_id,
            reason: "by the shop".to_owned(),
        },
        (true, true) | (false, false) => return Ok(StatusCode::NO_CONTENT),
    };
    submit(&app, change).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A secret that is written again is not a new one.
async fn change_found(
    app: &App,
    project: ProjectId,
    found: Endpoint,
    url: String,
    version: u8,
    secret: Option<String>,
) -> Result<Endpoint, ApiError> {
    let newest = found.secrets.first();
    let is_known = |secret: &String| {
        newest.is_some_and(|newest| {
            auth::sha256(newest.value.expose()) == auth::sha256(secret.as_bytes())
        })
    };
    if let Some(secret) = secret.filter(|secret| !is_known(secret)) {
        let change = WebhookChange::AddSecret {
            project,
            endpoint: found.id,
            secret: Secret::new(secret.into_bytes()),
            // Receivers of the reference know one secret.
            overlap: Duration::ZERO,
        };
        endpoint(submit(app, change).await?)?;
    }
    let change = WebhookChange::ChangeEndpoint {
        project,
        endpoint: found.id,
        settings: EndpointSettings {
            url,
            has_item_flags: version == 2,
            ..found.settings
        },
        headers: None,
    };
    Ok(endpoint(submit(app, change).await?)?)
}

fn permitted(app: &App, project: &str, headers: &HeaderMap) -> Result<ProjectId, ApiError> {
    let project: ProjectId = project.parse().map_err(|_| ApiError::bad_api_key())?;
    who::backend(app, headers, Action::ManageWebhooks, project)?;
    Ok(project)
}

fn may_complete(app: &App, headers: &HeaderMap, project: ProjectId) -> Result<(), ApiError> {
    who::backend(app, headers, Action::AcknowledgeEvents, project)?;
    Ok(())
}

async fn find(app: &App, project: ProjectId) -> Result<Option<Endpoint>, ApiError> {
    let endpoints = app
        .store
        .endpoints(Some(project))
        .await
        .map_err(super::super::problem::Problem::from)?;
    Ok(endpoints
        .into_iter()
        .find(|endpoint| endpoint.settings.mode != Mode::Standard))
}
