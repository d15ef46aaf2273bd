//! Statements that the writer and the readers share.

use super::{
    credentials,
    event_rows::{EVENT_FIELDS, EVENT_FIELDS_COUNT, EVENT_VERSION, event_facts},
    rows::{self, corrupt},
    secrets::Secrets,
    sources,
};
use crate::{
    Credential, EventRow, Feed, Project, ProjectSecrets, Range, Settings, Source, VersionRow,
};
use ordercast_core::{
    ProjectId, Timestamp,
    channel::{Channel, ChannelPage, Epoch, Offset, Publication},
    ids::Version,
};
use rusqlite::{Connection, OptionalExtension, Row, params};

pub(super) fn project_settings(
    connection: &Connection,
    project: ProjectId,
) -> rusqlite::Result<Option<Settings>> {
    let text: Option<String> = connection
        .prepare_cached("SELECT settings FROM projects WHERE project_id = ?1")?
        .query_row([project.get()], |row| row.get(0))
        .optional()?;
    text.map(|t| serde_json::from_str(&t).map_err(|_| corrupt("projects.settings")))
        .transpose()
}

pub(super) fn project(
    connection: &Connection,
    project: ProjectId,
) -> rusqlite::Result<Option<Project>> {
    connection
        .prepare_cached(
            "SELECT project_id, name, settings, created_at FROM projects WHERE project_id = ?1",
        )?
        .query_row([project.get()], project_row)
        .optional()
}

fn project_row(row: &Row) -> rusqlite::Result<Project> {
    let settings: String = row.get(2)?;
    Ok(Project {
        id: rows::project_id(row.get(0)?)?,
        name: row.get(1)?,
        settings: serde_json::from_str(&settings).map_err(|_| corrupt("projects.settings"))?,
        created_at: Timestamp::from_millis(row.get(3)?),
    })
}

pub(crate) fn projects(
    connection: &Connection,
    secrets: &Secrets,
) -> rusqlite::Result<(Vec<Project>, Vec<Credential>, Vec<Source>)> {
    let projects = connection
        .prepare_cached("SELECT project_id, name, settings, created_at FROM projects")?
        .query_map([], project_row)?
        .collect::<rusqlite::Result<_>>()?;
    let credentials = credentials::live(connection, secrets)?;
    let sources = sources::live(connection, secrets)?;
    Ok((projects, credentials, sources))
}

/// One project with all that proves who is of it; `None`: there is no such project.
pub(crate) fn project_secrets(
    connection: &mut Connection,
    secrets: &Secrets,
    id: ProjectId,
) -> rusqlite::Result<Option<ProjectSecrets>> {
    let snapshot = Snapshot::begin(connection)?;
    let Some(project) = project(snapshot.0, id)? else {
        return Ok(None);
    };
    Ok(Some(ProjectSecrets {
        project,
        credentials: credentials::live_of(snapshot.0, secrets, id)?,
        sources: sources::live_of(snapshot.0, secrets, id)?,
        rules: credentials::rules_of(snapshot.0, id)?,
        key_sets: credentials::key_sets_of(snapshot.0, id)?,
    }))
}

const PUBLICATION: &str = "SELECT \"offset\", order_id, status, at FROM publications";

/// Two statements in one read transaction, so that top and publications agree.
pub(crate) fn channel(
    connection: &mut Connection,
    epoch: &Epoch,
    channel: &Channel,
    range: Range,
    limit: usize,
) -> rusqlite::Result<ChannelPage> {
    let snapshot = Snapshot::begin(connection)?;
    let found = snapshot
        .0
        .prepare_cached(
            "SELECT channel_key, top FROM channels WHERE project_id = ?1 AND user_id = ?2",
        )?
        .query_row((channel.project.get(), channel.user.as_str()), |row| {
            Ok((row.get::<_, i64>(0)?, rows::sequence(row.get(1)?)?))
        })
        .optional()?;
    // A channel begins with its first order; before that it is empty and has the same epoch.
    let Some((key, top)) = found else {
        return Ok(ChannelPage {
            epoch: epoch.clone(),
            top: Offset::ZERO,
            publications: Vec::new(),
        });
    };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    // What was published in an epoch before is no longer the channel's.
    let after = |offset: Offset| top.base() + i64::from(offset.get());
    let select = |(from, before): (i64, i64), order: &str| {
        snapshot
            .0
            .prepare_cached(&format!(
                "{PUBLICATION} WHERE channel_key = ?1 AND \"offset\" > ?2 AND \"offset\" < ?3 \
                 ORDER BY \"offset\" {order} LIMIT ?4"
            ))?
            .query_map(params![key, from, before, limit], publication)?
            .collect::<rusqlite::Result<Vec<_>>>()
    };
    let all = (top.base(), i64::MAX);
    let publications = match range {
        Range::Position => Vec::new(),
        Range::After(offset) => select((after(offset), i64::MAX), "")?,
        Range::Before(offset) => select((top.base(), after(offset)), "DESC")?,
        Range::Newest => select(all, "DESC")?,
    };
    Ok(ChannelPage {
        epoch: epoch.rolled(top.roll()),
        top: top.offset(),
        publications,
    })
}

/// All that is read before it is dropped is of one moment. Unlike rusqlite's transaction it does not have
/// its words parsed anew each time.
struct Snapshot<'a>(&'a Connection);

impl<'a> Snapshot<'a> {
    fn begin(connection: &'a Connection) -> rusqlite::Result<Self> {
        connection.prepare_cached("BEGIN")?.execute([])?;
        Ok(Self(connection))
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        // It has read only: there is nothing that could fail to be kept.
        let _ = self
            .0
            .prepare_cached("COMMIT")
            .and_then(|mut commit| commit.execute([]));
    }
}

fn publication(row: &Row) -> rusqlite::Result<Publication> {
    let status: String = row.get(2)?;
    Ok(Publication {
        offset: rows::sequence(row.get(0)?)?.offset(),
        order_id: rows::order_id(row.get(1)?)?,
        status: status
            .parse()
            .map_err(|()| corrupt("publications.status"))?,
        at: Timestamp::from_millis(row.get(3)?),
    })
}

pub(crate) fn versions(
    connection: &Connection,
    order_key: i64,
) -> rusqlite::Result<Vec<VersionRow>> {
    connection
        .prepare_cached(
            "SELECT version, status, actor, reason, at, \"offset\" FROM order_versions \
             WHERE order_key = ?1 ORDER BY version",
        )?
        .query_map([order_key], |row| {
            let status: String = row.get(1)?;
            Ok(VersionRow {
                version: Version::new(row.get(0)?)
                    .map_err(|_| corrupt("order_versions.version"))?,
                status: status
                    .parse()
                    .map_err(|()| corrupt("order_versions.status"))?,
                actor: row.get(2)?,
                reason: row.get(3)?,
                at: Timestamp::from_millis(row.get(4)?),
                offset: row
                    .get::<_, Option<i64>>(5)?
                    .map(rows::offset)
                    .transpose()?,
            })
        })?
        .collect()
}

pub(crate) fn events(
    connection: &Connection,
    project: ProjectId,
    feed: Feed,
    after: i64,
    limit: u32,
) -> rusqlite::Result<Vec<EventRow>> {
    // In the statement's words: bound as a value, the index of what is not acknowledged would not do.
    let (index, wanted) = match feed {
        Feed::All => ("events_by_number", ""),
        Feed::Unacknowledged => ("events_unacknowledged", "AND e.acknowledged_at IS NULL"),
    };
    connection
        .prepare_cached(&format!(
            "SELECT {EVENT_FIELDS}, o.order_id, c.user_id, e.acknowledged_at \
             FROM events e INDEXED BY {index} \
             JOIN orders o ON o.order_key = e.order_key \
             JOIN channels c ON c.channel_key = o.channel_key {EVENT_VERSION} \
             WHERE e.project_id = ?1 AND e.number > ?2 {wanted} ORDER BY e.number LIMIT ?3"
        ))?
        .query_map((project.get(), after, limit), |row| {
            let rest = EVENT_FIELDS_COUNT;
            Ok(EventRow {
                facts: event_facts(row, 0)?,
                order: rows::order_id(row.get(rest)?)?,
                user: row.get(rest + 1)?,
                acknowledged_at: row
                    .get::<_, Option<i64>>(rest + 2)?
                    .map(Timestamp::from_millis),
            })
        })?
        .collect()
}
