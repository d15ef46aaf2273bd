//! Bodies of this surface. Amounts are rendered twice because SDKs read both.

use super::super::render as v1;
use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use ordercast_core::{
    OrderId, Sku,
    money::{Currency, Money},
    order::{Content, Item, Order, TrackingStatus},
    virtual_currency::{VirtualAmount, VirtualPrice},
};
use ordercast_store::Rendered;
use serde::Serialize;
use utoipa::ToSchema;

pub fn ok(value: &impl Serialize) -> Response {
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

pub fn rendered(status: StatusCode, value: &impl Serialize) -> Rendered {
    Rendered {
        status: status.as_u16(),
        body: success(value),
    }
}

/// The body of a success. An SDK in the field takes any body that holds certain words for an error,
/// wherever they stand (store contract, 2.1), and names and descriptions are the shop's: so the word
/// that all the combinations have is written with an escape, which no parser sees.
fn success(value: &impl Serialize) -> String {
    v1::json(value).replace("error", r"e\u0072ror")
}

/// An order as its buyer sees it
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TrackedOrder)]
pub struct OrderView<'a> {
    order_id: OrderId,
    status: TrackingStatus,
    content: ContentView<'a>,
}

/// What is bought
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TrackedContent)]
struct ContentView<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = PriceView, required = false)]
    price: Option<PriceView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = VirtualPriceView, required = false)]
    virtual_price: Option<VirtualPriceView<'a>>,
    is_free: bool,
    items: Vec<ItemView<'a>>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TrackedItem)]
struct ItemView<'a> {
    sku: &'a Sku,
    quantity: u32,
    is_free: bool,
    /// Of one piece.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = PriceView, required = false)]
    price: Option<PriceView>,
}

/// What something costs in money
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Price)]
pub struct PriceView {
    #[schema(example = "1.99")]
    amount: String,
    #[schema(example = "2.99")]
    amount_without_discount: String,
    currency: Currency,
}

/// What an order costs in a virtual currency
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VirtualPriceOfOrder)]
#[serde(untagged)]
enum VirtualPriceView<'a> {
    /// As documented: strings.
    Texts {
        amount: String,
        amount_without_discount: String,
        currency: &'a Sku,
    },
    /// What the models of all SDKs can read; for projects with `virtual_price_integers`.
    Integers {
        amount: VirtualAmount,
        amount_without_discount: VirtualAmount,
        currency: &'a Sku,
        sku: &'a Sku,
        name: &'a str,
        #[serde(rename = "type")]
        kind: &'static str,
        is_default: bool,
    },
}

/// The body of *get order*.
pub fn order(order: &Order, virtual_price_integers: bool) -> String {
    let content = &order.content;
    success(&OrderView {
        order_id: order.id,
        status: order.status().tracking(),
        content: ContentView {
            price: content
                .price
                .map(|price| money(price, content.price_without_discount)),
            virtual_price: content
                .virtual_price
                .as_ref()
                .map(|price| virtual_price(price, virtual_price_integers)),
            is_free: content.is_free(),
            items: content
                .items
                .iter()
                .map(|line| item(content, line))
                .collect(),
        },
    })
}

fn item<'a>(content: &Content, item: &'a Item) -> ItemView<'a> {
    ItemView {
        sku: &item.sku,
        quantity: item.quantity,
        is_free: content.is_item_free(item),
        price: item
            .price
            .map(|price| money(price, item.price_without_discount)),
    }
}

pub fn money(price: Money, without_discount: Option<Money>) -> PriceView {
    PriceView {
        amount: price.amount(),
        amount_without_discount: without_discount.unwrap_or(price).amount(),
        currency: price.currency,
    }
}

fn virtual_price(price: &VirtualPrice, integers: bool) -> VirtualPriceView<'_> {
    let before = price.amount_without_discount.unwrap_or(price.amount);
    if integers {
        VirtualPriceView::Integers {
            amount: price.amount,
            amount_without_discount: before,
            currency: &price.currency,
            sku: &price.currency,
            name: &price.name,
            kind: "virtual_currency",
            is_default: price.is_default,
        }
    } else {
        VirtualPriceView::Texts {
            amount: price.amount.to_string(),
            amount_without_discount: before.to_string(),
            currency: &price.currency,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

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
