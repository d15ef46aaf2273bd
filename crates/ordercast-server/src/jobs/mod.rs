//! Work that the clock starts. Each job is a function of the store and the time, in a file of its
//! own; this file only says when.

mod expiry;
mod retention;

pub use expiry::expire;
pub use retention::{Retention, prune};

use crate::{
    clock,
    http::{Shutdown, requested},
};
use ordercast_store::{Failure, Store};
use std::time::Duration;
use tokio::{sync::watch, task::JoinSet};

/// How late an order may be seen to have expired.
const EXPIRY_EVERY: Duration = Duration::from_secs(5);
const RETENTION_EVERY: Duration = Duration::from_secs(3600);
/// A server that has just started has better things to do.
const RETENTION_FIRST: Duration = Duration::from_secs(60);

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
