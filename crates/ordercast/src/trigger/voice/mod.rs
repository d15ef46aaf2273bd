//! How each provider speaks: the events that `trigger` can tell, their bodies in the documented shape,
//! and their signatures. One file a provider.
//!
//! Pure. The documents are the providers' own, read in November 2026.

mod adyen;
mod coinbase_business;
mod coinbase_commerce;
mod lemon_squeezy;
mod mollie;
mod paddle;
mod paypal;
mod razorpay;
mod reference;
mod standard;
mod stripe;
mod tebex;

use super::payment::Payment;
use anyhow::bail;
use aws_lc_rs::hmac;
use data_encoding::HEXLOWER;
use ordercast_core::provider::{Provider, StandardFields};

pub use mollie::{Answer, answer as mollie_answer};

/// What an event means, in one word for all providers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Common {
    Pending,
    Authorized,
    Paid,
    Failed,
    Refunded,
    RefundedInPart,
    RefundFailed,
    DisputeOpened,
    DisputeWon,
    DisputeLost,
    NothingDue,
}

impl Common {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Authorized => "authorized",
            Self::Paid => "paid",
            Self::Failed => "failed",
            Self::Refunded => "refunded",
            Self::RefundedInPart => "refunded_in_part",
            Self::RefundFailed => "refund_failed",
            Self::DisputeOpened => "dispute_opened",
            Self::DisputeWon => "dispute_won",
            Self::DisputeLost => "dispute_lost",
            Self::NothingDue => "nothing_due",
        }
    }
}

/// One event that a provider tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// The provider's own word; behind a colon, which of its cases.
    pub word: &'static str,
    /// The word for it that all providers share.
    pub common: Option<Common>,
    /// The word that takes it back, told first under `--reorder`.
    pub undone_by: Option<&'static str>,
}

const fn kind(word: &'static str) -> Kind {
    Kind {
        word,
        common: None,
        undone_by: None,
    }
}

impl Kind {
    const fn is(mut self, common: Common) -> Self {
        self.common = Some(common);
        self
    }

    const fn undone_by(mut self, word: &'static str) -> Self {
        self.undone_by = Some(word);
        self
    }
}

/// What a body is made of beside its payment.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// Adyen signs inside its bodies.
    pub secret: &'a str,
    /// The reference provider's older mode.
    pub is_separate: bool,
    /// Where things stand in the bodies of a sender of Standard Webhooks.
    pub fields: Option<&'a StandardFields>,
}

/// What is signed.
#[derive(Clone, Copy, Debug)]
pub struct Unsigned<'a> {
    pub secret: &'a str,
    pub body: &'a [u8],
    /// Of the event, where it is told in a header.
    pub id: &'a str,
    /// Now, in seconds.
    pub at: i64,
}

pub type Headers = Vec<(&'static str, String)>;

/// How a provider speaks.
pub struct Voice {
    pub kinds: &'static [Kind],
    pub body: fn(&str, &Payment, Setting<'_>) -> Vec<u8>,
    /// `None`: nobody but the provider can sign.
    pub sign: Option<fn(Unsigned<'_>) -> Headers>,
}

pub const fn of(provider: Provider) -> Voice {
    match provider {
        Provider::Reference => reference::VOICE,
        Provider::Stripe => stripe::VOICE,
        Provider::Paypal => paypal::VOICE,
        Provider::Adyen => adyen::VOICE,
        Provider::Paddle => paddle::VOICE,
        Provider::LemonSqueezy => lemon_squeezy::VOICE,
        Provider::Mollie => mollie::CLASSIC,
        Provider::MollieNext => mollie::NEXT,
        Provider::Razorpay => razorpay::VOICE,
        Provider::CoinbaseCommerce => coinbase_commerce::VOICE,
        Provider::CoinbaseBusiness => coinbase_business::VOICE,
        Provider::Tebex => tebex::VOICE,
        Provider::Standard => standard::VOICE,
    }
}

/// The event that a word names: the provider's own, or one that all share.
pub fn find(provider: Provider, word: &str, is_part: bool) -> anyhow::Result<Kind> {
    let kinds = of(provider).kinds;
    let by_word = kinds.iter().find(|kind| kind.word == word);
    let shared = |kind: &&Kind| kind.common.is_some_and(|common| common.as_str() == word);
    let in_part = |kind: &&Kind| {
        is_part && word == Common::Refunded.as_str() && kind.common == Some(Common::RefundedInPart)
    };
    let found = by_word
        .or_else(|| kinds.iter().find(in_part))
        .or_else(|| kinds.iter().find(shared));
    match found {
        Some(kind) => Ok(*kind),
        // Its words are data of the source.
        None if provider == Provider::Standard && !word.is_empty() => Ok(kind_of_a_source(word)),
        None => bail!(
            "{} has no event {word:?}; it has:\n{}",
            provider.as_str(),
            listed(provider)
        ),
    }
}

/// Words of a source live as long as the command.
fn kind_of_a_source(word: &str) -> Kind {
    kind(Box::leak(word.to_owned().into_boxed_str()))
}

/// Each event in a line: the provider's word, and the shared one.
pub fn listed(provider: Provider) -> String {
    let line = |kind: &Kind| {
        let common = kind.common.map(Common::as_str).unwrap_or_default();
        format!("  {:<48}{common}", kind.word).trim_end().to_owned()
    };
    let lines: Vec<_> = of(provider).kinds.iter().map(line).collect();
    lines.join("\n")
}

/// HMAC-SHA256 in lower-case hex, as most of them sign.
fn hex(secret: &[u8], content: &[u8]) -> String {
    HEXLOWER.encode(mac(secret, content).as_ref())
}

fn mac(secret: &[u8], content: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), content)
}

fn text(body: &serde_json::Value) -> Vec<u8> {
    body.to_string().into_bytes()
}

#[cfg(test)]
mod tests;
