//! *Create payment token for purchase*: the shop's backend makes an order for a user, at the
//! catalogue's price, and the token to pay it with.

use super::{
    super::{
        App,
        openapi::{self, IdempotencyKey, UserAddress},
    },
    checkout::{self, SettingsBody, given},
    error::ApiError,
    object::Object,
    path::At,
    purchase::{Asked, PlacedView, Placement, line, read},
    who,
};
use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use ordercast_core::{
    ProjectId, Sku, UserId,
    access::Action,
    catalogue::{LINES_MAX, Line, quote},
    order::{Actor, Contact, Content},
};
use ordercast_store::Scope;
use serde::Deserialize;
use std::net::IpAddr;
use utoipa::ToSchema;

#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = AdminToken)]
struct TokenBody {
    sandbox: Option<bool>,
    #[schema(value_type = UserBody, required = true)]
    user: Option<UserBody>,
    #[schema(value_type = PurchaseBody, required = true)]
    purchase: Option<PurchaseBody>,
    settings: Option<SettingsBody>,
    #[schema(value_type = Option<ordercast_core::order::CustomParameters>)]
    custom_parameters: Option<Object>,
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = AdminTokenUser)]
struct UserBody {
    #[schema(value_type = ValueBody, required = true)]
    id: Option<ValueBody>,
    email: Option<ValueBody>,
    /// Two letters (ISO 3166-1); needed unless the header X-User-Ip has the buyer's address.
    country: Option<ValueBody>,
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = AdminTokenValue)]
struct ValueBody {
    value: Option<String>,
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = AdminTokenPurchase)]
struct PurchaseBody {
    #[schema(value_type = Vec<ItemBody>, required = true, min_items = 1, max_items = 100)]
    items: Option<Vec<ItemBody>>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = AdminTokenItem)]
struct ItemBody {
    #[schema(value_type = Sku)]
    sku: String,
    #[schema(value_type = u32, required = true, minimum = 1, maximum = 1_000)]
    quantity: Option<u32>,
}

/// Create an order for a user
///
/// At the catalogue's price, with the token to pay it with.
#[utoipa::path(
    post,
    path = "/payment/token",
    tag = openapi::BACKENDS,
    operation_id = "createPaymentTokenForUser",
    params(IdempotencyKey, UserAddress),
    request_body(content = TokenBody, example = json!({
        "user": { "id": { "value": "user-1" }, "country": { "value": "DE" } },
        "purchase": { "items": [{ "sku": "sword", "quantity": 1 }] },
    })),
    responses((status = 201, description = "The order and its token", body = PlacedView))
)]
pub async fn create(
    State(app): State<App>,
    At(project): At<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let project: ProjectId = project.parse().map_err(|_| ApiError::bad_api_key())?;
    let key_name = who::backend(&app, &headers, Action::CreateOrder, project)?;
    let (body, raw) = read::<TokenBody>(&headers, body).await?;
    let operation = "POST admin/payment/token";
    let scope = Scope::new(operation, &[], format!("{operation} "));
    let asked = Asked::new(&app, project, scope, &headers, &raw)?;
    let (user, contact) = buyer(body.user.unwrap_or_default(), &headers)?;
    let mut settings = body.settings.unwrap_or_default();
    let currency = checkout::currency("settings.currency", settings.currency.take())?;
    let mode = checkout::mode(body.sandbox.or(settings.sandbox));
    let checkout = checkout::checkout(Some(settings), body.custom_parameters, None, contact)?;
    let wanted = items(body.purchase)?;
    if let Some(answer) = asked.replay().await? {
        return Ok(answer);
    }
    let content = quote(&lines(&app, project, wanted).await?, currency)?;
    if content.is_free() {
        return Err(ApiError::invalid_cart(
            "All items are free: nothing is to be paid",
        ));
    }
    Placement {
        user,
        actor: Actor::ApiKey(key_name),
        reason: "created by the shop",
        mode,
        content: Content {
            checkout,
            ..content
        },
        is_to_be_paid: true,
        success: StatusCode::CREATED,
    }
    .place(asked)
    .await
}

/// The country, or the address that tells it, is required because it decides what a payment page
/// offers.
fn buyer(body: UserBody, headers: &HeaderMap) -> Result<(UserId, Contact), ApiError> {
    let value = |body: Option<ValueBody>| body.and_then(|body| given(body.value));
    let id = value(body.id).ok_or_else(|| ApiError::invalid("user.id.value", "must be given"))?;
    let user = UserId::new(&id).map_err(|rule| ApiError::invalid("user.id.value", rule))?;
    let country = value(body.country);
    if country.is_none() {
        let address = headers.get("x-user-ip").and_then(|v| v.to_str().ok());
        if address.and_then(|a| a.parse::<IpAddr>().ok()).is_none() {
            let rule = "must be given, or the header X-User-Ip with an IP address";
            return Err(ApiError::invalid("user.country.value", rule));
        }
    }
    let contact = checkout::contact(value(body.email), country, "user.")?;
    Ok((user, contact))
}

fn items(purchase: Option<PurchaseBody>) -> Result<Vec<(Sku, u32)>, ApiError> {
    let items = purchase
        .and_then(|purchase| purchase.items)
        .unwrap_or_default();
    if items.is_empty() || items.len() > LINES_MAX {
        let rule = format!("must be 1 to {LINES_MAX}");
        return Err(ApiError::invalid("purchase.items", rule));
    }
    items
        .into_iter()
        .map(|ItemBody { sku, quantity }| {
            let quantity = quantity
                .filter(|quantity| (1..=ordercast_core::catalogue::QUANTITY_MAX).contains(quantity))
                .ok_or_else(|| ApiError::invalid("purchase.items.quantity", "must be 1 to 1000"))?;
            let sku =
                Sku::new(&sku).map_err(|rule| ApiError::invalid("purchase.items.sku", rule))?;
            Ok((sku, quantity))
        })
        .collect()
}

async fn lines(
    app: &App,
    project: ProjectId,
    wanted: Vec<(Sku, u32)>,
) -> Result<Vec<Line>, ApiError> {
    let (skus, quantities): (Vec<_>, Vec<_>) = wanted.into_iter().unzip();
    let found = app.store.items(project, skus).await?;
    found
        .into_iter()
        .zip(quantities)
        .map(|(listed, quantity)| {
            let missing = || ApiError::invalid_cart("An item is not in the catalogue");
            Ok(line(listed.ok_or_else(missing)?, quantity))
        })
        .collect()
}
