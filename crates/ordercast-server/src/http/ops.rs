//! For the operator: is the server alive, is it ready for requests, what does it count.

use super::{App, openapi, problem::Problem};
use axum::{Json, Router, extract::State, http::StatusCode, routing::get};
use serde::Serialize;
use utoipa::ToSchema;

/// The server is well
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Health)]
pub struct HealthView {
    #[schema(example = "ok")]
    status: &'static str,
    /// Of the server.
    version: &'static str,
}

const WELL: HealthView = HealthView {
    status: "ok",
    version: env!("CARGO_PKG_VERSION"),
};

/// Ask whether the server is well
///
/// It is when it takes changes and reads: the database is open and has not failed, and the server is
/// not stopping. Waits for no other request. The internal listener says the reasons at `/health/ready`.
#[utoipa::path(
    get,
    path = "/health",
    tag = openapi::OPERATION,
    operation_id = "readHealth",
    responses((status = 200, description = "It is", body = HealthView))
)]
pub async fn health(State(app): State<App>) -> Result<Json<HealthView>, Problem> {
    app.store.check()?;
    Ok(Json(WELL))
}

/// What the internal listener has of these.
pub fn internal() -> Router<App> {
    Router::new()
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .route("/metrics", get(metrics))
}

/// 200 as long as the process runs its tasks: it asks neither the database nor the disk, so that a
/// supervisor does not restart a server that only waits for them.
async fn live() -> Json<HealthView> {
    Json(WELL)
}

#[derive(Debug, Serialize)]
struct Readiness {
    status: &'static str,
    /// Why no requests should be sent here; empty when the server is ready.
    reasons: Vec<String>,
    version: &'static str,
}

/// 200 when requests should be sent here, 503 with the reasons when not.
async fn ready(State(app): State<App>) -> (StatusCode, Json<Readiness>) {
    let mut reasons = Vec::new();
    if let Err(failure) = app.store.check() {
        reasons.push(format!("the database: {failure}"));
    }
    if app.is_stopping() {
        reasons.push("the server is stopping".to_owned());
    }
    let (code, status) = if reasons.is_empty() {
        (StatusCode::OK, "ready")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready")
    };
    let version = WELL.version;
    (
        code,
        Json(Readiness {
            status,
            reasons,
            version,
        }),
    )
}

/// In the text format of Prometheus.
async fn metrics(State(app): State<App>) -> String {
    app.metrics.render()
}
