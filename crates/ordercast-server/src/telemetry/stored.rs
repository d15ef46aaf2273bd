//! Figures of what is stored: read at intervals, because nobody's request brings them along.

use crate::{
    clock,
    http::{Shutdown, requested},
};
use metrics::gauge;
use ordercast_store::Store;
use std::{path::PathBuf, time::Duration};
use tokio::sync::watch;

const INTERVAL: Duration = Duration::from_secs(15);

/// Until the server stops.
pub async fn keep_counting(
    store: Store,
    database: PathBuf,
    mut stopping: watch::Receiver<Shutdown>,
) {
    let mut clock_jumps = ClockJumps::begin();
    loop {
        count(&store, &database).await;
        clock_jumps.look();
        tokio::select! {
            () = tokio::time::sleep(INTERVAL) => {}
            () = requested(&mut stopping) => return,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "metrics are floating point")]
async fn count(store: &Store, database: &std::path::Path) {
    match store.backlog().await {
        Ok(backlog) => {
            gauge!("ordercast_deliveries_pending").set(backlog.deliveries_pending);
            gauge!("ordercast_deliveries_dead").set(backlog.deliveries_dead);
            gauge!("ordercast_events_unacknowledged").set(backlog.events_unacknowledged);
            gauge!("ordercast_endpoints_disabled").set(backlog.endpoints_disabled);
            let overdue = backlog
                .oldest_due_at
                .map_or(0, |due| clock::now().millis() - due.millis());
            gauge!("ordercast_delivery_overdue_seconds").set(overdue.max(0) as f64 / 1000.0);
        }
        // A reader that is busy answers the next time.
        Err(error) => tracing::debug!(%error, "the backlog was not counted"),
    }
    if let Ok(file) = std::fs::metadata(database) {
        gauge!("ordercast_database_bytes").set(file.len() as f64);
    }
    let folder = database.parent().unwrap_or(database);
    if let Ok(disk) = rustix::fs::statvfs(folder) {
        gauge!("ordercast_disk_free_bytes").set((disk.f_bavail * disk.f_frsize) as f64);
    }
}

/// Notices when the wall clock was set: it and the monotonic clock must go on together.
struct ClockJumps {
    wall: ordercast_core::Timestamp,
    monotonic: std::time::Instant,
}

/// NTP slews by less than this in an interval.
const JUMP: Duration = Duration::from_secs(5);

impl ClockJumps {
    fn begin() -> Self {
        Self {
            wall: clock::now(),
            monotonic: clock::monotonic(),
        }
    }

    fn look(&mut self) {
        let now = Self::begin();
        let by_wall = now.wall.millis() - self.wall.millis();
        let passed = now.monotonic.duration_since(self.monotonic).as_millis();
        let apart = by_wall - i64::try_from(passed).unwrap_or(i64::MAX);
        if apart.unsigned_abs() > JUMP.as_millis().try_into().unwrap_or(u64::MAX) {
            metrics::counter!("ordercast_clock_jumps_total").increment(1);
            tracing::warn!(by_ms = apart, "the clock of this machine was set");
        }
        *self = now;
    }
}
