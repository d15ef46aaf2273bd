//! `/v1/projects/{project}/items`: the shop's catalogue.

use super::{App, body, caller, path_id, problem::Problem, render, storefront};
use axum::{
    Json,
    body::Body,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use ordercast_core::{
    ProjectId, Sku,
    access::{Action, Object},
    catalogue::{Attribute, CatalogueItem, ItemPrice, ItemVirtualPrice, Listed},
    money::{Currency, Money},
    order::ItemKind,
    virtual_currency::VirtualAmount,
};
use ordercast_store::StorefrontChange;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashSet;

const NAME_BYTES_MAX: usize = 200;
const DESCRIPTION_BYTES_MAX: usize = 4_000;
const IMAGE_URL_BYTES_MAX: usize = 1_000;
const ATTRIBUTE_BYTES_MAX: usize = 255;
const PAGE_MAX: u32 = 1_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ItemBody {
    /// Needed in lists; beside a path it must be the same.
    sku: Option<Sku>,
    name: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    image_url: String,
    #[serde(default, rename = "type")]
    kind: ItemKind,
    /// Without it: whether the prices are 0.
    is_free: Option<bool>,
    /// The default price.
    price: Option<PriceBody>,
    /// In other currencies; without `price` the first is the default.
    #[serde(default)]
    prices: Vec<PriceBody>,
    #[serde(default)]
    virtual_prices: Vec<VirtualPriceBody>,
    #[serde(default)]
    attributes: Vec<Attribute>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PriceBody {
    amount: String,
    currency: Currency,
    amount_without_discount: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct VirtualPriceBody {
    /// Of the virtual currency.
    sku: Sku,
    amount: VirtualAmount,
    amount_without_discount: Option<VirtualAmount>,
    #[serde(default)]
    is_default: bool,
}

impl PriceBody {
    fn price(&self) -> Result<ItemPrice, Problem> {
        let money = |field: &str, amount: &str| {
            Money::parse(amount, self.currency)
                .map_err(|error| Problem::invalid(field, error.to_string()))
        };
        let price = money("price.amount", &self.amount)?;
        let before = self
            .amount_without_discount
            .as_deref()
            .map(|amount| money("price.amount_without_discount", amount))
            .transpose()?;
        Ok(ItemPrice {
            price,
            // What is shown is taken back: the same amount twice is no discount.
            without_discount: before.filter(|before| *before != price),
        })
    }
}

impl ItemBody {
    fn item(self, sku: Sku) -> Result<CatalogueItem, Problem> {
        check_text("name", &self.name, 1, NAME_BYTES_MAX)?;
        check_text("description", &self.description, 0, DESCRIPTION_BYTES_MAX)?;
        check_text("image_url", &self.image_url, 0, IMAGE_URL_BYTES_MAX)?;
        for attribute in &self.attributes {
            let values = attribute.values.iter();
            for text in [&attribute.external_id, &attribute.name]
                .into_iter()
                .chain(values.flat_map(|value| [&value.external_id, &value.value]))
            {
                check_text("attributes", text, 1, ATTRIBUTE_BYTES_MAX)?;
            }
        }
        let default = self.price.iter().map(PriceBody::price).next().transpose()?;
        let mut prices: Vec<_> = default.into_iter().collect();
        for price in &self.prices {
            let price = price.price()?;
            // The default price may stand in the list too, as it does in our answers.
            if Some(price) != default {
                prices.push(price);
            }
        }
        let mut virtual_prices = self.virtual_prices;
        if virtual_prices
            .iter()
            .filter(|price| price.is_default)
            .count()
            > 1
        {
            let rule = "at most one can be the default";
            return Err(Problem::invalid("virtual_prices", rule));
        }
        virtual_prices.sort_by_key(|price| !price.is_default);
        let item = CatalogueItem {
            sku,
            name: self.name,
            description: self.description,
            image_url: self.image_url,
            kind: self.kind,
            is_free: self.is_free.unwrap_or_else(|| {
                !prices.is_empty() && prices.iter().all(|price| price.price.minor == 0)
            }),
            prices,
            virtual_prices: virtual_prices
                .into_iter()
                .map(|price| ItemVirtualPrice {
                    currency: price.sku,
                    amount: price.amount,
                    without_discount: price
                        .amount_without_discount
                        .filter(|before| *before != price.amount),
                })
                .collect(),
            attributes: self.attributes,
        };
        item.check()
            .map_err(|error| Problem::invalid("item", error.to_string()))?;
        Ok(item)
    }
}

fn check_text(field: &str, text: &str, min: usize, max: usize) -> Result<(), Problem> {
    // A description may have lines.
    let is_bad = |c: char| c.is_control() && c != '\n';
    if (min..=max).contains(&text.len()) && !text.chars().any(is_bad) {
        return Ok(());
    }
    let rule = format!("must be {min} to {max} bytes without control characters");
    Err(Problem::invalid(field, rule))
}

fn shown(item: &CatalogueItem) -> Value {
    let price = |price: &ItemPrice| {
        let mut shown = render::money(price.price);
        if let Some(before) = price.without_discount {
            shown["amount_without_discount"] = json!(before.amount());
        }
        shown
    };
    let virtual_price = |(at, price): (usize, &ItemVirtualPrice)| {
        json!({
            "sku": price.currency,
            "amount": price.amount,
            "amount_without_discount": price.without_discount.unwrap_or(price.amount),
            "is_default": at == 0,
        })
    };
    json!({
        "sku": item.sku,
        "name": item.name,
        "description": item.description,
        "image_url": item.image_url,
        "type": item.kind,
        "is_free": item.is_free,
        "price": item.prices.first().map(price),
        "prices": item.prices.iter().map(price).collect::<Vec<_>>(),
        "virtual_prices": item
            .virtual_prices
            .iter()
            .enumerate()
            .map(virtual_price)
            .collect::<Vec<_>>(),
        "attributes": item.attributes,
    })
}

fn admit(app: &App, headers: &HeaderMap, project: &str) -> Result<ProjectId, Problem> {
    let project: ProjectId = path_id(project)?;
    let object = Object::Project(project);
    caller::server(&app.auth, headers, Action::WriteCatalogue, object)?;
    Ok(project)
}

fn sku(text: &str) -> Result<Sku, Problem> {
    Sku::new(text).map_err(|error| Problem::invalid("sku", error.to_string()))
}

#[derive(Debug, Deserialize)]
pub struct ListQuery {
    /// The SKU that the last page ended with.
    after: Option<String>,
    limit: Option<u32>,
}

/// By SKU.
pub async fn list(
    State(app): State<App>,
    Path(project): Path<String>,
    query: Result<Query<ListQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    let project = admit(&app, &headers, &project)?;
    let Query(query) =
        query.map_err(|_| Problem::invalid("limit", format!("must be 1 to {PAGE_MAX}")))?;
    let limit = query.limit.unwrap_or(100).clamp(1, PAGE_MAX);
    let after = query.after.as_deref().map(sku).transpose()?;
    // One more tells whether there is a next page.
    let mut items = app.store.catalogue(project, after, limit + 1).await?;
    let has_more = items.len() > limit as usize;
    items.truncate(limit as usize);
    let next = items
        .last()
        .filter(|_| has_more)
        .map(|last| last.item.sku.clone());
    Ok(Json(json!({
        "items": items.iter().map(|listed| shown(&listed.item)).collect::<Vec<_>>(),
        "next_after": next,
    })))
}

pub async fn read(
    State(app): State<App>,
    Path((project, item)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    let project = admit(&app, &headers, &project)?;
    let sku = Sku::new(&item).map_err(|_| Problem::not_found())?;
    let found: Option<Listed> = app.store.item(project, sku).await?;
    let listed = found.ok_or_else(Problem::not_found)?;
    Ok(Json(shown(&listed.item)))
}

pub async fn put(
    State(app): State<App>,
    Path((project, item)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let project = admit(&app, &headers, &project)?;
    let sku = sku(&item)?;
    let raw = body::read(body, body::API_BYTES_MAX).await?;
    let item: ItemBody = body::json(&headers, &raw)?;
    if item.sku.as_ref().is_some_and(|other| *other != sku) {
        return Err(Problem::invalid("sku", "must be the one of the path"));
    }
    let item = item.item(sku)?;
    let answer = shown(&item);
    let items = vec![item];
    storefront::submit(&app, StorefrontChange::PutItems { project, items }).await?;
    Ok(Json(answer).into_response())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListBody {
    items: Vec<ItemBody>,
}

/// All or none; items that are not named stay as they are.
pub async fn put_all(
    State(app): State<App>,
    Path(project): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, Problem> {
    let project = admit(&app, &headers, &project)?;
    let raw = body::read(body, body::API_BYTES_MAX).await?;
    let ListBody { items } = body::json(&headers, &raw)?;
    let items = from_list(items)?;
    let count = items.len();
    storefront::submit(&app, StorefrontChange::PutItems { project, items }).await?;
    Ok(Json(json!({ "items_written": count })))
}

/// # Errors
/// 422 naming the field; also for an SKU that is missing or stands there twice.
pub fn from_list(list: Vec<ItemBody>) -> Result<Vec<CatalogueItem>, Problem> {
    let mut seen = HashSet::new();
    list.into_iter()
        .enumerate()
        .map(|(index, item)| {
            let sku = item.sku.clone().filter(|sku| seen.insert(sku.clone()));
            let sku = sku.ok_or_else(|| Problem::invalid("sku", "must be given, once"));
            sku.and_then(|sku| item.item(sku)).map_err(|mut problem| {
                problem.title = format!("items[{index}]: {}", problem.title);
                problem
            })
        })
        .collect()
}

pub async fn delete(
    State(app): State<App>,
    Path((project, item)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let project = admit(&app, &headers, &project)?;
    let sku = Sku::new(&item).map_err(|_| Problem::not_found())?;
    storefront::submit(&app, StorefrontChange::DeleteItem { project, sku }).await?;
    Ok(StatusCode::NO_CONTENT)
}
