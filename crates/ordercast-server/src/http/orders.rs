//! `/v1/projects/{project}/orders`: what the shop's backend does with orders.

use super::{
    App, body, caller,
    openapi::{self, Conflict, IdempotencyKey},
    path::{At, path_id},
    problem::Problem,
    render::{self, ChangedView},
};
use crate::{auth, clock};
use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use ordercast_core::{
    OrderId, ProjectId, Sku, UserId,
    access::{Action, Object},
    catalogue::QUANTITY_MAX,
    money::{Currency, Money, MoneyError, currency_in_use},
    order::{Actor, Cause, Content, Item, Mode},
};
use ordercast_store::{
    Change, Idempotency, NewOrder, Rendered, RequestKey, Scope, Source, Submission,
};
use serde::Deserialize;
use std::{sync::Arc, time::Duration};
use utoipa::ToSchema;

const ITEMS_MAX: usize = 100;
const LIFETIME_SECONDS: std::ops::RangeInclusive<u32> = 60..=31_536_000;

/// An amount of money in a request
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Amount)]
pub struct MoneyBody {
    /// Decimal, with no more places than the currency has; at most 10^15 minor units.
    #[schema(max_length = 40, pattern = r"^[0-9]+(\.[0-9]+)?$", example = "1.99")]
    amount: String,
    #[serde(deserialize_with = "currency_in_use")]
    currency: Currency,
}

impl MoneyBody {
    pub fn money(&self, field: &str) -> Result<Money, Problem> {
        Money::parse(&self.amount, self.currency).map_err(|error| bad_amount(field, &error))
    }
}

/// `field`: where the amount of money stands.
pub(super) fn bad_amount(field: &str, error: &MoneyError) -> Problem {
    let rule = error.to_string();
    // The field says so already.
    let rule = rule.strip_prefix("amount ").unwrap_or(&rule);
    Problem::invalid(&format!("{field}.amount"), rule)
}

/// What an order is made of
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewOrder)]
struct CreateBody {
    user_external_id: UserId,
    /// An order that has its number already, for example from a payment provider.
    order_id: Option<OrderId>,
    /// The whole; without it, the sum of the items' prices.
    price: Option<MoneyBody>,
    #[serde(default)]
    #[schema(max_items = 100)]
    items: Vec<ItemBody>,
    mode: Option<Mode>,
    /// Without it, as the project has it.
    #[schema(minimum = 60, maximum = 31_536_000)]
    expires_in_seconds: Option<u32>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewOrderItem)]
struct ItemBody {
    sku: Sku,
    #[serde(default = "one")]
    #[schema(minimum = 1, maximum = 1_000)]
    quantity: u32,
    /// Of one piece.
    price: Option<MoneyBody>,
}

const fn one() -> u32 {
    1
}

/// Create an order
///
/// At a price that the shop states: the whole, or one of every item in one currency.
#[utoipa::path(
    post,
    path = "/v1/projects/{project}/orders",
    tag = openapi::ORDERS,
    operation_id = "createOrder",
    params(IdempotencyKey),
    request_body(content = CreateBody, example = json!({
        "user_external_id": "user-1",
        "items": [{ "sku": "sword", "price": { "amount": "1.99", "currency": "USD" } }],
    })),
    responses((status = 201, description = "The order, `new`", body = ChangedView), Conflict)
)]
pub async fn create(
    State(app): State<App>,
    At(project): At<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let project: ProjectId = path_id(&project)?;
    let key_name = caller::server(
        &app.auth,
        &headers,
        Action::CreateOrder,
        Object::Project(project),
    )?;
    let raw = body::read(body, body::API_BYTES_MAX).await?;
    let new: CreateBody = body::json(&headers, &raw)?;
    let at = clock::now();
    let content = content(&new)?;
    if let Some(price) = content.price {
        check_steps(&app, project, price)?;
    }
    let change = Change::CreateOrder(Box::new(NewOrder {
        project,
        id: new.order_id,
        content,
        user: new.user_external_id,
        mode: new.mode.unwrap_or(Mode::Default),
        lifetime: new.expires_in_seconds.map(lifetime).transpose()?,
        token_hash: None,
        cause: Cause {
            actor: Actor::ApiKey(key_name),
            reason: "created by the shop".to_owned(),
            at,
        },
    }));
    let before = format!("POST /v1/projects/{project}/orders");
    let scope = Scope::new("POST orders", &[], before);
    submit(
        &app,
        change,
        (project, scope),
        &headers,
        &raw,
        StatusCode::CREATED,
    )
    .await
}

fn lifetime(seconds: u32) -> Result<Duration, Problem> {
    if !LIFETIME_SECONDS.contains(&seconds) {
        return Err(Problem::invalid(
            "expires_in_seconds",
            "must be 60 to 31536000",
        ));
    }
    Ok(Duration::from_secs(seconds.into()))
}

fn content(new: &CreateBody) -> Result<Content, Problem> {
    if new.items.len() > ITEMS_MAX {
        return Err(Problem::invalid(
            "items",
            format!("must be at most {ITEMS_MAX}"),
        ));
    }
    let items = new
        .items
        .iter()
        .enumerate()
        .map(|(at, item)| {
            check_quantity(item.quantity)?;
            let price = item
                .price
                .as_ref()
                .map(|price| price.money(&format!("items[{at}].price")))
                .transpose()?;
            Ok(Item::new(item.sku.clone(), item.quantity, price))
        })
        .collect::<Result<Vec<_>, Problem>>()?;
    let price = match &new.price {
        Some(price) => price.money("price")?,
        None => sum(&items)?,
    };
    let mut prices = items.iter().filter_map(|item| item.price);
    if prices.any(|of_item| of_item.currency != price.currency) {
        let rule = "an order has one currency: the items' prices must be in that of the price";
        return Err(Problem::invalid("items.price", rule));
    }
    Ok(Content::new(Some(price), items))
}

/// # Errors
/// 422 for a price that one of the project's providers cannot charge.
pub(super) fn check_steps(app: &App, project: ProjectId, price: Money) -> Result<(), Problem> {
    let registry = app.auth.registry();
    let is_coarse =
        |source: &Source| source.project == project && source.provider.charges_in_coarse_steps();
    if price.is_in_coarse_steps() || !registry.sources().any(is_coarse) {
        return Ok(());
    }
    Err(Problem::invalid("price", render::coarse_steps(price)))
}

/// # Errors
/// 422 outside 1..=1000.
pub fn check_quantity(quantity: u32) -> Result<(), Problem> {
    if (1..=QUANTITY_MAX).contains(&quantity) {
        Ok(())
    } else {
        Err(Problem::invalid(
            "quantity",
            format!("must be 1 to {QUANTITY_MAX}"),
        ))
    }
}

fn sum(items: &[Item]) -> Result<Money, Problem> {
    let wanted = || {
        Problem::invalid(
            "price",
            "give it, or give every item a price in one currency; a free order has amount \"0\"",
        )
    };
    let currency = items
        .first()
        .and_then(|item| item.price)
        .ok_or_else(wanted)?
        .currency;
    let mut minor = 0_i64;
    for item in items {
        let price = item
            .price
            .filter(|p| p.currency == currency)
            .ok_or_else(wanted)?;
        let line = price
            .times(item.quantity)
            .map_err(|e| Problem::invalid("items", e.to_string()))?;
        minor += line.minor;
    }
    Money::new(minor, currency).map_err(|error| Problem::invalid("price", error.to_string()))
}

pub(super) async fn submit(
    app: &App,
    change: Change,
    (project, scope): (ProjectId, Scope),
    headers: &HeaderMap,
    raw: &[u8],
    success: StatusCode,
) -> Result<Response, Problem> {
    let idempotency = idempotency_key(headers)?.map(|key| Idempotency {
        key: RequestKey {
            project,
            scope,
            key,
            body_hash: auth::sha256(raw),
        },
        render: Arc::new(move |outcome| render::outcome(outcome, success)),
    });
    let outcome = app
        .submit(Submission {
            change,
            at: clock::now(),
            idempotency,
        })
        .await?;
    let Rendered { status, body } = render::outcome(&outcome, success);
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let content_type = if status.is_success() {
        "application/json"
    } else {
        "application/problem+json"
    };
    Ok((status, [(header::CONTENT_TYPE, content_type)], body).into_response())
}

pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    match value.to_str() {
        Ok(key) if (1..=255).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic()) => {
            Ok(Some(key.to_owned()))
        }
        _ => Err(Problem::invalid(
            "Idempotency-Key",
            "must be 1 to 255 visible ASCII characters",
        )),
    }
}
