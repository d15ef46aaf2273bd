//! How an endpoint's answer is understood.

use super::{Mode, Notification};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The shop has it.
    Accepted,
    /// The shop does not want it; asking again would not help.
    Refused,
    /// Later.
    Retry,
    /// Nothing is to be sent there any more.
    Gone,
}

/// By the status of the answer. A redirect is not followed: it is an answer that is not understood.
#[must_use]
pub const fn verdict(mode: Mode, notification: Notification, status: u16) -> Verdict {
    match status {
        200..=299 => Verdict::Accepted,
        410 => Verdict::Gone,
        _ => match (mode, notification) {
            // Store contract, 3.3.
            (
                Mode::ReferenceSeparate | Mode::ReferenceCombined,
                Notification::OrderPaid | Notification::OrderCanceled,
            ) => match status {
                400..=404 | 409 | 415 | 422 => Verdict::Refused,
                _ => Verdict::Retry,
            },
            (
                Mode::ReferenceSeparate | Mode::ReferenceCombined,
                Notification::Payment | Notification::Refund,
            ) => match status {
                400 => Verdict::Refused,
                _ => Verdict::Retry,
            },
            // Standard Webhooks: whatever is not a success is tried again.
            _ => Verdict::Retry,
        },
    }
}
