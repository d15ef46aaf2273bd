//! What people and the clock do with events that wait or that nobody understood.

use super::{
    super::{apply::Batch, rows},
    attempts::{self, Whose},
    parked::{self, Parked},
    state, stored,
};
use crate::{HandleRefusal, InboxChange, InboxOutcome, InboxState, Outcome};
use ordercast_core::{
    OrderId, ProjectId, Timestamp,
    order::{Actor, Cause},
};
use rusqlite::{OptionalExtension, params};

pub(in super::super) fn apply(
    batch: &mut Batch,
    change: &InboxChange,
    at: Timestamp,
) -> rusqlite::Result<Outcome> {
    match change {
        InboxChange::Dismiss {
            project,
            id,
            reason,
            actor,
        } => dismiss(batch, (*project, *id), reason, actor, at),
        InboxChange::Match {
            project,
            id,
            order,
            actor,
        } => match_by_hand(batch, (*project, *id), *order, actor, at),
        InboxChange::FlagWaiting { before, limit } => {
            let flagged = parked::flag_waiting(batch, *before, *limit, at)?;
            Ok(Outcome::Pruned(flagged))
        }
        InboxChange::Expire { before, limit } => {
            parked::expire(batch, *before, *limit).map(Outcome::Pruned)
        }
    }
}

/// One that did something, or that has nothing to do, stays what it is.
const fn is_open(state: InboxState) -> bool {
    match state {
        InboxState::Parked | InboxState::Unknown | InboxState::Rejected | InboxState::Expired => {
            true
        }
        InboxState::Applied | InboxState::Ignored | InboxState::Dismissed => false,
    }
}

fn dismiss(
    batch: &Batch,
    (project, id): (ProjectId, i64),
    reason: &str,
    actor: &Actor,
    at: Timestamp,
) -> rusqlite::Result<Outcome> {
    let Some((state, order)) = find(batch, project, id)? else {
        return Ok(Outcome::NotFound);
    };
    if !is_open(state) {
        return Ok(Outcome::HandleRefused(HandleRefusal::NotOpen(state)));
    }
    let reason = format!("dismissed by {actor}: {reason}");
    batch.connection.execute(
        "UPDATE provider_inbox SET state = 'dismissed', attention = NULL, reason = ?2, \
         handled_by = ?3, handled_at = ?4 WHERE inbox_id = ?1",
        params![id, reason, actor.to_string(), at.millis()],
    )?;
    Ok(Outcome::Received(InboxOutcome {
        inbox_id: id,
        order,
        state: InboxState::Dismissed,
        reason,
        is_duplicate: false,
    }))
}

/// The order hears it as if it had named the order, whenever it happened: a person decided. What comes of
/// the same payment later follows.
fn match_by_hand(
    batch: &mut Batch,
    (project, id): (ProjectId, i64),
    order: OrderId,
    actor: &Actor,
    at: Timestamp,
) -> rusqlite::Result<Outcome> {
    let Some((state, _)) = find(batch, project, id)? else {
        return Ok(Outcome::NotFound);
    };
    let event = batch
        .connection
        .prepare_cached(&format!(
            "SELECT {} FROM provider_inbox WHERE inbox_id = ?1",
            Parked::FIELDS
        ))?
        .query_row([id], Parked::read)?;
    let refused = |refusal| Ok(Outcome::HandleRefused(refusal));
    // An event of a foreign payment is ignored, and may be matched all the same.
    if state == InboxState::Applied {
        return refused(HandleRefusal::NotOpen(state));
    }
    let (Some(fact), Some(attempt)) = (&event.fact, &event.attempt) else {
        return refused(HandleRefusal::NoPayment);
    };
    let Some(mut row) = super::resolve(batch, project, order)? else {
        return refused(HandleRefusal::NoSuchOrder);
    };
    if let Whose::Order(key) = attempts::whose(batch, project, Some(&event.source), attempt)?
        && key != row.order_key
    {
        return refused(HandleRefusal::OfAnotherOrder);
    }
    let cause = Cause {
        actor: actor.clone(),
        reason: format!("{} of {}, matched by hand", event.kind, event.source),
        at,
    };
    let heard = (event.occurred_at, Some(&event.source));
    let (state, reason) = stored::apply_of(batch, &mut row, Some(fact), heard, &cause)?;
    let reason = format!("{reason} (matched with order {order} by {actor})");
    batch.connection.execute(
        "UPDATE provider_inbox SET state = ?2, attention = NULL, reason = ?3, order_id = ?4, \
         handled_by = ?5, handled_at = ?6 WHERE inbox_id = ?1",
        params![
            id,
            state.as_str(),
            reason,
            order.get(),
            actor.to_string(),
            at.millis()
        ],
    )?;
    attempts::join_by_hand(batch, &row, &event.source, attempt)?;
    parked::apply_of_attempt(batch, &mut row, &event.source, attempt)?;
    Ok(Outcome::Received(InboxOutcome {
        inbox_id: id,
        order: Some(order),
        state,
        reason,
        is_duplicate: false,
    }))
}

fn find(
    batch: &Batch,
    project: ProjectId,
    id: i64,
) -> rusqlite::Result<Option<(InboxState, Option<OrderId>)>> {
    batch
        .connection
        .prepare_cached(
            "SELECT state, order_id FROM provider_inbox WHERE inbox_id = ?1 AND project_id = ?2",
        )?
        .query_row((id, project.get()), |row| {
            let order: Option<i64> = row.get(1)?;
            Ok((
                state(&row.get::<_, String>(0)?)?,
                order.map(rows::order_id).transpose()?,
            ))
        })
        .optional()
}
