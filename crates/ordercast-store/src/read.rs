//! What the readers answer. Every read sees all commits that were announced before it began.

use crate::{
    Change, Credential, Failure, Project, Proof, Range, Source, Store, Submission,
    recent::{WINDOW_MAX, Window},
    sqlite::{
        numbers, query,
        rows::{self, OrderRow},
        upkeep,
    },
};
use bytes::Bytes;
use ordercast_core::{
    OrderId, ProjectId, Timestamp,
    channel::{Channel, ChannelPage, Offset, Position},
    delivery::EventFacts,
    ids::Version,
    order::{Order, Status},
};
use rusqlite::Connection;
use std::sync::{Arc, OnceLock};

/// An order as it is now.
#[derive(Debug)]
pub struct Found {
    pub order: Order,
    pub order_key: i64,
    /// SHA-256 of the secret half of its payment token.
    pub token_hash: Option<Vec<u8>>,
    pub(crate) channel_key: i64,
    /// As [`OrderRow::text_bytes`].
    text_bytes: usize,
    rendered: OnceLock<Bytes>,
}

/// What an order takes in memory beside its texts, with the answer that pollers get.
const FOUND_BYTES: usize = 1_536;
/// Parsed, a text takes a few times its length: most of it are lists of small values.
const PARSED_TIMES: usize = 3;

impl Found {
    pub(crate) fn new(row: OrderRow) -> Self {
        Self {
            order: row.order,
            order_key: row.order_key,
            token_hash: row.token_hash,
            channel_key: row.channel_key,
            text_bytes: row.text_bytes,
            rendered: OnceLock::new(),
        }
    }

    pub(crate) fn row(&self) -> OrderRow {
        OrderRow {
            order: self.order.clone(),
            order_key: self.order_key,
            channel_key: self.channel_key,
            token_hash: self.token_hash.clone(),
            text_bytes: self.text_bytes,
        }
    }

    /// About what it takes in memory.
    pub(crate) fn bytes(&self) -> usize {
        let raw = self
            .order
            .content
            .checkout
            .size_bytes()
            .min(self.text_bytes);
        FOUND_BYTES + raw + (self.text_bytes - raw) * PARSED_TIMES
    }

    /// What pollers get of this version of the order, made once by the first of them.
    pub fn rendered(&self, render: impl FnOnce(&Order) -> String) -> Bytes {
        self.rendered
            .get_or_init(|| Bytes::from(render(&self.order)))
            .clone()
    }
}

impl PartialEq for Found {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order && self.order_key == other.order_key
    }
}

impl Eq for Found {}

#[derive(Clone, Debug)]
pub struct VersionRow {
    pub version: Version,
    pub status: Status,
    pub actor: String,
    pub reason: String,
    pub at: Timestamp,
    /// Where tracking clients saw it; `None` when they see no difference.
    pub offset: Option<Offset>,
}

#[derive(Clone, Debug)]
pub struct EventRow {
    pub facts: EventFacts,
    pub order: OrderId,
    pub user: String,
    /// When the shop took it, by its endpoints or through the event API.
    pub acknowledged_at: Option<Timestamp>,
}

/// Which events a reader wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feed {
    All,
    Unacknowledged,
}

#[derive(Clone, Debug)]
pub struct InboxRow {
    pub id: i64,
    pub source: String,
    pub kind: String,
    pub received_at: Timestamp,
    pub state: String,
    pub reason: String,
    pub order: Option<OrderId>,
    pub duplicates: u32,
    /// What stood where an order's number belongs, and is none.
    pub named: Option<String>,
    /// Why a person should look at it.
    pub attention: Option<String>,
    /// Who dismissed it or matched it, and when.
    pub handled_by: Option<String>,
    pub handled_at: Option<Timestamp>,
}

impl Store {
    /// One consistent read of a channel: epoch, top and at most `limit` publications of `range`; from
    /// memory where its newest publications are there and suffice.
    ///
    /// # Errors
    /// [`Failure`] when the readers are overloaded or the database cannot be read.
    pub async fn channel(
        &self,
        channel: &Channel,
        range: Range,
        limit: usize,
    ) -> Result<ChannelPage, Failure> {
        let recent = self.recent();
        if let Some(page) = recent.page(channel, range, limit) {
            return Ok(page);
        }
        let query = |range, limit| {
            let (channel, epoch) = (channel.clone(), self.epoch());
            move |connection: &mut Connection| {
                query::channel(connection, &epoch, &channel, range, limit)
            }
        };
        let reading = recent.reading();
        let newest = self
            .read_short(channel.project, query(Range::Newest, WINDOW_MAX))
            .await?;
        let window = Window::new(newest);
        let page = window.page(range, limit);
        recent.fill(reading, channel, window);
        match page {
            Some(page) => Ok(page),
            None => self.read_short(channel.project, query(range, limit)).await,
        }
    }

    /// As [`Store::channel`], for a client that says where it is. When that proves that the database was
    /// put back to an older state, a new epoch begins first.
    ///
    /// # Errors
    /// [`Failure`] as for every read, and when the new epoch could not be written.
    pub async fn channel_for(
        &self,
        channel: &Channel,
        (range, limit): (Range, usize),
        claimed: Option<&Position>,
        now: Timestamp,
    ) -> Result<ChannelPage, Failure> {
        let page = self.channel(channel, range, limit).await?;
        let Some(claimed) = claimed else {
            return Ok(page);
        };
        let proof = Proof {
            epoch: claimed.epoch.clone(),
            is_beyond_top: claimed.is_beyond(&page),
        };
        if !self.identity().is_proven_by(&proof) {
            return Ok(page);
        }
        let submission = Submission {
            change: Change::BeginEpoch(Box::new(proof)),
            at: now,
            idempotency: None,
        };
        self.submit(submission).await?;
        self.channel(channel, range, limit).await
    }

    /// From memory, else from the database.
    ///
    /// # Errors
    /// [`Failure`] as for every read.
    pub async fn order(
        &self,
        project: ProjectId,
        id: OrderId,
    ) -> Result<Option<Arc<Found>>, Failure> {
        if let Some(found) = self.cache().get(project, id) {
            return Ok(Some(found));
        }
        self.find(Some(project), move |connection| {
            rows::order_by_id(connection, project, id)
        })
        .await
    }

    /// Only if it is in memory.
    #[must_use]
    pub fn order_in_memory(&self, project: ProjectId, id: OrderId) -> Option<Arc<Found>> {
        self.cache().get(project, id)
    }

    /// By the internal key that a payment token carries.
    ///
    /// # Errors
    /// [`Failure`] as for every read.
    pub async fn order_by_key(&self, order_key: i64) -> Result<Option<Arc<Found>>, Failure> {
        if let Some(found) = self.cache().get_by_key(order_key) {
            return Ok(Some(found));
        }
        self.find(None, move |connection| {
            rows::order_by_key(connection, order_key)
        })
        .await
    }

    pub(crate) async fn find(
        &self,
        project: Option<ProjectId>,
        query: impl FnOnce(&Connection) -> rusqlite::Result<Option<OrderRow>> + Send + 'static,
    ) -> Result<Option<Arc<Found>>, Failure> {
        let reading = self.cache().reading();
        let query = move |connection: &mut Connection| query(connection);
        let row = match project {
            Some(project) => self.read_short(project, query).await?,
            None => self.read_key(query).await?,
        };
        let found = row.map(|row| Arc::new(Found::new(row)));
        if let Some(found) = &found {
            self.cache().fill(reading, found);
        }
        Ok(found)
    }

    /// # Errors
    /// [`Failure`] as for every read.
    pub async fn versions(&self, order_key: i64) -> Result<Vec<VersionRow>, Failure> {
        self.read_key(move |connection| query::versions(connection, order_key))
            .await
    }

    /// Orders whose stated life has ended while they wait for their payment.
    ///
    /// # Errors
    /// [`Failure`] as for every read.
    pub async fn overdue(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<(ProjectId, OrderId)>, Failure> {
        self.read_work(move |connection| upkeep::overdue(connection, now, limit))
            .await
    }

    /// Ascending by id, at most `limit`.
    ///
    /// # Errors
    /// [`Failure`] as for every read.
    pub async fn events(
        &self,
        project: ProjectId,
        feed: Feed,
        after: i64,
        limit: u32,
    ) -> Result<Vec<EventRow>, Failure> {
        self.read_list(project, move |connection| {
            query::events(connection, project, feed, after, limit)
        })
        .await
    }

    /// The id of the newest event of a project; 0 for none.
    ///
    /// # Errors
    /// [`Failure`] as for every read.
    pub async fn newest_event_of(&self, project: ProjectId) -> Result<i64, Failure> {
        self.read_short(project, move |connection| {
            numbers::newest_event(connection, project)
        })
        .await
    }

    /// All projects with their keys: read at start and after a project was created.
    ///
    /// # Errors
    /// [`Failure`] as for every read.
    pub async fn projects(&self) -> Result<(Vec<Project>, Vec<Credential>, Vec<Source>), Failure> {
        let secrets = self.secrets();
        self.read_work(move |connection| query::projects(connection, &secrets))
            .await
    }
}
