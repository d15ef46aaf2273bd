//! Items of a project. An item keeps its number for as long as it is there.

use super::Written;
use crate::{
    sqlite::rows::{corrupt, json},
    storefront::{ITEMS_MAX, StorefrontOutcome, StorefrontRefusal},
};
use ordercast_core::{
    ProjectId, Sku,
    catalogue::{CatalogueItem, Listed},
};
use rusqlite::{Connection, OptionalExtension, Row, params};

pub(super) fn put_all(
    connection: &Connection,
    project: ProjectId,
    items: &[CatalogueItem],
) -> rusqlite::Result<Written> {
    let there: u32 = connection
        .prepare_cached("SELECT count(*) FROM items WHERE project_id = ?1")?
        .query_row([project.get()], |row| row.get(0))?;
    let mut new = 0;
    for item in items {
        new += u32::from(get(connection, project, &item.sku)?.is_none());
    }
    if there + new > ITEMS_MAX {
        return Ok(Err(StorefrontRefusal::CatalogueFull));
    }
    for item in items {
        put(connection, project, item)?;
    }
    Ok(Ok(StorefrontOutcome::Done))
}

pub(in crate::sqlite) fn put(
    connection: &Connection,
    project: ProjectId,
    item: &CatalogueItem,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO items (project_id, sku, item) VALUES (?1, ?2, ?3) \
             ON CONFLICT (project_id, sku) DO UPDATE SET item = excluded.item",
        )?
        .execute((project.get(), item.sku.as_str(), json(item)?))?;
    Ok(())
}

/// Whether it was there.
pub(super) fn delete(
    connection: &Connection,
    project: ProjectId,
    sku: &Sku,
) -> rusqlite::Result<bool> {
    let deleted = connection
        .prepare_cached("DELETE FROM items WHERE project_id = ?1 AND sku = ?2")?
        .execute((project.get(), sku.as_str()))?;
    Ok(deleted > 0)
}

pub(crate) fn get(
    connection: &Connection,
    project: ProjectId,
    sku: &Sku,
) -> rusqlite::Result<Option<Listed>> {
    connection
        .prepare_cached("SELECT item_id, item FROM items WHERE project_id = ?1 AND sku = ?2")?
        .query_row((project.get(), sku.as_str()), listed)
        .optional()
}

pub(crate) fn list(
    connection: &Connection,
    project: ProjectId,
    after: Option<&Sku>,
    limit: u32,
) -> rusqlite::Result<Vec<Listed>> {
    connection
        .prepare_cached(
            "SELECT item_id, item FROM items WHERE project_id = ?1 AND sku > ?2 \
             ORDER BY sku LIMIT ?3",
        )?
        .query_map(
            params![project.get(), after.map_or("", Sku::as_str), limit],
            listed,
        )?
        .collect()
}

fn listed(row: &Row) -> rusqlite::Result<Listed> {
    let item: String = row.get(1)?;
    Ok(Listed {
        item_id: row.get(0)?,
        item: serde_json::from_str(&item).map_err(|_| corrupt("items.item"))?,
    })
}
