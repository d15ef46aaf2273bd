//! `POST /v1/inbox/{source}`: payment providers tell what happened.
//!
//! Invariant: a body is on disk before its 2xx; a body whose signature is wrong leaves no trace but
//! a counter.

use super::{App, body, openapi, path::At, problem::Problem};
use crate::{
    clock,
    inbox::{Document, Opened, Unopened, refused::Refusal},
};
use axum::{
    Json,
    body::Body,
    extract::{ConnectInfo, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use metrics::counter;
use ordercast_core::{
    OrderId,
    ids::SourceId,
    provider::{self, Provider, Request},
};
use ordercast_store::{Change, InboxEntry, InboxOutcome, InboxState, Outcome, Source, Submission};
use serde::Serialize;
use serde_json::{Value, json};
use std::net::SocketAddr;
use utoipa::ToSchema;

/// What became of a webhook
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Receipt)]
struct ReceiptView {
    #[schema(example = "applied")]
    state: &'static str,
    reason: String,
    /// Whether the same came before.
    duplicate: bool,
}

/// Tell what happened to a payment
///
/// For payment providers, signed as each of them does. On disk before it is answered.
#[utoipa::path(
    post,
    path = "/v1/inbox/{source}",
    tag = openapi::EVENTS,
    operation_id = "receiveWebhook",
    request_body(content = serde_json::Value, description = "The provider's event", content_type = "application/json"),
    responses((status = 200, description = "It is kept", body = ReceiptView))
)]
pub async fn receive(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    At(source): At<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let registry = app.auth.registry();
    let asked = SourceId::new(&source).ok();
    let known = asked.as_ref().and_then(|id| registry.source(id));
    let refused = |refusal: Refusal| app.inbox.refusals.note(known, &refusal);
    let raw = match body::read(body, body::WEBHOOK_BYTES_MAX).await {
        Ok(raw) => raw,
        Err(problem) => {
            refused(Refusal::new(problem.code, problem.title.clone()));
            return Err(problem);
        }
    };
    let client = app.proxies.client(peer.ip(), &headers);
    let headers: Vec<(&str, &str)> = headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
        .collect();
    let request = Request {
        headers: &headers,
        body: &raw,
    };
    let Some(source) = known.filter(|source| source.settings.admits(client)) else {
        // Costs and answers what a wrong signature does.
        let _ = provider::verify(Provider::Reference, request, &["-"], clock::now());
        refused(match known {
            None => Refusal::new("source", no_source(asked.as_ref())),
            Some(_) => {
                let why = format!("requests from {client} are not admitted by its addresses");
                Refusal::new("address", why)
            }
        });
        return Err(forged());
    };
    let opened = match app.inbox.open(source, request).await {
        Ok(opened) => opened,
        Err(Unopened::Refused(refusal)) => {
            refused(refusal);
            return Err(forged());
        }
        Err(Unopened::NoSuchObject) => {
            counter!("ordercast_inbox_total", "state" => "no_such_payment").increment(1);
            let why = "unsigned, and about nothing that the provider knows";
            refused(Refusal::new("no_such_object", why));
            return Ok(StatusCode::OK.into_response());
        }
        Err(Unopened::Later(why)) => {
            refused(Refusal::new("later", why));
            return Err(Problem::unavailable());
        }
    };
    let mut outcomes = Vec::new();
    for entry in entries(source, opened) {
        let submission = Submission {
            change: Change::Receive(Box::new(entry)),
            at: clock::now(),
            idempotency: None,
        };
        let kind = kind_of(&submission);
        let received = match app.store.submit(submission).await? {
            Outcome::Received(received) => received,
            Outcome::ForgedTransmission => {
                let why = "its transmission id came with another body before";
                refused(Refusal::new("replay", why));
                return Err(forged());
            }
            _ => return Err(Problem::unavailable()),
        };
        let label = if received.is_duplicate {
            "duplicate"
        } else {
            received.state.as_str()
        };
        counter!("ordercast_inbox_total", "state" => label).increment(1);
        tracing::info!(
            inbox_id = received.inbox_id,
            source = %source.id,
            project = %source.project,
            order = received.order.map(OrderId::get),
            kind,
            state = label,
            reason = %received.reason,
            "provider event"
        );
        outcomes.push(received);
    }
    answer(source.provider, &raw, outcomes)
}

/// A name that could be a source's may stand in the log.
fn no_source(asked: Option<&SourceId>) -> String {
    asked.map_or_else(
        || "no source has the address that was asked for".to_owned(),
        |id| format!("no source is called {id}"),
    )
}

fn kind_of(submission: &Submission) -> String {
    match &submission.change {
        Change::Receive(entry) => match &entry.event {
            Ok(event) => event.kind.clone(),
            Err(_) => "unreadable".to_owned(),
        },
        _ => String::new(),
    }
}

/// Each event by itself: what was stored before an end of the process is a duplicate when it comes again.
fn entries(source: &Source, opened: Opened) -> Vec<InboxEntry> {
    let entry = |body: &[u8], event| InboxEntry {
        project: source.project,
        source: source.id.clone(),
        body: body.to_vec(),
        event,
        transmission: opened.transmission.clone(),
    };
    let of_document = |document: Document| match document.events {
        Ok(events) => events
            .into_iter()
            .map(|event| entry(&document.body, Ok(event)))
            .collect(),
        Err(reason) => vec![entry(&document.body, Err(reason))],
    };
    let documents = opened.documents.into_iter();
    documents.flat_map(of_document).collect()
}

/// As each provider expects it (providers contract, section 1).
fn answer(
    provider: Provider,
    raw: &[u8],
    outcomes: Vec<InboxOutcome>,
) -> Result<Response, Problem> {
    let is_applied = |outcome: &&InboxOutcome| outcome.state == InboxState::Applied;
    let shown = outcomes.iter().find(is_applied).or(outcomes.first());
    match (provider, shown) {
        (Provider::Adyen, _) => {
            let text = [(header::CONTENT_TYPE, "text/plain")];
            return Ok((text, "[accepted]").into_response());
        }
        (Provider::Tebex, _) if is_validation(raw) => {
            let body: Value = serde_json::from_slice(raw).unwrap_or_default();
            return Ok(Json(json!({ "id": body["id"] })).into_response());
        }
        // It asks again what it is told is wrong; the others would only send the same for days, or
        // give the address up. It is kept either way.
        (Provider::Reference, Some(outcome)) if outcome.state == InboxState::Rejected => {
            return Err(refusal(
                StatusCode::BAD_REQUEST,
                "INVALID_PARAMETER",
                &outcome.reason,
            ));
        }
        _ => {}
    }
    Ok(match shown {
        Some(outcome) => Json(ReceiptView {
            state: outcome.state.as_str(),
            reason: outcome.reason.clone(),
            duplicate: outcome.is_duplicate,
        })
        .into_response(),
        None => StatusCode::OK.into_response(),
    })
}

fn is_validation(raw: &[u8]) -> bool {
    serde_json::from_slice::<Value>(raw).is_ok_and(|body| body["type"] == "validation.webhook")
}

fn forged() -> Problem {
    counter!("ordercast_inbox_total", "state" => "forged").increment(1);
    refusal(
        StatusCode::UNAUTHORIZED,
        "INVALID_SIGNATURE",
        "the signature does not match",
    )
}

/// The provider looks for `error.code`, everybody else for the problem's members.
fn refusal(status: StatusCode, code: &'static str, message: &str) -> Problem {
    let ours = if status == StatusCode::UNAUTHORIZED {
        "invalid_signature"
    } else {
        "bad_event"
    };
    Problem::new(status, ours, message).with("error", json!({ "code": code, "message": message }))
}
