//! Reads, in three lanes that do not wait for each other.
//!
//! *Short* reads find a bounded number of rows by a key. They run at once on the thread that asks,
//! because a thread of their own costs more than the read itself: two switches and a wake-up; when all
//! connections at hand are in use they queue. *Lists* walk an index for one project: lists, searches,
//! feeds. *Work* is what the server asks for itself: jobs, deliveries that are due, keys.
//!
//! Invariants: no more than half of the cores ever wait for the disk in a short read at hand. A queue
//! serves projects in turn, and of the threads for lists one project never has all. Every read has a
//! deadline, which SQLite itself checks while it runs; so a read transaction has one too.

use super::{spawn, writer};
use crate::{
    Failure,
    fair::{Bounds, FairQueue, Refused, Turn},
};
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use parking_lot::Mutex;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::{
    fmt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};
use tokio::sync::oneshot;

/// Reads of one lane that wait, and how much they may hold.
const WAITING_MAX: usize = 4_096;
/// A read that was not begun within this time is refused: its caller hears of it while it still waits.
const WAIT_MAX: Duration = Duration::from_secs(5);
const SHORT_MAX: Duration = Duration::from_secs(1);
const LIST_MAX: Duration = Duration::from_secs(2);
/// Jobs read all projects, and nobody waits for them.
const WORK_MAX: Duration = Duration::from_secs(60);
/// Steps of SQLite's machine between two looks at the clock: some 20 us.
const STEPS: i32 = 1_000;
/// How far the threads for lists step back where there are not enough cores for all.
const NICE: i32 = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaneName {
    Short,
    List,
    Work,
}

impl LaneName {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Short => "short",
            Self::List => "list",
            Self::Work => "work",
        }
    }

    const fn longest(self) -> Duration {
        match self {
            Self::Short => SHORT_MAX,
            Self::List => LIST_MAX,
            Self::Work => WORK_MAX,
        }
    }
}

type Job = Box<dyn FnOnce(&mut Reader) + Send>;

#[derive(Debug)]
pub struct Readers {
    /// For short reads.
    at_hand: Vec<Mutex<Reader>>,
    short: Lane,
    list: Lane,
    work: Lane,
    /// Asked whether the database answers, and for nothing else: waits for nobody.
    probe: Mutex<Connection>,
}

impl Readers {
    /// `page_cache_bytes`: of all its connections together. Its threads end when it is dropped.
    pub fn start(
        path: &Path,
        page_cache_bytes: usize,
    ) -> rusqlite::Result<(Self, Vec<JoinHandle<()>>)> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let (at_hand, for_lists) = (cores.div_ceil(2), cores.div_ceil(2).max(2));
        let each = page_cache_bytes / (at_hand + for_lists + 2);
        let mut threads = Vec::new();
        let mut lane = |name, count| Lane::start(name, path, each, count, &mut threads);
        let readers = Self {
            short: lane(LaneName::Short, 1)?,
            list: lane(LaneName::List, for_lists)?,
            work: lane(LaneName::Work, 1)?,
            at_hand: (0..at_hand)
                .map(|_| Ok(Mutex::new(Reader::open(path, each)?)))
                .collect::<rusqlite::Result<_>>()?,
            probe: Mutex::new(open(path)?),
        };
        Ok((readers, threads))
    }

    pub async fn read<T: Send + 'static>(
        &self,
        lane: LaneName,
        turn: Turn,
        query: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let lane = match lane {
            LaneName::Short => {
                for reader in &self.at_hand {
                    if let Some(mut reader) = reader.try_lock() {
                        return reader.run(SHORT_MAX, query);
                    }
                }
                &self.short
            }
            LaneName::List => &self.list,
            LaneName::Work => &self.work,
        };
        lane.read(turn, query).await
    }

    /// Whether the database answers.
    pub fn probe(&self) -> Result<(), Failure> {
        // Who finds it in use is in the company of somebody who finds out.
        let Some(connection) = self.probe.try_lock() else {
            return Ok(());
        };
        connection
            .prepare_cached("SELECT 1 FROM meta LIMIT 1")
            .and_then(|mut statement| statement.exists([]))
            .map(|_| ())
            .map_err(|error| writer::failure(&error))
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        for lane in [&self.short, &self.list, &self.work] {
            lane.queue.close();
        }
    }
}

struct Lane {
    name: LaneName,
    queue: Arc<FairQueue<Job>>,
    counts: Counts,
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lane({:?})", self.name)
    }
}

/// How its reads end, and how many wait.
#[derive(Clone, Debug)]
struct Counts {
    waiting: Gauge,
    waited: Histogram,
    lasted: Histogram,
    done: Counter,
    refused: Counter,
    too_slow: Counter,
}

impl Counts {
    fn new(lane: &'static str) -> Self {
        let ended = |result| counter!("ordercast_reads_total", "lane" => lane, "result" => result);
        Self {
            waiting: gauge!("ordercast_reads_waiting", "lane" => lane),
            waited: histogram!("ordercast_read_wait_seconds", "lane" => lane),
            lasted: histogram!("ordercast_read_seconds", "lane" => lane),
            done: ended("done"),
            refused: ended("refused"),
            too_slow: ended("too_slow"),
        }
    }

    fn count<T>(&self, result: &Result<T, Failure>) {
        match result {
            Err(Failure::TooSlow) => self.too_slow.increment(1),
            Err(Failure::Overloaded) => self.refused.increment(1),
            _ => self.done.increment(1),
        }
    }
}

impl Lane {
    fn start(
        name: LaneName,
        path: &Path,
        page_cache_bytes: usize,
        readers: usize,
        threads: &mut Vec<JoinHandle<()>>,
    ) -> rusqlite::Result<Self> {
        let queue = Arc::new(FairQueue::<Job>::new(Bounds {
            things: WAITING_MAX,
            bytes: WAITING_MAX,
            at_once: (readers - 1).max(1),
        }));
        for _ in 0..readers {
            let mut reader = Reader::open(path, page_cache_bytes)?;
            let queue = Arc::clone(&queue);
            let thread = format!("ordercast-{}", name.as_str());
            threads.push(spawn(&thread, move || {
                if name == LaneName::List {
                    step_back();
                }
                while let Some((turn, job)) = queue.take() {
                    job(&mut reader);
                    queue.done(turn);
                }
            }));
        }
        let counts = Counts::new(name.as_str());
        Ok(Self {
            name,
            queue,
            counts,
        })
    }

    async fn read<T: Send + 'static>(
        &self,
        turn: Turn,
        query: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let (reply, answer) = oneshot::channel();
        let (counts, longest, queued) = (self.counts.clone(), self.name.longest(), Instant::now());
        let job: Job = Box::new(move |reader| {
            counts.waiting.decrement(1.0);
            // Nobody wants it any more.
            if reply.is_closed() {
                return;
            }
            let (begun, waited) = (Instant::now(), queued.elapsed());
            counts.waited.record(waited.as_secs_f64());
            let result = if waited > WAIT_MAX {
                Err(Failure::Overloaded)
            } else {
                reader.run(longest, query)
            };
            counts.lasted.record(begun.elapsed().as_secs_f64());
            counts.count(&result);
            let _ = reply.send(result);
        });
        self.counts.waiting.increment(1.0);
        if let Err(refused) = self.queue.push(turn, 1, job) {
            self.counts.waiting.decrement(1.0);
            self.counts.refused.increment(1);
            return Err(match refused {
                Refused::Full => Failure::Overloaded,
                Refused::Closed => Failure::Closed,
            });
        }
        answer.await.map_err(|_| Failure::Closed)?
    }
}

/// A connection whose statements end at a deadline.
#[derive(Debug)]
struct Reader {
    connection: Connection,
    /// Microseconds after `since`; [`NEVER`] between reads.
    deadline: Arc<AtomicU64>,
    since: Instant,
}

const NEVER: u64 = u64::MAX;

impl Reader {
    fn open(path: &Path, page_cache_bytes: usize) -> rusqlite::Result<Self> {
        let mut connection = open(path)?;
        let kib = i64::try_from(page_cache_bytes / 1024).unwrap_or(i64::MAX);
        connection.pragma_update(None, "cache_size", -kib.max(256))?;
        let (deadline, since) = (Arc::new(AtomicU64::new(NEVER)), Instant::now());
        let until = Arc::clone(&deadline);
        connection.progress_handler(
            STEPS,
            Some(move || {
                let until = until.load(Ordering::Relaxed);
                until != NEVER && micros(since.elapsed()) >= until
            }),
        )?;
        Ok(Self {
            connection,
            deadline,
            since,
        })
    }

    fn run<T>(
        &mut self,
        longest: Duration,
        query: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Failure> {
        let until = micros(self.since.elapsed() + longest);
        self.deadline.store(until, Ordering::Relaxed);
        let result = query(&mut self.connection);
        self.deadline.store(NEVER, Ordering::Relaxed);
        result.map_err(|error| match error.sqlite_error_code() {
            Some(ErrorCode::OperationInterrupted) => Failure::TooSlow,
            _ => writer::failure(&error),
        })
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(NEVER - 1)
}

/// Where cores are few, a long read waits for whoever answers buyers, and not they for it.
fn step_back() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(NICE) {
        tracing::debug!(%error, "reads of lists have the priority of all others");
    }
    #[cfg(not(target_os = "linux"))]
    let _ = NICE;
}

pub fn open(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    #[cfg_attr(not(test), expect(unused_mut, reason = "tests trace it"))]
    let mut connection = Connection::open_with_flags(path, flags)?;
    #[cfg(test)]
    super::plans::trace(&mut connection)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "cache_size", -1_024)?;
    connection.set_prepared_statement_cache_capacity(64);
    super::keep_plans(&connection)?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDLESS: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) \
         SELECT count(*) FROM n";

    fn number(connection: &mut Connection, sql: &str) -> rusqlite::Result<i64> {
        connection.query_row(sql, [], |row| row.get(0))
    }

    fn database() -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("store.db");
        let connection = Connection::open(&path).expect("open");
        connection
            .execute_batch("CREATE TABLE meta (name TEXT)")
            .expect("made");
        (folder, path)
    }

    #[test]
    fn a_read_that_lasts_too_long_is_given_up_and_the_next_one_is_not() {
        let (_folder, path) = database();
        let mut reader = Reader::open(&path, 1 << 20).expect("open");
        let endless = reader.run(Duration::ZERO, |connection| number(connection, ENDLESS));
        assert_eq!(endless, Err(Failure::TooSlow));
        let next = reader.run(SHORT_MAX, |connection| number(connection, "SELECT 1"));
        assert_eq!(next, Ok(1));
    }

    #[tokio::test]
    async fn lists_without_end_hold_up_no_other_lane_and_no_other_project() {
        let (_folder, path) = database();
        let (readers, _threads) = Readers::start(&path, 1 << 24).expect("started");
        let ask = |lane, turn, sql| readers.read(lane, turn, move |c| number(c, sql));
        let mut endless: Vec<_> = (0..16)
            .map(|_| Box::pin(ask(LaneName::List, 1, ENDLESS)))
            .collect();
        for read in &mut endless {
            // Asked for, and not waited for.
            let polled = futures_poll(read.as_mut());
            assert!(polled.is_pending());
        }
        for (lane, turn) in [
            (LaneName::Short, 1),
            (LaneName::Work, 0),
            (LaneName::List, 2),
        ] {
            assert_eq!(ask(lane, turn, "SELECT 1").await, Ok(1), "{lane:?}");
        }
        assert_eq!(readers.probe(), Ok(()));
    }

    fn futures_poll<F: Future>(future: std::pin::Pin<&mut F>) -> std::task::Poll<F::Output> {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        future.poll(&mut context)
    }
}
