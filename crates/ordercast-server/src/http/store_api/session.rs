//! *Create payment token*: a payment that the buyer's client describes itself. No order is made and
//! nothing is tracked; the shop's payment page asks what its token stands for (`/v1`), and has to
//! decide whether to charge what a client says.

use super::{
    super::{
        App,
        openapi::{self, IdempotencyKey},
    },
    checkout::{self, SettingsBody},
    error::ApiError,
    object::Object,
    path::At,
    purchase::{Asked, failed, read},
    render,
    who::{self, Client},
};
use crate::{
    auth::{PaymentToken, SessionToken},
    clock,
};
use axum::{body::Body, extract::State, http::StatusCode, response::Response};
use ordercast_core::{
    money::Money,
    order::{Contact, CustomParameters},
};
use ordercast_store::{
    Change, Outcome, Scope, StorefrontChange, StorefrontOutcome,
    storefront::{NewSession, PURCHASE_BYTES_MAX},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;
use utoipa::ToSchema;

/// As of other payment tokens (store contract, 2.3).
const LIFE: Duration = Duration::from_secs(24 * 3600);

/// A payment that the buyer's client describes itself
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = NewPaymentSession)]
struct SessionBody {
    sandbox: Option<bool>,
    /// What is to be paid, with `checkout` of `amount` and `currency` where there is a sum.
    #[schema(value_type = Object, required = true)]
    purchase: Option<Object>,
    settings: Option<SettingsBody>,
    #[schema(value_type = Option<CustomParameters>)]
    custom_parameters: Option<Object>,
}

/// A payment's token
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NewPaymentToken)]
struct TokenView {
    token: String,
}

/// Create a payment token
///
/// For a payment that the client describes itself. No order is made; the shop decides whether to
/// charge that.
#[utoipa::path(
    post,
    path = "/payment",
    tag = openapi::BUYING,
    operation_id = "createPaymentSession",
    params(IdempotencyKey),
    request_body(content = SessionBody, example = json!({
        "purchase": { "checkout": { "amount": "1.99", "currency": "USD" } },
    })),
    responses((status = 200, description = "The token", body = TokenView))
)]
pub async fn create(
    State(app): State<App>,
    At(project): At<String>,
    client: Client,
    body: Body,
) -> Result<Response, ApiError> {
    let project = who::project_id(&project)?;
    let user = who::user(&app, &client, project).await?.user;
    let headers = client.headers;
    let (body, raw) = read::<SessionBody>(&headers, body).await?;
    let purchase = body
        .purchase
        .ok_or_else(|| ApiError::invalid("purchase", "must be given"))?
        .0;
    check_sum(purchase.get("checkout"))?;
    if super::super::render::json(&purchase).len() > PURCHASE_BYTES_MAX {
        let rule = format!("must have at most {PURCHASE_BYTES_MAX} bytes");
        return Err(ApiError::invalid("purchase", rule));
    }
    let sandbox = body.settings.as_ref().and_then(|settings| settings.sandbox);
    let checkout = checkout::checkout(
        body.settings,
        body.custom_parameters,
        None,
        Contact::default(),
    )?;
    let before = format!("POST payment {user}");
    let scope = Scope::new("POST payment", &[user.as_str()], before);
    let asked = Asked::new(&app, project, scope, &headers, &raw)?;
    if let Some(answer) = asked.replay().await? {
        return Ok(answer);
    }
    // As often as the user may make orders: each is a write.
    app.auth.limits().create(project, &user)?;
    let secret = clock::random();
    let change = StorefrontChange::CreateSession(Box::new(NewSession {
        project,
        user,
        token_hash: PaymentToken::new(0, secret).hash(),
        mode: checkout::mode(body.sandbox.or(sandbox)),
        purchase,
        checkout,
        expires_at: clock::now().plus(LIFE),
    }));
    asked
        .submit(
            Change::Storefront(Box::new(change)),
            move |outcome| match outcome {
                Outcome::Storefront(StorefrontOutcome::Session(id)) => {
                    let token = SessionToken::new(*id, secret).encode();
                    render::rendered(StatusCode::OK, &TokenView { token })
                }
                other => failed(other),
            },
        )
        .await
}

/// `purchase.checkout`: what is to be paid. SDKs send the amount as a number.
fn check_sum(sum: Option<&Value>) -> Result<(), ApiError> {
    let Some(sum) = sum.filter(|sum| !sum.is_null()) else {
        return Ok(());
    };
    let currency = sum.get("currency").and_then(Value::as_str);
    let currency = checkout::currency(
        "purchase.checkout.currency",
        currency.map(ToOwned::to_owned),
    )?
    .ok_or_else(|| ApiError::invalid("purchase.checkout.currency", "must be given"))?;
    let amount = match sum.get("amount") {
        Some(Value::String(amount)) => amount.clone(),
        Some(Value::Number(amount)) => amount.to_string(),
        _ => {
            return Err(ApiError::invalid(
                "purchase.checkout.amount",
                "must be given",
            ));
        }
    };
    Money::parse(&amount, currency)
        .map(|_| ())
        .map_err(|rule| ApiError::invalid("purchase.checkout.amount", rule))
}
