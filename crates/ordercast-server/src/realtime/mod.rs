//! Realtime: one connection per buyer, in the Centrifuge protocol, over the transports that get
//! through to it.
//!
//! Invariant: a publication reaches a client only after its commit, and in the channel's order. The
//! store's writer publishes through [`Realtime::publish`]; everything else starts at a
//! transport's route: `upgrade`, `http_stream`, `sse` with `emulation`, `uni_sse`, `uni_http_stream`.

mod connection;
mod cors;
mod door;
mod emulation;
mod form;
pub mod frame;
mod http_stream;
mod hub;
mod origin;
mod peer;
mod registry;
mod socket;
mod sse;
mod streaming;
mod uni_http_stream;
mod uni_sse;
mod upgrade;
mod wheel;
mod work;

pub use upgrade::WebSockets;

use crate::{auth::Auth, config::Config};
use axum::{
    Router, middleware,
    routing::{get, options},
};
use door::Admission;
use hub::Hub;
use ipnet::IpNet;
use metrics::{describe_counter, describe_gauge};
use ordercast_core::{Timestamp, session::SessionConfig};
use ordercast_store::{Committed, Store};
use peer::Outbound;
use registry::Registry;
pub use registry::network;
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

/// What waits for all clients together (guarantees, I29).
const OUTBOUND_BYTES_MAX: usize = 256 * 1024 * 1024;

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
    session: Arc<SessionConfig>,
    /// Of clients that cannot answer.
    one_way: Arc<SessionConfig>,
    admission: Admission,
    outbound: Arc<Outbound>,
    trusted_proxies: Vec<IpNet>,
    /// Names this process to clients, who send it back.
    node: String,
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
        let connections = connections_max(config.connections);
        let registry = Arc::new(Registry::new(connections, config.connections_per_ip));
        let wheel = Arc::new(Wheel::new(clock));
        let wheel_task = tokio::spawn(Arc::clone(&wheel).run(Arc::clone(&registry)));
        let session = SessionConfig {
            ping_interval: Duration::from_secs(config.ping_seconds.into()),
            lifetime: Duration::from_secs(config.connection_lifetime_seconds.into()),
            pong_timeout: Some(Duration::from_secs(config.ping_seconds.min(10).into())),
            ..SessionConfig::default()
        };
        let shared = Arc::new(Shared {
            hub: publisher.0,
            registry,
            wheel,
            store,
            auth,
            clock,
            one_way: Arc::new(SessionConfig {
                pong_timeout: None,
                failure_delay: Duration::ZERO,
                ..session
            }),
            session: Arc::new(session),
            admission: Admission::new(config.connects_per_second, config.connect_burst),
            outbound: Arc::new(Outbound::new(OUTBOUND_BYTES_MAX)),
            trusted_proxies: config.trusted_proxies.clone(),
            node: data_encoding::HEXLOWER.encode(&crate::clock::random::<16>()),
            allowed_origins: config.allowed_origins.clone(),
            draining: AtomicBool::new(false),
        });
        Self { shared, wheel_task }
    }

    pub fn websockets(&self) -> WebSockets {
        WebSockets(Arc::clone(&self.shared))
    }

    pub fn router(&self) -> Router {
        let preflight = || options(cors::preflight);
        let over_http = Router::new()
            .route(
                "/connection/http_stream",
                preflight().post(http_stream::post),
            )
            .route("/connection/sse", preflight().get(sse::get).post(sse::post))
            .route(
                "/connection/uni_sse",
                preflight().get(uni_sse::get).post(uni_sse::post),
            )
            .route(
                "/connection/uni_http_stream",
                preflight().post(uni_http_stream::post),
            )
            .route("/emulation", preflight().post(emulation::post))
            .route_layer(middleware::from_fn_with_state(
                Arc::clone(&self.shared),
                cors::guard,
            ));
        Router::new()
            .route(upgrade::WEBSOCKET, get(upgrade::websocket))
            .route("/connection/uni_websocket", get(upgrade::uni_websocket))
            .merge(over_http)
            .with_state(Arc::clone(&self.shared))
    }

    /// Lets nobody in any more and closes every connection with 3001, spread over `window`.
    pub async fn drain(self, window: Duration) {
        self.shared.draining.store(true, Ordering::Relaxed);
        // Whoever is not among them yet sees the flag when they join.
        let peers = self.shared.registry.all();
        let started = tokio::time::Instant::now();
        for (at, peer) in peers.iter().enumerate() {
            tokio::time::sleep_until(started + turn(window, at, peers.len())).await;
            peer.with(|session, _, out| session.on_shutdown(out));
        }
        drop(peers);
        let _ = tokio::time::timeout(DRAIN_GRACE, self.shared.registry.empty()).await;
        self.wheel_task.abort();
    }
}

/// When the `at`th of `count` has its turn in the window. From its start, not from the one before: timers
/// are a millisecond late, and thousands of them would add up to many times the window.
fn turn(window: Duration, at: usize, count: usize) -> Duration {
    let count = u32::try_from(count.max(1)).unwrap_or(u32::MAX);
    (window * u32::try_from(at).unwrap_or(u32::MAX)) / count
}

/// Raises the limit of open files as far as it goes; a tenth is left for the database and for HTTP.
/// `wanted`: the operator's own bound.
fn connections_max(wanted: Option<usize>) -> usize {
    let files = match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(files) => files,
        Err(error) => {
            tracing::warn!(%error, "the limit of open files could not be raised");
            1_024
        }
    };
    let possible = usize::try_from(files / 10 * 9).unwrap_or(usize::MAX);
    let connections = wanted.unwrap_or(possible);
    if connections > possible {
        tracing::warn!(
            connections,
            possible,
            "the setting connections is above what the limit of open files allows"
        );
    }
    tracing::info!(
        files,
        connections,
        "open files and realtime connections at most"
    );
    connections
}

fn describe() {
    describe_gauge!("ordercast_connections", "Open realtime connections");
    describe_gauge!(
        "ordercast_outbound_bytes",
        "Bytes that wait for clients to read, at most 256 MiB"
    );
    describe_counter!(
        "ordercast_connections_refused_total",
        "Connections not let in, by why"
    );
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drain_takes_its_window_however_many_there_are() {
        let window = Duration::from_secs(5);
        for count in [1, 2, 3, 20_000, 1_000_000] {
            let turns: Vec<_> = (0..count).map(|at| turn(window, at, count)).collect();
            assert_eq!(turns.first(), Some(&Duration::ZERO));
            assert!(turns.is_sorted());
            assert!(turns.iter().all(|turn| *turn < window), "{count}");
        }
        assert_eq!(turn(window, 1, 2), window / 2);
        assert_eq!(turn(Duration::ZERO, 7, 9), Duration::ZERO);
    }
}
