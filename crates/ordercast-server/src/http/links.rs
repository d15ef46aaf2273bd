//! Links to one order: made by the shop's backend, given to whoever shall see how the order stands,
//! and taken back at any time.
//!
//! Invariant: what a link shows has nothing of the buyer, of the shop's keys or of the reasons that
//! the shop writes down; it is what a tracking client would have seen of this one order.

use super::{
    App, caller,
    caller::permit,
    method_not_allowed,
    orders::unless_known,
    payment_tokens::{end, find, issue, render},
    problem::Problem,
    render as rendering,
};
use crate::{auth::LinkToken, clock};
use axum::{
    Json, Router,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use ordercast_core::access::{Action, Object, Principal};
use ordercast_store::{TokenEnd, TokenKind};
use serde_json::{Value, json};
use std::time::Duration;
use tower_http::cors::{AllowHeaders, Any, CorsLayer};

const LIFE: Duration = Duration::from_secs(30 * 24 * 3600);

/// What holders of links call.
pub fn router() -> Router<App> {
    // A bearer, no cookies: the shop's own page may ask.
    let cors = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([header::ETAG])
        .max_age(Duration::from_secs(600));
    Router::new()
        .route("/v1/link", get(read))
        // Before the layer, which must see the OPTIONS that no route takes.
        .method_not_allowed_fallback(method_not_allowed)
        .layer(cors)
}

pub async fn create(
    State(app): State<App>,
    Path((project, order)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let secret = clock::random();
    let path = (project.as_str(), order.as_str());
    let what = (
        TokenKind::Link,
        LinkToken::hash_of(secret),
        TokenEnd::After(LIFE),
    );
    let made = issue(&app, path, &headers, body, what).await?;
    let mut answer = render(&made);
    answer["token"] = json!(LinkToken::new(made.id, secret).encode());
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

pub async fn list(
    State(app): State<App>,
    Path((project, order)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    let found = find(&app, &project, &order, &headers).await?;
    let links = app
        .store
        .order_tokens(found.order_key, TokenKind::Link)
        .await?;
    let links: Vec<_> = links.iter().map(render).collect();
    Ok(Json(json!({ "links": links })))
}

pub async fn revoke(
    State(app): State<App>,
    Path((project, order, link)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let path = (project.as_str(), order.as_str());
    end(&app, path, &headers, (TokenKind::Link, Some(&link))).await
}

/// The order that the link in `Authorization` is for, and how it came to where it is.
async fn read(State(app): State<App>, headers: HeaderMap) -> Result<Response, Problem> {
    let (principal, expires_at) = caller::link(&app.auth, &headers).await?;
    let Principal::Link { project, order, .. } = &principal else {
        return Err(Problem::unauthorized());
    };
    let found = app.store.order(*project, *order).await?;
    let found = found.ok_or_else(Problem::not_found)?;
    let order = &found.order;
    permit(
        &principal,
        Action::ReadOrder,
        Object::Order(order.project, &order.user, order.id),
    )?;
    let versions: Vec<_> = app
        .store
        .versions(found.order_key)
        .await?
        .into_iter()
        .filter(|row| row.offset.is_some())
        .map(|row| {
            json!({
                "version": row.version,
                "status": row.status.tracking(),
                "created_at": rendering::time(row.at),
            })
        })
        .collect();
    let items: Vec<_> = order
        .content
        .items
        .iter()
        .map(|item| {
            json!({
                "sku": item.sku,
                "quantity": item.quantity,
                "price": item.price.map(rendering::money),
            })
        })
        .collect();
    let answer = json!({
        "order_id": order.id,
        "status": order.status().tracking(),
        "is_free": order.content.is_free(),
        "price": order.content.price.map(rendering::money),
        "items": items,
        "created_at": rendering::time(order.created_at),
        "updated_at": rendering::time(order.updated_at),
        "versions": versions,
        "link_expires_at": rendering::time(expires_at),
    });
    Ok(unless_known(order.version, &headers, || {
        Json(answer).into_response()
    }))
}
