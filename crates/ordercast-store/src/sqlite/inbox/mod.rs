//! Provider events: stored whatever comes of them, applied once, parked while their order is not known
//! (providers contract, section 2).
//!
//! `attempts` knows whose payment an id is, `parked` what waits and until when, `hand` what people do with
//! it, `list` what they see.

pub(crate) mod attempts;
mod hand;
pub(crate) mod list;
mod parked;
mod stored;
mod transmissions;

pub(super) use hand::apply;
pub(super) use parked::apply_parked;

use super::{
    apply::Batch,
    rows::{self, OrderRow, json},
    webhooks,
};
use crate::{Attention, InboxEntry, InboxOutcome, InboxState, Outcome};
use attempts::Whose;
use ordercast_core::{
    OrderId, ProjectId, Timestamp,
    ids::{AttemptId, SourceId},
    order::{Actor, Cause, Fact},
    provider::{Event, EventError, Subject},
};
use rusqlite::{OptionalExtension, params};
use std::time::Duration;
use stored::StoredFact;

const NOTHING: &str = "it tells nothing that changes an order";
const BEFORE_ORDER: &str = "it is of a payment that began well before the order of this number was made: it is about \
     another order";

/// Between two words to the operator about one source and one reason.
const TELL_EVERY: Duration = Duration::from_secs(3600);

const INSERT: &str = "INSERT INTO provider_inbox (project_id, source, kind, dedup_key, body, \
    received_at, state, reason, fact, order_id, attempt, occurred_at, named, attention) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14) RETURNING inbox_id";
const READ_AGAIN: &str = "UPDATE provider_inbox SET kind = ?3, body = ?5, received_at = ?6, \
    state = ?7, reason = ?8, fact = ?9, order_id = ?10, attempt = ?11, occurred_at = ?12, \
    named = ?13, attention = ?14, handled_by = NULL, handled_at = NULL \
    WHERE project_id = ?1 AND source = ?2 AND dedup_key = ?4 RETURNING inbox_id";

pub(super) fn receive(
    batch: &mut Batch,
    entry: &InboxEntry,
    at: Timestamp,
) -> rusqlite::Result<Outcome> {
    if let Some(transmission) = &entry.transmission
        && !transmissions::is_first_or_same(batch, &entry.source, transmission, at)?
    {
        return Ok(Outcome::ForgedTransmission);
    }
    let event = entry.event.as_ref().ok();
    let dedup_key = event.and_then(|event| event.dedup_key.as_deref());
    let mut is_again = false;
    if let Some(key) = dedup_key
        && let Some(known) = count_duplicate(batch, entry, key)?
    {
        // What had no rule, no order or no object then may have one now: told again, it is read again.
        let is_open = matches!(
            known.state,
            InboxState::Unknown | InboxState::Rejected | InboxState::Expired
        );
        if !is_open || !event.is_some_and(Event::is_understood) {
            note_twin(batch, entry, at)?;
            return Ok(Outcome::Received(known));
        }
        is_again = true;
    }
    let judged = judge(batch, entry, at)?;
    let kind = event.map_or("unreadable", |event| &event.kind);
    let fact = event.and_then(StoredFact::of);
    let sql = if is_again { READ_AGAIN } else { INSERT };
    let inbox_id = batch.connection.prepare_cached(sql)?.query_row(
        params![
            entry.project.get(),
            entry.source.as_str(),
            kind,
            dedup_key,
            entry.body,
            at.millis(),
            judged.state.as_str(),
            judged.reason,
            fact.as_ref().map(json).transpose()?,
            judged.order.map(OrderId::get),
            judged.attempt.map(AttemptId::as_str),
            event
                .and_then(|event| event.occurred_at.or(event.began_at))
                .map(Timestamp::millis),
            event.and_then(|event| event.named.as_deref()),
            judged.attention.map(Attention::as_str),
        ],
        |row| row.get(0),
    )?;
    if let Some(attention) = judged.attention {
        tell(
            batch,
            entry,
            attention,
            (inbox_id, kind, &judged.reason),
            at,
        )?;
    }
    Ok(Outcome::Received(InboxOutcome {
        inbox_id,
        order: judged.order,
        state: judged.state,
        reason: judged.reason,
        is_duplicate: false,
    }))
}

/// Of some events a second one of equal content cannot be told from the first one sent twice: the order
/// says so to people.
fn note_twin(batch: &mut Batch, entry: &InboxEntry, at: Timestamp) -> rusqlite::Result<()> {
    let Some(event) = entry
        .event
        .as_ref()
        .ok()
        .filter(|event| event.may_be_a_twin)
    else {
        return Ok(());
    };
    let Some(attempt) = event.fact.as_ref().and_then(Fact::attempt) else {
        return Ok(());
    };
    let source = Some(&entry.source);
    let Whose::Order(key) = attempts::whose(batch, entry.project, source, attempt)? else {
        return Ok(());
    };
    let Some(mut row) = batch.order_by_key(key)? else {
        return Ok(());
    };
    let twin = StoredFact {
        fact: Fact::MayBeATwin {
            attempt: attempt.clone(),
        },
        mode: event.mode,
    };
    let cause = Cause {
        actor: Actor::Provider(entry.source.clone()),
        reason: format!("{}, which came before with an equal body", event.kind),
        at,
    };
    stored::apply(batch, &mut row, Some(&twin), None, &cause)?;
    Ok(())
}

/// What an event is about, and what became of it.
struct Judged<'a> {
    order: Option<OrderId>,
    attempt: Option<&'a AttemptId>,
    state: InboxState,
    reason: String,
    attention: Option<Attention>,
}

impl<'a> Judged<'a> {
    fn new(state: InboxState, reason: impl Into<String>) -> Self {
        Self {
            order: None,
            attempt: None,
            state,
            reason: reason.into(),
            attention: None,
        }
    }

    fn of(order: Option<OrderId>, attempt: &'a AttemptId, (state, reason): Verdict) -> Self {
        Self {
            order,
            attempt: Some(attempt),
            ..Self::new(state, reason)
        }
    }

    fn for_people(self, attention: Attention) -> Self {
        Self {
            attention: Some(attention),
            ..self
        }
    }
}

type Verdict = (InboxState, String);

fn judge<'a>(
    batch: &mut Batch,
    entry: &'a InboxEntry,
    at: Timestamp,
) -> rusqlite::Result<Judged<'a>> {
    let event = match &entry.event {
        Ok(event) => event,
        Err(reason) => {
            let judged = Judged::new(InboxState::Rejected, reason.clone());
            return Ok(judged.for_people(Attention::Unreadable));
        }
    };
    let cause = Cause {
        actor: Actor::Provider(entry.source.clone()),
        reason: event.kind.clone(),
        at,
    };
    Ok(match &event.subject {
        Subject::Unknown => Judged::new(InboxState::Unknown, format!("no rule for {}", event.kind))
            .for_people(Attention::UnknownWord),
        Subject::Nothing => Judged::new(InboxState::Ignored, NOTHING),
        Subject::Unreadable(error) => {
            let judged = Judged::new(InboxState::Rejected, error.to_string());
            judged.for_people(match error {
                EventError::Thin => Attention::ThinEvent,
                _ => Attention::Unreadable,
            })
        }
        Subject::User(_) => Judged::new(InboxState::Ignored, "a question, nothing to change"),
        Subject::Foreign { attempt, why } => {
            attempts::join_to_none(batch, entry.project, &entry.source, attempt)?;
            let verdict = (InboxState::Ignored, (*why).to_owned());
            Judged::of(None, attempt, verdict)
        }
        Subject::Order { order, attempt } => {
            let Some(row) = resolve(batch, entry.project, *order)? else {
                let reason = format!("it named order {order}, which does not exist yet");
                return Ok(Judged::of(
                    Some(*order),
                    attempt,
                    (InboxState::Parked, reason),
                ));
            };
            of_order(batch, row, attempt, event, &cause)?
        }
        Subject::Attempt(attempt) => of_attempt(batch, entry.project, attempt, event, &cause)?,
    })
}

/// The one place where what an event names becomes an order.
fn resolve(
    batch: &Batch,
    project: ProjectId,
    order: OrderId,
) -> rusqlite::Result<Option<OrderRow>> {
    batch.order(project, order)
}

/// Of an event that named an order which exists.
fn of_order<'a>(
    batch: &mut Batch,
    mut row: OrderRow,
    attempt: &'a AttemptId,
    event: &Event,
    cause: &Cause,
) -> rusqlite::Result<Judged<'a>> {
    let (project, id) = (row.order.project, row.order.id);
    let source = source_of(cause);
    match attempts::whose(batch, project, source, attempt)? {
        Whose::Nobodys => {
            let verdict = (InboxState::Ignored, attempts::OF_NO_ORDER.to_owned());
            return Ok(Judged::of(Some(id), attempt, verdict));
        }
        Whose::Unknown if parked::is_early(batch, &row, source, attempt, event.earliest())? => {
            let verdict = (InboxState::Parked, BEFORE_ORDER.to_owned());
            let judged = Judged::of(Some(id), attempt, verdict);
            return Ok(judged.for_people(Attention::BeforeOrder));
        }
        Whose::Unknown | Whose::Order(_) => {}
    }
    let fact = StoredFact::of(event);
    let verdict = stored::apply(batch, &mut row, fact.as_ref(), event.occurred_at, cause)?;
    parked::join(batch, &mut row, source, attempt)?;
    Ok(Judged::of(Some(id), attempt, verdict))
}

/// Of an event that named only the payment, or an order that cannot be ours.
fn of_attempt<'a>(
    batch: &mut Batch,
    project: ProjectId,
    attempt: &'a AttemptId,
    event: &Event,
    cause: &Cause,
) -> rusqlite::Result<Judged<'a>> {
    let row = match attempts::whose(batch, project, source_of(cause), attempt)? {
        Whose::Order(key) => batch.order_by_key(key)?,
        Whose::Nobodys => {
            let verdict = (InboxState::Ignored, attempts::OF_NO_ORDER.to_owned());
            return Ok(Judged::of(None, attempt, verdict));
        }
        Whose::Unknown => None,
    };
    let (order, verdict) = match (row, StoredFact::of(event)) {
        (Some(mut row), fact) => {
            let at = event.occurred_at;
            let verdict = stored::apply(batch, &mut row, fact.as_ref(), at, cause)?;
            (Some(row.order.id), verdict)
        }
        (None, None) => (None, (InboxState::Ignored, NOTHING.to_owned())),
        (None, Some(_)) => {
            let reason = match &event.named {
                Some(named) => format!("it named {named:?}, which is no order of this project"),
                None => "no event has named the order of this payment yet".to_owned(),
            };
            (None, (InboxState::Parked, reason))
        }
    };
    Ok(Judged::of(order, attempt, verdict))
}

/// Everything in here was told by a provider.
fn source_of(cause: &Cause) -> Option<&SourceId> {
    match &cause.actor {
        Actor::Provider(source) => Some(source),
        Actor::ApiKey(_) | Actor::Buyer(_) | Actor::Rule(_) => None,
    }
}

/// An operator event, at most one an hour for each source and reason: one misconfigured sender must not
/// push everything else out of sight.
fn tell(
    batch: &mut Batch,
    entry: &InboxEntry,
    attention: Attention,
    (inbox_id, kind, reason): (i64, &str, &str),
    at: Timestamp,
) -> rusqlite::Result<()> {
    if !batch.may_tell(&entry.source, attention, at, TELL_EVERY) {
        return Ok(());
    }
    let source = &entry.source;
    let detail = format!("entry {inbox_id} of source {source}, {kind}: {reason}");
    webhooks::notify_of_inbox(batch, entry.project, attention, &detail, at)
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
             WHERE source = ?1 AND dedup_key = ?2 RETURNING state, reason, inbox_id, order_id",
        )?
        .query_row((entry.source.as_str(), key), |row| {
            Ok(InboxOutcome {
                state: state(&row.get::<_, String>(0)?)?,
                reason: row.get(1)?,
                inbox_id: row.get(2)?,
                order: row
                    .get::<_, Option<i64>>(3)?
                    .map(rows::order_id)
                    .transpose()?,
                is_duplicate: true,
            })
        })
        .optional()
}

fn state(text: &str) -> rusqlite::Result<InboxState> {
    InboxState::ALL
        .into_iter()
        .find(|known| known.as_str() == text)
        .ok_or_else(|| rows::corrupt("provider_inbox.state"))
}
