//! The edges around the core: HTTP, realtime, provider inbox.
//!
//! [`Bound::open`] opens the store and binds the address, [`Bound::serve`] serves, [`Server::stop`]
//! drains.

pub mod auth;
pub mod capacity;
pub mod clock;
pub mod config;
pub mod delivery;
mod http;
pub mod inbox;
mod internal;
pub mod jobs;
mod keys;
pub mod outbound;
pub mod realtime;
mod seldom;
mod socket;
pub mod telemetry;
pub mod tls;

use auth::Auth;
use axum::Router;
use capacity::{Capacity, TooFewFiles};
use config::Config;
use delivery::{Dispatcher, sending::Sending};
use http::{App, Front, Listener, Reserved, Shutdown, Sockets, Times, measure::RequestLog};
use inbox::{Inbox, ask::Asker};
use internal::Internal;
use jobs::{ClockWatch, Jobs, Retention};
pub use keys::SecretsKeyError;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use ordercast_store::{Change, Failure, NewProject, OpenError, Outcome, Store, Submission};
use realtime::{Publisher, Realtime};
use std::{
    fmt, io,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Duration,
};
use tls::Secured;
use tokio::{sync::watch, task::JoinHandle};

/// The database's name in the data folder.
pub const DATABASE: &str = "ordercast.db";

/// Why a server did not start; each names what to change.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot use the data folder {path}: {source}")]
    DataDir { path: PathBuf, source: io::Error },
    #[error(transparent)]
    SecretsKey(#[from] SecretsKeyError),
    #[error(transparent)]
    KeyPair(#[from] tls::KeyPairError),
    #[error("TLS cannot be set up: {0}")]
    Tls(tokio_rustls::rustls::Error),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("cannot listen on {address}: {source}; choose another with --listen")]
    Listen {
        address: SocketAddr,
        source: io::Error,
    },
    #[error("cannot listen on internal_listen {address}: {source}; choose another address")]
    InternalListen {
        address: SocketAddr,
        source: io::Error,
    },
    #[error(transparent)]
    Files(#[from] TooFewFiles),
    #[error("cannot use webhook_certificates {path}: {why}")]
    WebhookCertificates { path: PathBuf, why: String },
    #[error("cannot read the projects: {0}")]
    Read(#[from] Failure),
}

/// What would keep a server with this configuration from starting, beside its port and its key pair.
/// Changes nothing, and may run beside a server.
#[must_use]
pub fn check_start(config: &Config) -> Vec<StartError> {
    let database = config.data_dir.join(DATABASE);
    let keys = keys::check(config, &database).map_err(StartError::from);
    let certificates = delivery::sending::check_certificates(config);
    [keys, certificates]
        .into_iter()
        .filter_map(Result::err)
        .collect()
}

/// A server with its store open and its port bound, that does not serve yet.
pub struct Bound {
    pub address: SocketAddr,
    /// Where metrics, health and the documentation are.
    pub internal_address: SocketAddr,
    /// The operator's key, given or made.
    pub root_key: String,
    pub database: PathBuf,
    listener: Listener,
    internal: Internal,
    times: Times,
    sockets: Arc<Sockets>,
    tls: Option<Secured>,
    app: App,
    realtime: Realtime,
    retention: Retention,
    request_log: RequestLog,
    shutdown: watch::Sender<Shutdown>,
}

/// Without the key.
impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bound")
            .field("address", &self.address)
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

impl Bound {
    /// # Errors
    /// [`StartError`] naming what to change.
    pub async fn open(config: Config) -> Result<Self, StartError> {
        let data_dir = |source| StartError::DataDir {
            path: config.data_dir.clone(),
            source,
        };
        // First: what is counted before it goes nowhere.
        let metrics = metrics();
        std::fs::create_dir_all(&config.data_dir).map_err(data_dir)?;
        let root_key = match &config.root_key {
            Some(key) => key.clone(),
            None => keys::read_or_create(&config.data_dir.join("root.key"), "oc_root_")
                .map_err(data_dir)?,
        };
        // First, so that a taken port leaves no new database behind.
        let listen = |source| StartError::Listen {
            address: config.listen,
            source,
        };
        let reserved = Reserved::take(config.listen).map_err(listen)?;
        let internal = Internal::bind(&config, reserved.address)
            .await
            .map_err(|source| StartError::InternalListen {
                address: config.internal_listen.unwrap_or(config.listen),
                source,
            })?;
        let capacity = Capacity::find(&config)?;
        let tls = config.tls_files().map(Secured::open).transpose()?;
        let database = config.data_dir.join(DATABASE);
        let seed = u64::from_le_bytes(clock::random());
        let publisher = Publisher::new(&config);
        let to_hub = publisher.clone();
        let vaults = keys::vaults(&config, &database)?;
        // An eighth is for verified tokens.
        let (cache, tokens) = (config.cache() / 8 * 7, config.cache() / 8);
        let store =
            Store::open_sealed(&database, clock::now(), seed, cache, vaults, move |batch| {
                to_hub.publish(batch);
            })?;
        let auth = Auth::new(
            store.clone(),
            &root_key,
            config.jwks_reach(),
            config.rates(),
            tokens,
        )
        .await?;
        let proxies = Arc::new(config.proxies());
        let realtime = Realtime::start(
            &config,
            capacity,
            Arc::clone(&proxies),
            publisher,
            store.clone(),
            auth.clone(),
        );
        let sending = Arc::new(Sending::open(&config, store.clone())?);
        let (shutdown, stopping) = watch::channel(Shutdown::NotYet);
        let app = App {
            store,
            auth,
            metrics,
            inbox: Arc::new(Inbox::new(Arc::new(Asker::new(Arc::clone(&sending))))),
            proxies,
            sending,
            stopping,
        };
        // Last: whoever connects is served.
        let listener = reserved.listen().map_err(listen)?;
        Ok(Self {
            address: listener.address,
            internal_address: internal.address,
            root_key,
            database,
            listener,
            internal,
            times: Times {
                head: Duration::from_secs(config.head_seconds.into()),
                idle: Duration::from_secs(config.idle_seconds.into()),
            },
            sockets: Sockets::new(capacity.sockets, capacity.of_address(&config)),
            tls,
            app,
            realtime,
            retention: Retention::from(&config),
            request_log: RequestLog::from(&config),
            shutdown,
        })
    }

    /// Makes a project with given keys unless its id is taken; whether it did.
    ///
    /// # Errors
    /// [`Failure`] when it could not be stored.
    pub async fn ensure_project(&self, new: NewProject) -> Result<bool, Failure> {
        let change = Change::CreateProject(Box::new(new));
        let submission = Submission {
            change,
            at: clock::now(),
            idempotency: None,
        };
        match self.app.store.submit(submission).await? {
            Outcome::Project(made) => {
                self.app.auth.reload(made.0.id).await?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Says in the log what the operator should know of the projects' keys.
    pub fn warn_of_keys(&self) {
        self.app.auth.warn_of_unbound_projects();
    }

    /// Serves, with `more` routes beside the server's own.
    #[must_use]
    pub fn serve(self, more: Router) -> Server {
        let store = self.app.store.clone();
        let internal_address = self.internal.address;
        let watched = ClockWatch::start(&self.app.store);
        let stopping = &self.app.stopping;
        let mut jobs = Jobs::start(&self.app.store, self.retention, &watched, stopping);
        jobs.add(telemetry::keep_measuring(self.app.stopping.clone()));
        jobs.add(telemetry::keep_counting(
            self.app.store.clone(),
            self.database.clone(),
            self.app.stopping.clone(),
        ));
        let dispatcher = Dispatcher::new(Arc::clone(&self.app.sending));
        jobs.add(dispatcher.run(self.app.stopping.clone()));
        jobs.add(jobs::keep_sweeping(
            self.app.store.clone(),
            Arc::clone(&self.app.inbox.asker),
            self.app.auth.clone(),
            watched,
            self.app.stopping.clone(),
        ));
        jobs.add(
            self.internal
                .serve(self.app.clone(), self.app.stopping.clone()),
        );
        let router = http::router(self.app.clone())
            .merge(self.realtime.router())
            .merge(more);
        let router = http::finish(router, self.request_log);
        let front = Front {
            websockets: self.realtime.websockets(),
            router,
            tls: self.tls.map(|tls| tls.start(self.shutdown.subscribe())),
            times: self.times,
            sockets: self.sockets,
            app: self.app,
        };
        let serving = tokio::spawn(self.listener.serve(front));
        Server {
            internal_address,
            store,
            shutdown: self.shutdown,
            serving,
            realtime: self.realtime,
            jobs,
        }
    }
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    internal_address: SocketAddr,
    store: Store,
    shutdown: watch::Sender<Shutdown>,
    serving: JoinHandle<()>,
    realtime: Realtime,
    jobs: Jobs,
}

impl Server {
    /// Where metrics, health and the documentation are.
    #[must_use]
    pub const fn internal_address(&self) -> SocketAddr {
        self.internal_address
    }

    /// Returns when the database has failed: every change is refused from then on, and the process
    /// must end.
    pub async fn failed(&self) {
        self.store.failed().await;
    }

    /// Closes the realtime connections, spread over `drain`, lets running requests end, and closes
    /// the database.
    pub async fn stop(self, drain: Duration) {
        self.stop_after(drain, Duration::ZERO).await;
    }

    /// As [`stop`](Self::stop), but HTTP is answered until `grace` after the whole of `drain`, however
    /// soon the last realtime connection is gone: its client polls at once, and some give an order up
    /// when they meet a closed port.
    pub async fn stop_after(self, drain: Duration, grace: Duration) {
        let end = tokio::time::Instant::now() + drain + grace;
        self.realtime.drain(drain).await;
        if !grace.is_zero() {
            tokio::time::sleep_until(end).await;
        }
        self.shutdown.send_replace(Shutdown::Now);
        let _ = self.serving.await;
        self.jobs.stopped().await;
    }
}

/// Seconds; from a read out of memory to a client that gives up.
const BUCKETS: [f64; 10] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0,
];
const UPKEEP: Duration = Duration::from_secs(5);

/// Metrics are of the process: two servers in one show the same.
static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();

fn metrics() -> PrometheusHandle {
    METRICS.get_or_init(install_metrics).clone()
}

fn install_metrics() -> PrometheusHandle {
    let builder = || match PrometheusBuilder::new().set_buckets(&BUCKETS) {
        Ok(builder) => builder,
        // Only for an empty list.
        Err(_) => PrometheusBuilder::new(),
    };
    let handle = match builder().install_recorder() {
        Ok(handle) => handle,
        // Somebody else's recorder is installed: ours would see nothing, but it can be rendered.
        Err(_) => return builder().build_recorder().handle(),
    };
    telemetry::register();
    // Samples are kept until somebody sorts them into their buckets.
    let upkeep = handle.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP).await;
            upkeep.run_upkeep();
        }
    });
    handle
}
