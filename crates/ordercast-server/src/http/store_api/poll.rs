//! *Get order* on the shortest way: the one request that a waiting buyer repeats every few seconds,
//! answered before the router out of memory. That halves what a poll costs the server.
//!
//! Invariant: gives the very answer that the router would give, or none. Whatever needs the disk, a
//! wait, another credential than a user's JWT or the words of an error goes through the router.

use super::{
    super::{App, caller, measure, request_id},
    order,
};
use crate::clock;
use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Method, Request, Response, header},
};
use ordercast_core::{
    OrderId, ProjectId,
    access::{Action, Object, authorize},
};

/// As the router names it.
const ROUTE: &str = "/api/v2/project/{project}/order/{order}";

pub fn answer<B>(app: &App, request: &Request<B>) -> Option<Response<Body>> {
    if request.method() != Method::GET {
        return None;
    }
    let (project, id) = named(request.uri().path())?;
    if request
        .uri()
        .query()
        .is_some_and(|query| query.contains("wait"))
    {
        return None;
    }
    let started = clock::monotonic();
    let headers = request.headers();
    let principal = app.auth.user(project, caller::bearer(headers)?)?;
    let found = app.store.order_in_memory(project, id)?;
    let object = Object::Order(project, &found.order.user, id);
    authorize(&principal, Action::ReadOrder, object).ok()?;
    app.auth.limits().poll(project, id).ok()?;
    let mut response = order::show(app, &found, headers);
    add_cors(response.headers_mut());
    request_id::answer(headers, response.headers_mut());
    measure::record(ROUTE, response.status().as_u16(), started.elapsed());
    Some(response)
}

fn named(path: &str) -> Option<(ProjectId, OrderId)> {
    let (project, order) = path
        .strip_prefix("/api/v2/project/")?
        .split_once("/order/")?;
    Some((project.parse().ok()?, order.parse().ok()?))
}

/// What the layer of this surface adds.
fn add_cors(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            "etag,retry-after,ratelimit,ratelimit-policy,x-request-id",
        ),
        (
            header::VARY,
            "origin, access-control-request-method, access-control-request-headers",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}
