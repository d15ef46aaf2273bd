//! What nobody may still need: found on a reader, where it holds up nobody, and deleted by key.

use crate::{Failure, Store, sqlite::old};
use ordercast_core::{ProjectId, Timestamp};

/// What may be deleted with age, and what of it stays all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prune {
    /// Stored answers; not those of an order that may still be paid or delivered.
    Idempotency,
    /// What providers sent; not what waits for its order.
    Inbox,
    /// Publications, whatever their channel. Who comes back from before them is told that it cannot
    /// recover.
    Publications,
    /// Finished deliveries and their attempts.
    Deliveries,
    /// What the operator should have known.
    OperatorEvents,
    /// Orders of guests that nobody has ever paid anything for, with all that is theirs.
    GuestOrders,
}

impl Prune {
    pub const ALL: [Self; 6] = [
        Self::Idempotency,
        Self::Inbox,
        Self::Publications,
        Self::Deliveries,
        Self::OperatorEvents,
        Self::GuestOrders,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idempotency => "idempotency",
            Self::Inbox => "inbox",
            Self::Publications => "publications",
            Self::Deliveries => "deliveries",
            Self::OperatorEvents => "operator_events",
            Self::GuestOrders => "guest_orders",
        }
    }
}

/// Names one row that may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OldKey {
    Row(i64),
    Answer {
        project: ProjectId,
        route: String,
        key: String,
    },
}

/// How far a walk through the rows of one kind has come: by time, then by key. Of kinds whose keys grow
/// with time the key alone counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldPlace {
    pub(crate) at: i64,
    pub(crate) key: OldKey,
}

/// Some rows that may go, and where the walk goes on; `None`: there are no more.
#[derive(Clone, Debug)]
pub struct OldRows {
    pub keys: Vec<OldKey>,
    pub next: Option<OldPlace>,
}

/// How much of the file is unused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pages {
    pub all: u64,
    pub free: u64,
    /// Whether free ones can be given back to the file system piece by piece.
    pub can_shrink: bool,
}

impl Store {
    /// The rows older than `before` among the next some hundred behind `after`, the oldest first.
    ///
    /// # Errors
    /// [`Failure`] as for every read.
    pub async fn old(
        &self,
        what: Prune,
        before: Timestamp,
        after: Option<OldPlace>,
    ) -> Result<OldRows, Failure> {
        self.read_work(move |connection| old::find(connection, what, before, after))
            .await
    }

    /// # Errors
    /// [`Failure`] as for every read.
    pub async fn pages(&self) -> Result<Pages, Failure> {
        self.read_work(|connection| old::pages(connection)).await
    }
}
