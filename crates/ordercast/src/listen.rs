//! `ordercast listen`: a project's events in the terminal, and forwarded to a backend that no webhook
//! can reach.
//!
//! Invariant: an event is in the history only after it was forwarded or given up, so what an end of the
//! process interrupts is forwarded again, with the same `webhook-id`.

mod forward;
mod history;

use crate::{
    hidden::Hidden,
    project_api::{ProjectApi, ProjectArgs},
};
use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use forward::{Backend, Ended, Forwarded};
use history::{History, Start};
use ordercast_core::delivery::{Mode, Notification};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use std::{
    io::{self, ErrorKind, Write},
    path::PathBuf,
    pin::pin,
    time::Duration,
};

const AFTER_HELP: &str = "\
Examples:
  ordercast listen                                          what happens from now on
  ordercast listen --forward http://127.0.0.1:3000/webhooks
  ordercast listen --forward http://127.0.0.1:3000/webhooks --after 0     from the first event on
  ordercast listen --types order.paid,order.canceled --json | jq .order_id

Forwarded is exactly what an endpoint of the --mode is sent, signed with the secret that is printed at the
start. One at a time, in the order of the events; while nothing listens at --forward it waits.

The history remembers what was seen, with bodies and answers, a line of JSON each: started again, it goes
on where it ended. The server regards an event as taken only with --acknowledge.";

/// At most this many events are asked for at once.
const PAGE: &str = "100";
/// The server holds an answer up to 30 s.
const WAIT_SECONDS: &str = "25";
/// JSON's greatest whole number.
const BEYOND_ALL: i64 = (1 << 53) - 1;
const RETRY: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct ListenArgs {
    #[command(flatten)]
    project: ProjectArgs,
    /// Where the backend under development takes webhooks, http
    #[arg(long, value_name = "URL")]
    forward: Option<String>,
    /// In whose words
    #[arg(long, value_enum, default_value_t = ModeArg::Standard)]
    mode: ModeArg,
    /// Signs what is forwarded: whsec_..., whsk_... or a reference mode's own; without it one is made
    /// and kept in the history
    #[arg(
        long,
        value_name = "TEXT",
        env = "ORDERCAST_LISTEN_SECRET",
        hide_env_values = true
    )]
    secret: Option<Hidden>,
    /// Begin behind this event, 0 for the first, whatever the history says
    #[arg(long, value_name = "ID")]
    after: Option<i64>,
    /// Only events of these types
    #[arg(long, value_name = "TYPE", value_delimiter = ',')]
    types: Vec<String>,
    /// Keeps what was seen
    #[arg(long, value_name = "FILE", default_value = "ordercast-listen.jsonl")]
    history: PathBuf,
    /// Attempts to forward, a longer pause before each
    #[arg(long, value_name = "NUMBER", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=20))]
    attempts: u32,
    /// Tell the server that the shop has taken what the backend accepted
    #[arg(long, requires = "forward")]
    acknowledge: bool,
    /// Print every event as one JSON object a line
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
enum ModeArg {
    Standard,
    ReferenceSeparate,
    ReferenceCombined,
}

impl From<ModeArg> for Mode {
    fn from(arg: ModeArg) -> Self {
        match arg {
            ModeArg::Standard => Self::Standard,
            ModeArg::ReferenceSeparate => Self::ReferenceSeparate,
            ModeArg::ReferenceCombined => Self::ReferenceCombined,
        }
    }
}

#[derive(Debug, Deserialize)]
struct Page {
    events: Vec<Event>,
    last_id: i64,
    newest_id: i64,
}

#[derive(Debug, Deserialize)]
struct Event {
    id: i64,
    #[serde(rename = "type")]
    kind: String,
    created_at: String,
    data: Data,
    notifications: Vec<Told>,
}

#[derive(Debug, Deserialize)]
struct Data {
    order_id: u32,
    status: String,
}

/// One webhook as an endpoint would get it.
#[derive(Debug, Deserialize)]
struct Told {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    body: String,
}

/// Listens until Ctrl-C, or until nobody reads stdout any more.
pub async fn run(args: ListenArgs) -> anyhow::Result<()> {
    let mut interrupt = pin!(tokio::signal::ctrl_c());
    tokio::select! {
        ended = listen(args) => match ended {
            // `ordercast listen | head -1` is no failure.
            Err(error) if is_broken_pipe(&error) => Ok(()),
            ended => ended,
        },
        pressed = &mut interrupt => pressed.context("cannot wait for Ctrl-C"),
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

async fn listen(args: ListenArgs) -> anyhow::Result<()> {
    let mode = Mode::from(args.mode);
    let given = args.secret.as_ref().map(Hidden::as_str);
    let (history, start) = History::open(&args.history, given)?;
    let backend = args
        .forward
        .as_deref()
        .map(|url| Backend::new(url, mode, start.secret(), args.attempts))
        .transpose()?;
    let mut listener = Listener {
        api: args.project.api()?,
        mode: args.mode,
        backend,
        history,
        args: &args,
    };
    let mut cursor = listener.cursor(&start).await?;
    listener.announce(start.secret(), cursor);
    loop {
        let page = match listener.page(cursor, WAIT_SECONDS).await {
            Ok(page) => page,
            Err(error) => {
                // Restarted servers are a part of development; a wrong key is not.
                let Some(lost) = error.downcast_ref::<reqwest::Error>() else {
                    return Err(error);
                };
                eprintln!("lost the server: {}; trying again", cause(lost));
                tokio::time::sleep(RETRY).await;
                continue;
            }
        };
        cursor = cursor.max(page.last_id);
        for event in page.events {
            listener.take(event).await?;
        }
    }
}

/// The innermost error is what a user can do something about.
fn cause(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

struct Listener<'a> {
    api: ProjectApi,
    mode: ModeArg,
    backend: Option<Backend>,
    history: History,
    args: &'a ListenArgs,
}

impl Listener<'_> {
    async fn page(&self, after: i64, wait: &str) -> anyhow::Result<Page> {
        let mode = self.mode.to_possible_value();
        let mode = mode.as_ref().map_or("", |value| value.get_name());
        let after = after.to_string();
        let query = [
            ("after", after.as_str()),
            ("limit", PAGE),
            ("wait", wait),
            ("mode", mode),
        ];
        let request = self.api.request(Method::GET, "events").query(&query);
        Ok(self.api.send(request).await?.json().await?)
    }

    /// Where to begin. Event ids mean nothing in another database, and one that was put back gives them
    /// again, so the last event of the history must be there still.
    async fn cursor(&mut self, start: &Start) -> anyhow::Result<i64> {
        let Some(last) = start.last().filter(|_| self.args.after.is_none()) else {
            let after = match self.args.after {
                Some(after) => after,
                None => self.page(BEYOND_ALL, "0").await?.newest_id,
            };
            self.history.begin(after)?;
            return Ok(after);
        };
        let page = self.page(last.event - 1, "0").await?;
        let mut told = page.events.iter().flat_map(|event| &event.notifications);
        let is_known = match (epoch(&last.message), told.next()) {
            (Some(then), Some(told)) => epoch(&told.id) == Some(then),
            _ => page.newest_id >= last.event,
        };
        if !is_known {
            bail!(
                "{} is the history of another database; give another --history, or --after",
                self.args.history.display()
            );
        }
        Ok(last.event)
    }

    fn announce(&self, secret: &str, cursor: i64) {
        match &self.backend {
            Some(backend) => eprintln!("forwarding to {}, signed with {secret}", backend.url()),
            None => eprintln!("not forwarding; see --forward"),
        }
        eprintln!("from behind event {cursor}; Ctrl-C ends");
    }

    async fn take(&mut self, event: Event) -> anyhow::Result<()> {
        if !self.args.types.is_empty() && !self.args.types.contains(&event.kind) {
            return Ok(());
        }
        let mut all = Vec::new();
        if let Some(backend) = &self.backend {
            for told in &event.notifications {
                let Some(notification) = Notification::parse(&told.kind) else {
                    bail!(
                        "the server speaks of {}, which this version does not know",
                        told.kind
                    );
                };
                let forwarded = backend.forward(notification, &told.id, &told.body).await?;
                let is_last = forwarded.ended != Ended::Accepted;
                all.push(forwarded);
                // One that is not taken holds up those behind it (store contract, 3.1).
                if is_last {
                    break;
                }
            }
        }
        let is_accepted = all
            .iter()
            .all(|forwarded| forwarded.ended == Ended::Accepted);
        if self.args.acknowledge && is_accepted {
            self.acknowledge(event.id).await?;
        }
        self.history.add(&event, &all)?;
        Ok(self.show(&event, &all)?)
    }

    /// A server that is started anew has forgotten nothing, and the backend need not hear of it twice.
    async fn acknowledge(&self, event: i64) -> anyhow::Result<()> {
        let body = json!({ "event_ids": [event] });
        loop {
            let request = self.api.request(Method::POST, "events/acknowledge");
            let Err(error) = self.api.send(request.json(&body)).await else {
                return Ok(());
            };
            match error.downcast_ref::<reqwest::Error>() {
                Some(lost) => eprintln!("lost the server: {}; trying again", cause(lost)),
                None => return Err(error.context("cannot acknowledge")),
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    fn show(&self, event: &Event, all: &[Forwarded]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.args.json {
            return writeln!(out, "{}", history::line(event, all));
        }
        // Only the time of day: who sits in front of it knows the date.
        let time = event.created_at.get(11..19).unwrap_or(&event.created_at);
        let Data { order_id, status } = &event.data;
        let (id, kind) = (event.id, &event.kind);
        writeln!(out, "{time}  {id:>6}  {kind:<22} {order_id:>10}  {status}")?;
        for forwarded in all {
            writeln!(out, "          {forwarded}")?;
        }
        Ok(())
    }
}

/// `evt_{epoch}_{event}` (events contract of this server).
fn epoch(message: &str) -> Option<&str> {
    message.split('_').nth(1)
}
