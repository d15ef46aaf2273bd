//! `ordercast trigger`: a payment provider, told when to speak and how badly to behave.
//!
//! `voice/` knows what each provider says and how it signs; `answering` speaks for the one provider whose
//! webhooks are questions to be asked back; `source` is where the webhooks go.

mod answering;
mod payment;
mod source;
mod voice;

use crate::{
    demo::webhook::{Item, Price},
    hidden::Hidden,
    inbox::dry_run,
    project_api::{ProjectApi, ProjectArgs, Way},
};
use answering::Answering;
use anyhow::{Context, bail, ensure};
use clap::Args;
use futures_util::future::join_all;
use ordercast_core::{
    OrderId,
    ids::SourceId,
    money::{Currency, Money},
    provider::Provider,
};
use payment::Payment;
use reqwest::{Method, header::CONTENT_TYPE};
use serde::Deserialize;
use serde_json::Value;
use source::Source;
use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};
use time::OffsetDateTime;
use voice::{Setting, Unsigned};

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

  ordercast trigger --list                                 what each provider has to say
  ordercast trigger --provider stripe --make-source payment_intent.succeeded --order 1000001
  ordercast trigger --provider adyen --source src_2f1c REFUND --amount 0.50 --order 1000001
  ordercast trigger --provider tebex --source src_77ab paid --refund --order 1000001

An event is the provider's own word, or one that all of them share: paid, pending, failed, refunded, ...
Ids of a payment follow from its order: triggered again, it is the same payment, unless --payment says
that it is another. The demo's project, source and secrets are taken unless others are given.

PayPal signs with a certificate that nobody else has, and the check of it has no exception: its events are
asked about (--dry-run), not sent. Mollie's classic webhooks only say which payment to ask for: while they
are sent, its API is answered for on --answer-on, where the source's api_url must point.

Ends with 1 if an answer is not what the provider would want: a success, or with --bad-signature a refusal.";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct TriggerArgs {
    /// What is told, one after the other
    #[arg(value_name = "EVENT", required_unless_present_any = ["body", "list"])]
    events: Vec<String>,
    /// Who tells it
    #[arg(long, value_name = "NAME", value_parser = provider)]
    provider: Option<Provider>,
    /// Print what the provider, or each of them, has to say
    #[arg(long)]
    list: bool,
    /// The order that it is about
    #[arg(long, value_name = "ID", required_unless_present_any = ["body", "list"])]
    order: Option<OrderId>,
    #[command(flatten)]
    project: ProjectArgs,
    /// The source that it comes from; for the reference provider the demo's
    #[arg(long, value_name = "ID")]
    source: Option<SourceId>,
    /// Have a source made for it, and say which
    #[arg(long, conflicts_with_all = ["source", "secret"])]
    make_source: bool,
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
    /// Instead of what the order costs, or of all that was paid, for example 0.01
    #[arg(long, value_name = "DECIMAL")]
    amount: Option<String>,
    /// Instead of the order's, ISO 4217
    #[arg(long, value_name = "CODE")]
    currency: Option<String>,
    /// Tell its refund afterwards: of all, or of a part
    #[arg(long, value_name = "DECIMAL", num_args = 0..=1, default_missing_value = "")]
    refund: Option<String>,
    /// Which refund of the payment it is
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    refund_number: u32,
    /// Which payment of the order it is
    #[arg(long = "payment", value_name = "NUMBER", default_value_t = 1)]
    payment_number: u32,
    /// Test money; without it, as the order is
    #[arg(long, conflicts_with = "live_mode")]
    test_mode: bool,
    /// Real money; without it, as the order is
    #[arg(long)]
    live_mode: bool,
    /// Instead of the order's buyer
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// Billing data in webhooks of its own, as for older projects of the reference provider
    #[arg(long)]
    separate: bool,
    /// Where Mollie's API is answered for
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7878")]
    answer_on: SocketAddr,
    /// Ask what it would change, and change nothing
    #[arg(long, conflicts_with = "bad_signature")]
    dry_run: bool,
    /// Print the bodies, a line each, and send nothing
    #[arg(long)]
    print: bool,
    /// Send this file, byte for byte, instead of an event
    #[arg(long, value_name = "FILE", conflicts_with_all = ["events", "print", "reorder", "refund"])]
    body: Option<PathBuf>,
}

fn provider(name: &str) -> Result<Provider, String> {
    Provider::parse(name).ok_or_else(|| {
        let all: Vec<_> = Provider::ALL.iter().map(|known| known.as_str()).collect();
        format!("must be one of {}", all.join(", "))
    })
}

/// One webhook, and what to call it.
struct Webhook {
    name: String,
    body: Vec<u8>,
    /// Of the event, where it is told in a header.
    id: String,
    /// What the provider's API says from now on.
    answer: Option<voice::Answer>,
}

pub async fn run(args: TriggerArgs) -> anyhow::Result<()> {
    let provider = args.provider.unwrap_or(Provider::Reference);
    if args.list {
        print!("{}", listed(args.provider));
        return Ok(());
    }
    let answering = match provider {
        Provider::Mollie if !args.print => Some(Answering::start(args.answer_on).await?),
        _ => None,
    };
    let source = find_source(&args, provider, answering.as_ref()).await?;
    let secret = secret(&args, provider, source.as_ref())?;
    let webhooks = match &args.body {
        Some(file) => vec![Webhook {
            name: "webhook".to_owned(),
            body: std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?,
            id: format!("trigger_{}", OffsetDateTime::now_utc().unix_timestamp()),
            answer: None,
        }],
        None => webhooks(&args, provider, source.as_ref(), &secret).await?,
    };
    if args.print {
        for webhook in &webhooks {
            println!("{}", String::from_utf8_lossy(&webhook.body));
        }
        return Ok(());
    }
    let sender = Sender::new(&args, provider, source.as_ref(), secret, answering)?;
    if args.dry_run || voice::of(provider).sign.is_none() {
        return sender.ask(&webhooks).await;
    }
    let before = sender.status().await?;
    if let Some(seconds) = args.late {
        eprintln!("in {seconds} s");
        tokio::time::sleep(Duration::from_secs(seconds.into())).await;
    }
    let times = if args.twice { 2 } else { args.times };
    let mut is_as_wanted = true;
    for webhook in &webhooks {
        for sent in join_all((0..times).map(|_| sender.send(webhook))).await {
            let (status, answer) = sent?;
            println!("{:<16} {status} {answer}", webhook.name);
            is_as_wanted &= (200..300).contains(&status) != args.bad_signature;
        }
    }
    if let (Some(order), Some(before), Some(after)) = (args.order, before, sender.status().await?) {
        println!("order {order}: {before} -> {after}");
    }
    sender.check_asked(source.as_ref())?;
    if !is_as_wanted {
        bail!("not every answer is what a provider would want");
    }
    Ok(())
}

fn listed(provider: Option<Provider>) -> String {
    let all = provider.map_or(Provider::ALL.to_vec(), |one| vec![one]);
    all.into_iter()
        .map(|provider| match provider {
            Provider::Standard => "standard\n  (the words of the source's mapping)\n".to_owned(),
            _ => format!("{}\n{}\n", provider.as_str(), voice::listed(provider)),
        })
        .collect()
}

/// The source, where it is needed to know more of it than its id.
async fn find_source(
    args: &TriggerArgs,
    provider: Provider,
    answering: Option<&Answering>,
) -> anyhow::Result<Option<Source>> {
    if args.make_source {
        let api = args.project.api()?;
        let made = Source::make(&api, provider, answering.map(|known| known.address)).await?;
        eprintln!("source {} {}", made.source, made.secret);
        return Ok(Some(made));
    }
    let Some(id) = &args.source else {
        ensure!(
            provider == Provider::Reference || (args.print && provider != Provider::Standard),
            "which source of {}? give --source, or --make-source to have one made",
            provider.as_str()
        );
        return Ok(None);
    };
    // The rest of them need no more than its id.
    if !matches!(provider, Provider::Standard | Provider::Mollie) {
        return Ok(None);
    }
    let found = Source::read(&args.project.api()?, id).await?;
    ensure!(
        found.provider == provider,
        "source {id} is of {}; see --provider",
        found.provider.as_str()
    );
    Ok(Some(found))
}

fn secret(
    args: &TriggerArgs,
    provider: Provider,
    source: Option<&Source>,
) -> anyhow::Result<String> {
    let secret = match (&args.secret, source) {
        (Some(secret), _) => secret.as_str().to_owned(),
        (None, Some(source)) if !source.secret.is_empty() => source.secret.clone(),
        _ if !provider.is_signed() || provider == Provider::Paypal || args.dry_run => String::new(),
        _ if args.print && provider != Provider::Adyen => String::new(),
        _ if provider == Provider::Reference => {
            let keys = args.project.demo_keys()?.context("give --secret")?;
            keys.inbox_secret
        }
        _ => bail!("give --secret, or set ORDERCAST_SOURCE_SECRET"),
    };
    if !args.bad_signature {
        return Ok(secret);
    }
    ensure!(
        provider.is_signed(),
        "{} does not sign; what proves a payment is its API",
        provider.as_str()
    );
    // Adyen's are hexadecimal digits, a Standard Webhooks secret is base64: another of the same kind.
    let other: String = secret
        .chars()
        .rev()
        .map(|c| if c == '0' { '1' } else { c })
        .collect();
    Ok(match provider {
        Provider::Adyen if other != secret => other,
        Provider::Adyen => format!("00{secret}"),
        _ => format!("not {secret}"),
    })
}

/// *Read order*, as far as a provider needs it.
#[derive(Debug, Deserialize)]
struct Order {
    user_external_id: String,
    status: String,
    #[serde(default)]
    mode: String,
    price: Option<Price>,
    items: Vec<Item>,
}

/// `None`: there is none of that number (yet), which a provider would not know.
async fn read(api: &ProjectApi, order: OrderId) -> anyhow::Result<Option<Order>> {
    let request = api.request(Method::GET, &format!("orders/{order}"));
    let found = api.find(request).await;
    match found.with_context(|| format!("cannot read order {order}"))? {
        Some(answer) => Ok(Some(answer.json().await?)),
        None => Ok(None),
    }
}

fn money(amount: &str, currency: Currency) -> anyhow::Result<Money> {
    let parsed = Money::parse(amount, currency);
    parsed.with_context(|| {
        format!(
            "{amount:?} is no amount of {currency}; for a body that is wrong in itself, --print one and \
             send it with --body"
        )
    })
}

async fn webhooks(
    args: &TriggerArgs,
    provider: Provider,
    source: Option<&Source>,
    secret: &str,
) -> anyhow::Result<Vec<Webhook>> {
    let payment = payment(args).await?;
    let is_part = payment.is_part();
    let find = |word: &str, is_part| {
        let word = source
            .and_then(|source| source.word(word))
            .unwrap_or_else(|| word.to_owned());
        voice::find(provider, &word, is_part)
    };
    let kinds = args.events.iter().map(|word| find(word, is_part));
    let kinds = sequence(kinds.collect::<anyhow::Result<_>>()?, args.reorder);
    let mut told: Vec<_> = kinds
        .into_iter()
        .map(|word| (word, payment.clone()))
        .collect();
    if let Some(amount) = &args.refund {
        let part = match amount.as_str() {
            "" => None,
            amount => Some(money(amount, payment.paid.currency)?),
        };
        let refunded = Payment {
            paid: payment.back(),
            part,
            ..payment
        };
        told.push((find("refunded", refunded.is_part())?.word, refunded));
    }
    let setting = Setting {
        secret,
        is_separate: args.separate,
        fields: source.and_then(|source| source.fields.as_ref()),
    };
    let body = voice::of(provider).body;
    Ok(told
        .into_iter()
        .map(|(word, payment)| Webhook {
            name: word.to_owned(),
            body: body(word, &payment, setting),
            id: payment.event_id("msg_", word),
            answer: (provider == Provider::Mollie).then(|| voice::mollie_answer(word, &payment)),
        })
        .collect())
}

async fn payment(args: &TriggerArgs) -> anyhow::Result<Payment> {
    let id = args.order.context("--order is missing")?;
    let order = read(&args.project.api()?, id).await?;
    if order.is_none() {
        eprintln!("order {id} is not there; told all the same");
    }
    let stranger = || Order {
        user_external_id: "somebody".to_owned(),
        status: String::new(),
        mode: String::new(),
        price: Some(Price {
            amount: "1.00".to_owned(),
            currency: "USD".to_owned(),
        }),
        items: Vec::new(),
    };
    let order = order.unwrap_or_else(stranger);
    let price = order.price.as_ref();
    let currency = match (&args.currency, price) {
        (Some(code), _) => code.as_str(),
        (None, Some(price)) => price.currency.as_str(),
        (None, None) => bail!("order {id} costs no money; give --amount and --currency"),
    };
    let currency = Currency::new(currency).with_context(|| format!("--currency {currency}"))?;
    let amount = args.amount.as_ref().map(|amount| money(amount, currency));
    let amount = amount.transpose()?;
    let paid = match (price, amount) {
        (Some(price), _) => money(&price.amount, currency)?,
        (None, Some(amount)) => amount,
        (None, None) => bail!("order {id} costs no money; give --amount and --currency"),
    };
    Ok(Payment {
        project: args.project.project.get(),
        order: id,
        user: args.user.clone().unwrap_or(order.user_external_id),
        items: order.items,
        paid,
        part: amount,
        is_test: args.test_mode || (!args.live_mode && order.mode == "sandbox"),
        number: args.payment_number,
        refund: args.refund_number,
        at: OffsetDateTime::now_utc(),
    })
}

fn sequence(events: Vec<voice::Kind>, reorder: bool) -> Vec<&'static str> {
    let words = events.iter().map(|kind| kind.word);
    match events.as_slice() {
        _ if !reorder => words.collect(),
        [kind] => kind.undone_by.into_iter().chain([kind.word]).collect(),
        _ => words.rev().collect(),
    }
}

struct Sender {
    api: Option<(ProjectApi, OrderId)>,
    provider: Provider,
    http: reqwest::Client,
    source: SourceId,
    inbox: String,
    secret: String,
    answering: Option<Answering>,
}

impl Sender {
    fn new(
        args: &TriggerArgs,
        provider: Provider,
        source: Option<&Source>,
        secret: String,
        answering: Option<Answering>,
    ) -> anyhow::Result<Self> {
        let id = match (source, &args.source) {
            (Some(source), _) => source.source.clone(),
            (None, Some(id)) => id.clone(),
            (None, None) => SourceId::new("demo")?,
        };
        let Way { http, base } = args.project.way()?;
        Ok(Self {
            api: match args.order {
                Some(order) => Some((args.project.api()?, order)),
                None => None,
            },
            provider,
            http,
            inbox: format!("{base}/v1/inbox/{id}"),
            source: id,
            secret,
            answering,
        })
    }

    async fn status(&self) -> anyhow::Result<Option<String>> {
        match &self.api {
            Some((api, order)) => Ok(read(api, *order).await?.map(|order| order.status)),
            None => Ok(None),
        }
    }

    fn headers(&self, webhook: &Webhook) -> voice::Headers {
        let Some(sign) = voice::of(self.provider).sign else {
            return Vec::new();
        };
        sign(Unsigned {
            secret: &self.secret,
            body: &webhook.body,
            id: &webhook.id,
            at: OffsetDateTime::now_utc().unix_timestamp(),
        })
    }

    /// Status and body of the answer.
    async fn send(&self, webhook: &Webhook) -> anyhow::Result<(u16, Value)> {
        if let (Some(answering), Some(answer)) = (&self.answering, &webhook.answer) {
            answering.set(answer.clone());
        }
        let mut request = self.http.post(&self.inbox).body(webhook.body.clone());
        let headers = self.headers(webhook);
        if headers.iter().all(|(name, _)| *name != "content-type") {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let answer = request
            .send()
            .await
            .context("cannot reach the server; see --url, and --ca for a certificate of its own")?;
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap_or_default();
        let parsed = serde_json::from_str(&text);
        Ok((status, parsed.unwrap_or(Value::String(text))))
    }

    /// What the webhooks would change, instead of sending them.
    async fn ask(&self, webhooks: &[Webhook]) -> anyhow::Result<()> {
        ensure!(
            self.provider.is_signed(),
            "{} says in a webhook only which payment to ask for: there is nothing to ask about",
            self.provider.as_str()
        );
        let (api, _) = self.api.as_ref().context("give --order")?;
        if voice::of(self.provider).sign.is_none() {
            eprintln!(
                "nobody else can sign for {}: asked about, not sent",
                self.provider.as_str()
            );
        }
        for webhook in webhooks {
            let headers: BTreeMap<_, _> = self
                .headers(webhook)
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect();
            let body = String::from_utf8_lossy(&webhook.body);
            let answer = dry_run::ask(api, &self.source, &body, &headers).await?;
            print!("{}", dry_run::rendered(answer)?);
        }
        Ok(())
    }

    /// That a payment was asked for here, and not somewhere else.
    fn check_asked(&self, source: Option<&Source>) -> anyhow::Result<()> {
        let Some(answering) = &self.answering else {
            return Ok(());
        };
        if answering.asked() > 0 {
            return Ok(());
        }
        let there = source.and_then(|source| source.api_url.as_deref());
        bail!(
            "the server did not ask http://{} what became of the payment; the source's api_url is {}",
            answering.address,
            there.unwrap_or("Mollie's own")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_payment_is_reordered_with_its_refund() {
        let kinds = |provider, words: &[&str]| {
            let kinds = words.iter().map(|word| voice::find(provider, word, false));
            kinds.collect::<anyhow::Result<_>>().expect("known words")
        };
        let reference =
            |words: &[&str], reorder| sequence(kinds(Provider::Reference, words), reorder);
        assert_eq!(reference(&["order_paid"], false), ["order_paid"]);
        assert_eq!(
            reference(&["order_paid"], true),
            ["order_canceled", "order_paid"]
        );
        assert_eq!(reference(&["payment"], true), ["refund", "payment"]);
        assert_eq!(
            reference(&["payment", "order_paid"], true),
            ["order_paid", "payment"]
        );
        let stripe = sequence(kinds(Provider::Stripe, &["paid"]), true);
        assert_eq!(stripe, ["refund.created", "payment_intent.succeeded"]);
    }
}
