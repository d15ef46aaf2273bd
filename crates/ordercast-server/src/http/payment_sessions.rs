//! `POST /v1/projects/{project}/payment-sessions/lookup`: what a payment token stands for. A payment
//! page has nothing but the token; its backend asks here what to charge.

use super::{
    App, body, caller, openapi,
    path::{At, path_id},
    problem::Problem,
    render::{self, OrderView, Time},
};
use crate::{
    auth::{PaymentToken, Rejected, SessionToken},
    clock,
};
use axum::{
    Json,
    body::Body,
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use ordercast_core::{
    ProjectId, UserId,
    access::{Action, Object, Principal},
    order::{Checkout, Mode},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use subtle::ConstantTimeEq;
use utoipa::ToSchema;

/// Which token
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TokenLookup)]
struct LookupBody {
    token: String,
}

/// What a payment token stands for: an order, or a purchase that the buyer's client described
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PaymentSession)]
struct SessionView<'a> {
    user_external_id: &'a UserId,
    mode: Mode,
    checkout: &'a Checkout,
    expires_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = OrderView, required = false)]
    order: Option<OrderView<'a>>,
    /// As the client described it: the shop decides whether to charge that.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object, required = false)]
    purchase: Option<Map<String, Value>>,
}

/// Look up what a payment token stands for
///
/// For the backend of a payment page, which has nothing but the token.
#[utoipa::path(
    post,
    path = "/v1/projects/{project}/payment-sessions/lookup",
    tag = openapi::TOKENS,
    operation_id = "lookUpPaymentSession",
    request_body(content = LookupBody, example = json!({ "token": "…" })),
    responses((status = 200, description = "What is to be paid", body = SessionView))
)]
pub async fn lookup(
    State(app): State<App>,
    At(project): At<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let project: ProjectId = path_id(&project)?;
    let object = Object::Project(project);
    caller::server(&app.auth, &headers, Action::ReadOrder, object)?;
    let raw = body::read(body, body::API_BYTES_MAX).await?;
    let LookupBody { token } = body::json(&headers, &raw)?;
    let token_of_session = PaymentToken::parse(&token)
        .and_then(|parsed| SessionToken::id_of(&parsed).map(|id| (id, parsed)));
    if let Some((id, token)) = token_of_session {
        let is_its = |hash: &[u8]| bool::from(token.hash().ct_eq(hash));
        let session = app
            .store
            .payment_session(id)
            .await?
            .filter(|session| session.project == project && is_its(&session.token_hash))
            .filter(|session| session.expires_at > clock::now())
            .ok_or_else(Problem::not_found)?;
        let answer = SessionView {
            user_external_id: &session.user,
            mode: session.mode,
            checkout: &session.checkout,
            expires_at: Time(session.expires_at),
            order: None,
            purchase: Some(session.purchase),
        };
        return Ok(Json(answer).into_response());
    }
    let found = match app.auth.buyer(project, &token).await {
        Ok((Principal::PaymentToken { order, .. }, _)) => app.store.order(project, order).await?,
        Ok(_) | Err(Rejected::Credential(_)) => None,
        Err(Rejected::Failure(failure)) => return Err(failure.into()),
    };
    let order = &found.ok_or_else(Problem::not_found)?.order;
    let answer = SessionView {
        user_external_id: &order.user,
        mode: order.mode,
        checkout: &order.content.checkout,
        expires_at: Time(order.expires_at),
        order: Some(render::order(order)),
        purchase: None,
    };
    Ok(Json(answer).into_response())
}
