//! Realtime: one connection per buyer, in the Centrifuge protocol, over the transports that get
//! through to it.
//!
//! Invariant: a publication reaches a client only after its commit, and in the channel's order. The
//! store's writer publishes through [`Realtime::publish`]; everything else starts at a
//! transport's route: `upgrade`, `http_stream`, `sse` with `emulation`, `uni_sse`, `uni_http_stream`.

mod bucket;
mod budget;
mod connection;
mod cors;
mod door;
mod emulation;
mod form;
pub mod frame;
mod http_stream;
mod hub;
pub mod origin;
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

pub use registry::network;
pub use upgrade::WebSockets;

use crate::{auth::Auth, capacity::Capacity, config::Config, http::client_address::Proxies};
use axum::{
    Router, middleware,
    routing::{get, options},
};
use bucket::Rate;
use budget::Budget;
use hub::Hub;
use ordercast_core::{Timestamp, session::SessionConfig};
use ordercast_store::{Committed, Store};
use origin::Origins;
use registry::{Admission, Registry};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{sync::Semaphore, task::JoinHandle};
use wheel::Wheel;

/// After the last close frame, for clients to answer theirs.
const DRAIN_GRACE: Duration = Duration::from_secs(3);

/// WebSockets at once that are told to come again; beyond them, 503. Each has its socket for as long as
/// its client takes to close it, two seconds at most.
const TURNED_AWAY_MAX: usize = 1_000;
/// Of an address, as many times the connections that it may have: all of them may come back at once,
/// and again and again while a network is bad.
const BURST_PER_CONNECTION: u32 = 16;

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
    budget: Arc<Budget>,
    proxies: Arc<Proxies>,
    /// Names this process to clients, who send it back.
    node: String,
    origins: Origins,
    turned_away: Arc<Semaphore>,
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
    pub fn start(
        config: &Config,
        capacity: Capacity,
        proxies: Arc<Proxies>,
        publisher: Publisher,
        store: Store,
        auth: Auth,
    ) -> Self {
        let clock = Clock::start();
        let per_address = config.connections_per_ip;
        let own = u32::try_from(per_address).unwrap_or(u32::MAX);
        let rate_per_address = Rate::new(
            config.connects_per_second_per_ip.unwrap_or(own),
            own.saturating_mul(BURST_PER_CONNECTION),
        );
        let registry = Arc::new(Registry::new(Admission {
            connections: capacity.realtime,
            per_address,
            rate: Rate::new(config.connects_per_second, config.connect_burst),
            rate_per_address,
        }));
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
            budget: Budget::new(budget::BYTES_MAX),
            proxies,
            node: data_encoding::HEXLOWER.encode(&crate::clock::random::<16>()),
            origins: Origins::new(config.allowed_origins.clone()),
            turned_away: Arc::new(Semaphore::new(TURNED_AWAY_MAX)),
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
