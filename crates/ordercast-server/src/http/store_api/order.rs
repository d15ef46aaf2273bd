//! *Get order*: what SDKs poll every 3 s when they have no connection, and what a client with a hand
//! of its own holds open until the status changes.

use super::{
    super::{
        App,
        caller::permit,
        etag::unless_known,
        openapi::{self, IfNoneMatch, Wait},
        order_reads::hold,
    },
    error::ApiError,
    path::At,
    render, who,
};
use axum::{
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use ordercast_core::{
    OrderId, ProjectId,
    access::{Action, Object, Principal},
    order::{Order, TrackingStatus},
};
use ordercast_store::Found;
use std::{sync::Arc, time::Duration};

const WAIT_MAX: Duration = Duration::from_secs(30);

/// Get an order
///
/// What SDKs poll when they have no connection. Can be held until the status changes.
#[utoipa::path(
    get,
    path = "/order/{order}",
    tag = openapi::BUYING,
    operation_id = "trackOrder",
    params(IfNoneMatch, Wait),
    responses((status = 200, description = "The order", body = render::OrderView))
)]
pub async fn read(
    State(app): State<App>,
    At((project, order)): At<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let project = who::project_id(&project)?;
    let principal = who::anyone(&app, &headers, project).await?;
    let id: OrderId = order.parse().map_err(|_| ApiError::order_not_found())?;
    let wait = wait(query.as_deref().unwrap_or_default())?;
    let found = find(&app, &principal, project, id).await?;
    app.auth.limits().poll(project, id)?;
    let answer = show(&app, &found, &headers);
    let Some(wait) = wait.filter(|_| is_awaited(&found.order, &answer, &headers)) else {
        return Ok(answer);
    };
    let seen = found.order.status().tracking();
    let is_other = |order: &Order| order.status().tracking() != seen;
    let found = hold(&app, found, wait, is_other).await?;
    Ok(show(&app, &found, &headers))
}

pub(super) fn show(app: &App, found: &Found, headers: &HeaderMap) -> Response {
    let order = &found.order;
    unless_known(order.version, headers, || {
        if order.content.virtual_price.is_none() {
            return render::json(found.rendered(|order| render::order(order, false)));
        }
        let registry = app.auth.registry();
        let integers = registry
            .project(order.project)
            .is_some_and(|keys| keys.project.settings.virtual_price_integers);
        render::json(render::order(order, integers))
    })
}

/// Whether there is a change to wait for. A client that says what it has waits for another; one that
/// says nothing is told a final status at once.
fn is_awaited(order: &Order, answer: &Response, headers: &HeaderMap) -> bool {
    if headers.contains_key(header::IF_NONE_MATCH) {
        return answer.status() == StatusCode::NOT_MODIFIED;
    }
    match order.status().tracking() {
        TrackingStatus::New | TrackingStatus::Paid => true,
        TrackingStatus::Done | TrackingStatus::Canceled => false,
    }
}

async fn find(
    app: &App,
    principal: &Principal,
    project: ProjectId,
    id: OrderId,
) -> Result<Arc<Found>, ApiError> {
    let found = app.store.order(project, id).await?;
    let found = found.ok_or_else(ApiError::order_not_found)?;
    let object = Object::Order(project, &found.order.user, found.order.id);
    permit(principal, Action::ReadOrder, object).map_err(|_| ApiError::order_not_found())?;
    Ok(found)
}

/// `wait=SECONDS`; SDKs send parameters of their own beside it, which mean nothing here.
fn wait(query: &str) -> Result<Option<Duration>, ApiError> {
    let value = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find_map(|(name, value)| (name == "wait").then_some(value));
    let Some(value) = value else {
        return Ok(None);
    };
    let seconds: u32 = value
        .parse()
        .map_err(|_| ApiError::invalid("wait", "must be a number of seconds"))?;
    let wait = Duration::from_secs(seconds.into()).min(WAIT_MAX);
    Ok(Some(wait).filter(|wait| !wait.is_zero()))
}
