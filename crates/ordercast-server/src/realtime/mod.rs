//! Realtime: one WebSocket per buyer, in the Centrifuge protocol.
//!
//! Invariant: a publication reaches a client only after its commit, and in the channel's order. The
//! store's writer publishes through [`Realtime::publish`]; everything else starts at the upgrade.

mod connection;
pub mod frame;
mod hub;
mod origin;
mod peer;
mod registry;
mod upgrade;
mod wheel;

use crate::{auth::Auth, config::Config};
use axum::{Router, routing::get};
use hub::Hub;
use metrics::{describe_counter, describe_gauge};
use ordercast_core::{Timestamp, session::SessionConfig};
use ordercast_store::{Committed, Store};
use registry::Registry;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::task::JoinHandle;
use wheel::Wheel;

/// After the last close frame, for clients to answer theirs.
const DRAIN_GRACE: Duration = Duration::from_secs(3);

/// Monotonic time since the start, and the time of day.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
}

impl Clock {
    fn start() -> Self {
        Self {
            started: crate::clock::monotonic(),
        }
    }

    pub fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }

    pub fn time(&self) -> Timestamp {
        crate::clock::now()
    }
}

/// What all connections share.
#[derive(Debug)]
pub struct Shared {
    hub: Arc<Hub>,
    registry: Arc<Registry>,
    wheel: Arc<Wheel>,
    store: Store,
    auth: Auth,
    clock: Clock,
    session: SessionConfig,
    allowed_origins: Vec<String>,
    draining: AtomicBool,
}

#[derive(Debug)]
pub struct Realtime {
    shared: Arc<Shared>,
    wheel_task: JoinHandle<()>,
}

/// Where the store's writer publishes. Made before the store, because the store needs it to open.
#[derive(Clone, Debug)]
pub struct Publisher(Arc<Hub>);

impl Publisher {
    pub fn new(config: &Config) -> Self {
        Self(Arc::new(Hub::new(config.connections_per_user)))
    }

    /// In commit order, from any thread.
    pub fn publish(&self, committed: &[Committed]) {
        self.0.publish(committed);
    }
}

impl Realtime {
    pub fn start(config: &Config, publisher: Publisher, store: Store, auth: Auth) -> Self {
        describe();
        let clock = Clock::start();
        let connections = config.connections.unwrap_or_else(connections_max);
        let registry = Arc::new(Registry::new(connections, config.connections_per_ip));
        let wheel = Arc::new(Wheel::new(clock));
        let wheel_task = tokio::spawn(Arc::clone(&wheel).run(Arc::clone(&registry)));
        let shared = Arc::new(Shared {
            hub: publisher.0,
            registry,
            wheel,
            store,
            auth,
            clock,
            session: SessionConfig {
                ping_interval: Duration::from_secs(config.ping_seconds.into()),
                lifetime: Duration::from_secs(config.connection_lifetime_seconds.into()),
                pong_timeout: Duration::from_secs(config.ping_seconds.min(10).into()),
                ..SessionConfig::default()
            },
            allowed_origins: config.allowed_origins.clone(),
            draining: AtomicBool::new(false),
        });
        Self { shared, wheel_task }
    }

    pub fn router(&self) -> Router {
        Router::new()
            .route("/connection/websocket", get(upgrade::websocket))
            .with_state(Arc::clone(&self.shared))
    }

    /// Lets nobody in any more and closes every connection with 3001, spread over `window`.
    pub async fn drain(self, window: Duration) {
        self.shared.draining.store(true, Ordering::Relaxed);
        let peers = self.shared.registry.all();
        let pause = window / u32::try_from(peers.len().max(1)).unwrap_or(u32::MAX);
        for peer in peers {
            peer.with(|session, _, out| session.on_shutdown(out));
            tokio::time::sleep(pause).await;
        }
        // Those that came in while the others were closed.
        for peer in self.shared.registry.all() {
            peer.with(|session, _, out| session.on_shutdown(out));
        }
        let _ = tokio::time::timeout(DRAIN_GRACE, self.shared.registry.empty()).await;
        self.wheel_task.abort();
    }
}

/// Raises the limit of open files as far as it goes; a tenth is left for the database and for HTTP.
fn connections_max() -> usize {
    let files = match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(files) => files,
        Err(error) => {
            tracing::warn!(%error, "the limit of open files could not be raised");
            1_024
        }
    };
    let connections = usize::try_from(files / 10 * 9).unwrap_or(usize::MAX);
    tracing::info!(
        files,
        connections,
        "open files and realtime connections at most"
    );
    connections
}

fn describe() {
    describe_gauge!("ordercast_connections", "Open realtime connections");
    describe_counter!("ordercast_connects_total", "Connect commands by result");
    describe_counter!(
        "ordercast_closes_total",
        "Connections closed by the server, by code"
    );
    describe_counter!("ordercast_publications_total", "Committed publications");
    describe_counter!(
        "ordercast_publications_sent_total",
        "Publications written to connections"
    );
}
