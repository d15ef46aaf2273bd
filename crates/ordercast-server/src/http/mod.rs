//! HTTP: routes, and nothing that a route does not need. Handlers parse, authorise, call, render.

mod acknowledge;
mod api_keys;
mod balances;
pub mod body;
mod caller;
mod catalogue;
pub mod client_address;
mod client_events;
mod deliveries;
mod docs;
mod endpoint_secrets;
mod endpoint_test;
mod endpoints;
mod etag;
mod events;
mod inbox;
mod inbox_entries;
mod inbox_hand;
mod jwt_keys;
mod links;
pub mod measure;
mod openapi;
mod ops;
mod order_changes;
mod order_reads;
mod orders;
mod pace;
mod path;
mod payment_sessions;
mod payment_tokens;
pub mod problem;
mod project_settings;
mod projects;
mod render;
mod request_id;
mod serve;
mod shape;
mod sockets;
mod sources;
mod store_api;
mod storefront;
mod submit;
mod token_check;

pub use pace::{Paced, Times};
pub use serve::{Front, Hangup, Listener, Reserved, Shutdown, requested};
pub use sockets::Sockets;

use crate::{auth::Auth, delivery::sending::Sending, inbox::Inbox};
use axum::{Router, http::StatusCode, middleware};
use client_address::Proxies;
use metrics_exporter_prometheus::PrometheusHandle;
use ordercast_store::Store;
use problem::Problem;
use std::sync::Arc;
use tokio::sync::watch;
use utoipa_axum::{router::OpenApiRouter, routes};

/// What handlers share.
#[derive(Clone, Debug)]
pub struct App {
    pub store: Store,
    pub auth: Auth,
    pub metrics: PrometheusHandle,
    pub sending: Arc<Sending>,
    pub inbox: Arc<Inbox>,
    pub proxies: Arc<Proxies>,
    /// Held answers end when the server does.
    pub stopping: watch::Receiver<Shutdown>,
}

impl App {
    pub fn is_stopping(&self) -> bool {
        *self.stopping.borrow() == Shutdown::Now
    }
}

/// What the public port has.
pub fn router(app: App) -> Router {
    let (router, _) = routes().split_for_parts();
    router.with_state(app)
}

/// What the internal listener has: nothing that buyers, shops or providers need.
pub fn internal_router(app: App) -> Router {
    let (_, mut document) = routes().split_for_parts();
    openapi::complete(&mut document);
    ops::internal()
        .merge(docs::router(document))
        .fallback(no_such_path)
        .with_state(app)
}

/// By who may call them. A route is made from its handler's documentation, so none is without.
fn routes() -> OpenApiRouter<App> {
    let open = OpenApiRouter::with_openapi(openapi::frame()).routes(routes!(ops::health));
    let of_operator =
        OpenApiRouter::new().routes(routes!(project_settings::list, projects::create));
    let of_shops = OpenApiRouter::new()
        .routes(routes!(project_settings::read, project_settings::change))
        .routes(routes!(catalogue::list, catalogue::put_all))
        .routes(routes!(catalogue::read, catalogue::put, catalogue::delete))
        .routes(routes!(balances::list))
        .routes(routes!(balances::set, balances::add))
        .routes(routes!(payment_sessions::lookup))
        .routes(routes!(order_reads::list, orders::create))
        .routes(routes!(order_reads::stream))
        .routes(routes!(order_changes::transition))
        .routes(routes!(order_changes::refund))
        .routes(routes!(order_changes::reverse_refund))
        .routes(routes!(order_changes::fulfil))
        .routes(routes!(order_changes::review))
        .routes(routes!(order_changes::settle_flag))
        .routes(routes!(order_changes::reprice))
        .routes(routes!(events::list))
        .routes(routes!(inbox_entries::list))
        .routes(routes!(inbox_entries::read))
        .routes(routes!(inbox_hand::dismiss))
        .routes(routes!(inbox_hand::match_order))
        .routes(routes!(inbox_entries::dry_run))
        .merge(sources())
        .routes(routes!(acknowledge::acknowledge))
        .merge(webhooks())
        .merge(credentials());
    let of_shops_and_buyers = OpenApiRouter::new()
        .routes(routes!(order_reads::read))
        .routes(routes!(order_reads::versions));
    let of_providers = OpenApiRouter::new().routes(routes!(inbox::receive));
    open.merge(openapi::by(openapi::OPERATOR, of_operator))
        .merge(openapi::by(openapi::SHOP, of_shops))
        .merge(openapi::by(openapi::ORDER_READER, of_shops_and_buyers))
        .merge(openapi::by(openapi::PROVIDER, of_providers))
        .merge(links::router())
        .merge(client_events::router())
        .nest("/api", store_api::router())
}

/// Who may tell what happened to payments.
fn sources() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(sources::list, sources::create))
        .routes(routes!(sources::read, sources::change, sources::delete))
        .routes(routes!(sources::rotate))
}

/// Where events are sent to, and what became of them.
fn webhooks() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(endpoints::list, endpoints::create))
        .routes(routes!(
            endpoints::read,
            endpoints::change,
            endpoints::delete
        ))
        .routes(routes!(endpoint_secrets::rotate))
        .routes(routes!(endpoint_test::test))
        .routes(routes!(deliveries::list))
        .routes(routes!(deliveries::read))
        .routes(routes!(deliveries::resend))
        .routes(routes!(deliveries::recover))
        .routes(routes!(deliveries::replay))
        .routes(routes!(deliveries::operator_events))
}

/// Keys of projects, and tokens of orders.
fn credentials() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(api_keys::list, api_keys::create))
        .routes(routes!(api_keys::revoke))
        .routes(routes!(jwt_keys::list, jwt_keys::create))
        .routes(routes!(jwt_keys::retire))
        .routes(routes!(jwt_keys::read_rules, jwt_keys::put_rules))
        .routes(routes!(token_check::check))
        .routes(routes!(payment_tokens::list, payment_tokens::create))
        .routes(routes!(payment_tokens::revoke))
        .routes(routes!(links::list, links::create))
        .routes(routes!(links::revoke))
}

/// Answers and layers that every route has, those of the realtime and of the demo included.
pub fn finish(router: Router, log: measure::RequestLog) -> Router {
    router
        .fallback(no_such_path)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn_with_state(log, measure::measure))
}

async fn no_such_path() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "no_such_path",
        "there is no such path",
    )
}

async fn method_not_allowed() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "this path does not take this method",
    )
}
