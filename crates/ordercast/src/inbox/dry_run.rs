//! `ordercast inbox dry-run`: what a provider's webhook would change, and why not.

use crate::project_api::{ProjectApi, ProjectArgs};
use anyhow::{Context, bail};
use clap::Args;
use ordercast_core::ids::SourceId;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    io::{self, Read},
    path::{Path, PathBuf},
};

const AFTER_HELP: &str = "\
Examples:
  ordercast inbox dry-run paid.json
  ordercast inbox dry-run --source src_2f1c --header webhook-id:msg_1 - < body.json
  ordercast trigger order_paid --order 1000001 --print | ordercast inbox dry-run -

Nothing is changed, and nothing of it is kept. The signature is not looked at, so a body from a log or a
provider's dashboard will do.";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct DryRunArgs {
    #[command(flatten)]
    project: ProjectArgs,
    /// The source that it would come from
    #[arg(long, value_name = "ID", default_value = "demo")]
    source: SourceId,
    /// A header that is a part of the event, such as webhook-id
    #[arg(long = "header", value_name = "NAME:VALUE", value_parser = header)]
    headers: Vec<(String, String)>,
    /// Print the server's answer
    #[arg(long)]
    json: bool,
    /// The body as the provider sends it; - is stdin
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

fn header(text: &str) -> Result<(String, String), &'static str> {
    let (name, value) = text.split_once(':').ok_or("must be NAME:VALUE")?;
    Ok((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
}

#[derive(Debug, Deserialize)]
struct Answer {
    events: Vec<Would>,
}

#[derive(Debug, Deserialize)]
struct Would {
    kind: String,
    order_id: Option<u32>,
    attempt_id: Option<String>,
    fact: Option<Value>,
    state: String,
    reason: String,
    from: Option<String>,
    to: Option<String>,
}

pub async fn run(args: DryRunArgs) -> anyhow::Result<()> {
    let body = read(&args.file)?;
    let headers: BTreeMap<_, _> = args.headers.iter().cloned().collect();
    let api = args.project.api()?;
    let answer = ask(&api, &args.source, &body, &headers).await?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&answer)?);
        return Ok(());
    }
    print!("{}", rendered(answer)?);
    Ok(())
}

/// What a body would change: the server's answer.
pub async fn ask(
    api: &ProjectApi,
    source: &SourceId,
    body: &str,
    headers: &BTreeMap<String, String>,
) -> anyhow::Result<Value> {
    let request = api
        .request(Method::POST, "inbox/dry-run")
        .json(&json!({ "source": source, "body": body, "headers": headers }));
    Ok(api.send(request).await?.json().await?)
}

/// The answer for people, some lines for each event.
pub fn rendered(answer: Value) -> anyhow::Result<String> {
    let answer: Answer = serde_json::from_value(answer).context("the answer is not understood")?;
    Ok(answer.events.iter().map(shown).collect())
}

/// A newline at the end is a file's, not the provider's; signatures are not looked at.
fn read(file: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    if file == Path::new("-") {
        io::stdin()
            .read_to_string(&mut text)
            .context("cannot read stdin")?;
    } else {
        text = std::fs::read_to_string(file)
            .with_context(|| format!("cannot read {}", file.display()))?;
    }
    if text.trim().is_empty() {
        bail!("{} is empty", file.display());
    }
    Ok(text.trim_end().to_owned())
}

fn shown(would: &Would) -> String {
    let none = || "none".to_owned();
    let change = match (&would.from, &would.to) {
        (Some(from), Some(to)) if from == to => format!("stays {from}"),
        (Some(from), Some(to)) => format!("{from} -> {to}"),
        _ => none(),
    };
    let lines = [
        ("event", would.kind.clone()),
        (
            "order",
            would.order_id.map_or_else(none, |id| id.to_string()),
        ),
        ("attempt", would.attempt_id.clone().unwrap_or_else(none)),
        (
            "understood",
            would.fact.as_ref().map_or_else(none, Value::to_string),
        ),
        ("would be", would.state.clone()),
        ("status", change),
        ("because", would.reason.clone()),
    ];
    lines
        .iter()
        .map(|(name, value)| format!("{name:<12}{value}\n"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_names_and_values() {
        let pair = Ok(("webhook-id".to_owned(), "msg_1:2".to_owned()));
        assert_eq!(header("Webhook-Id: msg_1:2"), pair);
        assert!(header("webhook-id").is_err());
    }
}
