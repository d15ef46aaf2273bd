//! Transmissions whose signature covers a checksum of their body only (PayPal): under one id comes one
//! body. Another one with an equal checksum is a forgery.

use super::super::apply::Batch;
use crate::Transmission;
use ordercast_core::{Timestamp, ids::SourceId};
use rusqlite::{OptionalExtension, params};
use std::time::Duration;

/// Longer than such a request is fresh.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
/// Forgotten with each that is remembered: more than come.
const FORGOTTEN_AT_ONCE: u32 = 4;

pub(super) fn is_first_or_same(
    batch: &Batch,
    source: &SourceId,
    transmission: &Transmission,
    at: Timestamp,
) -> rusqlite::Result<bool> {
    let known: Option<Vec<u8>> = batch
        .connection
        .prepare_cached(
            "SELECT body_hash FROM transmissions WHERE source = ?1 AND transmission = ?2",
        )?
        .query_row((source.as_str(), &transmission.id), |row| row.get(0))
        .optional()?;
    if let Some(known) = known {
        return Ok(known == transmission.body_hash);
    }
    // By the guard time, so that a clock that is wrong for a while makes none of them old.
    let guard_time = batch.guard_time();
    let old = at.min(guard_time).minus(KEPT);
    batch
        .connection
        .prepare_cached(
            "DELETE FROM transmissions WHERE (source, transmission) IN ( \
             SELECT source, transmission FROM transmissions WHERE at < ?1 ORDER BY at LIMIT ?2)",
        )?
        .execute((old.millis(), FORGOTTEN_AT_ONCE))?;
    batch
        .connection
        .prepare_cached(
            "INSERT INTO transmissions (source, transmission, body_hash, at) \
             VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![
            source.as_str(),
            transmission.id,
            transmission.body_hash,
            at.max(guard_time).millis()
        ])?;
    Ok(true)
}
