//! Orders of a whole cart, for money or for nothing. The cart stays as it is: a payment may fail, and
//! clearing is a call of its own.

use super::{
    super::{
        App,
        openapi::{self, BuyerHeaders, IdempotencyKey},
    },
    cart::cart_id,
    error::ApiError,
    path::At,
    purchase::{Asked, PlacedView, Placement, PurchaseBody, line, read},
    who::{self, Client},
};
use axum::{body::Body, extract::State, response::Response};
use ordercast_core::{
    ProjectId, UserId,
    catalogue::{Line, quote},
    ids::CartId,
};
use ordercast_store::Scope;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Paid,
    Free,
}

/// Create an order of the current cart
#[utoipa::path(
    post,
    path = "/payment/cart",
    tag = openapi::BUYING,
    operation_id = "buyCurrentCart",
    params(IdempotencyKey, BuyerHeaders),
    request_body(content = Option<PurchaseBody>, example = json!({ "currency": "USD" })),
    responses((status = 200, description = "The order and its token", body = PlacedView))
)]
pub async fn pay_current(
    state: State<App>,
    At(project): At<String>,
    client: Client,
    body: Body,
) -> Result<Response, ApiError> {
    order(state.0, project, None, Kind::Paid, client, body).await
}

/// Create an order of a cart
#[utoipa::path(
    post,
    path = "/payment/cart/{cart}",
    tag = openapi::BUYING,
    operation_id = "buyCart",
    params(IdempotencyKey, BuyerHeaders),
    request_body(content = Option<PurchaseBody>, example = json!({ "currency": "USD" })),
    responses((status = 200, description = "The order and its token", body = PlacedView))
)]
pub async fn pay(
    state: State<App>,
    At((project, cart)): At<(String, String)>,
    client: Client,
    body: Body,
) -> Result<Response, ApiError> {
    order(state.0, project, Some(cart), Kind::Paid, client, body).await
}

/// Create an order of the current cart of free items
#[utoipa::path(
    post,
    path = "/free/cart",
    tag = openapi::BUYING,
    operation_id = "takeCurrentCart",
    params(IdempotencyKey, BuyerHeaders),
    request_body(content = Option<PurchaseBody>, example = json!({ "currency": "USD" })),
    responses((status = 200, description = "The order", body = PlacedView))
)]
pub async fn take_current(
    state: State<App>,
    At(project): At<String>,
    client: Client,
    body: Body,
) -> Result<Response, ApiError> {
    order(state.0, project, None, Kind::Free, client, body).await
}

/// Create an order of a cart of free items
#[utoipa::path(
    post,
    path = "/free/cart/{cart}",
    tag = openapi::BUYING,
    operation_id = "takeCart",
    params(IdempotencyKey, BuyerHeaders),
    request_body(content = Option<PurchaseBody>, example = json!({ "currency": "USD" })),
    responses((status = 200, description = "The order", body = PlacedView))
)]
pub async fn take(
    state: State<App>,
    At((project, cart)): At<(String, String)>,
    client: Client,
    body: Body,
) -> Result<Response, ApiError> {
    order(state.0, project, Some(cart), Kind::Free, client, body).await
}

async fn order(
    app: App,
    project: String,
    cart: Option<String>,
    kind: Kind,
    client: Client,
    body: Body,
) -> Result<Response, ApiError> {
    let project = who::project_id(&project)?;
    let buyer = who::buyer(&app, &client, project).await?;
    let (body, raw) = read::<PurchaseBody>(&client.headers, body).await?;
    let terms = body.terms(buyer.contact.clone())?;
    let no_cart = || ApiError::invalid_cart("The cart does not exist or is empty");
    let cart = cart_id(cart.as_deref()).ok_or_else(no_cart)?;
    let operation = match kind {
        Kind::Paid => "POST payment/cart",
        Kind::Free => "POST free/cart",
    };
    let user = buyer.user.as_str();
    let before = format!("{operation}/{cart} {user}");
    let scope = Scope::new(operation, &[cart.as_str(), user], before);
    let asked = Asked::new(&app, project, scope, &client.headers, &raw)?;
    if let Some(answer) = asked.replay().await? {
        return Ok(answer);
    }
    let lines = lines(&app, project, &buyer.user, cart).await?;
    if lines.is_empty() {
        return Err(no_cart());
    }
    let content = quote(&lines, terms.currency)?;
    match (kind, content.is_free()) {
        (Kind::Paid, false) | (Kind::Free, true) => {}
        (Kind::Paid, true) => {
            let why = "All items of the cart are free: create a free order";
            return Err(ApiError::invalid_cart(why));
        }
        (Kind::Free, false) => {
            return Err(ApiError::invalid_cart("An item of the cart is not free"));
        }
    }
    Placement {
        is_to_be_paid: kind == Kind::Paid,
        ..Placement::by(buyer, terms, content)
    }
    .place(asked)
    .await
}

async fn lines(
    app: &App,
    project: ProjectId,
    user: &UserId,
    cart: CartId,
) -> Result<Vec<Line>, ApiError> {
    let filled = app.store.cart(project, user.clone(), cart).await?;
    filled
        .unwrap_or_default()
        .into_iter()
        .map(|filled| {
            let listed = filled.listed.ok_or_else(ApiError::item_gone)?;
            Ok(line(listed, filled.line.quantity))
        })
        .collect()
}
