//! What a body says, before it is decided what its word means.

use super::{Event, EventError, Mapping, Meaning, Subject};
use crate::{
    Timestamp,
    ids::{AttemptId, OrderId, RefundId},
    money::Money,
    order::{DisputeState, Fact, Refunded},
};

#[derive(Clone, Debug, Default)]
pub struct Told {
    /// The provider's word, with its condition behind a colon where the word alone does not decide.
    pub word: String,
    pub dedup_key: String,
    pub order: Option<OrderId>,
    pub attempt: Option<AttemptId>,
    /// Of the payment.
    pub amount: Option<Money>,
    pub refund: Option<RefundId>,
    /// `None`: the whole.
    pub refunded: Option<Refunded>,
    /// What a dispute is about; `None`: the whole.
    pub disputed: Option<Money>,
    pub occurred_at: Option<Timestamp>,
}

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
        Event {
            kind: self.word,
            dedup_key: Some(self.dedup_key),
            subject,
            fact,
            occurred_at: self.occurred_at,
        }
    }

    fn fact(&self, meaning: Meaning) -> Result<Fact, EventError> {
        let attempt = self
            .attempt
            .clone()
            .ok_or(EventError::Field("the payment's id"))?;
        let dispute = |state| Fact::Disputed {
            attempt: attempt.clone(),
            state,
            amount: self.disputed,
        };
        Ok(match meaning {
            Meaning::Ignore | Meaning::Pending => Fact::PaymentPending { attempt },
            Meaning::Authorized => Fact::PaymentAuthorized { attempt },
            Meaning::Failed => Fact::PaymentFailed { attempt },
            Meaning::Paid => Fact::Paid {
                attempt,
                amount: self.amount.ok_or(EventError::Field("the amount"))?,
            },
            Meaning::Refunded => Fact::Refunded {
                attempt,
                refund: self.refund.clone(),
                amount: self.refunded.unwrap_or(Refunded::Whole),
            },
            Meaning::RefundReversed => Fact::RefundReversed {
                attempt,
                refund: self.refund.clone(),
                amount: match self.refunded {
                    Some(Refunded::Part(amount)) => Some(amount),
                    Some(Refunded::Whole | Refunded::Total(_)) | None => None,
                },
            },
            Meaning::DisputeInquiry => dispute(DisputeState::Inquiry),
            Meaning::DisputeOpened => dispute(DisputeState::Opened),
            Meaning::DisputeWon => dispute(DisputeState::Won),
            Meaning::DisputeLost => dispute(DisputeState::Lost),
            Meaning::DisputeExpired => dispute(DisputeState::Expired),
        })
    }
}
