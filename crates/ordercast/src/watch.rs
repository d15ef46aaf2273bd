//! `ordercast watch`: shows a buyer's orders as their statuses change.
//!
//! Invariant: it ends with success only after the final status that it was asked to wait for, or
//! because the user wanted it to end.

mod show;

use crate::hidden::Hidden;
use anyhow::{Context, anyhow};
use clap::Args;
use ordercast_client::{
    ConfigError, Encoding, OrderId, ProjectId, TrackError, Tracker, TrackerConfig, UserId,
};
use show::Output;
use std::io::{self, ErrorKind};
use std::pin::pin;
use time::OffsetDateTime;

const AFTER_HELP: &str = "\
Examples:
  export ORDERCAST_TOKEN=$(ordercast token --user alice)
  ordercast watch                                 every order of alice, until Ctrl-C
  ordercast watch --order 7                       ends when order 7 is done or canceled
  ordercast watch --order 7 --json | jq -r 'select(.event == \"status\").status'
  ordercast watch --url https://shop.example --project 44056

The token is what the buyer's client has: a user JWT, or the payment token that came with an order.
The connection is made again whenever it is lost, and what was missed is recovered. With --order,
the order is polled every 3 s while there is no connection.

How a status came: pushed as it happened (or up to 10 minutes ago, at the start), recovered after a
lost connection, read from the history, or polled from the order itself. Times are UTC.

With --json each line has `time` and `event`: connected, status, disconnected or gap.";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct WatchArgs {
    /// Base of the server
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// Project that the token is for
    #[arg(long, value_name = "ID", default_value = "1")]
    project: ProjectId,
    /// User JWT or payment token; in the environment it is hidden from other users of this machine
    #[arg(
        long,
        value_name = "TEXT",
        env = "ORDERCAST_TOKEN",
        hide_env_values = true
    )]
    token: Hidden,
    /// Refuse to watch unless the token is this buyer's
    #[arg(long, value_name = "ID")]
    user: Option<UserId>,
    /// Show only this order, and exit with 0 once it is done or canceled
    #[arg(long, value_name = "ID")]
    order: Option<OrderId>,
    /// Speak protobuf instead of JSON, as the mobile SDKs do
    #[arg(long)]
    protobuf: bool,
    /// Print every event as one JSON object a line
    #[arg(long)]
    json: bool,
}

/// Watches until the order is final, Ctrl-C is pressed or nobody reads stdout any more.
pub async fn run(args: WatchArgs) -> anyhow::Result<()> {
    let mut config = TrackerConfig::new(args.url.as_str(), args.project, args.token.as_str());
    config.user_external_id = args.user;
    config.order_id = args.order;
    config.until_final = args.order.is_some();
    if args.protobuf {
        config.encoding = Encoding::Protobuf;
    }
    let mut tracker = Tracker::new(&config).map_err(|error| {
        let option = match error {
            ConfigError::Token => "--token",
            _ => "--url",
        };
        anyhow!(error).context(format!("cannot use {option}"))
    })?;

    let output = Output::new(args.json, args.order);
    if let Err(error) = output.heading() {
        return end_of_output(error);
    }
    // One for the whole time: a key pressed between two of them would be lost.
    let mut interrupt = pin!(tokio::signal::ctrl_c());
    loop {
        let event = tokio::select! {
            event = tracker.next() => event,
            pressed = &mut interrupt => {
                return pressed.context("cannot wait for Ctrl-C");
            }
        };
        match event {
            Some(Ok(event)) => {
                if let Err(error) = output.show(OffsetDateTime::now_utc(), &event) {
                    return end_of_output(error);
                }
            }
            Some(Err(error)) => return Err(advise(error, args.project)),
            None => return Ok(()),
        }
    }
}

/// `ordercast watch | head -1` is no failure.
fn end_of_output(error: io::Error) -> anyhow::Result<()> {
    if error.kind() == ErrorKind::BrokenPipe {
        return Ok(());
    }
    Err(error).context("cannot write to stdout")
}

/// Names the option to change.
fn advise(error: TrackError, project: ProjectId) -> anyhow::Error {
    let advice = match &error {
        TrackError::Unauthorized { .. } => format!(
            "--token has run out, or is not for --project {project} or --user; the demo's are \
             made by `ordercast token --project {project} --user ID`"
        ),
        TrackError::OrderNotFound(_) => {
            "--order must be an order of the buyer whom --token belongs to".to_owned()
        }
        TrackError::NoWebSocket(_) | TrackError::Protocol(_) => {
            "--url must be the base of an Ordercast server, without a path of its API".to_owned()
        }
        _ => "the server ended it".to_owned(),
    };
    anyhow!(error).context(advice)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use clap::Parser;

    #[test]
    fn debug_output_of_the_options_leaves_out_the_token() {
        #[derive(Debug, Parser)]
        struct Cli {
            #[command(flatten)]
            args: WatchArgs,
        }
        let cli = Cli::try_parse_from(["watch", "--token", "geheim"]).unwrap();
        assert!(!format!("{cli:?}").contains("geheim"));
        assert!(Cli::try_parse_from(["watch", "--token", "t", "--order", "0"]).is_err());
    }
}
