//! What people send again, send at last, or take themselves.

use super::{
    super::{apply::Batch, rows},
    acknowledgement, buyers, endpoints,
    lane::{self, Lane},
    outbox,
};
use crate::{Acknowledger, NotNow, Outcome, WebhookOutcome, webhooks::ACKNOWLEDGED_MAX};
use ordercast_core::{ProjectId, Timestamp, ids::EndpointId, order::Status};
use rusqlite::{OptionalExtension, params};
use std::collections::BTreeSet;

pub(super) fn resend(
    batch: &mut Batch,
    project: ProjectId,
    delivery: i64,
    at: Timestamp,
) -> rusqlite::Result<Outcome> {
    let Some(named) = endpoints::named(batch, project, delivery)? else {
        return Ok(Outcome::NotFound);
    };
    let lane = named.lane;
    if let Some(why) = named.not_now {
        return Ok(not_now(why));
    }
    if named.is_pending {
        // Its schedule begins anew; if it waits for another of its order, it goes on waiting.
        batch.connection.execute(
            "UPDATE deliveries SET round = 0, \
             next_at = CASE WHEN next_at IS NULL THEN NULL ELSE min(next_at, ?2) END \
             WHERE delivery_id = ?1",
            (delivery, at.millis()),
        )?;
        batch.ring(lane.endpoint);
    } else {
        reopen(batch, delivery)?;
        lane::order_anew(batch, lane, at)?;
    }
    Ok(super::done())
}

fn reopen(batch: &Batch, delivery: i64) -> rusqlite::Result<()> {
    batch
        .connection
        .prepare_cached(
            "UPDATE deliveries SET state = 'pending', reason = NULL, round = 0, next_at = NULL, \
             finished_at = NULL WHERE delivery_id = ?1",
        )?
        .execute([delivery])?;
    Ok(())
}

pub(super) fn recover(
    batch: &mut Batch,
    key: (ProjectId, EndpointId),
    since: Timestamp,
    limit: u32,
    at: Timestamp,
) -> rusqlite::Result<Outcome> {
    if !endpoints::exists(batch, key)? {
        return Ok(Outcome::NotFound);
    }
    if !endpoints::receiver(batch, key.1)?.is_enabled {
        return Ok(not_now(NotNow::Disabled));
    }
    let dead: Vec<(i64, i64)> = batch
        .connection
        .prepare_cached(
            "SELECT d.delivery_id, d.order_key FROM deliveries d \
             JOIN events e ON e.event_id = d.event_id \
             WHERE d.endpoint_id = ?1 AND d.state = 'dead' AND e.at >= ?2 \
             ORDER BY d.delivery_id LIMIT ?3",
        )?
        .query_map((key.1.get(), since.millis(), limit), |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect::<rusqlite::Result<_>>()?;
    let mut lanes = BTreeSet::new();
    for (delivery, order_key) in &dead {
        reopen(batch, *delivery)?;
        lanes.insert(*order_key);
    }
    advance_all(batch, key.1, lanes, at)?;
    Ok(queued(dead.len(), None))
}

/// Looks at events one after the other, a bite at a time.
pub(super) fn replay(
    batch: &mut Batch,
    key: (ProjectId, EndpointId),
    since: Timestamp,
    (after, limit): (i64, u32),
    at: Timestamp,
) -> rusqlite::Result<Outcome> {
    if !endpoints::exists(batch, key)? {
        return Ok(Outcome::NotFound);
    }
    let (project, endpoint) = key;
    let receiver = endpoints::receiver(batch, endpoint)?;
    if !receiver.is_enabled {
        return Ok(not_now(NotNow::Disabled));
    }
    let missing = never_sent(batch.connection, key, since, (after, limit))?;
    let last_event = missing.last().map(|event| event.number);
    let may_have_more = missing.len() == limit as usize;
    let (mut count, mut lanes) = (0, BTreeSet::new());
    for event in missing.iter().filter(|event| !event.is_known) {
        let Some(row) = rows::order_by_key(batch.connection, event.order_key)? else {
            continue;
        };
        assert_eq!(
            row.order.project, project,
            "events are of their order's project"
        );
        for (part, notification) in
            outbox::wanted(&receiver, &event.kind, event.from, &row.order).collect::<Vec<_>>()
        {
            count += batch
                .connection
                .prepare_cached(
                    "INSERT OR IGNORE INTO deliveries (endpoint_id, event_id, part, notification, \
                     order_key, state) VALUES (?1, ?2, ?3, ?4, ?5, 'pending')",
                )?
                .execute(params![
                    endpoint.get(),
                    event.id,
                    part,
                    notification.as_str(),
                    event.order_key,
                ])?;
            lanes.insert(event.order_key);
        }
    }
    advance_all(batch, endpoint, lanes, at)?;
    Ok(queued(count, last_event.filter(|_| may_have_more)))
}

pub(super) struct Missing {
    pub id: i64,
    /// Its place among the events of its project.
    pub number: i64,
    pub kind: String,
    pub from: Option<Status>,
    pub order_key: i64,
    /// The endpoint was told of it.
    pub is_known: bool,
}

/// The events of a project since then; with them, whether the endpoint has a delivery of it.
pub(super) fn never_sent(
    connection: &rusqlite::Connection,
    (project, endpoint): (ProjectId, EndpointId),
    since: Timestamp,
    (after, limit): (i64, u32),
) -> rusqlite::Result<Vec<Missing>> {
    connection
        .prepare_cached(
            "SELECT e.event_id, e.type, e.previous_status, e.order_key, EXISTS ( \
             SELECT 1 FROM deliveries d WHERE d.event_id = e.event_id AND d.endpoint_id = ?2), \
             e.number FROM events e WHERE e.project_id = ?1 AND e.number > ?4 AND e.at >= ?3 \
             ORDER BY e.number LIMIT ?5",
        )?
        .query_map(
            (project.get(), endpoint.get(), since.millis(), after, limit),
            |row| {
                let from: Option<String> = row.get(2)?;
                Ok(Missing {
                    id: row.get(0)?,
                    kind: row.get(1)?,
                    from: from
                        .map(|from| from.parse())
                        .transpose()
                        .map_err(|()| rows::corrupt("events.previous_status"))?,
                    order_key: row.get(3)?,
                    is_known: row.get(4)?,
                    number: row.get(5)?,
                })
            },
        )?
        .collect()
}

fn advance_all(
    batch: &mut Batch,
    endpoint: EndpointId,
    orders: BTreeSet<i64>,
    at: Timestamp,
) -> rusqlite::Result<()> {
    for order_key in orders {
        let lane = Lane {
            endpoint,
            order_key,
        };
        lane::order_anew(batch, lane, at)?;
    }
    Ok(())
}

const fn not_now(why: NotNow) -> Outcome {
    Outcome::Webhooks(WebhookOutcome::NotNow(why))
}

fn queued(count: usize, last_event: Option<i64>) -> Outcome {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    Outcome::Webhooks(WebhookOutcome::Queued { count, last_event })
}

/// Those of the events that are the caller's to take; others are as if they were not there.
pub(super) fn acknowledge(
    batch: &mut Batch,
    project: ProjectId,
    events: &[i64],
    by: &Acknowledger,
    at: Timestamp,
) -> rusqlite::Result<Outcome> {
    assert!(
        events.len() <= ACKNOWLEDGED_MAX,
        "bounded where it is parsed"
    );
    let mut count = 0;
    let mut is_known = false;
    for number in events {
        let found: Option<(i64, i64, String)> = batch
            .connection
            .prepare_cached(
                "SELECT event_id, order_key, type FROM events \
                 WHERE number = ?1 AND project_id = ?2",
            )?
            .query_row((number, project.get()), |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()?;
        let Some((event, order_key, kind)) = found else {
            continue;
        };
        let Some(row) = batch.order_by_key(order_key)? else {
            continue;
        };
        let may_take = match by {
            Acknowledger::Backend => true,
            Acknowledger::User(user) => row.order.user == *user,
            Acknowledger::Buyer(user, order) => row.order.user == *user && row.order.id == *order,
        };
        if !may_take {
            continue;
        }
        is_known = true;
        // A buyer's word must not keep the shop's backend from hearing of a refund.
        if *by != Acknowledger::Backend {
            count += u32::from(buyers::process(batch, event, at)?);
            continue;
        }
        count += u32::from(acknowledgement::acknowledge(batch, event, at)?);
        endpoints::settle(batch, project, event, at)?;
        if acknowledgement::is_sale(&kind) {
            let reason = "the shop has taken it through the event API";
            acknowledgement::complete_order(batch, order_key, at, reason)?;
        }
    }
    if is_known {
        Ok(Outcome::Webhooks(WebhookOutcome::Acknowledged(count)))
    } else {
        Ok(Outcome::NotFound)
    }
}
