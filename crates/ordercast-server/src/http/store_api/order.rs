//! *Get order*: what SDKs poll every 3 s when they have no connection, and what a client with a hand
//! of its own holds open until the status changes.

use super::{
    super::{App, caller::permit, orders::with_etag, requested},
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
use std::time::Duration;

const WAIT_MAX: Duration = Duration::from_secs(30);

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
    // Taken before the order is read, so that no change falls between.
    let held = wait.and_then(|wait| Some((wait, app.waits.hold(project, id)?)));
    let mut order = find(&app, &principal, project, id).await?;
    let render = |order: &Order| {
        let integers = app
            .auth
            .registry()
            .project(project)
            .is_some_and(|keys| keys.project.settings.virtual_price_integers);
        with_etag(
            render::ok(&render::order(order, integers)),
            order.version,
            &headers,
        )
    };
    let answer = render(&order);
    let Some((wait, mut held)) = held.filter(|_| is_awaited(&order, &answer, &headers)) else {
        return Ok(answer);
    };
    let seen = order.status().tracking();
    let deadline = tokio::time::sleep(wait);
    tokio::pin!(deadline);
    let mut stopping = app.stopping.clone();
    let mut is_over = false;
    while order.status().tracking() == seen && !is_over {
        is_over = tokio::select! {
            () = &mut deadline => true,
            () = requested(&mut stopping) => true,
            () = held.changed() => false,
        };
        // Also at the end: a version may have come that changed no status.
        order = find(&app, &principal, project, id).await?;
    }
    Ok(render(&order))
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
) -> Result<Order, ApiError> {
    let found = app.store.order(project, id).await?;
    let order = found.ok_or_else(ApiError::order_not_found)?.order;
    let object = Object::Order(project, &order.user, order.id);
    permit(principal, Action::ReadOrder, object).map_err(|_| ApiError::order_not_found())?;
    Ok(order)
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
