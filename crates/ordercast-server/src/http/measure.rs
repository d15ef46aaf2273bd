//! Counts, times and names every request, and logs it where the operator wants that. The handles of the
//! metrics are kept by thread: looking them up again costs more than answering a poll.

use super::request_id;
use crate::{clock, config::Config};
use axum::{
    extract::{ConnectInfo, MatchedPath, Request, State},
    http::{HeaderValue, Method, StatusCode, Uri},
    middleware::Next,
    response::Response,
};
use metrics::{Counter, Histogram, counter, histogram};
use std::{cell::RefCell, collections::HashMap, net::SocketAddr, time::Duration};
use tracing::Instrument;

/// What of requests is logged.
#[derive(Clone, Copy, Debug)]
pub struct RequestLog {
    /// Every request.
    access: bool,
    /// Requests that take at least this long.
    slow: Option<Duration>,
}

impl From<&Config> for RequestLog {
    fn from(config: &Config) -> Self {
        let millis = u64::from(config.slow_request_ms);
        Self {
            access: config.access_log,
            slow: (millis > 0).then(|| Duration::from_millis(millis)),
        }
    }
}

/// Bound: one entry a route, one counter a status.
#[derive(Debug)]
struct Route {
    seconds: Histogram,
    answers: HashMap<u16, Counter>,
}

thread_local! {
    static ROUTES: RefCell<HashMap<Box<str>, Route>> = RefCell::default();
}

pub async fn measure(State(log): State<RequestLog>, request: Request, next: Next) -> Response {
    // The route, never the path: a path is chosen by the caller and would grow the metric.
    let route = request.extensions().get::<MatchedPath>().cloned();
    let id = request_id::of(request.headers());
    let span = tracing::info_span!("request", request_id = text(&id));
    let line = log.line(&request);
    let started = clock::monotonic();
    let mut response = next.run(request).instrument(span.clone()).await;
    let took = started.elapsed();
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    record(route, response.status().as_u16(), took);
    if let Some(line) = line {
        span.in_scope(|| line.write(&log, route, response.status(), took));
    }
    response.headers_mut().insert(request_id::HEADER, id);
    response
}

fn text(id: &HeaderValue) -> &str {
    id.to_str().unwrap_or_default()
}

/// What a log line says of a request; taken before the handler has it.
struct Line {
    method: Method,
    uri: Uri,
    peer: Option<SocketAddr>,
}

impl RequestLog {
    fn line(&self, request: &Request) -> Option<Line> {
        (self.access || self.slow.is_some()).then(|| Line {
            method: request.method().clone(),
            uri: request.uri().clone(),
            peer: request
                .extensions()
                .get::<ConnectInfo<SocketAddr>>()
                .map(|ConnectInfo(peer)| *peer),
        })
    }
}

impl Line {
    /// Without the query, where some clients have their tokens.
    fn write(&self, log: &RequestLog, route: &str, status: StatusCode, took: Duration) {
        let (method, path, status) = (&self.method, self.uri.path(), status.as_u16());
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let peer = self.peer.map(|peer| peer.to_string()).unwrap_or_default();
        if log.access {
            tracing::info!(%method, path, route, status, took_ms, peer, "request");
        }
        // A request that asks to wait for a change is not slow.
        let waits = self.uri.query().is_some_and(|query| query.contains("wait"));
        if log.slow.is_some_and(|slow| took >= slow) && !waits {
            tracing::warn!(%method, path, route, status, took_ms, peer, "slow request");
        }
    }
}

/// `route` as the router names it.
pub fn record(route: &str, status: u16, took: Duration) {
    ROUTES.with_borrow_mut(|routes| {
        if !routes.contains_key(route) {
            let seconds = histogram!("ordercast_http_request_seconds", "route" => route.to_owned());
            let answers = HashMap::new();
            routes.insert(route.into(), Route { seconds, answers });
        }
        let Some(known) = routes.get_mut(route) else {
            return;
        };
        known.seconds.record(took.as_secs_f64());
        known
            .answers
            .entry(status)
            .or_insert_with(|| {
                counter!(
                    "ordercast_http_requests_total",
                    "route" => route.to_owned(),
                    "status" => status.to_string()
                )
            })
            .increment(1);
    });
}
