//! Orders of one item: for money, for a virtual currency, for nothing.

use super::{
    super::{
        App,
        openapi::{self, IdempotencyKey},
    },
    error::ApiError,
    path::At,
    purchase::{Asked, PlacedView, Placement, PurchaseBody, Terms, find_item, line, read, sku},
    who::{self, Buyer, Client},
};
use axum::{body::Body, extract::State, response::Response};
use ordercast_core::{
    ProjectId, Sku,
    catalogue::{quote, quote_virtual},
};
use ordercast_store::Scope;

/// What the three begin with: who, on what terms, and under which idempotency key.
struct Began<'a, const N: usize> {
    project: ProjectId,
    /// Those that the path names.
    skus: [Sku; N],
    buyer: Buyer,
    terms: Terms,
    asked: Asked<'a>,
}

/// `path`: with what it names, as keys were scoped by earlier versions.
async fn begin<'a, const N: usize>(
    app: &'a App,
    project: &str,
    (operation, path, named): (&str, String, [&str; N]),
    client: &Client,
    body: Body,
) -> Result<Began<'a, N>, ApiError> {
    let project = who::project_id(project)?;
    let buyer = who::user(app, client, project).await?;
    let (body, raw) = read::<PurchaseBody>(&client.headers, body).await?;
    let mut skus = Vec::with_capacity(N);
    for name in named {
        skus.push(sku(name)?);
    }
    let user = buyer.user.as_str();
    let mut parts = named.to_vec();
    parts.push(user);
    let scope = Scope::new(operation, &parts, format!("{path} {user}"));
    let asked = Asked::new(app, project, scope, &client.headers, &raw)?;
    let terms = body.terms(buyer.contact.clone())?;
    Ok(Began {
        project,
        skus: skus.try_into().map_err(|_| ApiError::item_not_found())?,
        buyer,
        terms,
        asked,
    })
}

/// Create an order of an item
///
/// At the catalogue's price, `new`, with the token to pay it with.
#[utoipa::path(
    post,
    path = "/payment/item/{sku}",
    tag = openapi::BUYING,
    operation_id = "buyItem",
    params(IdempotencyKey),
    request_body(content = Option<PurchaseBody>, example = json!({ "quantity": 1, "currency": "USD" })),
    responses((status = 200, description = "The order and its token", body = PlacedView))
)]
pub async fn for_money(
    State(app): State<App>,
    At((project, sku)): At<(String, String)>,
    client: Client,
    body: Body,
) -> Result<Response, ApiError> {
    let path = format!("POST payment/item/{sku}");
    let operation = ("POST payment/item", path, [sku.as_str()]);
    let began = begin(&app, &project, operation, &client, body).await?;
    if let Some(answer) = began.asked.replay().await? {
        return Ok(answer);
    }
    let [sku] = began.skus;
    let listed = find_item(&app, began.project, sku).await?;
    let content = quote(&[line(listed, began.terms.quantity)], began.terms.currency)?;
    if content.is_free() {
        let why = "The item is free: create a free order";
        return Err(ApiError::wrong_kind_of_price(why));
    }
    Placement::by(began.buyer, began.terms, content)
        .place(began.asked)
        .await
}

/// Create an order of an item for a virtual currency
///
/// Debited and `done` at once, or 422 5006.
#[utoipa::path(
    post,
    path = "/payment/item/{sku}/virtual/{currency}",
    tag = openapi::BUYING,
    operation_id = "buyItemForVirtualCurrency",
    params(IdempotencyKey),
    request_body(content = Option<PurchaseBody>, example = json!({ "quantity": 1, "currency": "USD" })),
    responses((status = 200, description = "The order", body = PlacedView))
)]
pub async fn for_virtual_currency(
    State(app): State<App>,
    At((project, sku, currency)): At<(String, String, String)>,
    client: Client,
    body: Body,
) -> Result<Response, ApiError> {
    let path = format!("POST payment/item/{sku}/virtual/{currency}");
    let named = [sku.as_str(), currency.as_str()];
    let operation = ("POST payment/item/virtual", path, named);
    let began = begin(&app, &project, operation, &client, body).await?;
    if let Some(answer) = began.asked.replay().await? {
        return Ok(answer);
    }
    let [sku, currency] = began.skus;
    let listed = find_item(&app, began.project, sku).await?;
    let currency = find_item(&app, began.project, currency).await?.item;
    let content = quote_virtual(&line(listed, began.terms.quantity), &currency)?;
    Placement {
        is_to_be_paid: false,
        ..Placement::by(began.buyer, began.terms, content)
    }
    .place(began.asked)
    .await
}

/// Create an order of a free item
///
/// `done` at once.
#[utoipa::path(
    post,
    path = "/free/item/{sku}",
    tag = openapi::BUYING,
    operation_id = "takeItem",
    params(IdempotencyKey),
    request_body(content = Option<PurchaseBody>, example = json!({ "quantity": 1, "currency": "USD" })),
    responses((status = 200, description = "The order", body = PlacedView))
)]
pub async fn for_nothing(
    State(app): State<App>,
    At((project, sku)): At<(String, String)>,
    client: Client,
    body: Body,
) -> Result<Response, ApiError> {
    let path = format!("POST free/item/{sku}");
    let operation = ("POST free/item", path, [sku.as_str()]);
    let began = begin(&app, &project, operation, &client, body).await?;
    if let Some(answer) = began.asked.replay().await? {
        return Ok(answer);
    }
    let [sku] = began.skus;
    let listed = find_item(&app, began.project, sku).await?;
    if !listed.item.is_free {
        return Err(ApiError::wrong_kind_of_price("The item is not free"));
    }
    let content = quote(&[line(listed, began.terms.quantity)], None)?;
    Placement {
        is_to_be_paid: false,
        ..Placement::by(began.buyer, began.terms, content)
    }
    .place(began.asked)
    .await
}
