//! Carts. Each write also sweeps away a few that nobody touched for long, so that their number is
//! bounded by the writes of [`CART_LIFE`].

use super::{Written, catalogue};
use crate::{
    sqlite::rows::{corrupt, json},
    storefront::{
        CART_LIFE, CART_LINES_MAX, CARTS_MAX, CartChange, CartEdit, CartLine, FilledLine,
        StorefrontOutcome, StorefrontRefusal,
    },
};
use ordercast_core::{ProjectId, Timestamp, UserId, ids::CartId};
use rusqlite::{Connection, OptionalExtension, params};

const SWEEP: u32 = 10;

/// `None`: there is no such cart.
pub(super) fn change(
    connection: &Connection,
    change: &CartChange,
    at: Timestamp,
) -> rusqlite::Result<Option<Written>> {
    sweep(connection, at)?;
    let found = lines(connection, change.project, &change.user, &change.cart)?;
    let is_new = found.is_none();
    let mut lines = match (found, &change.edit) {
        (Some(lines), _) => lines,
        (None, CartEdit::Put(_)) => Vec::new(),
        (None, CartEdit::Remove(_) | CartEdit::Clear) => return Ok(None),
    };
    if is_new && is_full(connection, change.project, &change.user)? {
        return Ok(Some(Err(StorefrontRefusal::TooManyCarts)));
    }
    match &change.edit {
        CartEdit::Put(puts) => {
            for put in puts {
                match lines.iter_mut().find(|line| line.sku == put.sku) {
                    Some(line) => line.quantity = put.quantity,
                    None => lines.push(put.clone()),
                }
            }
        }
        CartEdit::Remove(sku) => lines.retain(|line| line.sku != *sku),
        CartEdit::Clear => lines.clear(),
    }
    if lines.len() > CART_LINES_MAX {
        return Ok(Some(Err(StorefrontRefusal::CartFull)));
    }
    connection
        .prepare_cached(
            "INSERT INTO carts (project_id, user_id, cart_id, lines, updated_at) \
             VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (project_id, user_id, cart_id) \
             DO UPDATE SET lines = excluded.lines, updated_at = excluded.updated_at",
        )?
        .execute(params![
            change.project.get(),
            change.user.as_str(),
            change.cart.as_str(),
            json(&lines)?,
            at.millis(),
        ])?;
    Ok(Some(Ok(StorefrontOutcome::Done)))
}

fn sweep(connection: &Connection, at: Timestamp) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM carts WHERE cart_key IN (SELECT cart_key FROM carts \
             WHERE updated_at < ?1 ORDER BY updated_at LIMIT ?2)",
        )?
        .execute((at.minus(CART_LIFE).millis(), SWEEP))?;
    Ok(())
}

fn is_full(connection: &Connection, project: ProjectId, user: &UserId) -> rusqlite::Result<bool> {
    let there: u32 = connection
        .prepare_cached("SELECT count(*) FROM carts WHERE project_id = ?1 AND user_id = ?2")?
        .query_row((project.get(), user.as_str()), |row| row.get(0))?;
    Ok(there >= CARTS_MAX)
}

fn lines(
    connection: &Connection,
    project: ProjectId,
    user: &UserId,
    cart: &CartId,
) -> rusqlite::Result<Option<Vec<CartLine>>> {
    let text: Option<String> = connection
        .prepare_cached(
            "SELECT lines FROM carts WHERE project_id = ?1 AND user_id = ?2 AND cart_id = ?3",
        )?
        .query_row((project.get(), user.as_str(), cart.as_str()), |row| {
            row.get(0)
        })
        .optional()?;
    text.map(|text| serde_json::from_str(&text).map_err(|_| corrupt("carts.lines")))
        .transpose()
}

pub(crate) fn filled(
    connection: &Connection,
    project: ProjectId,
    user: &UserId,
    cart: &CartId,
) -> rusqlite::Result<Option<Vec<FilledLine>>> {
    let Some(lines) = lines(connection, project, user, cart)? else {
        return Ok(None);
    };
    lines
        .into_iter()
        .map(|line| {
            let listed = catalogue::get(connection, project, &line.sku)?;
            Ok(FilledLine { line, listed })
        })
        .collect::<rusqlite::Result<_>>()
        .map(Some)
}
