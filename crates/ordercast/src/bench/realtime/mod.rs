//! `ordercast bench realtime`. How each figure is made stands in bench/README.md.

mod buyer;
mod crowd;
mod latency;
mod load;
mod reconnect;

use super::{
    progress,
    report::{Figure, print},
    server::{JWT_SECRET, Server},
};
use anyhow::{Context, bail, ensure};
use buyer::{Auth, Target};
use clap::{Args, ValueEnum};
use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

const AFTER_HELP: &str = "\
Without --url it starts a server of its own on the first core and generates load on the last one.
With --url it loads any server that speaks the Centrifuge protocol; what needs to publish is left out.

A process may have 20,000 files: for more connections start several generators, each with source
addresses of its own.

Examples:
  ordercast bench realtime
  ordercast bench realtime --only idle --connections 6000 --json
  ordercast bench realtime --url ws://127.0.0.1:8000/connection/websocket --token eyJ... --channel 'news:{n}' --pid 4242";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct RealtimeArgs {
    /// Server to load; without it, one of our own
    #[arg(long, value_name = "WS-URL")]
    url: Option<String>,
    /// Connection token that all connections show
    #[arg(long, requires = "url", conflicts_with_all = ["secret", "project"])]
    token: Option<String>,
    /// HS256 secret: each connection shows a user JWT of its own, in connect data
    #[arg(long, requires_all = ["url", "project"])]
    secret: Option<String>,
    /// Project id of the connect data
    #[arg(long, requires = "secret")]
    project: Option<u64>,
    /// Channel that each connection subscribes to, {n} being its number; without it the server
    /// subscribes them
    #[arg(long, requires = "url")]
    channel: Option<String>,
    /// Process of the server, to measure its memory and time
    #[arg(long, requires = "url")]
    pid: Option<u32>,
    /// Connections of the measurements of idle buyers and of reconnecting
    #[arg(long, default_value_t = 15_000)]
    connections: usize,
    /// Addresses of this machine to connect from, in turn
    #[arg(long, value_delimiter = ',')]
    source_addresses: Vec<IpAddr>,
    /// Seconds for which idle connections are watched; two pings or more
    #[arg(long, default_value_t = 55)]
    idle_seconds: u64,
    /// Seconds of each other measurement
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Changes per second while latency is measured
    #[arg(long, default_value_t = 1_000)]
    rate: u32,
    /// Times that each measurement is made; the median is given
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Measure this alone
    #[arg(long, value_enum)]
    only: Option<Part>,
    /// Where to make the folders of the databases
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Memory and time of connected buyers to whom nothing happens
    Idle,
    /// Connect, history, close, over and over
    Churn,
    /// From a change that is posted to its frame, at a steady rate
    Latency,
    /// As many changes as can be
    Burst,
    /// All connections broken at once, all back with recovery
    Reconnect,
}

impl Part {
    const ALL: [Self; 5] = [
        Self::Idle,
        Self::Churn,
        Self::Latency,
        Self::Burst,
        Self::Reconnect,
    ];

    /// What only works where changes can be made.
    const fn publishes(self) -> bool {
        match self {
            Self::Idle | Self::Churn => false,
            Self::Latency | Self::Burst | Self::Reconnect => true,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle buyers",
            Self::Churn => "churn",
            Self::Latency => "latency",
            Self::Burst => "burst",
            Self::Reconnect => "reconnect",
        }
    }
}

/// A server to load: its own of every run, or the one that was named.
struct Scene {
    target: Target,
    pid: Option<u32>,
    own: Option<Server>,
    /// Of the disk below the own server's database, microseconds.
    sync_micros: f64,
    _folder: Option<tempfile::TempDir>,
}

impl Scene {
    async fn open(args: &RealtimeArgs) -> anyhow::Result<Self> {
        let sources = args.source_addresses.clone();
        if let Some(url) = &args.url {
            let auth = match (&args.token, &args.secret, args.project) {
                (Some(token), _, _) => Auth::Token(token.clone()),
                (None, Some(secret), Some(project)) => Auth::Data {
                    project,
                    secret: secret.clone(),
                },
                _ => Auth::Anonymous,
            };
            let target = Target {
                address: resolve(url).await?,
                url: url.clone(),
                sources,
                auth,
                channel: args.channel.clone(),
            };
            return Ok(Self {
                target,
                pid: args.pid,
                own: None,
                sync_micros: f64::NAN,
                _folder: None,
            });
        }
        let folder = super::folder(args.folder.as_deref())?;
        let sync_micros = super::sync_micros(folder.path())?;
        let cores = std::thread::available_parallelism()?.get();
        let server = Server::start_apart(&folder.path().join("data"), cores).await?;
        let target = Target {
            address: server.address,
            url: format!("ws://{}/connection/websocket", server.address),
            sources,
            auth: Auth::Data {
                project: server.project,
                secret: JWT_SECRET.to_owned(),
            },
            channel: None,
        };
        Ok(Self {
            target,
            pid: Some(server.pid()),
            own: Some(server),
            sync_micros,
            _folder: Some(folder),
        })
    }

    fn own(&self) -> anyhow::Result<&Server> {
        self.own.as_ref().context(
            "this measurement makes changes, and needs a server of its own: leave --url out",
        )
    }
}

async fn resolve(url: &str) -> anyhow::Result<SocketAddr> {
    let rest = url.strip_prefix("ws://").with_context(|| {
        format!("--url {url:?} must begin with ws://; TLS is not measured here")
    })?;
    let host = rest.split('/').next().unwrap_or_default();
    let host = if host.contains(':') {
        host.to_owned()
    } else {
        format!("{host}:80")
    };
    let mut addresses = tokio::net::lookup_host(&host)
        .await
        .with_context(|| format!("cannot find {host}"))?;
    addresses
        .next()
        .with_context(|| format!("{host} has no address"))
}

pub async fn run(args: &RealtimeArgs) -> anyhow::Result<()> {
    let files = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(0);
    let wanted = u64::try_from(args.connections)? + 100;
    ensure!(
        files >= wanted,
        "this process may have {files} files, and --connections {} needs {wanted}: raise the limit, or \
         start several generators with fewer each",
        args.connections
    );
    ensure!(args.runs > 0, "--runs must be 1 or more");
    let parts: Vec<_> = match args.only {
        Some(part) => vec![part],
        None => Part::ALL
            .into_iter()
            .filter(|part| args.url.is_none() || !part.publishes())
            .collect(),
    };
    if let Some(part) = parts
        .iter()
        .find(|part| part.publishes() && args.url.is_some())
    {
        bail!(
            "--only {} makes changes, and needs a server of its own: leave --url out",
            part.name()
        );
    }
    let mut figures = Vec::new();
    for part in parts {
        let mut runs = Vec::new();
        for run in 0..args.runs {
            progress(&format!(
                "{}, run {} of {}",
                part.name(),
                run + 1,
                args.runs
            ));
            let scene = Scene::open(args).await?;
            runs.push(match part {
                Part::Idle => load::idle(args, &scene).await?,
                Part::Churn => load::churn(args, &scene).await?,
                Part::Latency => latency::steady(args, &scene).await?,
                Part::Burst => latency::burst(args, &scene).await?,
                Part::Reconnect => reconnect::all(args, &scene).await?,
            });
        }
        figures.extend(collect(&runs));
    }
    progress("");
    print(&figures, args.json);
    Ok(())
}

/// One value of one run.
#[derive(Clone, Debug)]
struct Measured {
    name: &'static str,
    unit: &'static str,
    value: f64,
    beside: String,
}

impl Measured {
    const fn new(name: &'static str, unit: &'static str, value: f64) -> Self {
        Self {
            name,
            unit,
            value,
            beside: String::new(),
        }
    }

    fn beside(mut self, what: String) -> Self {
        self.beside = what;
        self
    }
}

fn collect(runs: &[Vec<Measured>]) -> Vec<Figure> {
    let Some(first) = runs.first() else {
        return Vec::new();
    };
    first
        .iter()
        .enumerate()
        .map(|(at, measured)| {
            let values = runs.iter().filter_map(|run| run.get(at));
            let values = values.map(|measured| measured.value).collect();
            Figure::new(
                measured.name,
                measured.unit,
                values,
                measured.beside.clone(),
            )
        })
        .collect()
}
