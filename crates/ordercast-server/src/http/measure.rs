//! Counts and times every request by its route. The handles of the metrics are kept by thread: to
//! look them up anew costs more than to answer a poll.

use crate::clock;
use axum::{
    extract::{MatchedPath, Request},
    middleware::Next,
    response::Response,
};
use metrics::{Counter, Histogram, counter, histogram};
use std::{cell::RefCell, collections::HashMap, time::Duration};

/// Bound: one entry a route, one counter a status.
#[derive(Debug)]
struct Route {
    seconds: Histogram,
    answers: HashMap<u16, Counter>,
}

thread_local! {
    static ROUTES: RefCell<HashMap<Box<str>, Route>> = RefCell::default();
}

pub async fn measure(request: Request, next: Next) -> Response {
    // The route, never the path: a path is chosen by the caller and would grow the metric.
    let route = request.extensions().get::<MatchedPath>().cloned();
    let started = clock::monotonic();
    let response = next.run(request).await;
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    record(route, response.status().as_u16(), started.elapsed());
    response
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
