//! A consistent copy of a database that is in use, and the way back.

use super::{
    APPLICATION_ID, MIGRATIONS, OpenError, beyond::Given, identity, keeper, lock::Lock, migrate,
    restrict_permissions,
};
use ordercast_core::Timestamp;
use rusqlite::{
    Connection, OpenFlags,
    backup::{Backup, StepResult},
};
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::Duration,
};
use thiserror::Error;

/// Copied between two looks at the log, pages.
const PAGES_PER_STEP: std::ffi::c_int = 256;
/// The state that is copied must stay readable, so the server's write-ahead log cannot be moved into
/// the database meanwhile and grows by all that is written. A backup that would make it grow beyond
/// this gives up rather than fill the disk.
const LOG_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;

#[derive(Debug, Error)]
pub enum BackupError {
    #[error("{0} is there already; choose another name or remove it")]
    Exists(PathBuf),
    #[error("there is no database {0}")]
    Missing(PathBuf),
    #[error("{0} is not a whole Ordercast database: {1}")]
    Broken(PathBuf, String),
    #[error(
        "the server wrote so much meanwhile that its log grew to {} MiB: back up at a quieter hour, or to a faster disk",
        .0 >> 20
    )]
    Log(u64),
    #[error("another program keeps the database locked")]
    Busy,
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

/// A restored copy goes on beyond what may have been given out since.
fn say_when(copy: &Path, now: Timestamp) -> Result<(), BackupError> {
    let connection = Connection::open(copy)?;
    connection.execute(
        "INSERT INTO meta (name, value) VALUES ('copied_at', ?1) \
         ON CONFLICT (name) DO UPDATE SET value = ?1",
        [now.millis().to_string()],
    )?;
    connection.close().map_err(|(_, error)| error)?;
    sync(copy)
}

/// How far a copy is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Of the database's pages, 0 to 100.
    pub percent: u8,
    /// Bytes of the server's write-ahead log.
    pub log_bytes: u64,
}

/// Copies `database`, which a server may be using, into the new file `to`. Gives its size in bytes.
///
/// # Errors
/// [`BackupError`]; `to` is there only if the backup is whole.
pub fn backup(
    database: &Path,
    to: &Path,
    now: Timestamp,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<u64, BackupError> {
    if to.exists() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    let source = open_existing(database)?;
    let part = with_suffix(to, ".part");
    let copied = copy(&source, &part, Some(database), on_progress);
    let finished = copied.and_then(|()| say_when(&part, now)).and_then(|()| {
        // A hard link fails if the name was taken meanwhile, where a rename would overwrite.
        fs::hard_link(&part, to).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => BackupError::Exists(to.to_owned()),
            _ => io_error(to, source),
        })
    });
    let _ = fs::remove_file(&part);
    finished?;
    sync_folder(to)?;
    Ok(fs::metadata(to)
        .map_err(|source| io_error(to, source))?
        .len())
}

/// Makes `database` from the backup `from`, with an identity of its own: clients that knew the
/// database before are told to start over. Needs the database's place to be free, or `replace`,
/// which moves what is there aside and gives its new name.
///
/// # Errors
/// [`BackupError`]; the old database is untouched unless the backup proved whole.
pub fn restore(
    from: &Path,
    database: &Path,
    replace: bool,
    now: Timestamp,
    seed: u64,
) -> Result<Option<PathBuf>, BackupError> {
    let source = open_existing(from)?;
    // An empty file is what an interrupted restore leaves where nothing was.
    let is_there = fs::metadata(database).is_ok_and(|found| found.len() > 0);
    if is_there && !replace {
        return Err(BackupError::Exists(database.to_owned()));
    }
    // A running server holds it. The lock makes an empty file where there is none.
    let _lock = Lock::take(database)?;
    let part = with_suffix(database, RESTORING);
    let before = if is_there {
        before(database)
    } else {
        Before::default()
    };
    let prepared = prepare(&source, &part, (now, seed), &before);
    if prepared.is_err() {
        let _ = fs::remove_file(&part);
        if !is_there {
            let _ = fs::remove_file(database);
        }
    }
    prepared?;

    let aside = if is_there {
        Some(set_aside(database, now)?)
    } else {
        None
    };
    // The one moment in which the new takes the place of the old: there is always a database.
    fs::rename(&part, database).map_err(|source| io_error(database, source))?;
    sync_folder(database)?;
    let _ = fs::remove_file(identity::mark_path(database));
    Ok(aside)
}

/// A copy on its way to become the database.
const RESTORING: &str = ".restoring";
/// The database that was there before, with the time at its end.
const BEFORE_RESTORE: &str = ".before-restore-";

/// The backup as the database that it will be, whole and on disk under another name.
fn prepare(
    source: &Connection,
    part: &Path,
    (now, seed): (Timestamp, u64),
    before: &Before,
) -> Result<(), BackupError> {
    copy(source, part, None, &mut |_| ())?;
    let mut restored = Connection::open(part)?;
    migrate(&mut restored, part)?;
    let transaction = restored.transaction()?;
    identity::renew(&transaction, now, seed, (&before.epochs, &before.given))?;
    transaction.commit()?;
    restored.close().map_err(|(_, error)| error)?;
    restrict_permissions(part)?;
    sync(part)
}

/// What is known of the database whose place the restored one takes.
#[derive(Default)]
struct Before {
    epochs: Vec<String>,
    given: Given,
}

/// Nothing, if it cannot be read: then the restored one goes on as far beyond as its age asks for.
fn before(database: &Path) -> Before {
    let read = || -> Result<Before, BackupError> {
        let connection = open_existing(database)?;
        let has_epochs = connection.table_exists(None, "epochs")?;
        Ok(Before {
            epochs: if has_epochs {
                identity::all(&connection)?
            } else {
                Vec::new()
            },
            given: Given::read(&connection)?,
        })
    };
    read().unwrap_or_else(|error| {
        tracing::warn!(%error, "the database that was there cannot be read");
        Before::default()
    })
}

/// Gives the database a second name, and keeps a log that cannot be moved into it: nothing is ever
/// without a name.
fn set_aside(database: &Path, now: Timestamp) -> Result<PathBuf, BackupError> {
    let name = |time| with_suffix(database, &format!("{BEFORE_RESTORE}{time}"));
    let mut time = now.millis();
    while name(time).exists() {
        time += 1;
    }
    let old = name(time);
    let log = with_suffix(database, "-wal");
    let old_log = with_suffix(&old, "-wal");
    // SQLite throws away a log that it cannot read.
    if fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
        fs::copy(&log, &old_log).map_err(|source| io_error(&old_log, source))?;
        sync(&old_log)?;
    }
    // What the log holds is moved into the file. A damaged one keeps its log beside it.
    let moved = Connection::open(database).and_then(|connection| {
        connection.pragma_update(None, "wal_checkpoint", "TRUNCATE")?;
        connection.close().map_err(|(_, error)| error)
    });
    match moved {
        Ok(()) => {
            let _ = fs::remove_file(&old_log);
        }
        Err(error) => {
            tracing::warn!(%error, "the log of the database that was there is kept beside it");
        }
    }
    fs::hard_link(database, &old).map_err(|source| io_error(&old, source))?;
    sync_folder(database)?;
    // A log that stayed would be taken for the new file's.
    for leftover in [log, with_suffix(database, "-shm")] {
        let _ = fs::remove_file(leftover);
    }
    Ok(old)
}

/// A database that is missing beside what a restore leaves was not meant to be made anew, empty.
pub(super) fn refuse_interrupted(database: &Path) -> Result<(), OpenError> {
    if fs::metadata(database).is_ok_and(|found| found.len() > 0) {
        return Ok(());
    }
    let (Some(name), Some(folder)) = (database.file_name(), folder(database)) else {
        return Ok(());
    };
    let Ok(files) = fs::read_dir(folder) else {
        return Ok(());
    };
    let name = name.to_string_lossy();
    let beside = files.filter_map(Result::ok).find(|file| {
        let found = file.file_name();
        let found = found.to_string_lossy();
        found.strip_prefix(&*name).is_some_and(|rest| {
            rest == RESTORING || rest.starts_with(BEFORE_RESTORE) && !rest.ends_with("-wal")
        })
    });
    match beside {
        Some(beside) => Err(OpenError::Interrupted {
            path: database.to_owned(),
            beside: beside.path(),
        }),
        None => Ok(()),
    }
}

/// Opened for reading, and known to be ours.
fn open_existing(path: &Path) -> Result<Connection, BackupError> {
    if !path.is_file() {
        return Err(BackupError::Missing(path.to_owned()));
    }
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let broken = |what: String| BackupError::Broken(path.to_owned(), what);
    let application = pragma("application_id").map_err(|error| broken(error.to_string()))?;
    if application != APPLICATION_ID {
        return Err(broken("it is of another application".to_owned()));
    }
    if usize::try_from(pragma("user_version")?).map_or(true, |found| found > MIGRATIONS.len()) {
        return Err(broken("a newer version of Ordercast wrote it".to_owned()));
    }
    Ok(connection)
}

/// A checked copy on disk. `served`: the database whose log grows meanwhile.
fn copy(
    source: &Connection,
    to: &Path,
    served: Option<&Path>,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<(), BackupError> {
    let _ = fs::remove_file(to);
    let mut target = Connection::open(to)?;
    restrict_permissions(to)?;
    // The whole is synced at the end; until then it has another name.
    target.pragma_update(None, "synchronous", "OFF")?;
    // One read transaction from the first page to the last. Without it each commit of the server would
    // begin the copy again, and under steady writes it would never end.
    source.execute_batch("BEGIN")?;
    source.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    let copied = copy_pages(source, &mut target, served, on_progress);
    let ended = source.execute_batch("COMMIT");
    copied?;
    ended?;
    // One file: a backup has no log beside it.
    target.pragma_update(None, "journal_mode", "DELETE")?;
    let verdict: String = target.query_row("PRAGMA integrity_check(1)", [], |row| {
        row.get::<_, String>(0)
    })?;
    target.close().map_err(|(_, error)| error)?;
    if verdict != "ok" {
        let _ = fs::remove_file(to);
        return Err(BackupError::Broken(to.to_owned(), verdict));
    }
    sync(to)
}

fn copy_pages(
    source: &Connection,
    target: &mut Connection,
    served: Option<&Path>,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<(), BackupError> {
    let copying = Backup::new(source, target)?;
    loop {
        let step = copying.step(PAGES_PER_STEP)?;
        let pages = copying.progress();
        let log_bytes = served.map_or(0, keeper::log_bytes);
        let copied = i64::from(pages.pagecount - pages.remaining);
        let percent = copied * 100 / i64::from(pages.pagecount).max(1);
        on_progress(Progress {
            percent: u8::try_from(percent).unwrap_or(100),
            log_bytes,
        });
        match step {
            StepResult::Done => return Ok(()),
            StepResult::More if log_bytes > LOG_BYTES_MAX => {
                return Err(BackupError::Log(log_bytes));
            }
            StepResult::More => {}
            _ => return Err(BackupError::Busy),
        }
    }
}

fn sync(path: &Path) -> Result<(), BackupError> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(|source| io_error(path, source))
}

/// The name of a new file is on disk only with its folder.
fn sync_folder(path: &Path) -> Result<(), BackupError> {
    sync(folder(path).unwrap_or(Path::new(".")))
}

fn folder(path: &Path) -> Option<&Path> {
    match path.parent()? {
        here if here.as_os_str().is_empty() => Some(Path::new(".")),
        folder => Some(folder),
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn io_error(path: &Path, source: io::Error) -> BackupError {
    BackupError::Io {
        path: path.to_owned(),
        source,
    }
}
