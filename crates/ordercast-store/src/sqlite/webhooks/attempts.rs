//! What an attempt changes: its row, its delivery, its lane, its endpoint, and whether the shop has taken
//! the event. One transaction.

use super::{
    super::{apply::Batch, rows::corrupt},
    Notice,
    acknowledgement::{self, Accepted},
    endpoints,
    lane::{self, Lane},
    notify,
};
use crate::{AttemptResult, Attempted, DeliveryState, Outcome, WebhookOutcome};
use ordercast_core::{
    Timestamp,
    delivery::{Notification, Verdict, health},
    order::Status,
};
use rusqlite::{OptionalExtension, params};
use std::time::Duration;

struct Made {
    lane: Lane,
    event: i64,
    part: u8,
    notification: Notification,
    attempts: u32,
    round: u32,
    event_type: String,
    from: Option<Status>,
    happened_at: Timestamp,
    is_finished: bool,
}

pub(super) fn record(
    batch: &mut Batch,
    attempted: &Attempted,
    at: Timestamp,
) -> rusqlite::Result<Outcome> {
    let Some(pending) = made(batch, attempted.delivery)? else {
        return Ok(learned(true, false));
    };
    // A report that was made before.
    if attempted.attempt != pending.attempts + 1 {
        return Ok(learned(pending.is_finished, false));
    }
    write(batch, attempted, at)?;
    // Settled, or its endpoint deleted, while it was on its way: logged, no more.
    if pending.is_finished {
        return Ok(learned(true, false));
    }
    let endpoint = pending.lane.endpoint;
    // The deliveries of an endpoint that has ended are finished.
    let receiver = endpoints::receiver(batch, endpoint)?;
    let (verdict, retry_after, said) = judge(&attempted.result);
    let (finished, disabled) = match verdict {
        Verdict::Accepted => {
            lane::finish(
                batch,
                attempted.delivery,
                DeliveryState::Delivered,
                None,
                at,
            )?;
            endpoints::succeeded(batch, endpoint)?;
            lane::advance(batch, pending.lane, at)?;
            let event = Accepted {
                id: pending.event,
                kind: &pending.event_type,
                from: pending.from,
                at: pending.happened_at,
                order_key: pending.lane.order_key,
            };
            acknowledgement::accepted(batch, &receiver, &event, at)?;
            (true, false)
        }
        Verdict::Refused => {
            die(
                batch,
                attempted.delivery,
                &pending,
                &format!("refused: {said}"),
                at,
            )?;
            // It answered: the endpoint itself is well.
            endpoints::succeeded(batch, endpoint)?;
            (true, false)
        }
        Verdict::Gone => {
            let reason = "it answered 410 Gone";
            die(batch, attempted.delivery, &pending, reason, at)?;
            endpoints::disable_by_rule(batch, endpoint, reason, at)?;
            (true, true)
        }
        Verdict::Retry => {
            let schedule = &receiver.settings.schedule;
            let made = pending.round + 1;
            let next = schedule.next(made, at, retry_after, attempted.jitter);
            match next {
                Some(next) => lane::try_again(batch, pending.lane, attempted.delivery, next)?,
                None => {
                    let reason = format!("the last of {} attempts: {said}", pending.attempts + 1);
                    die(batch, attempted.delivery, &pending, &reason, at)?;
                }
            }
            let (failures, since) = endpoints::failed(batch, endpoint, at)?;
            let is_hopeless = health::is_hopeless(failures, since, at);
            if is_hopeless {
                let reason = format!("{failures} attempts in a row failed: {said}");
                endpoints::disable_by_rule(batch, endpoint, &reason, at)?;
            }
            (next.is_none(), is_hopeless)
        }
    };
    Ok(learned(finished, disabled))
}

const fn learned(finished: bool, disabled: bool) -> Outcome {
    Outcome::Webhooks(WebhookOutcome::Attempted { finished, disabled })
}

fn made(batch: &Batch, delivery: i64) -> rusqlite::Result<Option<Made>> {
    batch
        .connection
        .prepare_cached(
            "SELECT d.endpoint_id, d.order_key, d.event_id, d.part, d.notification, d.attempts, \
             d.round, e.type, d.finished_at IS NOT NULL, e.previous_status, e.at FROM deliveries d \
             JOIN events e ON e.event_id = d.event_id WHERE d.delivery_id = ?1",
        )?
        .query_row([delivery], |row| {
            Ok(Made {
                lane: Lane {
                    endpoint: endpoints::id(row.get(0)?)?,
                    order_key: row.get(1)?,
                },
                event: row.get(2)?,
                part: row.get(3)?,
                notification: endpoints::notification(&row.get::<_, String>(4)?)?,
                attempts: row.get(5)?,
                round: row.get(6)?,
                event_type: row.get(7)?,
                is_finished: row.get(8)?,
                from: row
                    .get::<_, Option<String>>(9)?
                    .map(|status| status.parse())
                    .transpose()
                    .map_err(|()| corrupt("events.previous_status"))?,
                happened_at: Timestamp::from_millis(row.get(10)?),
            })
        })
        .optional()
}

/// Its verdict, how long it asks to be left alone, and how that reads.
fn judge(result: &AttemptResult) -> (Verdict, Option<Duration>, String) {
    match result {
        AttemptResult::Answered {
            status,
            verdict,
            retry_after,
            ..
        } => (*verdict, *retry_after, format!("HTTP {status}")),
        AttemptResult::Failed { error, .. } => (Verdict::Retry, None, error.clone()),
    }
}

fn write(batch: &Batch, attempted: &Attempted, at: Timestamp) -> rusqlite::Result<()> {
    let (status, error, address, body) = match &attempted.result {
        AttemptResult::Answered {
            status,
            address,
            body,
            ..
        } => (Some(*status), None, address.as_ref(), body.as_slice()),
        AttemptResult::Failed { error, address } => {
            (None, Some(error), address.as_ref(), [].as_slice())
        }
    };
    let millis = i64::try_from(attempted.duration.as_millis()).unwrap_or(i64::MAX);
    batch
        .connection
        .prepare_cached(
            "INSERT INTO delivery_attempts (delivery_id, attempt, at, duration_ms, status, error, \
             address, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            attempted.delivery,
            attempted.attempt,
            at.millis(),
            millis,
            status,
            error,
            address,
            body,
        ])?;
    batch
        .connection
        .prepare_cached(
            "UPDATE deliveries SET attempts = attempts + 1, round = round + 1 WHERE delivery_id = ?1",
        )?
        .execute([attempted.delivery])?;
    Ok(())
}

/// The delivery is dead, and with it the later notifications of its event: `order_paid` is sent only
/// after `payment` was answered well (store contract, 3.1).
fn die(
    batch: &mut Batch,
    delivery: i64,
    pending: &Made,
    reason: &str,
    at: Timestamp,
) -> rusqlite::Result<()> {
    lane::finish(batch, delivery, DeliveryState::Dead, Some(reason), at)?;
    let endpoint = pending.lane.endpoint;
    let later: Vec<i64> = batch
        .connection
        .prepare_cached(
            "SELECT delivery_id FROM deliveries WHERE event_id = ?1 AND endpoint_id = ?2 \
             AND part > ?3 AND finished_at IS NULL",
        )?
        .query_map(
            params![pending.event, endpoint.get(), pending.part],
            |row| row.get(0),
        )?
        .collect::<rusqlite::Result<_>>()?;
    for later in later {
        let reason = format!("{} was not accepted", pending.notification.as_str());
        lane::finish(batch, later, DeliveryState::Dead, Some(&reason), at)?;
    }
    let project = endpoints::project(batch, endpoint)?;
    let target = (endpoint, Some(delivery));
    notify(batch, project, Notice::DeliveryDead, target, reason, at)?;
    lane::advance(batch, pending.lane, at)
}
