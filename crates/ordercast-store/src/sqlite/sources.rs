//! Rows of sources, and the orders that they are asked about.

use super::{
    apply::Batch,
    rows::{self, corrupt, json},
    secrets::{Secrets, of_source, of_source_api_key, of_source_before},
};
use crate::{
    Found, Outcome, Source, SourceChange, SourceOutcome, SweepWindow, sources::SOURCES_MAX,
};
use ordercast_core::{ProjectId, Timestamp, ids::SourceId, provider::Provider};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::sync::Arc;
use zeroize::Zeroizing;

pub(super) fn apply(
    batch: &Batch,
    change: &SourceChange,
    at: Timestamp,
) -> rusqlite::Result<Outcome> {
    match change {
        SourceChange::Create(source) => create(batch, source, at),
        SourceChange::Change {
            project,
            source,
            settings,
            api_key,
        } => {
            if let Some(settings) = settings {
                let sql = "UPDATE sources SET settings = ?3";
                update(batch, sql, (*project, source), json(settings)?)?;
            }
            if let Some(key) = api_key {
                let row = of_source_api_key(*project, source.as_str());
                let sealed = match key.is_empty() {
                    true => None,
                    false => Some(batch.secrets().seal_text(&row, key)?),
                };
                let sql = "UPDATE sources SET api_key = ?3";
                update(batch, sql, (*project, source), sealed)?;
            }
            found(batch, *project, source)
        }
        SourceChange::Rotate {
            project,
            source,
            secret,
            overlap,
        } => {
            let Some(known) = one(batch, *project, source)? else {
                return Ok(Outcome::NotFound);
            };
            let secrets = batch.secrets();
            let (row, before) = (
                of_source(*project, source.as_str()),
                of_source_before(*project, source.as_str()),
            );
            batch.connection.execute(
                "UPDATE sources SET secret = ?3, secret_before = ?4, before_until = ?5 \
                 WHERE source = ?1 AND project_id = ?2 AND ended_at IS NULL",
                params![
                    source.as_str(),
                    project.get(),
                    secrets.seal_text(&row, secret)?,
                    secrets.seal_text(&before, &known.secret)?,
                    at.plus(*overlap).millis(),
                ],
            )?;
            Ok(Outcome::Sources(SourceOutcome::Done))
        }
        SourceChange::End { project, source } => {
            let ended = batch.connection.execute(
                "UPDATE sources SET secret = '', secret_before = NULL, api_key = NULL, \
                 ended_at = ?3 WHERE source = ?1 AND project_id = ?2 AND ended_at IS NULL",
                (source.as_str(), project.get(), at.millis()),
            )?;
            Ok(match ended {
                0 => Outcome::NotFound,
                _ => Outcome::Sources(SourceOutcome::Done),
            })
        }
    }
}

pub(super) fn create(batch: &Batch, source: &Source, at: Timestamp) -> rusqlite::Result<Outcome> {
    let has_project = batch
        .connection
        .prepare_cached("SELECT 1 FROM projects WHERE project_id = ?1")?
        .exists([source.project.get()])?;
    if !has_project {
        return Ok(Outcome::NotFound);
    }
    let live: u32 = batch.connection.query_row(
        "SELECT count(*) FROM sources WHERE project_id = ?1 AND ended_at IS NULL",
        [source.project.get()],
        |row| row.get(0),
    )?;
    if live >= SOURCES_MAX {
        let limit = SOURCES_MAX;
        return Ok(Outcome::Sources(SourceOutcome::TooMany { limit }));
    }
    let (id, secrets) = (source.id.as_str(), batch.secrets());
    let api_key = source.api_key.as_ref().map(|key| {
        let row = of_source_api_key(source.project, id);
        secrets.seal_text(&row, key)
    });
    let inserted = batch.connection.execute(
        "INSERT OR IGNORE INTO sources (source, project_id, provider, secret, created_at, \
         settings, api_key) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            id,
            source.project.get(),
            source.provider.as_str(),
            secrets.seal_text(&of_source(source.project, id), &source.secret)?,
            at.millis(),
            json(&source.settings)?,
            api_key.transpose()?,
        ],
    )?;
    Ok(match inserted {
        // Names are of the whole server, and are not given twice.
        0 => Outcome::Exists,
        _ => Outcome::Sources(SourceOutcome::Done),
    })
}

fn update(
    batch: &Batch,
    set: &str,
    (project, source): (ProjectId, &SourceId),
    value: impl rusqlite::ToSql,
) -> rusqlite::Result<()> {
    batch.connection.execute(
        &format!("{set} WHERE source = ?1 AND project_id = ?2 AND ended_at IS NULL"),
        params![source.as_str(), project.get(), value],
    )?;
    Ok(())
}

fn found(batch: &Batch, project: ProjectId, source: &SourceId) -> rusqlite::Result<Outcome> {
    Ok(match one(batch, project, source)? {
        Some(_) => Outcome::Sources(SourceOutcome::Done),
        None => Outcome::NotFound,
    })
}

fn one(batch: &Batch, project: ProjectId, id: &SourceId) -> rusqlite::Result<Option<Source>> {
    let found = batch
        .connection
        .prepare_cached(&format!("{LIVE} AND source = ?1 AND project_id = ?2"))?
        .query_row((id.as_str(), project.get()), |row| {
            source(row, batch.secrets())
        })
        .optional()?;
    Ok(found.flatten())
}

const LIVE: &str = "SELECT source, project_id, provider, secret, settings, api_key, secret_before, \
     before_until, created_at FROM sources WHERE ended_at IS NULL";

/// All that have not ended.
pub(super) fn live(connection: &Connection, secrets: &Secrets) -> rusqlite::Result<Vec<Source>> {
    connection
        .prepare_cached(&format!("{LIVE} ORDER BY created_at, source"))?
        .query_map([], |row| source(row, secrets))?
        .filter_map(rusqlite::Result::transpose)
        .collect()
}

/// Those of one project that have not ended.
pub(super) fn live_of(
    connection: &Connection,
    secrets: &Secrets,
    project: ProjectId,
) -> rusqlite::Result<Vec<Source>> {
    connection
        .prepare_cached(&format!(
            "{LIVE} AND project_id = ?1 ORDER BY created_at, source"
        ))?
        .query_map([project.get()], |row| source(row, secrets))?
        .filter_map(rusqlite::Result::transpose)
        .collect()
}

/// `None`: without its secret nobody can prove to be the source, as if it were not there.
fn source(row: &Row, secrets: &Secrets) -> rusqlite::Result<Option<Source>> {
    let id: String = row.get(0)?;
    let project = rows::project_id(row.get(1)?)?;
    let provider: String = row.get(2)?;
    let settings: String = row.get(4)?;
    let open = |name: String, column: usize| -> rusqlite::Result<Option<Zeroizing<String>>> {
        let sealed: Option<String> = row.get(column)?;
        Ok(sealed.and_then(|sealed| secrets.open_text(&name, sealed).map(Zeroizing::new)))
    };
    let Some(secret) = open(of_source(project, &id), 3)? else {
        return Ok(None);
    };
    let until = row.get::<_, Option<i64>>(7)?.map(Timestamp::from_millis);
    let before = open(of_source_before(project, &id), 6)?;
    Ok(Some(Source {
        project,
        provider: Provider::parse(&provider).ok_or_else(|| corrupt("sources.provider"))?,
        settings: serde_json::from_str(&settings).map_err(|_| corrupt("sources.settings"))?,
        secret,
        before: before.zip(until),
        api_key: open(of_source_api_key(project, &id), 5)?,
        created_at: Timestamp::from_millis(row.get(8)?),
        id: SourceId::new(&id).map_err(|_| corrupt("sources.source"))?,
    }))
}

/// Ascending by the window's time, then by key.
pub(crate) fn open_orders(
    connection: &Connection,
    project: ProjectId,
    window: SweepWindow,
    behind: Option<i64>,
    limit: u32,
) -> rusqlite::Result<Vec<Arc<Found>>> {
    // Money may be on its way to an order that has just expired; before it does, it is new.
    let (column, statuses, after, until) = match window {
        SweepWindow::Made(after, until) => ("created_at", "('new', 'expired')", after, until),
        SweepWindow::Expires(after, until) => ("expires_at", "('new')", after, until),
    };
    // Without an order to go on behind, all of the first moment are older than the window.
    let behind = behind.unwrap_or(i64::MAX);
    connection
        .prepare_cached(&format!(
            "SELECT {} FROM orders o JOIN channels c ON c.channel_key = o.channel_key \
             WHERE o.project_id = ?1 AND o.status IN {statuses} AND o.{column} >= ?2 \
             AND (o.{column}, o.order_key) > (?2, ?5) AND o.{column} <= ?3 \
             ORDER BY o.{column}, o.order_key LIMIT ?4",
            rows::ORDER_FIELDS
        ))?
        .query_map(
            (project.get(), after.millis(), until.millis(), limit, behind),
            |row| Ok(Arc::new(Found::new(rows::order_row(row)?))),
        )?
        .collect()
}
