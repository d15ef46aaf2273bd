//! `ordercast bench`: load generators, so that anybody can check our figures on their own machine.

mod http;
mod orders;
mod report;
mod server;

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub struct BenchArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Orders: durable changes, the writer alone, polling, growth, size on disk
    Orders(orders::OrdersArgs),
}

pub async fn run(args: BenchArgs) -> anyhow::Result<()> {
    match args.what {
        What::Orders(args) => orders::run(&args).await,
    }
}
