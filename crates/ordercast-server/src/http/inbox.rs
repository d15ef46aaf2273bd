//! `POST /v1/inbox/{source}`: payment providers tell what happened.
//!
//! Invariant: a body is on disk before its 2xx; a body whose signature is wrong leaves no trace but
//! a counter.

use super::{App, body, openapi, path::At, problem::Problem};
use crate::{auth, clock};
use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use metrics::counter;
use ordercast_core::{ids::SourceId, provider::reference};
use ordercast_store::{Change, InboxEntry, InboxState, Outcome, Provider, Source, Submission};
use serde::Serialize;
use serde_json::json;
use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;
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
/// For payment providers. Signed with the source's secret; on disk before it is answered.
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
    At(source): At<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let raw = body::read(body, body::WEBHOOK_BYTES_MAX).await?;
    let registry = app.auth.registry();
    let source = SourceId::new(&source)
        .ok()
        .and_then(|id| registry.source(&id));
    // An unknown source costs and answers what a wrong signature does.
    let secret = source.map_or("", |source| source.secret.as_str());
    let is_signed = is_signed(&headers, &raw, secret);
    let Some(source) = source.filter(|_| is_signed) else {
        counter!("ordercast_inbox_total", "state" => "forged").increment(1);
        return Err(refusal(
            StatusCode::UNAUTHORIZED,
            "INVALID_SIGNATURE",
            "the signature does not match",
        ));
    };
    let outcome = app.store.submit(submission(source, &raw)).await?;
    let Outcome::Received(received) = outcome else {
        return Err(Problem::unavailable());
    };
    let label = if received.is_duplicate {
        "duplicate"
    } else {
        received.state.as_str()
    };
    counter!("ordercast_inbox_total", "state" => label).increment(1);
    tracing::info!(source = %source.id, state = label, reason = %received.reason, "provider event");
    if received.state == InboxState::Rejected {
        return Err(refusal(
            StatusCode::BAD_REQUEST,
            "INVALID_PARAMETER",
            &received.reason,
        ));
    }
    let answer = ReceiptView {
        state: received.state.as_str(),
        reason: received.reason,
        duplicate: received.is_duplicate,
    };
    Ok((StatusCode::OK, Json(answer)).into_response())
}

fn submission(source: &Source, raw: &[u8]) -> Submission {
    let event = match source.provider {
        Provider::Reference => {
            let hash = data_encoding::HEXLOWER.encode(&auth::sha256(raw));
            reference::parse(raw, source.project, &hash).map_err(|error| error.to_string())
        }
    };
    Submission {
        change: Change::Receive(Box::new(InboxEntry {
            project: source.project,
            source: source.id.clone(),
            body: raw.to_vec(),
            event,
        })),
        at: clock::now(),
        idempotency: None,
    }
}

/// `Authorization: Signature <hex>`, plain SHA-1 of body and secret (store contract, 3.2).
fn is_signed(headers: &HeaderMap, raw: &[u8], secret: &str) -> bool {
    let expected: [u8; 20] = Sha1::new()
        .chain_update(raw)
        .chain_update(secret)
        .finalize()
        .into();
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Signature "))
        .and_then(|hex| data_encoding::HEXLOWER.decode(hex.trim().as_bytes()).ok())
        .unwrap_or_default();
    given.ct_eq(&expected).into()
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
