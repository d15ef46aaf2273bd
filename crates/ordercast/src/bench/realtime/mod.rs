//! `ordercast bench realtime`. How each figure is made stands in bench/README.md.

mod buyer;
mod crowd;
mod held;
mod latency;
mod load;
mod publish;
mod reconnect;
mod scene;

use super::{
    progress::Progress,
    report::{Figure, Latencies, print},
};
use anyhow::ensure;
use clap::{Args, ValueEnum};
use scene::Scene;
use std::{net::IpAddr, path::PathBuf};

/// Files of a process that are no buyers.
const SPARE_FILES: usize = 100;

const AFTER_HELP: &str = "\
Without --url it starts a server of its own on the first core and generates load on the last one.
With --url it loads any server that speaks the Centrifuge protocol; what needs to publish is left out
unless --publish is given.

Idle buyers that need more files than a process may have are held by several processes, on loopback
from several source addresses.

Examples:
  ordercast bench realtime
  ordercast bench realtime --only idle --tls --connections 6000 --json
  ordercast bench realtime --url ws://127.0.0.1:8000/connection/websocket --token eyJ... --channel 'news:{n}' --pid 4242
  ordercast bench realtime --url wss://example.com/connection/websocket --data '{\"user\": \"buyer-{n}\"}' --only churn";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct RealtimeArgs {
    /// Server to load; without it, one of our own
    #[arg(long, value_name = "WS-URL")]
    url: Option<String>,
    /// Connection token that all connections show
    #[arg(long, requires = "url", conflicts_with_all = ["secret", "project", "data"])]
    token: Option<String>,
    /// Connect data that each connection shows, {n} being its number
    #[arg(long, value_name = "JSON", requires = "url", conflicts_with_all = ["secret", "project"])]
    data: Option<String>,
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
    /// Publish by the protocol's publish command, which the server has to allow; needs --channel
    #[arg(long, requires_all = ["url", "channel"])]
    publish: bool,
    /// PEM file of certificates to trust beside those of the system, for wss://
    #[arg(long, value_name = "FILE", requires = "url")]
    trust: Option<PathBuf>,
    /// The server of our own speaks TLS
    #[arg(long, conflicts_with = "url")]
    tls: bool,
    /// Process of the server, to measure its memory and time
    #[arg(long, requires = "url")]
    pid: Option<u32>,
    /// Connections of the measurements of idle buyers and of reconnecting
    #[arg(long, default_value_t = 15_000)]
    connections: usize,
    /// Processes that hold the idle buyers; without it, as many as their open files need
    #[arg(long)]
    processes: Option<usize>,
    /// Number of the first buyer
    #[arg(long, hide = true, default_value_t = 0)]
    first: usize,
    /// Addresses of this machine to connect from, in turn
    #[arg(long, value_delimiter = ',')]
    source_addresses: Vec<IpAddr>,
    /// Seconds until memory is read, in which what was freed goes back to the system
    #[arg(long, default_value_t = 12)]
    settle_seconds: u64,
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
    // What the processes do that --processes starts.
    #[value(hide = true)]
    Hold,
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
            Self::Idle | Self::Churn | Self::Hold => false,
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
            Self::Hold => "hold",
        }
    }
}

impl RealtimeArgs {
    fn can_publish(&self) -> bool {
        self.url.is_none() || self.publish
    }

    /// That hold idle buyers.
    fn processes(&self) -> anyhow::Result<usize> {
        let needed = self
            .connections
            .div_ceil(files()?.saturating_sub(SPARE_FILES).max(1));
        Ok(self
            .processes
            .unwrap_or(needed)
            .clamp(1, self.connections.max(1)))
    }

    fn check(&self, parts: &[Part]) -> anyhow::Result<()> {
        ensure!(self.runs > 0, "--runs must be 1 or more");
        for part in parts {
            ensure!(
                self.can_publish() || !part.publishes(),
                "--only {} makes changes: leave --url out, or let buyers --publish",
                part.name()
            );
            let (files, connections) = (files()?, self.connections);
            let held = match part {
                Part::Idle => connections.div_ceil(self.processes()?),
                Part::Reconnect | Part::Hold => connections,
                Part::Churn | Part::Latency | Part::Burst => 0,
            };
            ensure!(
                held + SPARE_FILES <= files,
                "a process may have {files} files, too few for {held} connections of the part \
                 {}: raise the limit, or give fewer --connections",
                part.name()
            );
        }
        Ok(())
    }
}

/// That this process may have open, and each that it starts.
fn files() -> anyhow::Result<usize> {
    Ok(usize::try_from(rlimit::increase_nofile_limit(u64::MAX)?)?)
}

pub async fn run(args: &RealtimeArgs) -> anyhow::Result<()> {
    let parts: Vec<_> = match args.only {
        Some(part) => vec![part],
        None => Part::ALL
            .into_iter()
            .filter(|part| args.can_publish() || !part.publishes())
            .collect(),
    };
    args.check(&parts)?;
    if args.only == Some(Part::Hold) {
        return held::hold(args, &Scene::open(args, &Progress::hidden()).await?).await;
    }
    let (progress, mut figures) = (Progress::new(), Vec::new());
    for part in parts {
        let mut runs = Vec::new();
        for run in 0..args.runs {
            progress.run(part.name(), run, args.runs);
            let scene = Scene::open(args, &progress).await?;
            runs.push(match part {
                Part::Idle => load::idle(args, &scene).await?,
                Part::Churn => load::churn(args, &scene).await?,
                Part::Latency => latency::steady(args, &scene).await?,
                Part::Burst => latency::burst(args, &scene).await?,
                Part::Reconnect => reconnect::all(args, &scene).await?,
                Part::Hold => Vec::new(),
            });
        }
        figures.extend(collect(&runs)?);
    }
    progress.end();
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
    spread: Option<Latencies>,
}

impl Measured {
    const fn new(name: &'static str, unit: &'static str, value: f64) -> Self {
        Self {
            name,
            unit,
            value,
            beside: String::new(),
            spread: None,
        }
    }

    fn beside(mut self, what: String) -> Self {
        self.beside = what;
        self
    }

    fn spread(mut self, latencies: Latencies) -> Self {
        self.spread = Some(latencies);
        self
    }
}

fn collect(runs: &[Vec<Measured>]) -> anyhow::Result<Vec<Figure>> {
    let Some(first) = runs.first() else {
        return Ok(Vec::new());
    };
    let mut figures = Vec::new();
    for (at, measured) in first.iter().enumerate() {
        let of_all_runs = || runs.iter().filter_map(|run| run.get(at));
        let values = of_all_runs().map(|measured| measured.value).collect();
        let (name, unit) = (measured.name, measured.unit);
        let mut figure = Figure::new(name, unit, values, measured.beside.clone());
        let mut all = Latencies::new()?;
        for spread in of_all_runs().filter_map(|measured| measured.spread.as_ref()) {
            all.add(spread)?;
        }
        figure.histogram = all.buckets();
        figures.push(figure);
    }
    Ok(figures)
}
