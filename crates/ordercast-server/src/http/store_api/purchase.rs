//! From a purchase to an order: what a buyer's client may say, and how the order is placed.
//!
//! Invariant: the content of an order comes from [`quote`] or [`quote_virtual`], never from a body; a
//! repeated idempotency key is answered before anything is read that may have changed since.
//!
//! [`quote`]: ordercast_core::catalogue::quote
//! [`quote_virtual`]: ordercast_core::catalogue::quote_virtual

use super::{
    super::{
        App, body,
        orders::{check_quantity, idempotency_key},
    },
    checkout::{self, SettingsBody, given},
    error::ApiError,
    object::Object,
    render,
    who::Buyer,
};
use crate::{
    auth::{self, PaymentToken},
    clock,
};
use axum::{
    body::Body,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use ordercast_core::{
    OrderId, ProjectId, Sku, UserId,
    catalogue::{Line, Listed},
    money::Currency,
    order::{Actor, Cause, Checkout, Contact, Content, CustomParameters, Mode},
};
use ordercast_store::{
    Change, Idempotency, NewOrder, Outcome, Rendered, RequestKey, Scope, StorefrontOutcome,
    StorefrontRefusal, Submission,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::sync::Arc;
use utoipa::ToSchema;

/// What a client may say of a purchase
///
/// All of it optional, and an empty text is as none; what stands beside it has no effect.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = Purchase)]
pub struct PurchaseBody {
    /// Without it, the items' default.
    #[schema(pattern = "^([A-Z]{3})?$", example = "USD")]
    currency: Option<String>,
    #[schema(
        max_length = 255,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*$",
        example = "de"
    )]
    locale: Option<String>,
    #[schema(pattern = "^([A-Z]{2})?$", example = "DE")]
    country: Option<String>,
    sandbox: Option<bool>,
    /// Of one item; without it 1.
    #[schema(minimum = 1, maximum = 1_000)]
    quantity: Option<u32>,
    /// There are none yet: any is 404.
    promo_code: Option<String>,
    /// There are none yet: any is 404.
    coupon_code: Option<String>,
    #[schema(value_type = Option<CustomParameters>)]
    custom_parameters: Option<Object>,
    settings: Option<SettingsBody>,
}

/// The same, checked.
#[derive(Debug)]
pub struct Terms {
    pub mode: Mode,
    pub currency: Option<Currency>,
    pub quantity: u32,
    pub checkout: Checkout,
}

impl PurchaseBody {
    /// # Errors
    /// 422 naming the field; 404 for a promo or coupon code.
    pub fn terms(self, told: Contact) -> Result<Terms, ApiError> {
        let quantity = self.quantity.unwrap_or(1);
        check_quantity(quantity)?;
        if given(self.promo_code).or(given(self.coupon_code)).is_some() {
            return Err(ApiError::code_not_found());
        }
        let stated = checkout::contact(None, self.country, "")?;
        let contact = Contact {
            country: told.country.or(stated.country),
            ..told
        };
        Ok(Terms {
            mode: checkout::mode(self.sandbox),
            currency: checkout::currency("currency", self.currency)?,
            quantity,
            checkout: checkout::checkout(
                self.settings,
                self.custom_parameters,
                given(self.locale),
                contact,
            )?,
        })
    }
}

/// A body that may be missing or `null`: its default.
///
/// # Errors
/// As [`body::read`] and [`body::json`].
pub async fn read<T: DeserializeOwned + Default>(
    headers: &HeaderMap,
    body: Body,
) -> Result<(T, Vec<u8>), ApiError> {
    let raw = body::read(body, body::API_BYTES_MAX).await?;
    let parsed = if raw.is_empty() {
        None
    } else {
        body::json::<Option<T>>(headers, &raw)?
    };
    Ok((parsed.unwrap_or_default(), raw.to_vec()))
}

/// # Errors
/// 404 4001 for what cannot be an item's.
pub fn sku(text: &str) -> Result<Sku, ApiError> {
    Sku::new(text).map_err(|_| ApiError::item_not_found())
}

/// # Errors
/// 404 4001 for an item that is not there.
pub async fn find_item(app: &App, project: ProjectId, sku: Sku) -> Result<Listed, ApiError> {
    let found = app.store.item(project, sku).await?;
    found.ok_or_else(ApiError::item_not_found)
}

pub fn line(listed: Listed, quantity: u32) -> Line {
    Line { listed, quantity }
}

/// Who asks for what, so that a repetition of the same request has one effect.
#[derive(Debug)]
pub struct Asked<'a> {
    pub app: &'a App,
    pub project: ProjectId,
    key: Option<RequestKey>,
}

impl<'a> Asked<'a> {
    /// `scope`: the operation, what it names, and the buyer: two buyers may choose the same key.
    ///
    /// # Errors
    /// 422 for a key that cannot be one.
    pub fn new(
        app: &'a App,
        project: ProjectId,
        scope: Scope,
        headers: &HeaderMap,
        raw: &[u8],
    ) -> Result<Self, ApiError> {
        let key = idempotency_key(headers)?.map(|key| RequestKey {
            project,
            scope,
            key,
            body_hash: auth::sha256(raw),
        });
        Ok(Self { app, project, key })
    }

    /// The answer that was given to this key before.
    ///
    /// # Errors
    /// 422 when it was given to another body.
    pub async fn replay(&self) -> Result<Option<Response>, ApiError> {
        let Some(key) = &self.key else {
            return Ok(None);
        };
        let outcome = self.app.store.replay(key.clone()).await?;
        Ok(outcome.map(|outcome| render::response(failed(&outcome))))
    }

    /// # Errors
    /// [`ApiError`] when nothing was changed.
    pub async fn submit(
        self,
        change: Change,
        render: impl Fn(&Outcome) -> Rendered + Send + Sync + 'static,
    ) -> Result<Response, ApiError> {
        let render = Arc::new(render);
        let outcome = self
            .app
            .submit(Submission {
                change,
                at: clock::now(),
                idempotency: self.key.map(|key| Idempotency {
                    key,
                    render: Arc::clone(&render) as _,
                }),
            })
            .await?;
        Ok(render::response(render(&outcome)))
    }
}

/// An order that was placed
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlacedOrder)]
pub struct PlacedView {
    order_id: OrderId,
    /// To pay with; none where nothing is to be paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    token: Option<String>,
}

/// An order that is about to be placed.
#[derive(Debug)]
pub struct Placement {
    pub user: UserId,
    pub actor: Actor,
    pub reason: &'static str,
    pub mode: Mode,
    pub content: Content,
    /// Whether somebody has to pay: the answer has a payment token then.
    pub is_to_be_paid: bool,
    pub success: StatusCode,
}

impl Placement {
    /// By the buyer.
    pub fn by(buyer: Buyer, terms: Terms, content: Content) -> Self {
        Self {
            actor: Actor::Buyer(buyer.user.clone()),
            user: buyer.user,
            reason: "bought by the user",
            mode: terms.mode,
            content: Content {
                checkout: terms.checkout,
                ..content
            },
            is_to_be_paid: true,
            success: StatusCode::OK,
        }
    }

    /// # Errors
    /// [`ApiError`] when there is no order.
    pub async fn place(self, asked: Asked<'_>) -> Result<Response, ApiError> {
        // A repetition was answered before it came here.
        let limits = asked.app.auth.limits();
        if matches!(self.actor, Actor::Buyer(_)) {
            limits.create(asked.project, &self.user)?;
        }
        let secret = self.is_to_be_paid.then(clock::random);
        let change = Change::CreateOrder(Box::new(NewOrder {
            project: asked.project,
            id: None,
            user: self.user,
            mode: self.mode,
            content: self.content,
            lifetime: None,
            // The key half of the token is known only after the commit; its hash covers the secret half.
            token_hash: secret.map(|secret| PaymentToken::new(0, secret).hash()),
            cause: Cause {
                actor: self.actor,
                reason: self.reason.to_owned(),
                at: clock::now(),
            },
        }));
        let success = self.success;
        asked
            .submit(change, move |outcome| match outcome {
                Outcome::Order(applied) => {
                    let order = applied.order();
                    let token =
                        |secret| PaymentToken::of_order(order.project, order.id, secret).encode();
                    let answer = PlacedView {
                        order_id: order.id,
                        token: secret.map(token),
                    };
                    render::rendered(success, &answer)
                }
                other => failed(other),
            })
            .await
    }
}

/// How everything but a success looks.
pub fn failed(outcome: &Outcome) -> Rendered {
    let error = match outcome {
        Outcome::Replayed(rendered) => return rendered.clone(),
        Outcome::Storefront(StorefrontOutcome::Refused(refusal)) => refused(*refusal),
        Outcome::KeyConflict => {
            ApiError::invalid("Idempotency-Key", "was used with another body before")
        }
        // The project is checked at the edge, and these requests name no order.
        Outcome::NotFound
        | Outcome::Exists
        | Outcome::Refused { .. }
        | Outcome::VersionMismatch { .. }
        | Outcome::Order(_)
        | Outcome::Project(_)
        | Outcome::ProjectChanged(_)
        | Outcome::Received(_)
        | Outcome::ForgedTransmission
        | Outcome::HandleRefused(_)
        | Outcome::Credentials(_)
        | Outcome::Webhooks(_)
        | Outcome::Sources(_)
        | Outcome::Unchanged { .. }
        | Outcome::Nothing
        | Outcome::Pruned(_)
        | Outcome::Deleted { .. }
        | Outcome::Storefront(_) => ApiError::unavailable(),
    };
    error.rendered()
}

pub fn refused(refusal: StorefrontRefusal) -> ApiError {
    match refusal {
        StorefrontRefusal::NotEnough => ApiError::not_enough_virtual_currency(),
        StorefrontRefusal::CartFull => {
            ApiError::incorrect_cart("A cart has at most 100 different items")
        }
        StorefrontRefusal::TooManyCarts => {
            ApiError::incorrect_cart("A user has at most 10 carts; use one of them")
        }
        // Only shops' backends can meet these, on /v1.
        StorefrontRefusal::TooMuch
        | StorefrontRefusal::NoVirtualCurrency
        | StorefrontRefusal::CatalogueFull
        | StorefrontRefusal::TooManyBalances => ApiError::unavailable(),
    }
}
