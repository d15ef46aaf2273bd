//! What orders a caller wants to see.

use crate::{Failure, Found, Store, sqlite::list};
use ordercast_core::{
    ProjectId, Timestamp, UserId,
    order::{Flag, Mode, Status},
};

/// Empty: all of a project.
#[derive(Clone, Debug, Default)]
pub struct OrderFilter {
    pub user: Option<UserId>,
    /// Empty: any.
    pub statuses: Vec<Status>,
    pub created_from: Option<Timestamp>,
    pub created_before: Option<Timestamp>,
    pub updated_from: Option<Timestamp>,
    pub updated_before: Option<Timestamp>,
    pub mode: Option<Mode>,
    pub flag: Option<Flag>,
    /// Not at its end, and unchanged since.
    pub stuck_since: Option<Timestamp>,
}

/// A page, newest first. `next`: the cursor of the one behind it, if there may be one.
#[derive(Clone, Debug)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next: Option<Place>,
}

/// Where an order stands in a list, newest first: by when it was made, then by its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub created_at: Timestamp,
    pub order_key: i64,
}

impl Store {
    /// Orders that match, newest first, those behind `before`. A page
    /// may be shorter than `limit` and still have a next one.
    ///
    /// # Errors
    /// [`Failure`] as for every read.
    pub async fn orders(
        &self,
        project: ProjectId,
        filter: OrderFilter,
        before: Option<Place>,
        limit: usize,
    ) -> Result<Page<Found>, Failure> {
        let page = self
            .read_list(project, move |connection| {
                list::orders(connection, project, &filter, before, limit)
            })
            .await?;
        Ok(Page {
            items: page.items.into_iter().map(Found::new).collect(),
            next: page.next,
        })
    }
}
