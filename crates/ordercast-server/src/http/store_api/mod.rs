//! `/api/v2` and `/api/v3`: the surface that shop SDKs in the field call (store contract, section 2).
//! An SDK works with only its base address changed.
//!
//! Invariants: every error body is JSON in the shape of section 2.1; another buyer's order and a
//! missing one are the same bytes; no price comes from a buyer; what SDKs send beyond the contract
//! (`engine`, `sdk`, `X-ENGINE`, ...) is accepted and has no effect.

mod admin_orders;
mod admin_token;
mod admin_webhook;
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

use super::{App, openapi};
use axum::http::{HeaderName, Method, header};
pub use error::{ApiError, ErrorBody};
use std::time::Duration;
use tower_http::cors::{AllowHeaders, Any, CorsLayer};
use utoipa_axum::{router::OpenApiRouter, routes};

pub fn router() -> OpenApiRouter<App> {
    // Bearer tokens, no cookies: any page may ask. SDKs add X-* headers of their own.
    let cors = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([
            header::ETAG,
            header::RETRY_AFTER,
            HeaderName::from_static("ratelimit"),
            HeaderName::from_static("ratelimit-policy"),
            HeaderName::from_static("x-request-id"),
        ])
        .max_age(Duration::from_secs(600));
    let (router, document) = OpenApiRouter::new()
        .nest("/v2/project/{project}", buyers())
        .nest("/v2/project/{project}/admin", older_shops())
        .nest("/v3/project/{project}/admin", shops())
        .split_for_parts();
    let router = router
        // Before the layer, which must see the OPTIONS that no route takes.
        .fallback(|| async { ApiError::no_such_path() })
        .method_not_allowed_fallback(|| async { ApiError::method_not_allowed() })
        .layer(cors);
    OpenApiRouter::with_openapi(document).merge(router.into())
}

fn buyers() -> OpenApiRouter<App> {
    let of_holders = OpenApiRouter::new().routes(routes!(order::read));
    let of_users = OpenApiRouter::new()
        .routes(routes!(session::create))
        .routes(routes!(item_orders::for_money))
        .routes(routes!(item_orders::for_virtual_currency))
        .routes(routes!(item_orders::for_nothing));
    let of_buyers = OpenApiRouter::new()
        .routes(routes!(cart_orders::pay_current))
        .routes(routes!(cart_orders::pay))
        .routes(routes!(cart_orders::take_current))
        .routes(routes!(cart_orders::take))
        .routes(routes!(cart::read_current))
        .routes(routes!(cart::fill_current))
        .routes(routes!(cart::clear_current))
        .routes(routes!(cart::put_into_current, cart::remove_from_current))
        .routes(routes!(cart::read_named))
        .routes(routes!(cart::fill_named))
        .routes(routes!(cart::clear_named))
        .routes(routes!(cart::put_into_named, cart::remove_from_named));
    openapi::by(openapi::HOLDER, of_holders)
        .merge(openapi::by(openapi::USER, of_users))
        .merge(openapi::by(openapi::BUYER, of_buyers))
}

fn older_shops() -> OpenApiRouter<App> {
    let routes = OpenApiRouter::new().routes(routes!(admin_webhook::read, admin_webhook::put));
    openapi::by(openapi::SHOP_BASIC, routes)
}

fn shops() -> OpenApiRouter<App> {
    let routes = OpenApiRouter::new()
        .routes(routes!(admin_token::create))
        .routes(routes!(admin_orders::search));
    openapi::by(openapi::SHOP_BASIC, routes)
}
