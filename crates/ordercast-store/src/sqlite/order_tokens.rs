//! Rows of order tokens: payment tokens beside an order's first one, and links.

use super::rows::{self, corrupt};
use crate::{
    CredentialOutcome, Found, OrderToken, Outcome, TokenEnd, TokenKind,
    credentials::ORDER_TOKENS_MAX,
};
use ordercast_core::{OrderId, ProjectId, Timestamp, ids::TokenId};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::sync::Arc;

const LISTED_MAX: u32 = 200;

pub(super) fn issue(
    connection: &Connection,
    (project, order): (ProjectId, OrderId),
    kind: TokenKind,
    hash: &[u8; 32],
    end: TokenEnd,
    (by, at): (&str, Timestamp),
) -> rusqlite::Result<Outcome> {
    let Some(row) = rows::order_by_id(connection, project, order)? else {
        return Ok(Outcome::NotFound);
    };
    let live: u32 = connection
        .prepare_cached(
            "SELECT count(*) FROM order_tokens \
             WHERE order_key = ?1 AND kind = ?2 AND ended_at IS NULL AND expires_at > ?3",
        )?
        .query_row((row.order_key, kind.as_str(), at.millis()), |row| {
            row.get(0)
        })?;
    if live >= ORDER_TOKENS_MAX {
        return Ok(Outcome::Credentials(CredentialOutcome::TooMany {
            limit: ORDER_TOKENS_MAX,
        }));
    }
    let expires_at = match end {
        TokenEnd::After(life) => at.plus(life),
        TokenEnd::AfterOrder(margin) => row.order.expires_at.max(at).plus(margin),
    };
    connection
        .prepare_cached(
            "INSERT INTO order_tokens (order_key, kind, hash, created_at, created_by, expires_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            row.order_key,
            kind.as_str(),
            hash,
            at.millis(),
            by,
            expires_at.millis(),
        ])?;
    Ok(Outcome::Credentials(CredentialOutcome::Token(OrderToken {
        id: token_id(connection.last_insert_rowid())?,
        order_key: row.order_key,
        kind,
        hash: hash.to_vec(),
        created_at: at,
        created_by: by.to_owned(),
        expires_at,
        ended_at: None,
    })))
}

pub(super) fn end(
    connection: &Connection,
    (project, order): (ProjectId, OrderId),
    kind: TokenKind,
    id: Option<TokenId>,
    at: Timestamp,
) -> rusqlite::Result<Outcome> {
    let Some(row) = rows::order_by_id(connection, project, order)? else {
        return Ok(Outcome::NotFound);
    };
    let ended = match (id, kind) {
        (None, TokenKind::Link) => 0,
        (None, TokenKind::Payment) => connection
            .prepare_cached(
                "UPDATE orders SET token_hash = NULL \
                 WHERE order_key = ?1 AND token_hash IS NOT NULL",
            )?
            .execute([row.order_key])?,
        (Some(id), _) => connection
            .prepare_cached(
                "UPDATE order_tokens SET ended_at = ?4, hash = x'' WHERE order_key = ?1 \
                 AND token_id = ?2 AND kind = ?3 AND ended_at IS NULL",
            )?
            .execute((row.order_key, id.get(), kind.as_str(), at.millis()))?,
    };
    Ok(if ended == 0 {
        Outcome::NotFound
    } else {
        Outcome::Credentials(CredentialOutcome::Done)
    })
}

const TOKEN: &str = "SELECT token_id, order_key, kind, hash, created_at, created_by, expires_at, \
     ended_at FROM order_tokens";

pub(crate) fn get(
    connection: &mut Connection,
    id: TokenId,
) -> rusqlite::Result<Option<(OrderToken, Arc<Found>)>> {
    let found = connection
        .prepare_cached(&format!("{TOKEN} WHERE token_id = ?1"))?
        .query_row([id.get()], order_token)
        .optional()?;
    let Some(token) = found else {
        return Ok(None);
    };
    let order = rows::order_by_key(connection, token.order_key)?;
    Ok(order.map(|order| (token, Arc::new(Found::new(order)))))
}

pub(crate) fn of_order(
    connection: &Connection,
    order_key: i64,
    kind: TokenKind,
) -> rusqlite::Result<Vec<OrderToken>> {
    connection
        .prepare_cached(&format!(
            "{TOKEN} WHERE order_key = ?1 AND kind = ?2 \
             ORDER BY ended_at IS NOT NULL, token_id DESC LIMIT ?3"
        ))?
        .query_map((order_key, kind.as_str(), LISTED_MAX), order_token)?
        .collect()
}

fn order_token(row: &Row) -> rusqlite::Result<OrderToken> {
    let kind: String = row.get(2)?;
    Ok(OrderToken {
        id: token_id(row.get(0)?)?,
        order_key: row.get(1)?,
        kind: TokenKind::parse(&kind).ok_or_else(|| corrupt("order_tokens.kind"))?,
        hash: row.get(3)?,
        created_at: Timestamp::from_millis(row.get(4)?),
        created_by: row.get(5)?,
        expires_at: Timestamp::from_millis(row.get(6)?),
        ended_at: row.get::<_, Option<i64>>(7)?.map(Timestamp::from_millis),
    })
}

fn token_id(value: i64) -> rusqlite::Result<TokenId> {
    TokenId::new(value).map_err(|_| corrupt("token_id"))
}
