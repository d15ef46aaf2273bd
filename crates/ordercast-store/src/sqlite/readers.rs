//! Reads: short ones at once on the thread that asks, all others by threads of their own.
//!
//! A thread costs a read of one order or channel more than the read itself: two switches and a wake-up.
//! Invariant: no more than half of the cores ever wait for the disk in a short read; beyond that, short
//! reads queue as the others do.

use super::{spawn, writer};
use crate::Failure;
use rusqlite::{Connection, OpenFlags};
use std::{
    path::Path,
    sync::{Arc, Mutex, mpsc},
    thread::{self, JoinHandle},
};
use tokio::sync::oneshot;

/// Reads that wait for a reader.
const QUEUE_MAX: usize = 4_096;
/// A reader is bound by the CPU once pages are cached: more than the cores gain nothing.
const READERS: usize = 2;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

#[derive(Debug)]
pub struct Readers {
    queue: mpsc::SyncSender<Job>,
    /// For short reads.
    at_hand: Vec<Mutex<Connection>>,
}

impl Readers {
    /// Its threads end when it is dropped.
    pub fn start(path: &Path) -> rusqlite::Result<(Self, Vec<JoinHandle<()>>)> {
        let (queue, jobs) = mpsc::sync_channel::<Job>(QUEUE_MAX);
        let jobs = Arc::new(Mutex::new(jobs));
        let mut threads = Vec::new();
        for _ in 0..READERS {
            let mut reader = open(path)?;
            let jobs = Arc::clone(&jobs);
            threads.push(spawn("ordercast-reader", move || {
                loop {
                    let job = match jobs.lock() {
                        Ok(jobs) => jobs.recv(),
                        Err(_) => return,
                    };
                    let Ok(job) = job else { return };
                    job(&mut reader);
                }
            }));
        }
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let at_hand = (0..cores.div_ceil(2)).map(|_| Ok(Mutex::new(open(path)?)));
        let at_hand = at_hand.collect::<rusqlite::Result<_>>()?;
        Ok((Self { queue, at_hand }, threads))
    }

    pub async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let _ = reply.send(query(connection));
        });
        self.queue.try_send(job).map_err(|error| match error {
            mpsc::TrySendError::Full(_) => Failure::Overloaded,
            mpsc::TrySendError::Disconnected(_) => Failure::Closed,
        })?;
        answer
            .await
            .map_err(|_| Failure::Closed)?
            .map_err(|error| writer::failure(&error))
    }

    /// Of a bounded number of rows, found by a key.
    pub async fn read_short<T: Send + 'static>(
        &self,
        query: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        for connection in &self.at_hand {
            if let Ok(mut connection) = connection.try_lock() {
                return query(&mut connection).map_err(|error| writer::failure(&error));
            }
        }
        self.read(query).await
    }
}

pub fn open(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "cache_size", -16_384)?;
    connection.set_prepared_statement_cache_capacity(32);
    super::keep_plans(&connection)?;
    Ok(connection)
}
