//! Which order a payment belongs to, by the source that gave the payment its id: two accounts, or two
//! providers, may give the same one.

use super::super::{
    apply::Batch,
    rows::{self, OrderRow},
};
use ordercast_core::{
    ProjectId,
    ids::{AttemptId, SourceId},
};
use rusqlite::{Connection, OptionalExtension, params};

pub(super) const OF_NO_ORDER: &str = "it is of a payment that is about no order of this project";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// By its key.
    Order(i64),
    /// It is known to be about no order of the project.
    Nobodys,
    Unknown,
}

pub(super) fn whose(
    batch: &Batch,
    project: ProjectId,
    source: Option<&SourceId>,
    attempt: &AttemptId,
) -> rusqlite::Result<Whose> {
    let Some(source) = source else {
        return Ok(Whose::Unknown);
    };
    find(batch.connection, project, source, attempt)
}

/// Rows without a source are from before sources were kept: they hold for all.
fn find(
    connection: &Connection,
    project: ProjectId,
    source: &SourceId,
    attempt: &AttemptId,
) -> rusqlite::Result<Whose> {
    let found: Option<Option<i64>> = connection
        .prepare_cached(
            "SELECT order_key FROM attempts WHERE project_id = ?1 AND attempt = ?2 \
             AND source IN (?3, '') ORDER BY source DESC LIMIT 1",
        )?
        .query_row((project.get(), attempt.as_str(), source.as_str()), |row| {
            row.get(0)
        })
        .optional()?;
    Ok(match found {
        Some(Some(key)) => Whose::Order(key),
        Some(None) => Whose::Nobodys,
        None => Whose::Unknown,
    })
}

pub(super) fn order_of(
    connection: &Connection,
    project: ProjectId,
    source: &SourceId,
    attempt: &AttemptId,
) -> rusqlite::Result<Option<OrderRow>> {
    match find(connection, project, source, attempt)? {
        Whose::Order(key) => rows::order_by_key(connection, key),
        Whose::Nobodys | Whose::Unknown => Ok(None),
    }
}

/// Whether it was not known before whose payment this is.
pub(super) fn join(
    batch: &Batch,
    row: &OrderRow,
    source: &SourceId,
    attempt: &AttemptId,
) -> rusqlite::Result<bool> {
    if whose(batch, row.order.project, Some(source), attempt)? != Whose::Unknown {
        return Ok(false);
    }
    put(batch, row, source, attempt)?;
    Ok(true)
}

/// A person says whose payment it is; that holds over what was known.
pub(super) fn join_by_hand(
    batch: &Batch,
    row: &OrderRow,
    source: &SourceId,
    attempt: &AttemptId,
) -> rusqlite::Result<()> {
    put(batch, row, source, attempt)
}

/// What comes of this payment later is about no order either, unless an order has it already.
pub(super) fn join_to_none(
    batch: &Batch,
    project: ProjectId,
    source: &SourceId,
    attempt: &AttemptId,
) -> rusqlite::Result<()> {
    if whose(batch, project, Some(source), attempt)? == Whose::Unknown {
        batch
            .connection
            .prepare_cached(
                "INSERT INTO attempts (project_id, attempt, source) VALUES (?1, ?2, ?3)",
            )?
            .execute((project.get(), attempt.as_str(), source.as_str()))?;
    }
    Ok(())
}

fn put(
    batch: &Batch,
    row: &OrderRow,
    source: &SourceId,
    attempt: &AttemptId,
) -> rusqlite::Result<()> {
    let name = name_in(batch, row, source, attempt)?;
    batch
        .connection
        .prepare_cached(
            "INSERT OR REPLACE INTO attempts (project_id, attempt, source, order_key, name) \
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            row.order.project.get(),
            attempt.as_str(),
            source.as_str(),
            row.order_key,
            (name != *attempt).then(|| name.as_str().to_owned()),
        ])?;
    Ok(())
}

/// What the order calls a payment: its id, unless another source has brought it a payment of that id
/// before. Then the source stands behind it, and the shop names it so.
pub(super) fn name_in(
    batch: &Batch,
    row: &OrderRow,
    source: &SourceId,
    attempt: &AttemptId,
) -> rusqlite::Result<AttemptId> {
    let mut statement = batch.connection.prepare_cached(
        "SELECT source, name FROM attempts \
         WHERE project_id = ?1 AND attempt = ?2 AND order_key = ?3",
    )?;
    let bound = (row.order.project.get(), attempt.as_str(), row.order_key);
    let known: Vec<(String, Option<String>)> = statement
        .query_map(bound, |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let own = known.iter().find(|(of, _)| of == source.as_str());
    match own {
        Some((_, Some(name))) => AttemptId::new(name).map_err(|_| rows::corrupt("attempts.name")),
        Some((_, None)) => Ok(attempt.clone()),
        None if known.iter().any(|(of, _)| !of.is_empty()) => Ok(told_apart(source, attempt)),
        None => Ok(attempt.clone()),
    }
}

fn told_apart(source: &SourceId, attempt: &AttemptId) -> AttemptId {
    let suffix = format!("@{source}");
    let text = attempt.as_str();
    let room = AttemptId::BYTES_MAX.saturating_sub(suffix.len());
    // A provider gives one account no two ids that are alike for so long.
    let begins = &text[..text.floor_char_boundary(room.min(text.len()))];
    AttemptId::new(&format!("{begins}{suffix}")).unwrap_or_else(|_| attempt.clone())
}

/// Of payments as an order calls them, those that a source may be asked about, by their ids there. Of one
/// that only the shop has named nobody knows whose it is.
pub(crate) fn of_source(
    connection: &Connection,
    project: ProjectId,
    source: &SourceId,
    names: &[AttemptId],
) -> rusqlite::Result<Vec<AttemptId>> {
    let suffix = format!("@{source}");
    let mut statement = connection
        .prepare_cached("SELECT source FROM attempts WHERE project_id = ?1 AND attempt = ?2")?;
    let mut ids = Vec::new();
    for name in names {
        let id = name.as_str().strip_suffix(&suffix);
        let Ok(id) = id.map_or_else(|| Ok(name.clone()), AttemptId::new) else {
            continue;
        };
        let sources: Vec<String> = statement
            .query_map((project.get(), id.as_str()), |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        let is_its = sources
            .iter()
            .any(|known| known == source.as_str() || known.is_empty());
        if is_its || sources.is_empty() {
            ids.push(id);
        }
    }
    Ok(ids)
}
