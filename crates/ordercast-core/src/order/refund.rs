//! Refunds of one payment, told by its provider, by the shop, or by both.
//!
//! Invariant: money that went back once is counted once, whoever tells of it and in whatever order. A
//! refund that one side has told is confirmed by the other side's refund of the same name, or else of
//! the same amount, one to one.

use crate::{Timestamp, ids::RefundId};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// As it was named first; `None`: the provider has no names for refunds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<RefundId>,
    /// What the other side calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub also: Option<RefundId>,
    #[serde(default, skip_serializing_if = "Teller::is_provider")]
    pub told_by: Teller,
    pub size: RefundSize,
    /// It failed or was taken back: the money is with the shop again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reversed: bool,
    /// When this was last told, by the provider's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Teller {
    #[default]
    Provider,
    /// The shop alone: no provider has confirmed it yet.
    Shop,
    Both,
}

impl Teller {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
    fn is_provider(&self) -> bool {
        *self == Self::Provider
    }
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

impl Refund {
    /// By its provider or by the shop.
    #[must_use]
    pub fn is_named(&self, id: &RefundId) -> bool {
        self.id.as_ref() == Some(id) || self.also.as_ref() == Some(id)
    }

    /// A provider has told it, and no word of the shop.
    fn is_unclaimed_of(&self, minor: i64, captured: i64) -> bool {
        let is_equal = match self.size {
            RefundSize::Whole => minor == captured,
            RefundSize::Part(part) => minor == part,
            RefundSize::Total(_) | RefundSize::Unknown => false,
        };
        self.told_by == Teller::Provider && !self.reversed && is_equal
    }
}

/// What is heard of a refund.
#[derive(Clone, Debug)]
pub(super) struct RefundNews {
    pub id: Option<RefundId>,
    pub size: RefundSize,
    pub occurred_at: Option<Timestamp>,
}

/// Why a refund changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoRefund {
    Known,
    /// It has no name, and one of the same amount is known: the same one, or a second one.
    MayBeATwin,
    Nothing,
    TooMany,
}

/// Far above any honest payment; a bound because each refund is kept in the order's row.
pub(super) const REFUNDS_MAX: usize = 100;

#[derive(Debug)]
pub(super) struct Refunds<'a> {
    pub list: &'a mut Vec<Refund>,
    pub captured: i64,
}

impl Refunds<'_> {
    /// The provider tells of one.
    pub(super) fn told(&mut self, told: RefundNews) -> Result<(), NoRefund> {
        if told.size == RefundSize::Total(0) && self.list.is_empty() {
            return Err(NoRefund::Nothing);
        }
        if let Some(at) = self.known(&told) {
            return self.told_again(at, told);
        }
        self.confirm_or_add(told, false)
    }

    fn confirm_or_add(&mut self, told: RefundNews, reversed: bool) -> Result<(), NoRefund> {
        let Some(at) = self.confirms(&told) else {
            return self.add(told, Teller::Provider, reversed);
        };
        let known = &mut self.list[at];
        known.told_by = Teller::Both;
        known.also = told.id;
        known.size = told.size;
        known.reversed = reversed;
        known.occurred_at = told.occurred_at;
        Ok(())
    }

    fn known(&self, told: &RefundNews) -> Option<usize> {
        self.list.iter().position(|known| match &told.id {
            Some(_) => known.id == told.id || known.also == told.id,
            None => {
                let is_named = match known.told_by {
                    Teller::Provider => known.id.is_some(),
                    Teller::Shop => true,
                    Teller::Both => known.also.is_some(),
                };
                !is_named && (known.size == told.size || known.size == RefundSize::Unknown)
            }
        })
    }

    fn told_again(&mut self, at: usize, told: RefundNews) -> Result<(), NoRefund> {
        let known = &mut self.list[at];
        let is_ours = known.id == told.id && told.id.is_some();
        match known.told_by {
            // The shop has named it as its provider does.
            Teller::Shop => {
                known.told_by = Teller::Both;
                known.also.clone_from(&told.id);
                known.size = told.size;
                known.occurred_at = told.occurred_at;
                return Ok(());
            }
            // Another one of that amount was taken for it; now its own name is told.
            Teller::Both if is_ours && known.also != told.id => {
                let other = RefundNews {
                    id: std::mem::replace(&mut known.also, told.id.clone()),
                    size: known.size,
                    occurred_at: known.occurred_at,
                };
                known.size = told.size;
                known.occurred_at = told.occurred_at;
                let was_reversed = std::mem::take(&mut known.reversed);
                return self.confirm_or_add(other, was_reversed);
            }
            Teller::Both | Teller::Provider => {}
        }
        // A sum may come back to what it was, after a reversal and another refund.
        let is_newer_total = matches!(told.size, RefundSize::Total(_))
            && !known.reversed
            && told.occurred_at > known.occurred_at;
        if known.size == RefundSize::Unknown {
            self.learn_size(at, &told);
            Ok(())
        } else if is_newer_total {
            known.size = told.size;
            known.occurred_at = told.occurred_at;
            Ok(())
        } else if told.id.is_none() && matches!(told.size, RefundSize::Part(_)) {
            Err(NoRefund::MayBeATwin)
        } else {
            Err(NoRefund::Known)
        }
    }

    /// Only its reversal was known: it may be the reversal of one that the shop has told.
    fn learn_size(&mut self, at: usize, told: &RefundNews) {
        self.list[at].size = told.size;
        if let Some(confirmed) = self.confirms(told) {
            let reversed = self.list.remove(at);
            let at = if confirmed > at {
                confirmed - 1
            } else {
                confirmed
            };
            let known = &mut self.list[at];
            known.told_by = Teller::Both;
            known.also = reversed.id;
            known.size = told.size;
            known.reversed = true;
            known.occurred_at = reversed.occurred_at;
        }
    }

    /// One of the shop's that is told here by its provider.
    fn confirms(&self, told: &RefundNews) -> Option<usize> {
        let minor = match told.size {
            RefundSize::Part(minor) => minor,
            RefundSize::Whole if self.captured > 0 => self.captured,
            RefundSize::Whole | RefundSize::Total(_) | RefundSize::Unknown => return None,
        };
        self.list.iter().position(|known| {
            known.told_by == Teller::Shop
                && !known.reversed
                && known.size == RefundSize::Part(minor)
        })
    }

    /// The provider tells that one failed.
    pub(super) fn reversed(&mut self, told: RefundNews) -> Result<(), NoRefund> {
        let is_it = |known: &Refund| match &told.id {
            Some(_) => known.id == told.id || known.also == told.id,
            None => match known.told_by {
                Teller::Provider => known.id.is_none(),
                Teller::Shop => false,
                Teller::Both => known.also.is_none(),
            },
        };
        let live = self
            .list
            .iter()
            .position(|known| is_it(known) && !known.reversed);
        let at = match live {
            Some(at) => at,
            None if self.list.iter().any(is_it) => return Err(NoRefund::Known),
            None => match self.confirms(&told) {
                Some(at) => {
                    self.list[at].told_by = Teller::Both;
                    self.list[at].also.clone_from(&told.id);
                    at
                }
                None => return self.add(told, Teller::Provider, true),
            },
        };
        self.list[at].reversed = true;
        self.list[at].occurred_at = told.occurred_at;
        Ok(())
    }

    /// The shop tells of one that is known by its name, or by its amount alone.
    /// `None`: of none that is known.
    pub(super) fn shop_joins(
        &mut self,
        id: &RefundId,
        minor: Option<i64>,
    ) -> Option<Result<(), NoRefund>> {
        let captured = self.captured;
        if let Some(known) = self.list.iter_mut().find(|known| known.is_named(id)) {
            let is_equal = minor.is_none_or(|minor| known.is_unclaimed_of(minor, captured));
            if known.told_by != Teller::Provider || !is_equal || known.reversed {
                return Some(Err(NoRefund::Known));
            }
            known.told_by = Teller::Both;
            known.also = Some(id.clone());
            return Some(Ok(()));
        }
        let minor = minor?;
        let mut list = self.list.iter_mut();
        let known = list.find(|known| known.is_unclaimed_of(minor, captured))?;
        // The shop's name first, as if it had told before its provider.
        known.also = known.id.replace(id.clone());
        known.told_by = Teller::Both;
        Some(Ok(()))
    }

    pub(super) fn add(
        &mut self,
        told: RefundNews,
        told_by: Teller,
        reversed: bool,
    ) -> Result<(), NoRefund> {
        if self.list.len() >= REFUNDS_MAX {
            return Err(NoRefund::TooMany);
        }
        self.list.push(Refund {
            id: told.id,
            also: None,
            told_by,
            size: told.size,
            reversed,
            occurred_at: told.occurred_at,
        });
        Ok(())
    }
}

pub(super) fn is_any_unclaimed_of(refunds: &[Refund], minor: i64, captured: i64) -> bool {
    refunds
        .iter()
        .any(|known| known.is_unclaimed_of(minor, captured))
}

/// What went back, of all that was captured.
pub(super) fn sum(refunds: &[Refund], captured: i64) -> i64 {
    let live = || refunds.iter().filter(|refund| !refund.reversed);
    if live().any(|refund| refund.size == RefundSize::Whole) {
        return captured;
    }
    let part = |refund: &Refund| match refund.size {
        RefundSize::Part(minor) => minor,
        RefundSize::Whole | RefundSize::Total(_) | RefundSize::Unknown => 0,
    };
    let told = live()
        .filter(|refund| refund.told_by != Teller::Shop)
        .fold(0_i64, |sum, refund| sum.saturating_add(part(refund)));
    let total = newest_total(refunds);
    told.max(total)
        .saturating_add(beyond_total(refunds, total.saturating_sub(told)))
}

/// What the shop alone has told, beyond the sum that its provider tells. `room`: how much of that sum
/// no named refund explains. What the shop told before the sum is in it, as far as it fits; what it
/// told after, only if the sum has just grown by as much.
fn beyond_total(refunds: &[Refund], room: i64) -> i64 {
    let mut room = room.max(0);
    let mut totals: Vec<i64> = refunds.iter().filter_map(total_of).collect();
    totals.sort_unstable();
    let mut before = 0;
    let mut steps: Vec<i64> = Vec::new();
    for total in totals {
        steps.push(total - before);
        before = total;
    }
    let newest = refunds
        .iter()
        .rposition(|refund| total_of(refund).is_some());
    let mut beyond = 0_i64;
    for (at, refund) in refunds.iter().enumerate() {
        let (Teller::Shop, RefundSize::Part(minor), false) =
            (refund.told_by, refund.size, refund.reversed)
        else {
            continue;
        };
        let step = steps.iter().position(|step| *step == minor);
        let is_earlier = newest.is_some_and(|newest| at < newest);
        if minor <= room && (is_earlier || step.is_some()) {
            room -= minor;
            if let Some(step) = step {
                steps.remove(step);
            }
        } else {
            beyond = beyond.saturating_add(minor);
        }
    }
    beyond
}

const fn total_of(refund: &Refund) -> Option<i64> {
    match refund.size {
        RefundSize::Total(minor) if !refund.reversed => Some(minor),
        RefundSize::Total(_) | RefundSize::Whole | RefundSize::Part(_) | RefundSize::Unknown => {
            None
        }
    }
}

/// The newest sum that was told, without the refunds in it that were reversed since: a sum that
/// shrinks is not told again by itself.
fn newest_total(refunds: &[Refund]) -> i64 {
    let newest = refunds
        .iter()
        .filter_map(|refund| Some((refund.occurred_at, total_of(refund)?)))
        .max();
    let Some((told_at, total)) = newest else {
        return 0;
    };
    let is_since = |refund: &&Refund| {
        refund.reversed && refund.occurred_at.is_none_or(|at| Some(at) >= told_at)
    };
    let reversed = refunds.iter().filter(is_since);
    let reversed = reversed.fold(0_i64, |sum, refund| match refund.size {
        RefundSize::Part(minor) => sum.saturating_add(minor),
        RefundSize::Whole | RefundSize::Total(_) | RefundSize::Unknown => sum,
    });
    total.saturating_sub(reversed).max(0)
}
