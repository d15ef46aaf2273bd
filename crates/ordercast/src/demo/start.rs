//! `ordercast demo`: makes keys once, starts the server with them, prints the banner.

use crate::{
    demo::{self, Demo, backend},
    logging,
    serve::{Settings, run_until_signal},
};
use anyhow::{Context, anyhow};
use clap::Args;
use ipnet::{Ipv4Net, Ipv6Net};
use ordercast_core::{
    ProjectId, Sku,
    ids::SourceId,
    money::{Currency, Money},
};
use ordercast_server::{
    Bound, auth::sha256, clock, config::Config, realtime::origin::AllowedOrigin,
};
use ordercast_store::{CatalogueItem, CredentialKind, NewProject, Provider};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    io::{ErrorKind, Write},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

pub const DATA_DIR: &str = "ordercast-demo";
const KEYS_FILE: &str = "demo-keys.toml";
const SOURCE: &str = "demo";

const AFTER_HELP: &str = "\
Examples:
  ordercast demo
  ordercast demo --backend http://127.0.0.1:3000/webhooks

Keeps everything in --data-dir: started again, the demo has its orders and keys still. Remove the
folder to begin anew.

The demo has a shop's backend of its own, which follows the event feed, and a page that catches webhooks.
With --backend both step aside for yours: its 2xx to order.paid makes the order done.";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct DemoArgs {
    #[command(flatten)]
    settings: Settings,
    /// Where your shop's backend takes webhooks, on this machine
    #[arg(long, value_name = "URL")]
    backend: Option<String>,
}

/// The demo's keys, kept readable for its owner because the banner prints them at every start.
#[derive(Debug, Serialize, Deserialize)]
pub struct Keys {
    pub project_id: ProjectId,
    pub api_key: String,
    pub jwt_secret: String,
    pub inbox_secret: String,
}

impl Keys {
    pub fn read(data_dir: &Path) -> anyhow::Result<Option<Self>> {
        let path = data_dir.join(KEYS_FILE);
        match fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text).map(Some).with_context(|| {
                format!(
                    "{} is damaged; remove it to have keys made anew",
                    path.display()
                )
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    fn create(data_dir: &Path) -> anyhow::Result<Self> {
        let keys = Self {
            project_id: ProjectId::new(1)?,
            api_key: clock::secret("oc_api_"),
            jwt_secret: clock::secret("oc_jwt_"),
            inbox_secret: clock::secret("oc_inbox_"),
        };
        fs::create_dir_all(data_dir)
            .with_context(|| format!("cannot make the folder {}", data_dir.display()))?;
        let path = data_dir.join(KEYS_FILE);
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        let mut file = options
            .open(&path)
            .with_context(|| format!("cannot write {}", path.display()))?;
        file.write_all(toml::to_string(&keys)?.as_bytes())?;
        Ok(keys)
    }

    fn project(&self) -> anyhow::Result<NewProject> {
        let items = demo::items()
            .iter()
            .map(|item| {
                Ok(CatalogueItem::priced(
                    Sku::new(&item.sku)?,
                    item.name.clone(),
                    Money::parse(&item.amount, Currency::new(&item.currency)?)?,
                ))
            })
            .collect::<anyhow::Result<_>>()?;
        Ok(NewProject {
            id: Some(self.project_id),
            name: "Demo store".to_owned(),
            settings: ordercast_store::Settings {
                guests: true,
                ..ordercast_store::Settings::default()
            },
            credentials: vec![
                (
                    CredentialKind::ApiKey,
                    "demo".to_owned(),
                    sha256(self.api_key.as_bytes()).to_vec(),
                ),
                (
                    CredentialKind::Hs256,
                    "demo".to_owned(),
                    self.jwt_secret.clone().into_bytes(),
                ),
            ],
            sources: vec![(
                SourceId::new(SOURCE)?,
                Provider::Reference,
                self.inbox_secret.clone(),
            )],
            items,
        })
    }
}

pub async fn run(args: DemoArgs) -> anyhow::Result<()> {
    logging::start(&args.settings)?;
    let mut flags = args.settings.partial();
    flags
        .data_dir
        .get_or_insert_with(|| PathBuf::from(DATA_DIR));
    flags
        .allowed_origins
        .get_or_insert_with(|| vec![AllowedOrigin::Loopback]);
    // Nobody waits for a demo to stop.
    flags.drain_seconds.get_or_insert(1);
    // The shop's backend is on this machine.
    flags.webhook_http = Some(true);
    flags.webhook_any_port = Some(true);
    flags.webhook_networks = Some(vec![
        Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8).into(),
        Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128).into(),
    ]);
    let config = Config::load(flags, None)?;
    let data_dir = config.data_dir.clone();
    let drain = Duration::from_secs(config.drain_seconds.into());

    let keys = match Keys::read(&data_dir)? {
        Some(keys) => keys,
        None => Keys::create(&data_dir)?,
    };
    let bound = Bound::open(config).await?;
    bound.ensure_project(keys.project()?).await?;
    let has_backend = args.backend.is_some();
    let base_url = base_url(bound.address);
    let demo = Arc::new(Demo {
        webhooks_to: args
            .backend
            .unwrap_or_else(|| format!("{base_url}/demo/webhooks")),
        webhook_secret: backend::webhook_secret(&keys.api_key),
        base_url,
        project_id: keys.project_id.get(),
        api_key: keys.api_key.clone(),
        jwt_secret: keys.jwt_secret.clone(),
        source: SOURCE.to_owned(),
        source_secret: keys.inbox_secret.clone(),
        items: demo::items(),
    });
    let banner = banner(&bound, &keys, &demo);
    let root_key = bound.root_key.clone();
    let server = bound.serve(demo::router(Arc::clone(&demo)));
    backend::register(&demo, &root_key, has_backend)
        .await
        .map_err(|error| anyhow!("cannot have webhooks sent to {}: {error}", demo.webhooks_to))?;
    if !has_backend {
        tokio::spawn(demo::run_shop(demo));
    }
    println!("{banner}");
    run_until_signal(server, drain).await
}

/// As this machine reaches it: an address that stands for all is none to call.
fn base_url(mut address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    format!("http://{address}")
}

fn banner(bound: &Bound, keys: &Keys, demo: &Demo) -> String {
    let base = &demo.base_url;
    let Demo {
        webhooks_to,
        webhook_secret,
        ..
    } = demo;
    let Keys {
        project_id,
        api_key,
        jwt_secret,
        inbox_secret,
    } = keys;
    format!(
        "
  Ordercast {version} demo

  Demo store      {base}/demo/
  API             {base}/v1/ and {base}/api/v2/
  Realtime        ws://{address}/connection/websocket
  Provider inbox  {base}/v1/inbox/{SOURCE}
  Webhooks        {webhooks_to}
  Health          {base}/health
  Metrics         http://{internal}/metrics
  API reference   http://{internal}/docs

  Project id      {project_id}
  API key         {api_key}
  JWT secret      {jwt_secret}
  Inbox secret    {inbox_secret}
  Webhook secret  {webhook_secret}
  Root key        {root_key}
  Database        {database}

  Test keys, for this machine only. Ctrl-C stops; started again, the orders are still there.
",
        version = env!("CARGO_PKG_VERSION"),
        address = bound.address,
        internal = bound.internal_address,
        root_key = bound.root_key,
        database = bound.database.display(),
    )
}
