//! *Create payment token*: a payment that the buyer's client describes itself. No order is made and
//! nothing is tracked; the shop's payment page asks what its token stands for (`/v1`), and has to
//! decide whether to charge what a client says.

use super::{
    super::App,
    checkout::{self, SettingsBody},
    error::ApiError,
    object::Object,
    path::At,
    purchase::{Asked, failed, read},
    render, who,
};
use crate::{
    auth::{PaymentToken, SessionToken},
    clock,
};
use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use ordercast_core::{money::Money, order::Contact};
use ordercast_store::{
    Change, Outcome, StorefrontChange, StorefrontOutcome, storefront::NewSession,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

/// As of other payment tokens (store contract, 2.3).
const LIFE: Duration = Duration::from_secs(24 * 3600);

#[derive(Debug, Default, Deserialize)]
struct SessionBody {
    sandbox: Option<bool>,
    purchase: Option<Object>,
    settings: Option<SettingsBody>,
    custom_parameters: Option<Object>,
}

pub async fn create(
    State(app): State<App>,
    At(project): At<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let project = who::project_id(&project)?;
    let user = who::user(&app, &headers, project).await?.user;
    let (body, raw) = read::<SessionBody>(&headers, body).await?;
    let purchase = body
        .purchase
        .ok_or_else(|| ApiError::invalid("purchase", "must be given"))?
        .0;
    check_sum(purchase.get("checkout"))?;
    let sandbox = body.settings.as_ref().and_then(|settings| settings.sandbox);
    let checkout = checkout::checkout(
        body.settings,
        body.custom_parameters,
        None,
        Contact::default(),
    )?;
    let asked = Asked::new(&app, project, "POST payment", user.as_str(), &headers, &raw)?;
    if let Some(answer) = asked.replay().await? {
        return Ok(answer);
    }
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
                    render::rendered(StatusCode::OK, &json!({ "token": token }))
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
