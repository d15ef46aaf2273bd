//! What a body says, before it is decided what its word means.

use super::{Amount, Event, EventError, Mapping, Meaning, Subject, json::bounded};
use crate::{
    Timestamp,
    ids::{AttemptId, CaptureId, DisputeId, OrderId, RefundId},
    money::Money,
    order::{DisputeState, Fact, Mode, Refunded, UnreadableAmount},
};

#[derive(Clone, Debug, Default)]
pub struct Told {
    /// The provider's word, with its condition behind a colon where the word alone does not decide.
    pub word: String,
    pub dedup_key: String,
    pub order: Option<OrderId>,
    /// What stands where our order number belongs, when it is not one; at most 100 bytes.
    pub named: Option<String>,
    pub attempt: Option<AttemptId>,
    /// Of the payment; of this capture alone when `capture` is given.
    pub amount: Amount,
    /// `None`: the payment as a whole.
    pub capture: Option<CaptureId>,
    /// What the provider's own checkout asks for, after coupons and tax, if it tells.
    pub total: Amount,
    /// The same money in another currency, where the provider tells both.
    pub equivalent: Amount,
    pub refund: Option<RefundId>,
    pub refunded: ToldRefund,
    /// `None`: the provider has no names for disputes.
    pub dispute: Option<DisputeId>,
    /// What a dispute is about; not told: the whole.
    pub disputed: Amount,
    /// Test or live money, if the body tells.
    pub mode: Option<Mode>,
    /// Nothing in the body tells two events of equal content from one that is sent twice.
    pub may_be_a_twin: bool,
    pub occurred_at: Option<Timestamp>,
    /// When the payment began: of answers to questions, which say how things are and not since when.
    pub began_at: Option<Timestamp>,
    /// Why the payment is about no order of ours, whatever it names: completes "it is ...".
    pub foreign: Option<&'static str>,
}

/// Why a renewal that repeats what its first payment was told is about no order.
pub const RENEWAL: &str = "a later payment of a subscription";

/// Of words and keys: longer ones are cut or hashed.
const TEXT_BYTES_MAX: usize = 200;

/// How much a body says was given back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ToldRefund {
    /// Such events tell no amount: by the provider's documentation they mean the whole.
    #[default]
    Whole,
    /// By this refund. An event that should tell its amount and does not cannot be read.
    Part(Amount),
    /// By all refunds of the payment together.
    Total(Amount),
}

const NO_AMOUNT: &str = "no amount";

impl Told {
    pub fn event(self, mapping: &Mapping<'_>) -> Event {
        let meaning = mapping.of(&self.word);
        let fact = match meaning {
            None | Some(Meaning::Ignore) => Ok(None),
            Some(meaning) => self.fact(meaning).map(Some),
        };
        let (subject, fact) = match (fact, meaning, self.order, self.attempt) {
            (Err(error), ..) => (Subject::Unreadable(error), None),
            (Ok(_), None, ..) => (Subject::Unknown, None),
            (Ok(fact), Some(_), Some(order), Some(attempt)) => {
                (Subject::Order { order, attempt }, fact)
            }
            (Ok(fact), Some(_), None, Some(attempt)) => (Subject::Attempt(attempt), fact),
            (Ok(_), Some(_), _, None) => (Subject::Nothing, None),
        };
        let subject = match (subject, self.foreign) {
            (Subject::Order { attempt, .. } | Subject::Attempt(attempt), Some(why)) => {
                Subject::Foreign { attempt, why }
            }
            (subject, _) => subject,
        };
        Event {
            kind: shown(&self.word),
            dedup_key: Some(bounded(&self.dedup_key, TEXT_BYTES_MAX)),
            subject,
            named: self.named,
            fact,
            mode: self.mode,
            may_be_a_twin: self.may_be_a_twin,
            occurred_at: self.occurred_at,
            began_at: self.began_at,
        }
    }

    fn fact(&self, meaning: Meaning) -> Result<Fact, EventError> {
        let attempt = self
            .attempt
            .clone()
            .ok_or(EventError::Field("the payment's id"))?;
        Ok(match meaning {
            Meaning::Ignore | Meaning::Pending => Fact::PaymentPending { attempt },
            Meaning::Authorized => Fact::PaymentAuthorized { attempt },
            Meaning::Failed => Fact::PaymentFailed { attempt },
            Meaning::Paid | Meaning::Captured => match &self.amount {
                Amount::NotTold => return Err(EventError::Field("the amount")),
                Amount::Unreadable(told) => unreadable(attempt, UnreadableAmount::Payment, told),
                Amount::Told(amount) => Fact::Paid {
                    attempt,
                    amount: *amount,
                    capture: self.capture.clone(),
                    total: self.total.money(),
                    equivalent: self.equivalent.money(),
                },
            },
            Meaning::CaptureFailed => Fact::CaptureFailed {
                attempt,
                capture: self.capture.clone(),
                amount: self.amount.money(),
            },
            Meaning::NothingDue => Fact::NothingDue { attempt },
            Meaning::Refunded => self.refund(attempt),
            Meaning::RefundReversed => Fact::RefundReversed {
                attempt,
                refund: self.refund.clone(),
                amount: match &self.refunded {
                    ToldRefund::Part(amount) => amount.money(),
                    ToldRefund::Whole | ToldRefund::Total(_) => None,
                },
            },
            Meaning::DisputeInquiry => self.dispute(attempt, DisputeState::Inquiry),
            Meaning::DisputeOpened => self.dispute(attempt, DisputeState::Opened),
            Meaning::DisputeWon => self.dispute(attempt, DisputeState::Won),
            Meaning::DisputeLost => self.dispute(attempt, DisputeState::Lost),
            Meaning::DisputeAccepted => self.dispute(attempt, DisputeState::Accepted),
            Meaning::DisputeExpired => self.dispute(attempt, DisputeState::Expired),
        })
    }

    fn refund(&self, attempt: AttemptId) -> Fact {
        let (amount, of): (&Amount, fn(Money) -> Refunded) = match &self.refunded {
            ToldRefund::Whole => {
                return Fact::Refunded {
                    attempt,
                    refund: self.refund.clone(),
                    amount: Refunded::Whole,
                };
            }
            ToldRefund::Part(amount) => (amount, Refunded::Part),
            ToldRefund::Total(amount) => (amount, Refunded::Total),
        };
        match amount {
            Amount::Told(money) => Fact::Refunded {
                attempt,
                refund: self.refund.clone(),
                amount: of(*money),
            },
            Amount::Unreadable(told) => unreadable(attempt, UnreadableAmount::Refund, told),
            Amount::NotTold => unreadable(attempt, UnreadableAmount::Refund, NO_AMOUNT),
        }
    }

    /// An amount decides where money may be lost; that a dispute was won, or is only a question, is
    /// true without it.
    fn dispute(&self, attempt: AttemptId, state: DisputeState) -> Fact {
        match &self.disputed {
            Amount::Unreadable(told) if state.may_cost() => {
                unreadable(attempt, UnreadableAmount::Dispute, told)
            }
            amount => Fact::Disputed {
                attempt,
                state,
                amount: amount.money(),
                dispute: self.dispute.clone(),
            },
        }
    }
}

fn unreadable(attempt: AttemptId, about: UnreadableAmount, told: &str) -> Fact {
    Fact::Unreadable {
        attempt,
        about,
        told: told.to_owned(),
    }
}

/// A provider's word as logs and lists show it.
fn shown(word: &str) -> String {
    let end = word.floor_char_boundary(TEXT_BYTES_MAX.min(word.len()));
    word[..end].replace(char::is_control, " ")
}
