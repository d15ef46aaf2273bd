//! What may be asked of the writer, and what it answers.

use crate::{
    CatalogueItem, Credential, CredentialChange, CredentialOutcome, Failure, Found, Project,
    RequestKey, Source, SourceChange, SourceOutcome, StorefrontChange, StorefrontOutcome,
    WebhookChange, WebhookOutcome,
    fair::{self, Turn},
    old::{OldKey, Prune},
    storefront::PURCHASE_BYTES_MAX,
};
use ordercast_core::{
    OrderId, ProjectId, Timestamp, UserId,
    channel::{Epoch, Offset},
    ids::{SourceId, Version},
    order::{Actor, Cause, Content, Mode, Order, Refusal, Request, Status},
    provider::Event,
};
use std::{fmt, sync::Arc, time::Duration};

/// One change, with the idempotency record that is committed with it.
#[derive(Debug)]
pub struct Submission {
    pub change: Change,
    pub at: Timestamp,
    pub idempotency: Option<Idempotency>,
}

#[derive(Clone, Debug)]
pub enum Change {
    /// Also replaces nothing: an existing id is [`Outcome::Exists`].
    CreateProject(Box<NewProject>),
    ChangeProject(Box<ProjectChange>),
    CreateOrder(Box<NewOrder>),
    Request {
        project: ProjectId,
        order: OrderId,
        request: Request,
        /// Refuse unless the order is at this version.
        if_version: Option<Version>,
        cause: Cause,
    },
    /// Ends the stated life of an order, if it is over and the order still waits for its payment.
    Expire {
        project: ProjectId,
        order: OrderId,
    },
    /// Deletes of these rows, which were found to be older than `before`, as many as hold up nobody.
    Prune {
        what: Prune,
        before: Timestamp,
        keys: Vec<OldKey>,
    },
    /// Gives free pages back to the file system, as many as hold up nobody and at most so many.
    Shrink {
        pages: u32,
    },
    /// A verified provider event; stored, then applied, ignored or parked in the same transaction.
    Receive(Box<InboxEntry>),
    /// What becomes of events that wait, or that nobody understood.
    Inbox(Box<InboxChange>),
    Storefront(Box<StorefrontChange>),
    Credentials(Box<CredentialChange>),
    Webhooks(Box<WebhookChange>),
    Sources(Box<SourceChange>),
    /// Begins a new epoch, if the proof still holds.
    BeginEpoch(Box<Proof>),
    /// Only asks whether changes are still written.
    Nothing,
}

/// What a change without a body of its own holds while it waits; with room to spare.
const CHANGE_BYTES: usize = 1_024;
const ITEM_BYTES: usize = 512;

impl Change {
    /// In whose turn it is written.
    pub(crate) fn turn(&self) -> Turn {
        let project = match self {
            Self::ChangeProject(change) => Some(change.project),
            Self::CreateOrder(new) => Some(new.project),
            Self::Request { project, .. } | Self::Expire { project, .. } => Some(*project),
            Self::Receive(entry) => Some(entry.project),
            Self::Inbox(change) => change.project(),
            Self::Storefront(change) => Some(change.project()),
            Self::Credentials(change) => change.project(),
            Self::Webhooks(change) => change.project(),
            Self::Sources(change) => Some(change.project()),
            Self::CreateProject(_)
            | Self::Prune { .. }
            | Self::Shrink { .. }
            | Self::BeginEpoch(_)
            | Self::Nothing => None,
        };
        project.map_or(fair::SERVER, ProjectId::get)
    }

    /// About what it holds while it waits.
    pub(crate) fn bytes(&self) -> usize {
        let own = match self {
            Self::CreateOrder(new) => {
                new.content.checkout.size_bytes() + new.content.items.len() * ITEM_BYTES
            }
            Self::Receive(entry) => entry.body.len(),
            Self::Storefront(change) => match &**change {
                StorefrontChange::PutItems { items, .. } => items.len() * ITEM_BYTES,
                StorefrontChange::CreateSession(_) => PURCHASE_BYTES_MAX,
                StorefrontChange::DeleteItem { .. }
                | StorefrontChange::Balance(_)
                | StorefrontChange::Cart(_) => 0,
            },
            Self::CreateProject(new) => new.items.len() * ITEM_BYTES,
            Self::ChangeProject(_)
            | Self::Request { .. }
            | Self::Expire { .. }
            | Self::Prune { .. }
            | Self::Shrink { .. }
            | Self::BeginEpoch(_)
            | Self::Nothing
            | Self::Inbox(_)
            | Self::Credentials(_)
            | Self::Webhooks(_)
            | Self::Sources(_) => 0,
        };
        CHANGE_BYTES + own
    }

    /// What it is about, for the log: no secret, and nothing of a buyer.
    #[must_use]
    pub fn subject(&self) -> String {
        match self {
            Self::CreateProject(_) => "a new project".to_owned(),
            Self::ChangeProject(change) => format!("settings of project {}", change.project),
            Self::CreateOrder(new) => format!("a new order of project {}", new.project),
            Self::Request { project, order, .. } => {
                format!("a request of order {order} of project {project}")
            }
            Self::Expire { project, order } => {
                format!("the end of life of order {order} of project {project}")
            }
            Self::Receive(entry) => {
                let kind = entry
                    .event
                    .as_ref()
                    .map_or("unreadable", |event| &event.kind);
                let (project, source) = (entry.project, &entry.source);
                format!("{kind} from source {source} of project {project}")
            }
            Self::Prune { what, .. } => format!("pruning of {what:?}"),
            Self::Storefront(_) => "the storefront".to_owned(),
            Self::Credentials(_) => "credentials".to_owned(),
            Self::Webhooks(_) => "webhooks".to_owned(),
            Self::Sources(_) => "sources".to_owned(),
            Self::Inbox(_) => "what waits in the inbox".to_owned(),
            Self::BeginEpoch(_) => "a new epoch".to_owned(),
            Self::Shrink { .. } => "shrinking of the file".to_owned(),
            Self::Nothing => "nothing".to_owned(),
        }
    }
}

/// A client's position that says that the database was put back to an older state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    pub epoch: String,
    /// The epoch is the channel's own, and the offset beyond its top.
    pub is_beyond_top: bool,
}

#[derive(Clone)]
pub struct NewProject {
    /// `id` `None`: the next free one.
    pub id: Option<ProjectId>,
    pub name: String,
    pub settings: crate::Settings,
    /// Their `project` is filled in by the writer.
    pub credentials: Vec<(crate::CredentialKind, String, Vec<u8>)>,
    pub sources: Vec<(SourceId, crate::Provider, String)>,
    pub items: Vec<CatalogueItem>,
}

/// Without the secrets.
impl fmt::Debug for NewProject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewProject({:?} {:?})", self.id, self.name)
    }
}

/// `None` leaves it as it is.
#[derive(Clone, Debug)]
pub struct ProjectChange {
    pub project: ProjectId,
    pub name: Option<String>,
    pub complete_on_paid: Option<bool>,
    pub complete_on_ack: Option<bool>,
    pub virtual_price_integers: Option<bool>,
    pub order_lifetime_seconds: Option<u32>,
    pub guests: Option<bool>,
}

#[derive(Clone, Debug)]
pub struct NewOrder {
    pub project: ProjectId,
    /// `None`: the next free one.
    pub id: Option<OrderId>,
    pub user: UserId,
    pub mode: Mode,
    /// A virtual price is debited in the same transaction, and the order is done at once.
    pub content: Content,
    /// `None`: the project's setting.
    pub lifetime: Option<Duration>,
    /// SHA-256 of the secret half of the payment token.
    pub token_hash: Option<[u8; 32]>,
    pub cause: Cause,
}

/// A signed body and what was read from it.
#[derive(Clone, Debug)]
pub struct InboxEntry {
    pub project: ProjectId,
    pub source: SourceId,
    pub body: Vec<u8>,
    /// `Err`: why it could not be read; kept as `rejected`.
    pub event: Result<Event, String>,
    /// Where the signature covers no more than a checksum of the body.
    pub transmission: Option<Transmission>,
}

/// Under which id a body was sent: another body under it is [`Outcome::ForgedTransmission`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmission {
    pub id: String,
    /// SHA-256.
    pub body_hash: [u8; 32],
}

/// What people and the clock do with events that wait or that nobody understood.
#[derive(Clone, Debug)]
pub enum InboxChange {
    /// It needs nobody's attention any more, and moves no order.
    Dismiss {
        project: ProjectId,
        id: i64,
        reason: String,
        actor: Actor,
    },
    /// The order hears it, and what comes of the same payment later.
    Match {
        project: ProjectId,
        id: i64,
        order: OrderId,
        actor: Actor,
    },
    /// Those that have waited since `before` for an order that they named need attention.
    FlagWaiting { before: Timestamp, limit: u32 },
    /// Those that have waited since `before` wait no longer.
    Expire { before: Timestamp, limit: u32 },
}

impl InboxChange {
    /// Whose it is; `None`: the server's own work.
    const fn project(&self) -> Option<ProjectId> {
        match self {
            Self::Dismiss { project, .. } | Self::Match { project, .. } => Some(*project),
            Self::FlagWaiting { .. } | Self::Expire { .. } => None,
        }
    }
}

/// Why an event cannot be dismissed or matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandleRefusal {
    /// It has had its effect, or has none.
    NotOpen(InboxState),
    /// It tells nothing of a payment.
    NoPayment,
    NoSuchOrder,
    /// Its payment belongs to another order.
    OfAnotherOrder,
}

/// The caller's key and how its answer will look, so that the answer is stored with the change.
#[derive(Clone)]
pub struct Idempotency {
    pub key: RequestKey,
    pub render: Arc<dyn Fn(&Outcome) -> Rendered + Send + Sync>,
}

impl fmt::Debug for Idempotency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Idempotency({})", self.key.key)
    }
}

/// An HTTP answer: status and JSON body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    pub status: u16,
    pub body: String,
}

impl Rendered {
    #[must_use]
    pub const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }
}

/// An order as a change left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    pub found: Arc<Found>,
    pub epoch: Epoch,
    /// The channel's newest offset after the change.
    pub offset: Offset,
}

impl Applied {
    #[must_use]
    pub fn order(&self) -> &Order {
        &self.found.order
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Project(Box<(Project, Vec<Credential>, Vec<Source>)>),
    ProjectChanged(Box<Project>),
    Order(Box<Applied>),
    /// The state machine says no; the order stays as it is.
    Refused {
        refusal: Refusal,
        status: Status,
        version: Version,
    },
    /// The order is at another version than the caller asked for.
    VersionMismatch {
        status: Status,
        version: Version,
    },
    /// Nothing was to be done; the order as it is.
    Unchanged {
        status: Status,
        version: Version,
    },
    /// Of [`Change::Nothing`] and [`Change::BeginEpoch`].
    Nothing,
    /// How many rows were set aside.
    Pruned(usize),
    /// How many of the named rows were looked at, the first ones first, and how many of those are
    /// deleted.
    Deleted {
        handled: usize,
        deleted: usize,
    },
    NotFound,
    /// An object with this id is there already.
    Exists,
    /// The key was used before with the same body: the answer given then.
    Replayed(Rendered),
    /// The key was used before with another body.
    KeyConflict,
    Received(InboxOutcome),
    /// A known transmission id with another body: nothing was kept.
    ForgedTransmission,
    HandleRefused(HandleRefusal),
    Storefront(StorefrontOutcome),
    Credentials(CredentialOutcome),
    Webhooks(WebhookOutcome),
    Sources(SourceOutcome),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InboxState {
    Applied,
    Ignored,
    Parked,
    Unknown,
    Rejected,
    /// It waited too long for its order.
    Expired,
    /// A person put it aside.
    Dismissed,
}

impl InboxState {
    pub const ALL: [Self; 7] = [
        Self::Applied,
        Self::Ignored,
        Self::Parked,
        Self::Unknown,
        Self::Rejected,
        Self::Expired,
        Self::Dismissed,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Ignored => "ignored",
            Self::Parked => "parked",
            Self::Unknown => "unknown",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Dismissed => "dismissed",
        }
    }
}

/// Why a person should look at an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Attention {
    /// It could not be read.
    Unreadable,
    /// It holds no object, and there is no API key to ask for it.
    ThinEvent,
    UnknownWord,
    /// The order that it named was not made for a while.
    Waiting,
    /// It is of a payment that began before the order that it named was made.
    BeforeOrder,
}

impl Attention {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::ThinEvent => "thin_event",
            Self::UnknownWord => "unknown_word",
            Self::Waiting => "waiting",
            Self::BeforeOrder => "before_order",
        }
    }
}

/// What became of a provider's event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxOutcome {
    pub inbox_id: i64,
    /// That it named, or that its payment belongs to.
    pub order: Option<OrderId>,
    pub state: InboxState,
    pub reason: String,
    /// The event was stored before; this delivery changed nothing.
    pub is_duplicate: bool,
}

/// Where the writer sends the answer.
pub(crate) type Reply = tokio::sync::oneshot::Sender<Result<Outcome, Failure>>;
