//! HTTP: routes, and nothing that a route does not need. Handlers parse, authorise, call, render.

mod balances;
mod body;
mod caller;
mod catalogue;
mod inbox;
mod ops;
mod order_waits;
mod orders;
mod payment_sessions;
pub mod problem;
mod projects;
mod render;
mod serve;
mod store_api;
mod storefront;

pub use order_waits::OrderWaits;
pub use serve::{Listener, Shutdown, requested};

use crate::{auth::Auth, clock};
use axum::{
    Router,
    extract::{MatchedPath, Request},
    http::StatusCode,
    middleware::{self, Next},
    response::Response,
    routing::{get, post, put},
};
use metrics::{counter, histogram};
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
    pub waits: OrderWaits,
    /// Held answers end when the server does.
    pub stopping: watch::Receiver<Shutdown>,
}

pub fn router(app: App) -> Router {
    Router::new()
        .route("/v1/projects", post(projects::create))
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
        .route("/v1/projects/{project}/orders", post(orders::create))
        .route("/v1/projects/{project}/orders/{order}", get(orders::read))
        .route(
            "/v1/projects/{project}/orders/{order}/versions",
            get(orders::versions),
        )
        .route(
            "/v1/projects/{project}/orders/{order}/transitions",
            post(orders::transition),
        )
        .route("/v1/projects/{project}/events", get(projects::events))
        .route("/v1/projects/{project}/inbox", get(projects::inbox))
        .route("/v1/inbox/{source}", post(inbox::receive))
        .route("/health", get(ops::health))
        .route("/metrics", get(ops::metrics))
        .nest("/api", store_api::router())
        .with_state(app)
}

/// Answers and layers that every route has, those of the realtime and of the demo included.
pub fn finish(router: Router) -> Router {
    router
        .fallback(no_such_path)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn(count))
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

async fn count(request: Request, next: Next) -> Response {
    // The route, never the path: a path is chosen by the caller and would grow the metric.
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());
    let started = clock::monotonic();
    let response = next.run(request).await;
    let status = response.status().as_str().to_owned();
    counter!("ordercast_http_requests_total", "route" => route.clone(), "status" => status)
        .increment(1);
    histogram!("ordercast_http_request_seconds", "route" => route)
        .record(started.elapsed().as_secs_f64());
    response
}

/// An id in a path. What cannot be an id names nothing: 404, as for one that does not exist.
fn path_id<T: FromStr<Err = Invalid>>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::not_found())
}
