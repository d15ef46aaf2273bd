//! The demo store: everything below `/demo`, and the backend of the pretend shop behind it.
//!
//! Invariant: it reaches the server only as a stranger would, over HTTP with credentials. What works
//! here works for a real shop. The buyer's page is `web/demo`; `start` is the `demo` command, which
//! starts the server beside it.

mod api;
mod assets;
mod backend;
mod buyer;
mod catcher;
mod problem;
mod provider;
mod shop;
pub mod start;
pub mod webhook;

pub use shop::run_shop;

use api::Api;
use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State},
    routing::{get, post},
};
use catcher::Catcher;
use provider::Deliveries;
use serde::Serialize;
use serde_json::{Value, json};
use std::{fmt, sync::Arc};

/// What the demo knows of the server that it is a customer of.
#[derive(Clone)]
pub struct Demo {
    /// For example `http://127.0.0.1:8080`: reachable by ourselves, without a slash at the end.
    pub base_url: String,
    pub project_id: u32,
    pub api_key: String,
    /// HS256 secret of the project, its UTF-8 bytes are the key.
    pub jwt_secret: String,
    /// The configured sender of provider webhooks that the pretend provider speaks as.
    pub source: String,
    pub source_secret: String,
    /// Where the project's webhooks go.
    pub webhooks_to: String,
    pub webhook_secret: String,
    pub items: Vec<DemoItem>,
}

impl fmt::Debug for Demo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Secrets stay out of logs.
        f.debug_struct("Demo")
            .field("base_url", &self.base_url)
            .field("project_id", &self.project_id)
            .finish_non_exhaustive()
    }
}

/// One thing on the shelf; its picture is `web/demo/art/{sku}.svg`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DemoItem {
    pub sku: String,
    pub name: String,
    /// Decimal text, for example `1.99`.
    pub amount: String,
    /// ISO 4217.
    pub currency: String,
}

/// The shelf. The axe is the item of the recorded webhook.
#[must_use]
pub fn items() -> Vec<DemoItem> {
    let shelf = [
        ("artifact_centaurs_axe", "Centaur’s Axe", "1.99"),
        ("ember_lantern", "Ember Lantern", "4.99"),
        ("draught_second_wind", "Second Wind", "0.99"),
        ("wayfinder_astrolabe", "Wayfinder", "12.50"),
    ];
    shelf
        .map(|(sku, name, amount)| DemoItem {
            sku: sku.to_owned(),
            name: name.to_owned(),
            amount: amount.to_owned(),
            currency: "USD".to_owned(),
        })
        .into()
}

/// Names, tokens, and webhooks of orders with a few items are all that is posted here.
const BODY_BYTES_MAX: usize = 16 * 1024;

/// What the handlers share.
#[derive(Clone, Debug)]
struct Store {
    demo: Arc<Demo>,
    api: Api,
    deliveries: Deliveries,
    catcher: Catcher,
}

/// Everything below `/demo`.
pub fn router(demo: Arc<Demo>) -> Router {
    let store = Store {
        api: Api::new(&demo),
        demo,
        deliveries: Deliveries::default(),
        catcher: Catcher::default(),
    };
    Router::new()
        .route("/demo", get(assets::to_store))
        .route("/demo/", get(assets::store_page))
        .route("/demo/pay", get(assets::payment_page))
        .route("/demo/assets/{*path}", get(assets::asset))
        .route("/demo/items", get(shelf))
        .route("/demo/sign-in", post(buyer::sign_in))
        .route("/demo/orders/{order}", get(buyer::order_record))
        .route(
            "/demo/provider",
            get(provider::deliveries).post(provider::act),
        )
        .merge(catcher::routes())
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(store)
}

async fn shelf(State(store): State<Store>) -> Json<Value> {
    Json(json!({ "project_id": store.demo.project_id, "items": store.demo.items }))
}
