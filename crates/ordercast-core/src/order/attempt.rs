//! One try to pay: its own small machine, and the money that came and went through it.
//!
//! What a provider tells of money is kept as sets (captures, refunds and disputes by id), so that any
//! order of arrival ends in the same state.

use super::{
    capture::{self, CAPTURES_MAX, Capture},
    dispute::{self, Dispute},
    refund::{self, NoRefund, Refund, RefundNews, RefundSize, Refunds, Teller},
};
use crate::{
    Timestamp,
    ids::{AttemptId, CaptureId, RefundId, SourceId},
    money::Currency,
};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "super::stored::StoredAttempt")]
pub struct Attempt {
    pub id: AttemptId,
    /// Whose name `id` is; `None`: the server's own, or not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceId>,
    pub state: AttemptState,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub captures: Vec<Capture>,
    /// Its amounts are in another currency than the order's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub foreign: Option<Foreign>,
    /// By the rule of its source, so much of the order's currency is enough.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enough: Option<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refunds: Vec<Refund>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub disputes: Vec<Dispute>,
    /// Of the shop's own word: what had been captured when it was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub captured_before: Option<i64>,
    /// Of the shop's own word: with real money it covers no more than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub covers_up_to: Option<i64>,
    /// When `state` was reached, by the provider's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<Timestamp>,
}

/// Money in another currency than the order's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Foreign {
    pub currency: Currency,
    /// What the provider's checkout asked for is the order's price; `None`: it is not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
}

/// So many minor units of the order's currency for so many of the payment's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    pub price: i64,
    pub total: i64,
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

pub(super) const OLDER: &str = "older than what is known of the attempt";

/// Why something about an attempt is not recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotRecorded {
    /// Nothing is lost by that.
    Known(&'static str),
    /// There is no room: a person must be told.
    TooMany,
    /// It cannot be told from another one: a person must be told.
    MayBeATwin,
    /// Which capture has failed cannot be told: a person must be told.
    WhichCapture,
}

impl From<NoRefund> for NotRecorded {
    fn from(no: NoRefund) -> Self {
        match no {
            NoRefund::Known => Self::Known("this refund is recorded already"),
            NoRefund::Nothing => Self::Known("nothing was given back"),
            NoRefund::MayBeATwin => Self::MayBeATwin,
            NoRefund::TooMany => Self::TooMany,
        }
    }
}

impl Attempt {
    pub const REFUNDS_MAX: usize = refund::REFUNDS_MAX;
    /// Far above any honest payment; a bound because each dispute is kept in the order's row.
    pub const DISPUTES_MAX: usize = 20;

    pub(super) const fn new(id: AttemptId, source: Option<SourceId>) -> Self {
        Self {
            id,
            source,
            state: AttemptState::Created,
            captures: Vec::new(),
            foreign: None,
            enough: None,
            refunds: Vec::new(),
            disputes: Vec::new(),
            captured_before: None,
            covers_up_to: None,
            occurred_at: None,
        }
    }

    /// What came in, in minor units of the order's currency.
    #[must_use]
    pub fn captured(&self) -> i64 {
        self.in_order_currency(self.own_captured())
    }

    /// What was given back or lost in a dispute, in minor units of the order's currency.
    #[must_use]
    pub fn returned(&self) -> i64 {
        self.captured() - self.net()
    }

    /// What the shop holds, in minor units of the order's currency.
    #[must_use]
    pub fn net(&self) -> i64 {
        self.in_order_currency(self.own_captured() - self.own_returned())
    }

    /// In the currency of the payment.
    fn own_captured(&self) -> i64 {
        capture::sum(&self.captures)
    }

    fn own_returned(&self) -> i64 {
        let captured = self.own_captured();
        refund::sum(&self.refunds, captured)
            .saturating_add(self.lost(captured))
            .min(captured)
    }

    fn in_order_currency(&self, minor: i64) -> i64 {
        let Some(foreign) = self.foreign else {
            return minor;
        };
        let Some(Rate { price, total }) = foreign.rate else {
            return 0;
        };
        let minor = i128::from(minor) * i128::from(price) / i128::from(total.max(1));
        i64::try_from(minor).unwrap_or(i64::MAX)
    }

    /// Whether its money is counted for the order.
    #[must_use]
    pub fn is_counted(&self) -> bool {
        self.foreign.is_none_or(|foreign| foreign.rate.is_some())
    }

    /// Whether the buyer has everything back; also when the capture has not been told of yet.
    #[must_use]
    pub fn is_returned(&self) -> bool {
        let mut refunds = self.refunds.iter();
        let whole = refunds.any(|refund| !refund.reversed && refund.size == RefundSize::Whole)
            || self
                .disputes
                .iter()
                .any(|dispute| dispute.is_lost() && dispute.amount.is_none());
        let captured = self.own_captured();
        self.is_counted() && (whole || (captured > 0 && self.own_returned() == captured))
    }

    /// What was told as captured did not come, and nothing else did.
    #[must_use]
    pub fn is_uncaptured(&self) -> bool {
        self.state == AttemptState::Failed && self.captures.iter().any(|capture| capture.failed)
    }

    fn lost(&self, captured: i64) -> i64 {
        let lost = self.disputes.iter().filter(|dispute| dispute.is_lost());
        lost.fold(0_i64, |sum, dispute| {
            sum.saturating_add(dispute.amount.unwrap_or(captured))
        })
    }

    /// Whether anything is known of it that an order must not forget.
    pub(super) fn has_money(&self) -> bool {
        !self.captures.is_empty()
            || !self.refunds.is_empty()
            || !self.disputes.is_empty()
            || self.state == AttemptState::Paid
    }

    /// # Errors
    /// Why nothing changes: what is known is newer, by the provider's time or else by rank.
    pub(super) fn become_state(
        &mut self,
        state: AttemptState,
        occurred_at: Option<Timestamp>,
    ) -> Result<(), NotRecorded> {
        // Money that came is never undone by a state, only by a refund or by its capture's failure.
        if self.state == AttemptState::Paid || self.is_returned() {
            return Err(NotRecorded::Known(OLDER));
        }
        let is_newer = match (self.occurred_at, occurred_at) {
            (Some(known), Some(told)) if told != known => told > known,
            _ => state > self.state,
        };
        if !is_newer {
            return Err(NotRecorded::Known(OLDER));
        }
        self.state = state;
        self.occurred_at = self.occurred_at.max(occurred_at);
        Ok(())
    }

    /// # Errors
    /// When it is recorded already.
    pub(super) fn capture(
        &mut self,
        id: Option<&CaptureId>,
        minor: i64,
    ) -> Result<(), NotRecorded> {
        const KNOWN: &str = "this attempt is recorded as paid already";
        let is_full = self.captures.len() >= CAPTURES_MAX;
        let known = self
            .captures
            .iter_mut()
            .find(|known| known.id.as_ref() == id);
        match known {
            Some(known) if known.failed && known.minor.is_none() => known.minor = Some(minor),
            Some(_) => return Err(NotRecorded::Known(KNOWN)),
            None if is_full => return Err(NotRecorded::TooMany),
            None => self.captures.push(Capture {
                id: id.cloned(),
                minor: Some(minor),
                failed: false,
            }),
        }
        self.follow_captures();
        Ok(())
    }

    /// # Errors
    /// When that is recorded already.
    pub(super) fn uncapture(
        &mut self,
        id: Option<&CaptureId>,
        minor: Option<i64>,
        occurred_at: Option<Timestamp>,
    ) -> Result<(), NotRecorded> {
        let at = match self
            .captures
            .iter()
            .position(|known| known.id.as_ref() == id)
        {
            None if id.is_none() && !self.captures.is_empty() => Some(self.unnamed_capture(minor)?),
            at => at,
        };
        let is_full = self.captures.len() >= CAPTURES_MAX;
        match at.map(|at| &mut self.captures[at]) {
            Some(known) if known.failed => {
                return Err(NotRecorded::Known(
                    "this capture is recorded as failed already",
                ));
            }
            Some(known) => known.failed = true,
            None if is_full => return Err(NotRecorded::TooMany),
            None => self.captures.push(Capture {
                id: id.cloned(),
                minor,
                failed: true,
            }),
        }
        self.occurred_at = self.occurred_at.max(occurred_at);
        self.follow_captures();
        Ok(())
    }

    /// The part that a failure without a name is about: the only one, or the only one of that amount.
    fn unnamed_capture(&self, minor: Option<i64>) -> Result<usize, NotRecorded> {
        let only = |is_it: &dyn Fn(&Capture) -> bool| {
            let live = |(at, capture): (usize, &Capture)| {
                (!capture.failed && is_it(capture)).then_some(at)
            };
            let mut found = self.captures.iter().enumerate().filter_map(live);
            found.next().filter(|_| found.next().is_none())
        };
        only(&|_| true)
            .or_else(|| only(&|capture| minor.is_some() && capture.minor == minor))
            .ok_or(NotRecorded::WhichCapture)
    }

    /// Paid while any capture stands.
    fn follow_captures(&mut self) {
        let stands = self.captures.iter().any(|capture| !capture.failed);
        let is_zero = stands && self.captures.iter().all(|capture| capture.minor == Some(0));
        self.state = if self.own_captured() > 0 || is_zero {
            AttemptState::Paid
        } else {
            AttemptState::Failed
        };
    }

    /// # Errors
    /// When the refund is known, reversed meanwhile or not.
    pub(super) fn refund(&mut self, told: RefundNews) -> Result<(), NotRecorded> {
        Ok(self.refunds_mut().told(told)?)
    }

    /// # Errors
    /// When it is reversed already.
    pub(super) fn reverse_refund(&mut self, told: RefundNews) -> Result<(), NotRecorded> {
        Ok(self.refunds_mut().reversed(told)?)
    }

    pub(super) fn shop_refund_joins(
        &mut self,
        id: &RefundId,
        minor: Option<i64>,
    ) -> Option<Result<(), NoRefund>> {
        self.refunds_mut().shop_joins(id, minor)
    }

    /// Whether its provider has told of a refund that the shop has not.
    pub(super) fn has_unconfirmed_refund_of(&self, minor: Option<i64>) -> bool {
        let captured = self.own_captured();
        minor.is_some_and(|minor| refund::is_any_unclaimed_of(&self.refunds, minor, captured))
    }

    pub(super) fn shop_refund(&mut self, id: RefundId, minor: i64) -> Result<(), NoRefund> {
        let told = RefundNews {
            id: Some(id),
            size: RefundSize::Part(minor),
            occurred_at: None,
        };
        self.refunds_mut().add(told, Teller::Shop, false)
    }

    fn refunds_mut(&mut self) -> Refunds<'_> {
        let captured = self.own_captured();
        Refunds {
            list: &mut self.refunds,
            captured,
        }
    }

    /// # Errors
    /// When a later stage of the dispute is known.
    pub(super) fn dispute(&mut self, told: Dispute) -> Result<(), NotRecorded> {
        match dispute::position(&self.disputes, told.id.as_ref()) {
            Some(at) => self.disputes[at].advance(told).map_err(NotRecorded::Known),
            None if self.disputes.len() >= Self::DISPUTES_MAX => Err(NotRecorded::TooMany),
            None => {
                self.disputes.push(told);
                Ok(())
            }
        }
    }

    /// Its currency is that of its first capture.
    ///
    /// # Errors
    /// When it counts in another one.
    pub(super) fn captured_in(
        &mut self,
        currency: Currency,
        of_order: Currency,
    ) -> Result<(), OtherCurrency> {
        if self.currency(of_order) == currency {
            return Ok(());
        }
        if self.has_money() {
            return Err(OtherCurrency);
        }
        self.foreign = Some(Foreign {
            currency,
            rate: None,
        });
        Ok(())
    }

    pub(super) fn currency(&self, of_order: Currency) -> Currency {
        self.foreign.map_or(of_order, |foreign| foreign.currency)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OtherCurrency;
