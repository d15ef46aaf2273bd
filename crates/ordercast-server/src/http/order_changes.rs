//! What the shop's backend asks of one order: transitions, refunds, fulfilment, review, flags, price.
//! All take `Idempotency-Key` and `If-Match` and answer with the order as it then is.

use super::{
    App, body, caller, etag,
    openapi::{self, Conflict, IdempotencyKey, IfMatch},
    orders::{MoneyBody, check_steps, submit},
    path::{At, path_id},
    problem::Problem,
    render::ChangedView,
};
use crate::clock;
use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use ordercast_core::{
    OrderId, ProjectId, Sku,
    access::{Action, Object},
    ids::{AttemptId, RefundId},
    order::{Actor, Cause, Flag, FulfilmentStep, Request, Target},
};
use ordercast_store::{Change, Scope};
use serde::{Deserialize, de::DeserializeOwned};
use utoipa::ToSchema;

const REASON_BYTES_MAX: usize = 500;
const ITEMS_MAX: usize = 100;

type OrderPath = At<(String, String)>;

/// A body that asks something of an order.
trait Ask: DeserializeOwned {
    /// The last segment of the path.
    const NOUN: &'static str;

    /// The request, and why it is made: kept with the version.
    fn request(self) -> Result<(Request, String), Problem>;
}

async fn change<T: Ask>(
    app: App,
    path: (String, String),
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let project: ProjectId = path_id(&path.0)?;
    let object = Object::Project(project);
    let key_name = caller::server(&app.auth, &headers, Action::ChangeOrder, object)?;
    let order: OrderId = path_id(&path.1)?;
    let raw = body::read(body, body::API_BYTES_MAX).await?;
    let (request, reason) = body::json::<T>(&headers, &raw)?.request()?;
    if let Request::Reprice(price) = &request {
        check_steps(&app, project, *price)?;
    }
    if reason.len() > REASON_BYTES_MAX {
        let rule = format!("must be at most {REASON_BYTES_MAX} bytes");
        return Err(Problem::invalid("reason", rule));
    }
    let change = Change::Request {
        project,
        order,
        request,
        if_version: etag::if_match(&app, project, order, &headers).await?,
        cause: Cause {
            actor: Actor::ApiKey(key_name),
            reason,
            at: clock::now(),
        },
    };
    let before = format!("POST /v1/projects/{project}/orders/{order}/{}", T::NOUN);
    let scope = Scope::new("POST orders/order", &[&order.to_string(), T::NOUN], before);
    let key = (project, scope);
    submit(&app, change, key, &headers, &raw, StatusCode::OK).await
}

/// The status that the order shall have
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Transition)]
struct TransitionBody {
    to: Target,
    /// At most 500 bytes.
    #[serde(default)]
    #[schema(max_length = 500)]
    reason: String,
}

impl Ask for TransitionBody {
    const NOUN: &'static str = "transitions";

    fn request(self) -> Result<(Request, String), Problem> {
        Ok((Request::Become(self.to), self.reason))
    }
}

/// Move an order to a status
///
/// `paid` and `done` also by word of the shop, without a payment that was seen.
#[utoipa::path(
    post,
    path = "/v1/projects/{project}/orders/{order}/transitions",
    tag = openapi::CHANGES,
    operation_id = "transitionOrder",
    params(IdempotencyKey, IfMatch),
    request_body(content = TransitionBody, example = json!({ "to": "done", "reason": "handed over" })),
    responses((status = 200, description = "The order as it is now", body = ChangedView), Conflict)
)]
pub async fn transition(
    State(app): State<App>,
    At(path): OrderPath,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    change::<TransitionBody>(app, path, headers, body).await
}

/// Money that the shop has given back: recorded, not moved
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewRefund)]
struct RefundBody {
    /// Without it one is made.
    refund_id: Option<RefundId>,
    /// Needed when several payments hold money.
    attempt_id: Option<AttemptId>,
    /// Without it, all that the payment still holds.
    amount: Option<MoneyBody>,
    /// At most 500 bytes.
    #[serde(default)]
    #[schema(max_length = 500)]
    reason: String,
}

impl Ask for RefundBody {
    const NOUN: &'static str = "refunds";

    fn request(self) -> Result<(Request, String), Problem> {
        let amount = self
            .amount
            .map(|amount| amount.money("amount"))
            .transpose()?;
        let id = match self.refund_id {
            Some(id) => id,
            None => RefundId::new(&clock::secret("rf_")[..20])
                .map_err(|error| Problem::invalid("refund_id", error.to_string()))?,
        };
        let request = Request::Refund {
            id,
            attempt: self.attempt_id,
            amount,
        };
        Ok((request, self.reason))
    }
}

/// Record a refund
///
/// Of all that a payment still holds, or of a part.
#[utoipa::path(
    post,
    path = "/v1/projects/{project}/orders/{order}/refunds",
    tag = openapi::CHANGES,
    operation_id = "refundOrder",
    params(IdempotencyKey, IfMatch),
    request_body(content = RefundBody, example = json!({ "amount": { "amount": "1.00", "currency": "USD" } })),
    responses((status = 200, description = "The order as it is now", body = ChangedView), Conflict)
)]
pub async fn refund(
    State(app): State<App>,
    At(path): OrderPath,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    change::<RefundBody>(app, path, headers, body).await
}

/// A refund that was recorded did not happen
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RefundReversal)]
struct ReversalBody {
    refund_id: RefundId,
    /// At most 500 bytes.
    #[serde(default)]
    #[schema(max_length = 500)]
    reason: String,
}

impl Ask for ReversalBody {
    const NOUN: &'static str = "refund-reversals";

    fn request(self) -> Result<(Request, String), Problem> {
        Ok((Request::ReverseRefund { id: self.refund_id }, self.reason))
    }
}

/// Take back a recorded refund
#[utoipa::path(
    post,
    path = "/v1/projects/{project}/orders/{order}/refund-reversals",
    tag = openapi::CHANGES,
    operation_id = "reverseRefund",
    params(IdempotencyKey, IfMatch),
    request_body(content = ReversalBody, example = json!({ "refund_id": "rf_1" })),
    responses((status = 200, description = "The order as it is now", body = ChangedView), Conflict)
)]
pub async fn reverse_refund(
    State(app): State<App>,
    At(path): OrderPath,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    change::<ReversalBody>(app, path, headers, body).await
}

/// What was handed over, or taken back
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FulfilmentChange)]
struct FulfilmentBody {
    state: FulfilmentStep,
    /// SKUs of the order; none: all that can take the step.
    #[serde(default)]
    #[schema(max_items = 100)]
    items: Vec<Sku>,
    /// At most 500 bytes.
    #[serde(default)]
    #[schema(max_length = 500)]
    reason: String,
}

impl Ask for FulfilmentBody {
    const NOUN: &'static str = "fulfilment";

    fn request(self) -> Result<(Request, String), Problem> {
        if self.items.len() > ITEMS_MAX {
            return Err(Problem::invalid(
                "items",
                format!("must be at most {ITEMS_MAX}"),
            ));
        }
        let request = Request::Fulfil {
            step: self.state,
            items: self.items,
        };
        Ok((request, self.reason))
    }
}

/// Record what was handed over
///
/// Of the whole order, or item by item.
#[utoipa::path(
    post,
    path = "/v1/projects/{project}/orders/{order}/fulfilment",
    tag = openapi::CHANGES,
    operation_id = "fulfilOrder",
    params(IdempotencyKey, IfMatch),
    request_body(content = FulfilmentBody, example = json!({ "state": "delivered" })),
    responses((status = 200, description = "The order as it is now", body = ChangedView), Conflict)
)]
pub async fn fulfil(
    State(app): State<App>,
    At(path): OrderPath,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    change::<FulfilmentBody>(app, path, headers, body).await
}

/// A flag that somebody has looked at
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FlagSettlement)]
struct FlagBody {
    flag: Flag,
    /// What was decided, at most 500 bytes.
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
}

impl Ask for FlagBody {
    const NOUN: &'static str = "flag-settlements";

    fn request(self) -> Result<(Request, String), Problem> {
        if self.reason.trim().is_empty() {
            return Err(Problem::invalid("reason", "must say what was decided"));
        }
        Ok((Request::Lower(self.flag), self.reason))
    }
}

/// Lower a flag
///
/// Once a person has looked at it; the reason is kept in the order's timeline. A flag that follows from
/// the order's money stays away until that has changed.
#[utoipa::path(
    post,
    path = "/v1/projects/{project}/orders/{order}/flag-settlements",
    tag = openapi::CHANGES,
    operation_id = "settleFlag",
    params(IdempotencyKey, IfMatch),
    request_body(content = FlagBody, example = json!({ "flag": "paid_over", "reason": "the rest was a tip" })),
    responses((status = 200, description = "The order as it is now", body = ChangedView), Conflict)
)]
pub async fn settle_flag(
    State(app): State<App>,
    At(path): OrderPath,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    change::<FlagBody>(app, path, headers, body).await
}

/// What the order shall cost
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PriceChange)]
struct PriceBody {
    price: MoneyBody,
    /// At most 500 bytes.
    #[serde(default)]
    #[schema(max_length = 500)]
    reason: String,
}

impl Ask for PriceBody {
    const NOUN: &'static str = "price";

    fn request(self) -> Result<(Request, String), Problem> {
        Ok((Request::Reprice(self.price.money("price")?), self.reason))
    }
}

/// Change an order's price
///
/// While it is `new` and holds no money: a coupon, a tax or a currency that was chosen only at the
/// provider's checkout. Money in that currency which has come already counts from then on.
#[utoipa::path(
    patch,
    path = "/v1/projects/{project}/orders/{order}",
    tag = openapi::CHANGES,
    operation_id = "changeOrder",
    params(IdempotencyKey, IfMatch),
    request_body(content = PriceBody, example = json!({ "price": { "amount": "14.99", "currency": "USD" } })),
    responses((status = 200, description = "The order as it is now", body = ChangedView), Conflict)
)]
pub async fn reprice(
    State(app): State<App>,
    At(path): OrderPath,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    change::<PriceBody>(app, path, headers, body).await
}

/// Whether somebody looks into the order
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Review)]
struct ReviewBody {
    under_review: bool,
    /// At most 500 bytes.
    #[serde(default)]
    #[schema(max_length = 500)]
    reason: String,
}

impl Ask for ReviewBody {
    const NOUN: &'static str = "review";

    fn request(self) -> Result<(Request, String), Problem> {
        Ok((Request::Review(self.under_review), self.reason))
    }
}

/// Begin or end a review
#[utoipa::path(
    post,
    path = "/v1/projects/{project}/orders/{order}/review",
    tag = openapi::CHANGES,
    operation_id = "reviewOrder",
    params(IdempotencyKey, IfMatch),
    request_body(content = ReviewBody, example = json!({ "under_review": true })),
    responses((status = 200, description = "The order as it is now", body = ChangedView), Conflict)
)]
pub async fn review(
    State(app): State<App>,
    At(path): OrderPath,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    change::<ReviewBody>(app, path, headers, body).await
}
