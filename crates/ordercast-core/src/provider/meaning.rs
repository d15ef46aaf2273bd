//! What a provider's word means for an order.

use super::{Provider, SourceSettings};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Meaning {
    /// Changes nothing.
    Ignore,
    /// The payment is on its way; nothing is promised.
    Pending,
    /// The money is reserved, not yet taken.
    Authorized,
    /// The money is in.
    Paid,
    /// A part of what was reserved is in, named by its own capture id.
    Captured,
    /// A capture that was told as done did not happen: that money is out again.
    CaptureFailed,
    /// The provider says that nothing is due, for example because of a coupon of 100 %.
    NothingDue,
    /// This attempt came to nothing; the order stays open.
    Failed,
    /// Money was given back.
    Refunded,
    /// A refund did not happen after all.
    RefundReversed,
    /// A question; no money moves.
    DisputeInquiry,
    DisputeOpened,
    DisputeWon,
    DisputeLost,
    /// The shop gave in.
    DisputeAccepted,
    /// It ended without a decision; no money moved.
    DisputeExpired,
}

/// The words of one source: its own, then its provider's.
#[derive(Clone, Copy, Debug)]
pub struct Mapping<'a> {
    provider: Provider,
    settings: &'a SourceSettings,
}

impl<'a> Mapping<'a> {
    #[must_use]
    pub const fn new(provider: Provider, settings: &'a SourceSettings) -> Self {
        Self { provider, settings }
    }

    /// `None`: a word that nobody knows. Of a word with a condition, `word:condition`, the whole is
    /// looked for first, then the word alone.
    #[must_use]
    pub fn of(&self, word: &str) -> Option<Meaning> {
        let bare = word.rsplit_once(':').map(|(bare, _)| bare);
        let theirs = |word: &str| self.settings.mapping.get(word).copied();
        let ours = |word: &str| {
            let mut table = self.provider.mapping().iter();
            table
                .find(|(known, _)| *known == word)
                .map(|(_, meaning)| *meaning)
        };
        theirs(word)
            .or_else(|| bare.and_then(theirs))
            .or_else(|| ours(word))
            .or_else(|| bare.and_then(ours))
    }
}
