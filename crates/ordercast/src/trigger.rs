//! `ordercast trigger`: the reference provider, told when to speak and how badly to behave.

use crate::{
    demo::webhook::{Kind, Mode, Payment, Price, signature},
    hidden::Hidden,
    project_api::{ProjectApi, ProjectArgs},
};
use anyhow::{Context, bail};
use clap::Args;
use futures_util::future::join_all;
use ordercast_core::{OrderId, ids::SourceId};
use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;
use std::{path::PathBuf, time::Duration};
use time::OffsetDateTime;

const AFTER_HELP: &str = "\
Examples:
  ordercast trigger order_paid --order 1000001             the payment came in
  ordercast trigger payment order_paid --separate --order 1000001
  ordercast trigger order_paid --order 1000001 --twice     told twice at the same moment
  ordercast trigger order_paid --order 1000001 --reorder   its refund is told before it
  ordercast trigger order_paid --order 1000001 --late 30   the buyer waits
  ordercast trigger order_paid --order 1000001 --amount 0.01 --bad-signature
  ordercast trigger partial_refund --order 1000001 --amount 0.50
  ordercast trigger order_paid --order 1000001 --print > paid.json    edit it, then
  ordercast trigger --body paid.json

Ids of a payment follow from its order: triggered again, it is the same payment. The demo's project,
source and secrets are taken unless others are given. Ends with 1 if an answer is not what the provider
would want: a success, or with --bad-signature a refusal.";

const TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct TriggerArgs {
    /// What is told, one after the other
    #[arg(value_name = "EVENT", value_enum, required_unless_present = "body")]
    events: Vec<Kind>,
    /// The order that it is about
    #[arg(long, value_name = "ID", required_unless_present = "body")]
    order: Option<OrderId>,
    #[command(flatten)]
    project: ProjectArgs,
    /// The source that it comes from
    #[arg(long, value_name = "ID", default_value = "demo")]
    source: SourceId,
    /// The source's secret; without it the demo's
    #[arg(
        long,
        value_name = "TEXT",
        env = "ORDERCAST_SOURCE_SECRET",
        hide_env_values = true
    )]
    secret: Option<Hidden>,
    /// Tell each twice at the same moment
    #[arg(long, conflicts_with = "times")]
    twice: bool,
    /// Tell each so many times at the same moment
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=100))]
    times: u8,
    /// Tell the last first; of a single payment, its refund first
    #[arg(long)]
    reorder: bool,
    /// Wait before the first, 6 s if not said
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "6")]
    late: Option<u32>,
    /// Sign with another secret
    #[arg(long)]
    bad_signature: bool,
    /// Instead of what the order costs, for example 0.01
    #[arg(long, value_name = "DECIMAL")]
    amount: Option<String>,
    /// Instead of the order's, ISO 4217
    #[arg(long, value_name = "CODE")]
    currency: Option<String>,
    /// Instead of the order's buyer
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// Billing data in webhooks of its own, as for older projects
    #[arg(long)]
    separate: bool,
    /// Print the bodies, a line each, and send nothing
    #[arg(long)]
    print: bool,
    /// Send this file, byte for byte, instead of an event
    #[arg(long, value_name = "FILE", conflicts_with_all = ["events", "print", "reorder"])]
    body: Option<PathBuf>,
}

/// One webhook, and what to call it.
struct Webhook {
    name: &'static str,
    body: Vec<u8>,
}

pub async fn run(args: TriggerArgs) -> anyhow::Result<()> {
    let webhooks = match &args.body {
        Some(file) => vec![Webhook {
            name: "webhook",
            body: std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?,
        }],
        None => webhooks(&args).await?,
    };
    if args.print {
        for webhook in &webhooks {
            println!("{}", String::from_utf8_lossy(&webhook.body));
        }
        return Ok(());
    }
    let provider = Provider::new(&args)?;
    let before = provider.status().await?;
    if let Some(seconds) = args.late {
        eprintln!("in {seconds} s");
        tokio::time::sleep(Duration::from_secs(seconds.into())).await;
    }
    let times = if args.twice { 2 } else { args.times };
    let mut is_as_wanted = true;
    for webhook in &webhooks {
        for sent in join_all((0..times).map(|_| provider.send(&webhook.body))).await {
            let (status, answer) = sent?;
            println!("{:<16} {status} {answer}", webhook.name);
            is_as_wanted &= (200..300).contains(&status) != args.bad_signature;
        }
    }
    if let (Some(order), Some(before), Some(after)) = (args.order, before, provider.status().await?)
    {
        println!("order {order}: {before} -> {after}");
    }
    if !is_as_wanted {
        bail!("not every answer is what a provider would want");
    }
    Ok(())
}

/// *Read order*, as far as a provider needs it.
#[derive(Debug, Deserialize)]
struct Order {
    user_external_id: String,
    status: String,
    mode: ordercast_core::order::Mode,
    price: Option<Price>,
    items: Vec<crate::demo::webhook::Item>,
}

async fn read(api: &ProjectApi, order: OrderId) -> anyhow::Result<Order> {
    let request = api.request(Method::GET, &format!("orders/{order}"));
    let answer = api.send(request).await;
    let answer = answer.with_context(|| format!("cannot read order {order}"))?;
    Ok(answer.json().await?)
}

async fn webhooks(args: &TriggerArgs) -> anyhow::Result<Vec<Webhook>> {
    let id = args.order.context("--order is missing")?;
    let order = read(&args.project.api()?, id).await?;
    let mut price = match (order.price, &args.amount, &args.currency) {
        (Some(price), ..) => price,
        (None, Some(amount), Some(currency)) => Price {
            amount: amount.clone(),
            currency: currency.clone(),
        },
        (None, ..) => bail!("order {id} costs no money; give --amount and --currency"),
    };
    if let Some(amount) = &args.amount {
        price.amount.clone_from(amount);
    }
    if let Some(currency) = &args.currency {
        price.currency.clone_from(currency);
    }
    let payment = Payment {
        project_id: args.project.project.get(),
        order: id,
        user: args.user.clone().unwrap_or(order.user_external_id),
        price,
        items: order.items,
        is_sandbox: order.mode == ordercast_core::order::Mode::Sandbox,
        at: OffsetDateTime::now_utc(),
    };
    let mode = if args.separate {
        Mode::Separate
    } else {
        Mode::Combined
    };
    let webhooks = sequence(&args.events, args.reorder).into_iter();
    Ok(webhooks
        .map(|kind| Webhook {
            name: kind.as_str(),
            body: payment.body(kind, mode),
        })
        .collect())
}

fn sequence(events: &[Kind], reorder: bool) -> Vec<Kind> {
    match events {
        _ if !reorder => events.to_vec(),
        [Kind::OrderPaid] => vec![Kind::OrderCanceled, Kind::OrderPaid],
        [Kind::Payment] => vec![Kind::Refund, Kind::Payment],
        _ => events.iter().rev().copied().collect(),
    }
}

struct Provider {
    api: Option<(ProjectApi, OrderId)>,
    http: reqwest::Client,
    inbox: String,
    secret: String,
}

impl Provider {
    fn new(args: &TriggerArgs) -> anyhow::Result<Self> {
        let secret = match &args.secret {
            Some(secret) => secret.as_str().to_owned(),
            None => {
                let keys = args.project.demo_keys()?.context("give --secret")?;
                keys.inbox_secret
            }
        };
        let url = args.project.url.trim_end_matches('/');
        Ok(Self {
            api: match args.order {
                Some(order) => Some((args.project.api()?, order)),
                None => None,
            },
            http: reqwest::Client::builder().timeout(TIMEOUT).build()?,
            inbox: format!("{url}/v1/inbox/{}", args.source),
            secret: if args.bad_signature {
                format!("not {secret}")
            } else {
                secret
            },
        })
    }

    async fn status(&self) -> anyhow::Result<Option<String>> {
        match &self.api {
            Some((api, order)) => Ok(Some(read(api, *order).await?.status)),
            None => Ok(None),
        }
    }

    /// Status and body of the answer.
    async fn send(&self, body: &[u8]) -> anyhow::Result<(u16, Value)> {
        let signature = format!("Signature {}", signature(body, &self.secret));
        let answer = self
            .http
            .post(&self.inbox)
            .header("Content-Type", "application/json")
            .header("Authorization", signature)
            .body(body.to_vec())
            .send()
            .await
            .context("cannot reach the server; see --url")?;
        let status = answer.status().as_u16();
        Ok((status, answer.json().await.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_payment_is_reordered_with_its_refund() {
        use Kind::{OrderCanceled, OrderPaid, Payment};
        assert_eq!(sequence(&[OrderPaid], false), [OrderPaid]);
        assert_eq!(sequence(&[OrderPaid], true), [OrderCanceled, OrderPaid]);
        assert_eq!(sequence(&[Payment, OrderPaid], true), [OrderPaid, Payment]);
    }
}
