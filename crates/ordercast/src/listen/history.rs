//! What was seen and forwarded, a line of JSON each; the first holds the secret.

use super::{Event, Forwarded};
use anyhow::{Context, bail};
use ordercast_server::{clock, delivery::sign::SigningSecret};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{
    fs::{File, OpenOptions},
    io::{BufRead, BufReader, ErrorKind, Write},
    path::Path,
};

const FORMAT: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
struct Heading {
    ordercast_listen: u32,
    secret: String,
}

#[derive(Debug, Deserialize)]
struct Seen {
    id: i64,
    message: String,
}

#[derive(Serialize)]
struct Line<'a> {
    id: i64,
    /// The id of its first webhook: says of which database the event is.
    message: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    created_at: &'a str,
    order_id: u32,
    status: &'a str,
    forwarded: &'a [Forwarded],
}

/// As it is printed, and kept.
pub fn line(event: &Event, forwarded: &[Forwarded]) -> String {
    let line = Line {
        id: event.id,
        message: event.notifications.first().map_or("", |told| &told.id),
        kind: &event.kind,
        created_at: &event.created_at,
        order_id: event.data.order_id,
        status: &event.data.status,
        forwarded,
    };
    serde_json::to_string(&line).unwrap_or_default()
}

/// The event that was seen last.
#[derive(Debug)]
pub struct Last {
    pub event: i64,
    /// Empty where listening began, and where the mode has no word for the event.
    pub message: String,
}

/// What the history says at the start.
#[derive(Debug)]
pub struct Start {
    secret: String,
    last: Option<Last>,
}

impl Start {
    pub fn secret(&self) -> &str {
        &self.secret
    }

    pub const fn last(&self) -> Option<&Last> {
        self.last.as_ref()
    }
}

#[derive(Debug)]
pub struct History {
    file: File,
}

impl History {
    /// `secret`: one that was given, which a new history keeps.
    pub fn open(path: &Path, secret: Option<&str>) -> anyhow::Result<(Self, Start)> {
        match OpenOptions::new().read(true).append(true).open(path) {
            Ok(file) => {
                let (whole, mut start) = read(&file)
                    .with_context(|| format!("cannot use the history {}", path.display()))?;
                // An end of the process may have cut the last line off.
                file.set_len(whole)?;
                if let Some(secret) = secret {
                    secret.clone_into(&mut start.secret);
                }
                Ok((Self { file }, start))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Self::create(path, secret)
                .with_context(|| format!("cannot write {}", path.display())),
            Err(error) => Err(error).with_context(|| format!("cannot use {}", path.display())),
        }
    }

    fn create(path: &Path, secret: Option<&str>) -> anyhow::Result<(Self, Start)> {
        let secret = match secret {
            Some(secret) => secret.to_owned(),
            None => SigningSecret::symmetric(&clock::random())
                .as_str()
                .to_owned(),
        };
        let mut options = OpenOptions::new();
        options.append(true).create_new(true);
        // It holds a secret.
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        let mut file = options.open(path)?;
        let heading = Heading {
            ordercast_listen: FORMAT,
            secret: secret.clone(),
        };
        file.write_all(format!("{}\n", serde_json::to_string(&heading)?).as_bytes())?;
        Ok((Self { file }, Start { secret, last: None }))
    }

    /// Listening begins behind this event.
    pub fn begin(&mut self, after: i64) -> anyhow::Result<()> {
        let line = json!({ "id": after, "message": "", "type": "start" });
        self.write(line.to_string())
    }

    pub fn add(&mut self, event: &Event, forwarded: &[Forwarded]) -> anyhow::Result<()> {
        self.write(line(event, forwarded))
    }

    fn write(&mut self, mut line: String) -> anyhow::Result<()> {
        line.push('\n');
        self.file
            .write_all(line.as_bytes())
            .context("cannot write the history")
    }
}

/// And how many bytes are whole lines.
fn read(file: &File) -> anyhow::Result<(u64, Start)> {
    let mut lines = BufReader::new(file);
    let mut line = String::new();
    let mut whole = lines.read_line(&mut line)?;
    let heading: Heading = serde_json::from_str(&line).context("it is not one")?;
    if heading.ordercast_listen != FORMAT {
        bail!("it is of another version");
    }
    let mut last = None;
    loop {
        line.clear();
        let length = lines.read_line(&mut line)?;
        if !line.ends_with('\n') {
            break;
        }
        whole += length;
        let seen: Seen = serde_json::from_str(&line).context("a line of it is damaged")?;
        last = Some(Last {
            event: seen.id,
            message: seen.message,
        });
    }
    let start = Start {
        secret: heading.secret,
        last,
    };
    Ok((whole as u64, start))
}
