//! One process writes to a database file, by whatever name it opened it.
//!
//! Two locks and a number keep a second server out. The lock on the file `NAME.lock` is the one that every
//! version takes. The lock on the database file itself holds under each of its names: a symbolic or hard
//! link, a bind mount, or after the lock file was removed. Where locks do not reach (a network file
//! system) the database has the number of its newest writer: each transaction of a writer looks whether
//! that is still its own.

use super::OpenError;
use rusqlite::{Connection, OptionalExtension};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
};

/// Both locks, while it lives. It must outlive every connection to the file: POSIX locks of a process
/// end when the process closes any descriptor of the file, and SQLite's are such locks.
#[derive(Debug)]
pub(super) struct Lock {
    database: File,
    _beside: File,
}

impl Lock {
    /// Creates the database file, empty, if it is not there.
    pub(super) fn take(path: &Path) -> Result<Self, OpenError> {
        let mut name = path.as_os_str().to_owned();
        name.push(".lock");
        let beside = lock(path, || File::create(PathBuf::from(name)))?;
        let database = lock(path, || {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false);
            options.open(path)
        })?;
        Ok(Self {
            database,
            _beside: beside,
        })
    }

    /// Whether the locked file is the one that has this name now: it may have been replaced, and what
    /// is written to it then is lost with it.
    pub(super) fn holds(&self, path: &Path) -> bool {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let ours = self.database.metadata().map(|m| (m.dev(), m.ino()));
            match (ours, fs::metadata(path)) {
                (Ok(ours), Ok(named)) => ours == (named.dev(), named.ino()),
                (_, Err(error)) => error.kind() != std::io::ErrorKind::NotFound,
                // Nothing was found out.
                (Err(_), Ok(_)) => true,
            }
        }
        #[cfg(not(unix))]
        {
            let _ = &self.database;
            path.exists()
        }
    }
}

fn lock(path: &Path, open: impl FnOnce() -> std::io::Result<File>) -> Result<File, OpenError> {
    let io = |source| OpenError::Io {
        path: path.to_owned(),
        source,
    };
    let file = open().map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            // The holder may be in this process: closing the file would end SQLite's locks on it.
            std::mem::forget(file);
            Err(OpenError::Locked {
                path: path.to_owned(),
            })
        }
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}

/// The number of one opening of a database for writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WriterNumber(i64);

impl WriterNumber {
    /// One more than the last: whoever had that may not write any more.
    pub(super) fn take(connection: &Connection) -> rusqlite::Result<Self> {
        connection
            .query_row(
                "INSERT INTO meta (name, value) VALUES ('writer', '1') ON CONFLICT (name) \
                 DO UPDATE SET value = CAST(value AS INTEGER) + 1 RETURNING CAST(value AS INTEGER)",
                [],
                |row| row.get(0),
            )
            .map(Self)
    }

    /// Whether nobody has opened the database for writing since.
    pub(super) fn is_newest(self, connection: &Connection) -> rusqlite::Result<bool> {
        let newest: Option<i64> = connection
            .prepare_cached("SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'writer'")?
            .query_row([], |row| row.get(0))
            .optional()?;
        Ok(newest == Some(self.0))
    }
}
