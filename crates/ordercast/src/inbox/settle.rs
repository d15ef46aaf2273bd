//! `ordercast inbox list`, `dismiss` and `match`: webhooks that found no order, or that nobody understood.

use crate::project_api::ProjectArgs;
use anyhow::Context;
use clap::{Args, ValueEnum};
use ordercast_core::OrderId;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

const LIST_HELP: &str = "\
Examples:
  ordercast inbox list --attention
  ordercast inbox list --state parked --limit 20
  ordercast inbox list --before 1200 --json

--attention shows what a person should look at: match it with its order, or dismiss it.";

const DISMISS_HELP: &str = "\
Examples:
  ordercast inbox dismiss 1234 --reason \"a payment of our other shop\"";

const MATCH_HELP: &str = "\
Examples:
  ordercast inbox match 1234 --order 1000001

The order hears the webhook as if it had been named, and so it does what comes of the same payment later.
Its history says which key did it.";

#[derive(Clone, Copy, Debug, ValueEnum)]
enum State {
    Applied,
    Ignored,
    Parked,
    Unknown,
    Rejected,
    Expired,
    Dismissed,
}

#[derive(Debug, Args)]
#[command(after_help = LIST_HELP)]
pub struct ListArgs {
    #[command(flatten)]
    project: ProjectArgs,
    /// Only these
    #[arg(long)]
    state: Option<State>,
    /// Only what a person should look at
    #[arg(long)]
    attention: bool,
    /// Only those behind this entry
    #[arg(long, value_name = "ID")]
    before: Option<i64>,
    /// At most so many
    #[arg(long, value_name = "COUNT", default_value_t = 50,
          value_parser = clap::value_parser!(u32).range(1..=1_000))]
    limit: u32,
    /// Print the server's answer
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = DISMISS_HELP)]
pub struct DismissArgs {
    #[command(flatten)]
    project: ProjectArgs,
    /// The entry, as the list shows it
    #[arg(value_name = "ID")]
    id: i64,
    /// Why, for whoever asks later
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

#[derive(Debug, Args)]
#[command(after_help = MATCH_HELP)]
pub struct MatchArgs {
    #[command(flatten)]
    project: ProjectArgs,
    /// The entry, as the list shows it
    #[arg(value_name = "ID")]
    id: i64,
    /// The order that it is about
    #[arg(long, value_name = "ID")]
    order: OrderId,
}

#[derive(Debug, Deserialize)]
struct Entries {
    entries: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    id: i64,
    source: String,
    kind: String,
    state: String,
    reason: String,
    order_id: Option<u32>,
    attention: Option<String>,
    received_at: String,
}

#[derive(Debug, Deserialize)]
struct Handled {
    id: i64,
    state: String,
    reason: String,
}

pub async fn list(args: ListArgs) -> anyhow::Result<()> {
    let mut query = vec![("limit", args.limit.to_string())];
    if let Some(state) = args.state {
        let word = format!("{state:?}").to_ascii_lowercase();
        query.push(("state", word));
    }
    if args.attention {
        query.push(("attention", "true".to_owned()));
    }
    if let Some(before) = args.before {
        query.push(("before", before.to_string()));
    }
    let query: String = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(query)
        .finish();
    let api = args.project.api()?;
    let request = api.request(Method::GET, &format!("inbox?{query}"));
    let answer: Value = api.send(request).await?.json().await?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&answer)?);
        return Ok(());
    }
    let found: Entries = serde_json::from_value(answer).context("the answer is not understood")?;
    if found.entries.is_empty() {
        println!("nothing");
    }
    for entry in &found.entries {
        println!("{}", shown(entry));
    }
    Ok(())
}

pub async fn dismiss(args: DismissArgs) -> anyhow::Result<()> {
    let body = json!({ "reason": args.reason });
    handle(&args.project, args.id, "dismiss", &body).await
}

pub async fn match_order(args: MatchArgs) -> anyhow::Result<()> {
    let body = json!({ "order_id": args.order });
    handle(&args.project, args.id, "match", &body).await
}

async fn handle(project: &ProjectArgs, id: i64, action: &str, body: &Value) -> anyhow::Result<()> {
    let api = project.api()?;
    let path = format!("inbox/{id}/{action}");
    let request = api.request(Method::POST, &path).json(body);
    let handled: Handled = api.send(request).await?.json().await?;
    println!("{} is {}: {}", handled.id, handled.state, handled.reason);
    Ok(())
}

fn shown(entry: &Entry) -> String {
    let order = entry
        .order_id
        .map_or_else(|| "-".to_owned(), |id| id.to_string());
    let attention = match &entry.attention {
        Some(why) => format!(" [{why}]"),
        None => String::new(),
    };
    let Entry {
        id,
        source,
        kind,
        state,
        reason,
        received_at,
        ..
    } = entry;
    format!(
        "{id:<8}{received_at}  {state:<10}{kind} of {source}, order {order}{attention}\n        {reason}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_two_lines() {
        let entry = Entry {
            id: 17,
            source: "src_1".to_owned(),
            kind: "order_paid".to_owned(),
            state: "parked".to_owned(),
            reason: "it named order 9, which does not exist yet".to_owned(),
            order_id: Some(9),
            attention: Some("waiting".to_owned()),
            received_at: "2026-11-28T10:00:00Z".to_owned(),
        };
        let expected = "17      2026-11-28T10:00:00Z  parked    order_paid of src_1, order 9 [waiting]\n        it named order 9, which does not exist yet";
        assert_eq!(shown(&entry), expected);
    }
}
