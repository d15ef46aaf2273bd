//! For whoever runs the server: is it well, what does it count.

use super::{App, openapi, problem::Problem};
use axum::{Json, extract::State};
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

/// Ask whether the server is well
///
/// It is when the database answers a read.
#[utoipa::path(
    get,
    path = "/health",
    tag = openapi::OPERATION,
    operation_id = "readHealth",
    responses((status = 200, description = "It is", body = HealthView))
)]
pub async fn health(State(app): State<App>) -> Result<Json<HealthView>, Problem> {
    app.store.check().await?;
    Ok(Json(HealthView {
        status: "ok",
        version: env!("CARGO_PKG_VERSION"),
    }))
}

/// Read the metrics
///
/// In the text format of Prometheus.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = openapi::OPERATION,
    operation_id = "readMetrics",
    responses((status = 200, description = "All of them", body = String, content_type = "text/plain"))
)]
pub async fn metrics(State(app): State<App>) -> String {
    app.metrics.render()
}
