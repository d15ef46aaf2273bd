//! A project's orders by the time of their creation.

use crate::{Failure, Store, sqlite::search};
use ordercast_core::{ProjectId, Timestamp, order::Order};

/// Orders that a search counts, and how far it skips: both walk an index entry by entry, a thousand
/// of them in some 50 us. Who has more searches a shorter time.
pub const COUNTED_MAX: u32 = 10_000;

#[derive(Clone, Copy, Debug)]
pub struct OrderSearch {
    pub from: Option<Timestamp>,
    /// Exclusive.
    pub until: Option<Timestamp>,
    /// 0..=[`COUNTED_MAX`].
    pub offset: u32,
    pub limit: u32,
}

/// The oldest first.
#[derive(Clone, Debug)]
pub struct OrderPage {
    pub orders: Vec<Order>,
    /// Of all pages, counted up to [`COUNTED_MAX`].
    pub total: u32,
}

impl Store {
    /// # Errors
    /// [`Failure`] as for every read.
    pub async fn search_orders(
        &self,
        project: ProjectId,
        search: OrderSearch,
    ) -> Result<OrderPage, Failure> {
        self.read_list(project, move |connection| {
            search::orders(connection, project, search)
        })
        .await
    }
}
