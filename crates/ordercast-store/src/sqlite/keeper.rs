//! Looks once a second whether the database file is still ours alone, and whether its write-ahead log
//! stays small.
//!
//! SQLite moves the log into the database after a commit, up to the oldest transaction that still reads.
//! A long read (a backup, a foreign program) holds it back, and the whole backlog would then be moved
//! inside some buyer's commit. So while the log is large the writer leaves it alone and this thread
//! moves it, beside the writer; what is left when nothing holds it back is little, and the file is cut.

use super::{
    lock::{Lock, WriterNumber},
    writer::Job,
};
use crate::fair::{self, FairQueue};
use metrics::{Gauge, counter, gauge};
use rusqlite::{Connection, OpenFlags};
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::Duration,
};

const EVERY: Duration = Duration::from_secs(1);
/// A log of this size is moved by this thread. The writer keeps it at about 4 MiB by itself.
const LOG_LARGE_BYTES: u64 = 32 * 1024 * 1024;
/// What the file is cut to whenever SQLite begins it from the start.
pub(super) const LOG_KEPT_BYTES: i64 = 16 * 1024 * 1024;
/// Frames that the last step of moving the log may hold the writer up for: 4 MiB.
const LAST_STEP_FRAMES_MAX: i64 = 1_024;
/// The last step needs a moment between two transactions of the writer.
const LAST_STEP_PATIENCE: Duration = Duration::from_millis(20);
/// Looks at a log that is held back before that is said, and said again.
const SAID_EVERY: u32 = 60;

/// What the keeper tells the writer. The writer looks at it before each transaction.
#[derive(Debug, Default)]
pub(super) struct Condition {
    /// The log is large: the writer does not move it.
    pub log_is_large: AtomicBool,
    /// Nothing may be written any more: the file is another's, or moving its log failed.
    pub is_lost: AtomicBool,
}

pub(super) struct Keeper {
    pub path: PathBuf,
    pub lock: Arc<Lock>,
    pub number: WriterNumber,
    pub condition: Arc<Condition>,
    /// Wakes a writer that waits for changes.
    pub writes: Weak<FairQueue<Job>>,
}

/// What became of one look at a large log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moved {
    /// The file is empty again.
    All,
    /// Somebody reads an older state, or writes just now.
    HeldBack,
}

impl Keeper {
    /// Until the other end of `stop` is dropped, or the database is lost.
    pub(super) fn run(self, stop: &Receiver<()>) {
        let bytes = gauge!("ordercast_wal_bytes");
        let mut connection = None;
        let mut held_back = 0;
        while stop.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
            if let Err(why) = self.look(&mut connection, &bytes, &mut held_back) {
                tracing::error!(database = %self.path.display(), %why, "the database is lost");
                self.condition.is_lost.store(true, Ordering::SeqCst);
                if let Some(writes) = self.writes.upgrade() {
                    // A full queue wakes the writer as well.
                    let _ = writes.push(fair::SERVER, 0, Job::nothing());
                }
                // As in the writer: closing it would write to it.
                std::mem::forget(connection);
                return;
            }
        }
    }

    /// `Err`: nothing may be written any more.
    fn look(
        &self,
        connection: &mut Option<Connection>,
        bytes: &Gauge,
        held_back: &mut u32,
    ) -> Result<(), String> {
        if !self.lock.holds(&self.path) {
            return Err("the file was replaced or removed while it was in use".to_owned());
        }
        let open = match connection {
            Some(open) => open,
            // Another time, then: a machine without a free descriptor.
            None => match open(&self.path) {
                Ok(opened) => connection.insert(opened),
                Err(_) => return Ok(()),
            },
        };
        if matches!(self.number.is_newest(open), Ok(false)) {
            return Err("another process has opened it for writing".to_owned());
        }
        let size = log_bytes(&self.path);
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        bytes.set(size as f64);
        let is_large = size > LOG_LARGE_BYTES;
        self.condition
            .log_is_large
            .store(is_large, Ordering::Relaxed);
        if !is_large {
            *held_back = 0;
            return Ok(());
        }
        let moved = move_log(open).map_err(|error| format!("moving its log failed: {error}"))?;
        let label = match moved {
            Moved::All => "moved",
            Moved::HeldBack => "held_back",
        };
        counter!("ordercast_log_moves_total", "result" => label).increment(1);
        if moved == Moved::All {
            *held_back = 0;
            return Ok(());
        }
        *held_back += 1;
        if (*held_back).is_multiple_of(SAID_EVERY) {
            tracing::warn!(
                log_bytes = size,
                "the write-ahead log cannot be moved into the database: something has been reading \
                 the database for a long time"
            );
        }
        Ok(())
    }
}

/// Bytes of the log beside a database; 0 for none.
pub(super) fn log_bytes(database: &Path) -> u64 {
    let mut name = database.as_os_str().to_owned();
    name.push("-wal");
    let size = |name| -> io::Result<u64> { Ok(fs::metadata(PathBuf::from(name))?.len()) };
    size(name).unwrap_or(0)
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(LAST_STEP_PATIENCE)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(connection)
}

/// First beside the writer, then, when little is left, the rest in one moment of the writer's.
fn move_log(connection: &Connection) -> rusqlite::Result<Moved> {
    let (_, frames, moved) = checkpoint(connection, "PASSIVE")?;
    if frames - moved > LAST_STEP_FRAMES_MAX {
        return Ok(Moved::HeldBack);
    }
    let (is_busy, ..) = checkpoint(connection, "TRUNCATE")?;
    Ok(if is_busy { Moved::HeldBack } else { Moved::All })
}

/// Whether it was kept from its work, frames of the log, and those that are in the database.
fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<(bool, i64, i64)> {
    let pragma = format!("PRAGMA wal_checkpoint({mode})");
    let result = connection.query_row(&pragma, [], |row| {
        Ok((row.get::<_, i64>(0)? != 0, row.get(1)?, row.get(2)?))
    });
    match result.as_ref().map_err(rusqlite::Error::sqlite_error_code) {
        Err(Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked)) => {
            Ok((true, i64::MAX, 0))
        }
        // Without room the log stays as it is; the writer learns of it from its own commits.
        Err(Some(rusqlite::ErrorCode::DiskFull | rusqlite::ErrorCode::OutOfMemory)) => {
            Ok((true, i64::MAX, 0))
        }
        _ => result,
    }
}
