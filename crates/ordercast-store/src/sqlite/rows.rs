//! Rows to domain values and back.

use ordercast_core::{
    OrderId, ProjectId, Timestamp, UserId,
    channel::{Offset, Sequence},
    ids::Version,
    order::{Mode, Order},
};
use rusqlite::{Connection, OptionalExtension, Row};

/// A value in the database that our own writer cannot have written.
pub(super) fn corrupt(what: &'static str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(
        0,
        rusqlite::types::Type::Null,
        format!("unexpected value in {what}").into(),
    )
}

/// An order with the keys that the writer needs.
#[derive(Clone, Debug)]
pub(crate) struct OrderRow {
    pub order: Order,
    pub order_key: i64,
    pub channel_key: i64,
    pub token_hash: Option<Vec<u8>>,
    /// Of content and facets as they are stored.
    pub text_bytes: usize,
}

/// Of `orders o` and its `channels c`, as [`order_row`] reads them.
pub(super) const ORDER_FIELDS: &str = "o.order_key, o.channel_key, o.project_id, o.order_id, c.user_id, o.mode, o.version, \
     o.content, o.facets, o.token_hash, o.created_at, o.updated_at, o.expires_at";
const ORDERS: &str = "orders o JOIN channels c ON c.channel_key = o.channel_key";

pub(crate) fn order_by_id(
    connection: &Connection,
    project: ProjectId,
    order: OrderId,
) -> rusqlite::Result<Option<OrderRow>> {
    connection
        .prepare_cached(&format!(
            "SELECT {ORDER_FIELDS} FROM {ORDERS} WHERE o.project_id = ?1 AND o.order_id = ?2"
        ))?
        .query_row((project.get(), order.get()), order_row)
        .optional()
}

pub(crate) fn order_by_key(
    connection: &Connection,
    order_key: i64,
) -> rusqlite::Result<Option<OrderRow>> {
    connection
        .prepare_cached(&format!(
            "SELECT {ORDER_FIELDS} FROM {ORDERS} WHERE o.order_key = ?1"
        ))?
        .query_row([order_key], order_row)
        .optional()
}

pub(super) fn order_row(row: &Row) -> rusqlite::Result<OrderRow> {
    let user: String = row.get(4)?;
    let mode: String = row.get(5)?;
    let content: String = row.get(7)?;
    let facets: String = row.get(8)?;
    Ok(OrderRow {
        order_key: row.get(0)?,
        channel_key: row.get(1)?,
        token_hash: row.get(9)?,
        text_bytes: content.len() + facets.len(),
        order: Order {
            project: project_id(row.get(2)?)?,
            id: order_id(row.get(3)?)?,
            user: UserId::new(&user).map_err(|_| corrupt("channels.user_id"))?,
            mode: mode_from(&mode)?,
            version: Version::new(row.get(6)?).map_err(|_| corrupt("orders.version"))?,
            content: serde_json::from_str(&content).map_err(|_| corrupt("orders.content"))?,
            facets: serde_json::from_str(&facets).map_err(|_| corrupt("orders.facets"))?,
            created_at: Timestamp::from_millis(row.get(10)?),
            updated_at: Timestamp::from_millis(row.get(11)?),
            expires_at: Timestamp::from_millis(row.get(12)?),
        },
    })
}

pub(crate) fn project_id(value: i64) -> rusqlite::Result<ProjectId> {
    ProjectId::new(value).map_err(|_| corrupt("project_id"))
}

pub(crate) fn order_id(value: i64) -> rusqlite::Result<OrderId> {
    OrderId::new(value).map_err(|_| corrupt("order_id"))
}

pub(super) fn offset(value: i64) -> rusqlite::Result<Offset> {
    u64::try_from(value)
        .ok()
        .and_then(Offset::new)
        .ok_or_else(|| corrupt("offset"))
}

pub(super) fn sequence(value: i64) -> rusqlite::Result<Sequence> {
    Sequence::new(value).ok_or_else(|| corrupt("channels.top"))
}

pub(super) const fn mode_text(mode: Mode) -> &'static str {
    match mode {
        Mode::Default => "default",
        Mode::Sandbox => "sandbox",
    }
}

pub(super) fn mode_from(text: &str) -> rusqlite::Result<Mode> {
    match text {
        "default" => Ok(Mode::Default),
        "sandbox" => Ok(Mode::Sandbox),
        _ => Err(corrupt("orders.mode")),
    }
}

/// Values that serialise without fail: strings, integers and enums all the way down.
pub(super) fn json<T: serde::Serialize>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}
