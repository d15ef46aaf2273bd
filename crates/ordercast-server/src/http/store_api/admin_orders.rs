//! *Get orders list for specified period*, the oldest first, with the statuses as they really are.

use super::{super::App, error::ApiError, path::At, purchase::read, render, who};
use axum::{body::Body, extract::State, http::HeaderMap, response::Response};
use ordercast_core::{
    ProjectId, Timestamp,
    access::Action,
    money::Money,
    order::{Item, Order},
    virtual_currency::{VirtualAmount, VirtualPrice},
};
use ordercast_store::search::{COUNTED_MAX, OrderSearch};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use time::{
    Date, OffsetDateTime, PrimitiveDateTime,
    format_description::{BorrowedFormatItem, well_known::Iso8601},
    macros::format_description,
};

const LIMIT_MAX: u32 = 10;
const DAY: Duration = Duration::from_secs(24 * 3600);
const SECONDS: &[BorrowedFormatItem] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]+00:00");

#[derive(Debug, Default, Deserialize)]
struct SearchBody {
    limit: Option<u32>,
    offset: Option<u32>,
    created_date_from: Option<String>,
    created_date_until: Option<String>,
}

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
    Ok(render::ok(&json!({
        "orders": page.orders.iter().map(order).collect::<Vec<_>>(),
        "total_items_count": page.total,
        "has_more": shown_until < page.total,
    })))
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

fn order(order: &Order) -> Value {
    let content = &order.content;
    let contact = &content.checkout.contact;
    json!({
        "order_id": order.id,
        "project_id": order.project,
        "status": order.status(),
        "date_created": date(order.created_at),
        "mode": order.mode,
        "is_free": content.is_free(),
        "invoice_id": invoice_id(order),
        "price": match (content.price, &content.virtual_price) {
            (Some(price), _) => money(price, content.price_without_discount),
            (None, Some(price)) => virtual_money(price, price.amount, price.amount_without_discount),
            (None, None) => Value::Null,
        },
        "user": {
            "id": order.user,
            "country": contact.country,
            "email": contact.email,
            "region_id": null,
        },
        "items": content
            .items
            .iter()
            .zip(1..)
            .map(|(line, number)| item(line, number, content.virtual_price.as_ref()))
            .collect::<Vec<_>>(),
        "promotions": [],
        "coupons": [],
    })
}

/// `number`: the item's place in its order, from 1.
fn item(item: &Item, number: u32, paid_with: Option<&VirtualPrice>) -> Value {
    json!({
        "order_item_id": number,
        "item_id": item.item_id,
        "sku": item.sku,
        "type": item.kind,
        "quantity": item.quantity,
        "is_free": item.is_free(),
        "is_bonus": false,
        "region_id": null,
        "tax_category": null,
        "price": match (item.price, item.virtual_price.zip(paid_with)) {
            (Some(price), _) => money(price, item.price_without_discount),
            (None, Some((amount, currency))) => virtual_money(currency, amount, None),
            (None, None) => Value::Null,
        },
        "description": item.name.as_ref().map(|name| json!({ "name": name })),
    })
}

fn money(price: Money, without_discount: Option<Money>) -> Value {
    let mut shown = render::money(price, without_discount);
    shown["is_virtual_currency"] = json!(false);
    shown
}

fn virtual_money(
    currency: &VirtualPrice,
    amount: VirtualAmount,
    without_discount: Option<VirtualAmount>,
) -> Value {
    json!({
        "amount": amount.to_string(),
        "amount_without_discount": without_discount.unwrap_or(amount).to_string(),
        "currency": currency.currency,
        "is_virtual_currency": true,
    })
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
