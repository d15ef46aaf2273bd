//! What waits for its order: it is applied when the order appears, unless it is of a payment that began
//! before the order was made, and it is put aside with age.

use super::{
    super::{
        apply::Batch,
        rows::{self, OrderRow},
        webhooks,
    },
    BEFORE_ORDER, attempts,
    stored::{self, StoredFact},
};
use crate::{Attention, InboxState};
use ordercast_core::{
    ProjectId, Timestamp,
    ids::{AttemptId, SourceId},
    order::{Actor, Cause},
    provider::began_before,
};
use rusqlite::{Row, params};

/// Parked events applied when their order appears; far above what one order has.
const PARKED_MAX: u32 = 1_000;

const FIELDS: &str = "inbox_id, source, kind, fact, attempt, received_at, occurred_at";

#[derive(Debug)]
pub(super) struct Parked {
    pub inbox_id: i64,
    pub source: SourceId,
    pub kind: String,
    pub fact: Option<StoredFact>,
    pub attempt: Option<AttemptId>,
    pub received_at: Timestamp,
    pub occurred_at: Option<Timestamp>,
}

impl Parked {
    pub(super) const FIELDS: &str = FIELDS;

    pub(super) fn read(row: &Row) -> rusqlite::Result<Self> {
        let source: String = row.get(1)?;
        let fact: Option<String> = row.get(3)?;
        let attempt: Option<String> = row.get(4)?;
        let corrupt = || rows::corrupt("provider_inbox");
        Ok(Self {
            inbox_id: row.get(0)?,
            source: SourceId::new(&source).map_err(|_| corrupt())?,
            kind: row.get(2)?,
            fact: fact
                .map(|fact| serde_json::from_str(&fact))
                .transpose()
                .map_err(|_| corrupt())?,
            attempt: attempt
                .map(|attempt| AttemptId::known(&attempt))
                .transpose()
                .map_err(|_| corrupt())?,
            received_at: Timestamp::from_millis(row.get(5)?),
            occurred_at: row.get::<_, Option<i64>>(6)?.map(Timestamp::from_millis),
        })
    }

    fn cause(&self) -> Cause {
        Cause {
            actor: Actor::Provider(self.source.clone()),
            reason: self.kind.clone(),
            at: self.received_at,
        }
    }

    /// It cannot have happened after it came.
    fn happened_at(&self) -> Timestamp {
        let told = self.occurred_at.unwrap_or(self.received_at);
        told.min(self.received_at)
    }
}

/// Applies what came before the order did. `row` is left at its newest version.
pub(in super::super) fn apply_parked(
    batch: &mut Batch,
    row: &mut OrderRow,
) -> rusqlite::Result<()> {
    let of_order = format!(
        "SELECT {FIELDS} FROM provider_inbox \
         WHERE state = 'parked' AND project_id = ?1 AND order_id = ?2 ORDER BY inbox_id LIMIT ?3"
    );
    let (project, id) = (row.order.project, row.order.id.get());
    for parked in select(batch, &of_order, params![project.get(), id, PARKED_MAX])? {
        match &parked.attempt {
            Some(attempt) if is_payment_early(batch, row, &parked.source, attempt)? => {
                keep_waiting(batch, &parked)?;
            }
            Some(attempt) => {
                let attempt = attempt.clone();
                unpark(batch, row, &parked)?;
                join(batch, row, Some(&parked.source), &attempt)?;
            }
            None => unpark(batch, row, &parked)?,
        }
    }
    Ok(())
}

/// Remembers whose payment this is, and applies what waited for that.
pub(super) fn join(
    batch: &mut Batch,
    row: &mut OrderRow,
    source: Option<&SourceId>,
    attempt: &AttemptId,
) -> rusqlite::Result<()> {
    let Some(source) = source else {
        return Ok(());
    };
    if attempts::join(batch, row, source, attempt)? {
        apply_of_attempt(batch, row, source, attempt)?;
    }
    Ok(())
}

/// What named only the payment.
pub(super) fn apply_of_attempt(
    batch: &mut Batch,
    row: &mut OrderRow,
    source: &SourceId,
    attempt: &AttemptId,
) -> rusqlite::Result<()> {
    // The list of states is the index's.
    let of_attempt = format!(
        "SELECT {FIELDS} FROM provider_inbox \
         WHERE state IN ('parked', 'expired', 'dismissed') AND state = 'parked' AND project_id = ?1 AND attempt = ?2 AND source = ?3 \
         AND order_id IS NULL ORDER BY inbox_id LIMIT ?4"
    );
    let project = row.order.project.get();
    let bound = params![project, attempt.as_str(), source.as_str(), PARKED_MAX];
    for parked in select(batch, &of_attempt, bound)? {
        unpark(batch, row, &parked)?;
    }
    Ok(())
}

/// Whether a payment that is not known to be the order's began well before the order was made: its event
/// happened then, or one of it that waits did. An order's number may be that of another shop's order, or
/// of one that a restored backup has forgotten.
pub(super) fn is_early(
    batch: &Batch,
    row: &OrderRow,
    source: Option<&SourceId>,
    attempt: &AttemptId,
    occurred_at: Option<Timestamp>,
) -> rusqlite::Result<bool> {
    if occurred_at.is_some_and(|at| began_before(at, row.order.created_at)) {
        return Ok(true);
    }
    source.map_or(Ok(false), |source| {
        is_payment_early(batch, row, source, attempt)
    })
}

fn is_payment_early(
    batch: &Batch,
    row: &OrderRow,
    source: &SourceId,
    attempt: &AttemptId,
) -> rusqlite::Result<bool> {
    let waiting = format!(
        "SELECT {FIELDS} FROM provider_inbox \
         WHERE state IN ('parked', 'expired', 'dismissed') AND project_id = ?1 AND attempt = ?2 \
         AND source = ?3 ORDER BY inbox_id LIMIT ?4"
    );
    let project = row.order.project.get();
    let bound = params![project, attempt.as_str(), source.as_str(), PARKED_MAX];
    let waiting = select(batch, &waiting, bound)?;
    let made_at = row.order.created_at;
    Ok(waiting
        .iter()
        .any(|parked| began_before(parked.happened_at(), made_at)))
}

fn select(batch: &Batch, sql: &str, bound: impl rusqlite::Params) -> rusqlite::Result<Vec<Parked>> {
    let mut statement = batch.connection.prepare_cached(sql)?;
    statement.query_map(bound, Parked::read)?.collect()
}

fn unpark(batch: &mut Batch, row: &mut OrderRow, parked: &Parked) -> rusqlite::Result<()> {
    let fact = parked.fact.as_ref();
    let (state, reason) = stored::apply(batch, row, fact, parked.occurred_at, &parked.cause())?;
    let reason = format!("{reason} (was parked)");
    settle(batch, parked.inbox_id, state, &reason)
}

fn keep_waiting(batch: &Batch, parked: &Parked) -> rusqlite::Result<()> {
    batch
        .connection
        .prepare_cached(
            "UPDATE provider_inbox SET reason = ?2, attention = ?3 WHERE inbox_id = ?1",
        )?
        .execute((
            parked.inbox_id,
            BEFORE_ORDER,
            Attention::BeforeOrder.as_str(),
        ))?;
    Ok(())
}

fn settle(batch: &Batch, inbox_id: i64, state: InboxState, reason: &str) -> rusqlite::Result<()> {
    batch
        .connection
        .prepare_cached(
            "UPDATE provider_inbox SET state = ?2, reason = ?3, attention = NULL \
             WHERE inbox_id = ?1",
        )?
        .execute((inbox_id, state.as_str(), reason))?;
    Ok(())
}

/// Marks what has waited since `before` for an order that it named by number, at most `limit`; how many.
/// What names no order of ours is somebody else's payment, and no cause for alarm.
pub(super) fn flag_waiting(
    batch: &Batch,
    before: Timestamp,
    limit: u32,
    at: Timestamp,
) -> rusqlite::Result<usize> {
    let flagged: Vec<(ProjectId, i64)> = batch
        .connection
        .prepare_cached(
            "UPDATE provider_inbox SET attention = ?3 WHERE inbox_id IN ( \
             SELECT inbox_id FROM provider_inbox \
             WHERE state = 'parked' AND order_id IS NOT NULL AND attention IS NULL \
             AND received_at < ?1 ORDER BY received_at LIMIT ?2) \
             RETURNING project_id, inbox_id",
        )?
        .query_map(
            (before.millis(), limit, Attention::Waiting.as_str()),
            |row| Ok((rows::project_id(row.get(0)?)?, row.get(1)?)),
        )?
        .collect::<rusqlite::Result<_>>()?;
    let mut projects: Vec<_> = flagged.iter().map(|(project, _)| *project).collect();
    projects.sort_unstable();
    projects.dedup();
    for project in projects {
        let of_project = flagged.iter().filter(|(known, _)| *known == project);
        let ids: Vec<_> = of_project.map(|(_, id)| *id).collect();
        let (first, last) = (ids.iter().min(), ids.iter().max());
        let detail = format!(
            "{} webhooks wait for orders that were not made here: entries {} to {}",
            ids.len(),
            first.copied().unwrap_or_default(),
            last.copied().unwrap_or_default()
        );
        webhooks::notify_of_inbox(batch, project, Attention::Waiting, &detail, at)?;
    }
    Ok(flagged.len())
}

/// Puts aside what has waited since `before`, at most `limit`; how many.
pub(super) fn expire(batch: &Batch, before: Timestamp, limit: u32) -> rusqlite::Result<usize> {
    batch
        .connection
        .prepare_cached(
            "UPDATE provider_inbox SET state = 'expired', attention = NULL, \
             reason = 'it waited too long: ' || reason WHERE inbox_id IN ( \
             SELECT inbox_id FROM provider_inbox WHERE state = 'parked' AND received_at < ?1 \
             ORDER BY received_at LIMIT ?2)",
        )?
        .execute((before.millis(), limit))
}
