//! What is heard of an order: something that happened outside, in the order's own terms.

use super::{DisputeState, Mode, PriceRule, RefundSize};
use crate::{
    Timestamp,
    ids::{AttemptId, CaptureId, DisputeId, RefundId, SourceId},
    money::{Currency, Money},
};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A fact, and how it was told.
#[derive(Clone, Copy, Debug)]
pub struct Heard<'a> {
    pub fact: &'a Fact,
    /// By the provider's clock. It decides between states of one attempt only; what came in and went
    /// out of money counts whenever it is heard of.
    pub occurred_at: Option<Timestamp>,
    /// Test or live money, if it was told.
    pub mode: Option<Mode>,
    /// Who told it: names of payments are its own.
    pub source: Option<&'a SourceId>,
    pub rule: PriceRule,
}

impl<'a> Heard<'a> {
    #[must_use]
    pub const fn new(fact: &'a Fact) -> Self {
        Self {
            fact,
            occurred_at: None,
            mode: None,
            source: None,
            rule: PriceRule::Exact,
        }
    }
}

/// Something that happened outside, in the order's own terms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    /// The payment is on its way; nothing is promised.
    PaymentPending {
        attempt: AttemptId,
    },
    /// The money is reserved, not yet taken.
    PaymentAuthorized {
        attempt: AttemptId,
    },
    PaymentFailed {
        attempt: AttemptId,
    },
    /// Money is in: the payment as a whole, or the part of it that `capture` names.
    Paid {
        attempt: AttemptId,
        amount: Money,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        capture: Option<CaptureId>,
        /// What the provider's own checkout asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        total: Option<Money>,
        /// The same money in another currency, where the provider tells both.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        equivalent: Option<Money>,
    },
    /// A capture that was told as done did not happen: that money is out again.
    CaptureFailed {
        attempt: AttemptId,
        /// `None`: the capture of the payment as a whole.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        capture: Option<CaptureId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        amount: Option<Money>,
    },
    /// The provider says that nothing is due, for example because of a coupon of 100 %.
    NothingDue {
        attempt: AttemptId,
    },
    /// Money moved, and how much could not be read: no sum of ours changes.
    Unreadable {
        attempt: AttemptId,
        about: UnreadableAmount,
        /// As it was told, at most 100 bytes.
        told: String,
    },
    /// A refund without a name of its own was told once more: the same one, or a second one.
    MayBeATwin {
        attempt: AttemptId,
    },
    /// Money was given back.
    Refunded {
        attempt: AttemptId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refund: Option<RefundId>,
        #[serde(default)]
        amount: Refunded,
    },
    /// A refund failed or was taken back.
    RefundReversed {
        attempt: AttemptId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refund: Option<RefundId>,
        /// How much it was, if that is told: sums that were told before have it in them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        amount: Option<Money>,
    },
    Disputed {
        attempt: AttemptId,
        state: DisputeState,
        /// `None`: about the whole payment.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        amount: Option<Money>,
        /// `None`: the provider has no names for disputes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dispute: Option<DisputeId>,
    },
    /// The stated life of a `new` order ended.
    Expired,
}

/// What an amount is of that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnreadableAmount {
    Payment,
    Refund,
    Dispute,
}

impl Fact {
    /// The payment as a whole is in.
    #[must_use]
    pub const fn paid(attempt: AttemptId, amount: Money) -> Self {
        Self::Paid {
            attempt,
            amount,
            capture: None,
            total: None,
            equivalent: None,
        }
    }

    /// As it counts for an order in this currency: of money that is told in two, the one that fits.
    #[must_use]
    pub fn counted_in(&self, currency: Currency) -> Cow<'_, Self> {
        match self {
            Self::Paid {
                attempt,
                amount,
                capture,
                total,
                equivalent: Some(other),
            } if other.currency == currency && amount.currency != currency => {
                Cow::Owned(Self::Paid {
                    attempt: attempt.clone(),
                    amount: *other,
                    capture: capture.clone(),
                    total: total
                        .filter(|total| total.currency == currency)
                        .or(Some(*other)),
                    equivalent: Some(*amount),
                })
            }
            fact => Cow::Borrowed(fact),
        }
    }

    /// The payment that it is about.
    #[must_use]
    pub const fn attempt(&self) -> Option<&AttemptId> {
        match self {
            Self::PaymentPending { attempt }
            | Self::PaymentAuthorized { attempt }
            | Self::PaymentFailed { attempt }
            | Self::Paid { attempt, .. }
            | Self::CaptureFailed { attempt, .. }
            | Self::NothingDue { attempt }
            | Self::Unreadable { attempt, .. }
            | Self::MayBeATwin { attempt }
            | Self::Refunded { attempt, .. }
            | Self::RefundReversed { attempt, .. }
            | Self::Disputed { attempt, .. } => Some(attempt),
            Self::Expired => None,
        }
    }

    /// The same, told of a payment by another name.
    #[must_use]
    pub fn with_attempt(mut self, name: AttemptId) -> Self {
        match &mut self {
            Self::PaymentPending { attempt }
            | Self::PaymentAuthorized { attempt }
            | Self::PaymentFailed { attempt }
            | Self::Paid { attempt, .. }
            | Self::CaptureFailed { attempt, .. }
            | Self::NothingDue { attempt }
            | Self::Unreadable { attempt, .. }
            | Self::MayBeATwin { attempt }
            | Self::Refunded { attempt, .. }
            | Self::RefundReversed { attempt, .. }
            | Self::Disputed { attempt, .. } => *attempt = name,
            Self::Expired => {}
        }
        self
    }
}

/// How much was given back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refunded {
    /// The whole payment of the attempt.
    #[default]
    Whole,
    /// By this refund.
    Part(Money),
    /// By all refunds of the attempt together.
    Total(Money),
}

impl Refunded {
    pub(super) const fn size(self) -> RefundSize {
        match self {
            Self::Whole => RefundSize::Whole,
            Self::Part(money) => RefundSize::Part(money.minor),
            Self::Total(money) => RefundSize::Total(money.minor),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_money_that_is_told_in_two_currencies_the_orders_own_counts() {
        let money = |text: &str, code: &str| {
            Money::parse(text, Currency::new(code).expect("a code")).expect("an amount")
        };
        let (euros, coins) = (money("92.50", "EUR"), money("100", "USDC"));
        let paid = |amount, equivalent| Fact::Paid {
            attempt: AttemptId::new("co_1").expect("an id"),
            amount,
            capture: None,
            total: None,
            equivalent,
        };
        let told = paid(euros, Some(coins));
        for (currency, counted) in [("EUR", euros), ("USDC", coins), ("USD", euros)] {
            let code = Currency::new(currency).expect("a code");
            let fact = told.counted_in(code);
            let Fact::Paid { amount, .. } = fact.as_ref() else {
                panic!("{fact:?}")
            };
            assert_eq!(*amount, counted, "{currency}");
        }
        assert_eq!(
            *paid(euros, None).counted_in(coins.currency),
            paid(euros, None)
        );
    }
}
