//! `/v1/projects/{project}/users/{user}/balances`: what a user has of the shop's virtual currencies.
//! Orders debit it; the shop fills it.

use super::{
    App, body, caller,
    openapi::{self, Conflict, IdempotencyKey, Invalid},
    orders,
    path::{At, path_id},
    problem::Problem,
    storefront::{self, BalanceView},
};
use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use ordercast_core::{
    ProjectId, Sku, UserId,
    access::{Action, Object},
    virtual_currency::VirtualAmount,
};
use ordercast_store::{
    Change, Scope, StorefrontChange, StorefrontOutcome,
    storefront::{BalanceChange, BalanceEdit},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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

/// What a user has
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Balances)]
pub struct ListView {
    balances: Vec<LineView>,
}

/// What a user has of one virtual currency
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BalanceOf)]
struct LineView {
    sku: Sku,
    amount: VirtualAmount,
}

/// List a user's balances
#[utoipa::path(
    get,
    path = "/v1/projects/{project}/users/{user}/balances",
    tag = openapi::BALANCES,
    operation_id = "listBalances",
    responses((status = 200, description = "All of them", body = ListView), Invalid)
)]
pub async fn list(
    State(app): State<App>,
    At((project, user)): At<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<ListView>, Problem> {
    let (project, user) = admit(&app, &headers, &project, &user)?;
    let balances = app
        .store
        .balances(project, user)
        .await?
        .into_iter()
        .map(|(sku, amount)| LineView { sku, amount })
        .collect();
    Ok(Json(ListView { balances }))
}

/// What the balance shall be
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewBalance)]
struct SetBody {
    amount: VirtualAmount,
}

/// Set a balance
///
/// Whatever it was. Beside orders that debit it, add instead.
#[utoipa::path(
    put,
    path = "/v1/projects/{project}/users/{user}/balances/{currency}",
    tag = openapi::BALANCES,
    operation_id = "setBalance",
    request_body(content = SetBody, example = json!({ "amount": 100 })),
    responses((status = 200, description = "The balance as it is now", body = BalanceView))
)]
pub async fn set(
    State(app): State<App>,
    At((project, user, currency)): At<(String, String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<BalanceView>, Problem> {
    let (project, user) = admit(&app, &headers, &project, &user)?;
    let raw = body::read(body, body::API_BYTES_MAX).await?;
    let SetBody { amount } = body::json(&headers, &raw)?;
    let change = change(project, user, &currency, BalanceEdit::Set(amount))?;
    match storefront::submit(&app, change).await? {
        StorefrontOutcome::Balance(amount) => Ok(Json(BalanceView { amount })),
        _ => Err(Problem::unavailable()),
    }
}

/// How much more it shall be, or less
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BalanceChange)]
struct AddBody {
    #[schema(minimum = -1_000_000_000_000_000_i64, maximum = 1_000_000_000_000_000_i64)]
    change: i64,
}

/// Add to a balance or take from it
///
/// With an idempotency key, once.
#[utoipa::path(
    post,
    path = "/v1/projects/{project}/users/{user}/balances/{currency}",
    tag = openapi::BALANCES,
    operation_id = "addToBalance",
    params(IdempotencyKey),
    request_body(content = AddBody, example = json!({ "change": 100 })),
    responses((status = 200, description = "The balance as it is now", body = BalanceView), Conflict)
)]
pub async fn add(
    State(app): State<App>,
    At((project, user, currency)): At<(String, String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let (project, user) = admit(&app, &headers, &project, &user)?;
    let raw = body::read(body, body::API_BYTES_MAX).await?;
    let AddBody { change: by } = body::json(&headers, &raw)?;
    let before = format!("POST /v1/projects/{project}/users/{user}/balances/{currency}");
    let scope = Scope::new("POST users/balances", &[user.as_str(), &currency], before);
    let change = change(project, user, &currency, BalanceEdit::Add(by))?;
    let change = Change::Storefront(Box::new(change));
    let key = (project, scope);
    orders::submit(&app, change, key, &headers, &raw, StatusCode::OK).await
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
