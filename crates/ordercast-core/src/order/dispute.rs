//! Disputes of one payment: each is its own, by the name that its provider gives it.

use crate::{Timestamp, ids::DisputeId};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dispute {
    /// `None`: the provider has no names for disputes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<DisputeId>,
    pub state: DisputeState,
    /// In minor units; `None`: about the whole payment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<i64>,
    /// By the provider's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum DisputeState {
    /// A question; no money moves.
    Inquiry,
    Opened,
    Won,
    Lost,
    /// The shop gave in.
    Accepted,
    /// It ended without a decision; no money moved.
    Expired,
}

impl DisputeState {
    const fn rank(self) -> u8 {
        match self {
            Self::Inquiry => 0,
            Self::Opened => 1,
            Self::Won | Self::Lost | Self::Accepted | Self::Expired => 2,
        }
    }

    /// Whether money is lost with it, or may be.
    #[must_use]
    pub const fn may_cost(self) -> bool {
        matches!(self, Self::Opened | Self::Lost | Self::Accepted)
    }

    /// Whether money that was lost comes back with it.
    pub(super) const fn gives_back(self) -> bool {
        matches!(self, Self::Won | Self::Expired)
    }

    const fn is_loss(self) -> bool {
        matches!(self, Self::Lost | Self::Accepted)
    }
}

impl Dispute {
    /// # Errors
    /// When a later stage of it is known.
    pub(super) fn advance(&mut self, told: Self) -> Result<(), &'static str> {
        let is_earlier = match (self.occurred_at, told.occurred_at) {
            (Some(known), Some(told)) => told < known,
            _ => false,
        };
        let is_news = match told.state.rank().cmp(&self.state.rank()) {
            Ordering::Greater => true,
            // One decision may replace another: arbitration follows a chargeback.
            Ordering::Equal => told.state != self.state && !is_earlier,
            Ordering::Less => false,
        };
        if !is_news {
            return Err("older than what is known of the dispute");
        }
        *self = Self {
            id: told.id.or_else(|| self.id.take()),
            state: told.state,
            amount: told.amount.or(self.amount),
            occurred_at: told.occurred_at.or(self.occurred_at),
        };
        Ok(())
    }

    pub(super) const fn is_lost(&self) -> bool {
        self.state.is_loss()
    }
}

/// Which of those that are known a telling is about. One without a name is about the only dispute
/// there is; a name joins the one that was told without.
pub(super) fn position(known: &[Dispute], id: Option<&DisputeId>) -> Option<usize> {
    let by_name = known.iter().position(|dispute| dispute.id.as_ref() == id);
    by_name.or_else(|| match (id, known) {
        (Some(_), _) => known.iter().position(|dispute| dispute.id.is_none()),
        (None, [_]) => Some(0),
        (None, _) => None,
    })
}
