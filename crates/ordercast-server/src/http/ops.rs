//! For whoever runs the server: is it well, what does it count.

use super::{App, problem::Problem};
use axum::{Json, extract::State};
use serde_json::{Value, json};

/// 200 when the database answers a read.
pub async fn health(State(app): State<App>) -> Result<Json<Value>, Problem> {
    app.store.check().await?;
    Ok(Json(
        json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }),
    ))
}

pub async fn metrics(State(app): State<App>) -> String {
    app.metrics.render()
}
