//! `/v1/projects/{project}/orders/{order}/payment-tokens`: further credentials of a buyer for one
//! order, beside the one that the order may have been made with.
//!
//! Links share all but the way in and out, so the work is done here for both.

use super::{
    App,
    api_keys::{refusal, submit},
    body, caller,
    openapi::{self, Conflict, Empty},
    path::{At, path_id},
    problem::Problem,
    render::Time,
};
use crate::{
    auth::{PAYMENT_TOKEN_MARGIN, PaymentToken},
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
    OrderId, ProjectId,
    access::{Action, Object},
    ids::TokenId,
};
use ordercast_store::{
    CredentialChange, CredentialOutcome, Found, OrderToken, Outcome, TokenEnd, TokenKind,
};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use utoipa::ToSchema;

const LIFETIME_SECONDS: std::ops::RangeInclusive<u32> = 60..=31_536_000;
/// In paths and lists, the token that the order was made with.
const FIRST: &str = "0";

/// A token or a link to be made
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewToken)]
pub(super) struct CreateBody {
    /// Without it, a day after the order's life for a payment token, 30 days for a link.
    #[schema(minimum = 60, maximum = 31_536_000)]
    expires_in_seconds: Option<u32>,
}

/// A payment token or a link without its secret
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Token)]
pub(super) struct TokenView {
    /// 0: the one that the order was made with.
    id: u32,
    created_at: Time,
    /// The name of the key that made it.
    created_by: String,
    expires_at: Time,
    #[schema(required)]
    revoked_at: Option<Time>,
}

/// A payment token or a link, shown this once
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CreatedToken)]
pub(super) struct CreatedView {
    #[serde(flatten)]
    pub shown: TokenView,
    pub token: String,
}

/// An order's payment tokens
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PaymentTokens)]
pub struct ListView {
    tokens: Vec<TokenView>,
}

/// Create a payment token
///
/// A further credential of the buyer for this order. It is in the answer, once.
#[utoipa::path(
    post,
    path = "/v1/projects/{project}/orders/{order}/payment-tokens",
    tag = openapi::TOKENS,
    operation_id = "createPaymentToken",
    request_body(content = Option<CreateBody>, example = json!({ "expires_in_seconds": 3600 })),
    responses((status = 201, description = "The token", body = CreatedView), Conflict)
)]
pub async fn create(
    State(app): State<App>,
    At((project, order)): At<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let secret = clock::random();
    let hash = PaymentToken::new(0, secret).hash();
    let end = TokenEnd::AfterOrder(PAYMENT_TOKEN_MARGIN);
    let path = (project.as_str(), order.as_str());
    let made = issue(&app, path, &headers, body, (TokenKind::Payment, hash, end)).await?;
    let answer = CreatedView {
        token: PaymentToken::issued(made.id, secret).encode(),
        shown: view(made),
    };
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

/// List an order's payment tokens
#[utoipa::path(
    get,
    path = "/v1/projects/{project}/orders/{order}/payment-tokens",
    tag = openapi::TOKENS,
    operation_id = "listPaymentTokens",
    responses((status = 200, description = "All of them, without their secrets", body = ListView))
)]
pub async fn list(
    State(app): State<App>,
    At((project, order)): At<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<ListView>, Problem> {
    let found = find(&app, &project, &order, &headers).await?;
    let tokens = app
        .store
        .order_tokens(found.order_key, TokenKind::Payment)
        .await?;
    let mut tokens: Vec<_> = tokens.into_iter().map(view).collect();
    if found.token_hash.is_some() {
        let order = &found.order;
        tokens.push(TokenView {
            id: 0,
            created_at: Time(order.created_at),
            created_by: String::new(),
            expires_at: Time(order.expires_at.plus(PAYMENT_TOKEN_MARGIN)),
            revoked_at: None,
        });
    }
    Ok(Json(ListView { tokens }))
}

/// Revoke a payment token
#[utoipa::path(
    delete,
    path = "/v1/projects/{project}/orders/{order}/payment-tokens/{token}",
    tag = openapi::TOKENS,
    operation_id = "revokePaymentToken",
    responses(Empty)
)]
pub async fn revoke(
    State(app): State<App>,
    At((project, order, token)): At<(String, String, String)>,
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

pub(super) fn view(token: OrderToken) -> TokenView {
    TokenView {
        id: token.id.get(),
        created_at: Time(token.created_at),
        created_by: token.created_by,
        expires_at: Time(token.expires_at),
        revoked_at: token.ended_at.map(Time),
    }
}
