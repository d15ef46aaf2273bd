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
    loop {
        count(&store, &database).await;
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
