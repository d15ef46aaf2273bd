//! Bodies of this surface. Amounts are rendered twice because SDKs read both.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use ordercast_core::{
    money::Money,
    order::{Item, Order},
    virtual_currency::VirtualPrice,
};
use ordercast_store::Rendered;
use serde_json::{Map, Value, json};

pub fn ok(value: &Value) -> Response {
    response(rendered(StatusCode::OK, value))
}

pub fn response(rendered: Rendered) -> Response {
    let status = StatusCode::from_u16(rendered.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let content_type = [(header::CONTENT_TYPE, "application/json")];
    (status, content_type, rendered.body).into_response()
}

pub fn json(body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

pub fn rendered(status: StatusCode, value: &Value) -> Rendered {
    Rendered {
        status: status.as_u16(),
        body: success(value),
    }
}

/// The body of a success. An SDK in the field takes any body that holds certain words for an error,
/// wherever they stand (store contract, 2.1), and names and descriptions are the shop's: so the word
/// that all the combinations have is written with an escape, which no parser sees.
fn success(value: &Value) -> String {
    value.to_string().replace("error", r"e\u0072ror")
}

/// The body of *get order*.
pub fn order(order: &Order, virtual_price_integers: bool) -> String {
    let content = &order.content;
    let mut shown = Map::new();
    if let Some(price) = content.price {
        shown.insert(
            "price".to_owned(),
            money(price, content.price_without_discount),
        );
    }
    if let Some(price) = &content.virtual_price {
        let price = if virtual_price_integers {
            virtual_price_superset(price)
        } else {
            virtual_price(price)
        };
        shown.insert("virtual_price".to_owned(), price);
    }
    shown.insert("is_free".to_owned(), json!(content.is_free()));
    shown.insert("items".to_owned(), content.items.iter().map(item).collect());
    success(&json!({
        "order_id": order.id,
        "status": order.status().tracking(),
        "content": shown,
    }))
}

fn item(item: &Item) -> Value {
    let mut shown = json!({
        "sku": item.sku,
        "quantity": item.quantity,
        "is_free": item.is_free(),
    });
    if let Some(price) = item.price {
        shown["price"] = money(price, item.price_without_discount);
    }
    shown
}

pub fn money(price: Money, without_discount: Option<Money>) -> Value {
    json!({
        "amount": price.amount(),
        "amount_without_discount": without_discount.unwrap_or(price).amount(),
        "currency": price.currency,
    })
}

/// As documented: strings.
fn virtual_price(price: &VirtualPrice) -> Value {
    let before = price.amount_without_discount.unwrap_or(price.amount);
    json!({
        "amount": price.amount.to_string(),
        "amount_without_discount": before.to_string(),
        "currency": price.currency,
    })
}

/// What the models of all SDKs can read.
fn virtual_price_superset(price: &VirtualPrice) -> Value {
    json!({
        "amount": price.amount,
        "amount_without_discount": price.amount_without_discount.unwrap_or(price.amount),
        "currency": price.currency,
        "sku": price.currency,
        "name": price.name,
        "type": "virtual_currency",
        "is_default": price.is_default,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_success_never_looks_like_an_error() {
        let value = json!({
            "name": "errorMessage \u{e}rror statusCode",
            "description": "\\error code",
            "errorCode": 4001,
        });
        let body = rendered(StatusCode::OK, &value).body;
        assert!(!body.contains("error"), "{body}");
        let parsed: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(parsed, value);
    }
}
