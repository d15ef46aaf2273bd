//! The webhook catcher: takes what the demo project is told, checks whose it is, and answers as the
//! visitor of its page wishes.

use super::{Store, assets, backend, problem::Problem};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{State, rejection::JsonRejection},
    http::{HeaderMap, StatusCode},
    response::Response,
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// The oldest are forgotten.
const CAUGHT_MAX: usize = 100;
/// Longer than the server waits for an answer.
const HANG: Duration = Duration::from_secs(70);
/// How many can hang at the same time: each holds a connection.
const HANGING_MAX: usize = 64;

/// How it answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Manner {
    #[default]
    Accept,
    /// With 500.
    Fail,
    /// With 500 every second time.
    Flaky,
    /// With 410, whereupon nothing more is sent.
    Gone,
    /// Not at all.
    Hang,
}

/// One attempt as it came in.
#[derive(Clone, Debug, Serialize)]
struct Caught {
    /// Equal in all attempts of one delivery.
    webhook_id: String,
    at: String,
    /// How often this one has come, counted from 1.
    attempt: usize,
    verified: bool,
    /// `None`: never.
    answered: Option<u16>,
    body: Value,
}

#[derive(Debug, Default)]
struct Log {
    manner: Manner,
    count: u64,
    hanging: usize,
    kept: VecDeque<Caught>,
}

/// The demo's own memory.
#[derive(Clone, Debug, Default)]
pub struct Catcher(Arc<Mutex<Log>>);

impl Catcher {
    fn log(&self) -> MutexGuard<'_, Log> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer; `None`: there is none.
    fn catch(&self, webhook_id: &str, verified: bool, body: Value) -> Option<u16> {
        let mut log = self.log();
        log.count += 1;
        let answered = match log.manner {
            _ if !verified => Some(400),
            Manner::Accept => Some(204),
            Manner::Flaky if log.count.is_multiple_of(2) => Some(204),
            Manner::Fail | Manner::Flaky => Some(500),
            Manner::Gone => Some(410),
            Manner::Hang if log.hanging < HANGING_MAX => None,
            Manner::Hang => Some(503),
        };
        let is_same = |caught: &&Caught| caught.webhook_id == webhook_id;
        let attempt = log.kept.iter().filter(is_same).count() + 1;
        if log.kept.len() >= CAUGHT_MAX {
            log.kept.pop_front();
        }
        log.kept.push_back(Caught {
            webhook_id: webhook_id.to_owned(),
            at: OffsetDateTime::now_utc()
                .format(&Rfc3339)
                .unwrap_or_default(),
            attempt,
            verified,
            answered,
            body,
        });
        answered
    }
}

/// A connection that is not answered; also when the server has gone away before the end.
struct Hanging(Catcher);

impl Hanging {
    fn begin(catcher: &Catcher) -> Self {
        catcher.log().hanging += 1;
        Self(catcher.clone())
    }
}

impl Drop for Hanging {
    fn drop(&mut self) {
        self.0.log().hanging -= 1;
    }
}

pub fn routes() -> Router<Store> {
    Router::new()
        .route("/demo/webhooks", get(page).post(receive))
        .route("/demo/webhooks/caught", get(caught))
        .route("/demo/webhooks/manner", post(set_manner))
}

async fn page(headers: HeaderMap) -> Response {
    assets::page("webhooks.html", &headers)
}

async fn receive(State(store): State<Store>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let verified = Webhook::new(&store.demo.webhook_secret)
        .is_ok_and(|webhook| webhook.verify(&body, &headers).is_ok());
    let id = headers.get("webhook-id").and_then(|id| id.to_str().ok());
    let body = serde_json::from_slice(&body).unwrap_or_default();
    let answered = store.catcher.catch(id.unwrap_or_default(), verified, body);
    match answered.map(StatusCode::from_u16) {
        Some(Ok(status)) => status,
        Some(Err(_)) | None => {
            let _hanging = Hanging::begin(&store.catcher);
            tokio::time::sleep(HANG).await;
            StatusCode::GATEWAY_TIMEOUT
        }
    }
}

/// What was caught, newest first.
async fn caught(State(store): State<Store>) -> Json<Value> {
    let log = store.catcher.log();
    let newest_first: Vec<_> = log.kept.iter().rev().collect();
    Json(json!({
        "manner": log.manner,
        "webhooks_to": store.demo.webhooks_to,
        "caught": newest_first,
    }))
}

#[derive(Debug, Deserialize)]
struct Choice {
    manner: Manner,
}

async fn set_manner(
    State(store): State<Store>,
    body: Result<Json<Choice>, JsonRejection>,
) -> Result<StatusCode, Problem> {
    let Json(Choice { manner }) = body.map_err(|_| {
        Problem::bad_request("the body must be JSON: {\"manner\": \"accept|fail|flaky|gone|hang\"}")
    })?;
    let was = std::mem::replace(&mut store.catcher.log().manner, manner);
    // Its 410 has disabled the endpoint: whoever wishes for another answer wants to be asked again.
    if was == Manner::Gone && manner != was {
        backend::enable(&store.api).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_answers_as_wished_and_never_takes_what_is_forged() {
        let catcher = Catcher::default();
        let answers = |manner, verified| {
            catcher.log().manner = manner;
            [1, 2].map(|_| catcher.catch("evt_1", verified, Value::Null))
        };
        assert_eq!(answers(Manner::Accept, true), [Some(204); 2]);
        assert_eq!(answers(Manner::Accept, false), [Some(400); 2]);
        assert_eq!(answers(Manner::Flaky, true), [Some(500), Some(204)]);
        assert_eq!(answers(Manner::Hang, true), [None; 2]);
        let hanging: Vec<_> = (0..HANGING_MAX).map(|_| Hanging::begin(&catcher)).collect();
        assert_eq!(answers(Manner::Hang, true), [Some(503); 2]);
        drop(hanging);
        assert_eq!(answers(Manner::Hang, true), [None; 2]);
        assert_eq!(
            catcher.log().kept.back().map(|caught| caught.attempt),
            Some(12)
        );
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let catcher = Catcher::default();
        for number in 0..=CAUGHT_MAX {
            catcher.catch(&format!("evt_{number}"), true, Value::Null);
        }
        let log = catcher.log();
        assert_eq!(log.kept.len(), CAUGHT_MAX);
        assert_eq!(log.kept[0].webhook_id, "evt_1");
    }
}
