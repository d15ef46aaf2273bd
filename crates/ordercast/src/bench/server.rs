//! The server under load: this program in a process of its own, on a fresh folder.

use super::process;
use anyhow::{Context, bail};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
};

const ROOT_KEY: &str = "root-key-of-the-benchmark-0123456789abcdef";
pub const JWT_SECRET: &str = "jwt-secret-of-the-benchmark-0123456789ab";

/// Killed when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    pub project: u64,
    pub api_key: String,
}

const NO_LIMIT: &str = "1000000000";

impl Server {
    /// On the first core; this process goes to the last one.
    pub async fn start_apart(folder: &Path, cores: usize) -> anyhow::Result<Self> {
        // The child takes over what the thread that starts it may use.
        process::pin(0)?;
        let child = Self::spawn(folder);
        process::pin_all(cores - 1)?;
        Self::started(child?).await
    }

    pub async fn start(folder: &Path) -> anyhow::Result<Self> {
        Self::started(Self::spawn(folder)?).await
    }

    fn spawn(folder: &Path) -> anyhow::Result<Child> {
        let program = std::env::current_exe().context("cannot find this program")?;
        Command::new(program)
            .args(["serve", "--listen", "127.0.0.1:0", "--log-format", "json"])
            .arg("--data-dir")
            .arg(folder)
            .env("ORDERCAST_ROOT_KEY", ROOT_KEY)
            // One key and one buyer stand for thousands; the cost of counting stays in.
            .env("ORDERCAST_REQUESTS_PER_KEY", NO_LIMIT)
            .env("ORDERCAST_ORDERS_PER_BUYER", NO_LIMIT)
            .env("ORDERCAST_POLLS_PER_ORDER", NO_LIMIT)
            .env("ORDERCAST_CONNECTIONS_PER_IP", NO_LIMIT)
            // Receivers are on this machine.
            .env("ORDERCAST_WEBHOOK_HTTP", "true")
            .env("ORDERCAST_WEBHOOK_ANY_PORT", "true")
            .env("ORDERCAST_WEBHOOK_NETWORKS", "127.0.0.0/8")
            .env("ORDERCAST_LOG", "warn,ordercast::serve=info")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start a server")
    }

    async fn started(mut child: Child) -> anyhow::Result<Self> {
        let Some(stderr) = child.stderr.take() else {
            bail!("the server has no stderr")
        };
        let mut log = BufReader::new(stderr).lines().map_while(Result::ok);
        let address = log
            .by_ref()
            .filter_map(|line| serde_json::from_str::<Value>(&line).ok())
            .find(|line| line["message"] == "serving")
            .and_then(|line| line["address"].as_str()?.parse().ok())
            .context("the server did not start")?;
        // A full pipe would stop the server.
        std::thread::spawn(move || log.for_each(|line| eprintln!("{line}")));
        let mut server = Self {
            child,
            address,
            project: 0,
            api_key: String::new(),
        };
        server.make_project().await?;
        Ok(server)
    }

    async fn make_project(&mut self) -> anyhow::Result<()> {
        let made: Value = reqwest::Client::new()
            .post(format!("http://{}/v1/projects", self.address))
            .bearer_auth(ROOT_KEY)
            .json(&json!({ "name": "Benchmark", "hs256_secret": JWT_SECRET }))
            .send()
            .await?
            .error_for_status()?
            .json()
            .await?;
        self.project = made["project_id"].as_u64().context("no project id")?;
        self.api_key = made["api_key"].as_str().context("no API key")?.to_owned();
        Ok(())
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
