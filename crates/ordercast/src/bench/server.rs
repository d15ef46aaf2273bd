//! The server under load: this program in a process of its own, on a fresh folder.

use super::{
    dial::Dialer,
    http::{Client, request},
    process,
};
use anyhow::{Context, bail};
use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

pub const ROOT_KEY: &str = "root-key-of-the-benchmark-0123456789abcdef";
pub const JWT_SECRET: &str = "jwt-secret-of-the-benchmark-0123456789ab";

/// Killed when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    pub dialer: Dialer,
    /// The certificate that it shows, if it speaks TLS.
    pub certificate: Option<PathBuf>,
    pub project: u64,
    pub api_key: String,
}

const NO_LIMIT: &str = "1000000000";

/// How much callers may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limits {
    /// One key and one buyer stand for thousands; the cost of counting stays in.
    None,
    /// Those that a server has.
    Usual,
}

impl Server {
    /// On the first core; this process goes to the last one.
    pub async fn start_apart(folder: &Path, cores: usize, tls: bool) -> anyhow::Result<Self> {
        let pair = if tls { Some(Pair::make(folder)?) } else { None };
        // The child takes over what the thread that starts it may use.
        process::pin(0)?;
        let child = Self::spawn(folder, pair.as_ref(), Limits::None);
        process::pin_all(cores - 1)?;
        Self::started(child?, pair).await
    }

    pub async fn start(folder: &Path) -> anyhow::Result<Self> {
        Self::start_with(folder, Limits::None).await
    }

    pub async fn start_with(folder: &Path, limits: Limits) -> anyhow::Result<Self> {
        Self::started(Self::spawn(folder, None, limits)?, None).await
    }

    fn spawn(folder: &Path, pair: Option<&Pair>, limits: Limits) -> anyhow::Result<Child> {
        let program = std::env::current_exe().context("cannot find this program")?;
        let mut command = Command::new(program);
        if let Some(pair) = pair {
            command
                .env("ORDERCAST_TLS_CERTIFICATE", &pair.certificate)
                .env("ORDERCAST_TLS_KEY", &pair.key);
        }
        if limits == Limits::None {
            command
                .env("ORDERCAST_REQUESTS_PER_KEY", NO_LIMIT)
                .env("ORDERCAST_ORDERS_PER_BUYER", NO_LIMIT)
                .env("ORDERCAST_POLLS_PER_ORDER", NO_LIMIT);
        }
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--log-format", "json"])
            .arg("--data-dir")
            .arg(folder.join("data"))
            .env("ORDERCAST_ROOT_KEY", ROOT_KEY)
            .env("ORDERCAST_CONNECTIONS_PER_IP", NO_LIMIT)
            .env("ORDERCAST_HTTP_CONNECTIONS_PER_IP", NO_LIMIT)
            // All buyers of the benchmark are at one address, and none counts against another.
            .env("ORDERCAST_TRUSTED_PROXIES", "127.0.0.1/32")
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

    async fn started(mut child: Child, pair: Option<Pair>) -> anyhow::Result<Self> {
        let Some(stderr) = child.stderr.take() else {
            bail!("the server has no stderr")
        };
        let mut log = BufReader::new(stderr).lines().map_while(Result::ok);
        let address: SocketAddr = log
            .by_ref()
            .filter_map(|line| serde_json::from_str::<Value>(&line).ok())
            .find(|line| line["message"] == "serving")
            .and_then(|line| line["address"].as_str()?.parse().ok())
            .context("the server did not start")?;
        // A full pipe would stop the server.
        std::thread::spawn(move || log.for_each(|line| eprintln!("{line}")));
        let certificate = pair.map(|pair| pair.certificate);
        let dialer = match &certificate {
            None => Dialer::plain(address),
            Some(file) => Dialer::tls(address, &address.ip().to_string(), Some(file))?,
        };
        let mut server = Self {
            child,
            dialer,
            certificate,
            project: 0,
            api_key: String::new(),
        };
        server.make_project().await?;
        Ok(server)
    }

    async fn make_project(&mut self) -> anyhow::Result<()> {
        let body = json!({ "name": "Benchmark", "hs256_secret": JWT_SECRET }).to_string();
        let mut client = Client::connect(&self.dialer).await?;
        let answer = client
            .send(&request("POST", "/v1/projects", ROOT_KEY, "", &body))
            .await?;
        let made: Value = serde_json::from_slice(answer.body)?;
        self.project = made["project_id"].as_u64().context("no project id")?;
        self.api_key = made["api_key"].as_str().context("no API key")?.to_owned();
        Ok(())
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

/// A self-signed certificate and its key, made for one server.
struct Pair {
    certificate: PathBuf,
    key: PathBuf,
}

impl Pair {
    fn make(folder: &Path) -> anyhow::Result<Self> {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
        let pair = Self {
            certificate: folder.join("certificate.pem"),
            key: folder.join("key.pem"),
        };
        fs::write(&pair.certificate, made.cert.pem())?;
        fs::write(&pair.key, made.signing_key.serialize_pem())?;
        Ok(pair)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
