//! `ordercast inbox`: what providers sent, what became of it, and what people do with the rest.

pub mod dry_run;
mod settle;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum InboxCommand {
    /// List what providers sent, newest first
    List(settle::ListArgs),
    /// Put an entry aside: it waits no longer and moves no order
    Dismiss(settle::DismissArgs),
    /// Say which order an entry is about
    Match(settle::MatchArgs),
    /// Ask what a body would change
    DryRun(dry_run::DryRunArgs),
}

pub async fn run(command: InboxCommand) -> anyhow::Result<()> {
    match command {
        InboxCommand::List(args) => settle::list(args).await,
        InboxCommand::Dismiss(args) => settle::dismiss(args).await,
        InboxCommand::Match(args) => settle::match_order(args).await,
        InboxCommand::DryRun(args) => dry_run::run(args).await,
    }
}
