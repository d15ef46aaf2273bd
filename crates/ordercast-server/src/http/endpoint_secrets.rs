//! `/v1/projects/{project}/endpoints/{endpoint}/secrets`: a new secret, while the old ones still sign.
//!
//! Invariant: a secret is shown once, in the answer that made it.

use super::{
    App, body,
    endpoints::{endpoint, find, given_secret, permitted, submit},
    openapi::{self, Invalid},
    path::At,
    problem::Problem,
    render::Time,
};
use crate::{clock, delivery::sign::SigningSecret};
use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use ordercast_core::ids::SecretId;
use ordercast_store::{Endpoint, EndpointSecret, Secret, WebhookChange};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;

const OVERLAP_SECONDS_DEFAULT: u32 = 24 * 3600;
const OVERLAP_SECONDS_MAX: u32 = 30 * 24 * 3600;

/// How to rotate
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewEndpointSecret)]
struct RotateBody {
    /// For how long the secrets until now sign too, seconds; without it 86400. 0: they end at once.
    #[schema(maximum = 2_592_000)]
    overlap_seconds: Option<u32>,
    /// Your own. Without it one is made.
    secret: Option<String>,
    /// Make an ed25519 key instead of a shared secret.
    #[serde(default)]
    asymmetric: bool,
}

/// A secret without its value
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EndpointSecret)]
pub struct SecretView {
    #[schema(value_type = u32, minimum = 1)]
    id: SecretId,
    /// What verifies the signatures, of an ed25519 key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false, example = "whpk_…")]
    public_key: Option<String>,
    created_at: Time,
    /// It signs until then; null: until it gets a successor.
    #[schema(required)]
    expires_at: Option<Time>,
}

impl From<&EndpointSecret> for SecretView {
    fn from(secret: &EndpointSecret) -> Self {
        let parsed = std::str::from_utf8(secret.value.expose())
            .ok()
            .and_then(|text| SigningSecret::parse(text).ok());
        Self {
            id: secret.id,
            public_key: parsed.and_then(|secret| secret.public_key()),
            created_at: Time(secret.created_at),
            expires_at: secret.expires_at.map(Time),
        }
    }
}

/// A secret, shown this once
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CreatedEndpointSecret)]
struct CreatedView {
    secret: String,
    /// All that sign now, the newest first.
    secrets: Vec<SecretView>,
    /// What whoever verifies the signatures should know.
    warnings: Vec<String>,
}

/// Rotate the secret
///
/// Requests carry a signature of every secret that has not ended, so the receiver can change over when
/// it likes. Of more than 5 the oldest ends at once.
#[utoipa::path(
    post,
    path = "/v1/projects/{project}/endpoints/{endpoint}/secrets",
    tag = openapi::WEBHOOKS,
    operation_id = "rotateEndpointSecret",
    request_body(content = RotateBody, example = json!({ "overlap_seconds": 86_400 })),
    responses((status = 201, description = "The new secret", body = CreatedView), Invalid)
)]
pub async fn rotate(
    State(app): State<App>,
    At((project, id)): At<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let project = permitted(&app, &project, &headers)?;
    let found = find(&app, project, &id).await?;
    let raw = body::read(body, body::API_BYTES_MAX).await?;
    let wanted: RotateBody = body::json(&headers, &raw)?;
    let overlap = wanted.overlap_seconds.unwrap_or(OVERLAP_SECONDS_DEFAULT);
    if overlap > OVERLAP_SECONDS_MAX {
        return Err(Problem::invalid("overlap_seconds", "must be 0 to 2592000"));
    }
    let secret = match wanted.secret {
        Some(secret) => given_secret(found.settings.mode, secret)?,
        None => new_secret(wanted.asymmetric)?,
    };
    let change = WebhookChange::AddSecret {
        project,
        endpoint: found.id,
        secret: Secret::new(secret.as_bytes().to_vec()),
        overlap: Duration::from_secs(overlap.into()),
    };
    let now = endpoint(submit(&app, change).await?)?;
    let at = clock::now();
    let answer = CreatedView {
        warnings: warnings(&now),
        secret,
        secrets: now
            .secrets
            .iter()
            .filter(|secret| secret.is_live(at))
            .map(SecretView::from)
            .collect(),
    };
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

/// That no shared secret signs, or will sign: a key pair is safer, but what receivers install does not
/// know its signatures.
pub(super) fn warnings(endpoint: &Endpoint) -> Vec<String> {
    const UNKNOWN: &str = "no Standard Webhooks or Svix library verifies ed25519 signatures (v1a); \
                           docs/webhooks.md shows code that does";
    let now = clock::now();
    let is_shared = |secret: &&EndpointSecret| {
        let text = std::str::from_utf8(secret.value.expose());
        let parsed = text.ok().and_then(|text| SigningSecret::parse(text).ok());
        secret.is_live(now) && parsed.is_some_and(|secret| secret.public_key().is_none())
    };
    let shared: Vec<_> = endpoint.secrets.iter().filter(is_shared).collect();
    // One without an end outlives all others.
    if shared.iter().any(|secret| secret.expires_at.is_none()) {
        return Vec::new();
    }
    let warning = match shared.iter().filter_map(|secret| secret.expires_at).max() {
        Some(end) => {
            let end = super::render::time(end);
            format!("the last shared secret signs until {end}; from then on {UNKNOWN}")
        }
        None => format!("no shared secret signs; {UNKNOWN}"),
    };
    tracing::warn!(endpoint = %endpoint.id, project = %endpoint.project, "{warning}");
    vec![warning]
}

pub(super) fn new_secret(is_asymmetric: bool) -> Result<String, Problem> {
    let random = clock::random();
    let secret = if is_asymmetric {
        SigningSecret::asymmetric(&random).map_err(|_| Problem::unavailable())?
    } else {
        SigningSecret::symmetric(&random)
    };
    Ok(secret.to_string())
}
