//! What an operator should know of an order.

use serde::{Deserialize, Serialize};

/// The first group stays once raised (or until it is
/// lowered by hand); the second follows from the other facets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Flag {
    /// A payment in another currency was not counted.
    AmountMismatch,
    /// Paid by word of the shop; the version says whose.
    MarkedPaid,
    /// Paid after the order's stated life.
    PaidLate,
    /// Somebody looks into it.
    UnderReview,
    /// Money moved, and the amount that was told cannot be read: it is not counted.
    UnreadableAmount,
    /// Test money was told of a live order: it is not counted.
    TestPayment,
    /// Live money was told of a test order: it is not counted.
    LivePayment,
    /// The provider says that nothing is due, which its source's rule does not take for paid.
    NothingDue,
    /// A refund without a name was told once more: the same one, or a second one.
    RefundRepeated,
    /// A capture that was told as done failed: less is in than the shop was told.
    CaptureFailed,
    /// More payments, captures, refunds or disputes than an order keeps: some are not counted.
    TooManyRecords,

    /// Handed over before the money was in.
    DeliveredUnpaid,
    /// One attempt more than needed has paid: refund one.
    DuplicatePayment,
    /// The shop holds money of a canceled order: refund it or make a new order.
    NeedsDecision,
    PaidOver,
    PaidPartial,
}

impl Flag {
    pub const ALL: [Self; 16] = [
        Self::AmountMismatch,
        Self::MarkedPaid,
        Self::PaidLate,
        Self::UnderReview,
        Self::UnreadableAmount,
        Self::TestPayment,
        Self::LivePayment,
        Self::NothingDue,
        Self::RefundRepeated,
        Self::CaptureFailed,
        Self::TooManyRecords,
        Self::DeliveredUnpaid,
        Self::DuplicatePayment,
        Self::NeedsDecision,
        Self::PaidOver,
        Self::PaidPartial,
    ];

    /// For people who wonder why.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::AmountMismatch => "its currency is not the order's, so its amount is not counted",
            Self::MarkedPaid => "paid by word of the shop",
            Self::PaidLate => "paid after the order's stated life",
            Self::UnderReview => "somebody looks into it",
            Self::UnreadableAmount => "its amount cannot be read and is not counted",
            Self::TestPayment => "test money of a live order is not counted",
            Self::LivePayment => "live money of a test order is not counted",
            Self::NothingDue => "the provider says that nothing is due",
            Self::RefundRepeated => {
                "a refund without a name was told again: the same one, or a second one"
            }
            Self::CaptureFailed => "a capture that was told as done failed",
            Self::TooManyRecords => "more than an order keeps: some of it is not counted",
            Self::DeliveredUnpaid => "handed over before the money was in",
            Self::DuplicatePayment => "another attempt has paid already: refund one",
            Self::NeedsDecision => "the order is canceled but holds money: refund it",
            Self::PaidOver => "more than the price is in",
            Self::PaidPartial => "less than the price is in",
        }
    }

    /// Whether it stays until it is lowered by hand; the others follow from the order's money.
    #[must_use]
    pub const fn stays(self) -> bool {
        match self {
            Self::AmountMismatch
            | Self::MarkedPaid
            | Self::PaidLate
            | Self::UnderReview
            | Self::UnreadableAmount
            | Self::TestPayment
            | Self::LivePayment
            | Self::NothingDue
            | Self::RefundRepeated
            | Self::CaptureFailed
            | Self::TooManyRecords => true,
            Self::DeliveredUnpaid
            | Self::DuplicatePayment
            | Self::NeedsDecision
            | Self::PaidOver
            | Self::PaidPartial => false,
        }
    }
}
