//! What the shop's backend does for its signed-in buyer: a token, and the record of an order.

use super::{Store, problem::Problem};
use axum::{
    Json,
    extract::{Path, State, rejection::JsonRejection},
    http::{HeaderMap, header},
};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use ordercast_core::{OrderId, UserId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;

const TOKEN_SECONDS: i64 = 3_600;
/// Enough to hold every event of a demo's recent orders.
const INBOX_LIMIT: u32 = 100;

#[derive(Debug, Deserialize)]
pub struct SignIn {
    user: String,
}

#[derive(Debug, Serialize)]
struct Claims<'a> {
    sub: &'a UserId,
    iat: i64,
    exp: i64,
}

/// The shop's login. A real one asks for a password first; the token is made just like this.
pub async fn sign_in(
    State(store): State<Store>,
    body: Result<Json<SignIn>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    let Json(SignIn { user }) =
        body.map_err(|_| Problem::bad_request("the body must be JSON: {\"user\": \"alice\"}"))?;
    let user = UserId::new(user.trim())
        .map_err(|_| Problem::bad_request("user must be 1 to 200 bytes of text"))?;
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let claims = Claims {
        sub: &user,
        iat: now,
        exp: now + TOKEN_SECONDS,
    };
    let key = EncodingKey::from_secret(store.demo.jwt_secret.as_bytes());
    let token = encode(&Header::new(Algorithm::HS256), &claims, &key).map_err(|error| {
        tracing::error!(%error, "could not sign a user token");
        Problem::unavailable()
    })?;
    Ok(Json(json!({
        "token": token,
        "user_external_id": user,
        "project_id": store.demo.project_id,
    })))
}

/// Why an order is where it is: its versions, and what the provider said. For its buyer only.
pub async fn order_record(
    State(store): State<Store>,
    Path(order): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    let order: OrderId = order.parse().map_err(|_| Problem::not_found())?;
    let token = bearer(&headers).ok_or_else(Problem::not_found)?;
    let seen = store.api.order_of_buyer(order, token).await?;
    let (versions, inbox) =
        tokio::try_join!(store.api.versions(order), store.api.inbox(INBOX_LIMIT))?;
    let inbox: Vec<_> = inbox
        .into_iter()
        .filter(|entry| entry["order_id"] == json!(order))
        .collect();
    Ok(Json(json!({
        "order_id": order,
        "status": seen.status,
        "versions": versions,
        "inbox": inbox,
    })))
}

pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
