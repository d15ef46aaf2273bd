//! `/openapi.json`, and the page `/docs` that shows it without the internet.

use super::App;
use axum::{
    Router,
    body::Bytes,
    http::{HeaderValue, header},
    response::IntoResponse,
    routing::get,
};
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::{Config, SwaggerUi};

const DOCUMENT: &str = "/openapi.json";

pub fn router(document: OpenApi) -> Router<App> {
    // A document always serialises: it has text for keys. Made once, and shared by all answers.
    let body = Bytes::from(serde_json::to_vec(&document).unwrap_or_default());
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        ),
        // Public, and tools in pages of any origin read it.
        (
            header::ACCESS_CONTROL_ALLOW_ORIGIN,
            HeaderValue::from_static("*"),
        ),
    ];
    let page = SwaggerUi::new("/docs").config(
        Config::new([DOCUMENT])
            .deep_linking(true)
            .display_request_duration(true)
            .persist_authorization(false),
    );
    Router::new()
        .route(
            DOCUMENT,
            get(move || async move { (headers, body).into_response() }),
        )
        .merge(page)
}
