//! One webhook to the backend under development, tried until it is answered for good.

use anyhow::{Context, bail};
use ordercast_core::delivery::{Mode, Notification, Verdict, verdict};
use ordercast_server::{
    clock,
    delivery::sign::{self, SigningSecret},
};
use serde::Serialize;
use std::{
    fmt,
    time::{Duration, Instant},
};

const TIMEOUT: Duration = Duration::from_secs(30);
/// Between attempts while nothing listens; these are not counted.
const ABSENT: Duration = Duration::from_secs(1);
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(30);

pub struct Backend {
    http: reqwest::Client,
    url: String,
    mode: Mode,
    secret: SigningSecret,
    attempts: u32,
}

/// What became of one webhook.
#[derive(Debug, Serialize)]
pub struct Forwarded {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub body: String,
    pub ended: Ended,
    pub attempts: Vec<Attempt>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    Accepted,
    /// The backend does not want it.
    Refused,
    /// All attempts failed.
    Dead,
}

#[derive(Debug, Serialize)]
pub struct Attempt {
    /// `None`: no answer.
    pub status: Option<u16>,
    pub milliseconds: u128,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl fmt::Display for Forwarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ended = match self.ended {
            Ended::Accepted => "accepted",
            Ended::Refused => "refused",
            Ended::Dead => "given up",
        };
        write!(f, "-> {} {ended}:", self.kind)?;
        for attempt in &self.attempts {
            write!(f, " {attempt}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.status, &self.error) {
            (Some(status), _) => write!(f, "{status} in {} ms", self.milliseconds),
            (None, error) => f.write_str(error.as_deref().unwrap_or("no answer")),
        }
    }
}

impl Backend {
    pub fn new(url: &str, mode: Mode, secret: &str, attempts: u32) -> anyhow::Result<Self> {
        let parsed = reqwest::Url::parse(url).context("cannot use --forward")?;
        if parsed.scheme() != "http" {
            bail!("--forward must begin with http://; it is for a backend on this machine");
        }
        let secret = SigningSecret::parse(secret).context("cannot use --secret")?;
        if secret.is_plain() && mode == Mode::Standard {
            bail!("--secret must begin with whsec_ or whsk_ unless --mode is a reference mode");
        }
        Ok(Self {
            http: reqwest::Client::builder()
                .timeout(TIMEOUT)
                .redirect(reqwest::redirect::Policy::none())
                .build()?,
            url: url.to_owned(),
            mode,
            secret,
            attempts,
        })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub async fn forward(
        &self,
        notification: Notification,
        id: &str,
        body: &str,
    ) -> anyhow::Result<Forwarded> {
        let mut forwarded = Forwarded {
            id: id.to_owned(),
            kind: notification.as_str(),
            body: body.to_owned(),
            ended: Ended::Dead,
            attempts: Vec::new(),
        };
        let mut pause = PAUSE_MIN;
        let mut is_waiting = false;
        loop {
            let began = Instant::now();
            let answer = self.attempt(id, body).await;
            if matches!(&answer, Err(error) if error.is_connect()) {
                if !is_waiting {
                    eprintln!("nothing listens at {}; waiting", self.url);
                }
                is_waiting = true;
                tokio::time::sleep(ABSENT).await;
                continue;
            }
            let status = answer.as_ref().ok().copied();
            forwarded.attempts.push(Attempt {
                status,
                milliseconds: began.elapsed().as_millis(),
                error: answer.err().map(|error| super::cause(&error)),
            });
            let verdict = status.map_or(Verdict::Retry, |status| {
                verdict(self.mode, notification, status)
            });
            forwarded.ended = match verdict {
                Verdict::Accepted => Ended::Accepted,
                Verdict::Refused | Verdict::Gone => Ended::Refused,
                Verdict::Retry if forwarded.attempts.len() >= self.attempts as usize => Ended::Dead,
                Verdict::Retry => {
                    let made = forwarded.attempts.last().map(Attempt::to_string);
                    let (made, pause_seconds) = (made.unwrap_or_default(), pause.as_secs());
                    eprintln!("          -> {made}; again in {pause_seconds} s");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                    continue;
                }
            };
            return Ok(forwarded);
        }
    }

    async fn attempt(&self, id: &str, body: &str) -> reqwest::Result<u16> {
        let at = clock::now().millis() / 1_000;
        let headers = sign::headers(id, at, body.as_bytes(), &[&self.secret], self.mode);
        let request = self.http.post(&self.url).headers(headers);
        let answer = request.body(body.to_owned()).send().await?;
        Ok(answer.status().as_u16())
    }
}
