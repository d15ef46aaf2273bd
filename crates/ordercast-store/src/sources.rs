//! Sources of provider webhooks: who may post to the inbox, and how it is proved.

use crate::{
    Failure, Found, InboxRow, InboxState, Store,
    sqlite::{
        inbox::{attempts, list as inbox},
        sources,
    },
};
use ordercast_core::{
    ProjectId, Timestamp,
    ids::{AttemptId, SourceId},
    provider::{Provider, SourceSettings},
};
use std::{fmt, sync::Arc, time::Duration};
use zeroize::Zeroizing;

/// Sources of one project.
pub const SOURCES_MAX: u32 = 50;

/// Who may post to the provider inbox.
#[derive(Clone, PartialEq, Eq)]
pub struct Source {
    pub id: SourceId,
    pub project: ProjectId,
    pub provider: Provider,
    pub settings: SourceSettings,
    /// Empty for providers that do not sign.
    pub secret: Zeroizing<String>,
    /// The one before, and until when it is accepted too.
    pub before: Option<(Zeroizing<String>, Timestamp)>,
    /// Of the provider's own API.
    pub api_key: Option<Zeroizing<String>>,
    pub created_at: Timestamp,
}

impl Source {
    /// The secrets that are accepted now.
    #[must_use]
    pub fn secrets(&self, now: Timestamp) -> Vec<&str> {
        let before = self.before.as_ref().filter(|(_, until)| *until > now);
        std::iter::once(&self.secret)
            .chain(before.map(|(secret, _)| secret))
            .map(|secret| secret.as_str())
            .collect()
    }
}

/// Without the secrets.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({} of {})", self.id, self.project)
    }
}

#[derive(Clone, Debug)]
pub enum SourceChange {
    Create(Box<Source>),
    /// `None` leaves it as it is.
    Change {
        project: ProjectId,
        source: SourceId,
        settings: Option<Box<SourceSettings>>,
        /// An empty one takes it away.
        api_key: Option<Zeroizing<String>>,
    },
    /// The secret until now is accepted for `overlap` more.
    Rotate {
        project: ProjectId,
        source: SourceId,
        secret: Zeroizing<String>,
        overlap: Duration,
    },
    /// For good: its requests are refused as those of a source that never was.
    End {
        project: ProjectId,
        source: SourceId,
    },
}

impl SourceChange {
    #[must_use]
    pub const fn project(&self) -> ProjectId {
        match self {
            Self::Create(source) => source.project,
            Self::Change { project, .. }
            | Self::Rotate { project, .. }
            | Self::End { project, .. } => *project,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceOutcome {
    Done,
    TooMany { limit: u32 },
}

/// A provider's webhook as it came.
#[derive(Clone, Debug)]
pub struct InboxBody {
    pub row: InboxRow,
    pub body: Vec<u8>,
    /// What was understood, as JSON.
    pub fact: Option<String>,
    pub attempt: Option<String>,
    pub dedup_key: Option<String>,
    pub occurred_at: Option<Timestamp>,
}

/// Which of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InboxFilter {
    pub state: Option<InboxState>,
    /// Only those that a person should look at.
    pub needs_attention: bool,
}

impl Store {
    /// The order that a payment belongs to, if an event has named both.
    ///
    /// # Errors
    /// [`Failure`] as for every read.
    pub async fn order_of_attempt(
        &self,
        project: ProjectId,
        source: SourceId,
        attempt: AttemptId,
    ) -> Result<Option<Arc<Found>>, Failure> {
        self.find(Some(project), move |connection| {
            inbox::order_of_attempt(connection, project, &source, &attempt)
        })
        .await
    }

    /// Of payments as an order calls them, those that this source may be asked about, by their ids there.
    ///
    /// # Errors
    /// [`Failure`] as for every read.
    pub async fn payments_of_source(
        &self,
        project: ProjectId,
        source: SourceId,
        names: Vec<AttemptId>,
    ) -> Result<Vec<AttemptId>, Failure> {
        self.read_work(move |connection| attempts::of_source(connection, project, &source, &names))
            .await
    }

    /// Whether an event was stored before, and was understood.
    ///
    /// # Errors
    /// [`Failure`] as for every read.
    pub async fn inbox_knows(&self, source: SourceId, dedup_key: String) -> Result<bool, Failure> {
        self.read_work(move |connection| inbox::knows(connection, &source, &dedup_key))
            .await
    }

    /// How many events wait for an order that they named since before that time, of all projects.
    ///
    /// # Errors
    /// [`Failure`] as for every read.
    pub async fn waiting_since(&self, before: Timestamp) -> Result<u32, Failure> {
        self.read_work(move |connection| inbox::waiting_since(connection, before))
            .await
    }

    /// Newest first, at most `limit`, those behind the entry `before`.
    ///
    /// # Errors
    /// [`Failure`] as for every read.
    pub async fn inbox(
        &self,
        project: ProjectId,
        filter: InboxFilter,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<InboxRow>, Failure> {
        self.read_list(project, move |connection| {
            inbox::entries(connection, project, filter, before, limit)
        })
        .await
    }

    /// # Errors
    /// [`Failure`] as for every read.
    pub async fn inbox_entry(
        &self,
        project: ProjectId,
        id: i64,
    ) -> Result<Option<InboxBody>, Failure> {
        self.read_list(project, move |connection| {
            inbox::entry(connection, project, id)
        })
        .await
    }

    /// Orders that wait for their money and were made, or end their stated life, in these times; the
    /// first of them, or those `behind` an order (by its `order_key`) of the window's first moment.
    ///
    /// # Errors
    /// [`Failure`] as for every read.
    pub async fn open_orders(
        &self,
        project: ProjectId,
        window: SweepWindow,
        behind: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Arc<Found>>, Failure> {
        self.read_work(move |connection| {
            sources::open_orders(connection, project, window, behind, limit)
        })
        .await
    }
}

/// Later than the first, not later than the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SweepWindow {
    Made(Timestamp, Timestamp),
    Expires(Timestamp, Timestamp),
}
