//! Work that the clock starts. Each job is a function of the store and the time, in a file of its
//! own; this file only says when.

mod expiry;
mod parked;
mod retention;
mod steadiness;
mod sweeper;

pub use expiry::expire;
pub use parked::{expire_parked, report_parked};
pub use retention::{Retention, prune, prune_by};
pub use steadiness::{Clock, STEP_MIN, Steadiness, WAIT_MAX};
pub use sweeper::sweep;

use crate::{
    auth::Auth,
    clock,
    http::{Shutdown, requested},
    inbox::ask::{self, Asker},
};
use metrics::{counter, gauge};
use ordercast_core::Timestamp;
use ordercast_store::{Failure, Store};
use parking_lot::Mutex;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{sync::watch, task::JoinSet};

/// How late an order may be seen to have expired.
const EXPIRY_EVERY: Duration = Duration::from_secs(5);
const RETENTION_EVERY: Duration = Duration::from_secs(3600);
/// A server that has just started has better things to do.
const RETENTION_FIRST: Duration = Duration::from_secs(60);

/// An alarm that lasts is repeated so often.
const PARKED_EVERY: Duration = Duration::from_secs(10 * 60);

/// How late an open order may be asked about.
const SWEEP_EVERY: Duration = Duration::from_secs(30);
/// The longest time after which an order is asked about.
const SWEEP_BACK: Duration = Duration::from_secs(3 * 24 * 3600);

/// How often a clock that jobs wait for is spoken of.
const DOUBT_SAID_EVERY: Duration = Duration::from_secs(60);
/// How often it is written down that the clock is steady.
const STEADY_NOTED_EVERY: Duration = Duration::from_secs(10);

/// What the jobs know of the clock, all of them the same.
#[derive(Clone, Debug)]
pub(crate) struct ClockWatch(Arc<Mutex<Watched>>);

#[derive(Debug)]
struct Watched {
    store: Store,
    started: Instant,
    steadiness: Steadiness,
    noted: Option<Instant>,
    said: Option<Instant>,
}

impl ClockWatch {
    pub(crate) fn start(store: &Store) -> Self {
        let steadiness = Steadiness::new(store.steady_time(), Duration::ZERO, clock::now());
        gauge!("ordercast_clock_doubt_seconds").set(0);
        counter!("ordercast_clock_steps_total").increment(0);
        Self(Arc::new(Mutex::new(Watched {
            store: store.clone(),
            started: clock::monotonic(),
            steadiness,
            noted: None,
            said: None,
        })))
    }

    /// The time, if jobs may go by it.
    pub(crate) fn now(&self) -> Option<Timestamp> {
        self.0.lock().look(clock::now(), clock::monotonic())
    }
}

impl Watched {
    fn look(&mut self, now: Timestamp, here: Instant) -> Option<Timestamp> {
        let since = |then: Option<Instant>| then.map(|then| here.saturating_duration_since(then));
        let passed = here.saturating_duration_since(self.started);
        match self.steadiness.look(now, passed) {
            Clock::Steady => {
                if self.said.take().is_some() {
                    tracing::info!("the clock is believed again: jobs go on");
                    gauge!("ordercast_clock_doubt_seconds").set(0);
                }
                let elapsed = since(self.noted);
                if elapsed.is_none_or(|elapsed| elapsed >= STEADY_NOTED_EVERY) {
                    self.noted = Some(here);
                    let elapsed = elapsed.unwrap_or_default().min(DOUBT_SAID_EVERY);
                    self.store.note_steady(now, elapsed);
                }
                Some(now)
            }
            Clock::Doubtful { step, wait } => {
                if self.said.is_none() {
                    counter!("ordercast_clock_steps_total").increment(1);
                }
                gauge!("ordercast_clock_doubt_seconds").set(wait.as_secs_f64());
                if since(self.said).is_none_or(|elapsed| elapsed >= DOUBT_SAID_EVERY) {
                    self.said = Some(here);
                    tracing::warn!(
                        step_seconds = step / 1_000,
                        wait_seconds = wait.as_secs(),
                        "the clock is far from where it was: no order expires and nothing is deleted \
                         by age until it is put right, or has stayed there for so long"
                    );
                }
                None
            }
        }
    }
}

/// The running jobs; they end when the server stops.
#[derive(Debug)]
pub(crate) struct Jobs(JoinSet<()>);

impl Jobs {
    pub(crate) fn start(
        store: &Store,
        retention: Retention,
        watched: &ClockWatch,
        stopping: &watch::Receiver<Shutdown>,
    ) -> Self {
        let mut tasks = JoinSet::new();
        let expiring = store.clone();
        tasks.spawn(every(
            EXPIRY_EVERY,
            EXPIRY_EVERY,
            stopping.clone(),
            watched.clone(),
            "expiry",
            async move |now| expire(&expiring, now).await,
        ));
        let parked = store.clone();
        tasks.spawn(every(
            RETENTION_FIRST,
            PARKED_EVERY,
            stopping.clone(),
            watched.clone(),
            "parked",
            async move |now| report_parked(&parked, now).await.map(|_| 0),
        ));
        let expired = store.clone();
        tasks.spawn(every(
            RETENTION_FIRST,
            RETENTION_EVERY,
            stopping.clone(),
            watched.clone(),
            "parked_end",
            async move |now| {
                // What waits guards money, too.
                let by = expired.guard_time().min(now);
                expire_parked(&expired, by, retention.parked_days).await
            },
        ));
        let pruned = store.clone();
        tasks.spawn(every(
            RETENTION_FIRST,
            RETENTION_EVERY,
            stopping.clone(),
            watched.clone(),
            "retention",
            async move |now| prune_by(&pruned, (now, pruned.guard_time()), retention).await,
        ));
        Self(tasks)
    }

    /// Another one, that sees itself to when it works.
    pub(crate) fn add(&mut self, job: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(job);
    }

    /// Returns when the last job has let go of the store.
    pub(crate) async fn stopped(self) {
        self.0.join_all().await;
    }
}

/// Asks providers about open orders. After a start, once about each that could have been missed.
pub(crate) async fn keep_sweeping(
    store: Store,
    asker: Arc<Asker>,
    auth: Auth,
    watched: ClockWatch,
    mut stopping: watch::Receiver<Shutdown>,
) {
    let mut since = clock::now().minus(SWEEP_BACK);
    loop {
        tokio::select! {
            () = requested(&mut stopping) => return,
            () = tokio::time::sleep(SWEEP_EVERY) => {}
        }
        let readers: Vec<_> = auth
            .registry()
            .sources()
            .filter_map(|source| Some((source.clone(), ask::reader(&asker, source)?)))
            .collect();
        if readers.is_empty() {
            continue;
        }
        let Some(now) = watched.now() else {
            continue;
        };
        let swept = tokio::select! {
            () = requested(&mut stopping) => return,
            swept = sweep(&store, &readers, since, now) => swept,
        };
        match swept {
            Ok(changed) => {
                since = now;
                if changed > 0 {
                    tracing::info!(changed, "open orders were paid without a webhook");
                }
            }
            Err(error) => tracing::error!(%error, "open orders were not swept"),
        }
    }
}

async fn every(
    first: Duration,
    then: Duration,
    mut stopping: watch::Receiver<Shutdown>,
    watched: ClockWatch,
    name: &'static str,
    job: impl AsyncFn(Timestamp) -> Result<usize, Failure>,
) {
    let mut wait = first;
    loop {
        tokio::select! {
            () = requested(&mut stopping) => return,
            () = tokio::time::sleep(wait) => {}
        }
        let Some(now) = watched.now() else {
            // What was not done now is done soon after the clock is right.
            wait = then.min(RETENTION_FIRST);
            continue;
        };
        wait = then;
        // It may be cut at any point: each change of a job stands by itself.
        let done = tokio::select! {
            () = requested(&mut stopping) => return,
            done = job(now) => done,
        };
        match done {
            Ok(0) => {}
            Ok(count) => tracing::info!(job = name, count, "job done"),
            // The next round tries again.
            Err(error) => tracing::error!(job = name, %error, "job failed"),
        }
    }
}
