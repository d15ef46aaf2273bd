//! Links to one order: made by the shop's backend, given to whoever shall see how the order stands,
//! and taken back at any time.
//!
//! Invariant: what a link shows has nothing of the buyer, of the shop's keys or of the reasons that
//! the shop writes down; it is what a tracking client would have seen of this one order.

use super::{
    App, caller,
    caller::permit,
    etag::unless_known,
    method_not_allowed,
    openapi::{self, Conflict, Empty, IfNoneMatch},
    path::At,
    payment_tokens::{CreateBody, CreatedView, TokenView, end, find, issue, view},
    problem::Problem,
    render::{MoneyView, Time, money},
};
use crate::{auth::LinkToken, clock};
use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use ordercast_core::{
    OrderId, Sku,
    access::{Action, Object, Principal},
    ids::Version,
    order::{Order, TrackingStatus},
};
use ordercast_store::{TokenEnd, TokenKind};
use serde::Serialize;
use std::time::Duration;
use tower_http::cors::{AllowHeaders, Any, CorsLayer};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

const LIFE: Duration = Duration::from_secs(30 * 24 * 3600);

/// What holders of links call.
pub fn router() -> OpenApiRouter<App> {
    // A bearer, no cookies: the shop's own page may ask.
    let cors = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([header::ETAG])
        .max_age(Duration::from_secs(600));
    let routes = openapi::by(openapi::LINK, OpenApiRouter::new().routes(routes!(read)));
    let (router, document) = routes.split_for_parts();
    let router = router
        // Before the layer, which must see the OPTIONS that no route takes.
        .method_not_allowed_fallback(method_not_allowed)
        .layer(cors);
    OpenApiRouter::with_openapi(document).merge(router.into())
}

/// An order's links
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Links)]
pub struct ListView {
    links: Vec<TokenView>,
}

/// An order as a link shows it: nothing of the buyer or of the shop's keys and reasons
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LinkedOrder)]
struct LinkedView {
    order_id: OrderId,
    status: TrackingStatus,
    is_free: bool,
    #[schema(required)]
    price: Option<MoneyView>,
    items: Vec<LinkedItem>,
    created_at: Time,
    updated_at: Time,
    /// Those that tracking clients saw.
    versions: Vec<LinkedVersion>,
    link_expires_at: Time,
}

#[derive(Debug, Serialize, ToSchema)]
struct LinkedItem {
    sku: Sku,
    quantity: u32,
    #[schema(required)]
    price: Option<MoneyView>,
}

#[derive(Debug, Serialize, ToSchema)]
struct LinkedVersion {
    version: Version,
    status: TrackingStatus,
    created_at: Time,
}

/// Create a link
///
/// For whoever shall see how the order stands. Its token is in the answer, once.
#[utoipa::path(
    post,
    path = "/v1/projects/{project}/orders/{order}/links",
    tag = openapi::TOKENS,
    operation_id = "createLink",
    request_body(content = Option<CreateBody>, example = json!({ "expires_in_seconds": 3600 })),
    responses((status = 201, description = "The link", body = CreatedView), Conflict)
)]
pub async fn create(
    State(app): State<App>,
    At((project, order)): At<(String, String)>,
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
    let answer = CreatedView {
        token: LinkToken::new(made.id, secret).encode(),
        shown: view(made),
    };
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

/// List an order's links
#[utoipa::path(
    get,
    path = "/v1/projects/{project}/orders/{order}/links",
    tag = openapi::TOKENS,
    operation_id = "listLinks",
    responses((status = 200, description = "All of them, without their secrets", body = ListView))
)]
pub async fn list(
    State(app): State<App>,
    At((project, order)): At<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<ListView>, Problem> {
    let found = find(&app, &project, &order, &headers).await?;
    let links = app
        .store
        .order_tokens(found.order_key, TokenKind::Link)
        .await?;
    let links = links.into_iter().map(view).collect();
    Ok(Json(ListView { links }))
}

/// Revoke a link
#[utoipa::path(
    delete,
    path = "/v1/projects/{project}/orders/{order}/links/{link}",
    tag = openapi::TOKENS,
    operation_id = "revokeLink",
    responses(Empty)
)]
pub async fn revoke(
    State(app): State<App>,
    At((project, order, link)): At<(String, String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let path = (project.as_str(), order.as_str());
    end(&app, path, &headers, (TokenKind::Link, Some(&link))).await
}

/// Read an order by its link
///
/// And how it came to where it is.
#[utoipa::path(
    get,
    path = "/v1/link",
    tag = openapi::TOKENS,
    operation_id = "readLink",
    params(IfNoneMatch),
    responses((status = 200, description = "The order", body = LinkedView))
)]
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
    app.auth.limits().poll(order.project, order.id)?;
    let versions = app
        .store
        .versions(found.order_key)
        .await?
        .into_iter()
        .filter(|row| row.offset.is_some())
        .map(|row| LinkedVersion {
            version: row.version,
            status: row.status.tracking(),
            created_at: Time(row.at),
        })
        .collect();
    Ok(unless_known(order.version, &headers, || {
        Json(linked(order, versions, Time(expires_at))).into_response()
    }))
}

fn linked(order: &Order, versions: Vec<LinkedVersion>, link_expires_at: Time) -> LinkedView {
    let items = order.content.items.iter().map(|item| LinkedItem {
        sku: item.sku.clone(),
        quantity: item.quantity,
        price: item.price.map(money),
    });
    LinkedView {
        order_id: order.id,
        status: order.status().tracking(),
        is_free: order.content.is_free(),
        price: order.content.price.map(money),
        items: items.collect(),
        created_at: Time(order.created_at),
        updated_at: Time(order.updated_at),
        versions,
        link_expires_at,
    }
}
