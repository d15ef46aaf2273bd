//! `/v1/projects/{project}/tokens/check`: why a buyer's credential is accepted or not. Buyers are told
//! one and the same 401 for every reason; whoever manages the project's keys is told which.

use super::{
    App,
    api_keys::require,
    body, caller, openapi,
    path::{At, path_id},
    problem::Problem,
    render::Time,
};
use crate::auth::Rejected;
use axum::{Json, body::Body, extract::State, http::HeaderMap};
use ordercast_core::{
    ProjectId, Timestamp, UserId,
    access::{Action, Object, Principal},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TokenCheck)]
struct CheckBody {
    /// A user's JWT, a payment token or a link token.
    token: String,
}

/// What a credential of a buyer is worth
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CheckedToken)]
pub struct CheckView {
    accepted: bool,
    /// Why it is not accepted; for people.
    #[schema(required, example = "the JWT is expired")]
    reason: Option<String>,
    /// What it is, if it is accepted.
    #[schema(required)]
    kind: Option<Kind>,
    /// Whose it is.
    #[schema(required)]
    user_external_id: Option<UserId>,
    /// From when on it is refused.
    #[schema(required)]
    expires_at: Option<Time>,
}

#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TokenKind)]
enum Kind {
    Jwt,
    PaymentToken,
    Link,
}

/// Ask why a buyer's token is accepted or not
///
/// A buyer gets one and the same 401 whatever is wrong. Nothing is recorded.
#[utoipa::path(
    post,
    path = "/v1/projects/{project}/tokens/check",
    tag = openapi::KEYS,
    operation_id = "checkToken",
    request_body(content = CheckBody, example = json!({ "token": "eyJhbGciOi..." })),
    responses((status = 200, description = "What it is worth", body = CheckView))
)]
pub async fn check(
    State(app): State<App>,
    At(project): At<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<CheckView>, Problem> {
    let project: ProjectId = path_id(&project)?;
    let object = Object::Project(project);
    caller::server(&app.auth, &headers, Action::ManageKeys, object)?;
    require(&app, project)?;
    let raw = body::read(body, body::API_BYTES_MAX).await?;
    let CheckBody { token } = body::json(&headers, &raw)?;
    match app.auth.examine(project, token.trim()).await {
        Ok((principal, valid_until)) => Ok(Json(accepted(principal, valid_until))),
        Err(Rejected::Credential(reason)) => Ok(Json(CheckView {
            accepted: false,
            reason: Some(reason.to_owned()),
            kind: None,
            user_external_id: None,
            expires_at: None,
        })),
        Err(Rejected::Failure(failure)) => Err(failure.into()),
    }
}

fn accepted(principal: Principal, valid_until: Option<Timestamp>) -> CheckView {
    let (kind, user) = match principal {
        Principal::User { user, .. } => (Some(Kind::Jwt), Some(user)),
        Principal::PaymentToken { user, .. } => (Some(Kind::PaymentToken), Some(user)),
        Principal::Link { user, .. } => (Some(Kind::Link), Some(user)),
        // No credential of a buyer becomes one of these.
        Principal::Guest { .. } | Principal::Project { .. } | Principal::Root => (None, None),
    };
    CheckView {
        accepted: true,
        reason: None,
        kind,
        user_external_id: user,
        expires_at: valid_until.map(Time),
    }
}
