//! [`Store`] on SQLite: opening and migrating the file, the writer's queue, the readers' pool.

mod apply;
mod backup;
mod beyond;
pub(crate) mod credentials;
mod event_rows;
mod examine;
pub(crate) mod identity;
pub(crate) mod inbox;
mod keeper;
pub(crate) mod list;
mod lock;
mod memory;
pub(crate) mod numbers;
pub(crate) mod order_tokens;
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
    Committed, DeliveryBell, Failure, Outcome, Submission, Vault, cache::OrderCache,
    recent::RecentChannels, watch::Watches,
};
use identity::{HighWater, Identity};
use keeper::{Condition, Keeper};
use lock::{Lock, WriterNumber};
use ordercast_core::{Timestamp, channel::Epoch};
use readers::Readers;
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
use tokio::sync::{mpsc, oneshot, watch};

/// Changes that wait while a commit runs; over it callers are refused, not delayed.
const WRITE_QUEUE_MAX: usize = 8_192;
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
];

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
    writes: Option<mpsc::Sender<writer::Job>>,
    readers: Option<Readers>,
    threads: Vec<JoinHandle<()>>,
    identity: Arc<Identity>,
    high_water: Arc<HighWater>,
    newest_event: watch::Receiver<i64>,
    bell: Arc<DeliveryBell>,
    cache: Arc<OrderCache>,
    recent: Arc<RecentChannels>,
    watches: Arc<Watches>,
    secrets: Arc<Secrets>,
    /// The keeper ends when it is dropped.
    keeping: Option<blocking::Sender<()>>,
    /// Last: it outlives every connection.
    _lock: Arc<Lock>,
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
        Self::open_with(path, now, identity_seed, (None, None), on_commit)
    }

    /// Opens or creates the database and starts its threads. `on_commit` runs on the writer's thread
    /// after each commit, in commit order, before the callers are answered.
    ///
    /// Secrets that are not sealed yet, or with the key `before`, are sealed first.
    ///
    /// # Errors
    /// [`OpenError`] when the file cannot be used, or its secrets are sealed with another key.
    pub fn open_sealed(
        path: &Path,
        now: Timestamp,
        identity_seed: u64,
        (key, before): (Vault, Option<Vault>),
        on_commit: impl FnMut(&[Committed]) + Send + 'static,
    ) -> Result<Self, OpenError> {
        Self::open_with(path, now, identity_seed, (Some(key), before), on_commit)
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
        let cache = Arc::new(OrderCache::new());
        let recent = Arc::new(RecentChannels::new());
        let watches = Arc::new(Watches::default());
        let bell = Arc::new(DeliveryBell::default());
        let (writes, write_queue) = mpsc::channel(WRITE_QUEUE_MAX);
        let audience = writer::Audience {
            cache: Arc::clone(&cache),
            recent: Arc::clone(&recent),
            on_commit,
            watches: Arc::clone(&watches),
            newest_event: event_sender,
            bell: Arc::clone(&bell),
        };
        let condition = Arc::new(Condition::default());
        let keeper = Keeper {
            path: path.clone(),
            lock: Arc::clone(&lock),
            number,
            condition: Arc::clone(&condition),
            writes: writes.downgrade(),
        };
        let writer = writer::Writer::new(
            connection,
            Arc::clone(&identity),
            Arc::clone(&high_water),
            Arc::clone(&secrets),
            audience,
            (number, condition),
        );
        let mut threads = vec![spawn("ordercast-writer", move || writer.run(write_queue))];
        let (keeping, stop) = blocking::channel();
        threads.push(spawn("ordercast-keeper", move || keeper.run(&stop)));

        let (readers, reading) = Readers::start(path).map_err(sqlite)?;
        threads.extend(reading);
        let inner = Inner {
            writes: Some(writes),
            readers: Some(readers),
            threads,
            identity,
            high_water,
            newest_event,
            bell,
            cache,
            recent,
            watches,
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
        let writes = self.inner.writes.as_ref().ok_or(Failure::Closed)?;
        writes
            .try_send(writer::Job { submission, reply })
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => Failure::Overloaded,
                mpsc::error::TrySendError::Closed(_) => Failure::Closed,
            })?;
        answer.await.map_err(|_| Failure::Closed)?
    }

    /// Returns when nothing can be written any more, because the database failed. The process must
    /// end then: what is on disk is read anew by the next one.
    pub async fn failed(&self) {
        match &self.inner.writes {
            Some(writes) => writes.closed().await,
            None => std::future::pending().await,
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

    /// Changes when an event was committed; its value is the newest event id.
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
        self.inner
            .writes
            .as_ref()
            .is_none_or(mpsc::Sender::is_closed)
    }

    pub(crate) fn watches(&self) -> &Arc<Watches> {
        &self.inner.watches
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

    pub(crate) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        self.readers()?.read(query).await
    }

    /// Of a bounded number of rows, found by a key.
    pub(crate) async fn read_short<T: Send + 'static>(
        &self,
        query: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        self.readers()?.read_short(query).await
    }

    fn readers(&self) -> Result<&Readers, Failure> {
        self.inner.readers.as_ref().ok_or(Failure::Closed)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.writes = None;
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
