//! [`Store`] on SQLite: opening and migrating the file, the writer's queue, the readers' pool.

mod apply;
pub(crate) mod backlog;
mod backup;
mod beyond;
pub(crate) mod credentials;
mod event_rows;
mod examine;
mod figures;
mod flags;
mod guests;
pub(crate) mod identity;
pub(crate) mod inbox;
mod keeper;
pub(crate) mod list;
mod lock;
mod memory;
pub(crate) mod numbers;
pub(crate) mod old;
pub(crate) mod order_tokens;
#[cfg(test)]
mod plans;
pub(crate) mod query;
mod readers;
pub(crate) mod replay;
pub(crate) mod rows;
pub(crate) mod search;
pub(crate) mod secrets;
pub(crate) mod sources;
pub(crate) mod storefront;
pub(crate) mod upkeep;
pub(crate) mod webhooks;
mod writer;

pub use backup::{BackupError, Progress, backup, restore};
pub use examine::{Examination, examine};

use crate::{
    Committed, DeliveryBell, Failure, Outcome, Submission, Vault,
    cache::OrderCache,
    fair::{self, Bounds, FairQueue, Refused},
    recent::RecentChannels,
    watch::Watches,
};
use identity::{HighWater, Identity};
use keeper::{Condition, Keeper};
use lock::{Lock, WriterNumber};
use metrics::{Counter, Gauge, counter, gauge};
use ordercast_core::{OrderId, ProjectId, Timestamp, channel::Epoch};
use readers::{LaneName, Readers};
use rusqlite::{Connection, config::DbConfig};
use secrets::Secrets;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, mpsc as blocking},
    thread::JoinHandle,
    time::Duration,
};
use thiserror::Error;
use tokio::sync::{oneshot, watch};

/// Changes that wait while a commit runs, and what they may hold; beyond, callers are refused, not
/// delayed.
const WRITE_QUEUE: Bounds = Bounds {
    things: 8_192,
    bytes: 64 * 1024 * 1024,
    at_once: usize::MAX,
};
/// What a store that is opened for a test keeps in memory.
const CACHE_BYTES: usize = 64 * 1024 * 1024;
/// Pages of the write-ahead log, 4 MiB, after which a commit moves it into the database: small, so that
/// the file is written over again instead of growing.
const LOG_PAGES: i64 = 1_000;

pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("migrations/001_orders.sql"),
    include_str!("migrations/002_occurred_at.sql"),
    include_str!("migrations/003_jobs.sql"),
    include_str!("migrations/004_credentials.sql"),
    include_str!("migrations/005_lists.sql"),
    include_str!("migrations/006_storefront.sql"),
    include_str!("migrations/007_sequences.sql"),
    include_str!("migrations/008_webhooks.sql"),
    include_str!("migrations/009_sources.sql"),
    include_str!("migrations/010_numbers.sql"),
    include_str!("migrations/011_inbox.sql"),
    include_str!("migrations/012_events.sql"),
    include_str!("migrations/013_lists.sql"),
    include_str!("migrations/014_guests.sql"),
    include_str!("migrations/015_flags.sql"),
];

/// The migration that takes guests' ids, which until then were their secrets, out of the database: a hash
/// is more than SQL can.
const GUESTS_HASHED: i64 = 14;

#[derive(Debug, Error)]
pub enum OpenError {
    #[error("{path} is in use by another ordercast process")]
    Locked { path: PathBuf },
    #[error(
        "{path} is not there, but {beside} is: a restore was interrupted. Run `ordercast restore` again, or rename a copy of the database to {path}; an empty one is not made beside it"
    )]
    Interrupted { path: PathBuf, beside: PathBuf },
    #[error(
        "{path} was written by a newer ordercast (schema {found}, this one knows up to {known}); run that version"
    )]
    Newer {
        path: PathBuf,
        found: usize,
        known: usize,
    },
    #[error(
        "the secrets in {path} are sealed with another key (id {id}); give that one as secrets_key, or put its file back from the backup"
    )]
    SecretsKey { path: PathBuf, id: String },
    #[error("{path} is an SQLite database of another program")]
    Foreign { path: PathBuf },
    #[error("cannot open {path}: {source}")]
    Io {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot open {path}: {source}")]
    Sqlite {
        path: PathBuf,
        source: rusqlite::Error,
    },
}

/// "OCST": marks the file as ours in its header (`PRAGMA application_id`).
pub(super) const APPLICATION_ID: i64 = 0x4F43_5354;

/// A handle to the database; clones share it. The file is closed when the last one is dropped.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    writes: Writes,
    readers: Option<Readers>,
    threads: Vec<JoinHandle<()>>,
    identity: Arc<Identity>,
    high_water: Arc<HighWater>,
    newest_event: watch::Receiver<i64>,
    bell: Arc<DeliveryBell>,
    cache: Arc<OrderCache>,
    recent: Arc<RecentChannels>,
    order_watches: Arc<Watches<(ProjectId, OrderId)>>,
    event_watches: Arc<Watches<ProjectId>>,
    secrets: Arc<Secrets>,
    /// The keeper ends when it is dropped.
    keeping: Option<blocking::Sender<()>>,
    /// Last: it outlives every connection.
    _lock: Arc<Lock>,
}

/// The way to the writer.
#[derive(Debug)]
struct Writes {
    queue: Arc<FairQueue<writer::Job>>,
    waiting: Gauge,
    waiting_bytes: Gauge,
    refused: Counter,
}

impl Writes {
    fn new() -> Self {
        Self {
            queue: Arc::new(FairQueue::new(WRITE_QUEUE)),
            waiting: gauge!("ordercast_changes_waiting"),
            waiting_bytes: gauge!("ordercast_changes_waiting_bytes"),
            refused: counter!("ordercast_changes_refused_total", "why" => "queue_full"),
        }
    }

    fn push(&self, submission: Submission, reply: crate::change::Reply) -> Result<(), Failure> {
        let (turn, bytes) = (submission.change.turn(), submission.change.bytes());
        let pushed = self
            .queue
            .push(turn, bytes, writer::Job::new(submission, reply));
        #[expect(clippy::cast_precision_loss, reason = "a gauge")]
        {
            let (things, bytes) = self.queue.waiting();
            self.waiting.set(things as f64);
            self.waiting_bytes.set(bytes as f64);
        }
        pushed.map_err(|refused| match refused {
            Refused::Full => {
                self.refused.increment(1);
                Failure::Overloaded
            }
            Refused::Closed => Failure::Closed,
        })
    }
}

impl Store {
    /// Opens or creates a database that keeps secrets as they are given: for tests. Otherwise like
    /// [`Store::open_sealed`].
    ///
    /// # Errors
    /// [`OpenError`] when the file cannot be used, or its secrets are sealed.
    pub fn open(
        path: &Path,
        now: Timestamp,
        identity_seed: u64,
        on_commit: impl FnMut(&[Committed]) + Send + 'static,
    ) -> Result<Self, OpenError> {
        Self::open_with(
            path,
            now,
            identity_seed,
            CACHE_BYTES,
            (None, None),
            on_commit,
        )
    }

    /// Opens or creates the database and starts its threads. `on_commit` runs on the writer's thread
    /// after each commit, in commit order, before the callers are answered.
    ///
    /// Secrets that are not sealed yet, or with the key `before`, are sealed first. `cache_bytes`: what
    /// orders, channels and pages may take in memory together, so that they need not be read again.
    ///
    /// # Errors
    /// [`OpenError`] when the file cannot be used, or its secrets are sealed with another key.
    pub fn open_sealed(
        path: &Path,
        now: Timestamp,
        identity_seed: u64,
        cache_bytes: usize,
        (key, before): (Vault, Option<Vault>),
        on_commit: impl FnMut(&[Committed]) + Send + 'static,
    ) -> Result<Self, OpenError> {
        let vaults = (Some(key), before);
        Self::open_with(path, now, identity_seed, cache_bytes, vaults, on_commit)
    }

    /// The id of the key that the secrets of a database are sealed with; `None` where they are not,
    /// or where there is no database.
    ///
    /// # Errors
    /// [`OpenError`] when the file cannot be read.
    pub fn sealed_with(path: &Path) -> Result<Option<String>, OpenError> {
        if !path.exists() {
            return Ok(None);
        }
        let sqlite = |source| OpenError::Sqlite {
            path: path.to_owned(),
            source,
        };
        let connection = readers::open(path).map_err(sqlite)?;
        if !connection.table_exists(None, "meta").map_err(sqlite)? {
            return Ok(None);
        }
        secrets::sealed_with(&connection).map_err(sqlite)
    }

    fn open_with(
        path: &Path,
        now: Timestamp,
        identity_seed: u64,
        cache_bytes: usize,
        (key, before): (Option<Vault>, Option<Vault>),
        on_commit: impl FnMut(&[Committed]) + Send + 'static,
    ) -> Result<Self, OpenError> {
        let sqlite = |source| OpenError::Sqlite {
            path: path.to_owned(),
            source,
        };
        backup::refuse_interrupted(path)?;
        let lock = Arc::new(Lock::take(path)?);
        // The files beside it belong to the file, not to one of its names.
        let path = &fs::canonicalize(path).map_err(|source| OpenError::Io {
            path: path.to_owned(),
            source,
        })?;
        let mut connection = Connection::open(path).map_err(sqlite)?;
        restrict_permissions(path)?;
        configure_writer(&connection).map_err(sqlite)?;
        migrate(&mut connection, path)?;
        make_shrinkable(&connection).map_err(sqlite)?;
        #[cfg(test)]
        plans::trace(&mut connection).map_err(sqlite)?;
        let secrets = Arc::new(Secrets::adopt(&mut connection, path, key, before)?);
        let number = WriterNumber::take(&connection).map_err(sqlite)?;
        let (identity, high_water) =
            identity::establish(&mut connection, path, now, identity_seed)?;
        let (identity, high_water) = (Arc::new(identity), Arc::new(high_water));
        let newest: i64 = connection
            .query_row("SELECT coalesce(max(event_id), 0) FROM events", [], |row| {
                row.get(0)
            })
            .map_err(sqlite)?;

        let (event_sender, newest_event) = watch::channel(newest);
        let cache = Arc::new(OrderCache::new(cache_bytes / 2));
        let recent = Arc::new(RecentChannels::new(cache_bytes / 8));
        let order_watches = Arc::new(Watches::new("ordercast_order_watches"));
        let event_watches = Arc::new(Watches::new("ordercast_event_watches"));
        let bell = Arc::new(DeliveryBell::default());
        let writes = Writes::new();
        let write_queue = Arc::clone(&writes.queue);
        let audience = writer::Audience {
            cache: Arc::clone(&cache),
            recent: Arc::clone(&recent),
            on_commit,
            order_watches: Arc::clone(&order_watches),
            event_watches: Arc::clone(&event_watches),
            newest_event: event_sender,
            bell: Arc::clone(&bell),
        };
        let condition = Arc::new(Condition::default());
        let keeper = Keeper {
            path: path.clone(),
            lock: Arc::clone(&lock),
            number,
            condition: Arc::clone(&condition),
            writes: Arc::downgrade(&writes.queue),
        };
        let writer = writer::Writer::new(
            connection,
            Arc::clone(&identity),
            Arc::clone(&high_water),
            Arc::clone(&secrets),
            audience,
            (number, condition),
        );
        let mut threads = vec![spawn("ordercast-writer", move || {
            writer.run(&write_queue);
        })];
        let (keeping, stop) = blocking::channel();
        threads.push(spawn("ordercast-keeper", move || keeper.run(&stop)));

        let (readers, reading) = Readers::start(path, cache_bytes / 16 * 5).map_err(sqlite)?;
        threads.extend(reading);
        let inner = Inner {
            writes,
            readers: Some(readers),
            threads,
            identity,
            high_water,
            newest_event,
            bell,
            cache,
            recent,
            order_watches,
            event_watches,
            secrets,
            keeping: Some(keeping),
            _lock: lock,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Commits one change, in a batch with others, and answers when it is on disk and announced.
    ///
    /// # Errors
    /// [`Failure`]: nothing was changed, or (only [`Failure::Closed`]) it is not known.
    pub async fn submit(&self, submission: Submission) -> Result<Outcome, Failure> {
        let (reply, answer) = oneshot::channel();
        self.inner.writes.push(submission, reply)?;
        answer.await.map_err(|_| Failure::Closed)?
    }

    /// Returns when nothing can be written any more, because the database failed. The process must
    /// end then: what is on disk is read anew by the next one.
    pub async fn failed(&self) {
        self.inner.writes.queue.closed().await;
    }

    /// What an interrupted restore left beside a database that is not there; `None`: nothing.
    #[must_use]
    pub fn interrupted_restore(path: &Path) -> Option<PathBuf> {
        match backup::refuse_interrupted(path) {
            Err(OpenError::Interrupted { beside, .. }) => Some(beside),
            _ => None,
        }
    }

    /// The epoch of every channel that has not rolled: it changes only when the database was put back.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.inner.identity.epoch()
    }

    /// When the clock was found steady for the last time, before this process or in it; of a database
    /// without that, the time of its newest event. `None`: nothing is known.
    #[must_use]
    pub fn steady_time(&self) -> Option<Timestamp> {
        self.inner.high_water.steady()
    }

    /// The clock went as it should since this was told last, `elapsed` ago.
    pub fn note_steady(&self, now: Timestamp, elapsed: Duration) {
        self.inner.high_water.note_steady(now, elapsed);
    }

    /// The time by which what guards money (answers to idempotency keys, events of providers) grows old:
    /// it follows the clock at no more than twice the speed of time that passes.
    #[must_use]
    pub fn guard_time(&self) -> Timestamp {
        self.inner.high_water.guard_time()
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.inner.identity
    }

    /// Its value is the newest event id, of all projects.
    #[must_use]
    pub fn newest_event(&self) -> watch::Receiver<i64> {
        self.inner.newest_event.clone()
    }

    /// Which endpoints have something to send.
    #[must_use]
    pub fn delivery_bell(&self) -> Arc<DeliveryBell> {
        Arc::clone(&self.inner.bell)
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.inner.writes.queue.is_closed()
    }

    pub(crate) fn order_watches(&self) -> &Arc<Watches<(ProjectId, OrderId)>> {
        &self.inner.order_watches
    }

    pub(crate) fn event_watches(&self) -> &Arc<Watches<ProjectId>> {
        &self.inner.event_watches
    }

    pub(crate) fn cache(&self) -> &OrderCache {
        &self.inner.cache
    }

    pub(crate) fn recent(&self) -> &RecentChannels {
        &self.inner.recent
    }

    pub(crate) fn secrets(&self) -> Arc<Secrets> {
        Arc::clone(&self.inner.secrets)
    }

    /// Of a bounded number of rows, found by a key, for a project.
    pub(crate) async fn read_short<T: Send + 'static>(
        &self,
        project: ProjectId,
        query: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let readers = self.readers()?;
        readers.read(LaneName::Short, project.get(), query).await
    }

    /// As [`Store::read_short`], before it is known which project the key is of.
    pub(crate) async fn read_key<T: Send + 'static>(
        &self,
        query: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let readers = self.readers()?;
        readers.read(LaneName::Short, fair::SERVER, query).await
    }

    /// Of one project: lists, searches, feeds.
    pub(crate) async fn read_list<T: Send + 'static>(
        &self,
        project: ProjectId,
        query: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let readers = self.readers()?;
        readers.read(LaneName::List, project.get(), query).await
    }

    /// Of all projects, by the server itself.
    pub(crate) async fn read_work<T: Send + 'static>(
        &self,
        query: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let readers = self.readers()?;
        readers.read(LaneName::Work, fair::SERVER, query).await
    }

    /// Whether the database answers. Waits for nobody.
    ///
    /// # Errors
    /// [`Failure`] when it does not.
    pub fn check(&self) -> Result<(), Failure> {
        if self.has_failed() {
            return Err(Failure::Closed);
        }
        self.readers()?.probe()
    }

    fn readers(&self) -> Result<&Readers, Failure> {
        self.inner.readers.as_ref().ok_or(Failure::Closed)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.writes.queue.close();
        self.readers = None;
        self.keeping = None;
        let this = std::thread::current().id();
        for thread in self.threads.drain(..) {
            // The last handle may die inside a job of one of these threads.
            if thread.thread().id() != this {
                let _ = thread.join();
            }
        }
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    match std::thread::Builder::new().name(name.to_owned()).spawn(run) {
        Ok(handle) => handle,
        // Only at start-up, and only when the process cannot have threads at all.
        Err(error) => panic!("cannot start the thread {name}: {error}"),
    }
}

/// The file holds secrets.
pub(super) fn restrict_permissions(path: &Path) -> Result<(), OpenError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(
            |source| OpenError::Io {
                path: path.to_owned(),
                source,
            },
        )?;
    }
    Ok(())
}

fn configure_writer(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    // Has an effect only while the file is empty, and so must come first.
    connection.pragma_update(None, "auto_vacuum", old::INCREMENTAL)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // FULL: a commit is acknowledged only when the log is on disk (guarantees, 1.1).
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
    // What a long read has held back is cut off once it is over.
    connection.pragma_update(None, "journal_size_limit", keeper::LOG_KEPT_BYTES)?;
    // 16 MiB. More is slower: a commit walks the whole hash of cached pages after most splits of a
    // B-tree, which cost 8 % of the changes per second at 64 MiB.
    connection.pragma_update(None, "cache_size", -16_384)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.set_prepared_statement_cache_capacity(64);
    keep_plans(connection)
}

/// Files up to this size are written anew at the start where that lets them shrink later; larger ones
/// when the operator says so ([`compact`]), because it takes minutes and as much room again.
const REWRITTEN_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// A file of an older version keeps its free pages for ever.
fn make_shrinkable(connection: &Connection) -> rusqlite::Result<()> {
    let pages = old::pages(connection)?;
    let page_bytes: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
    let bytes = pages.all * page_bytes.unsigned_abs();
    if !pages.can_shrink && bytes <= REWRITTEN_BYTES_MAX {
        connection.execute_batch("VACUUM")?;
    }
    Ok(())
}

/// Writes the database anew without its free pages, so that from then on it shrinks by itself. Nobody may
/// have it open.
///
/// # Errors
/// [`OpenError`] when the file cannot be used.
pub fn compact(path: &Path) -> Result<(), OpenError> {
    let sqlite = |source| OpenError::Sqlite {
        path: path.to_owned(),
        source,
    };
    let _lock = Lock::take(path)?;
    let connection = Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE)
        .map_err(sqlite)?;
    configure_writer(&connection).map_err(sqlite)?;
    connection
        .execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)")
        .map_err(sqlite)
}

/// Plans do not depend on bound values: without this SQLite plans several hot statements anew at
/// every execution, which took a third of the writer's time.
fn keep_plans(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

/// Forward only; `user_version` counts the migrations that ran.
fn migrate(connection: &mut Connection, path: &Path) -> Result<(), OpenError> {
    let sqlite = |source| OpenError::Sqlite {
        path: path.to_owned(),
        source,
    };
    let pragma = |name: &str, connection: &Connection| {
        connection
            .pragma_query_value(None, name, |row| row.get::<_, i64>(0))
            .map_err(sqlite)
    };
    let found = usize::try_from(pragma("user_version", connection)?).unwrap_or(usize::MAX);
    let application = pragma("application_id", connection)?;
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(sqlite)?;
    if tables > 0 && application != APPLICATION_ID {
        return Err(OpenError::Foreign {
            path: path.to_owned(),
        });
    }
    if found > MIGRATIONS.len() {
        return Err(OpenError::Newer {
            path: path.to_owned(),
            found,
            known: MIGRATIONS.len(),
        });
    }
    for (number, sql) in (1_i64..).zip(MIGRATIONS).skip(found) {
        let transaction = connection.transaction().map_err(sqlite)?;
        transaction.execute_batch(sql).map_err(sqlite)?;
        if number == GUESTS_HASHED {
            guests::hash_ids(&transaction).map_err(sqlite)?;
        }
        transaction
            .pragma_update(None, "application_id", APPLICATION_ID)
            .map_err(sqlite)?;
        transaction
            .pragma_update(None, "user_version", number)
            .map_err(sqlite)?;
        transaction.commit().map_err(sqlite)?;
    }
    Ok(())
}
