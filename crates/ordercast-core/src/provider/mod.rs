//! What payment providers tell: a signed body becomes [`Event`]s (dedup key, subject, fact).
//!
//! One file a provider: how its signature is verified, how its body is read, and a table of what its
//! words mean, which a source may override. Nothing here fetches anything.

mod adyen;
mod amount;
mod coinbase_business;
mod coinbase_commerce;
mod json;
mod lemon_squeezy;
mod lenient;
mod meaning;
mod mollie;
mod paddle;
mod paypal;
mod question;
mod razorpay;
mod reference;
mod secret;
mod settings;
mod signature;
mod standard;
mod stripe;
mod tebex;
mod told;

pub use amount::Amount;
pub use meaning::{Mapping, Meaning};
pub use mollie::payment as mollie_payment;
pub use paypal::{
    Transmission as PaypalTransmission, is_own_name as is_paypals_name,
    transmission as paypal_transmission,
};
pub use question::{About, Answered, Api, Authorization, Question, Reading, Thin, segment};
pub use secret::{SecretOrigin, SecretRule};
pub use settings::{AmountUnit, InvalidSettings, SourceSettings, StandardFields};
pub use signature::{Request, Unverified};

use crate::{
    ProjectId, Timestamp,
    ids::{AttemptId, OrderId, UserId},
    order::{Fact, Mode},
};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use thiserror::Error;

/// Whose webhooks a source takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    Reference,
    Stripe,
    Paypal,
    Adyen,
    Paddle,
    LemonSqueezy,
    /// Unsigned: the payment is asked for with the source's API key.
    Mollie,
    /// Signed, with the payment inside.
    MollieNext,
    Razorpay,
    CoinbaseCommerce,
    CoinbaseBusiness,
    Tebex,
    /// Any sender of Standard Webhooks; where things stand in its bodies is part of its settings.
    Standard,
}

impl Provider {
    pub const ALL: [Self; 13] = [
        Self::Reference,
        Self::Stripe,
        Self::Paypal,
        Self::Adyen,
        Self::Paddle,
        Self::LemonSqueezy,
        Self::Mollie,
        Self::MollieNext,
        Self::Razorpay,
        Self::CoinbaseCommerce,
        Self::CoinbaseBusiness,
        Self::Tebex,
        Self::Standard,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reference => "reference",
            Self::Stripe => "stripe",
            Self::Paypal => "paypal",
            Self::Adyen => "adyen",
            Self::Paddle => "paddle",
            Self::LemonSqueezy => "lemon_squeezy",
            Self::Mollie => "mollie",
            Self::MollieNext => "mollie_next",
            Self::Razorpay => "razorpay",
            Self::CoinbaseCommerce => "coinbase_commerce",
            Self::CoinbaseBusiness => "coinbase_business",
            Self::Tebex => "tebex",
            Self::Standard => "standard",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == text)
    }

    /// What its words mean, unless a source says otherwise.
    #[must_use]
    pub const fn mapping(self) -> &'static [(&'static str, Meaning)] {
        match self {
            // All its words are data of the source.
            Self::Standard => &[],
            Self::Reference => reference::MAPPING,
            Self::Stripe => stripe::MAPPING,
            Self::Paypal => paypal::MAPPING,
            Self::Adyen => adyen::MAPPING,
            Self::Paddle => paddle::MAPPING,
            Self::LemonSqueezy => lemon_squeezy::MAPPING,
            Self::Mollie | Self::MollieNext => mollie::MAPPING,
            Self::Razorpay => razorpay::MAPPING,
            Self::CoinbaseCommerce => coinbase_commerce::MAPPING,
            Self::CoinbaseBusiness => coinbase_business::MAPPING,
            Self::Tebex => tebex::MAPPING,
        }
    }

    /// Whence its requests come, where it says so (providers contract, section 1; store contract, 3.8).
    #[must_use]
    pub const fn addresses(self) -> &'static [&'static str] {
        match self {
            Self::Reference => reference::ADDRESSES,
            Self::Tebex => tebex::ADDRESSES,
            Self::Stripe
            | Self::Paypal
            | Self::Adyen
            | Self::Paddle
            | Self::LemonSqueezy
            | Self::Mollie
            | Self::MollieNext
            | Self::Razorpay
            | Self::CoinbaseCommerce
            | Self::CoinbaseBusiness
            | Self::Standard => &[],
        }
    }

    /// Whether it charges currencies of three decimal places in steps of ten minor units only.
    #[must_use]
    pub const fn charges_in_coarse_steps(self) -> bool {
        matches!(self, Self::Stripe)
    }

    /// Whether its requests prove by themselves whose they are. The others are proved by asking.
    #[must_use]
    pub const fn is_signed(self) -> bool {
        !matches!(self, Self::Mollie)
    }
}

/// Whether the request was made by somebody who knows one of the secrets, and recently where the
/// provider signs a time. Not for PayPal, whose signature needs a certificate, nor for unsigned ones.
///
/// # Errors
/// [`Unverified`], for the log: who asks must not learn why.
pub fn verify(
    provider: Provider,
    request: Request<'_>,
    secrets: &[&str],
    now: Timestamp,
) -> Result<(), Unverified> {
    let check = match provider {
        Provider::Reference => reference::verify,
        Provider::Stripe => stripe::verify,
        Provider::Adyen => adyen::verify,
        Provider::Paddle => paddle::verify,
        Provider::LemonSqueezy => lemon_squeezy::verify,
        Provider::MollieNext => mollie::verify,
        Provider::Razorpay => razorpay::verify,
        Provider::CoinbaseCommerce => coinbase_commerce::verify,
        Provider::CoinbaseBusiness => coinbase_business::verify,
        Provider::Tebex => tebex::verify,
        Provider::Standard => standard::verify,
        Provider::Paypal | Provider::Mollie => return Err(Unverified::Unsigned),
    };
    // Every secret is tried, so that the time tells nothing of which.
    let mut verdicts = Vec::with_capacity(secrets.len());
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        verdicts.push(check(request, secret, now));
    }
    verdicts
        .into_iter()
        .reduce(|one, other| match (one, other) {
            (Ok(()), _) | (_, Ok(())) => Ok(()),
            (Err(one), Err(other)) => Err(one.or(other)),
        })
        .unwrap_or(Err(Unverified::Mismatch))
}

/// Reads a verified body. `body_hash` stands in as the dedup key of what has no identity of its own.
/// What cannot be read of one event, [`Subject::Unreadable`], takes nothing from the others in its body.
///
/// # Errors
/// [`EventError`] when it is not what the provider documents.
pub fn read(
    provider: Provider,
    request: Request<'_>,
    project: ProjectId,
    settings: &SourceSettings,
    body_hash: &str,
) -> Result<Vec<Event>, EventError> {
    let body = json::Json::parse(request.body)?;
    let told = match provider {
        Provider::Reference => match reference::read(&body, project, body_hash)? {
            reference::Read::Told(told) => vec![*told],
            reference::Read::Question(event) => return Ok(vec![*event]),
        },
        Provider::Stripe => vec![stripe::read(&body)?],
        Provider::Paypal => vec![paypal::read(&body)?],
        Provider::Adyen => return adyen::read(&body, body_hash, &Mapping::new(provider, settings)),
        Provider::Paddle => vec![paddle::read(&body)?],
        Provider::LemonSqueezy => lemon_squeezy::read(&body, body_hash)?,
        Provider::MollieNext => mollie::event(&body, body_hash)?,
        Provider::Razorpay => vec![razorpay::read(&body, request, body_hash)?],
        Provider::CoinbaseCommerce => coinbase_commerce::read(&body)?,
        Provider::CoinbaseBusiness => coinbase_business::read(&body, body_hash)?,
        Provider::Tebex => vec![tebex::read(&body)?],
        Provider::Standard => vec![standard::read(&body, request, settings)?],
        Provider::Mollie => return Err(EventError::Field("id")),
    };
    let mapping = Mapping::new(provider, settings);
    Ok(told.into_iter().map(|told| told.event(&mapping)).collect())
}

/// How far a provider's clock may be from ours, and how long before its order a payment may begin: some
/// shops make both in one go, in either order.
pub const CLOCK_TOLERANCE: Duration = Duration::from_secs(10 * 60);

/// Whether something happened well before an order was made, so that it cannot be about it.
#[must_use]
pub fn began_before(happened_at: Timestamp, made_at: Timestamp) -> bool {
    happened_at.plus(CLOCK_TOLERANCE) < made_at
}

/// A provider's event in our terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The provider's own word, for example `order_paid`.
    pub kind: String,
    /// Equal for every delivery of one event; `None` for events that are questions, not news.
    pub dedup_key: Option<String>,
    pub subject: Subject,
    /// What stands where our order number belongs, when it is not one.
    pub named: Option<String>,
    /// `None`: nothing that changes an order.
    pub fact: Option<Fact>,
    /// Test or live money, if it tells.
    pub mode: Option<Mode>,
    /// Nothing in it tells a second event of equal content from this one sent twice.
    pub may_be_a_twin: bool,
    /// When it happened by the provider's clock, if it says.
    pub occurred_at: Option<Timestamp>,
    /// When its payment began, if that is told: of answers to questions, which say how things are and not
    /// since when.
    pub began_at: Option<Timestamp>,
}

impl Event {
    /// One that tells no more than this.
    #[must_use]
    pub fn new(kind: impl Into<String>, subject: Subject, fact: Option<Fact>) -> Self {
        Self {
            kind: kind.into(),
            dedup_key: None,
            subject,
            named: None,
            fact,
            mode: None,
            may_be_a_twin: false,
            occurred_at: None,
            began_at: None,
        }
    }

    /// The earliest moment that it tells of.
    #[must_use]
    pub fn earliest(&self) -> Option<Timestamp> {
        let told = [self.began_at, self.occurred_at];
        told.into_iter().flatten().min()
    }

    /// Whether it is known what it means.
    #[must_use]
    pub const fn is_understood(&self) -> bool {
        !matches!(self.subject, Subject::Unknown | Subject::Unreadable(_))
    }
}

/// What an event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// An order by our id, and the attempt by which other events of the same payment name it.
    Order { order: OrderId, attempt: AttemptId },
    /// A payment whose order is known only once another event has joined the two.
    Attempt(AttemptId),
    /// A payment that is about no order of ours although it may name one: a renewal of a subscription that
    /// began with an order, for example. It moves nothing, and nor does what comes of it later.
    Foreign {
        attempt: AttemptId,
        why: &'static str,
    },
    /// A buyer who is about to pay.
    User(UserId),
    /// Of a kind that we do not know: kept, visible, without effect.
    Unknown,
    /// Of a kind that we know, and about no payment.
    Nothing,
    /// Of a kind that we know, without what such an event must say.
    Unreadable(EventError),
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EventError {
    #[error("the body is not JSON")]
    NotJson,
    #[error("{0} is missing or not of the documented type")]
    Field(&'static str),
    #[error("a thin event: it holds no object, and the source has no api_key to ask for it")]
    Thin,
    #[error("a thin event, and the provider knows nothing of the object that it names")]
    Gone,
    #[error("the event is of project {got}, this source is for project {expected}")]
    Project { got: i64, expected: u32 },
}
