//! Rows of endpoints and of their secrets.

use super::{
    super::{
        apply::Batch,
        memory::Receiver,
        rows::{self, corrupt, json},
        secrets::{Secrets, of_endpoint_headers, of_endpoint_secret},
    },
    Notice, done,
    lane::{self, Lane},
    notify,
};
use crate::{
    DeliveryState, Disabled, Endpoint, EndpointSecret, EndpointSettings, NewEndpoint, NotNow,
    Outcome, Secret, WebhookOutcome,
    webhooks::{ENDPOINTS_MAX, SECRETS_MAX},
};
use ordercast_core::{
    ProjectId, Timestamp,
    delivery::{CustomHeaders, Mode, Notification},
    ids::{EndpointId, SecretId},
};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::{sync::Arc, time::Duration};
use zeroize::Zeroizing;

type Key = (ProjectId, EndpointId);

pub(super) fn create(
    batch: &mut Batch,
    new: &NewEndpoint,
    at: Timestamp,
) -> rusqlite::Result<Outcome> {
    let project = new.project;
    let has_project = batch
        .connection
        .prepare_cached("SELECT 1 FROM projects WHERE project_id = ?1")?
        .exists([project.get()])?;
    if !has_project {
        return Ok(Outcome::NotFound);
    }
    let live: u32 = batch.connection.query_row(
        "SELECT count(*) FROM endpoints WHERE project_id = ?1 AND ended_at IS NULL",
        [project.get()],
        |row| row.get(0),
    )?;
    if live >= ENDPOINTS_MAX {
        let limit = ENDPOINTS_MAX;
        return Ok(Outcome::Webhooks(WebhookOutcome::TooMany { limit }));
    }
    let receivers = batch.receivers(project)?;
    let is_first = || !receivers.iter().any(|known| known.settings.completes);
    // Whoever speaks the vendor's words to a shop speaks to what fulfils its orders.
    let fulfils = || new.settings.mode != Mode::Standard || is_first();
    let settings = EndpointSettings {
        completes: new
            .completes
            .unwrap_or_else(|| new.settings.hears_of_sales() && fulfils()),
        ..new.settings.clone()
    };
    batch.connection.execute(
        "INSERT INTO endpoints (project_id, settings, created_at) VALUES (?1, ?2, ?3)",
        (project.get(), json(&settings)?, at.millis()),
    )?;
    let endpoint = id(batch.connection.last_insert_rowid())?;
    write_headers(batch, endpoint, &new.headers)?;
    insert_secret(batch, endpoint, &new.secret, at)?;
    changed(batch, (project, endpoint))
}

pub(super) fn change(
    batch: &mut Batch,
    key: Key,
    settings: &EndpointSettings,
    headers: Option<&CustomHeaders>,
) -> rusqlite::Result<Outcome> {
    if !exists(batch, key)? {
        return Ok(Outcome::NotFound);
    }
    batch.connection.execute(
        "UPDATE endpoints SET settings = ?2 WHERE endpoint_id = ?1",
        (key.1.get(), json(settings)?),
    )?;
    if let Some(headers) = headers {
        write_headers(batch, key.1, headers)?;
    }
    changed(batch, key)
}

/// Their values are secrets.
fn write_headers(
    batch: &Batch,
    endpoint: EndpointId,
    headers: &CustomHeaders,
) -> rusqlite::Result<()> {
    let sealed = if headers.is_empty() {
        None
    } else {
        let row = of_endpoint_headers(endpoint);
        let text = Zeroizing::new(json(headers)?);
        Some(batch.secrets().seal(&row, text.as_bytes())?)
    };
    batch.connection.execute(
        "UPDATE endpoints SET headers = ?2 WHERE endpoint_id = ?1",
        (endpoint.get(), sealed),
    )?;
    Ok(())
}

/// Forgets its failures too. What waited for its next attempt is due at once.
pub(super) fn enable(batch: &mut Batch, key: Key, at: Timestamp) -> rusqlite::Result<Outcome> {
    if !exists(batch, key)? {
        return Ok(Outcome::NotFound);
    }
    batch.connection.execute(
        "UPDATE endpoints SET disabled_at = NULL, disabled_reason = NULL, failures = 0, \
         failing_since = NULL WHERE endpoint_id = ?1",
        [key.1.get()],
    )?;
    batch.connection.execute(
        "UPDATE deliveries SET next_at = min(next_at, ?2) \
         WHERE endpoint_id = ?1 AND next_at IS NOT NULL",
        (key.1.get(), at.millis()),
    )?;
    changed(batch, key)
}

/// By a person: no news for the operator.
pub(super) fn disable(
    batch: &mut Batch,
    key: Key,
    reason: &str,
    at: Timestamp,
) -> rusqlite::Result<Outcome> {
    if !exists(batch, key)? {
        return Ok(Outcome::NotFound);
    }
    set_disabled(batch, key.1, reason, at)?;
    changed(batch, key)
}

pub(super) fn disable_by_rule(
    batch: &mut Batch,
    endpoint: EndpointId,
    reason: &str,
    at: Timestamp,
) -> rusqlite::Result<()> {
    let project = project(batch, endpoint)?;
    if set_disabled(batch, endpoint, reason, at)? {
        let target = (endpoint, None);
        notify(batch, project, Notice::EndpointDisabled, target, reason, at)?;
    }
    batch.forget_receivers(project);
    Ok(())
}

fn set_disabled(
    batch: &Batch,
    endpoint: EndpointId,
    reason: &str,
    at: Timestamp,
) -> rusqlite::Result<bool> {
    let updated = batch.connection.execute(
        "UPDATE endpoints SET disabled_at = ?2, disabled_reason = ?3 \
         WHERE endpoint_id = ?1 AND disabled_at IS NULL",
        (endpoint.get(), at.millis(), reason),
    )?;
    Ok(updated > 0)
}

pub(super) fn end(batch: &mut Batch, key: Key, at: Timestamp) -> rusqlite::Result<Outcome> {
    if !exists(batch, key)? {
        return Ok(Outcome::NotFound);
    }
    let (project, endpoint) = key;
    batch.connection.execute(
        "UPDATE endpoints SET ended_at = ?2, headers = NULL WHERE endpoint_id = ?1",
        (endpoint.get(), at.millis()),
    )?;
    batch.connection.execute(
        "UPDATE endpoint_secrets SET value = x'', expires_at = min(coalesce(expires_at, ?2), ?2) \
         WHERE endpoint_id = ?1",
        (endpoint.get(), at.millis()),
    )?;
    batch.connection.execute(
        "UPDATE deliveries SET state = ?2, reason = 'its endpoint was deleted', next_at = NULL, \
         finished_at = ?3 WHERE endpoint_id = ?1 AND finished_at IS NULL",
        params![endpoint.get(), DeliveryState::Dead.as_str(), at.millis()],
    )?;
    batch.forget_receivers(project);
    batch.ring(endpoint);
    Ok(done())
}

pub(super) fn add_secret(
    batch: &mut Batch,
    key: Key,
    secret: &Secret,
    at: Timestamp,
    overlap: Duration,
) -> rusqlite::Result<Outcome> {
    if !exists(batch, key)? {
        return Ok(Outcome::NotFound);
    }
    let (_, endpoint) = key;
    // A successor does not give more time to one that ends already.
    batch.connection.execute(
        "UPDATE endpoint_secrets SET expires_at = ?2 \
         WHERE endpoint_id = ?1 AND (expires_at IS NULL OR expires_at > ?2)",
        (endpoint.get(), at.plus(overlap).millis()),
    )?;
    batch.connection.execute(
        "UPDATE endpoint_secrets SET value = x'' WHERE endpoint_id = ?1 AND expires_at <= ?2",
        (endpoint.get(), at.millis()),
    )?;
    let live: u32 = batch.connection.query_row(
        "SELECT count(*) FROM endpoint_secrets \
         WHERE endpoint_id = ?1 AND (expires_at IS NULL OR expires_at > ?2)",
        (endpoint.get(), at.millis()),
        |row| row.get(0),
    )?;
    if live >= SECRETS_MAX {
        // The oldest goes, so that a rotation in need is never refused.
        batch.connection.execute(
            "UPDATE endpoint_secrets SET value = x'', expires_at = ?2 WHERE secret_id = ( \
             SELECT min(secret_id) FROM endpoint_secrets \
             WHERE endpoint_id = ?1 AND (expires_at IS NULL OR expires_at > ?2))",
            (endpoint.get(), at.millis()),
        )?;
    }
    insert_secret(batch, endpoint, secret, at)?;
    changed(batch, key)
}

fn insert_secret(
    batch: &Batch,
    endpoint: EndpointId,
    secret: &Secret,
    at: Timestamp,
) -> rusqlite::Result<()> {
    batch.connection.execute(
        "INSERT INTO endpoint_secrets (endpoint_id, value, created_at) VALUES (?1, x'', ?2)",
        (endpoint.get(), at.millis()),
    )?;
    let secret_id = batch.connection.last_insert_rowid();
    let row = of_endpoint_secret(endpoint, secret_id);
    batch.connection.execute(
        "UPDATE endpoint_secrets SET value = ?2 WHERE secret_id = ?1",
        (secret_id, batch.secrets().seal(&row, secret.expose())?),
    )?;
    Ok(())
}

fn changed(batch: &mut Batch, (project, endpoint): Key) -> rusqlite::Result<Outcome> {
    batch.forget_receivers(project);
    batch.ring(endpoint);
    let found = all(batch.connection, batch.secrets(), Some(project))?
        .into_iter()
        .find(|found| found.id == endpoint);
    Ok(match found {
        Some(found) => Outcome::Webhooks(WebhookOutcome::Endpoint(Box::new(found))),
        None => Outcome::NotFound,
    })
}

pub(super) fn exists(batch: &Batch, (project, endpoint): Key) -> rusqlite::Result<bool> {
    batch
        .connection
        .prepare_cached(
            "SELECT 1 FROM endpoints WHERE endpoint_id = ?1 AND project_id = ?2 AND ended_at IS NULL",
        )?
        .exists((endpoint.get(), project.get()))
}

/// Of an endpoint that is named by a row.
pub(super) fn project(batch: &Batch, endpoint: EndpointId) -> rusqlite::Result<ProjectId> {
    batch
        .connection
        .prepare_cached("SELECT project_id FROM endpoints WHERE endpoint_id = ?1")?
        .query_row([endpoint.get()], |row| rows::project_id(row.get(0)?))
}

/// Of an endpoint that has not ended.
pub(super) fn receiver(batch: &mut Batch, endpoint: EndpointId) -> rusqlite::Result<Arc<Receiver>> {
    let project = project(batch, endpoint)?;
    let receivers = batch.receivers(project)?;
    receivers
        .iter()
        .find(|receiver| receiver.endpoint == endpoint)
        .cloned()
        .ok_or_else(|| corrupt("deliveries.endpoint_id"))
}

pub(super) fn succeeded(batch: &Batch, endpoint: EndpointId) -> rusqlite::Result<()> {
    batch
        .connection
        .prepare_cached(
            "UPDATE endpoints SET failures = 0, failing_since = NULL \
             WHERE endpoint_id = ?1 AND failures > 0",
        )?
        .execute([endpoint.get()])?;
    Ok(())
}

/// How many attempts have failed in a row now, and since when.
pub(super) fn failed(
    batch: &Batch,
    endpoint: EndpointId,
    at: Timestamp,
) -> rusqlite::Result<(u32, Timestamp)> {
    batch
        .connection
        .prepare_cached(
            "UPDATE endpoints SET failures = failures + 1, \
             failing_since = coalesce(failing_since, ?2) WHERE endpoint_id = ?1 \
             RETURNING failures, failing_since",
        )?
        .query_row((endpoint.get(), at.millis()), |row| {
            Ok((row.get(0)?, Timestamp::from_millis(row.get(1)?)))
        })
}

/// Who is told of a project's events: for the writer's memory.
pub(in super::super) fn receivers(
    connection: &Connection,
    project: ProjectId,
) -> rusqlite::Result<Vec<Arc<Receiver>>> {
    connection
        .prepare_cached(
            "SELECT endpoint_id, settings, disabled_at IS NULL, created_at FROM endpoints \
             WHERE project_id = ?1 AND ended_at IS NULL ORDER BY endpoint_id",
        )?
        .query_map([project.get()], |row| {
            Ok(Arc::new(Receiver {
                endpoint: id(row.get(0)?)?,
                settings: settings(row, 1)?,
                is_enabled: row.get(2)?,
                created_at: Timestamp::from_millis(row.get(3)?),
            }))
        })?
        .collect()
}

pub(crate) fn all(
    connection: &Connection,
    secrets: &Secrets,
    project: Option<ProjectId>,
) -> rusqlite::Result<Vec<Endpoint>> {
    let of = project.map_or("", |_| "AND project_id = ?1");
    let mut endpoints: Vec<Endpoint> = connection
        .prepare_cached(&format!(
            "SELECT endpoint_id, project_id, settings, created_at, disabled_at, disabled_reason, \
             failures, failing_since, headers FROM endpoints \
             WHERE ended_at IS NULL {of} ORDER BY endpoint_id"
        ))?
        .query_map(
            rusqlite::params_from_iter(project.map(ProjectId::get)),
            |row| endpoint(row, secrets),
        )?
        .collect::<rusqlite::Result<_>>()?;
    for endpoint in &mut endpoints {
        endpoint.secrets = secrets_of(connection, secrets, endpoint.id)?;
    }
    Ok(endpoints)
}

fn endpoint(row: &Row, secrets: &Secrets) -> rusqlite::Result<Endpoint> {
    let reason: Option<String> = row.get(5)?;
    let endpoint = id(row.get(0)?)?;
    let headers = match row.get::<_, Option<Vec<u8>>>(8)? {
        None => Some(CustomHeaders::default()),
        Some(sealed) => secrets
            .open(&of_endpoint_headers(endpoint), sealed)
            .and_then(|text| serde_json::from_slice(text.expose()).ok()),
    };
    Ok(Endpoint {
        id: endpoint,
        headers,
        project: rows::project_id(row.get(1)?)?,
        settings: settings(row, 2)?,
        created_at: Timestamp::from_millis(row.get(3)?),
        disabled: row.get::<_, Option<i64>>(4)?.map(|at| Disabled {
            at: Timestamp::from_millis(at),
            reason: reason.unwrap_or_default(),
        }),
        failures: row.get(6)?,
        failing_since: row.get::<_, Option<i64>>(7)?.map(Timestamp::from_millis),
        secrets: Vec::new(),
    })
}

fn secrets_of(
    connection: &Connection,
    secrets: &Secrets,
    endpoint: EndpointId,
) -> rusqlite::Result<Vec<EndpointSecret>> {
    connection
        .prepare_cached(
            "SELECT secret_id, value, created_at, expires_at FROM endpoint_secrets \
             WHERE endpoint_id = ?1 AND length(value) > 0 ORDER BY secret_id DESC",
        )?
        .query_map([endpoint.get()], |row| {
            let secret_id: i64 = row.get(0)?;
            let value = secrets.open(&of_endpoint_secret(endpoint, secret_id), row.get(1)?);
            value
                .map(|value| {
                    Ok(EndpointSecret {
                        id: SecretId::new(secret_id)
                            .map_err(|_| corrupt("endpoint_secrets.secret_id"))?,
                        value,
                        created_at: Timestamp::from_millis(row.get(2)?),
                        expires_at: row.get::<_, Option<i64>>(3)?.map(Timestamp::from_millis),
                    })
                })
                .transpose()
        })?
        .filter_map(rusqlite::Result::transpose)
        .collect()
}

fn settings(row: &Row, column: usize) -> rusqlite::Result<EndpointSettings> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|_| corrupt("endpoints.settings"))
}

pub(super) fn id(value: i64) -> rusqlite::Result<EndpointId> {
    EndpointId::new(value).map_err(|_| corrupt("endpoint_id"))
}

pub(super) fn notification(text: &str) -> rusqlite::Result<Notification> {
    Notification::parse(text).ok_or_else(|| corrupt("deliveries.notification"))
}

/// A delivery that people name.
pub(super) struct Named {
    pub lane: Lane,
    pub is_pending: bool,
    /// `None`: its endpoint takes deliveries.
    pub not_now: Option<NotNow>,
}

pub(super) fn named(
    batch: &Batch,
    project: ProjectId,
    delivery: i64,
) -> rusqlite::Result<Option<Named>> {
    batch
        .connection
        .prepare_cached(
            "SELECT d.endpoint_id, d.order_key, d.finished_at IS NULL, n.ended_at IS NOT NULL, \
             n.disabled_at IS NOT NULL FROM deliveries d \
             JOIN endpoints n ON n.endpoint_id = d.endpoint_id \
             WHERE d.delivery_id = ?1 AND n.project_id = ?2",
        )?
        .query_row((delivery, project.get()), |row| {
            let lane = Lane {
                endpoint: id(row.get(0)?)?,
                order_key: row.get(1)?,
            };
            let (is_deleted, is_disabled): (bool, bool) = (row.get(3)?, row.get(4)?);
            let not_now = match (is_deleted, is_disabled) {
                (true, _) => Some(NotNow::Deleted),
                (false, true) => Some(NotNow::Disabled),
                (false, false) => None,
            };
            Ok(Named {
                lane,
                is_pending: row.get(2)?,
                not_now,
            })
        })
        .optional()
}

/// Settles what is unfinished of an event at endpoints that complete: the shop has what they would tell
/// it. What is sent beside them, to a chat for example, is sent all the same.
pub(super) fn settle(
    batch: &mut Batch,
    project: ProjectId,
    event: i64,
    at: Timestamp,
) -> rusqlite::Result<()> {
    let receivers = batch.receivers(project)?;
    let completes = |endpoint: EndpointId| {
        let mut receivers = receivers.iter();
        receivers.any(|known| known.endpoint == endpoint && known.settings.completes)
    };
    let unfinished: Vec<(i64, EndpointId, i64)> = batch
        .connection
        .prepare_cached(
            "SELECT delivery_id, endpoint_id, order_key FROM deliveries \
             WHERE event_id = ?1 AND finished_at IS NULL",
        )?
        .query_map([event], |row| {
            Ok((row.get(0)?, id(row.get(1)?)?, row.get(2)?))
        })?
        .collect::<rusqlite::Result<_>>()?;
    let unfinished = unfinished.into_iter();
    for (delivery, endpoint, order_key) in unfinished.filter(|(_, of, _)| completes(*of)) {
        let reason = "acknowledged through the event API";
        lane::finish(batch, delivery, DeliveryState::Settled, Some(reason), at)?;
        let lane = Lane {
            endpoint,
            order_key,
        };
        lane::advance(batch, lane, at)?;
        // It may have been read ahead, and must not be sent any more.
        batch.ring_stale(endpoint);
    }
    Ok(())
}
