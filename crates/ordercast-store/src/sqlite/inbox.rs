//! Provider events: stored whatever comes of them, applied once, parked while their order is not
//! known (providers contract, section 2).

use super::{
    apply::Batch,
    rows::{self, OrderRow, json},
};
use crate::{InboxEntry, InboxOutcome, InboxState};
use ordercast_core::{
    OrderId, Timestamp,
    ids::{AttemptId, SourceId},
    order::{Actor, Cause, Fact, Heard, Mode, Observed, PriceRule, observe},
    provider::{Event, SourceSettings, Subject},
};
use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};

/// Parked events applied when their order appears; far above what one order has.
const PARKED_MAX: u32 = 1_000;

const NOTHING: &str = "it tells nothing that changes an order";

const INSERT: &str = "INSERT INTO provider_inbox (project_id, source, kind, dedup_key, body, \
    received_at, state, reason, fact, order_id, attempt, occurred_at) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
const READ_AGAIN: &str = "UPDATE provider_inbox SET kind = ?3, body = ?5, received_at = ?6, \
    state = ?7, reason = ?8, fact = ?9, order_id = ?10, attempt = ?11, occurred_at = ?12 \
    WHERE project_id = ?1 AND source = ?2 AND dedup_key = ?4";

pub(super) fn receive(
    batch: &mut Batch,
    entry: &InboxEntry,
    at: Timestamp,
) -> rusqlite::Result<InboxOutcome> {
    let event = entry.event.as_ref().ok();
    let dedup_key = event.and_then(|event| event.dedup_key.as_deref());
    let mut is_again = false;
    if let Some(key) = dedup_key
        && let Some(known) = count_duplicate(batch, entry, key)?
    {
        // What had no rule then may have one now: told again, it is read again.
        let was_read = !matches!(known.state, InboxState::Unknown | InboxState::Rejected);
        let is_read = event.is_some_and(Event::is_understood);
        if was_read || !is_read {
            return Ok(known);
        }
        is_again = true;
    }
    let Judged {
        order,
        attempt,
        state,
        reason,
    } = judge(batch, entry, at)?;
    let kind = event.map_or("unreadable", |event| &event.kind);
    let fact = event.and_then(|event| {
        let fact = event.fact.clone()?;
        let mode = event.mode;
        Some(StoredFact { fact, mode })
    });
    let occurred_at = event.and_then(|event| event.occurred_at);
    let sql = if is_again { READ_AGAIN } else { INSERT };
    batch.connection.prepare_cached(sql)?.execute(params![
        entry.project.get(),
        entry.source.as_str(),
        kind,
        dedup_key,
        entry.body,
        at.millis(),
        state.as_str(),
        reason,
        fact.as_ref().map(json).transpose()?,
        order.map(OrderId::get),
        attempt.map(AttemptId::as_str),
        occurred_at.map(Timestamp::millis),
    ])?;
    Ok(InboxOutcome {
        state,
        reason,
        is_duplicate: false,
    })
}

/// What an event is about, and what became of it.
struct Judged<'a> {
    order: Option<OrderId>,
    attempt: Option<&'a AttemptId>,
    state: InboxState,
    reason: String,
}

impl Judged<'_> {
    fn without_order(state: InboxState, reason: impl Into<String>) -> Self {
        Self {
            order: None,
            attempt: None,
            state,
            reason: reason.into(),
        }
    }
}

fn judge<'a>(
    batch: &mut Batch,
    entry: &'a InboxEntry,
    at: Timestamp,
) -> rusqlite::Result<Judged<'a>> {
    let event = match &entry.event {
        Ok(event) => event,
        Err(reason) => return Ok(Judged::without_order(InboxState::Rejected, reason.clone())),
    };
    let cause = Cause {
        actor: Actor::Provider(entry.source.clone()),
        reason: event.kind.clone(),
        at,
    };
    let (order, attempt, (state, reason)) = match &event.subject {
        Subject::Unknown => {
            let reason = format!("no rule for {}", event.kind);
            return Ok(Judged::without_order(InboxState::Unknown, reason));
        }
        Subject::Nothing => return Ok(Judged::without_order(InboxState::Ignored, NOTHING)),
        Subject::Unreadable(error) => {
            let reason = error.to_string();
            return Ok(Judged::without_order(InboxState::Rejected, reason));
        }
        Subject::User(_) => {
            let reason = "a question, nothing to change";
            return Ok(Judged::without_order(InboxState::Ignored, reason));
        }
        Subject::Order { order, attempt } => {
            let result = match batch.order(entry.project, *order)? {
                Some(mut row) => {
                    let result = apply_event(batch, &mut row, event, &cause)?;
                    join(batch, &mut row, attempt)?;
                    result
                }
                None => {
                    let reason = "its order does not exist yet";
                    (InboxState::Parked, reason.to_owned())
                }
            };
            (Some(*order), attempt, result)
        }
        Subject::Attempt(attempt) => {
            let key = batch
                .connection
                .prepare_cached(
                    "SELECT order_key FROM attempts WHERE project_id = ?1 AND attempt = ?2",
                )?
                .query_row((entry.project.get(), attempt.as_str()), |row| row.get(0))
                .optional()?;
            let row = match key {
                Some(key) => rows::order_by_key(batch.connection, key)?,
                None => None,
            };
            let result = match row {
                Some(mut row) => apply_event(batch, &mut row, event, &cause)?,
                None if event.fact.is_none() => (InboxState::Ignored, NOTHING.to_owned()),
                None => {
                    let reason = "no event has named the order of this payment yet";
                    (InboxState::Parked, reason.to_owned())
                }
            };
            (None, attempt, result)
        }
    };
    Ok(Judged {
        order,
        attempt: Some(attempt),
        state,
        reason,
    })
}

/// Applies what came before the order did. `row` is left at its newest version.
pub(super) fn apply_parked(batch: &mut Batch, row: &mut OrderRow) -> rusqlite::Result<()> {
    let by_order = "SELECT inbox_id, source, kind, fact, attempt, received_at, occurred_at FROM provider_inbox \
                    WHERE state = 'parked' AND project_id = ?1 AND order_id = ?2 \
                    ORDER BY inbox_id LIMIT ?3";
    for parked in parked(batch, by_order, row.order.project.get(), row.order.id.get())? {
        unpark(batch, row, &parked)?;
        if let Some(attempt) = &parked.attempt {
            join(batch, row, attempt)?;
        }
    }
    Ok(())
}

/// Remembers whose payment this attempt is, and applies what waited for that.
fn join(batch: &mut Batch, row: &mut OrderRow, attempt: &AttemptId) -> rusqlite::Result<()> {
    let inserted = batch
        .connection
        .prepare_cached(
            "INSERT OR IGNORE INTO attempts (project_id, attempt, order_key) VALUES (?1, ?2, ?3)",
        )?
        .execute((row.order.project.get(), attempt.as_str(), row.order_key))?;
    if inserted == 0 {
        return Ok(());
    }
    let by_attempt = "SELECT inbox_id, source, kind, fact, attempt, received_at, occurred_at FROM provider_inbox \
                      WHERE state = 'parked' AND project_id = ?1 AND attempt = ?2 \
                      AND order_id IS NULL ORDER BY inbox_id LIMIT ?3";
    for parked in parked(batch, by_attempt, row.order.project.get(), attempt.as_str())? {
        unpark(batch, row, &parked)?;
    }
    Ok(())
}

fn apply_event(
    batch: &mut Batch,
    row: &mut OrderRow,
    event: &Event,
    cause: &Cause,
) -> rusqlite::Result<(InboxState, String)> {
    let fact = event.fact.clone().map(|fact| StoredFact {
        fact,
        mode: event.mode,
    });
    apply_fact(batch, row, fact.as_ref(), event.occurred_at, cause)
}

fn apply_fact(
    batch: &mut Batch,
    row: &mut OrderRow,
    stored: Option<&StoredFact>,
    occurred_at: Option<Timestamp>,
    cause: &Cause,
) -> rusqlite::Result<(InboxState, String)> {
    let Some(StoredFact { fact, mode }) = stored else {
        return Ok((InboxState::Ignored, NOTHING.to_owned()));
    };
    let source = match &cause.actor {
        Actor::Provider(source) => Some(source),
        Actor::ApiKey(_) | Actor::Buyer(_) | Actor::Rule(_) => None,
    };
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

/// A fact as rows keep it, with the kind of money that it is about.
#[derive(Debug, Serialize, Deserialize)]
struct StoredFact {
    #[serde(flatten)]
    fact: Fact,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mode: Option<Mode>,
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

struct Parked {
    inbox_id: i64,
    fact: Option<StoredFact>,
    attempt: Option<AttemptId>,
    occurred_at: Option<Timestamp>,
    cause: Cause,
}

fn parked(
    batch: &Batch,
    sql: &str,
    project: u32,
    subject: impl rusqlite::ToSql,
) -> rusqlite::Result<Vec<Parked>> {
    let mut statement = batch.connection.prepare_cached(sql)?;
    let rows = statement.query_map(params![project, subject, PARKED_MAX], |row| {
        let source: String = row.get(1)?;
        let fact: Option<String> = row.get(3)?;
        let attempt: Option<String> = row.get(4)?;
        let corrupt = || rows::corrupt("provider_inbox");
        Ok(Parked {
            inbox_id: row.get(0)?,
            fact: fact
                .map(|f| serde_json::from_str(&f))
                .transpose()
                .map_err(|_| corrupt())?,
            attempt: attempt
                .map(|a| AttemptId::new(&a))
                .transpose()
                .map_err(|_| corrupt())?,
            occurred_at: row.get::<_, Option<i64>>(6)?.map(Timestamp::from_millis),
            cause: Cause {
                actor: Actor::Provider(SourceId::new(&source).map_err(|_| corrupt())?),
                reason: row.get(2)?,
                at: Timestamp::from_millis(row.get(5)?),
            },
        })
    })?;
    rows.collect()
}

fn unpark(batch: &mut Batch, row: &mut OrderRow, parked: &Parked) -> rusqlite::Result<()> {
    let (state, reason) = apply_fact(
        batch,
        row,
        parked.fact.as_ref(),
        parked.occurred_at,
        &parked.cause,
    )?;
    batch
        .connection
        .prepare_cached("UPDATE provider_inbox SET state = ?2, reason = ?3 WHERE inbox_id = ?1")?
        .execute((
            parked.inbox_id,
            state.as_str(),
            format!("{reason} (was parked)"),
        ))?;
    Ok(())
}

/// The state that the first delivery left, if there was one.
fn count_duplicate(
    batch: &Batch,
    entry: &InboxEntry,
    key: &str,
) -> rusqlite::Result<Option<InboxOutcome>> {
    batch
        .connection
        .prepare_cached(
            "UPDATE provider_inbox SET duplicates = duplicates + 1 \
             WHERE source = ?1 AND dedup_key = ?2 RETURNING state, reason",
        )?
        .query_row((entry.source.as_str(), key), |row| {
            let state: String = row.get(0)?;
            let state = [
                InboxState::Applied,
                InboxState::Ignored,
                InboxState::Parked,
                InboxState::Unknown,
                InboxState::Rejected,
            ]
            .into_iter()
            .find(|known| known.as_str() == state)
            .ok_or_else(|| rows::corrupt("provider_inbox.state"))?;
            Ok(InboxOutcome {
                state,
                reason: row.get(1)?,
                is_duplicate: true,
            })
        })
        .optional()
}
