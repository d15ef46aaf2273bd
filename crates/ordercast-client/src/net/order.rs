//! `GET order`, the fallback while there is no connection.
//!
//! Invariant: whatever the server or something before it answers becomes an [`Answer`]; only
//! answers in the store API's own words (store contract, 2.1) end the tracking.

use std::time::Duration;

use centrifuge_protocol::Bytes;
use http::header::{
    ACCEPT, AUTHORIZATION, CONNECTION, ETAG, HOST, HeaderMap, HeaderName, IF_NONE_MATCH,
    RETRY_AFTER, USER_AGENT,
};
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use ordercast_core::OrderId;
use ordercast_core::order::TrackingStatus;
use serde::Deserialize;
use tokio::time::timeout;

use super::dial::Dialer;
use super::{Answer, is_hopeless};
use crate::config::Endpoints;

/// Bound on a whole request.
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);
/// Greatest body; an order of 1,000 items is about 200 KB.
const BODY_BYTES_MAX: usize = 1 << 20;
/// Longest wish of a server that is granted: somebody waits at a checkout.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);

/// The part of an order that tracking needs (store contract, 2.3).
#[derive(Deserialize)]
struct Order {
    order_id: OrderId,
    status: TrackingStatus,
}

/// Error body (store contract, 2.1).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Problem {
    error_code: i64,
    error_message: String,
}

pub(super) async fn fetch(endpoints: &Endpoints, dialer: &Dialer, etag: Option<String>) -> Answer {
    let Some((id, path)) = &endpoints.order else {
        return failed("no order is tracked");
    };
    match timeout(FETCH_TIMEOUT, request(endpoints, dialer, path, etag)).await {
        Ok(Ok((status, headers, body))) => answer(*id, status, &headers, &body),
        Ok(Err(reason)) => failed(&reason),
        Err(_) => failed("no answer in time"),
    }
}

async fn request(
    endpoints: &Endpoints,
    dialer: &Dialer,
    path: &Uri,
    etag: Option<String>,
) -> Result<(StatusCode, HeaderMap, Bytes), String> {
    let mut request = Request::get(path.clone())
        .header(HOST, endpoints.authority.as_str())
        .header(AUTHORIZATION, &endpoints.bearer)
        .header(ACCEPT, "application/json")
        .header(
            USER_AGENT,
            concat!("ordercast-client/", env!("CARGO_PKG_VERSION")),
        )
        // A connection a poll: it is rare, and one kept open would have to be watched.
        .header(CONNECTION, "close");
    if let Some(etag) = etag {
        request = request.header(IF_NONE_MATCH, etag);
    }
    let request = request
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;

    let stream = dialer.dial().await.map_err(|error| error.to_string())?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    let exchange = async {
        let response = sender
            .send_request(request)
            .await
            .map_err(|error| error.to_string())?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, BODY_BYTES_MAX);
        let body = body.collect().await.map_err(|error| error.to_string())?;
        Ok((head.status, head.headers, body.to_bytes()))
    };
    // The connection moves the bytes of the exchange. When it ends, the exchange has all it will
    // ever get and ends by itself, so its end is never the one to wait for.
    let drive = async {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "polling connection");
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        result = exchange => result,
        () = drive => Err("connection lost".to_owned()),
    }
}

fn answer(id: OrderId, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Answer {
    if status == StatusCode::NOT_MODIFIED {
        return Answer::Unchanged;
    }
    if status.is_success() {
        return match serde_json::from_slice::<Order>(body) {
            Ok(order) if order.order_id == id => Answer::Status {
                status: order.status,
                etag: text(headers, &ETAG),
            },
            Ok(_) => failed("the answer is another order"),
            Err(error) => failed(&format!("the answer is not an order: {error}")),
        };
    }
    // A proxy that is being configured also says 404 or 401, but not in these words.
    let problem = serde_json::from_slice::<Problem>(body).ok();
    match (status, problem) {
        (StatusCode::NOT_FOUND, Some(_)) => Answer::NotFound,
        (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, Some(problem)) => {
            let message = format!("{} {}", problem.error_code, problem.error_message);
            Answer::Unauthorized {
                code: status.as_u16(),
                message,
            }
        }
        (status, _) => {
            let seconds = text(headers, &RETRY_AFTER).and_then(|text| text.parse().ok());
            let patience = seconds
                .map(Duration::from_secs)
                .map(|wish| wish.min(RETRY_AFTER_MAX));
            let retry_after = patience.filter(|_| !is_hopeless(status));
            Answer::Failed {
                reason: format!("HTTP {status}"),
                retry_after,
            }
        }
    }
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

fn failed(reason: &str) -> Answer {
    Answer::Failed {
        reason: reason.to_owned(),
        retry_after: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: u16, header: Option<(HeaderName, &str)>, body: &str, expected: Answer) {
        let mut headers = HeaderMap::new();
        if let Some((name, value)) = header {
            headers.insert(name, value.parse().unwrap());
        }
        let status = StatusCode::from_u16(status).unwrap();
        let id = OrderId::new(7).unwrap();
        assert_eq!(answer(id, status, &headers, body.as_bytes()), expected);
    }

    #[test]
    fn reads_orders_and_refusals() {
        let etag = Some((ETAG, "\"3\""));
        check(
            200,
            etag,
            r#"{"order_id":7,"status":"paid","content":{"items":[]}}"#,
            Answer::Status {
                status: TrackingStatus::Paid,
                etag: Some("\"3\"".to_owned()),
            },
        );
        check(304, None, "", Answer::Unchanged);
        let unknown = r#"{"statusCode":404,"errorCode":9001,"errorMessage":"[0401-9001]: no"}"#;
        check(404, None, unknown, Answer::NotFound);
        let message = "1501 [0401-1501]: no".to_owned();
        let refused = r#"{"statusCode":401,"errorCode":1501,"errorMessage":"[0401-1501]: no"}"#;
        check(
            401,
            None,
            refused,
            Answer::Unauthorized { code: 401, message },
        );
    }

    #[test]
    fn whatever_stands_before_the_server_is_waited_out() {
        let failed = |reason: &str, seconds: Option<u64>| Answer::Failed {
            reason: reason.to_owned(),
            retry_after: seconds.map(Duration::from_secs),
        };
        check(404, None, "<html>", failed("HTTP 404 Not Found", None));
        check(502, None, "<html>", failed("HTTP 502 Bad Gateway", None));
        let header = |value| Some((RETRY_AFTER, value));
        check(
            429,
            header("7"),
            "",
            failed("HTTP 429 Too Many Requests", Some(7)),
        );
        check(
            503,
            header("86400"),
            "",
            failed("HTTP 503 Service Unavailable", Some(60)),
        );
        check(
            503,
            header("Wed"),
            "",
            failed("HTTP 503 Service Unavailable", None),
        );
        let other = r#"{"order_id":8,"status":"paid"}"#;
        check(
            200,
            None,
            other,
            failed("the answer is another order", None),
        );
    }
}
