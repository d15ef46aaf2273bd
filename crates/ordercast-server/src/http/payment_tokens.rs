//! `/v1/projects/{project}/orders/{order}/payment-tokens`: further credentials of a buyer for one
//! order, beside the one that the order may have been made with.
//!
//! Links share all but the way in and out, so the work is done here for both.

use super::{
    App,
    api_keys::{refusal, submit},
    body, caller, path_id,
    problem::Problem,
    render,
};
use crate::{
    auth::{PAYMENT_TOKEN_MARGIN, PaymentToken},
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
    OrderId, ProjectId,
    access::{Action, Object},
    ids::TokenId,
};
use ordercast_store::{
    CredentialChange, CredentialOutcome, Found, OrderToken, Outcome, TokenEnd, TokenKind,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

const LIFETIME_SECONDS: std::ops::RangeInclusive<u32> = 60..=31_536_000;
/// In paths and lists, the token that the order was made with.
const FIRST: &str = "0";

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct CreateBody {
    expires_in_seconds: Option<u32>,
}

pub async fn create(
    State(app): State<App>,
    Path((project, order)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let secret = clock::random();
    let hash = PaymentToken::new(0, secret).hash();
    let end = TokenEnd::AfterOrder(PAYMENT_TOKEN_MARGIN);
    let path = (project.as_str(), order.as_str());
    let made = issue(&app, path, &headers, body, (TokenKind::Payment, hash, end)).await?;
    let mut answer = render(&made);
    answer["token"] = json!(PaymentToken::issued(made.id, secret).encode());
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

pub async fn list(
    State(app): State<App>,
    Path((project, order)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    let found = find(&app, &project, &order, &headers).await?;
    let tokens = app
        .store
        .order_tokens(found.order_key, TokenKind::Payment)
        .await?;
    let mut tokens: Vec<_> = tokens.iter().map(render).collect();
    if found.token_hash.is_some() {
        let order = &found.order;
        tokens.push(json!({
            "id": 0,
            "created_at": render::time(order.created_at),
            "created_by": "",
            "expires_at": render::time(order.expires_at.plus(PAYMENT_TOKEN_MARGIN)),
            "revoked_at": null,
        }));
    }
    Ok(Json(json!({ "tokens": tokens })))
}

pub async fn revoke(
    State(app): State<App>,
    Path((project, order, token)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let id = match token.as_str() {
        FIRST => None,
        other => Some(other),
    };
    let path = (project.as_str(), order.as_str());
    end(&app, path, &headers, (TokenKind::Payment, id)).await
}

pub(super) async fn issue(
    app: &App,
    (project, order): (&str, &str),
    headers: &HeaderMap,
    body: Body,
    (kind, hash, end): (TokenKind, [u8; 32], TokenEnd),
) -> Result<OrderToken, Problem> {
    let project: ProjectId = path_id(project)?;
    let object = Object::Project(project);
    let by = caller::server(&app.auth, headers, Action::IssueTokens, object)?;
    let order: OrderId = path_id(order)?;
    let raw = body::read(body, body::API_BYTES_MAX).await?;
    let wanted = if raw.is_empty() {
        CreateBody::default()
    } else {
        body::json(headers, &raw)?
    };
    let end = match wanted.expires_in_seconds {
        None => end,
        Some(seconds) if LIFETIME_SECONDS.contains(&seconds) => {
            TokenEnd::After(Duration::from_secs(seconds.into()))
        }
        Some(_) => {
            let rule = "must be 60 to 31536000";
            return Err(Problem::invalid("expires_in_seconds", rule));
        }
    };
    let change = CredentialChange::IssueToken {
        project,
        order,
        kind,
        hash,
        end,
        by,
    };
    match submit(app, change).await? {
        Outcome::Credentials(CredentialOutcome::Token(made)) => Ok(made),
        other => Err(refusal(&other)),
    }
}

pub(super) async fn find(
    app: &App,
    project: &str,
    order: &str,
    headers: &HeaderMap,
) -> Result<Arc<Found>, Problem> {
    let project: ProjectId = path_id(project)?;
    let object = Object::Project(project);
    caller::server(&app.auth, headers, Action::IssueTokens, object)?;
    let order: OrderId = path_id(order)?;
    let found = app.store.order(project, order).await?;
    found.ok_or_else(Problem::not_found)
}

/// `id` `None`: the token that the order was made with.
pub(super) async fn end(
    app: &App,
    (project, order): (&str, &str),
    headers: &HeaderMap,
    (kind, id): (TokenKind, Option<&str>),
) -> Result<StatusCode, Problem> {
    let project: ProjectId = path_id(project)?;
    let object = Object::Project(project);
    caller::server(&app.auth, headers, Action::IssueTokens, object)?;
    let change = CredentialChange::EndToken {
        project,
        order: path_id(order)?,
        kind,
        id: id.map(path_id::<TokenId>).transpose()?,
    };
    match submit(app, change).await? {
        Outcome::Credentials(CredentialOutcome::Done) => Ok(StatusCode::NO_CONTENT),
        other => Err(refusal(&other)),
    }
}

pub(super) fn render(token: &OrderToken) -> Value {
    json!({
        "id": token.id,
        "created_at": render::time(token.created_at),
        "created_by": token.created_by,
        "expires_at": render::time(token.expires_at),
        "revoked_at": token.ended_at.map(render::time),
    })
}
