//! Idempotency records, as the writer and readers look them up.

use crate::{Outcome, Rendered};
use ordercast_core::ProjectId;
use rusqlite::{Connection, OptionalExtension};

pub(crate) fn find(
    connection: &Connection,
    project: ProjectId,
    route: &str,
    key: &str,
    body_hash: &[u8; 32],
) -> rusqlite::Result<Option<Outcome>> {
    let stored = connection
        .prepare_cached(
            "SELECT body_hash, status, body FROM idempotency \
             WHERE project_id = ?1 AND route = ?2 AND key = ?3",
        )?
        .query_row((project.get(), route, key), |row| {
            Ok((
                row.get::<_, Vec<u8>>(0)?,
                row.get::<_, u16>(1)?,
                row.get::<_, String>(2)?,
            ))
        })
        .optional()?;
    Ok(stored.map(|(hash, status, body)| {
        if hash == body_hash {
            Outcome::Replayed(Rendered { status, body })
        } else {
            Outcome::KeyConflict
        }
    }))
}
