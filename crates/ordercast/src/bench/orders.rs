//! `ordercast bench orders`. How each figure is made stands in bench/README.md.

use super::{
    folder,
    http::{Client, request},
    order_id, process,
    progress::Progress,
    report::{Figure, Latencies, median, print},
    server::{JWT_SECRET, Server},
    sync_micros,
};
use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use futures_util::future::{join_all, try_join_all};
use ordercast_core::{
    OrderId, ProjectId, Timestamp, UserId,
    money::{Currency, Money},
    order::{Actor, Cause, Content, Mode, Request, Target},
};
use ordercast_server::{DATABASE, clock};
use ordercast_store::{Change, NewOrder, NewProject, Outcome, Settings, Store, Submission, backup};
use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

const AFTER_HELP: &str = "\
Starts servers of its own on fresh folders below --folder, which decides the disk that is measured.
Server and generator share the machine: leave it alone meanwhile.

Examples:
  ordercast bench orders
  ordercast bench orders --orders 5000000 --json > orders.json";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct OrdersArgs {
    /// Keep-alive connections that publish changes
    #[arg(long, default_value_t = 64)]
    publishers: usize,
    /// Keep-alive connections that poll
    #[arg(long, default_value_t = 32)]
    pollers: usize,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Times that each measurement is made; the median is given
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Orders in the database for the measurement of growth; 0 leaves it out
    #[arg(long, default_value_t = 0)]
    orders: usize,
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
    /// Durable changes over HTTP
    Changes,
    /// The writer without HTTP, and the size on disk
    Writer,
    /// Get order
    Polling,
    /// A large database against an empty one
    Growth,
}

pub async fn run(args: &OrdersArgs) -> anyhow::Result<()> {
    let wanted = |part| args.only.is_none_or(|only| only == part);
    let (progress, mut figures) = (Progress::new(), Vec::new());
    if wanted(Part::Changes) {
        figures.extend(changes(args, &progress).await?);
    }
    if wanted(Part::Writer) {
        figures.extend(writer(args, &progress).await?);
    }
    if wanted(Part::Polling) {
        figures.push(polling(args, &progress).await?);
    }
    if wanted(Part::Growth) && args.orders > 0 {
        figures.extend(growth(args, &progress).await?);
    }
    progress.end();
    print(&figures, args.json);
    Ok(())
}

async fn changes(args: &OrdersArgs, progress: &Progress) -> anyhow::Result<[Figure; 2]> {
    let (mut changes, mut p99s, mut syncs) = (Vec::new(), Vec::new(), Vec::new());
    for run in 0..args.runs {
        progress.run("durable changes", run, args.runs);
        let folder = folder(args.folder.as_deref())?;
        syncs.push(sync_micros(folder.path())?);
        let server = Server::start(folder.path()).await?;
        let (rate, latencies) = publish(&server, args.publishers, args.seconds).await?;
        changes.push(rate);
        p99s.push(millis(latencies.percentile(99.0)));
    }
    let name = "acknowledged durable changes";
    Ok([
        Figure::new(name, "per second", changes, disk(&syncs)),
        Figure::new("p99 of a change", "ms", p99s, String::new()),
    ])
}

async fn writer(args: &OrdersArgs, progress: &Progress) -> anyhow::Result<[Figure; 2]> {
    let (mut alone, mut sizes, mut syncs) = (Vec::new(), Vec::new(), Vec::new());
    for run in 0..args.runs {
        progress.run("the writer alone", run, args.runs);
        let folder = folder(args.folder.as_deref())?;
        syncs.push(sync_micros(folder.path())?);
        let (rate, size) = write_alone(folder.path(), args.seconds).await?;
        alone.push(rate);
        sizes.push(size);
    }
    let name = "the writer alone, batches of 100";
    let size = "size of an order with four changes";
    Ok([
        Figure::new(name, "per second", alone, disk(&syncs)),
        Figure::new(size, "bytes", sizes, String::new()),
    ])
}

async fn polling(args: &OrdersArgs, progress: &Progress) -> anyhow::Result<Figure> {
    let (mut per_core, mut per_second) = (Vec::new(), Vec::new());
    for run in 0..args.runs {
        progress.run("get order", run, args.runs);
        let folder = folder(args.folder.as_deref())?;
        let server = Server::start(folder.path()).await?;
        let (core, second) = poll(&server, args.pollers, args.seconds).await?;
        per_core.push(core);
        per_second.push(second);
    }
    let beside = format!("{:.0} per second in all", median(&per_second));
    let name = "get order, half 304";
    Ok(Figure::new(name, "per CPU second", per_core, beside))
}

fn disk(syncs: &[f64]) -> String {
    format!("one fdatasync takes {:.0} us", median(syncs))
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Changes per second over HTTP: each publisher makes an order, pays it, completes it, cancels it,
/// and again.
async fn publish(
    server: &Server,
    publishers: usize,
    seconds: u64,
) -> anyhow::Result<(f64, Latencies)> {
    let stop = AtomicBool::new(false);
    let count = AtomicU64::new(0);
    let publisher = async |number: usize| -> anyhow::Result<Latencies> {
        let mut latencies = Latencies::new()?;
        let mut client = Client::connect(&server.dialer).await?;
        let orders = format!("/v1/projects/{}/orders", server.project);
        let body = format!(
            r#"{{"user_external_id":"user-{number}","price":{{"amount":"1.99","currency":"USD"}}}}"#
        );
        let create = request("POST", &orders, &server.api_key, "", &body);
        'all: loop {
            let mut order = 0;
            for step in 0..4 {
                if stop.load(Ordering::Relaxed) {
                    break 'all;
                }
                let path = format!("{orders}/{order}/transitions");
                let change = match step {
                    0 => create.clone(),
                    1 => request("POST", &path, &server.api_key, "", r#"{"to":"paid"}"#),
                    2 => request("POST", &path, &server.api_key, "", r#"{"to":"done"}"#),
                    _ => request("POST", &path, &server.api_key, "", r#"{"to":"canceled"}"#),
                };
                let started = Instant::now();
                let answer = client.send(&change).await?;
                if !(200..300).contains(&answer.status) {
                    bail!(
                        "{}: {}",
                        answer.status,
                        String::from_utf8_lossy(answer.body)
                    );
                }
                latencies.record(started.elapsed());
                count.fetch_add(1, Ordering::Relaxed);
                if step == 0 {
                    order = order_id(answer.body)?;
                }
            }
        }
        Ok(latencies)
    };
    let timer = async {
        // Warm caches, then count.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let (before, started) = (count.load(Ordering::Relaxed), Instant::now());
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        let done = count.load(Ordering::Relaxed) - before;
        stop.store(true, Ordering::Relaxed);
        per_second(done, started.elapsed())
    };
    let all = try_join_all((0..publishers).map(publisher));
    let (rate, latencies) = tokio::join!(timer, all);
    let mut sum = Latencies::new()?;
    for one in latencies? {
        sum.add(&one)?;
    }
    Ok((rate, sum))
}

#[expect(clippy::cast_precision_loss, reason = "a rate")]
fn per_second(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

/// The store without HTTP: four changes an order, 100 callers at a time. Also the bytes on disk of
/// such an order.
async fn write_alone(folder: &Path, seconds: u64) -> anyhow::Result<(f64, f64)> {
    let path = folder.join(DATABASE);
    let (store, project) = (open(&path).await?, project()?);
    let (mut changes, mut orders) = (0_u64, 0_u64);
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(seconds) {
        let ids = create(&store, orders, 100).await?;
        for target in [Target::Paid, Target::Done, Target::Canceled] {
            let asked = ids
                .iter()
                .map(|id| submit(&store, transition(project, *id, target)));
            try_join_all(asked).await?;
        }
        orders += 100;
        changes += 400;
    }
    let rate = per_second(changes, started.elapsed());
    drop(store);
    let copy = folder.join("copy.db");
    let bytes = backup(&path, &copy, clock::now(), &mut |_| ())?;
    Ok((rate, per_second(bytes, Duration::from_secs(orders))))
}

const PROJECT: i64 = 1;

pub(super) fn project() -> anyhow::Result<ProjectId> {
    Ok(ProjectId::new(PROJECT)?)
}

async fn open(path: &Path) -> anyhow::Result<Store> {
    open_at(path, clock::now()).await
}

/// As at that time: what is written then is not younger.
pub(super) async fn open_at(path: &Path, now: Timestamp) -> anyhow::Result<Store> {
    let store = Store::open(path, now, 1, |_| ())?;
    let new = NewProject {
        id: Some(project()?),
        name: "Benchmark".to_owned(),
        settings: Settings::default(),
        credentials: Vec::new(),
        sources: Vec::new(),
        items: Vec::new(),
    };
    submit(&store, Change::CreateProject(Box::new(new))).await?;
    Ok(store)
}

pub(super) async fn submit(store: &Store, change: Change) -> anyhow::Result<Outcome> {
    let at = clock::now();
    let submission = Submission {
        change,
        at,
        idempotency: None,
    };
    Ok(store.submit(submission).await?)
}

fn cause() -> Cause {
    Cause {
        actor: Actor::ApiKey("oc_api_bench".to_owned()),
        reason: "bench".to_owned(),
        at: clock::now(),
    }
}

/// `count` new orders at once, each of a user of its own.
async fn create(store: &Store, first: u64, count: u64) -> anyhow::Result<Vec<OrderId>> {
    let price = Some(Money::new(199, Currency::new("USD")?)?);
    let changes = (first..first + count).map(|number| {
        let new = NewOrder {
            project: project()?,
            id: None,
            user: UserId::new(&format!("user-{number}"))?,
            mode: Mode::Default,
            content: Content::new(price, Vec::new()),
            lifetime: None,
            token_hash: None,
            cause: cause(),
        };
        Ok(Change::CreateOrder(Box::new(new)))
    });
    let changes = changes.collect::<anyhow::Result<Vec<_>>>()?;
    let outcomes = join_all(changes.into_iter().map(|change| submit(store, change))).await;
    outcomes
        .into_iter()
        .map(|outcome| match outcome? {
            Outcome::Order(applied) => Ok(applied.order().id),
            other => bail!("not created: {other:?}"),
        })
        .collect()
}

fn transition(project: ProjectId, order: OrderId, target: Target) -> Change {
    Change::Request {
        project,
        order,
        request: Request::Become(target),
        if_version: None,
        cause: cause(),
    }
}

/// Requests per second of the server's CPU time, and in all.
async fn poll(server: &Server, pollers: usize, seconds: u64) -> anyhow::Result<(f64, f64)> {
    let stop = AtomicBool::new(false);
    let count = AtomicU64::new(0);
    let poller = async |number: usize| -> anyhow::Result<()> {
        let user = format!("user-{number}");
        let mut client = Client::connect(&server.dialer).await?;
        let orders = format!("/v1/projects/{}/orders", server.project);
        let body = format!(
            r#"{{"user_external_id":"{user}","price":{{"amount":"1.99","currency":"USD"}}}}"#
        );
        let made = client
            .send(&request("POST", &orders, &server.api_key, "", &body))
            .await?;
        let order = order_id(made.body)?;
        let path = format!("/api/v2/project/{}/order/{order}", server.project);
        let jwt = crate::token::mint_hs256(JWT_SECRET, &UserId::new(&user)?)?;
        let plain = request("GET", &path, &jwt, "", "");
        let answer = client.send(&plain).await?;
        let etag = answer.header("etag").context("no ETag")?.to_owned();
        let header = format!("if-none-match: {etag}\r\n");
        let conditional = request("GET", &path, &jwt, &header, "");
        while !stop.load(Ordering::Relaxed) {
            for (asked, status) in [(&plain, 200), (&conditional, 304)] {
                let answer = client.send(asked).await?;
                if answer.status != status {
                    bail!("{} instead of {status}", answer.status);
                }
            }
            count.fetch_add(2, Ordering::Relaxed);
        }
        Ok(())
    };
    let timer = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let (before, cpu, started) = (
            count.load(Ordering::Relaxed),
            process::cpu(server.pid()),
            Instant::now(),
        );
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        let done = count.load(Ordering::Relaxed) - before;
        let used = process::cpu(server.pid())?.saturating_sub(cpu?);
        stop.store(true, Ordering::Relaxed);
        anyhow::Ok((per_second(done, used), per_second(done, started.elapsed())))
    };
    let all = try_join_all((0..pollers).map(poller));
    let (figures, all) = tokio::join!(timer, all);
    all?;
    figures
}

/// Change and get at p99 in a database of many orders, as ratios to an empty one.
async fn growth(args: &OrdersArgs, progress: &Progress) -> anyhow::Result<[Figure; 2]> {
    let (mut changes, mut gets) = (Vec::new(), Vec::new());
    progress.run("growth", 0, args.runs);
    progress.count("orders of a full database", args.orders);
    let full = folder(args.folder.as_deref())?;
    let path = full.path().join(DATABASE);
    let store = open(&path).await?;
    let mut made = 0;
    while made < args.orders as u64 {
        create(&store, made, 500).await?;
        made += 500;
        progress.some(500);
    }
    // What was written goes to the disk now, not while others are timed.
    drop(store);
    std::fs::File::open(&path)?.sync_all()?;
    let store = open(&path).await?;
    for run in 0..args.runs {
        progress.run("growth", run, args.runs);
        let empty = folder(args.folder.as_deref())?;
        let fresh = open(&empty.path().join(DATABASE)).await?;
        // Until its log has been written round once: a log that grows costs more at every sync.
        for first in (0..SMALL).step_by(400) {
            create(&fresh, first, 400).await?;
        }
        let small = p99s(&fresh, SMALL, run).await?;
        let large = p99s(&store, made, run).await?;
        changes.push(large.0 / small.0);
        gets.push(large.1 / small.1);
    }
    let of = format!("{} orders against {SMALL}", args.orders);
    Ok([
        Figure::new("p99 of a change, ratio", "x", changes, of.clone()),
        Figure::new("p99 of get order, ratio", "x", gets, of),
    ])
}

/// Rounds that are not counted: what was written before is still on its way to the disk.
const WARM_UP: u64 = 100;
const ROUNDS: u64 = 1_000;
const AT_ONCE: u64 = 64;
/// Orders of the database that the large one is measured against: each is paid once.
const SMALL: u64 = (WARM_UP + ROUNDS) * AT_ONCE;
/// A prime: its multiples visit every order once before they visit one again.
const STRIDE: u64 = 2_654_435_761;

/// Of changes and of reads, 64 at a time, to orders all over the database.
async fn p99s(store: &Store, orders: u64, run: usize) -> anyhow::Result<(f64, f64)> {
    let (mut changes, mut gets, project) = (Latencies::new()?, Latencies::new()?, project()?);
    let mut next = u64::try_from(run)? * (WARM_UP + ROUNDS) * AT_ONCE;
    for round in 0..WARM_UP + ROUNDS {
        let ids = (next..next + AT_ONCE)
            .map(|at| {
                let number = at.wrapping_mul(STRIDE) % orders;
                Ok(OrderId::new(i64::try_from(1_000_001 + number)?)?)
            })
            .collect::<anyhow::Result<Vec<_>>>()?;
        next += AT_ONCE;
        let timed = ids.iter().map(async |id| {
            let started = Instant::now();
            match submit(store, transition(project, *id, Target::Paid)).await? {
                Outcome::Order(_) => anyhow::Ok(started.elapsed()),
                other => bail!("order {id} was not paid: {other:?}"),
            }
        });
        for took in try_join_all(timed).await? {
            if round >= WARM_UP {
                changes.record(took);
            }
        }
        let timed = ids.iter().map(async |id| {
            let started = Instant::now();
            let found = store.order(project, *id).await?;
            anyhow::ensure!(found.is_some(), "order {id} is not there");
            anyhow::Ok(started.elapsed())
        });
        for took in try_join_all(timed).await? {
            if round >= WARM_UP {
                gets.record(took);
            }
        }
    }
    Ok((
        millis(changes.percentile(99.0)),
        millis(gets.percentile(99.0)),
    ))
}
