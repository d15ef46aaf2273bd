//! `POST /v1/projects/{project}/payment-sessions/lookup`: what a payment token stands for. A payment
//! page has nothing but the token; its backend asks here what to charge.

use super::{App, body, caller, path_id, problem::Problem, render};
use crate::{
    auth::{PaymentToken, Rejected, SessionToken},
    clock,
};
use axum::{
    Json,
    body::Body,
    extract::{Path, State},
    http::HeaderMap,
};
use ordercast_core::{
    ProjectId, Timestamp, UserId,
    access::{Action, Object, Principal},
    order::{Checkout, Mode},
};
use serde::Deserialize;
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LookupBody {
    token: String,
}

pub async fn lookup(
    State(app): State<App>,
    Path(project): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, Problem> {
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
        let purchase = Value::Object(session.purchase);
        return Ok(shown(
            &session.user,
            session.mode,
            &session.checkout,
            session.expires_at,
            ("purchase", purchase),
        ));
    }
    let found = match app.auth.buyer(project, &token).await {
        Ok((Principal::PaymentToken { order, .. }, _)) => app.store.order(project, order).await?,
        Ok(_) | Err(Rejected::Credential(_)) => None,
        Err(Rejected::Failure(failure)) => return Err(failure.into()),
    };
    let order = &found.ok_or_else(Problem::not_found)?.order;
    Ok(shown(
        &order.user,
        order.mode,
        &order.content.checkout,
        order.expires_at,
        ("order", render::order(order)),
    ))
}

fn shown(
    user: &UserId,
    mode: Mode,
    checkout: &Checkout,
    expires_at: Timestamp,
    (noun, subject): (&str, Value),
) -> Json<Value> {
    let mut shown = json!({
        "user_external_id": user,
        "mode": mode,
        "checkout": checkout,
        "expires_at": render::time(expires_at),
    });
    shown[noun] = subject;
    Json(shown)
}
