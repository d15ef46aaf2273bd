//! A lane: the unfinished deliveries of one order to one endpoint, by event and part. Only its first
//! has a `next_at`, so nothing overtakes it (guarantees, I24).

use super::super::apply::Batch;
use crate::DeliveryState;
use ordercast_core::{Timestamp, ids::EndpointId};
use rusqlite::{OptionalExtension, params};

#[derive(Clone, Copy, Debug)]
pub(super) struct Lane {
    pub endpoint: EndpointId,
    pub order_key: i64,
}

/// The first of the lane becomes due, unless it is already; whatever else had been goes behind it.
pub(super) fn advance(batch: &mut Batch, lane: Lane, at: Timestamp) -> rusqlite::Result<()> {
    let first: Option<(i64, Option<i64>)> = batch
        .connection
        .prepare_cached(
            "SELECT delivery_id, next_at FROM deliveries \
             WHERE endpoint_id = ?1 AND order_key = ?2 AND finished_at IS NULL \
             ORDER BY event_id, part LIMIT 1",
        )?
        .query_row((lane.endpoint.get(), lane.order_key), |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let Some((first, next_at)) = first else {
        return Ok(());
    };
    if next_at.is_none() {
        batch
            .connection
            .prepare_cached("UPDATE deliveries SET next_at = ?2 WHERE delivery_id = ?1")?
            .execute((first, at.millis()))?;
    }
    batch.ring(lane.endpoint);
    Ok(())
}

/// The time of the next attempt, unless what belongs before it was put into the lane while it was on its
/// way: then it waits for that.
pub(super) fn try_again(
    batch: &Batch,
    lane: Lane,
    delivery: i64,
    at: Timestamp,
) -> rusqlite::Result<()> {
    batch
        .connection
        .prepare_cached(
            "UPDATE deliveries SET next_at = ?4 WHERE delivery_id = ?3 AND delivery_id = ( \
             SELECT delivery_id FROM deliveries \
             WHERE endpoint_id = ?1 AND order_key = ?2 AND finished_at IS NULL \
             ORDER BY event_id, part LIMIT 1)",
        )?
        .execute(params![
            lane.endpoint.get(),
            lane.order_key,
            delivery,
            at.millis()
        ])?;
    Ok(())
}

/// After rows were put into the lane that may belong before its due one.
pub(super) fn order_anew(batch: &mut Batch, lane: Lane, at: Timestamp) -> rusqlite::Result<()> {
    batch
        .connection
        .prepare_cached(
            // Left to itself the planner reads all that is due of the endpoint.
            "UPDATE deliveries INDEXED BY deliveries_lane SET next_at = NULL \
             WHERE endpoint_id = ?1 AND order_key = ?2 AND finished_at IS NULL \
             AND next_at IS NOT NULL",
        )?
        .execute((lane.endpoint.get(), lane.order_key))?;
    batch.ring_stale(lane.endpoint);
    advance(batch, lane, at)
}

/// Ends a delivery. The caller advances its lane.
pub(super) fn finish(
    batch: &Batch,
    delivery: i64,
    state: DeliveryState,
    reason: Option<&str>,
    at: Timestamp,
) -> rusqlite::Result<()> {
    let updated = batch
        .connection
        .prepare_cached(
            "UPDATE deliveries SET state = ?2, reason = ?3, next_at = NULL, finished_at = ?4 \
             WHERE delivery_id = ?1 AND finished_at IS NULL",
        )?
        .execute(params![delivery, state.as_str(), reason, at.millis()])?;
    assert_eq!(updated, 1, "a delivery ends once");
    Ok(())
}
