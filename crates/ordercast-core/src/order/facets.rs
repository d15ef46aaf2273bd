//! The truth behind the public word: what was paid in which attempt, what was delivered, how the
//! order's life goes, and what an operator should look at.

use super::{
    Attempt, AttemptState, Content, DisputeState, Flag, Fulfilment, Refusal, Status,
    attempt::NotRecorded,
};
use crate::ids::{AttemptId, Sku, SourceId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "super::stored::StoredFacets")]
pub struct Facets {
    /// In the order in which they were first heard of; at most [`Facets::ATTEMPTS_MAX`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
    /// The price was in at some time. Only the return of everything undoes what follows from it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub settled: bool,
    /// The attempt that brought the price in. It stays, so that a payment which counts later does not
    /// change what the shop was told of this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled_by: Option<AttemptId>,
    pub fulfilment: Fulfilment,
    /// Items that differ from the rest; empty when all are alike.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub items: BTreeMap<Sku, Fulfilment>,
    /// Paid and handed over: the word is `done`, whatever is revoked later.
    pub completed: bool,
    pub life: Life,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub flags: BTreeSet<Flag>,
    /// Why a flag was raised, where its sentence does not say all.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub notes: BTreeMap<Flag, String>,
    /// Flags that follow from the rest and were lowered by hand: hidden until their reason ends.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub lowered: BTreeSet<Flag>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Life {
    #[default]
    Open,
    Expired,
    /// Ended for good; money that comes later needs a decision.
    Canceled,
}

/// The payment facet, derived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum PaymentState {
    None,
    Pending,
    /// The last attempts failed; the buyer may try again.
    Failed,
    Authorized,
    Partial,
    Paid,
    PartiallyRefunded,
    Refunded,
    /// Lost in a dispute.
    Reversed,
}

impl Facets {
    /// Far above any honest buyer; a bound because each attempt is kept in the order's row.
    pub const ATTEMPTS_MAX: usize = 100;

    /// Money that came in and was not given back, in minor units. Where only the shop says that it was
    /// paid, its word counts until real money comes in its place.
    #[must_use]
    pub fn net_paid(&self) -> i64 {
        sum(self.attempts.iter().map(|attempt| self.net_of(attempt)))
    }

    /// What of an attempt counts for the order.
    #[must_use]
    pub fn net_of(&self, attempt: &Attempt) -> i64 {
        if !attempt.id.is_manual() {
            attempt.net()
        } else if self.is_real_money_back() {
            0
        } else {
            self.placeholder(attempt)
                .saturating_sub(attempt.returned())
                .max(0)
        }
    }

    /// What of the shop's word no real money has replaced.
    pub(super) fn placeholder(&self, manual: &Attempt) -> i64 {
        let captured = sum(self.real().map(Attempt::captured));
        let since = captured.saturating_sub(manual.captured_before.unwrap_or(0));
        let word = manual.captured().saturating_sub(since.max(0));
        let room = manual.covers_up_to.map_or(i64::MAX, |up_to| {
            up_to.saturating_sub(sum(self.real().map(Attempt::net)))
        });
        word.min(room).max(0)
    }

    fn real(&self) -> impl Iterator<Item = &Attempt> {
        self.attempts
            .iter()
            .filter(|attempt| !attempt.id.is_manual())
    }

    /// Real money was there, and the buyer has all of it: the shop's word is void with it.
    fn is_real_money_back(&self) -> bool {
        self.real().any(Attempt::is_returned) && self.real().all(|attempt| attempt.net() == 0)
    }

    fn returned(&self) -> i64 {
        sum(self.attempts.iter().map(Attempt::returned))
    }

    /// The buyer has everything back, or what was told as taken never came.
    fn is_returned(&self) -> bool {
        let is_back =
            |attempt: &Attempt| attempt.is_returned() || (self.settled && attempt.is_uncaptured());
        self.net_paid() == 0 && self.attempts.iter().any(is_back)
    }

    #[must_use]
    pub fn payment(&self) -> PaymentState {
        let has = |state| self.attempts.iter().any(|a| a.state == state);
        if self.is_returned() {
            return match self.dispute() {
                Some(DisputeState::Lost | DisputeState::Accepted) => PaymentState::Reversed,
                _ if self.attempts.iter().any(Attempt::is_returned) => PaymentState::Refunded,
                _ => PaymentState::Failed,
            };
        }
        if self.settled && self.returned() > 0 {
            PaymentState::PartiallyRefunded
        } else if self.settled {
            PaymentState::Paid
        } else if self.net_paid() > 0 {
            PaymentState::Partial
        } else if has(AttemptState::Authorized) {
            PaymentState::Authorized
        } else if has(AttemptState::Pending) {
            PaymentState::Pending
        } else if has(AttemptState::Failed) {
            PaymentState::Failed
        } else {
            PaymentState::None
        }
    }

    /// The dispute facet: of several the one that was heard of last.
    #[must_use]
    pub fn dispute(&self) -> Option<DisputeState> {
        self.attempts
            .iter()
            .rev()
            .find_map(|attempt| attempt.disputes.last())
            .map(|dispute| dispute.state)
    }

    /// The public word.
    #[must_use]
    pub fn status(&self, content: &Content) -> Status {
        let is_paid = self.settled || content.is_free();
        if self.life == Life::Canceled || self.is_returned() {
            Status::Canceled
        } else if is_paid && self.completed {
            Status::Done
        } else if is_paid {
            Status::Paid
        } else if self.life == Life::Expired {
            Status::Expired
        } else {
            Status::New
        }
    }

    /// After a change of the rest: whether the price is in, and the flags that follow.
    pub(super) fn refresh(&mut self, content: &Content) {
        let net = self.net_paid();
        if self.is_enough(content, net) {
            self.settle(None);
        }
        self.flags.retain(|flag| flag.stays());
        let following = self.following(content, net);
        self.lowered.retain(|flag| following.contains(flag));
        self.flags.extend(&following - &self.lowered);
        self.notes.retain(|flag, _| self.flags.contains(flag));
    }

    /// The flags that follow from the other facets.
    fn following(&self, content: &Content, net: i64) -> BTreeSet<Flag> {
        let price = price_of(content);
        let rules = || self.attempts.iter().filter_map(paid_enough);
        let (least, most) = (rules().fold(price, i64::min), rules().fold(price, i64::max));
        let mut flags = BTreeSet::new();
        let status = self.status(content);
        let is_duplicate = |attempt: &Attempt| {
            let of_attempt = self.net_of(attempt);
            of_attempt > 0 && net - of_attempt >= least
        };
        if status == Status::Canceled && net > 0 {
            flags.insert(Flag::NeedsDecision);
        } else if net > most && self.attempts.iter().any(is_duplicate) {
            flags.insert(Flag::DuplicatePayment);
        } else if net > most {
            flags.insert(Flag::PaidOver);
        } else if net > 0 && !self.settled {
            flags.insert(Flag::PaidPartial);
        }
        if self.fulfilment == Fulfilment::Delivered
            && matches!(status, Status::New | Status::Expired)
        {
            flags.insert(Flag::DeliveredUnpaid);
        }
        flags
    }

    /// Whether the order is paid with this sum: by its price, or by the rule of a payment's source.
    fn is_enough(&self, content: &Content, net: i64) -> bool {
        let price = price_of(content);
        price > 0
            && (net >= price
                || self
                    .attempts
                    .iter()
                    .filter_map(paid_enough)
                    .any(|least| net >= least))
    }

    /// A refund that is heard of before its payment happened after it: the payment itself counts in
    /// full.
    pub(super) fn settle_by(&mut self, content: &Content, id: &AttemptId) {
        let paid = self.attempts.iter().map(|attempt| {
            if attempt.id != *id {
                self.net_of(attempt)
            } else if attempt.id.is_manual() {
                self.placeholder(attempt)
            } else {
                attempt.captured()
            }
        });
        if self.is_enough(content, sum(paid)) {
            self.settle(Some(id));
        }
    }

    pub(super) fn settle(&mut self, by: Option<&AttemptId>) {
        if !self.settled {
            self.settled_by = by.cloned();
        }
        if !self.settled && self.life == Life::Expired {
            self.life = Life::Open;
            self.flags.insert(Flag::PaidLate);
        }
        self.settled = true;
    }

    /// Why a flag is raised, for people.
    #[must_use]
    pub fn note(&self, flag: Flag) -> &str {
        let note = self.notes.get(&flag);
        note.map_or_else(|| flag.sentence(), String::as_str)
    }

    /// Raises a flag that stays, with what there is to know of it.
    pub(super) fn raise(&mut self, flag: Flag, note: String) {
        self.flags.insert(flag);
        self.notes.insert(flag, note);
    }

    /// By hand. One that follows from the order's money stays away until its reason has ended once.
    pub(super) fn lower(&mut self, flag: Flag) -> Result<(), Refusal> {
        if !self.flags.remove(&flag) {
            return Err(Refusal::NoSuchFlag);
        }
        if !flag.stays() {
            self.lowered.insert(flag);
        }
        Ok(())
    }

    /// The attempt of that name, of that source; a new one if there is none. Attempts that hold
    /// nothing make way for it, those that failed first.
    ///
    /// # Errors
    /// When all that are known must be kept.
    pub(super) fn attempt(
        &mut self,
        id: &AttemptId,
        source: Option<&SourceId>,
    ) -> Result<&mut Attempt, NotRecorded> {
        let is_it = |known: &Attempt| {
            known.id == *id
                && (known.source.is_none() || source.is_none() || known.source.as_ref() == source)
        };
        let at = match self.attempts.iter().position(is_it) {
            Some(at) => at,
            None => {
                if self.attempts.len() >= Self::ATTEMPTS_MAX {
                    let gone = self.least_wanted().ok_or(NotRecorded::TooMany)?;
                    self.attempts.remove(gone);
                }
                self.attempts
                    .push(Attempt::new(id.clone(), source.cloned()));
                self.attempts.len() - 1
            }
        };
        let attempt = &mut self.attempts[at];
        if attempt.source.is_none() && !id.is_manual() {
            attempt.source = source.cloned();
        }
        Ok(attempt)
    }

    fn least_wanted(&self) -> Option<usize> {
        let of_state = |state| {
            let mut attempts = self.attempts.iter();
            attempts.position(|attempt| attempt.state == state && !attempt.has_money())
        };
        [
            AttemptState::Failed,
            AttemptState::Created,
            AttemptState::Pending,
            AttemptState::Authorized,
        ]
        .into_iter()
        .find_map(of_state)
    }
}

/// What is enough by the rule of its source, of an attempt that has paid.
fn paid_enough(attempt: &Attempt) -> Option<i64> {
    attempt
        .enough
        .filter(|_| attempt.state == AttemptState::Paid)
}

fn price_of(content: &Content) -> i64 {
    content.price.map_or(0, |price| price.minor)
}

fn sum(amounts: impl Iterator<Item = i64>) -> i64 {
    amounts.fold(0, i64::saturating_add)
}
