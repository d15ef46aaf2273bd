//! `ordercast serve`, and what it shares with the demo: settings, signals, the orderly end.

use crate::logging;
use anyhow::Context;
use clap::{Args, ValueEnum};
use ordercast_server::{
    Bound, Server,
    config::{Config, Partial},
};
use std::{net::SocketAddr, path::PathBuf, time::Duration};

const AFTER_HELP: &str = "\
Settings come from, the later the stronger: built-in defaults, the file of --config, environment
variables (ORDERCAST_LISTEN, ...), flags. `ordercast config` prints all of them.

The server ends on SIGINT or SIGTERM: it closes its realtime connections with code 3001, which
clients answer by reconnecting, spread over drain_seconds, and answers requests until 2 seconds after
that. A second signal ends it at once.

A listening socket may be handed over by systemd (LISTEN_FDS), which holds it open over restarts; it is
then served instead of --listen.";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct ServeArgs {
    /// Configuration file, TOML
    #[arg(long, value_name = "FILE", env = "ORDERCAST_CONFIG")]
    config: Option<PathBuf>,
    #[command(flatten)]
    pub settings: Settings,
}

/// Settings that are changed often enough to have a flag.
#[derive(Debug, Args)]
pub struct Settings {
    /// Address and port to listen on [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Folder of the database and of generated keys
    #[arg(long, value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,
    /// Seconds to spread the end of realtime connections over when the server stops
    #[arg(long, value_name = "SECONDS")]
    pub drain_seconds: Option<u32>,
    /// Log lines as text or as JSON
    #[arg(long, value_enum, default_value = "text", env = "ORDERCAST_LOG_FORMAT")]
    pub log_format: LogFormat,
    /// What to log: error, warn, info, debug, trace, or filters such as ordercast_server=debug
    #[arg(
        long,
        value_name = "FILTER",
        default_value = "info",
        env = "ORDERCAST_LOG"
    )]
    pub log: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

impl Settings {
    pub fn partial(&self) -> Partial {
        use confique::Layer;
        let mut partial = Partial::empty();
        partial.listen = self.listen;
        partial.data_dir.clone_from(&self.data_dir);
        partial.drain_seconds = self.drain_seconds;
        partial
    }
}

pub async fn run(args: ServeArgs) -> anyhow::Result<()> {
    logging::start(&args.settings)?;
    let config = Config::load(args.settings.partial(), args.config.as_deref())?;
    let drain = Duration::from_secs(config.drain_seconds.into());
    let has_own_root_key = config.root_key.is_some();
    let key_file = config.data_dir.join("root.key");
    let bound = Bound::open(config).await?;
    tracing::info!(
        address = %bound.address,
        pid = std::process::id(),
        internal = %bound.internal_address,
        database = %bound.database.display(),
        "serving"
    );
    if !has_own_root_key {
        tracing::info!(file = %key_file.display(), "the operator's key is in this file");
    }
    bound.warn_of_keys();
    run_until_signal(bound.serve(axum::Router::new()), drain).await
}

/// The longest that a server whose disk failed takes to end.
const STOP_OF_FAILED: Duration = Duration::from_secs(3);
/// When the disk fails there is nothing to wait for: clients reconnect to the next process.
const DRAIN_OF_FAILED: Duration = Duration::from_secs(1);

/// For clients whose connection was closed at the end of the drain, to poll.
const GRACE: Duration = Duration::from_secs(2);

/// Serves until SIGINT or SIGTERM, then drains; or until the database fails, which is an error.
pub async fn run_until_signal(server: Server, drain: Duration) -> anyhow::Result<()> {
    let signal = tokio::select! {
        signal = signal() => signal.context("cannot wait for signals")?,
        () = server.failed() => {
            // Requests that wait for something need not be waited for.
            let _ = tokio::time::timeout(STOP_OF_FAILED, server.stop(drain.min(DRAIN_OF_FAILED))).await;
            anyhow::bail!(
                "the database failed, see the log; what was acknowledged is on disk. Check the \
                 disk, then start again"
            );
        }
    };
    tracing::info!(signal, drain_seconds = drain.as_secs(), "stopping");
    tokio::select! {
        () = server.stop_after(drain, GRACE) => {
            tracing::info!("stopped");
            Ok(())
        }
        // A second one means: now.
        again = self::signal() => {
            again?;
            anyhow::bail!("stopped before the connections were drained, as asked")
        }
    }
}

#[cfg(unix)]
async fn signal() -> std::io::Result<&'static str> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => Ok("SIGTERM"),
        interrupted = tokio::signal::ctrl_c() => interrupted.map(|()| "SIGINT"),
    }
}

#[cfg(not(unix))]
async fn signal() -> std::io::Result<&'static str> {
    tokio::signal::ctrl_c().await.map(|()| "Ctrl-C")
}
