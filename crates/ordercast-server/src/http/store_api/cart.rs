//! Carts: a user's or guest's own, in a name space of their own. The one without a name is `current`;
//! others begin when something is put in.

use super::{
    super::{
        App,
        openapi::{self, BuyerHeaders, Empty},
        orders::check_quantity,
    },
    checkout::currency,
    error::ApiError,
    path::At,
    purchase::{find_item, line, read, refused, sku as parsed},
    render::{self, PriceView},
    who::{self, Client},
};
use crate::clock;
use axum::{
    body::Body,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use ordercast_core::{
    ProjectId, Sku, UserId,
    catalogue::{Attribute, LINES_MAX, Line, quote},
    ids::CartId,
    money::{Currency, Money},
    order::ItemKind,
};
use ordercast_store::{
    Change, Outcome, StorefrontChange, StorefrontOutcome, Submission,
    storefront::{CartChange, CartEdit, CartLine, FilledLine},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

const CURRENT: &str = "current";
/// What a cart without a priced item is shown in.
const FALLBACK_CURRENCY: &str = "USD";

/// `None`: no cart can have this name. Some are verbs of the current cart's paths.
pub fn cart_id(name: Option<&str>) -> Option<CartId> {
    let name = name.unwrap_or(CURRENT);
    let is_verb = matches!(name, "fill" | "clear" | "item");
    CartId::new(name).ok().filter(|_| !is_verb)
}

/// Of carts; what SDKs send beside it means nothing.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "read by hand, because a repeated name is no error here"
)]
struct CurrencyQuery {
    /// What the cart is shown in; an empty one is as none.
    #[param(required = false, pattern = "^([A-Z]{3})?$", example = "USD")]
    currency: Option<String>,
}

/// One user's cart.
struct Mine {
    app: App,
    project: ProjectId,
    user: UserId,
    cart: CartId,
    is_current: bool,
}

async fn mine(
    app: App,
    project: &str,
    cart: Option<&str>,
    client: &Client,
) -> Result<Mine, ApiError> {
    let project = who::project_id(project)?;
    let user = who::buyer(&app, client, project).await?.user;
    let cart = cart_id(cart).ok_or_else(ApiError::cart_not_found)?;
    Ok(Mine {
        is_current: cart.as_str() == CURRENT,
        app,
        project,
        user,
        cart,
    })
}

impl Mine {
    /// The current cart is there even before anything was put in.
    async fn edit(&self, edit: CartEdit) -> Result<(), ApiError> {
        let change = StorefrontChange::Cart(CartChange {
            project: self.project,
            user: self.user.clone(),
            cart: self.cart.clone(),
            edit,
        });
        let outcome = self
            .app
            .store
            .submit(Submission {
                change: Change::Storefront(Box::new(change)),
                at: clock::now(),
                idempotency: None,
            })
            .await?;
        match outcome {
            Outcome::Storefront(StorefrontOutcome::Done) => Ok(()),
            Outcome::Storefront(StorefrontOutcome::Refused(refusal)) => Err(refused(refusal)),
            Outcome::NotFound if self.is_current => Ok(()),
            Outcome::NotFound => Err(ApiError::cart_not_found()),
            _ => Err(ApiError::unavailable()),
        }
    }

    async fn show(
        &self,
        currency: Option<Currency>,
        warnings: Option<Vec<WarningView>>,
    ) -> Result<Response, ApiError> {
        let (user, cart) = (self.user.clone(), self.cart.clone());
        let filled = match self.app.store.cart(self.project, user, cart).await? {
            Some(filled) => filled,
            None if self.is_current => Vec::new(),
            None => return Err(ApiError::cart_not_found()),
        };
        Ok(shown(&self.cart, filled, currency, warnings))
    }
}

/// A buyer's cart
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Cart)]
struct CartView<'a> {
    cart_id: &'a CartId,
    is_free: bool,
    /// Of all; `null`: the items have no currency in common.
    #[schema(required)]
    price: Option<PriceView>,
    items: Vec<ItemView<'a>>,
    /// What is not in the catalogue.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<WarningView>, required = false)]
    warnings: Option<Vec<WarningView>>,
}

/// A price of every item, free ones included: a model in the field cannot be without.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CartItem)]
struct ItemView<'a> {
    sku: &'a Sku,
    name: &'a str,
    #[serde(rename = "type")]
    kind: ItemKind,
    description: &'a str,
    image_url: &'a str,
    quantity: u32,
    is_free: bool,
    is_bonus: bool,
    #[schema(required)]
    price: Option<PriceView>,
    /// Carts are for money.
    virtual_prices: Vec<Value>,
    #[schema(value_type = Vec<Attribute>)]
    attributes: &'a [Attribute],
    /// There are none yet.
    groups: Vec<Value>,
}

/// What was left out, and why
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CartWarning)]
struct WarningView {
    sku: Sku,
    quantity: u32,
    #[serde(rename = "errorCode")]
    #[schema(example = 4001)]
    code: u32,
    #[serde(rename = "errorMessage")]
    message: &'static str,
}

/// Without a common currency there is no whole price, and every item has its own.
fn shown(
    cart: &CartId,
    filled: Vec<FilledLine>,
    asked: Option<Currency>,
    warnings: Option<Vec<WarningView>>,
) -> Response {
    let mut warnings = warnings;
    let mut lines = Vec::new();
    for FilledLine { line: kept, listed } in filled {
        match listed {
            Some(listed) => lines.push(line(listed, kept.quantity)),
            None => warnings.get_or_insert_default().push(not_found(&kept)),
        }
    }
    let whole = quote(&lines, asked).ok();
    let currency = whole
        .as_ref()
        .and_then(|whole| whole.price)
        .map(|price| price.currency);
    let price = whole.as_ref().and_then(|whole| match whole.price {
        Some(price) => Some(render::money(price, whole.price_without_discount)),
        None => nothing(asked),
    });
    render::ok(&CartView {
        cart_id: cart,
        is_free: !lines.is_empty() && lines.iter().all(|line| line.listed.item.is_free),
        price,
        items: lines
            .iter()
            .map(|line| item(line, currency.or(asked)))
            .collect(),
        warnings,
    })
}

fn item(Line { listed, quantity }: &Line, currency: Option<Currency>) -> ItemView<'_> {
    let item = &listed.item;
    let price = item
        .price_in(currency)
        .or_else(|| item.price_in(None))
        .filter(|_| !item.is_free);
    ItemView {
        sku: &item.sku,
        name: &item.name,
        kind: item.kind,
        description: &item.description,
        image_url: &item.image_url,
        quantity: *quantity,
        is_free: item.is_free,
        is_bonus: false,
        price: match price {
            Some(price) => Some(render::money(price.price, price.without_discount)),
            None => nothing(currency),
        },
        virtual_prices: Vec::new(),
        attributes: &item.attributes,
        groups: Vec::new(),
    }
}

fn nothing(currency: Option<Currency>) -> Option<PriceView> {
    let fallback = || Currency::new(FALLBACK_CURRENCY);
    let zero = currency
        .map_or_else(fallback, Ok)
        .and_then(|currency| Money::new(0, currency));
    zero.ok().map(|zero| render::money(zero, None))
}

fn not_found(line: &CartLine) -> WarningView {
    WarningView {
        sku: line.sku.clone(),
        quantity: line.quantity,
        code: 4001,
        message: "[0401-4001]: Item not found",
    }
}

/// Read the current cart
#[utoipa::path(
    get,
    path = "/cart",
    tag = openapi::CARTS,
    operation_id = "readCurrentCart",
    params(CurrencyQuery, BuyerHeaders),
    responses((status = 200, description = "The cart", body = CartView))
)]
pub async fn read_current(
    State(app): State<App>,
    At(project): At<String>,
    RawQuery(query): RawQuery,
    client: Client,
) -> Result<Response, ApiError> {
    let mine = mine(app, &project, None, &client).await?;
    mine.show(currency_of(query.as_deref())?, None).await
}

/// Read a cart
#[utoipa::path(
    get,
    path = "/cart/{cart}",
    tag = openapi::CARTS,
    operation_id = "readCart",
    params(CurrencyQuery, BuyerHeaders),
    responses((status = 200, description = "The cart", body = CartView))
)]
pub async fn read_named(
    State(app): State<App>,
    At((project, cart)): At<(String, String)>,
    RawQuery(query): RawQuery,
    client: Client,
) -> Result<Response, ApiError> {
    let mine = mine(app, &project, Some(&cart), &client).await?;
    mine.show(currency_of(query.as_deref())?, None).await
}

fn currency_of(query: Option<&str>) -> Result<Option<Currency>, ApiError> {
    let value = query
        .unwrap_or_default()
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find_map(|(name, value)| (name == "currency").then(|| value.to_owned()));
    currency("currency", value)
}

/// Clear the current cart
#[utoipa::path(
    put,
    path = "/cart/clear",
    tag = openapi::CARTS,
    operation_id = "clearCurrentCart",
    params(BuyerHeaders),
    responses(Empty)
)]
pub async fn clear_current(
    State(app): State<App>,
    At(project): At<String>,
    client: Client,
) -> Result<StatusCode, ApiError> {
    let mine = mine(app, &project, None, &client).await?;
    mine.edit(CartEdit::Clear).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Clear a cart
#[utoipa::path(
    put,
    path = "/cart/{cart}/clear",
    tag = openapi::CARTS,
    operation_id = "clearCart",
    params(BuyerHeaders),
    responses(Empty)
)]
pub async fn clear_named(
    State(app): State<App>,
    At((project, cart)): At<(String, String)>,
    client: Client,
) -> Result<StatusCode, ApiError> {
    let mine = mine(app, &project, Some(&cart), &client).await?;
    mine.edit(CartEdit::Clear).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Items to be put into the cart
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = CartFill)]
struct FillBody {
    #[serde(default)]
    #[schema(required = true, min_items = 1, max_items = 100)]
    items: Vec<FillLine>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CartLine)]
struct FillLine {
    #[schema(value_type = Sku)]
    sku: String,
    #[schema(minimum = 1, maximum = 1_000)]
    quantity: u32,
}

/// Fill the current cart
///
/// What is not in the catalogue is left out and told of in `warnings`.
#[utoipa::path(
    put,
    path = "/cart/fill",
    tag = openapi::CARTS,
    operation_id = "fillCurrentCart",
    params(BuyerHeaders),
    request_body(content = FillBody, example = json!({ "items": [{ "sku": "sword", "quantity": 1 }] })),
    responses((status = 200, description = "The cart as it is now", body = CartView))
)]
pub async fn fill_current(
    State(app): State<App>,
    At(project): At<String>,
    client: Client,
    body: Body,
) -> Result<Response, ApiError> {
    fill(
        mine(app, &project, None, &client).await?,
        &client.headers,
        body,
    )
    .await
}

/// Fill a cart
///
/// What is not in the catalogue is left out and told of in `warnings`.
#[utoipa::path(
    put,
    path = "/cart/{cart}/fill",
    tag = openapi::CARTS,
    operation_id = "fillCart",
    params(BuyerHeaders),
    request_body(content = FillBody, example = json!({ "items": [{ "sku": "sword", "quantity": 1 }] })),
    responses((status = 200, description = "The cart as it is now", body = CartView))
)]
pub async fn fill_named(
    State(app): State<App>,
    At((project, cart)): At<(String, String)>,
    client: Client,
    body: Body,
) -> Result<Response, ApiError> {
    let mine = mine(app, &project, Some(&cart), &client).await?;
    fill(mine, &client.headers, body).await
}

/// What is not in the catalogue is left out and told of in `warnings`.
async fn fill(mine: Mine, headers: &HeaderMap, body: Body) -> Result<Response, ApiError> {
    let (FillBody { items }, _) = read::<FillBody>(headers, body).await?;
    if items.is_empty() || items.len() > LINES_MAX {
        let rule = format!("must be 1 to {LINES_MAX}");
        return Err(ApiError::invalid("items", rule));
    }
    let mut asked = Vec::with_capacity(items.len());
    for FillLine { sku, quantity } in items {
        check_quantity(quantity)?;
        let sku = Sku::new(&sku).map_err(|rule| ApiError::invalid("items.sku", rule))?;
        asked.push(CartLine { sku, quantity });
    }
    let skus = asked.iter().map(|line| line.sku.clone()).collect();
    let found = mine.app.store.items(mine.project, skus).await?;
    let (mut put, mut warnings) = (Vec::new(), Vec::new());
    for (line, listed) in asked.into_iter().zip(found) {
        match listed {
            Some(listed) if !listed.item.is_for_money() => return Err(not_for_carts()),
            Some(_) => put.push(line),
            None => warnings.push(not_found(&line)),
        }
    }
    mine.edit(CartEdit::Put(put)).await?;
    mine.show(None, Some(warnings)).await
}

fn not_for_carts() -> ApiError {
    ApiError::incorrect_item("An item that is not sold for money cannot be put into a cart")
}

/// How many of the item
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = CartQuantity)]
struct LineBody {
    /// Without it 1.
    #[schema(minimum = 1, maximum = 1_000)]
    quantity: Option<u32>,
}

/// Put an item into the current cart
#[utoipa::path(
    put,
    path = "/cart/item/{sku}",
    tag = openapi::CARTS,
    operation_id = "putIntoCurrentCart",
    params(BuyerHeaders),
    request_body(content = Option<LineBody>, example = json!({ "quantity": 1 })),
    responses(Empty)
)]
pub async fn put_into_current(
    State(app): State<App>,
    At((project, sku)): At<(String, String)>,
    client: Client,
    body: Body,
) -> Result<Response, ApiError> {
    let mine = mine(app, &project, None, &client).await?;
    put(mine, &sku, &client.headers, body).await
}

/// Put an item into a cart
#[utoipa::path(
    put,
    path = "/cart/{cart}/item/{sku}",
    tag = openapi::CARTS,
    operation_id = "putIntoCart",
    params(BuyerHeaders),
    request_body(content = Option<LineBody>, example = json!({ "quantity": 1 })),
    responses(Empty)
)]
pub async fn put_into_named(
    State(app): State<App>,
    At((project, cart, sku)): At<(String, String, String)>,
    client: Client,
    body: Body,
) -> Result<Response, ApiError> {
    let mine = mine(app, &project, Some(&cart), &client).await?;
    put(mine, &sku, &client.headers, body).await
}

async fn put(mine: Mine, sku: &str, headers: &HeaderMap, body: Body) -> Result<Response, ApiError> {
    let (LineBody { quantity }, _) = read::<LineBody>(headers, body).await?;
    let quantity = quantity.unwrap_or(1);
    check_quantity(quantity)?;
    let sku = parsed(sku)?;
    let listed = find_item(&mine.app, mine.project, sku).await?;
    if !listed.item.is_for_money() {
        return Err(not_for_carts());
    }
    let sku = listed.item.sku;
    mine.edit(CartEdit::Put(vec![CartLine { sku, quantity }]))
        .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Remove an item from the current cart
#[utoipa::path(
    delete,
    path = "/cart/item/{sku}",
    tag = openapi::CARTS,
    operation_id = "removeFromCurrentCart",
    params(BuyerHeaders),
    responses(Empty)
)]
pub async fn remove_from_current(
    State(app): State<App>,
    At((project, sku)): At<(String, String)>,
    client: Client,
) -> Result<StatusCode, ApiError> {
    remove(mine(app, &project, None, &client).await?, &sku).await
}

/// Remove an item from a cart
#[utoipa::path(
    delete,
    path = "/cart/{cart}/item/{sku}",
    tag = openapi::CARTS,
    operation_id = "removeFromCart",
    params(BuyerHeaders),
    responses(Empty)
)]
pub async fn remove_from_named(
    State(app): State<App>,
    At((project, cart, sku)): At<(String, String, String)>,
    client: Client,
) -> Result<StatusCode, ApiError> {
    remove(mine(app, &project, Some(&cart), &client).await?, &sku).await
}

/// Also of what the catalogue has no more. An item that was not in the cart is gone already.
async fn remove(mine: Mine, sku: &str) -> Result<StatusCode, ApiError> {
    let known = parsed(sku)?;
    let (user, cart) = (mine.user.clone(), mine.cart.clone());
    let filled = mine.app.store.cart(mine.project, user, cart).await?;
    let is_inside = filled
        .iter()
        .flatten()
        .any(|filled| filled.line.sku == known);
    if !is_inside {
        find_item(&mine.app, mine.project, known.clone()).await?;
    }
    mine.edit(CartEdit::Remove(known)).await?;
    Ok(StatusCode::NO_CONTENT)
}
