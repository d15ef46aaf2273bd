//! Provider events: stored whatever comes of them, applied once, parked while their order is not
//! known (providers contract, section 2).

use super::{
    apply::Batch,
    rows::{self, OrderRow, json},
};
use crate::{InboxEntry, InboxOutcome, InboxState};
use ordercast_core::{
    Timestamp,
    ids::{AttemptId, SourceId},
    order::{Actor, Cause, Fact, Observed, observe},
    provider::{Event, Subject},
};
use rusqlite::{OptionalExtension, params};

/// Parked events applied when their order appears; far above what one order has.
const PARKED_MAX: u32 = 1_000;

const NOTHING: &str = "it tells nothing that changes an order";

pub(super) fn receive(
    batch: &mut Batch,
    entry: &InboxEntry,
    at: Timestamp,
) -> rusqlite::Result<InboxOutcome> {
    let dedup_key = entry
        .event
        .as_ref()
        .ok()
        .and_then(|event| event.dedup_key.as_deref());
    if let Some(key) = dedup_key
        && let Some(known) = count_duplicate(batch, entry, key)?
    {
        return Ok(known);
    }
    let cause = |kind: &str| Cause {
        actor: Actor::Provider(entry.source.clone()),
        reason: kind.to_owned(),
        at,
    };
    let (order_id, attempt, (state, reason)) = match &entry.event {
        Err(reason) => (None, None, (InboxState::Rejected, reason.clone())),
        Ok(event) => match &event.subject {
            Subject::Unknown => (
                None,
                None,
                (InboxState::Unknown, format!("no rule for {}", event.kind)),
            ),
            Subject::User(_) => (
                None,
                None,
                (
                    InboxState::Ignored,
                    "a question, nothing to change".to_owned(),
                ),
            ),
            Subject::Order { order, attempt } => {
                let row = batch.order(entry.project, *order)?;
                let result = match row {
                    Some(mut row) => {
                        let result = apply_event(batch, &mut row, event, &cause(&event.kind))?;
                        join(batch, &mut row, attempt)?;
                        result
                    }
                    None => (
                        InboxState::Parked,
                        "its order does not exist yet".to_owned(),
                    ),
                };
                (Some(*order), Some(attempt), result)
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
                    Some(mut row) => apply_event(batch, &mut row, event, &cause(&event.kind))?,
                    None if event.fact.is_none() => (InboxState::Ignored, NOTHING.to_owned()),
                    None => (
                        InboxState::Parked,
                        "no event has named the order of this payment yet".to_owned(),
                    ),
                };
                (None, Some(attempt), result)
            }
        },
    };
    let kind = entry
        .event
        .as_ref()
        .map_or("unreadable", |event| &event.kind);
    let fact = entry
        .event
        .as_ref()
        .ok()
        .and_then(|event| event.fact.as_ref());
    let occurred_at = entry
        .event
        .as_ref()
        .ok()
        .and_then(|event| event.occurred_at);
    batch
        .connection
        .prepare_cached(
            "INSERT INTO provider_inbox (project_id, source, kind, dedup_key, body, received_at, \
             state, reason, fact, order_id, attempt, occurred_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?
        .execute(params![
            entry.project.get(),
            entry.source.as_str(),
            kind,
            dedup_key,
            entry.body,
            at.millis(),
            state.as_str(),
            reason,
            fact.map(json).transpose()?,
            order_id.map(ordercast_core::OrderId::get),
            attempt.map(AttemptId::as_str),
            occurred_at.map(Timestamp::millis),
        ])?;
    Ok(InboxOutcome {
        state,
        reason,
        is_duplicate: false,
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
    apply_fact(batch, row, event.fact.as_ref(), event.occurred_at, cause)
}

fn apply_fact(
    batch: &mut Batch,
    row: &mut OrderRow,
    fact: Option<&Fact>,
    occurred_at: Option<Timestamp>,
    cause: &Cause,
) -> rusqlite::Result<(InboxState, String)> {
    let Some(fact) = fact else {
        return Ok((InboxState::Ignored, NOTHING.to_owned()));
    };
    Ok(match observe(&row.order, fact, occurred_at, cause) {
        Observed::Ignored(reason) => (InboxState::Ignored, reason.to_owned()),
        Observed::Changed(changed) => {
            let reason = if changed.from == changed.to {
                format!("recorded, the order stays {}", changed.to)
            } else {
                format!("{} -> {}", changed.from, changed.to)
            };
            batch.store(row, *changed, cause)?;
            (InboxState::Applied, reason)
        }
    })
}

struct Parked {
    inbox_id: i64,
    fact: Option<Fact>,
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
