//! What is loaded: a server of our own, new in every run, or the one that was named.

use super::{
    RealtimeArgs,
    buyer::{Auth, Target},
};
use crate::bench::{
    dial::Dialer,
    folder,
    progress::Progress,
    server::{JWT_SECRET, Server},
    sync_micros,
};
use anyhow::{Context, bail};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use url::Url;

/// Connections of one source address to one server: Linux gives out 28,232 ports.
const PER_SOURCE: usize = 25_000;

pub struct Scene {
    pub target: Target,
    pub pid: Option<u32>,
    pub own: Option<Server>,
    /// Of the disk below our own server's database, microseconds.
    pub sync_micros: Option<f64>,
    pub progress: Progress,
    _folder: Option<tempfile::TempDir>,
}

impl Scene {
    pub async fn open(args: &RealtimeArgs, progress: &Progress) -> anyhow::Result<Self> {
        match &args.url {
            Some(url) => Self::named(args, url, progress).await,
            None => Self::of_our_own(args, progress).await,
        }
    }

    async fn named(args: &RealtimeArgs, url: &str, progress: &Progress) -> anyhow::Result<Self> {
        let auth = match (&args.token, &args.data, &args.secret, args.project) {
            (Some(token), ..) => Auth::Token(token.clone()),
            (_, Some(data), ..) => Auth::Data(data.clone()),
            (_, _, Some(secret), Some(project)) => Auth::Jwt {
                project,
                secret: secret.clone(),
            },
            _ => Auth::Anonymous,
        };
        let dialer = dialer(args, url).await?;
        let target = Target {
            sources: sources(args, dialer.address),
            dialer,
            url: url.to_owned(),
            auth,
            channel: args.channel.clone(),
        };
        Ok(Self {
            target,
            pid: args.pid,
            own: None,
            sync_micros: None,
            progress: progress.clone(),
            _folder: None,
        })
    }

    async fn of_our_own(args: &RealtimeArgs, progress: &Progress) -> anyhow::Result<Self> {
        let folder = folder(args.folder.as_deref())?;
        let sync_micros = sync_micros(folder.path())?;
        let cores = std::thread::available_parallelism()?.get();
        let server = Server::start_apart(folder.path(), cores, args.tls).await?;
        let (scheme, address) = (if args.tls { "wss" } else { "ws" }, server.dialer.address);
        let target = Target {
            dialer: server.dialer.clone(),
            url: format!("{scheme}://{address}/connection/websocket"),
            sources: sources(args, address),
            auth: Auth::Jwt {
                project: server.project,
                secret: JWT_SECRET.to_owned(),
            },
            channel: None,
        };
        Ok(Self {
            target,
            pid: Some(server.pid()),
            own: Some(server),
            sync_micros: Some(sync_micros),
            progress: progress.clone(),
            _folder: Some(folder),
        })
    }
}

/// Those of the command line; or on loopback, where any will do, as many as the connections need.
fn sources(args: &RealtimeArgs, server: SocketAddr) -> Vec<IpAddr> {
    let wanted = args.connections.div_ceil(PER_SOURCE);
    if !args.source_addresses.is_empty() || wanted < 2 || !server.ip().is_loopback() {
        return args.source_addresses.clone();
    }
    let loopback = u32::from(Ipv4Addr::LOCALHOST);
    let ours = (loopback..).take(wanted).map(Ipv4Addr::from);
    ours.map(IpAddr::from).collect()
}

async fn dialer(args: &RealtimeArgs, url: &str) -> anyhow::Result<Dialer> {
    let parsed = Url::parse(url).with_context(|| format!("--url {url:?} is not a URL"))?;
    let tls = match parsed.scheme() {
        "ws" => false,
        "wss" => true,
        _ => bail!("--url {url:?} must begin with ws:// or wss://"),
    };
    let host = parsed.host_str().context("--url has no host")?;
    // Its port is the scheme's, if none is named.
    let port = parsed
        .port_or_known_default()
        .context("--url has no port")?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let mut addresses = tokio::net::lookup_host((host, port))
        .await
        .with_context(|| format!("cannot find {host}"))?;
    let address = addresses
        .next()
        .with_context(|| format!("{host} has no address"))?;
    if tls {
        Dialer::tls(address, host, args.trust.as_deref())
    } else {
        Ok(Dialer::plain(address))
    }
}
