//! Carts: a user's or guest's own, in a name space of their own. The one without a name is `current`;
//! others begin when something is put in.

use super::{
    super::{App, orders::check_quantity},
    checkout::currency,
    error::ApiError,
    path::At,
    purchase::{find_item, line, read, refused},
    render, who,
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
    catalogue::{LINES_MAX, Line, quote},
    ids::CartId,
    money::{Currency, Money},
};
use ordercast_store::{
    Change, Outcome, StorefrontChange, StorefrontOutcome, Submission,
    storefront::{CartChange, CartEdit, CartLine, FilledLine},
};
use serde::Deserialize;
use serde_json::{Value, json};

const CURRENT: &str = "current";
/// What a cart without a priced item is shown in.
const FALLBACK_CURRENCY: &str = "USD";

/// `None`: no cart can have this name. Some are verbs of the current cart's paths.
pub fn cart_id(name: Option<&str>) -> Option<CartId> {
    let name = name.unwrap_or(CURRENT);
    let is_verb = matches!(name, "fill" | "clear" | "item");
    CartId::new(name).ok().filter(|_| !is_verb)
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
    headers: &HeaderMap,
) -> Result<Mine, ApiError> {
    let project = who::project_id(project)?;
    let user = who::buyer(&app, headers, project).await?.user;
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
        warnings: Option<Vec<Value>>,
    ) -> Result<Response, ApiError> {
        let (user, cart) = (self.user.clone(), self.cart.clone());
        let filled = match self.app.store.cart(self.project, user, cart).await? {
            Some(filled) => filled,
            None if self.is_current => Vec::new(),
            None => return Err(ApiError::cart_not_found()),
        };
        Ok(render::ok(&shown(&self.cart, filled, currency, warnings)))
    }
}

/// Without a common currency there is no whole price, and every item has its own.
fn shown(
    cart: &CartId,
    filled: Vec<FilledLine>,
    asked: Option<Currency>,
    warnings: Option<Vec<Value>>,
) -> Value {
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
    let price = whole.as_ref().map(|whole| match whole.price {
        Some(price) => render::money(price, whole.price_without_discount),
        None => nothing(asked),
    });
    let mut body = json!({
        "cart_id": cart,
        "is_free": !lines.is_empty() && lines.iter().all(|line| line.listed.item.is_free),
        "price": price,
        "items": lines.iter().map(|line| item(line, currency.or(asked))).collect::<Vec<_>>(),
    });
    if let Some(warnings) = warnings {
        body["warnings"] = Value::Array(warnings);
    }
    body
}

/// A price of every item, free ones included: a model in the field cannot be without.
fn item(Line { listed, quantity }: &Line, currency: Option<Currency>) -> Value {
    let item = &listed.item;
    let price = item
        .price_in(currency)
        .or_else(|| item.price_in(None))
        .filter(|_| !item.is_free);
    json!({
        "sku": item.sku,
        "name": item.name,
        "type": item.kind,
        "description": item.description,
        "image_url": item.image_url,
        "quantity": quantity,
        "is_free": item.is_free,
        "is_bonus": false,
        "price": price.map_or_else(
            || nothing(currency),
            |price| render::money(price.price, price.without_discount),
        ),
        "virtual_prices": [],
        "attributes": item.attributes,
        "groups": [],
    })
}

fn nothing(currency: Option<Currency>) -> Value {
    let fallback = || Currency::new(FALLBACK_CURRENCY);
    let zero = currency
        .map_or_else(fallback, Ok)
        .and_then(|currency| Money::new(0, currency));
    zero.map_or(Value::Null, |zero| render::money(zero, None))
}

fn not_found(line: &CartLine) -> Value {
    json!({
        "sku": line.sku,
        "quantity": line.quantity,
        "errorCode": 4001,
        "errorMessage": "[0401-4001]: Item not found",
    })
}

pub async fn read_current(
    State(app): State<App>,
    At(project): At<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let mine = mine(app, &project, None, &headers).await?;
    mine.show(currency_of(query.as_deref())?, None).await
}

pub async fn read_named(
    State(app): State<App>,
    At((project, cart)): At<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let mine = mine(app, &project, Some(&cart), &headers).await?;
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

pub async fn clear_current(
    State(app): State<App>,
    At(project): At<String>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let mine = mine(app, &project, None, &headers).await?;
    mine.edit(CartEdit::Clear).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn clear_named(
    State(app): State<App>,
    At((project, cart)): At<(String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let mine = mine(app, &project, Some(&cart), &headers).await?;
    mine.edit(CartEdit::Clear).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Default, Deserialize)]
struct FillBody {
    #[serde(default)]
    items: Vec<FillLine>,
}

#[derive(Debug, Deserialize)]
struct FillLine {
    sku: String,
    quantity: u32,
}

pub async fn fill_current(
    State(app): State<App>,
    At(project): At<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    fill(mine(app, &project, None, &headers).await?, &headers, body).await
}

pub async fn fill_named(
    State(app): State<App>,
    At((project, cart)): At<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let mine = mine(app, &project, Some(&cart), &headers).await?;
    fill(mine, &headers, body).await
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

#[derive(Debug, Default, Deserialize)]
struct LineBody {
    quantity: Option<u32>,
}

pub async fn put_into_current(
    State(app): State<App>,
    At((project, sku)): At<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let mine = mine(app, &project, None, &headers).await?;
    put(mine, &sku, &headers, body).await
}

pub async fn put_into_named(
    State(app): State<App>,
    At((project, cart, sku)): At<(String, String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let mine = mine(app, &project, Some(&cart), &headers).await?;
    put(mine, &sku, &headers, body).await
}

async fn put(mine: Mine, sku: &str, headers: &HeaderMap, body: Body) -> Result<Response, ApiError> {
    let (LineBody { quantity }, _) = read::<LineBody>(headers, body).await?;
    let quantity = quantity.unwrap_or(1);
    check_quantity(quantity)?;
    let listed = find_item(&mine.app, mine.project, sku).await?;
    if !listed.item.is_for_money() {
        return Err(not_for_carts());
    }
    let sku = listed.item.sku;
    mine.edit(CartEdit::Put(vec![CartLine { sku, quantity }]))
        .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub async fn remove_from_current(
    State(app): State<App>,
    At((project, sku)): At<(String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    remove(mine(app, &project, None, &headers).await?, &sku).await
}

pub async fn remove_from_named(
    State(app): State<App>,
    At((project, cart, sku)): At<(String, String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    remove(mine(app, &project, Some(&cart), &headers).await?, &sku).await
}

/// Also of what the catalogue has no more. An item that was not in the cart is gone already.
async fn remove(mine: Mine, sku: &str) -> Result<StatusCode, ApiError> {
    let known = Sku::new(sku).map_err(|_| ApiError::item_not_found())?;
    let (user, cart) = (mine.user.clone(), mine.cart.clone());
    let filled = mine.app.store.cart(mine.project, user, cart).await?;
    let is_inside = filled
        .iter()
        .flatten()
        .any(|filled| filled.line.sku == known);
    if !is_inside {
        find_item(&mine.app, mine.project, sku).await?;
    }
    mine.edit(CartEdit::Remove(known)).await?;
    Ok(StatusCode::NO_CONTENT)
}
