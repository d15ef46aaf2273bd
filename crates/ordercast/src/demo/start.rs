//! `ordercast demo`: makes keys once, starts the server with them, prints the banner.

use crate::{
    demo::{self, Demo},
    serve::{Settings, run_until_signal, start_logging},
};
use anyhow::Context;
use clap::Args;
use ordercast_core::{
    ProjectId, Sku,
    ids::SourceId,
    money::{Currency, Money},
};
use ordercast_server::{Bound, auth::sha256, clock, config::Config};
use ordercast_store::{CatalogueItem, CredentialKind, NewProject, Provider};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

pub const DATA_DIR: &str = "ordercast-demo";
const KEYS_FILE: &str = "demo-keys.toml";
const SOURCE: &str = "demo";

const AFTER_HELP: &str = "\
Keeps everything in --data-dir: started again, the demo has its orders and keys still. Remove the
folder to begin anew.";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct DemoArgs {
    #[command(flatten)]
    settings: Settings,
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
            settings: ordercast_store::Settings::default(),
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
    start_logging(&args.settings)?;
    let mut flags = args.settings.partial();
    flags
        .data_dir
        .get_or_insert_with(|| PathBuf::from(DATA_DIR));
    flags
        .allowed_origins
        .get_or_insert_with(|| vec!["loopback".to_owned()]);
    // Nobody waits for a demo to stop.
    flags.drain_seconds.get_or_insert(1);
    let config = Config::load(flags, None)?;
    let data_dir = config.data_dir.clone();
    let drain = Duration::from_secs(config.drain_seconds.into());

    let keys = match Keys::read(&data_dir)? {
        Some(keys) => keys,
        None => Keys::create(&data_dir)?,
    };
    let bound = Bound::open(config).await?;
    bound.ensure_project(keys.project()?).await?;
    let banner = banner(&bound, &keys);
    let demo = Arc::new(Demo {
        base_url: format!("http://{}", bound.address),
        project_id: keys.project_id.get(),
        api_key: keys.api_key,
        jwt_secret: keys.jwt_secret,
        source: SOURCE.to_owned(),
        source_secret: keys.inbox_secret,
        items: demo::items(),
    });
    let server = bound.serve(demo::router(Arc::clone(&demo)));
    tokio::spawn(demo::run_shop(demo));
    println!("{banner}");
    run_until_signal(server, drain).await
}

fn banner(bound: &Bound, keys: &Keys) -> String {
    let base = format!("http://{}", bound.address);
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
  Health          {base}/health
  Metrics         {base}/metrics
  Admin           not in this version yet

  Project id      {project_id}
  API key         {api_key}
  JWT secret      {jwt_secret}
  Inbox secret    {inbox_secret}
  Root key        {root_key}
  Database        {database}

  Test keys, for this machine only. Ctrl-C stops; started again, the orders are still there.
",
        version = env!("CARGO_PKG_VERSION"),
        address = bound.address,
        root_key = bound.root_key,
        database = bound.database.display(),
    )
}
