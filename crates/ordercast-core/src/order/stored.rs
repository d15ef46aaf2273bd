//! Facets and attempts as rows hold them: every form that a version has written is read.

use super::{
    Attempt, AttemptState, Facets, Flag, Foreign, Fulfilment, Life,
    capture::Capture,
    dispute::Dispute,
    refund::{Refund, RefundSize, Teller},
};
use crate::{
    Timestamp,
    ids::{AttemptId, Sku, SourceId},
};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// The first version kept one amount and two switches, the second one amount and one dispute.
#[derive(Debug, Deserialize)]
pub struct StoredAttempt {
    id: AttemptId,
    source: Option<SourceId>,
    state: Option<AttemptState>,
    #[serde(default)]
    captures: Vec<Capture>,
    foreign: Option<Foreign>,
    enough: Option<i64>,
    #[serde(default)]
    captured: i64,
    #[serde(default)]
    refunds: Vec<Refund>,
    #[serde(default)]
    disputes: Vec<Dispute>,
    dispute: Option<Dispute>,
    captured_before: Option<i64>,
    covers_up_to: Option<i64>,
    occurred_at: Option<Timestamp>,
    paid: Option<i64>,
    #[serde(default)]
    refunded: bool,
    #[serde(default)]
    failed: bool,
}

impl From<StoredAttempt> for Attempt {
    fn from(stored: StoredAttempt) -> Self {
        let state = stored.state.unwrap_or(match (stored.paid, stored.failed) {
            (Some(_), _) => AttemptState::Paid,
            (None, true) => AttemptState::Failed,
            (None, false) => AttemptState::Created,
        });
        let mut captures = stored.captures;
        if state == AttemptState::Paid && captures.is_empty() {
            captures.push(Capture {
                id: None,
                minor: Some(stored.paid.unwrap_or(stored.captured)),
                failed: false,
            });
        }
        let mut refunds = stored.refunds;
        if stored.refunded {
            refunds.push(Refund {
                id: None,
                also: None,
                told_by: Teller::Provider,
                size: RefundSize::Whole,
                reversed: false,
                occurred_at: None,
            });
        }
        let mut disputes = stored.disputes;
        disputes.extend(stored.dispute);
        Self {
            id: stored.id,
            source: stored.source,
            state,
            captures,
            foreign: stored.foreign,
            enough: stored.enough,
            refunds,
            disputes,
            captured_before: stored.captured_before,
            covers_up_to: stored.covers_up_to,
            occurred_at: stored.occurred_at,
        }
    }
}

/// The first version had no word of its own for a completed order.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct StoredFacets {
    attempts: Vec<Attempt>,
    settled: bool,
    settled_by: Option<AttemptId>,
    fulfilment: Fulfilment,
    items: BTreeMap<Sku, Fulfilment>,
    completed: Option<bool>,
    life: Life,
    flags: BTreeSet<Flag>,
    notes: BTreeMap<Flag, String>,
    lowered: BTreeSet<Flag>,
}

impl From<StoredFacets> for Facets {
    fn from(stored: StoredFacets) -> Self {
        let mut attempts = stored.attempts;
        // What was marked by hand before that was kept: what stands before it came before it.
        let mut captured = 0_i64;
        for attempt in &mut attempts {
            if attempt.id.is_manual() {
                attempt.captured_before.get_or_insert(captured);
            } else {
                captured = captured.saturating_add(attempt.captured());
            }
        }
        Self {
            completed: stored
                .completed
                .unwrap_or(stored.fulfilment == Fulfilment::Delivered),
            attempts,
            settled: stored.settled,
            settled_by: stored.settled_by,
            fulfilment: stored.fulfilment,
            items: stored.items,
            life: stored.life,
            flags: stored.flags,
            notes: stored.notes,
            lowered: stored.lowered,
        }
    }
}
