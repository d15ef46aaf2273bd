//! Outgoing webhooks in rows. `outbox`: what a change queues; `attempts`: what an attempt changes;
//! `acknowledgement`: when the shop has taken an event; `repair`: what people send again; `endpoints`:
//! where to; `buyers`: what their clients pull. Reads are in `due` and `deliveries`.

mod acknowledgement;
mod attempts;
pub(crate) mod buyers;
pub(crate) mod deliveries;
pub(crate) mod due;
pub(crate) mod endpoints;
mod lane;
pub(super) mod outbox;
mod repair;

use super::apply::Batch;
use crate::{Attention, Outcome, WebhookChange, WebhookOutcome};
use ordercast_core::{ProjectId, Timestamp, ids::EndpointId};
use rusqlite::params;

pub(super) fn apply(
    batch: &mut Batch,
    change: &WebhookChange,
    at: Timestamp,
) -> rusqlite::Result<Outcome> {
    match change {
        WebhookChange::CreateEndpoint(new) => endpoints::create(batch, new, at),
        WebhookChange::ChangeEndpoint {
            project,
            endpoint,
            settings,
            headers,
        } => endpoints::change(batch, (*project, *endpoint), settings, headers.as_ref()),
        WebhookChange::EnableEndpoint { project, endpoint } => {
            endpoints::enable(batch, (*project, *endpoint), at)
        }
        WebhookChange::DisableEndpoint {
            project,
            endpoint,
            reason,
        } => endpoints::disable(batch, (*project, *endpoint), reason, at),
        WebhookChange::EndEndpoint { project, endpoint } => {
            endpoints::end(batch, (*project, *endpoint), at)
        }
        WebhookChange::AddSecret {
            project,
            endpoint,
            secret,
            overlap,
        } => endpoints::add_secret(batch, (*project, *endpoint), secret, at, *overlap),
        WebhookChange::Attempted(attempted) => attempts::record(batch, attempted, at),
        WebhookChange::Resend { project, delivery } => {
            repair::resend(batch, *project, *delivery, at)
        }
        WebhookChange::Recover {
            project,
            endpoint,
            since,
            limit,
        } => repair::recover(batch, (*project, *endpoint), *since, *limit, at),
        WebhookChange::Replay {
            project,
            endpoint,
            since,
            after,
            limit,
        } => repair::replay(batch, (*project, *endpoint), *since, (*after, *limit), at),
        WebhookChange::Acknowledge {
            project,
            events,
            by,
        } => repair::acknowledge(batch, *project, events, by, at),
    }
}

const fn done() -> Outcome {
    Outcome::Webhooks(WebhookOutcome::Done)
}

/// What the operator should know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Notice {
    EndpointDisabled,
    DeliveryDead,
}

impl Notice {
    const fn as_str(self) -> &'static str {
        match self {
            Self::EndpointDisabled => "endpoint.disabled",
            Self::DeliveryDead => "delivery.dead",
        }
    }
}

/// That an event of a provider needs a person.
pub(super) fn notify_of_inbox(
    batch: &Batch,
    project: ProjectId,
    attention: Attention,
    detail: &str,
    at: Timestamp,
) -> rusqlite::Result<()> {
    batch
        .connection
        .prepare_cached(
            "INSERT INTO operator_events (project_id, type, detail, at) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![
            project.get(),
            format!("inbox.{}", attention.as_str()),
            detail,
            at.millis(),
        ])?;
    Ok(())
}

fn notify(
    batch: &Batch,
    project: ProjectId,
    notice: Notice,
    (endpoint, delivery): (EndpointId, Option<i64>),
    detail: &str,
    at: Timestamp,
) -> rusqlite::Result<()> {
    batch
        .connection
        .prepare_cached(
            "INSERT INTO operator_events (project_id, type, endpoint_id, delivery_id, detail, at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            project.get(),
            notice.as_str(),
            endpoint.get(),
            delivery,
            detail,
            at.millis(),
        ])?;
    Ok(())
}
