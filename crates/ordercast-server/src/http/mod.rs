//! HTTP: routes, and nothing that a route does not need. Handlers parse, authorise, call, render.

mod api_keys;
mod balances;
pub mod body;
mod caller;
mod catalogue;
pub mod client_address;
mod inbox;
mod jwt_keys;
mod links;
mod measure;
mod ops;
mod order_changes;
mod order_reads;
mod orders;
mod payment_sessions;
mod payment_tokens;
pub mod problem;
mod project_settings;
mod projects;
mod render;
mod serve;
mod store_api;
mod storefront;
mod submit;

pub use serve::{Hangup, Listener, Shutdown, requested};

use crate::auth::Auth;
use axum::{
    Router,
    http::StatusCode,
    middleware,
    routing::{delete, get, post, put},
};
use metrics_exporter_prometheus::PrometheusHandle;
use ordercast_core::ids::Invalid;
use ordercast_store::Store;
use problem::Problem;
use std::str::FromStr;
use tokio::sync::watch;

/// What handlers share.
#[derive(Clone, Debug)]
pub struct App {
    pub store: Store,
    pub auth: Auth,
    pub metrics: PrometheusHandle,
    /// Held answers end when the server does.
    pub stopping: watch::Receiver<Shutdown>,
}

pub fn router(app: App) -> Router {
    Router::new()
        .route(
            "/v1/projects",
            get(project_settings::list).post(projects::create),
        )
        .route(
            "/v1/projects/{project}",
            get(project_settings::read).patch(project_settings::change),
        )
        .route(
            "/v1/projects/{project}/items/{sku}",
            get(catalogue::read)
                .put(catalogue::put)
                .delete(catalogue::delete),
        )
        .route(
            "/v1/projects/{project}/items",
            get(catalogue::list).put(catalogue::put_all),
        )
        .route(
            "/v1/projects/{project}/users/{user}/balances",
            get(balances::list),
        )
        .route(
            "/v1/projects/{project}/users/{user}/balances/{currency}",
            put(balances::set).post(balances::add),
        )
        .route(
            "/v1/projects/{project}/payment-sessions/lookup",
            post(payment_sessions::lookup),
        )
        .route(
            "/v1/projects/{project}/orders",
            get(order_reads::list).post(orders::create),
        )
        .route(
            "/v1/projects/{project}/orders/{order}",
            get(order_reads::read),
        )
        .route(
            "/v1/projects/{project}/orders/{order}/stream",
            get(order_reads::stream),
        )
        .route(
            "/v1/projects/{project}/orders/{order}/versions",
            get(order_reads::versions),
        )
        .route(
            "/v1/projects/{project}/orders/{order}/transitions",
            post(order_changes::transition),
        )
        .route(
            "/v1/projects/{project}/orders/{order}/refunds",
            post(order_changes::refund),
        )
        .route(
            "/v1/projects/{project}/orders/{order}/refund-reversals",
            post(order_changes::reverse_refund),
        )
        .route(
            "/v1/projects/{project}/orders/{order}/fulfilment",
            post(order_changes::fulfil),
        )
        .route(
            "/v1/projects/{project}/orders/{order}/review",
            post(order_changes::review),
        )
        .route("/v1/projects/{project}/events", get(projects::events))
        .route("/v1/projects/{project}/inbox", get(projects::inbox))
        .route("/v1/inbox/{source}", post(inbox::receive))
        .route("/health", get(ops::health))
        .route("/metrics", get(ops::metrics))
        .merge(credentials())
        .nest("/api", store_api::router())
        .with_state(app)
}

/// Keys of projects, and tokens of orders.
fn credentials() -> Router<App> {
    Router::new()
        .route(
            "/v1/projects/{project}/api-keys",
            get(api_keys::list).post(api_keys::create),
        )
        .route(
            "/v1/projects/{project}/api-keys/{id}",
            delete(api_keys::revoke),
        )
        .route(
            "/v1/projects/{project}/jwt-keys",
            get(jwt_keys::list).post(jwt_keys::create),
        )
        .route(
            "/v1/projects/{project}/jwt-keys/{id}",
            delete(jwt_keys::retire),
        )
        .route(
            "/v1/projects/{project}/jwt-rules",
            get(jwt_keys::read_rules).put(jwt_keys::put_rules),
        )
        .route(
            "/v1/projects/{project}/orders/{order}/payment-tokens",
            get(payment_tokens::list).post(payment_tokens::create),
        )
        .route(
            "/v1/projects/{project}/orders/{order}/payment-tokens/{token}",
            delete(payment_tokens::revoke),
        )
        .route(
            "/v1/projects/{project}/orders/{order}/links",
            get(links::list).post(links::create),
        )
        .route(
            "/v1/projects/{project}/orders/{order}/links/{link}",
            delete(links::revoke),
        )
        .merge(links::router())
}

/// Answers and layers that every route has, those of the realtime and of the demo included.
pub fn finish(router: Router) -> Router {
    router
        .fallback(no_such_path)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn(measure::measure))
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

/// An id in a path. What cannot be an id names nothing: 404, as for one that does not exist.
fn path_id<T: FromStr<Err = Invalid>>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::not_found())
}
