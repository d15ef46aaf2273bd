//! What waits: for endpoints, for shops, for people. The operator's figures.

use crate::{Failure, Store, sqlite::backlog};
use ordercast_core::Timestamp;

/// Rows that are counted at most: above it the figure stays, and a count never takes long.
pub const COUNTED_MAX: u32 = 10_000;

/// Of all projects; each figure at most [`COUNTED_MAX`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Deliveries that were not tried yet, or will be tried again.
    pub deliveries_pending: u32,
    /// Deliveries that nobody took until their schedule ended.
    pub deliveries_dead: u32,
    /// When the oldest pending delivery is due; `None` when there is none.
    pub oldest_due_at: Option<Timestamp>,
    /// Events that no shop has taken yet.
    pub events_unacknowledged: u32,
    /// Endpoints that get nothing until somebody enables them.
    pub endpoints_disabled: u32,
}

impl Store {
    /// # Errors
    /// [`Failure`] as for every read.
    pub async fn backlog(&self) -> Result<Backlog, Failure> {
        self.read_work(|connection| backlog::count(connection, COUNTED_MAX))
            .await
    }
}
