//! A consistent copy of a database that is in use, and the way back.

use super::{APPLICATION_ID, MIGRATIONS, OpenError, identity, lock_file, restrict_permissions};
use ordercast_core::Timestamp;
use rusqlite::{Connection, OpenFlags, backup::Backup};
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::Duration,
};
use thiserror::Error;

/// Copied at a time; the running server writes in between.
const PAGES_PER_STEP: std::ffi::c_int = 1_024;
const PAUSE: Duration = Duration::from_millis(1);

#[derive(Debug, Error)]
pub enum BackupError {
    #[error("{0} is there already; choose another name or remove it")]
    Exists(PathBuf),
    #[error("there is no database {0}")]
    Missing(PathBuf),
    #[error("{0} is not a whole Ordercast database: {1}")]
    Broken(PathBuf, String),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

/// Copies `database`, which a server may be using, into the new file `to`. Gives its size in bytes.
///
/// # Errors
/// [`BackupError`]; `to` is there only if the backup is whole.
pub fn backup(database: &Path, to: &Path) -> Result<u64, BackupError> {
    if to.exists() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    let source = open_existing(database)?;
    let part = with_suffix(to, ".part");
    let finished = copy(&source, &part).and_then(|()| {
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
    // A running server holds it.
    let _lock = lock_file(database)?;
    if database.exists() && !replace {
        return Err(BackupError::Exists(database.to_owned()));
    }
    let part = with_suffix(database, ".restoring");
    let _ = fs::remove_file(&part);
    copy(&source, &part)?;
    let restored = Connection::open(&part)?;
    identity::renew(&restored, now, seed)?;
    restored.close().map_err(|(_, error)| error)?;
    sync(&part)?;

    let mut aside = None;
    if database.exists() {
        let old = with_suffix(database, &format!(".before-restore-{}", now.millis()));
        // The log belongs to the file: what it holds is moved into it first.
        let connection = Connection::open(database)?;
        connection.pragma_update(None, "wal_checkpoint", "TRUNCATE")?;
        connection.close().map_err(|(_, error)| error)?;
        fs::rename(database, &old).map_err(|source| io_error(&old, source))?;
        aside = Some(old);
    }
    for leftover in ["-wal", "-shm"] {
        let _ = fs::remove_file(with_suffix(database, leftover));
    }
    let _ = fs::remove_file(identity::mark_path(database));
    fs::rename(&part, database).map_err(|source| io_error(database, source))?;
    restrict_permissions(database)?;
    sync_folder(database)?;
    Ok(aside)
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

/// A checked copy on disk.
fn copy(source: &Connection, to: &Path) -> Result<(), BackupError> {
    let _ = fs::remove_file(to);
    let mut target = Connection::open(to)?;
    restrict_permissions(to)?;
    Backup::new(source, &mut target)?.run_to_completion(PAGES_PER_STEP, PAUSE, None)?;
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

fn sync(path: &Path) -> Result<(), BackupError> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(|source| io_error(path, source))
}

/// The name of a new file is on disk only with its folder.
fn sync_folder(path: &Path) -> Result<(), BackupError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    sync(folder)
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
