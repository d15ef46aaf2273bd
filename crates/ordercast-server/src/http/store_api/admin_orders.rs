//! *Get orders list for specified period*, the oldest first, with the statuses as they really are.

use super::{
    super::{App, openapi},
    error::ApiError,
    path::At,
    purchase::read,
    render, who,
};
use axum::{body::Body, extract::State, http::HeaderMap, response::Response};
use ordercast_core::{
    OrderId, ProjectId, Sku, Timestamp, UserId,
    access::Action,
    money::Money,
    order::{Content, Country, Email, Item, ItemKind, Mode, Order, Status},
    virtual_currency::{VirtualAmount, VirtualPrice},
};
use ordercast_store::search::{COUNTED_MAX, OrderSearch};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;
use time::{
    Date, OffsetDateTime, PrimitiveDateTime,
    format_description::{BorrowedFormatItem, well_known::Iso8601},
    macros::format_description,
};
use utoipa::ToSchema;

const LIMIT_MAX: u32 = 10;
const DAY: Duration = Duration::from_secs(24 * 3600);
const SECONDS: &[BorrowedFormatItem] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]+00:00");

/// Which orders
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = OrderSearch)]
struct SearchBody {
    /// Without it 10.
    #[schema(minimum = 1, maximum = 10)]
    limit: Option<u32>,
    #[schema(minimum = 0, maximum = 10_000)]
    offset: Option<u32>,
    /// A date or a time (ISO 8601); without an offset it is UTC.
    #[schema(example = "2026-11-01")]
    created_date_from: Option<String>,
    /// As a date, the whole day.
    #[schema(example = "2026-11-23")]
    created_date_until: Option<String>,
}

/// Orders of a time
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FoundOrders)]
struct FoundView<'a> {
    orders: Vec<OrderView<'a>>,
    /// Counted up to 10000.
    total_items_count: u32,
    has_more: bool,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FoundOrder)]
struct OrderView<'a> {
    order_id: OrderId,
    project_id: ProjectId,
    status: Status,
    #[schema(example = "2026-11-23T08:00:00+00:00")]
    date_created: String,
    mode: Mode,
    is_free: bool,
    /// The provider's name of the newest payment.
    #[schema(required)]
    invoice_id: Option<&'a str>,
    #[schema(required)]
    price: Option<PriceView>,
    user: UserView<'a>,
    items: Vec<ItemView<'a>>,
    /// There are none yet.
    promotions: Vec<Value>,
    /// There are none yet.
    coupons: Vec<Value>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FoundUser)]
struct UserView<'a> {
    id: &'a UserId,
    #[schema(required)]
    country: Option<&'a Country>,
    #[schema(required)]
    email: Option<&'a Email>,
    #[schema(required)]
    region_id: Option<u32>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FoundItem)]
struct ItemView<'a> {
    /// The item's place in its order, from 1.
    order_item_id: u32,
    #[schema(required)]
    item_id: Option<u32>,
    sku: &'a Sku,
    #[serde(rename = "type")]
    kind: ItemKind,
    quantity: u32,
    is_free: bool,
    is_bonus: bool,
    #[schema(required)]
    region_id: Option<u32>,
    #[schema(required)]
    tax_category: Option<String>,
    #[schema(required)]
    price: Option<PriceView>,
    #[schema(required)]
    description: Option<DescriptionView<'a>>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FoundDescription)]
struct DescriptionView<'a> {
    name: &'a str,
}

/// In money, or in a virtual currency
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FoundPrice)]
struct PriceView {
    amount: String,
    amount_without_discount: String,
    /// An ISO 4217 code, or the SKU of the virtual currency.
    currency: String,
    is_virtual_currency: bool,
}

/// Search orders of a time
///
/// The oldest first, with the statuses as they really are.
#[utoipa::path(
    post,
    path = "/order/search",
    tag = openapi::BACKENDS,
    operation_id = "searchOrders",
    request_body(content = Option<SearchBody>, example = json!({ "limit": 10, "created_date_from": "2026-11-01" })),
    responses((status = 200, description = "The orders", body = FoundView))
)]
pub async fn search(
    State(app): State<App>,
    At(project): At<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let project: ProjectId = project.parse().map_err(|_| ApiError::bad_api_key())?;
    who::backend(&app, &headers, Action::ReadOrder, project)?;
    let (body, _) = read::<SearchBody>(&headers, body).await?;
    let search = parse(body)?;
    let page = app.store.search_orders(project, search).await?;
    let shown_until = search
        .offset
        .saturating_add(u32::try_from(page.orders.len()).unwrap_or(0));
    Ok(render::ok(&FoundView {
        orders: page.orders.iter().map(order).collect(),
        total_items_count: page.total,
        has_more: shown_until < page.total,
    }))
}

fn parse(body: SearchBody) -> Result<OrderSearch, ApiError> {
    let limit = body.limit.unwrap_or(LIMIT_MAX);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(ApiError::invalid("limit", "must be 1 to 10"));
    }
    let offset = body.offset.unwrap_or(0);
    if offset > COUNTED_MAX {
        let rule = format!("must be 0 to {COUNTED_MAX}; search a shorter time instead");
        return Err(ApiError::invalid("offset", rule));
    }
    let from = body
        .created_date_from
        .map(|text| moment("created_date_from", &text))
        .transpose()?
        .map(|(begin, _)| begin);
    let until = body
        .created_date_until
        .map(|text| moment("created_date_until", &text))
        .transpose()?
        .map(|(_, end)| end);
    if from.zip(until).is_some_and(|(from, until)| from >= until) {
        let rule = "must not be before created_date_from";
        return Err(ApiError::invalid("created_date_until", rule));
    }
    Ok(OrderSearch {
        from,
        until,
        offset,
        limit,
    })
}

/// When it begins and when it has ended: a day for a date, a millisecond for a time. Without an offset
/// it is UTC.
fn moment(field: &str, text: &str) -> Result<(Timestamp, Timestamp), ApiError> {
    let (begin, length) = if let Ok(time) = OffsetDateTime::parse(text, &Iso8601::PARSING) {
        (time, Duration::from_millis(1))
    } else if let Ok(time) = PrimitiveDateTime::parse(text, &Iso8601::PARSING) {
        (time.assume_utc(), Duration::from_millis(1))
    } else if let Ok(date) = Date::parse(text, &Iso8601::PARSING) {
        (date.midnight().assume_utc(), DAY)
    } else {
        let rule = "must be a date or a time as of ISO 8601";
        return Err(ApiError::invalid(field, rule));
    };
    let millis = i64::try_from(begin.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX);
    let begin = Timestamp::from_millis(millis);
    Ok((begin, begin.plus(length)))
}

fn order(order: &Order) -> OrderView<'_> {
    let content = &order.content;
    let contact = &content.checkout.contact;
    OrderView {
        order_id: order.id,
        project_id: order.project,
        status: order.status(),
        date_created: date(order.created_at),
        mode: order.mode,
        is_free: content.is_free(),
        invoice_id: invoice_id(order),
        price: match (content.price, &content.virtual_price) {
            (Some(price), _) => Some(money(price, content.price_without_discount)),
            (None, Some(price)) => Some(virtual_money(
                price,
                price.amount,
                price.amount_without_discount,
            )),
            (None, None) => None,
        },
        user: UserView {
            id: &order.user,
            country: contact.country.as_ref(),
            email: contact.email.as_ref(),
            region_id: None,
        },
        items: content
            .items
            .iter()
            .zip(1..)
            .map(|(line, number)| item(content, line, number))
            .collect(),
        promotions: Vec::new(),
        coupons: Vec::new(),
    }
}

fn item<'a>(content: &Content, item: &'a Item, number: u32) -> ItemView<'a> {
    let paid_with = content.virtual_price.as_ref();
    ItemView {
        order_item_id: number,
        item_id: item.item_id,
        sku: &item.sku,
        kind: item.kind,
        quantity: item.quantity,
        is_free: content.is_item_free(item),
        is_bonus: false,
        region_id: None,
        tax_category: None,
        price: match (item.price, item.virtual_price.zip(paid_with)) {
            (Some(price), _) => Some(money(price, item.price_without_discount)),
            (None, Some((amount, currency))) => Some(virtual_money(currency, amount, None)),
            (None, None) => None,
        },
        description: item.name.as_deref().map(|name| DescriptionView { name }),
    }
}

fn money(price: Money, without_discount: Option<Money>) -> PriceView {
    PriceView {
        amount: price.amount(),
        amount_without_discount: without_discount.unwrap_or(price).amount(),
        currency: price.currency.to_string(),
        is_virtual_currency: false,
    }
}

fn virtual_money(
    currency: &VirtualPrice,
    amount: VirtualAmount,
    without_discount: Option<VirtualAmount>,
) -> PriceView {
    PriceView {
        amount: amount.to_string(),
        amount_without_discount: without_discount.unwrap_or(amount).to_string(),
        currency: currency.currency.to_string(),
        is_virtual_currency: true,
    }
}

/// The provider's name of the newest payment; payments that were marked by hand have none.
fn invoice_id(order: &Order) -> Option<&str> {
    order
        .facets
        .attempts
        .iter()
        .rev()
        .map(|attempt| attempt.id.as_str())
        .find(|id| !id.starts_with("manual:") && !id.starts_with("order:"))
}

fn date(at: Timestamp) -> String {
    OffsetDateTime::from_unix_timestamp(at.millis().div_euclid(1_000))
        .ok()
        .and_then(|time| time.format(SECONDS).ok())
        .unwrap_or_default()
}
