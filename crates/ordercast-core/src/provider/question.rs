//! Questions to a provider's API, as values: which path is asked, with which kind of credential, and what
//! the answer means. Whoever holds the socket asks them; nothing here does.
//!
//! Asked are: the object of an event that holds none ([`Thin`]), and the payments of an order of which
//! nothing was heard ([`Provider::questions`]).

use super::{
    Event, EventError, Mapping, Provider, SourceSettings, coinbase_commerce, json::Json,
    lemon_squeezy, mollie, paddle, paypal, razorpay, reference, stripe, tebex, told::Told,
};
use crate::{
    Timestamp,
    ids::{AttemptId, OrderId, ProjectId},
};
use serde_json::Value;
use std::fmt;

/// Of an id that becomes part of a path.
const ID_BYTES_MAX: usize = 100;

/// Where a provider is asked, unless the source names another address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Api {
    pub host: &'static str,
    pub authorization: Authorization,
    /// `Accept` among them, where it is not `application/json`.
    pub headers: &'static [(&'static str, &'static str)],
}

/// What is made of a source's `api_key`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authorization {
    Bearer,
    /// The key is a name and a password with a colon between them; the rule says what they are.
    Basic(&'static str),
    /// The key is the value of this header.
    Header(&'static str),
    /// The key is a pair as for [`Authorization::Basic`], with which a bearer token is fetched from
    /// `path` (OAuth 2.0, client credentials).
    Token {
        pair: &'static str,
        path: &'static str,
    },
}

impl Authorization {
    /// What the key must look like, where it is a pair.
    #[must_use]
    pub const fn pair(self) -> Option<&'static str> {
        match self {
            Self::Basic(pair) | Self::Token { pair, .. } => Some(pair),
            Self::Bearer | Self::Header(_) => None,
        }
    }
}

/// What is known of the order that is asked about.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    pub project: ProjectId,
    pub order: OrderId,
    /// Payments of it that this source has told of.
    pub attempts: &'a [AttemptId],
    pub made_at: Timestamp,
    /// What stands before the colon of an API key that is a pair.
    pub account: &'a str,
}

type Read = dyn Fn(&Json) -> Result<Answer, EventError> + Send + Sync;

/// One `GET`, and how its answer is read.
pub struct Question {
    path: String,
    read: Box<Read>,
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GET {}", self.path)
    }
}

/// What an adapter makes of one answer.
#[derive(Debug, Default)]
pub struct Answer {
    /// One for each payment, refund and so on that is told of.
    pub papers: Vec<Paper>,
    /// What must be asked to know more: of a list its members, or its next page.
    pub next: Vec<Question>,
}

impl Answer {
    pub fn of(papers: impl IntoIterator<Item = Paper>) -> Self {
        Self {
            papers: papers.into_iter().collect(),
            next: Vec::new(),
        }
    }
}

/// A document for the inbox, and what it says.
#[derive(Debug)]
pub struct Paper {
    pub body: Vec<u8>,
    pub told: Vec<Told>,
}

impl Paper {
    pub fn new(body: &Value, told: Vec<Told>) -> Self {
        Self {
            body: body.to_string().into_bytes(),
            told,
        }
    }
}

/// An answer in our terms.
#[derive(Debug, Default)]
pub struct Answered {
    pub readings: Vec<Reading>,
    pub next: Vec<Question>,
}

#[derive(Clone, Debug)]
pub struct Reading {
    pub body: Vec<u8>,
    pub events: Vec<Event>,
}

impl Question {
    /// `path` with its query, from the first slash on. Ids in it must have been through [`segment`] or
    /// [`plain`].
    pub fn new(
        path: String,
        read: impl Fn(&Json) -> Result<Answer, EventError> + Send + Sync + 'static,
    ) -> Self {
        debug_assert!(path.starts_with('/'), "{path}");
        Self {
            path,
            read: Box::new(read),
        }
    }

    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// # Errors
    /// [`EventError`] when the answer is not what the provider documents.
    pub fn answered(
        &self,
        provider: Provider,
        settings: &SourceSettings,
        body: &[u8],
    ) -> Result<Answered, EventError> {
        let mapping = Mapping::new(provider, settings);
        let Answer { papers, next } = (self.read)(&Json::parse(body)?)?;
        let readings = papers.into_iter().map(|paper| Reading {
            body: paper.body,
            events: paper
                .told
                .into_iter()
                .map(|told| told.event(&mapping))
                .collect(),
        });
        Ok(Answered {
            readings: readings.collect(),
            next,
        })
    }
}

/// An event that says only that something happened to an object, which must be asked for.
#[derive(Debug)]
pub struct Thin {
    pub kind: String,
    pub dedup_key: Option<String>,
    pub question: Question,
}

/// An id as one segment of a path, if it is what the provider's ids look like: `prefix`, then letters,
/// digits and underscores.
#[must_use]
pub fn plain<'a>(id: &'a str, prefix: &str) -> Option<&'a str> {
    let rest = id.strip_prefix(prefix)?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let is_short = (1..=ID_BYTES_MAX).contains(&rest.len());
    (is_short && rest.bytes().all(is_plain)).then_some(id)
}

/// As [`plain`], of ids that hold hyphens too.
#[must_use]
pub fn segment<'a>(id: &'a str, prefix: &str) -> Option<&'a str> {
    let rest = id.strip_prefix(prefix)?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let is_short = (1..=ID_BYTES_MAX).contains(&rest.len());
    (is_short && rest.bytes().all(is_plain)).then_some(id)
}

impl Provider {
    /// `None`: it has no API that tells what became of a payment, or none that we ask.
    #[must_use]
    pub const fn api(self) -> Option<Api> {
        match self {
            Self::Reference => Some(reference::API),
            Self::Stripe => Some(stripe::API),
            Self::Mollie | Self::MollieNext => Some(mollie::API),
            Self::Paypal => Some(paypal::API),
            Self::Paddle => Some(paddle::API),
            Self::Razorpay => Some(razorpay::API),
            Self::LemonSqueezy => Some(lemon_squeezy::API),
            Self::CoinbaseCommerce => Some(coinbase_commerce::API),
            Self::Tebex => Some(tebex::API),
            // Adyen tells by webhooks and reports only.
            Self::Adyen
            // Each request needs a token of its own, signed with an account's key.
            | Self::CoinbaseBusiness
            // There is no API that all its senders have.
            | Self::Standard => None,
        }
    }

    /// What to ask about an order that stays open: payments that were heard of by their ids, and, where
    /// the provider can be asked so, those that name the order.
    #[must_use]
    pub fn questions(self, about: &About<'_>) -> Vec<Question> {
        match self {
            Self::Reference => reference::questions(about),
            Self::Stripe => stripe::questions(about),
            Self::Mollie | Self::MollieNext => mollie::questions(about),
            Self::Paypal => paypal::questions(about),
            Self::Paddle => paddle::questions(about),
            Self::Razorpay => razorpay::questions(about),
            Self::LemonSqueezy => lemon_squeezy::questions(about),
            Self::CoinbaseCommerce => coinbase_commerce::questions(about),
            Self::Tebex => tebex::questions(about),
            Self::Adyen | Self::CoinbaseBusiness | Self::Standard => Vec::new(),
        }
    }

    /// Whether a body is an event without its object, and how that is asked for.
    #[must_use]
    pub fn thin(self, body: &[u8]) -> Option<Thin> {
        match self {
            Self::Mollie => mollie::thin(body),
            Self::MollieNext => mollie::thin_event(&Json::parse(body).ok()?),
            Self::Stripe => stripe::thin(&Json::parse(body).ok()?),
            Self::Reference
            | Self::Paypal
            | Self::Adyen
            | Self::Paddle
            | Self::LemonSqueezy
            | Self::Razorpay
            | Self::CoinbaseCommerce
            | Self::CoinbaseBusiness
            | Self::Tebex
            | Self::Standard => None,
        }
    }
}
