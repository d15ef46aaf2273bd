//! `/api/v2`: the surface that shop SDKs in the field call (store contract, section 2).
//!
//! Invariant: every error body is JSON in the shape of section 2.1; another buyer's order and a
//! missing one are the same bytes.

use super::{
    App, body,
    caller::{self, permit},
    orders::{check_quantity, unless_known},
    problem::Problem,
};
use crate::{auth::PaymentToken, clock};
use axum::{
    Json, Router,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use ordercast_core::{
    OrderId, ProjectId, Sku,
    access::{Action, Object, Principal},
    money::Money,
    order::{Actor, Cause, Content, Item, Mode, Order},
};
use ordercast_store::{Change, NewOrder, Outcome, Submission};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use tower_http::cors::{AllowHeaders, Any, CorsLayer};

pub fn router() -> Router<App> {
    // Bearer tokens, no cookies: any page may ask. SDKs add X-* headers of their own.
    let cors = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([header::ETAG])
        .max_age(Duration::from_secs(600));
    Router::new()
        .route("/v2/project/{project}/order/{order}", get(read_order))
        .route("/v2/project/{project}/payment/item/{sku}", post(buy_item))
        // Before the layer, which must see the OPTIONS that no route takes.
        .method_not_allowed_fallback(|| async { ApiError::method_not_allowed() })
        .layer(cors)
}

/// An error of this surface.
#[derive(Clone, Debug)]
pub struct ApiError {
    status: StatusCode,
    code: u32,
    message: String,
}

impl ApiError {
    fn new(status: StatusCode, code: u32, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }

    pub fn no_such_path() -> Self {
        Self::new(StatusCode::NOT_FOUND, 1200, "There is no such path")
    }

    fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            1200,
            "This path does not take this method",
        )
    }

    fn order_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, 9001, "Order not found")
    }
}

/// The same refusals as on `/v1`, in this surface's words.
impl From<Problem> for ApiError {
    fn from(problem: Problem) -> Self {
        let status =
            StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let code = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => 1501,
            StatusCode::NOT_FOUND => 9001,
            StatusCode::UNPROCESSABLE_ENTITY => 1102,
            StatusCode::BAD_REQUEST | StatusCode::UNSUPPORTED_MEDIA_TYPE => 1101,
            _ => 1000,
        };
        Self::new(status, code, problem.title)
    }
}

impl From<ordercast_store::Failure> for ApiError {
    fn from(failure: ordercast_store::Failure) -> Self {
        Problem::from(failure).into()
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = json!({
            "statusCode": self.status.as_u16(),
            "errorCode": self.code,
            "errorMessage": format!("[0401-{:04}]: {}", self.code, self.message),
        });
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        match self.status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}

/// *Get order*: what SDKs poll every 3 s when they have no connection.
async fn read_order(
    State(app): State<App>,
    Path((project, order)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let project = project_id(&project)?;
    let principal = caller::buyer(&app.auth, &headers, project).await?;
    let id: OrderId = order.parse().map_err(|_| ApiError::order_not_found())?;
    let found = app
        .store
        .order(project, id)
        .await?
        .ok_or_else(ApiError::order_not_found)?;
    let order = &found.order;
    permit(
        &principal,
        Action::ReadOrder,
        Object::Order(project, &order.user, order.id),
    )
    .map_err(|_| ApiError::order_not_found())?;
    Ok(unless_known(order.version, &headers, || {
        let body = found.rendered(|order| render_order(order).to_string());
        let json = HeaderValue::from_static("application/json");
        ([(header::CONTENT_TYPE, json)], body.to_owned()).into_response()
    }))
}

/// A project that no credential can be of is a bad credential.
fn project_id(text: &str) -> Result<ProjectId, ApiError> {
    text.parse().map_err(|_| Problem::unauthorized().into())
}

fn render_order(order: &Order) -> Value {
    // Amounts are rendered twice because SDKs read both; there are no discounts yet.
    let price = |price: Money| {
        json!({
            "amount": price.amount(),
            "amount_without_discount": price.amount(),
            "currency": price.currency,
        })
    };
    let items: Vec<_> = order
        .content
        .items
        .iter()
        .map(|item| {
            json!({
                "sku": item.sku,
                "quantity": item.quantity,
                "is_free": item.price.is_none_or(|price| price.minor == 0),
                "price": item.price.map(price),
            })
        })
        .collect();
    json!({
        "order_id": order.id,
        "status": order.status().tracking(),
        "content": {
            "price": order.content.price.map(price),
            "is_free": order.content.is_free(),
            "items": items,
        },
    })
}

/// Every other member that SDKs send (locale, settings, ...) is accepted and has no effect.
#[derive(Debug, Default, Deserialize)]
struct BuyBody {
    quantity: Option<u32>,
    #[serde(default)]
    sandbox: bool,
}

/// *Create order with item*: at the catalogue's price, never at one that a buyer states.
async fn buy_item(
    State(app): State<App>,
    Path((project, sku)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let project = project_id(&project)?;
    let principal = caller::buyer(&app.auth, &headers, project).await?;
    permit(&principal, Action::BuyItem, Object::Project(project))?;
    let Principal::User { user, .. } = principal else {
        return Err(Problem::forbidden().into());
    };
    let raw = body::read(body, body::API_BYTES_MAX).await?;
    let buy = if raw.is_empty() {
        BuyBody::default()
    } else {
        body::json(&headers, &raw)?
    };
    let quantity = buy.quantity.unwrap_or(1);
    check_quantity(quantity)?;
    let no_item = || ApiError::new(StatusCode::NOT_FOUND, 4001, "Item not found");
    let sku = Sku::new(&sku).map_err(|_| no_item())?;
    let item = app.store.item(project, sku).await?.ok_or_else(no_item)?;
    let total = item
        .price
        .times(quantity)
        .map_err(|error| Problem::invalid("quantity", error.to_string()))?;

    let secret = clock::random();
    let change = Change::CreateOrder(Box::new(NewOrder {
        project,
        id: None,
        user: user.clone(),
        mode: if buy.sandbox {
            Mode::Sandbox
        } else {
            Mode::Default
        },
        content: Content {
            price: Some(total),
            items: vec![Item {
                sku: item.sku,
                quantity,
                price: Some(item.price),
            }],
        },
        lifetime: None,
        // The key half of the token is known only after the commit; its hash covers the secret half.
        token_hash: Some(PaymentToken::new(0, secret).hash()),
        cause: Cause {
            actor: Actor::Buyer(user),
            reason: "bought by the user".to_owned(),
            at: clock::now(),
        },
    }));
    match app
        .store
        .submit(Submission {
            change,
            at: clock::now(),
            idempotency: None,
        })
        .await?
    {
        Outcome::Order(applied) => {
            let token = PaymentToken::new(applied.found.order_key, secret).encode();
            Ok(Json(
                json!({ "order_id": applied.order().id, "token": token }),
            ))
        }
        _ => Err(Problem::unavailable().into()),
    }
}
