//! The money of an order as a list of signed amounts, for people who check sums.

use super::{Attempt, AttemptState, Facets, Refund, RefundSize};
use crate::ids::{AttemptId, RefundId};
use serde::Serialize;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LedgerEntry<'a> {
    pub attempt: &'a AttemptId,
    pub kind: LedgerKind,
    pub refund: Option<&'a RefundId>,
    /// Minor units of the order's currency; negative: to the buyer.
    pub minor: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum LedgerKind {
    Capture,
    Refund,
    RefundReversed,
    DisputeLost,
}

impl Facets {
    /// Its sum is [`Facets::net_paid`]: what goes beyond a capture is cut at it.
    #[must_use]
    pub fn ledger(&self) -> Vec<LedgerEntry<'_>> {
        self.attempts
            .iter()
            .flat_map(|attempt| self.entries(attempt))
            .collect()
    }

    fn entries<'a>(&'a self, attempt: &'a Attempt) -> Vec<LedgerEntry<'a>> {
        let mut entries = Vec::new();
        let mut push = |kind, refund, minor: i64| {
            entries.push(LedgerEntry {
                attempt: &attempt.id,
                kind,
                refund,
                minor,
            });
        };
        if attempt.id.is_manual() {
            // Its word counts for what no real money has replaced.
            let (word, net) = (self.placeholder(attempt), self.net_of(attempt));
            push(LedgerKind::Capture, None, word);
            // By their names as far as they have one, and all together what is not there any more.
            let mut left = word - net;
            for refund in &attempt.refunds {
                let RefundSize::Part(minor) = refund.size else {
                    continue;
                };
                if refund.reversed {
                    push(LedgerKind::Refund, refund.id.as_ref(), -minor);
                    push(LedgerKind::RefundReversed, refund.id.as_ref(), minor);
                } else if left > 0 {
                    let minor = minor.min(left);
                    left -= minor;
                    push(LedgerKind::Refund, refund.id.as_ref(), -minor);
                }
            }
            if left != 0 {
                push(LedgerKind::Refund, None, -left);
            }
            return entries;
        }
        if attempt.state == AttemptState::Paid {
            push(LedgerKind::Capture, None, attempt.captured());
        }
        let mut so_far = Attempt {
            refunds: Vec::new(),
            disputes: Vec::new(),
            ..attempt.clone()
        };
        for refund in &attempt.refunds {
            let before = so_far.returned();
            so_far.refunds.push(Refund {
                reversed: false,
                ..refund.clone()
            });
            let minor = so_far.returned() - before;
            push(LedgerKind::Refund, refund.id.as_ref(), -minor);
            if refund.reversed {
                so_far.refunds.pop();
                push(LedgerKind::RefundReversed, refund.id.as_ref(), minor);
            }
        }
        let lost = attempt.returned() - so_far.returned();
        if lost != 0 {
            push(LedgerKind::DisputeLost, None, -lost);
        }
        entries
    }
}
