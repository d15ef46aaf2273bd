//! What an event says, as rows keep it, and its way into an order.

use super::{
    super::{apply::Batch, rows::OrderRow},
    NOTHING, Verdict, attempts,
};
use crate::InboxState;
use ordercast_core::{
    Timestamp,
    ids::SourceId,
    order::{Cause, Fact, Heard, Mode, Observed, PriceRule, observe},
    provider::{Event, SourceSettings},
};
use rusqlite::OptionalExtension;
use serde::{Deserialize, Serialize};

/// A fact, with the kind of money that it is about.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct StoredFact {
    #[serde(flatten)]
    pub fact: Fact,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
}

impl StoredFact {
    pub(super) fn of(event: &Event) -> Option<Self> {
        Some(Self {
            fact: event.fact.clone()?,
            mode: event.mode,
        })
    }
}

/// Lets the order hear it, as told by the source of the cause.
pub(super) fn apply(
    batch: &mut Batch,
    row: &mut OrderRow,
    stored: Option<&StoredFact>,
    occurred_at: Option<Timestamp>,
    cause: &Cause,
) -> rusqlite::Result<Verdict> {
    let source = super::source_of(cause).cloned();
    apply_of(batch, row, stored, (occurred_at, source.as_ref()), cause)
}

/// The source and the actor differ where a person has matched it.
pub(super) fn apply_of(
    batch: &mut Batch,
    row: &mut OrderRow,
    stored: Option<&StoredFact>,
    (occurred_at, source): (Option<Timestamp>, Option<&SourceId>),
    cause: &Cause,
) -> rusqlite::Result<Verdict> {
    let Some(StoredFact { fact, mode }) = stored else {
        return Ok((InboxState::Ignored, NOTHING.to_owned()));
    };
    let told_apart = match (source, fact.attempt()) {
        (Some(source), Some(attempt)) => {
            let name = attempts::name_in(batch, row, source, attempt)?;
            (name != *attempt).then(|| fact.clone().with_attempt(name))
        }
        _ => None,
    };
    let fact = told_apart.as_ref().unwrap_or(fact);
    let heard = Heard {
        fact,
        occurred_at,
        mode: *mode,
        source,
        rule: price_rule(batch, fact, source)?,
    };
    Ok(match observe(&row.order, &heard, cause) {
        Observed::Ignored(reason) => (InboxState::Ignored, reason.to_owned()),
        Observed::Changed(changed) => {
            let reason = changed.summary();
            batch.store(row, *changed, cause)?;
            (InboxState::Applied, reason)
        }
    })
}

/// Of the source, as it is set now; it is asked only where it decides.
fn price_rule(
    batch: &Batch,
    fact: &Fact,
    source: Option<&SourceId>,
) -> rusqlite::Result<PriceRule> {
    let (Fact::Paid { .. } | Fact::NothingDue { .. }, Some(source)) = (fact, source) else {
        return Ok(PriceRule::Exact);
    };
    let settings: Option<String> = batch
        .connection
        .prepare_cached("SELECT settings FROM sources WHERE source = ?1")?
        .query_row([source.as_str()], |row| row.get(0))
        .optional()?;
    let settings = settings.and_then(|text| serde_json::from_str::<SourceSettings>(&text).ok());
    Ok(settings.unwrap_or_default().price_rule)
}
