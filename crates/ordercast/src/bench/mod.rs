//! `ordercast bench`: load generators, so that anybody can check our figures on their own machine.

mod dial;
mod fairness;
mod growth;
mod http;
mod orders;
mod process;
mod progress;
mod realtime;
mod report;
mod server;
mod webhooks;

use anyhow::Context;
use clap::{Args, Subcommand};
use report::median;
use std::{io::Write, path::Path, time::Instant};

#[derive(Debug, Args)]
pub struct BenchArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Orders: durable changes, the writer alone, polling, growth, size on disk
    Orders(orders::OrdersArgs),
    /// Fairness: another tenant's answers beside one that asks a hundred times what it may
    Fairness(fairness::FairnessArgs),
    /// Growth: what a year of orders costs, and the upkeep of it
    Growth(growth::GrowthArgs),
    /// Realtime: idle buyers, churn, latency, bursts, reconnecting
    Realtime(Box<realtime::RealtimeArgs>),
    /// Webhooks: deliveries a second, healthy endpoints beside failing ones, memory of what waits
    Webhooks(webhooks::WebhooksArgs),
}

pub async fn run(args: BenchArgs) -> anyhow::Result<()> {
    match args.what {
        What::Orders(args) => orders::run(&args).await,
        What::Fairness(args) => fairness::run(&args).await,
        What::Growth(args) => growth::run(&args).await,
        What::Realtime(args) => realtime::run(&args).await,
        What::Webhooks(args) => webhooks::run(&args).await,
    }
}

fn folder(parent: Option<&Path>) -> anyhow::Result<tempfile::TempDir> {
    match parent {
        Some(folder) => tempfile::tempdir_in(folder),
        None => tempfile::tempdir(),
    }
    .context("cannot make a folder for the database")
}

/// The median of a few, microseconds: what one commit cannot be faster than.
fn sync_micros(folder: &Path) -> anyhow::Result<f64> {
    let mut file = std::fs::File::create(folder.join("probe"))?;
    let mut times = Vec::new();
    for _ in 0..101 {
        file.write_all(&[0; 4096])?;
        let started = Instant::now();
        file.sync_data()?;
        times.push(started.elapsed().as_secs_f64() * 1e6);
    }
    Ok(median(&times))
}

fn order_id(body: &[u8]) -> anyhow::Result<u64> {
    let answer: serde_json::Value = serde_json::from_slice(body)?;
    answer["order_id"].as_u64().context("no order_id")
}
