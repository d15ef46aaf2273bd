//! Work that the clock starts. Each job is a function of the store and the time, in a file of its
//! own; this file only says when.

mod expiry;
mod parked;
mod retention;
mod sweeper;

pub use expiry::expire;
pub use parked::{expire_parked, report_parked};
pub use retention::{Retention, prune};
pub use sweeper::sweep;

use crate::{
    auth::Auth,
    clock,
    http::{Shutdown, requested},
    inbox::ask::{self, Asker},
};
use ordercast_store::{Failure, Store};
use std::{sync::Arc, time::Duration};
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

/// The running jobs; they end when the server stops.
#[derive(Debug)]
pub(crate) struct Jobs(JoinSet<()>);

impl Jobs {
    pub(crate) fn start(
        store: &Store,
        retention: Retention,
        stopping: &watch::Receiver<Shutdown>,
    ) -> Self {
        let mut tasks = JoinSet::new();
        let expiring = store.clone();
        tasks.spawn(every(
            EXPIRY_EVERY,
            EXPIRY_EVERY,
            stopping.clone(),
            "expiry",
            async move || expire(&expiring, clock::now()).await,
        ));
        let parked = store.clone();
        tasks.spawn(every(
            RETENTION_FIRST,
            PARKED_EVERY,
            stopping.clone(),
            "parked",
            async move || report_parked(&parked, clock::now()).await.map(|_| 0),
        ));
        let expired = store.clone();
        tasks.spawn(every(
            RETENTION_FIRST,
            RETENTION_EVERY,
            stopping.clone(),
            "parked_end",
            async move || expire_parked(&expired, clock::now(), retention.parked_days).await,
        ));
        let pruned = store.clone();
        tasks.spawn(every(
            RETENTION_FIRST,
            RETENTION_EVERY,
            stopping.clone(),
            "retention",
            async move || prune(&pruned, clock::now(), retention).await,
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
        let now = clock::now();
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
    name: &'static str,
    job: impl AsyncFn() -> Result<usize, Failure>,
) {
    let mut wait = first;
    loop {
        tokio::select! {
            () = requested(&mut stopping) => return,
            () = tokio::time::sleep(wait) => {}
        }
        wait = then;
        // It may be cut at any point: each change of a job stands by itself.
        let done = tokio::select! {
            () = requested(&mut stopping) => return,
            done = job() => done,
        };
        match done {
            Ok(0) => {}
            Ok(count) => tracing::info!(job = name, count, "job done"),
            // The next round tries again.
            Err(error) => tracing::error!(job = name, %error, "job failed"),
        }
    }
}
