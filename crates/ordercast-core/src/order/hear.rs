//! What a fact does to the facets of an order.

use super::{
    AttemptState, Dispute, Facets, Fact, Flag, Foreign, Heard, Life, Mode, Order, PriceRule, Rate,
    RefundSize, Refunded, Status, UnreadableAmount,
    apply::Undo,
    attempt::{Attempt, NotRecorded},
    refund::RefundNews,
};
use crate::{
    ids::{AttemptId, CaptureId},
    money::Money,
};

/// # Errors
/// Why nothing changes.
pub(super) fn hear(
    order: &Order,
    heard: &Heard<'_>,
    facets: &mut Facets,
) -> Result<Undo, &'static str> {
    let Some(attempt) = heard.fact.attempt() else {
        return expire(order, facets);
    };
    if attempt.is_manual() {
        return Err("its payment has a name that the server gives to the shop's own word");
    }
    let price = order
        .content
        .price
        .filter(|price| price.minor > 0)
        .ok_or("the order costs no money")?;
    if let Some(flag) = foreign_mode(order, heard) {
        facets.raise_of(attempt, flag);
        return Ok(Undo::No);
    }
    let mut hearing = Hearing {
        heard,
        attempt,
        price,
        facets,
    };
    let flag = match hearing.record(order) {
        Ok(undo) => return Ok(undo),
        Err(NotRecorded::Known(reason)) => return Err(reason),
        Err(NotRecorded::TooMany) => Flag::TooManyRecords,
        Err(NotRecorded::MayBeATwin) => Flag::RefundRepeated,
        Err(NotRecorded::WhichCapture) => Flag::CaptureFailed,
    };
    facets.raise_of(attempt, flag);
    Ok(Undo::No)
}

fn expire(order: &Order, facets: &mut Facets) -> Result<Undo, &'static str> {
    if order.status() != Status::New {
        return Err("only a new order expires");
    }
    facets.life = Life::Expired;
    Ok(Undo::No)
}

/// Test money pays no live order, and live money no test order: that is looked at by a person.
fn foreign_mode(order: &Order, heard: &Heard<'_>) -> Option<Flag> {
    match (order.mode, heard.mode?) {
        (Mode::Default, Mode::Sandbox) => Some(Flag::TestPayment),
        (Mode::Sandbox, Mode::Default) => Some(Flag::LivePayment),
        (Mode::Default, Mode::Default) | (Mode::Sandbox, Mode::Sandbox) => None,
    }
}

struct Hearing<'a> {
    heard: &'a Heard<'a>,
    attempt: &'a AttemptId,
    price: Money,
    facets: &'a mut Facets,
}

impl Hearing<'_> {
    fn record(&mut self, order: &Order) -> Result<Undo, NotRecorded> {
        match self.heard.fact {
            Fact::PaymentPending { .. } => self.state(AttemptState::Pending),
            Fact::PaymentAuthorized { .. } => self.state(AttemptState::Authorized),
            Fact::PaymentFailed { .. } => self.state(AttemptState::Failed),
            Fact::NothingDue { .. } => self.nothing_due(),
            Fact::Paid { amount, .. } if amount.minor == 0 => self.nothing_due(),
            Fact::Paid {
                amount,
                capture,
                total,
                ..
            } => self.paid(order, *amount, capture.as_ref(), *total),
            Fact::CaptureFailed {
                capture, amount, ..
            } => self.capture_failed(capture.as_ref(), *amount),
            Fact::Unreadable { about, told, .. } => Ok(self.unreadable(*about, told)),
            Fact::MayBeATwin { .. } => Err(NotRecorded::MayBeATwin),
            Fact::Refunded { refund, amount, .. } => {
                let told = match amount {
                    Refunded::Whole => None,
                    Refunded::Part(money) | Refunded::Total(money) => Some(*money),
                };
                if let Some(told) = told
                    && !self.is_in_its_currency(told)?
                {
                    return Ok(self.mismatch("refund of payment", told));
                }
                let news = RefundNews {
                    id: refund.clone(),
                    size: amount.size(),
                    occurred_at: self.heard.occurred_at,
                };
                self.found()?.refund(news)?;
                Ok(Undo::No)
            }
            Fact::RefundReversed { refund, amount, .. } => {
                let minor = self.in_its_currency(*amount)?;
                let news = RefundNews {
                    id: refund.clone(),
                    size: minor.map_or(RefundSize::Unknown, RefundSize::Part),
                    occurred_at: self.heard.occurred_at,
                };
                self.found()?.reverse_refund(news)?;
                Ok(Undo::Yes)
            }
            Fact::Disputed {
                state,
                amount,
                dispute,
                ..
            } => {
                let minor = self.in_its_currency(*amount)?;
                // Banks count in their own currency, and most disputes are about the whole: what is
                // lost is lost all the same. A person is told.
                if let (Some(told), None, true) = (*amount, minor, state.may_cost()) {
                    self.mismatch("dispute of payment", told);
                }
                let occurred_at = self.heard.occurred_at;
                self.found()?.dispute(Dispute {
                    id: dispute.clone(),
                    state: *state,
                    amount: minor,
                    occurred_at,
                })?;
                let gives_back = state.gives_back();
                Ok(if gives_back { Undo::Yes } else { Undo::No })
            }
            Fact::Expired => Err(NotRecorded::Known("only a new order expires")),
        }
    }

    fn found(&mut self) -> Result<&mut Attempt, NotRecorded> {
        self.facets.attempt(self.attempt, self.heard.source)
    }

    fn state(&mut self, state: AttemptState) -> Result<Undo, NotRecorded> {
        const FULL: &str = "the order has too many payment attempts";
        let occurred_at = self.heard.occurred_at;
        let found = self.found().map_err(|no| match no {
            // Nothing is lost with a try that no money belongs to.
            NotRecorded::TooMany => NotRecorded::Known(FULL),
            other => other,
        });
        found?.become_state(state, occurred_at)?;
        Ok(Undo::No)
    }

    fn nothing_due(&mut self) -> Result<Undo, NotRecorded> {
        match self.heard.rule {
            PriceRule::ProviderTotal => {
                let found = self.found()?;
                found.enough = Some(0);
                found.capture(None, 0)?;
                self.facets.settle(Some(self.attempt));
            }
            PriceRule::Exact | PriceRule::AtLeast { .. } => {
                self.facets.raise_of(self.attempt, Flag::NothingDue);
            }
        }
        Ok(Undo::No)
    }

    fn paid(
        &mut self,
        order: &Order,
        amount: Money,
        capture: Option<&CaptureId>,
        total: Option<Money>,
    ) -> Result<Undo, NotRecorded> {
        let (price, rule) = (self.price, self.heard.rule);
        let attempt = self.found()?;
        let is_other = attempt.captured_in(amount.currency, price.currency);
        if is_other.is_err() {
            return Ok(self.mismatch("payment", amount));
        }
        let total = total.filter(|total| total.currency == amount.currency);
        let is_ruled = attempt.follow_rule(rule, price, total);
        let was_uncaptured = attempt.is_uncaptured();
        match attempt.capture(capture, amount.minor) {
            Err(NotRecorded::Known(_)) if is_ruled => {}
            other => other?,
        }
        if !attempt.is_counted() {
            self.mismatch("payment", amount);
        }
        self.facets.settle_by(&order.content, self.attempt);
        Ok(if was_uncaptured { Undo::Yes } else { Undo::No })
    }

    fn capture_failed(
        &mut self,
        capture: Option<&CaptureId>,
        amount: Option<Money>,
    ) -> Result<Undo, NotRecorded> {
        let occurred_at = self.heard.occurred_at;
        let minor = self.in_its_currency(amount)?;
        let attempt = self.found()?;
        let before = attempt.captured();
        attempt.uncapture(capture, minor, occurred_at)?;
        if attempt.captured() < before {
            self.facets.raise_of(self.attempt, Flag::CaptureFailed);
        }
        Ok(Undo::No)
    }

    fn unreadable(&mut self, about: UnreadableAmount, told: &str) -> Undo {
        let what = match about {
            UnreadableAmount::Payment => "payment",
            UnreadableAmount::Refund => "refund of payment",
            UnreadableAmount::Dispute => "dispute of payment",
        };
        let attempt = self.attempt;
        let note = format!("{what} {attempt}: the amount cannot be read: {told}");
        self.facets.raise(Flag::UnreadableAmount, note);
        Undo::No
    }

    fn is_in_its_currency(&mut self, money: Money) -> Result<bool, NotRecorded> {
        let of_order = self.price.currency;
        Ok(self.found()?.currency(of_order) == money.currency)
    }

    /// `None`: not told, or told in another currency.
    fn in_its_currency(&mut self, amount: Option<Money>) -> Result<Option<i64>, NotRecorded> {
        Ok(match amount {
            Some(told) if self.is_in_its_currency(told)? => Some(told.minor),
            _ => None,
        })
    }

    fn mismatch(&mut self, what: &str, money: Money) -> Undo {
        let attempt = self.attempt;
        let note = format!("{what} {attempt}: {money} is not in the currency of the order");
        self.facets.raise(Flag::AmountMismatch, note);
        Undo::No
    }
}

impl Facets {
    fn raise_of(&mut self, attempt: &AttemptId, flag: Flag) {
        self.raise(flag, format!("payment {attempt}: {}", flag.sentence()));
    }
}

impl Attempt {
    /// What is enough by the rule of its source; whether that is news.
    fn follow_rule(&mut self, rule: PriceRule, price: Money, total: Option<Money>) -> bool {
        let before = (self.enough, self.foreign);
        let total = total.filter(|total| total.minor > 0);
        match (rule, &mut self.foreign, total) {
            (PriceRule::ProviderTotal, Some(Foreign { rate, .. }), Some(total)) => {
                let price = price.minor;
                rate.get_or_insert(Rate {
                    price,
                    total: total.minor,
                });
                self.enough = Some(price);
            }
            (PriceRule::ProviderTotal, None, Some(total)) => {
                self.enough.get_or_insert(total.minor);
            }
            (PriceRule::AtLeast { percent }, None, _) => {
                self.enough.get_or_insert(part_of(price, percent));
            }
            (PriceRule::Exact | PriceRule::AtLeast { .. } | PriceRule::ProviderTotal, _, _) => {}
        }
        before != (self.enough, self.foreign)
    }
}

/// Rounded up.
fn part_of(price: Money, percent: u8) -> i64 {
    let part = (i128::from(price.minor) * i128::from(percent) + 99) / 100;
    i64::try_from(part).unwrap_or(price.minor)
}
