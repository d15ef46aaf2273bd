//! `ordercast bench webhooks`. How each figure is made stands in bench/README.md.

mod receiver;

use super::{
    folder,
    http::{Client, request},
    order_id, process,
    progress::Progress,
    report::{Figure, Latencies, print},
    server::Server,
    sync_micros,
};
use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use futures_util::future::try_join_all;
use receiver::{Manner, Received, Receiver};
use serde_json::{Value, json};
use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    time::{Duration, Instant},
};

const AFTER_HELP: &str = "\
Starts servers of its own on fresh folders, and receivers beside them: the server has the first core,
the generator and its receivers the last. Leave the machine alone meanwhile.

Examples:
  ordercast bench webhooks
  ordercast bench webhooks --only backlog --deliveries 1000000 --runs 1";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct WebhooksArgs {
    /// Attempts at the same time to the one receiver of the first measurement
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=100))]
    connections: u32,
    /// Deliveries of each run of the first measurement
    #[arg(long, default_value_t = 40_000)]
    events: usize,
    /// Orders a second that are made while half of the endpoints fail or hang
    #[arg(long, default_value_t = 50)]
    rate: u32,
    /// Seconds of that
    #[arg(long, default_value_t = 20)]
    seconds: u32,
    /// Deliveries that wait at once in the last measurement
    #[arg(long, default_value_t = 1_000_000)]
    deliveries: usize,
    /// Times that each measurement is made; the median is given. The last one is made once
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
    /// Deliveries a second
    Rate,
    /// Healthy endpoints beside failing and hanging ones
    Health,
    /// Memory of what waits
    Backlog,
}

/// Of one project.
const ENDPOINTS: usize = 20;

pub async fn run(args: &WebhooksArgs) -> anyhow::Result<()> {
    let wanted = |part| args.only.is_none_or(|only| only == part);
    let (progress, mut figures) = (Progress::new(), Vec::new());
    if wanted(Part::Rate) {
        figures.push(rate(args, &progress).await?);
    }
    if wanted(Part::Health) {
        figures.extend(health(args, &progress).await?);
    }
    if wanted(Part::Backlog) {
        figures.push(backlog(args, &progress).await?);
    }
    progress.end();
    print(&figures, args.json);
    Ok(())
}

struct Shop {
    server: Server,
    client: reqwest::Client,
    _folder: tempfile::TempDir,
    sync: f64,
}

impl Shop {
    async fn open(args: &WebhooksArgs) -> anyhow::Result<Self> {
        let folder = folder(args.folder.as_deref())?;
        let sync = sync_micros(folder.path())?;
        let cores = std::thread::available_parallelism()?.get();
        let server = Server::start_apart(folder.path(), cores, false).await?;
        Ok(Self {
            server,
            client: reqwest::Client::new(),
            _folder: folder,
            sync,
        })
    }

    async fn post(&self, rest: &str, body: &Value) -> anyhow::Result<Value> {
        let (address, project) = (self.server.dialer.address, self.server.project);
        let answer = self
            .client
            .post(format!("http://{address}/v1/projects/{project}/{rest}"))
            .bearer_auth(&self.server.api_key)
            .json(body)
            .send()
            .await?;
        let status = answer.status();
        let text = answer.text().await?;
        if !status.is_success() {
            bail!("{rest}: {status}: {text}");
        }
        Ok(serde_json::from_str(&text)?)
    }

    async fn endpoint(&self, url: &str, concurrency: u32) -> anyhow::Result<u64> {
        let body = json!({ "url": url, "concurrency": concurrency });
        let made = self.post("endpoints", &body).await?;
        made["id"].as_u64().context("no endpoint id")
    }

    fn create(&self, user: usize) -> Vec<u8> {
        let path = format!("/v1/projects/{}/orders", self.server.project);
        let body = format!(
            r#"{{"user_external_id":"user-{user}","price":{{"amount":"1.99","currency":"USD"}}}}"#
        );
        request("POST", &path, &self.server.api_key, "", &body)
    }

    /// As fast as 64 connections can.
    async fn make_orders(&self, count: usize) -> anyhow::Result<()> {
        let publishers = 64.min(count);
        let publisher = async |number: usize| -> anyhow::Result<()> {
            let mut client = Client::connect(&self.server.dialer).await?;
            for at in (number..count).step_by(publishers) {
                let answer = client.send(&self.create(at)).await?;
                if answer.status != 201 {
                    bail!("an order was answered with {}", answer.status);
                }
            }
            Ok(())
        };
        try_join_all((0..publishers).map(publisher)).await?;
        Ok(())
    }
}

async fn rate(args: &WebhooksArgs, progress: &Progress) -> anyhow::Result<Figure> {
    let (mut rates, mut syncs) = (Vec::new(), Vec::new());
    for run in 0..args.runs {
        progress.run("deliveries", run, args.runs);
        let shop = Shop::open(args).await?;
        syncs.push(shop.sync);
        // They are there before the endpoint is: it is told of all of them at once.
        shop.make_orders(args.events).await?;
        let mut receiver = Receiver::start(Manner::Accept).await?;
        let endpoint = shop.endpoint(&receiver.url, args.connections).await?;
        let since = json!({ "since": "2020-01-01T00:00:00Z" });
        let replay = async {
            let path = format!("endpoints/{endpoint}/replay");
            let queued = shop.post(&path, &since).await?;
            anyhow::ensure!(queued["deliveries"] == args.events, "{queued}");
            Ok(())
        };
        let count = async {
            let mut received = Vec::with_capacity(args.events);
            while received.len() < args.events {
                received.push(receiver.next().await.context("a delivery is missing")?);
            }
            Ok(received)
        };
        let ((), received) = tokio::try_join!(replay, count)?;
        let took = received[args.events - 1].at - received[0].at;
        let orders: HashSet<u64> = received.iter().map(order).collect::<anyhow::Result<_>>()?;
        anyhow::ensure!(orders.len() == args.events, "deliveries came twice");
        rates.push(args.events as f64 / took.as_secs_f64());
    }
    let beside = format!(
        "{} connections; one fdatasync takes {:.0} us",
        args.connections,
        super::median(&syncs)
    );
    let name = "deliveries to one receiver";
    Ok(Figure::new(name, "per second", rates, beside))
}

/// Of 20 endpoints a quarter answers 500, a quarter never answers.
async fn health(args: &WebhooksArgs, progress: &Progress) -> anyhow::Result<[Figure; 2]> {
    let (mut p50s, mut p99s) = (Vec::new(), Vec::new());
    for run in 0..args.runs {
        progress.run("healthy endpoints", run, args.runs);
        let shop = Shop::open(args).await?;
        let mut healthy = Receiver::start(Manner::Accept).await?;
        let failing = Receiver::start(Manner::Fail).await?;
        let hanging = Receiver::start(Manner::Hang).await?;
        for number in 0..ENDPOINTS {
            let url = match number % 4 {
                0 => &failing.url,
                1 => &hanging.url,
                _ => &healthy.url,
            };
            shop.endpoint(url, 4).await?;
        }
        let latencies = publish_and_listen(args, &shop, &mut healthy).await?;
        p50s.push(latencies.percentile(50.0).as_secs_f64() * 1e3);
        p99s.push(latencies.percentile(99.0).as_secs_f64() * 1e3);
    }
    let beside = format!(
        "{} deliveries a second are due",
        args.rate as usize * ENDPOINTS
    );
    Ok([
        Figure::new(
            "change posted to healthy attempt, p50",
            "ms",
            p50s,
            String::new(),
        ),
        Figure::new("change posted to healthy attempt, p99", "ms", p99s, beside),
    ])
}

/// Orders on a fixed schedule; from just before each is posted until its webhook has been read.
async fn publish_and_listen(
    args: &WebhooksArgs,
    shop: &Shop,
    healthy: &mut Receiver,
) -> anyhow::Result<Latencies> {
    let count = (args.rate * args.seconds) as usize;
    let interval = Duration::from_secs(1) / args.rate;
    let publish = async {
        let mut client = Client::connect(&shop.server.dialer).await?;
        let mut posted = Vec::with_capacity(count);
        let began = tokio::time::Instant::now();
        for at in 0..count {
            tokio::time::sleep_until(began + interval * u32::try_from(at)?).await;
            let before = Instant::now();
            let answer = client.send(&shop.create(at)).await?;
            posted.push((order_id(answer.body)?, before));
        }
        Ok(posted)
    };
    let expected = count * ENDPOINTS / 2;
    let listen = async {
        let mut received = Vec::with_capacity(expected);
        while received.len() < expected {
            let next = tokio::time::timeout(Duration::from_secs(60), healthy.next()).await;
            let next = next.context("a healthy endpoint was not told of an order in 60 s")?;
            received.push(next.context("the receiver ended")?);
        }
        Ok::<_, anyhow::Error>(received)
    };
    let (posted, received) = tokio::try_join!(publish, listen)?;
    let posted: HashMap<_, _> = posted.into_iter().collect();
    let mut latencies = Latencies::new()?;
    for received in received {
        let before = posted
            .get(&order(&received)?)
            .context("an order that nobody made")?;
        latencies.record(received.at.duration_since(*before));
    }
    Ok(latencies)
}

fn order(received: &Received) -> anyhow::Result<u64> {
    let body: Value = serde_json::from_slice(&received.body)?;
    body["data"]["order_id"].as_u64().context("no order_id")
}

/// All endpoints hang, so all deliveries wait. The orders are there before, so that what they cost in
/// caches is not counted.
async fn backlog(args: &WebhooksArgs, progress: &Progress) -> anyhow::Result<Figure> {
    progress.run("deliveries that wait", 0, 1);
    let shop = Shop::open(args).await?;
    let hanging = Receiver::start(Manner::Hang).await?;
    let orders = args.deliveries / ENDPOINTS;
    shop.make_orders(orders).await?;
    let mut after = Vec::with_capacity(ENDPOINTS);
    for _ in 0..ENDPOINTS {
        let endpoint = shop.endpoint(&hanging.url, 4).await?;
        let since = json!({ "since": "2020-01-01T00:00:00Z" });
        let queued = shop
            .post(&format!("endpoints/{endpoint}/replay"), &since)
            .await?;
        anyhow::ensure!(queued["deliveries"] == orders, "{queued}");
        after.push(process::memory(shop.server.pid())?);
    }
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    // Caches and pools have filled with the first twentieth.
    let (first, last) = (after[0], after[ENDPOINTS - 1]);
    let beside = format!(
        "{:.1} MB with {orders} deliveries, {:.1} MB with {}",
        megabytes(first),
        megabytes(last),
        orders * ENDPOINTS
    );
    let more = (last as f64 - first as f64) / (orders * (ENDPOINTS - 1)) as f64;
    let name = "memory per waiting delivery";
    Ok(Figure::new(name, "bytes", vec![more.max(0.0)], beside))
}
