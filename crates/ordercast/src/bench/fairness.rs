//! `ordercast bench fairness`: one tenant asks a hundred times as much as it may, on every door, and another
//! one's answers are timed with it and without it. How each figure is made stands in bench/README.md.

use super::{
    folder,
    http::{Client, request},
    order_id,
    progress::Progress,
    report::{Figure, Latencies, print},
    server::{JWT_SECRET, Limits, ROOT_KEY, Server},
};
use anyhow::{Context, ensure};
use clap::Args;
use futures_util::future::try_join_all;
use ordercast_core::UserId;
use serde_json::{Value, json};
use std::{
    path::PathBuf,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};
use tokio::time::MissedTickBehavior;

const AFTER_HELP: &str = "\
Starts a server of its own with its usual limits, and two projects. Server and generator share the
machine: leave it alone meanwhile.

Example:
  ordercast bench fairness --json > fairness.json";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct FairnessArgs {
    /// Connections of the tenant that asks too much, for each door
    #[arg(long, default_value_t = 8)]
    connections: usize,
    /// What it asks a second on all of them: a hundred times what one key may
    #[arg(long, default_value_t = 5_000)]
    rate: u32,
    /// Orders of that tenant before the measurement
    #[arg(long, default_value_t = 20_000)]
    orders: usize,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Times that each measurement is made; the median is given
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Where to make the folder of the database
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

/// What the quiet tenant asks for, each with a name of its figure.
const DOORS: [(&str, &str); 5] = [
    ("create", "p99 of a create, ratio"),
    ("read", "p99 of a read, ratio"),
    ("list", "p99 of a list, ratio"),
    ("feed", "p99 of the event feed, ratio"),
    ("health", "p99 of /health, ratio"),
];
/// Between two rounds of the quiet tenant: far below its limit.
const PACE: Duration = Duration::from_millis(100);

struct Tenant {
    project: u64,
    api_key: String,
}

pub async fn run(args: &FairnessArgs) -> anyhow::Result<()> {
    let progress = Progress::new();
    let mut ratios: [Vec<f64>; DOORS.len()] = Default::default();
    let (mut quiet, mut loud) = ([0.0; DOORS.len()], [0.0; DOORS.len()]);
    let mut asked = (0, 0);
    for run in 0..args.runs {
        progress.run("fairness", run, args.runs);
        let folder = folder(args.folder.as_deref())?;
        let server = Server::start_with(folder.path(), Limits::Usual).await?;
        let (noisy, calm) = (tenant(&server).await?, tenant(&server).await?);
        fill(&server, &noisy, args).await?;
        quiet = measure(&server, &calm, args.seconds).await?;
        let stop = AtomicBool::new(false);
        let connections = u32::try_from(NOISE * args.connections)?;
        let pace = Duration::from_secs(1) * connections / args.rate.max(1);
        let counts = (AtomicU64::new(0), AtomicU64::new(0));
        let noise = try_join_all(
            (0..NOISE * args.connections)
                .map(|number| ask_on(&server, &noisy, (number, pace), &stop, &counts)),
        );
        let beside = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let measured = measure(&server, &calm, args.seconds).await;
            stop.store(true, Ordering::Relaxed);
            measured
        };
        let (measured, noise) = tokio::join!(beside, noise);
        (loud, _) = (measured?, noise?);
        for (door, ratios) in ratios.iter_mut().enumerate() {
            ratios.push(loud[door] / quiet[door]);
        }
        asked = (
            counts.0.load(Ordering::Relaxed),
            counts.1.load(Ordering::Relaxed),
        );
    }
    progress.end();
    let figures = DOORS
        .iter()
        .zip(ratios)
        .enumerate()
        .map(|(door, ((_, name), ratios))| {
            let beside = format!(
                "{:.2} ms alone, {:.2} ms beside it",
                quiet[door], loud[door]
            );
            Figure::new(name, "x", ratios, beside)
        });
    let mut figures: Vec<_> = figures.collect();
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let rate = asked.0 as f64 / args.seconds as f64;
    let beside = format!("{} of {} were refused", asked.1, asked.0);
    figures.push(Figure::new(
        "what the other tenant asked",
        "per second",
        vec![rate],
        beside,
    ));
    print(&figures, args.json);
    Ok(())
}

async fn tenant(server: &Server) -> anyhow::Result<Tenant> {
    let body = json!({
        "name": "Tenant", "hs256_secret": JWT_SECRET, "guests": true,
        "items": [{ "sku": "sword", "name": "Sword", "price": { "amount": "1.99", "currency": "USD" } }],
    });
    let mut client = Client::connect(&server.dialer).await?;
    let body = body.to_string();
    let made = client
        .send(&request("POST", "/v1/projects", ROOT_KEY, "", &body))
        .await?;
    let made: Value = serde_json::from_slice(made.body)?;
    Ok(Tenant {
        project: made["project_id"].as_u64().context("no project id")?,
        api_key: made["api_key"].as_str().context("no API key")?.to_owned(),
    })
}

/// With the operator's key, which has no limit.
async fn fill(server: &Server, tenant: &Tenant, args: &FairnessArgs) -> anyhow::Result<()> {
    let made = AtomicU64::new(0);
    let fill = async |_| -> anyhow::Result<()> {
        let mut client = Client::connect(&server.dialer).await?;
        while made.fetch_add(1, Ordering::Relaxed) < args.orders as u64 {
            let create = create(tenant, ROOT_KEY, "user");
            let answer = client.send(&create).await?;
            ensure!(answer.status == 201, "{} instead of 201", answer.status);
        }
        Ok(())
    };
    try_join_all((0..64).map(fill)).await?;
    // An endpoint that is not there: every event is tried again and again.
    let body = json!({ "url": "http://127.0.0.1:9/webhooks" }).to_string();
    let path = format!("/v1/projects/{}/endpoints", tenant.project);
    let mut client = Client::connect(&server.dialer).await?;
    let answer = client
        .send(&request("POST", &path, ROOT_KEY, "", &body))
        .await?;
    ensure!(answer.status == 201, "{} instead of 201", answer.status);
    Ok(())
}

fn create(tenant: &Tenant, key: &str, user: &str) -> Vec<u8> {
    let path = format!("/v1/projects/{}/orders", tenant.project);
    let body =
        format!(r#"{{"user_external_id":"{user}","price":{{"amount":"1.99","currency":"USD"}}}}"#);
    request("POST", &path, key, "", &body)
}

/// The p99 of each door, milliseconds. Every answer must be a success.
async fn measure(
    server: &Server,
    tenant: &Tenant,
    seconds: u64,
) -> anyhow::Result<[f64; DOORS.len()]> {
    let mut client = Client::connect(&server.dialer).await?;
    let orders = format!("/v1/projects/{}/orders", tenant.project);
    let key = &tenant.api_key;
    let make = create(tenant, key, "calm");
    let list = request("GET", &orders, key, "", "");
    let feed = format!("/v1/projects/{}/events?limit=10", tenant.project);
    let feed = request("GET", &feed, key, "", "");
    let health = request("GET", "/health", "", "", "");
    let mut latencies = Vec::new();
    for _ in DOORS {
        latencies.push(Latencies::new()?);
    }
    let mut order = 0;
    let until = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < until {
        for (door, (name, _)) in DOORS.iter().enumerate() {
            let path = format!("{orders}/{order}");
            let read = request("GET", &path, key, "", "");
            let asked = match *name {
                "create" => &make,
                "read" => &read,
                "list" => &list,
                "feed" => &feed,
                _ => &health,
            };
            let started = Instant::now();
            let answer = client.send(asked).await?;
            latencies[door].record(started.elapsed());
            ensure!(
                (200..300).contains(&answer.status),
                "{name}: {} for a tenant within its limits",
                answer.status
            );
            if *name == "create" {
                order = order_id(answer.body)?;
            }
        }
        tokio::time::sleep(PACE).await;
    }
    let mut p99s = [0.0; DOORS.len()];
    for (p99, latencies) in p99s.iter_mut().zip(&latencies) {
        *p99 = latencies.percentile(99.0).as_secs_f64() * 1e3;
    }
    Ok(p99s)
}

/// Doors of the tenant that asks as fast as it can.
const NOISE: usize = 8;

/// One connection that asks at its pace, whatever it is answered.
async fn ask_on(
    server: &Server,
    tenant: &Tenant,
    (number, pace): (usize, Duration),
    stop: &AtomicBool,
    (asked, refused): &(AtomicU64, AtomicU64),
) -> anyhow::Result<()> {
    let project = tenant.project;
    let v1 = format!("/v1/projects/{project}");
    let v2 = format!("/api/v2/project/{project}");
    let key = &tenant.api_key;
    let get = |path: String| request("GET", &path, key, "", "");
    let mut client = Client::connect(&server.dialer).await?;
    let mut round = 0_u64;
    let mut next = tokio::time::interval(pace);
    // What is answered late is not asked for again.
    next.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !stop.load(Ordering::Relaxed) {
        next.tick().await;
        round += 1;
        let asking = match number % NOISE {
            0 => create(tenant, key, &format!("user-{round}")),
            1 => {
                let path = format!("/api/v3/project/{project}/admin/order/search");
                request("POST", &path, key, "", r#"{"limit":10,"offset":9990}"#)
            }
            2 => get(format!("{v1}/orders?flag=paid_over&limit=100")),
            3 => get(format!("{v1}/events?unacknowledged=true&limit=1000")),
            4 => get(format!("{v1}/inbox?state=parked")),
            5 => get(format!("{v1}/events?after=9007199254740991&wait=1")),
            6 => {
                let guest = format!("x-unauthorized-id: {number}-{round}\r\n");
                let path = format!("{v2}/cart/item/sword");
                let body = r#"{"quantity":1}"#;
                let asking = request("PUT", &path, "", &guest, body);
                let text = String::from_utf8(asking)?;
                text.replace("authorization: Bearer \r\n", "").into_bytes()
            }
            _ => {
                let user = UserId::new(&format!("buyer-{}", round % 1_000))?;
                let jwt = crate::token::mint_hs256(JWT_SECRET, &user)?;
                let path = format!("{v2}/payment/item/sword");
                request("POST", &path, &jwt, "", "{}")
            }
        };
        let answer = client.send(&asking).await?;
        asked.fetch_add(1, Ordering::Relaxed);
        if answer.status >= 400 {
            refused.fetch_add(1, Ordering::Relaxed);
        }
    }
    Ok(())
}
