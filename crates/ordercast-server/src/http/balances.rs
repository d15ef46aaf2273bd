//! `/v1/projects/{project}/users/{user}/balances`: what a user has of the shop's virtual currencies.
//! Orders debit it; the shop fills it.

use super::{App, body, caller, orders, path_id, problem::Problem, storefront};
use axum::{
    Json,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use ordercast_core::{
    ProjectId, Sku, UserId,
    access::{Action, Object},
    virtual_currency::VirtualAmount,
};
use ordercast_store::{
    Change, StorefrontChange, StorefrontOutcome,
    storefront::{BalanceChange, BalanceEdit},
};
use serde::Deserialize;
use serde_json::{Value, json};

fn admit(
    app: &App,
    headers: &HeaderMap,
    project: &str,
    user: &str,
) -> Result<(ProjectId, UserId), Problem> {
    let project: ProjectId = path_id(project)?;
    let object = Object::Project(project);
    caller::server(&app.auth, headers, Action::WriteBalances, object)?;
    let user = UserId::new(user).map_err(|error| Problem::invalid("user", error.to_string()))?;
    Ok((project, user))
}

pub async fn list(
    State(app): State<App>,
    Path((project, user)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    let (project, user) = admit(&app, &headers, &project, &user)?;
    let balances: Vec<_> = app
        .store
        .balances(project, user)
        .await?
        .into_iter()
        .map(|(sku, amount)| json!({ "sku": sku, "amount": amount }))
        .collect();
    Ok(Json(json!({ "balances": balances })))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SetBody {
    amount: VirtualAmount,
}

/// Sets a balance, whatever it was. Beside orders that debit it, add instead.
pub async fn set(
    State(app): State<App>,
    Path((project, user, currency)): Path<(String, String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, Problem> {
    let (project, user) = admit(&app, &headers, &project, &user)?;
    let raw = body::read(body, body::API_BYTES_MAX).await?;
    let SetBody { amount } = body::json(&headers, &raw)?;
    let change = change(project, user, &currency, BalanceEdit::Set(amount))?;
    match storefront::submit(&app, change).await? {
        StorefrontOutcome::Balance(amount) => Ok(Json(json!({ "amount": amount }))),
        _ => Err(Problem::unavailable()),
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AddBody {
    change: i64,
}

/// Adds to a balance or takes from it; with an idempotency key, once.
pub async fn add(
    State(app): State<App>,
    Path((project, user, currency)): Path<(String, String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let (project, user) = admit(&app, &headers, &project, &user)?;
    let raw = body::read(body, body::API_BYTES_MAX).await?;
    let AddBody { change: by } = body::json(&headers, &raw)?;
    let route = format!("POST /v1/projects/{project}/users/{user}/balances/{currency}");
    let change = change(project, user, &currency, BalanceEdit::Add(by))?;
    let change = Change::Storefront(Box::new(change));
    orders::submit(&app, change, project, route, &headers, &raw, StatusCode::OK).await
}

fn change(
    project: ProjectId,
    user: UserId,
    currency: &str,
    edit: BalanceEdit,
) -> Result<StorefrontChange, Problem> {
    let currency =
        Sku::new(currency).map_err(|error| Problem::invalid("sku", error.to_string()))?;
    Ok(StorefrontChange::Balance(BalanceChange {
        project,
        user,
        currency,
        edit,
    }))
}
