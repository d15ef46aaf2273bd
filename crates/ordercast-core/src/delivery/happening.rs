//! Which events a change of an order becomes: one of its status, and one of each thing behind it that a
//! shop acts upon (a refund, a dispute, a flag).

use crate::{
    ids::{AttemptId, RefundId},
    money::Money,
    order::{Attempt, Dispute, DisputeState, Flag, LedgerKind, Order, Status},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// All types of events, in the order in which one change sends them.
pub const EVENT_TYPES: [&str; 12] = [
    "order.created",
    "order.updated",
    "order.new",
    "order.paid",
    "order.done",
    "order.canceled",
    "order.expired",
    "order.reinstated",
    "order.refunded",
    "order.refund_reversed",
    "order.disputed",
    "order.flagged",
];

/// An event that is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    pub kind: &'static str,
    pub details: EventDetails,
}

/// What of an order changes with time, as it was at an event: kept with it, so that whatever is told of
/// the event later is the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EventDetails {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<Money>,
    /// Minor units of the price's currency that the shop held.
    #[serde(skip_serializing_if = "is_zero")]
    pub net_paid: i64,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub flags: BTreeSet<Flag>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refund: Option<RefundDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dispute: Option<DisputeDetails>,
    /// Those of `flags` that were raised by this change.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub raised: BTreeSet<Flag>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundDetails {
    pub attempt: AttemptId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<RefundId>,
    /// Of this refund alone.
    pub minor: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisputeDetails {
    pub attempt: AttemptId,
    pub state: DisputeState,
    pub minor: i64,
}

const fn is_zero(value: &i64) -> bool {
    *value == 0
}

/// `before`: `None` for the order's creation. `was_sold`: the order was paid at some time before.
#[must_use]
pub fn happenings(before: Option<&Order>, order: &Order, was_sold: bool) -> Vec<Happening> {
    let details = EventDetails {
        price: order.content.price,
        net_paid: order.facets.net_paid(),
        flags: order.facets.flags.clone(),
        ..EventDetails::default()
    };
    let mut happenings = vec![Happening {
        kind: of_status(before.map(Order::status), order.status(), was_sold),
        details: details.clone(),
    }];
    let Some(before) = before else {
        return happenings;
    };
    for attempt in &order.facets.attempts {
        for (kind, refund) in refunds(before, order, &attempt.id) {
            let details = EventDetails {
                refund: Some(refund),
                ..details.clone()
            };
            happenings.push(Happening { kind, details });
        }
        if let Some(dispute) = dispute(before, attempt) {
            let details = EventDetails {
                dispute: Some(dispute),
                ..details.clone()
            };
            let kind = "order.disputed";
            happenings.push(Happening { kind, details });
        }
    }
    let raised = order.facets.flags.difference(&before.facets.flags);
    let raised: BTreeSet<_> = raised.copied().filter(|flag| is_news(*flag)).collect();
    if !raised.is_empty() {
        let kind = "order.flagged";
        let details = EventDetails { raised, ..details };
        happenings.push(Happening { kind, details });
    }
    happenings
}

/// An order is `order.paid` once: what has been taken back and comes again must not be granted twice by
/// shops that grant on that event.
const fn of_status(from: Option<Status>, to: Status, was_sold: bool) -> &'static str {
    let Some(from) = from else {
        return "order.created";
    };
    match (from, to) {
        (Status::New, Status::New)
        | (Status::Paid, Status::Paid)
        | (Status::Done, Status::Done)
        | (Status::Canceled, Status::Canceled)
        | (Status::Expired, Status::Expired) => "order.updated",
        (Status::New | Status::Canceled | Status::Expired, Status::Paid | Status::Done)
            if was_sold =>
        {
            "order.reinstated"
        }
        (_, Status::New) => "order.new",
        (_, Status::Paid) => "order.paid",
        (_, Status::Done) => "order.done",
        (_, Status::Canceled) => "order.canceled",
        (_, Status::Expired) => "order.expired",
    }
}

/// By the ledger, so that what only became surer (a refund that its provider confirms) is no news.
fn refunds(
    before: &Order,
    after: &Order,
    attempt: &AttemptId,
) -> Vec<(&'static str, RefundDetails)> {
    let mut told = Vec::new();
    for kind in [LedgerKind::Refund, LedgerKind::RefundReversed] {
        let before = amounts(before, attempt, kind);
        let after = amounts(after, attempt, kind);
        let mut changes: Vec<(Option<RefundId>, i64)> = Vec::new();
        for (id, _) in before.iter().chain(&after) {
            let change = sum(&after, id.as_ref()) - sum(&before, id.as_ref());
            if change != 0 && !changes.iter().any(|(known, _)| known == id) {
                changes.push((id.clone(), change));
            }
        }
        let moved: i64 = changes.iter().map(|(_, change)| change).sum();
        if moved == 0 {
            continue;
        }
        // One that takes the place of another: told is what differs.
        if changes
            .iter()
            .any(|(_, change)| change.signum() != moved.signum())
        {
            let newest = changes.into_iter().rev();
            let newest = newest.filter(|(_, change)| change.signum() == moved.signum());
            changes = newest.take(1).map(|(id, _)| (id, moved)).collect();
        }
        // To the buyer is below zero.
        let kind = if moved < 0 {
            "order.refunded"
        } else {
            "order.refund_reversed"
        };
        told.extend(changes.into_iter().map(|(id, change)| {
            let details = RefundDetails {
                attempt: attempt.clone(),
                id,
                minor: change.abs(),
            };
            (kind, details)
        }));
    }
    told
}

type Amounts = Vec<(Option<RefundId>, i64)>;

fn amounts(order: &Order, attempt: &AttemptId, kind: LedgerKind) -> Amounts {
    let ledger = order.facets.ledger();
    let entries = ledger.into_iter();
    entries
        .filter(|entry| entry.attempt == attempt && entry.kind == kind)
        .map(|entry| (entry.refund.cloned(), entry.minor))
        .collect()
}

fn sum(amounts: &Amounts, id: Option<&RefundId>) -> i64 {
    let of_id = amounts.iter().filter(|(known, _)| known.as_ref() == id);
    of_id.map(|(_, minor)| minor).sum()
}

fn dispute(before: &Order, attempt: &Attempt) -> Option<DisputeDetails> {
    let mut attempts = before.facets.attempts.iter();
    let known = attempts.find(|known| {
        known.id == attempt.id && (known.source.is_none() || known.source == attempt.source)
    });
    let known = known.map_or(&[][..], |known| &known.disputes[..]);
    // New ones come behind those that are known, and one change is about one of them.
    let is_news = |(at, told): &(usize, &Dispute)| {
        let known = known.get(*at);
        known.is_none_or(|known| (known.state, known.amount) != (told.state, told.amount))
    };
    let (_, told) = attempt.disputes.iter().enumerate().find(is_news)?;
    Some(DisputeDetails {
        attempt: attempt.id.clone(),
        state: told.state,
        minor: told.amount.unwrap_or_else(|| attempt.captured()),
    })
}

/// Not what the shop itself has just said.
const fn is_news(flag: Flag) -> bool {
    !matches!(flag, Flag::MarkedPaid | Flag::UnderReview)
}
