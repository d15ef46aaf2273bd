//! Idempotency records, as the writer and readers look them up.
//!
//! Invariant: only what had an effect is kept. A refusal is decided anew, so that the same request may
//! succeed once what refused it has changed.

use crate::{Outcome, Rendered, RequestKey};
use ordercast_core::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

pub(crate) fn find(
    connection: &Connection,
    asked: &RequestKey,
) -> rusqlite::Result<Option<Outcome>> {
    if let Some(stored) = stored(connection, asked, asked.scope.as_str())? {
        return Ok(Some(stored));
    }
    // Rows that were written before scopes were hashed; the last of them goes with its age.
    stored(connection, asked, asked.scope.before())
}

fn stored(
    connection: &Connection,
    asked: &RequestKey,
    scope: &str,
) -> rusqlite::Result<Option<Outcome>> {
    let stored = connection
        .prepare_cached(
            "SELECT body_hash, status, body FROM idempotency \
             WHERE project_id = ?1 AND route = ?2 AND key = ?3",
        )?
        .query_row((asked.project.get(), scope, &asked.key), |row| {
            Ok((
                row.get::<_, Vec<u8>>(0)?,
                row.get::<_, u16>(1)?,
                row.get::<_, String>(2)?,
            ))
        })
        .optional()?;
    Ok(stored.map(|(hash, status, body)| {
        if hash == asked.body_hash {
            Outcome::Replayed(Rendered { status, body })
        } else {
            Outcome::KeyConflict
        }
    }))
}

pub(super) fn keep(
    connection: &Connection,
    asked: &RequestKey,
    answer: &Rendered,
    order_key: Option<i64>,
    at: Timestamp,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO idempotency (project_id, route, key, body_hash, status, body, created_at, \
             order_key) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            asked.project.get(),
            asked.scope.as_str(),
            asked.key,
            asked.body_hash,
            answer.status,
            answer.body,
            at.millis(),
            order_key,
        ])?;
    Ok(())
}
