//! One try to pay: its own small machine, and the money that came and went through it.
//!
//! What a provider tells of money is kept as sets (captured, refunds by id, dispute), so that any
//! order of arrival ends in the same state.

use crate::{
    Timestamp,
    ids::{AttemptId, RefundId},
};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredAttempt")]
pub struct Attempt {
    pub id: AttemptId,
    pub state: AttemptState,
    /// Minor units of the order's currency. 0 until the money is in.
    #[serde(skip_serializing_if = "is_zero")]
    pub captured: i64,
    /// At most [`Attempt::REFUNDS_MAX`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refunds: Vec<Refund>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dispute: Option<Dispute>,
    /// When `state` was reached, by the provider's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<Timestamp>,
}

/// In the order of rank: of two states with equal times the higher one is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum AttemptState {
    /// Heard of, no more.
    Created,
    Pending,
    Failed,
    Authorized,
    Paid,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// `None`: the provider has no names for refunds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<RefundId>,
    pub size: RefundSize,
    /// It failed or was taken back: the money is with the shop again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reversed: bool,
    /// When this was last told, by the provider's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<Timestamp>,
}

/// What is heard of a refund.
#[derive(Clone, Debug)]
pub(super) struct RefundNews {
    pub id: Option<RefundId>,
    pub size: RefundSize,
    pub occurred_at: Option<Timestamp>,
}

/// How much was given back, in minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RefundSize {
    /// All that was captured, also when the capture is told of later.
    Whole,
    Part(i64),
    /// The sum of all refunds of the attempt so far.
    Total(i64),
    /// Not told: only its reversal has been heard of.
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dispute {
    pub state: DisputeState,
    /// `None`: about the whole payment.
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

    const fn is_loss(self) -> bool {
        matches!(self, Self::Lost | Self::Accepted)
    }
}

pub(super) const OLDER: &str = "older than what is known of the attempt";
const REFUND_KNOWN: &str = "this refund is recorded already";
const TOO_MANY_REFUNDS: &str = "the attempt has too many refunds";

impl Attempt {
    /// Far above any honest payment; a bound because each refund is kept in the order's row.
    pub const REFUNDS_MAX: usize = 100;

    pub(super) const fn new(id: AttemptId) -> Self {
        Self {
            id,
            state: AttemptState::Created,
            captured: 0,
            refunds: Vec::new(),
            dispute: None,
            occurred_at: None,
        }
    }

    /// What was given back or lost in a dispute, in minor units.
    #[must_use]
    pub fn returned(&self) -> i64 {
        self.refunded()
            .saturating_add(self.lost())
            .min(self.captured)
    }

    /// What the shop holds, in minor units.
    #[must_use]
    pub fn net(&self) -> i64 {
        self.captured - self.returned()
    }

    /// Whether the buyer has everything back; also when the capture has not been told of yet.
    #[must_use]
    pub fn is_returned(&self) -> bool {
        let whole = self.live_refunds().any(|size| size == RefundSize::Whole)
            || self
                .dispute
                .is_some_and(|dispute| dispute.state.is_loss() && dispute.amount.is_none());
        whole || (self.captured > 0 && self.net() == 0)
    }

    fn live_refunds(&self) -> impl Iterator<Item = RefundSize> {
        self.refunds.iter().filter(|r| !r.reversed).map(|r| r.size)
    }

    fn refunded(&self) -> i64 {
        let mut parts = 0_i64;
        for size in self.live_refunds() {
            match size {
                RefundSize::Whole => return self.captured,
                RefundSize::Part(minor) => parts = parts.saturating_add(minor),
                RefundSize::Total(_) | RefundSize::Unknown => {}
            }
        }
        parts.max(self.refunded_in_total())
    }

    /// The newest sum that was told, without the refunds in it that were reversed since: a sum that
    /// shrinks is not told again by itself.
    fn refunded_in_total(&self) -> i64 {
        let totals = self.refunds.iter().filter(|refund| !refund.reversed);
        let newest = totals
            .filter_map(|refund| match refund.size {
                RefundSize::Total(minor) => Some((refund.occurred_at, minor)),
                RefundSize::Whole | RefundSize::Part(_) | RefundSize::Unknown => None,
            })
            .max();
        let Some((told_at, total)) = newest else {
            return 0;
        };
        let is_since = |refund: &&Refund| {
            refund.reversed && refund.occurred_at.is_none_or(|at| Some(at) >= told_at)
        };
        let reversed = self.refunds.iter().filter(is_since);
        let reversed = reversed.fold(0_i64, |sum, refund| match refund.size {
            RefundSize::Part(minor) => sum.saturating_add(minor),
            RefundSize::Whole | RefundSize::Total(_) | RefundSize::Unknown => sum,
        });
        total.saturating_sub(reversed).max(0)
    }

    fn lost(&self) -> i64 {
        match self.dispute {
            Some(Dispute { state, amount, .. }) if state.is_loss() => {
                amount.unwrap_or(self.captured)
            }
            _ => 0,
        }
    }

    /// # Errors
    /// Why nothing changes: what is known is newer, by the provider's time or else by rank.
    pub(super) fn become_state(
        &mut self,
        state: AttemptState,
        occurred_at: Option<Timestamp>,
    ) -> Result<(), &'static str> {
        // Money that came is never undone by a state, only by a refund.
        if self.state == AttemptState::Paid || self.is_returned() {
            return Err(OLDER);
        }
        let is_newer = match (self.occurred_at, occurred_at) {
            (Some(known), Some(told)) if told != known => told > known,
            _ => state > self.state,
        };
        if !is_newer {
            return Err(OLDER);
        }
        self.state = state;
        self.occurred_at = self.occurred_at.max(occurred_at);
        Ok(())
    }

    /// # Errors
    /// When the attempt is recorded as paid already.
    pub(super) fn capture(&mut self, minor: i64) -> Result<(), &'static str> {
        if self.state == AttemptState::Paid {
            return Err("this attempt is recorded as paid already");
        }
        self.state = AttemptState::Paid;
        self.captured = minor;
        Ok(())
    }

    /// # Errors
    /// When the refund is known, reversed meanwhile or not.
    pub(super) fn refund(&mut self, told: RefundNews) -> Result<(), &'static str> {
        if told.size == RefundSize::Total(0) && self.refunds.is_empty() {
            return Err("nothing was given back");
        }
        let known = self.refunds.iter_mut().find(|known| {
            known.id == told.id
                && (told.id.is_some()
                    || known.size == told.size
                    || known.size == RefundSize::Unknown)
        });
        let Some(known) = known else {
            return self.add_refund(told, false);
        };
        // A sum may come back to what it was, after a reversal and another refund.
        let is_newer_total = matches!(told.size, RefundSize::Total(_))
            && !known.reversed
            && told.occurred_at > known.occurred_at;
        if known.size == RefundSize::Unknown {
            known.size = told.size;
            Ok(())
        } else if is_newer_total {
            known.size = told.size;
            known.occurred_at = told.occurred_at;
            Ok(())
        } else {
            Err(REFUND_KNOWN)
        }
    }

    /// # Errors
    /// When it is reversed already.
    pub(super) fn reverse_refund(&mut self, told: RefundNews) -> Result<(), &'static str> {
        let mut of_id = self
            .refunds
            .iter_mut()
            .filter(|known| known.id == told.id)
            .peekable();
        if of_id.peek().is_none() {
            return self.add_refund(told, true);
        }
        let Some(live) = of_id.find(|known| !known.reversed) else {
            return Err("this refund is recorded as reversed already");
        };
        live.reversed = true;
        live.occurred_at = told.occurred_at;
        Ok(())
    }

    fn add_refund(&mut self, told: RefundNews, reversed: bool) -> Result<(), &'static str> {
        if self.refunds.len() >= Self::REFUNDS_MAX {
            return Err(TOO_MANY_REFUNDS);
        }
        self.refunds.push(Refund {
            id: told.id,
            size: told.size,
            reversed,
            occurred_at: told.occurred_at,
        });
        Ok(())
    }

    /// # Errors
    /// When a later stage of the dispute is known.
    pub(super) fn dispute(&mut self, told: Dispute) -> Result<(), &'static str> {
        let Some(known) = self.dispute else {
            self.dispute = Some(told);
            return Ok(());
        };
        let is_earlier = match (known.occurred_at, told.occurred_at) {
            (Some(known), Some(told)) => told < known,
            _ => false,
        };
        let is_news = match told.state.rank().cmp(&known.state.rank()) {
            Ordering::Greater => true,
            // One decision may replace another: arbitration follows a chargeback.
            Ordering::Equal => told.state != known.state && !is_earlier,
            Ordering::Less => false,
        };
        if !is_news {
            return Err("older than what is known of the dispute");
        }
        self.dispute = Some(Dispute {
            state: told.state,
            amount: told.amount.or(known.amount),
            occurred_at: told.occurred_at.or(known.occurred_at),
        });
        Ok(())
    }
}

/// As rows hold it: the first version kept one amount and two switches.
#[derive(Deserialize)]
struct StoredAttempt {
    id: AttemptId,
    state: Option<AttemptState>,
    #[serde(default)]
    captured: i64,
    #[serde(default)]
    refunds: Vec<Refund>,
    dispute: Option<Dispute>,
    occurred_at: Option<Timestamp>,
    paid: Option<i64>,
    #[serde(default)]
    refunded: bool,
    #[serde(default)]
    failed: bool,
}

impl From<StoredAttempt> for Attempt {
    fn from(stored: StoredAttempt) -> Self {
        let state = stored.state.unwrap_or(match (stored.paid, stored.failed) {
            (Some(_), _) => AttemptState::Paid,
            (None, true) => AttemptState::Failed,
            (None, false) => AttemptState::Created,
        });
        let mut refunds = stored.refunds;
        if stored.refunded {
            refunds.push(Refund {
                id: None,
                size: RefundSize::Whole,
                reversed: false,
                occurred_at: None,
            });
        }
        Self {
            id: stored.id,
            state,
            captured: stored.paid.unwrap_or(stored.captured),
            refunds,
            dispute: stored.dispute,
            occurred_at: stored.occurred_at,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
const fn is_zero(minor: &i64) -> bool {
    *minor == 0
}
