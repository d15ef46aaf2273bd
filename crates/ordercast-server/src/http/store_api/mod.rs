//! `/api/v2` and `/api/v3`: the surface that shop SDKs in the field call (store contract, section 2).
//! An SDK works with only its base address changed.
//!
//! Invariants: every error body is JSON in the shape of section 2.1; another buyer's order and a
//! missing one are the same bytes; no price comes from a buyer; what SDKs send beyond the contract
//! (`engine`, `sdk`, `X-ENGINE`, ...) is accepted and has no effect.

mod admin_orders;
mod admin_token;
mod cart;
mod cart_orders;
mod checkout;
mod error;
mod item_orders;
mod object;
mod order;
mod path;
pub mod poll;
mod purchase;
mod render;
mod session;
mod who;

use super::App;
use axum::{
    Router,
    http::{HeaderName, Method, header},
    routing::{get, post, put},
};
use error::ApiError;
use std::time::Duration;
use tower_http::cors::{AllowHeaders, Any, CorsLayer};

pub fn router() -> Router<App> {
    // Bearer tokens, no cookies: any page may ask. SDKs add X-* headers of their own.
    let cors = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([
            header::ETAG,
            header::RETRY_AFTER,
            HeaderName::from_static("x-request-id"),
        ])
        .max_age(Duration::from_secs(600));
    Router::new()
        .nest("/v2/project/{project}", buyers())
        .nest("/v3/project/{project}/admin", shops())
        // Before the layer, which must see the OPTIONS that no route takes.
        .fallback(|| async { ApiError::no_such_path() })
        .method_not_allowed_fallback(|| async { ApiError::method_not_allowed() })
        .layer(cors)
}

fn buyers() -> Router<App> {
    Router::new()
        .route("/order/{order}", get(order::read))
        .route("/payment", post(session::create))
        .route("/payment/item/{sku}", post(item_orders::for_money))
        .route(
            "/payment/item/{sku}/virtual/{currency}",
            post(item_orders::for_virtual_currency),
        )
        .route("/payment/cart", post(cart_orders::pay_current))
        .route("/payment/cart/{cart}", post(cart_orders::pay))
        .route("/free/item/{sku}", post(item_orders::for_nothing))
        .route("/free/cart", post(cart_orders::take_current))
        .route("/free/cart/{cart}", post(cart_orders::take))
        .route("/cart", get(cart::read_current))
        .route("/cart/fill", put(cart::fill_current))
        .route("/cart/clear", put(cart::clear_current))
        .route(
            "/cart/item/{sku}",
            put(cart::put_into_current).delete(cart::remove_from_current),
        )
        .route("/cart/{cart}", get(cart::read_named))
        .route("/cart/{cart}/fill", put(cart::fill_named))
        .route("/cart/{cart}/clear", put(cart::clear_named))
        .route(
            "/cart/{cart}/item/{sku}",
            put(cart::put_into_named).delete(cart::remove_from_named),
        )
}

fn shops() -> Router<App> {
    Router::new()
        .route("/payment/token", post(admin_token::create))
        .route("/order/search", post(admin_orders::search))
}
