//! Payment sessions. Each new one also sweeps away a few that have ended, and those of the same user that
//! are too many.

use crate::{
    sqlite::rows::{self, corrupt, json},
    storefront::{NewSession, SESSIONS_MAX, Session},
};
use ordercast_core::{Timestamp, UserId};
use rusqlite::{Connection, OptionalExtension, params};

const SWEEP: u32 = 10;

/// Gives its number.
pub(super) fn create(
    connection: &Connection,
    new: &NewSession,
    at: Timestamp,
) -> rusqlite::Result<i64> {
    connection
        .prepare_cached(
            "DELETE FROM payment_sessions WHERE session_id IN (SELECT session_id \
             FROM payment_sessions WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2)",
        )?
        .execute((at.millis(), SWEEP))?;
    connection
        .prepare_cached(
            "DELETE FROM payment_sessions WHERE session_id IN (SELECT session_id \
             FROM payment_sessions WHERE project_id = ?1 AND user_id = ?2 \
             ORDER BY session_id DESC LIMIT 100 OFFSET ?3)",
        )?
        .execute((new.project.get(), new.user.as_str(), SESSIONS_MAX - 1))?;
    connection
        .prepare_cached(
            "INSERT INTO payment_sessions (project_id, user_id, token_hash, mode, purchase, \
             checkout, created_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            new.project.get(),
            new.user.as_str(),
            new.token_hash,
            rows::mode_text(new.mode),
            json(&new.purchase)?,
            json(&new.checkout)?,
            at.millis(),
            new.expires_at.millis(),
        ])?;
    Ok(connection.last_insert_rowid())
}

pub(crate) fn get(connection: &Connection, id: i64) -> rusqlite::Result<Option<Session>> {
    connection
        .prepare_cached(
            "SELECT project_id, user_id, token_hash, mode, purchase, checkout, expires_at \
             FROM payment_sessions WHERE session_id = ?1",
        )?
        .query_row([id], |row| {
            let user: String = row.get(1)?;
            let mode: String = row.get(3)?;
            let (purchase, checkout): (String, String) = (row.get(4)?, row.get(5)?);
            let unexpected = |_| corrupt("payment_sessions");
            Ok(Session {
                project: rows::project_id(row.get(0)?)?,
                user: UserId::new(&user).map_err(|_| corrupt("payment_sessions.user_id"))?,
                token_hash: row.get(2)?,
                mode: rows::mode_from(&mode)?,
                purchase: serde_json::from_str(&purchase).map_err(unexpected)?,
                checkout: serde_json::from_str(&checkout).map_err(unexpected)?,
                expires_at: Timestamp::from_millis(row.get(6)?),
            })
        })
        .optional()
}
