//! `/v1/projects/{project}/items`: the shop's catalogue.

use super::{
    App, body, caller,
    openapi::{self, Empty},
    path::{At, path_id},
    problem::Problem,
    render::{self, MoneyView},
    storefront,
};
use axum::{
    Json,
    body::Body,
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use ordercast_core::{
    ProjectId, Sku,
    access::{Action, Object},
    catalogue::{Attribute, CatalogueItem, ItemPrice, ItemVirtualPrice, Listed},
    money::{Currency, Money, currency_in_use},
    order::ItemKind,
    virtual_currency::VirtualAmount,
};
use ordercast_store::StorefrontChange;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use utoipa::{IntoParams, ToSchema};

const NAME_BYTES_MAX: usize = 200;
const DESCRIPTION_BYTES_MAX: usize = 4_000;
const IMAGE_URL_BYTES_MAX: usize = 1_000;
const ATTRIBUTE_BYTES_MAX: usize = 255;
const PAGE_MAX: u32 = 1_000;

/// An item to be put into the catalogue
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewItem)]
pub struct ItemBody {
    /// Needed in lists; beside a path it must be the same.
    sku: Option<Sku>,
    /// 1 to 200 bytes without control characters.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x00-\x09\x0b-\x1f\x7f-\x9f]+$"
    )]
    name: String,
    /// At most 4000 bytes; may have lines.
    #[serde(default)]
    #[schema(max_length = 4_000, pattern = r"^[^\x00-\x09\x0b-\x1f\x7f-\x9f]*$")]
    description: String,
    /// At most 1000 bytes.
    #[serde(default)]
    #[schema(max_length = 1_000, pattern = r"^[^\x00-\x09\x0b-\x1f\x7f-\x9f]*$")]
    image_url: String,
    #[serde(default, rename = "type")]
    kind: ItemKind,
    /// Without it: whether the prices are 0.
    is_free: Option<bool>,
    /// The default price.
    price: Option<PriceBody>,
    /// In other currencies; without `price` the first is the default.
    #[serde(default)]
    #[schema(max_items = 50)]
    prices: Vec<PriceBody>,
    #[serde(default)]
    #[schema(max_items = 20)]
    virtual_prices: Vec<VirtualPriceBody>,
    #[serde(default)]
    #[schema(max_items = 20)]
    attributes: Vec<Attribute>,
}

/// Of one piece
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewItemPrice)]
struct PriceBody {
    #[schema(max_length = 40, pattern = r"^[0-9]+(\.[0-9]+)?$", example = "1.99")]
    amount: String,
    #[serde(deserialize_with = "currency_in_use")]
    currency: Currency,
    /// Higher, or the same: no discount.
    #[schema(max_length = 40, pattern = r"^[0-9]+(\.[0-9]+)?$", example = "2.99")]
    amount_without_discount: Option<String>,
}

/// Of one piece, in a virtual currency
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewItemVirtualPrice)]
struct VirtualPriceBody {
    /// Of the virtual currency.
    sku: Sku,
    amount: VirtualAmount,
    amount_without_discount: Option<VirtualAmount>,
    #[serde(default)]
    is_default: bool,
}

impl PriceBody {
    /// `field`: where the price stands in the body.
    fn price(&self, field: &str) -> Result<ItemPrice, Problem> {
        let money = |name: &str, amount: &str| {
            Money::parse(amount, self.currency).map_err(|error| {
                let rule = error.to_string();
                let rule = rule.strip_prefix("amount ").unwrap_or(&rule);
                Problem::invalid(&format!("{field}.{name}"), rule)
            })
        };
        let price = money("amount", &self.amount)?;
        let before = self
            .amount_without_discount
            .as_deref()
            .map(|amount| money("amount_without_discount", amount))
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
        let default = self.price.as_ref();
        let default = default.map(|price| price.price("price")).transpose()?;
        let mut prices: Vec<_> = default.into_iter().collect();
        for (at, price) in self.prices.iter().enumerate() {
            let price = price.price(&format!("prices[{at}]"))?;
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

/// An item of the catalogue
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Item)]
pub struct ItemView {
    sku: Sku,
    name: String,
    description: String,
    image_url: String,
    #[serde(rename = "type")]
    kind: ItemKind,
    is_free: bool,
    /// The default; `null`: it is not sold for money.
    #[schema(required)]
    price: Option<PriceView>,
    /// The default first.
    prices: Vec<PriceView>,
    virtual_prices: Vec<VirtualPriceView>,
    attributes: Vec<Attribute>,
}

/// Of one piece
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ItemPrice)]
struct PriceView {
    #[serde(flatten)]
    price: MoneyView,
    /// Only where there is a discount.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    amount_without_discount: Option<String>,
}

/// Of one piece, in a virtual currency
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ItemVirtualPrice)]
struct VirtualPriceView {
    sku: Sku,
    amount: VirtualAmount,
    amount_without_discount: VirtualAmount,
    is_default: bool,
}

fn shown(item: CatalogueItem) -> ItemView {
    let price = |price: &ItemPrice| PriceView {
        price: render::money(price.price),
        amount_without_discount: price.without_discount.map(Money::amount),
    };
    let virtual_price = |(at, price): (usize, &ItemVirtualPrice)| VirtualPriceView {
        sku: price.currency.clone(),
        amount: price.amount,
        amount_without_discount: price.without_discount.unwrap_or(price.amount),
        is_default: at == 0,
    };
    ItemView {
        price: item.prices.first().map(price),
        prices: item.prices.iter().map(price).collect(),
        virtual_prices: item
            .virtual_prices
            .iter()
            .enumerate()
            .map(virtual_price)
            .collect(),
        sku: item.sku,
        name: item.name,
        description: item.description,
        image_url: item.image_url,
        kind: item.kind,
        is_free: item.is_free,
        attributes: item.attributes,
    }
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

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// The SKU that the last page ended with.
    #[param(value_type = Option<Sku>, required = false)]
    after: Option<String>,
    /// More than 1000 are 1000; without it 100.
    #[param(required = false, minimum = 1, maximum = 1_000)]
    limit: Option<u32>,
}

/// A page of the catalogue
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Items)]
pub struct ListView {
    items: Vec<ItemView>,
    /// Asked for with `after`, the next page; `null`: there is none.
    #[schema(required)]
    next_after: Option<Sku>,
}

/// List items by SKU
#[utoipa::path(
    get,
    path = "/v1/projects/{project}/items",
    tag = openapi::CATALOGUE,
    operation_id = "listItems",
    params(ListQuery),
    responses((status = 200, description = "A page of the catalogue", body = ListView))
)]
pub async fn list(
    State(app): State<App>,
    At(project): At<String>,
    query: Result<Query<ListQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Json<ListView>, Problem> {
    let project = admit(&app, &headers, &project)?;
    let Query(query) =
        query.map_err(|_| Problem::invalid("limit", format!("must be 1 to {PAGE_MAX}")))?;
    let limit = query.limit.unwrap_or(100).clamp(1, PAGE_MAX);
    let after = query.after.as_deref().map(sku).transpose()?;
    // One more tells whether there is a next page.
    let mut items = app.store.catalogue(project, after, limit + 1).await?;
    let has_more = items.len() > limit as usize;
    items.truncate(limit as usize);
    let next_after = items
        .last()
        .filter(|_| has_more)
        .map(|last| last.item.sku.clone());
    Ok(Json(ListView {
        items: items.into_iter().map(|listed| shown(listed.item)).collect(),
        next_after,
    }))
}

/// Read an item
#[utoipa::path(
    get,
    path = "/v1/projects/{project}/items/{sku}",
    tag = openapi::CATALOGUE,
    operation_id = "readItem",
    responses((status = 200, description = "The item", body = ItemView))
)]
pub async fn read(
    State(app): State<App>,
    At((project, item)): At<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<ItemView>, Problem> {
    let project = admit(&app, &headers, &project)?;
    let sku = Sku::new(&item).map_err(|_| Problem::not_found())?;
    let found: Option<Listed> = app.store.item(project, sku).await?;
    let listed = found.ok_or_else(Problem::not_found)?;
    Ok(Json(shown(listed.item)))
}

/// Put an item
///
/// Replaces the one that was there.
#[utoipa::path(
    put,
    path = "/v1/projects/{project}/items/{sku}",
    tag = openapi::CATALOGUE,
    operation_id = "putItem",
    request_body(content = ItemBody, example = json!({
        "name": "Sword",
        "price": { "amount": "1.99", "currency": "USD" },
    })),
    responses((status = 200, description = "The item as it is now", body = ItemView))
)]
pub async fn put(
    State(app): State<App>,
    At((project, item)): At<(String, String)>,
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
    let answer = shown(item.clone());
    let items = vec![item];
    storefront::submit(&app, StorefrontChange::PutItems { project, items }).await?;
    Ok(Json(answer).into_response())
}

/// Items to be put into the catalogue
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewItems)]
struct ListBody {
    items: Vec<ItemBody>,
}

/// How many items were written
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ItemsWritten)]
pub struct WrittenView {
    items_written: usize,
}

/// Put items
///
/// All or none; items that are not named stay as they are.
#[utoipa::path(
    put,
    path = "/v1/projects/{project}/items",
    tag = openapi::CATALOGUE,
    operation_id = "putItems",
    request_body(content = ListBody, example = json!({
        "items": [{ "sku": "sword", "name": "Sword", "price": { "amount": "1.99", "currency": "USD" } }],
    })),
    responses((status = 200, description = "All are there", body = WrittenView))
)]
pub async fn put_all(
    State(app): State<App>,
    At(project): At<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<WrittenView>, Problem> {
    let project = admit(&app, &headers, &project)?;
    let raw = body::read(body, body::API_BYTES_MAX).await?;
    let ListBody { items } = body::json(&headers, &raw)?;
    let items = from_list(items)?;
    let items_written = items.len();
    storefront::submit(&app, StorefrontChange::PutItems { project, items }).await?;
    Ok(Json(WrittenView { items_written }))
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

/// Delete an item
#[utoipa::path(
    delete,
    path = "/v1/projects/{project}/items/{sku}",
    tag = openapi::CATALOGUE,
    operation_id = "deleteItem",
    responses(Empty)
)]
pub async fn delete(
    State(app): State<App>,
    At((project, item)): At<(String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let project = admit(&app, &headers, &project)?;
    let sku = Sku::new(&item).map_err(|_| Problem::not_found())?;
    storefront::submit(&app, StorefrontChange::DeleteItem { project, sku }).await?;
    Ok(StatusCode::NO_CONTENT)
}
