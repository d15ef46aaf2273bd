//! A small second opinion on the rules: one map of money, four switches, no versions.

use crate::support::{Input, PRICE};
use ordercast_core::order::{
    DisputeState, Fact, FulfilmentStep, Refunded, Request, Status, Target,
};
use std::collections::BTreeMap;

#[derive(Default)]
struct Money {
    captured: Option<i64>,
    /// By refund id; the empty one is the whole. Minor units and whether it still stands; `None`:
    /// only its reversal was heard.
    refunds: BTreeMap<String, (Option<i64>, bool)>,
    dispute: Option<DisputeState>,
}

const WHOLE: i64 = i64::MAX;

impl Money {
    fn refunded(&self) -> i64 {
        let stands = self.refunds.values().filter(|(_, stands)| *stands);
        stands
            .filter_map(|(minor, _)| *minor)
            .fold(0, i64::saturating_add)
    }

    fn lost(&self) -> bool {
        self.dispute == Some(DisputeState::Lost)
    }

    fn net(&self) -> i64 {
        let captured = self.captured.unwrap_or(0);
        if self.lost() {
            0
        } else {
            (captured - self.refunded()).max(0)
        }
    }

    fn is_back(&self) -> bool {
        self.lost()
            || self.refunded() == WHOLE
            || (self.captured.unwrap_or(0) > 0 && self.net() == 0)
    }
}

#[derive(Default)]
pub struct Model {
    money: BTreeMap<String, Money>,
    /// The shop's word: what it covered, and what had come before it.
    word: Option<(i64, i64)>,
    settled: bool,
    canceled: bool,
    expired: bool,
    done: bool,
    /// sword, shield
    items: [u8; 2],
}

const NOTHING: u8 = 0;
const GRANTING: u8 = 1;
const DELIVERED: u8 = 2;
const REVOKED: u8 = 3;

impl Model {
    pub fn net(&self) -> i64 {
        let real = self.money.values().map(Money::net).sum::<i64>();
        let is_back = real == 0 && self.money.values().any(Money::is_back);
        match self.word {
            Some((covered, before)) if !is_back => {
                let word = covered - (self.captured() - before).max(0);
                real + word.min(PRICE - real).max(0)
            }
            _ => real,
        }
    }

    fn captured(&self) -> i64 {
        self.money.values().filter_map(|money| money.captured).sum()
    }

    pub fn status(&self) -> Status {
        let is_back = self.net() == 0 && self.money.values().any(Money::is_back);
        if self.canceled || is_back {
            Status::Canceled
        } else if self.done {
            Status::Done
        } else if self.settled {
            Status::Paid
        } else if self.expired {
            Status::Expired
        } else {
            Status::New
        }
    }

    pub fn step(&mut self, input: &Input) {
        let before = self.status();
        let undoes = match input {
            Input::Ask(asked) => {
                self.ask(asked, before);
                false
            }
            Input::Hear(fact)
            | Input::HearAt(fact, _)
            | Input::HearOf(_, fact)
            | Input::HearBy(_, fact)
            | Input::HearFrom(_, fact) => self.hear(fact, before),
        };
        self.settled |= self.net() >= PRICE;
        if before == Status::Canceled && self.status() != Status::Canceled && !undoes {
            self.canceled = true;
        }
        if self.status() == Status::Paid && self.items == [DELIVERED; 2] {
            self.done = true;
        }
    }

    fn hear(&mut self, fact: &Fact, before: Status) -> bool {
        match fact {
            Fact::Paid {
                attempt, amount, ..
            } if amount.minor > 0 => {
                let others: i64 = self.net() - self.of(attempt.as_str()).net();
                let money = self.of(attempt.as_str());
                if money.captured.is_none() {
                    money.captured = Some(amount.minor);
                    self.settled |= others + amount.minor >= PRICE;
                }
            }
            Fact::Refunded {
                attempt,
                refund,
                amount,
            } => {
                let id = refund.as_ref().map_or("", |id| id.as_str()).to_owned();
                let minor = match amount {
                    Refunded::Part(money) => money.minor,
                    _ => WHOLE,
                };
                let known = self
                    .of(attempt.as_str())
                    .refunds
                    .entry(id)
                    .or_insert((None, true));
                known.0 = known.0.or(Some(minor));
            }
            Fact::RefundReversed {
                attempt, refund, ..
            } => {
                let id = refund.as_ref().map_or("", |id| id.as_str()).to_owned();
                self.of(attempt.as_str())
                    .refunds
                    .entry(id)
                    .or_insert((None, false))
                    .1 = false;
                return true;
            }
            Fact::Disputed { attempt, state, .. } => {
                let known = &mut self.of(attempt.as_str()).dispute;
                let is_decision = |state| matches!(state, DisputeState::Won | DisputeState::Lost);
                let is_later = match *known {
                    None => true,
                    Some(DisputeState::Inquiry) => *state != DisputeState::Inquiry,
                    Some(_) => is_decision(*state),
                };
                if is_later {
                    *known = Some(*state);
                }
                return *state == DisputeState::Won && is_later;
            }
            Fact::Expired if before == Status::New => self.expired = true,
            _ => {}
        }
        false
    }

    fn ask(&mut self, asked: &Request, before: Status) {
        match asked {
            Request::Become(Target::Paid) if matches!(before, Status::New | Status::Expired) => {
                self.word = Some((PRICE - self.net(), self.captured()));
            }
            Request::Become(Target::Done) if before == Status::Paid => {
                self.done = true;
                self.items = [DELIVERED; 2];
            }
            Request::Become(Target::Canceled) if before != Status::Canceled => self.canceled = true,
            Request::Fulfil { step, items } => self.fulfil(*step, items, before),
            _ => {}
        }
    }

    fn fulfil(&mut self, step: FulfilmentStep, items: &[ordercast_core::Sku], before: Status) {
        if before == Status::Canceled && step != FulfilmentStep::Revoked {
            return;
        }
        for (at, name) in ["sword", "shield"].into_iter().enumerate() {
            if !items.is_empty() && items[0].as_str() != name {
                continue;
            }
            let from = self.items[at];
            self.items[at] = match step {
                FulfilmentStep::Granting if from == NOTHING => GRANTING,
                FulfilmentStep::Delivered if from < DELIVERED => DELIVERED,
                FulfilmentStep::Revoked if from == GRANTING || from == DELIVERED => REVOKED,
                _ => from,
            };
        }
    }

    fn of(&mut self, attempt: &str) -> &mut Money {
        self.money.entry(attempt.to_owned()).or_default()
    }
}
