//! Outgoing webhooks: endpoints, the deliveries to them, and how both change.
//!
//! Invariant: a delivery is written in the transaction of the change that it tells of, and ends as
//! delivered, settled through the event API, or dead with a reason.

use crate::{
    Failure, Secret, Store,
    sqlite::webhooks::{buyers, deliveries, due, endpoints},
};
use ordercast_core::{
    OrderId, ProjectId, Timestamp, UserId,
    delivery::{CustomHeaders, EventFacts, Form, Mode, Notification, Schedule, Verdict},
    ids::{EndpointId, SecretId},
    order::Order,
};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

/// Endpoints of one project, those that are disabled among them.
pub const ENDPOINTS_MAX: u32 = 20;
/// Secrets of one endpoint that sign at once.
pub const SECRETS_MAX: u32 = 5;
/// Events that one call may acknowledge.
pub const ACKNOWLEDGED_MAX: usize = 1_000;

/// What an endpoint is told, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointSettings {
    /// Checked where it was given, and again whenever it is dialled.
    pub url: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    pub mode: Mode,
    /// Of [`Form`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_item_flags: bool,
    /// Types of events, in the reference modes of notifications; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub event_types: Vec<String>,
    pub schedule: Schedule,
    /// Attempts a second; `None`: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<u32>,
    /// Attempts at the same time.
    pub concurrency: u32,
    /// What it has accepted the shop has taken: the event counts as acknowledged, and a paid order may
    /// become done, once every endpoint that completes has it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub completes: bool,
}

impl EndpointSettings {
    /// Whether it is told when an order is to be handed over.
    #[must_use]
    pub fn hears_of_sales(&self) -> bool {
        match self.mode {
            Mode::Standard => self.wants("order.paid", Notification::Event),
            Mode::ReferenceSeparate | Mode::ReferenceCombined => {
                self.wants("order.paid", Notification::OrderPaid)
            }
        }
    }

    #[must_use]
    pub const fn form(&self) -> Form {
        Form {
            mode: self.mode,
            has_item_flags: self.has_item_flags,
        }
    }

    /// Whether it wants to be told of this.
    #[must_use]
    pub fn wants(&self, event_type: &str, notification: Notification) -> bool {
        let word = match notification {
            Notification::Event => event_type,
            other => other.as_str(),
        };
        self.event_types.is_empty() || self.event_types.iter().any(|wanted| wanted == word)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub id: EndpointId,
    pub project: ProjectId,
    pub settings: EndpointSettings,
    pub created_at: Timestamp,
    pub disabled: Option<Disabled>,
    /// Attempts that failed since the last one that did not.
    pub failures: u32,
    /// The first of them.
    pub failing_since: Option<Timestamp>,
    /// Newest first; with their values.
    pub secrets: Vec<EndpointSecret>,
    /// Sent with every request; `None`: they cannot be opened, and nothing must be sent without them.
    pub headers: Option<CustomHeaders>,
}

/// An endpoint to be made.
#[derive(Clone, Debug)]
pub struct NewEndpoint {
    pub project: ProjectId,
    /// Its `completes` is filled in by the writer.
    pub settings: EndpointSettings,
    /// `None`: if it is told of paid orders, and is in a reference mode or no other endpoint completes.
    pub completes: Option<bool>,
    pub headers: CustomHeaders,
    pub secret: Secret,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disabled {
    pub at: Timestamp,
    pub reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointSecret {
    pub id: SecretId,
    pub value: Secret,
    pub created_at: Timestamp,
    /// Signs until then; `None`: until it gets a successor.
    pub expires_at: Option<Timestamp>,
}

impl EndpointSecret {
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| end > now)
    }
}

#[derive(Clone, Debug)]
pub enum WebhookChange {
    CreateEndpoint(Box<NewEndpoint>),
    ChangeEndpoint {
        project: ProjectId,
        endpoint: EndpointId,
        settings: EndpointSettings,
        /// `None`: they stay.
        headers: Option<CustomHeaders>,
    },
    /// Also forgets its failures. What waited is due at once.
    EnableEndpoint {
        project: ProjectId,
        endpoint: EndpointId,
    },
    DisableEndpoint {
        project: ProjectId,
        endpoint: EndpointId,
        reason: String,
    },
    /// For good. What was not delivered is dead.
    EndEndpoint {
        project: ProjectId,
        endpoint: EndpointId,
    },
    /// The secrets until now sign for `overlap` more.
    AddSecret {
        project: ProjectId,
        endpoint: EndpointId,
        secret: Secret,
        overlap: Duration,
    },
    /// What became of one attempt.
    Attempted(Box<Attempted>),
    /// Once more, at once; also what was delivered.
    Resend {
        project: ProjectId,
        delivery: i64,
    },
    /// Once more what is dead and was made since; at most `limit`.
    Recover {
        project: ProjectId,
        endpoint: EndpointId,
        since: Timestamp,
        limit: u32,
    },
    /// Sends the events since then that the endpoint was never told of: it did not exist yet, or was
    /// disabled. At most `limit` events after the event `after`.
    Replay {
        project: ProjectId,
        endpoint: EndpointId,
        since: Timestamp,
        after: i64,
        limit: u32,
    },
    /// The shop has taken events: nothing more is sent of them to endpoints that complete. Or a buyer's
    /// client has: they are not shown to it again.
    Acknowledge {
        project: ProjectId,
        events: Vec<i64>,
        by: Acknowledger,
    },
}

impl WebhookChange {
    /// Whose it is; `None`: an attempt, which is the server's own work.
    pub(crate) const fn project(&self) -> Option<ProjectId> {
        match self {
            Self::CreateEndpoint(new) => Some(new.project),
            Self::ChangeEndpoint { project, .. }
            | Self::EnableEndpoint { project, .. }
            | Self::DisableEndpoint { project, .. }
            | Self::EndEndpoint { project, .. }
            | Self::AddSecret { project, .. }
            | Self::Resend { project, .. }
            | Self::Recover { project, .. }
            | Self::Replay { project, .. }
            | Self::Acknowledge { project, .. } => Some(*project),
            Self::Attempted(_) => None,
        }
    }
}

/// Whose events may be acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acknowledger {
    Backend,
    User(UserId),
    /// The holder of a payment token.
    Buyer(UserId, OrderId),
}

/// One attempt of a delivery.
#[derive(Clone, Debug)]
pub struct Attempted {
    pub delivery: i64,
    /// Counts from 1. A second report of the same attempt changes nothing.
    pub attempt: u32,
    pub duration: Duration,
    pub result: AttemptResult,
    /// Of how much the next try is moved, -1 to 1.
    pub jitter: f64,
}

#[derive(Clone, Debug)]
pub enum AttemptResult {
    Answered {
        status: u16,
        verdict: Verdict,
        retry_after: Option<Duration>,
        address: Option<String>,
        /// How it began.
        body: Vec<u8>,
    },
    /// There was no answer.
    Failed {
        error: String,
        address: Option<String>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookOutcome {
    Endpoint(Box<Endpoint>),
    Done,
    TooMany {
        limit: u32,
    },
    /// Of an attempt: whether the endpoint is disabled now, and what was learned.
    Attempted {
        finished: bool,
        disabled: bool,
    },
    /// How many deliveries were queued, and the last event that was looked at, if there may be more.
    Queued {
        count: u32,
        last_event: Option<i64>,
    },
    /// Nothing was queued.
    NotNow(NotNow),
    /// How many of the events were not acknowledged before.
    Acknowledged(u32),
}

/// Why nothing can be sent to an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotNow {
    Disabled,
    Deleted,
}

/// A delivery that may be sent now.
#[derive(Clone, Debug)]
pub struct Due {
    pub delivery: i64,
    pub event: EventFacts,
    pub notification: Notification,
    /// Made so far.
    pub attempts: u32,
    pub order: Arc<Order>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    Pending,
    Delivered,
    Dead,
    Settled,
}

impl DeliveryState {
    pub const ALL: [Self; 4] = [Self::Pending, Self::Delivered, Self::Dead, Self::Settled];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
            Self::Settled => "settled",
        }
    }
}

#[derive(Clone, Debug)]
pub struct DeliveryRow {
    pub id: i64,
    pub endpoint: EndpointId,
    pub event: i64,
    pub event_type: String,
    pub notification: Notification,
    pub order: OrderId,
    pub state: DeliveryState,
    pub reason: Option<String>,
    pub attempts: u32,
    /// `None` while it is finished or waits for another of its order.
    pub next_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
}

#[derive(Clone, Debug)]
pub struct AttemptRow {
    pub attempt: u32,
    pub at: Timestamp,
    pub duration: Duration,
    pub status: Option<u16>,
    pub error: Option<String>,
    pub address: Option<String>,
    pub body: Vec<u8>,
}

#[derive(Clone, Debug)]
pub struct OperatorEventRow {
    pub id: i64,
    pub kind: String,
    pub endpoint: Option<EndpointId>,
    pub delivery: Option<i64>,
    pub detail: String,
    pub at: Timestamp,
}

/// Which deliveries of an endpoint a list shows, newest first.
#[derive(Clone, Copy, Debug)]
pub struct DeliveryFilter {
    pub state: Option<DeliveryState>,
    /// Ids below this one.
    pub before: Option<i64>,
    pub limit: u32,
}

/// Which of a buyer's events a client pulls, ascending by id.
#[derive(Clone, Debug)]
pub struct ClientEventFilter {
    /// Ids above this one.
    pub after: i64,
    /// Notifications of the combined mode; empty: all.
    pub types: Vec<String>,
    pub limit: u32,
}

/// An event as buyers' clients pull it.
#[derive(Clone, Debug)]
pub struct ClientEvent {
    pub facts: EventFacts,
    pub order: Arc<Order>,
}

impl Store {
    /// All endpoints that have not ended, with their live secrets.
    ///
    /// # Errors
    /// [`Failure`] as for every read.
    pub async fn endpoints(&self, project: Option<ProjectId>) -> Result<Vec<Endpoint>, Failure> {
        let secrets = self.secrets();
        let query = move |connection: &mut _| endpoints::all(connection, &secrets, project);
        match project {
            Some(project) => self.read_list(project, query).await,
            None => self.read_work(query).await,
        }
    }

    /// At most `limit` deliveries that are due, and when the next one is if these are all.
    ///
    /// # Errors
    /// [`Failure`] as for every read.
    pub async fn due(
        &self,
        endpoint: EndpointId,
        now: Timestamp,
        limit: u32,
    ) -> Result<(Vec<Due>, Option<Timestamp>), Failure> {
        self.read_work(move |connection| due::due(connection, endpoint, now, limit))
            .await
    }

    /// # Errors
    /// [`Failure`] as for every read.
    pub async fn deliveries(
        &self,
        project: ProjectId,
        endpoint: EndpointId,
        filter: DeliveryFilter,
    ) -> Result<Vec<DeliveryRow>, Failure> {
        self.read_list(project, move |connection| {
            deliveries::list(connection, project, endpoint, filter)
        })
        .await
    }

    /// One delivery with its attempts, and what is needed to show its body.
    ///
    /// # Errors
    /// [`Failure`] as for every read.
    pub async fn delivery(
        &self,
        project: ProjectId,
        delivery: i64,
    ) -> Result<Option<(DeliveryRow, Vec<AttemptRow>, Due)>, Failure> {
        self.read_list(project, move |connection| {
            deliveries::one(connection, project, delivery)
        })
        .await
    }

    /// How many deliveries [`WebhookChange::Recover`] would send again.
    ///
    /// # Errors
    /// [`Failure`] as for every read.
    pub async fn recoverable(
        &self,
        project: ProjectId,
        endpoint: EndpointId,
        since: Timestamp,
    ) -> Result<u32, Failure> {
        self.read_list(project, move |connection| {
            deliveries::recoverable(connection, project, endpoint, since)
        })
        .await
    }

    /// How many events [`WebhookChange::Replay`] would look at and deliveries it would queue.
    ///
    /// # Errors
    /// [`Failure`] as for every read.
    pub async fn replayable(
        &self,
        project: ProjectId,
        endpoint: EndpointId,
        since: Timestamp,
    ) -> Result<u32, Failure> {
        self.read_list(project, move |connection| {
            deliveries::replayable(connection, project, endpoint, since)
        })
        .await
    }

    /// Newest first, with ids below `before`.
    ///
    /// # Errors
    /// [`Failure`] as for every read.
    pub async fn operator_events(
        &self,
        project: ProjectId,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<OperatorEventRow>, Failure> {
        self.read_list(project, move |connection| {
            deliveries::operator_events(connection, project, before, limit)
        })
        .await
    }

    /// Events of one user, or of one of their orders, that were not processed; ascending by id.
    ///
    /// # Errors
    /// [`Failure`] as for every read.
    pub async fn client_events(
        &self,
        project: ProjectId,
        user: UserId,
        order: Option<OrderId>,
        wanted: ClientEventFilter,
    ) -> Result<Vec<ClientEvent>, Failure> {
        self.read_list(project, move |connection| {
            buyers::client_events(connection, project, &user, order, &wanted)
        })
        .await
    }
}
