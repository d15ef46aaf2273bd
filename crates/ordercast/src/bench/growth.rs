//! `ordercast bench growth`: what a year of a shop costs: a change, reads, lists, the hourly upkeep, a
//! backup. How each figure is made stands in bench/README.md.

use super::{
    folder,
    orders::{open_at, project, submit},
    progress::Progress,
    report::{Figure, Latencies, print},
};
use anyhow::{Context, bail};
use clap::Args;
use futures_util::future::try_join_all;
use ordercast_core::{
    OrderId, Timestamp, UserId,
    money::{Currency, Money},
    order::{Actor, Cause, Content, Mode, Request, Target},
};
use ordercast_server::{
    DATABASE, clock,
    jobs::{Retention, prune},
};
use ordercast_store::{
    Change, Feed, Idempotency, NewOrder, Outcome, Rendered, RequestKey, Scope, Store, Submission,
    backup, list::OrderFilter, search::OrderSearch,
};
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

const AFTER_HELP: &str = "\
Makes a database with a year of orders below --folder, which decides the disk that is measured: each was
made with an idempotency key, paid and done. A million orders take a minute or two and 1.5 GB.

Example:
  ordercast bench growth --orders 12000000 --folder /srv/bench";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct GrowthArgs {
    /// Orders of the year
    #[arg(long, default_value_t = 1_000_000)]
    orders: u64,
    /// Times that each operation is timed
    #[arg(long, default_value_t = 2_000)]
    times: u64,
    /// Where to make the folders of the databases
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
/// Orders of the database that the large one is measured against.
const SMALL: u64 = 2_000;
const AT_ONCE: u64 = 250;
/// A buyer comes so often.
const ORDERS_PER_BUYER: u64 = 4;

/// A shop and what of it is known.
struct Shop {
    store: Store,
    orders: Vec<OrderId>,
}

pub async fn run(args: &GrowthArgs) -> anyhow::Result<()> {
    let progress = Progress::new();
    let small_folder = folder(args.folder.as_deref())?;
    let small = fill(&small_folder.path().join(DATABASE), SMALL, &progress).await?;
    let large_folder = folder(args.folder.as_deref())?;
    let path = large_folder.path().join(DATABASE);
    let large = fill(&path, args.orders, &progress).await?;
    let orders = large.orders;
    drop(large.store);
    std::fs::File::open(&path)?.sync_all()?;
    let began = Instant::now();
    let store = open_at(&path, clock::now()).await?;
    let started = began.elapsed();
    let large = Shop { store, orders };

    let mut figures = vec![seconds("start", started)];
    progress.count("operations", usize::try_from(args.times)?);
    for (name, operation) in OPERATIONS {
        let (of_small, of_large) = (
            time(&small, operation, args.times.min(SMALL)).await?,
            time(&large, operation, args.times).await?,
        );
        let beside = format!("{of_large:.2} ms, {of_small:.2} ms with {SMALL} orders");
        figures.push(Figure::new(name, "x", vec![of_large / of_small], beside));
    }

    let copy = large_folder.path().join("copy.db");
    let began = Instant::now();
    backup(&path, &copy, clock::now(), &mut |_| ())?;
    figures.push(seconds("backup", began.elapsed()));
    figures.push(mib("the database", std::fs::metadata(&path)?.len()));
    std::fs::remove_file(&copy)?;

    progress.count("upkeep", 1);
    figures.extend(upkeep(&large).await?);
    drop(large.store);
    figures.push(mib(
        "the database after upkeep",
        std::fs::metadata(&path)?.len(),
    ));
    progress.end();
    print(&figures, args.json);
    Ok(())
}

fn seconds(name: &'static str, time: Duration) -> Figure {
    Figure::new(name, "s", vec![time.as_secs_f64()], String::new())
}

#[expect(clippy::cast_precision_loss, reason = "a size")]
fn mib(name: &'static str, bytes: u64) -> Figure {
    Figure::new(name, "MiB", vec![bytes as f64 / 1_048_576.0], String::new())
}

/// Orders over the year until now, each made with a key, paid and done.
async fn fill(path: &Path, count: u64, progress: &Progress) -> anyhow::Result<Shop> {
    progress.count("orders", usize::try_from(count)?);
    let begin = clock::now().minus(YEAR);
    let store = open_at(path, begin).await?;
    let step = YEAR.as_secs_f64() / std::time::Duration::from_secs(count).as_secs_f64();
    let mut orders = Vec::with_capacity(usize::try_from(count)?);
    let mut first = 0;
    while first < count {
        let numbers = first..(first + AT_ONCE).min(count);
        first = numbers.end;
        #[expect(clippy::cast_precision_loss, reason = "a time within a year")]
        let at = begin.plus(Duration::from_secs_f64(step * first as f64));
        let made = try_join_all(numbers.map(|number| make(&store, number, at))).await?;
        for target in [Target::Paid, Target::Done] {
            try_join_all(made.iter().map(|order| become_(&store, *order, target, at))).await?;
        }
        progress.some(made.len());
        orders.extend(made);
    }
    Ok(Shop { store, orders })
}

fn cause(at: Timestamp) -> Cause {
    Cause {
        actor: Actor::ApiKey("oc_api_bench".to_owned()),
        reason: "bench".to_owned(),
        at,
    }
}

async fn make(store: &Store, number: u64, at: Timestamp) -> anyhow::Result<OrderId> {
    let price = Some(Money::new(199, Currency::new("USD")?)?);
    let new = NewOrder {
        project: project()?,
        id: None,
        user: UserId::new(&format!("user-{}", number / ORDERS_PER_BUYER))?,
        mode: Mode::Default,
        content: Content::new(price, Vec::new()),
        lifetime: None,
        token_hash: None,
        cause: cause(at),
    };
    let idempotency = Idempotency {
        key: RequestKey {
            project: project()?,
            scope: Scope::new("POST /orders", &[], String::new()),
            key: format!("{:016x}", number.wrapping_mul(0x9E37_79B9_7F4A_7C15)),
            body_hash: [0; 32],
        },
        render: Arc::new(|_| Rendered {
            status: 201,
            body: "x".repeat(200),
        }),
    };
    let submission = Submission {
        change: Change::CreateOrder(Box::new(new)),
        at,
        idempotency: Some(idempotency),
    };
    match store.submit(submission).await? {
        Outcome::Order(applied) => Ok(applied.order().id),
        other => bail!("not created: {other:?}"),
    }
}

async fn become_(
    store: &Store,
    order: OrderId,
    target: Target,
    at: Timestamp,
) -> anyhow::Result<()> {
    let change = Change::Request {
        project: project()?,
        order,
        request: Request::Become(target),
        if_version: None,
        cause: cause(at),
    };
    let submission = Submission {
        change,
        at,
        idempotency: None,
    };
    store.submit(submission).await?;
    Ok(())
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    Change,
    Read,
    List,
    Search,
    Feed,
}

const OPERATIONS: [(&str, Operation); 5] = [
    ("p99 of a change, ratio", Operation::Change),
    ("p99 of a read, ratio", Operation::Read),
    ("p99 of a list, ratio", Operation::List),
    ("p99 of a search, ratio", Operation::Search),
    ("p99 of the unacknowledged feed, ratio", Operation::Feed),
];

/// A prime: its multiples visit orders all over the database.
const STRIDE: u64 = 2_654_435_761;

/// The p99, milliseconds, of an operation after the other.
async fn time(shop: &Shop, operation: Operation, times: u64) -> anyhow::Result<f64> {
    let (store, project) = (&shop.store, project()?);
    let mut latencies = Latencies::new()?;
    for round in 0..times {
        let place = round.wrapping_mul(STRIDE) % shop.orders.len() as u64;
        let order = shop.orders[usize::try_from(place)?];
        let began = Instant::now();
        match operation {
            Operation::Change => {
                make(store, u64::MAX - round, clock::now()).await?;
            }
            Operation::Read => {
                let found = store.order(project, order).await?;
                found.context("an order is not there")?;
            }
            Operation::List => {
                let filter = OrderFilter {
                    user: Some(UserId::new(&format!("user-{}", place / ORDERS_PER_BUYER))?),
                    ..OrderFilter::default()
                };
                store.orders(project, filter, None, 20).await?;
            }
            Operation::Search => {
                let search = OrderSearch {
                    from: None,
                    until: None,
                    offset: u32::try_from(place.min(1_000))?,
                    limit: 10,
                };
                store.search_orders(project, search).await?;
            }
            Operation::Feed => {
                store.events(project, Feed::Unacknowledged, 0, 100).await?;
            }
        }
        latencies.record(began.elapsed());
    }
    Ok(latencies.percentile(99.0).as_secs_f64() * 1e3)
}

/// The hourly upkeep, when all but the last month may go, beside a change every few milliseconds.
async fn upkeep(shop: &Shop) -> anyhow::Result<[Figure; 4]> {
    let alone = longest(shop, tokio::time::sleep(Duration::from_secs(5))).await?;
    let keep = Retention {
        idempotency_days: 7,
        inbox_days: Some(30),
        parked_days: 30,
        publication_days: Some(30),
        delivery_days: Some(30),
        guest_order_days: 3,
        recoverable: Duration::from_secs(600),
    };
    let began = Instant::now();
    let mut deleted = 0;
    let beside = longest(shop, async {
        deleted = prune(&shop.store, clock::now(), keep).await.unwrap_or(0);
    })
    .await?;
    let took = began.elapsed();
    let of = format!(
        "{:.2} ms without it; p99 {:.2} ms, {:.2} ms without it",
        alone.0, beside.1, alone.1
    );
    #[expect(clippy::cast_precision_loss, reason = "a count")]
    let deleted = deleted as f64;
    Ok([
        Figure::new("longest change beside upkeep", "ms", vec![beside.0], of),
        Figure::new(
            "rows that upkeep deleted",
            "rows",
            vec![deleted],
            String::new(),
        ),
        Figure::new(
            "rows a second",
            "per second",
            vec![deleted / took.as_secs_f64()],
            String::new(),
        ),
        seconds("upkeep", took),
    ])
}

/// The longest change until `meanwhile` is over, and the p99, milliseconds.
async fn longest(shop: &Shop, meanwhile: impl Future<Output = ()>) -> anyhow::Result<(f64, f64)> {
    let over = AtomicBool::new(false);
    let changes = async {
        let mut latencies = Latencies::new()?;
        let (mut longest, mut number) = (Duration::ZERO, 0);
        while !over.load(Ordering::Relaxed) {
            let place = usize::try_from(number * STRIDE % shop.orders.len() as u64)?;
            number += 1;
            let change = Change::Request {
                project: project()?,
                order: shop.orders[place],
                request: Request::Review(number.is_multiple_of(2)),
                if_version: None,
                cause: cause(clock::now()),
            };
            let began = Instant::now();
            submit(&shop.store, change).await?;
            let took = began.elapsed();
            latencies.record(took);
            longest = longest.max(took);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let millis = |time: Duration| time.as_secs_f64() * 1e3;
        anyhow::Ok((millis(longest), millis(latencies.percentile(99.0))))
    };
    let meanwhile = async {
        meanwhile.await;
        over.store(true, Ordering::Relaxed);
    };
    let (changes, ()) = tokio::join!(changes, meanwhile);
    changes
}
