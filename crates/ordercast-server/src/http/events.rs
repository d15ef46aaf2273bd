//! `GET /v1/projects/{project}/events`: what happened to a project's orders, by cursor.

use super::{
    App,
    body::Params,
    caller, openapi,
    path::{At, path_id},
    problem::Problem,
    render::Time,
    requested,
};
use crate::clock;
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use ordercast_core::{
    OrderId, ProjectId,
    access::{Action, Object},
    delivery::{
        Amount, DisputeView, Form, Mode, RaisedView, RefundView, body, more, notifications,
    },
    ids::Version,
    order::{Flag, Status},
};
use ordercast_store::{EventRow, Feed, FeedCursor, FeedPlace};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, time::Duration};
use utoipa::{IntoParams, ToSchema};

const PAGE_MAX: u32 = 1_000;
/// Each event's order is read beside it.
const PAGE_WITH_BODIES_MAX: u32 = 100;
const WAIT_SECONDS_MAX: u64 = 30;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EventsQuery {
    /// `cursor` of the answer before, or its `last_id`. A cursor of a state that was lost when the
    /// database was put back is answered 410.
    #[param(required = false, value_type = String, pattern = "^([0-9A-Za-z]{1,16}-)?[0-9]{1,16}$", example = "abcdefghijklm-42")]
    after: Option<String>,
    /// More than 1000 are 1000; without it 100.
    #[param(required = false, minimum = 1, maximum = 1_000)]
    limit: Option<u32>,
    /// Seconds to wait for a first event; more than 30 are 30.
    #[serde(default)]
    #[param(required = false, minimum = 0, maximum = 30)]
    wait: u64,
    /// Only those that the shop has not taken yet, by an endpoint or here.
    #[serde(default)]
    #[param(required = false)]
    unacknowledged: bool,
    /// Adds to each event the `notifications` that an endpoint of this mode is sent; then `limit` is
    /// 100 at most.
    #[param(required = false)]
    mode: Option<Mode>,
}

/// What happened to a project's orders
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Events)]
pub struct EventsView<'a> {
    events: Vec<EventView<'a>>,
    /// Asked for with `after`, the feed goes on; it is also known then whether the database was put back
    /// meanwhile.
    #[schema(example = "abcdefghijklm-42")]
    cursor: String,
    /// The event that `cursor` stands after.
    last_id: i64,
    /// Of all events of the project: asked for with `after`, only what comes from now on.
    newest_id: i64,
}

/// One event; ids grow in the order of the commits
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Event)]
struct EventView<'a> {
    id: i64,
    #[serde(rename = "type")]
    #[schema(example = "order.paid")]
    kind: &'a str,
    created_at: Time,
    /// When the shop took it: by all of its endpoints that complete, or by the event API.
    #[schema(required)]
    acknowledged_at: Option<Time>,
    data: EventData<'a>,
    /// With `mode`; in the order in which they are sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    notifications: Option<Vec<NotificationView>>,
}

/// What an endpoint is sent of an event
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventNotification)]
struct NotificationView {
    /// The `webhook-id`.
    #[schema(example = "evt_abcdefghijklm_7_42")]
    id: String,
    /// `event`, or in a reference mode the type that is sent.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The body, byte for byte; of the order as it is now.
    body: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct EventData<'a> {
    order_id: OrderId,
    user_external_id: &'a str,
    version: Version,
    status: Status,
    #[schema(required)]
    previous_status: Option<Status>,
    /// Why the order changed. This and what follows is not in events of earlier versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    reason: Option<&'a str>,
    /// What the shop held of the buyer's money after it. Null: the order costs no money.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, value_type = Option<Amount>)]
    net_paid: Option<Option<Amount>>,
    /// All that are up after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, value_type = Vec<Flag>)]
    flags: Option<&'a BTreeSet<Flag>>,
    /// Of `order.refunded` and `order.refund_reversed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, value_type = RefundView)]
    refund: Option<RefundView<'a>>,
    /// Of `order.disputed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, value_type = DisputeView)]
    dispute: Option<DisputeView<'a>>,
    /// Of `order.flagged`: those that were raised by it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    raised: Vec<RaisedView>,
}

impl<'a> From<&'a EventRow> for EventData<'a> {
    fn from(row: &'a EventRow) -> Self {
        let facts = &row.facts;
        let more = more(facts);
        let (reason, flags) = more.as_ref().map(|more| (more.reason, more.flags)).unzip();
        let (net_paid, refund, dispute, raised) = match more {
            None => (None, None, None, Vec::new()),
            Some(more) => (Some(more.net_paid), more.refund, more.dispute, more.raised),
        };
        Self {
            order_id: row.order,
            user_external_id: &row.user,
            version: facts.version,
            status: facts.status,
            previous_status: facts.previous_status,
            reason,
            flags,
            net_paid,
            refund,
            dispute,
            raised,
        }
    }
}

/// Read the event feed
///
/// By cursor; an event's id grows with the commit order. Can be held until there is one.
#[utoipa::path(
    get,
    path = "/v1/projects/{project}/events",
    tag = openapi::EVENTS,
    operation_id = "listEvents",
    params(EventsQuery),
    responses(
        (status = 200, description = "Events after the cursor", body = EventsView),
        (status = 410, description = "The cursor is of a state that was lost when the database was put \
            back: read again from `begin_cursor` on", body = Problem, content_type = "application/problem+json")
    )
)]
pub async fn list(
    State(app): State<App>,
    At(project): At<String>,
    Params(query): Params<EventsQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let project: ProjectId = path_id(&project)?;
    caller::server(
        &app.auth,
        &headers,
        Action::ReadEvents,
        Object::Project(project),
    )?;
    let page_max = query.mode.map_or(PAGE_MAX, |_| PAGE_WITH_BODIES_MAX);
    let limit = query.limit.unwrap_or(100).clamp(1, page_max);
    let feed = if query.unacknowledged {
        Feed::Unacknowledged
    } else {
        Feed::All
    };
    let cursor = cursor(query.after.as_deref())?;
    go_on(&app, project, &cursor).await?;
    let wait = Duration::from_secs(query.wait.min(WAIT_SECONDS_MAX));
    let deadline = tokio::time::sleep(wait);
    tokio::pin!(deadline);
    let mut stopping = app.stopping.clone();
    // Before the read: what is committed after it wakes this.
    let mut watch = match wait.is_zero() {
        true => None,
        false => Some(app.store.watch_events(project)?),
    };
    let rows = loop {
        let rows = app.store.events(project, feed, cursor.after, limit).await?;
        let Some(watch) = watch.as_mut().filter(|_| rows.is_empty()) else {
            break rows;
        };
        tokio::select! {
            () = &mut deadline => break rows,
            () = requested(&mut stopping) => break rows,
            () = watch.changed() => {}
        }
    };
    let last_id = rows.last().map_or(cursor.after, |row| row.facts.id);
    let mut events = Vec::with_capacity(rows.len());
    for row in &rows {
        events.push(event(&app, project, row, query.mode).await?);
    }
    // Read after the events: it may be newer than they are, never older.
    let newest_id = app.store.newest_event_of(project).await?;
    let answer = EventsView {
        events,
        cursor: FeedCursor {
            epoch: Some(app.store.epoch().to_string()),
            after: last_id,
        }
        .to_string(),
        last_id,
        newest_id,
    };
    Ok(Json(answer).into_response())
}

fn cursor(text: Option<&str>) -> Result<FeedCursor, Problem> {
    match text {
        None => Ok(FeedCursor::default()),
        Some(text) => text.parse().map_err(|rule| Problem::invalid("after", rule)),
    }
}

/// `Err`: the reader has seen events that are no more.
async fn go_on(app: &App, project: ProjectId, cursor: &FeedCursor) -> Result<(), Problem> {
    let place = app.store.feed_place(project, cursor, clock::now()).await?;
    let FeedPlace::Lost { begin_after } = place else {
        return Ok(());
    };
    let begin = FeedCursor {
        epoch: Some(app.store.epoch().to_string()),
        after: begin_after,
    };
    let title = "the database was put back to an older state since this cursor was given: read the feed \
                 again from begin_cursor on, and look at what you did for events that are not there any more";
    Err(Problem::new(StatusCode::GONE, "cursor_lost", title)
        .with("begin_cursor", begin.to_string())
        .with("begin_after", begin_after))
}

async fn event<'a>(
    app: &App,
    project: ProjectId,
    row: &'a EventRow,
    mode: Option<Mode>,
) -> Result<EventView<'a>, Problem> {
    let notifications = match mode {
        Some(mode) => Some(notifications_of(app, project, row, mode).await?),
        None => None,
    };
    Ok(EventView {
        id: row.facts.id,
        kind: &row.facts.kind,
        created_at: Time(row.facts.at),
        acknowledged_at: row.acknowledged_at.map(Time),
        data: row.into(),
        notifications,
    })
}

async fn notifications_of(
    app: &App,
    project: ProjectId,
    row: &EventRow,
    mode: Mode,
) -> Result<Vec<NotificationView>, Problem> {
    let found = app.store.order(project, row.order).await?;
    let found = found.ok_or_else(Problem::unavailable)?;
    let (facts, order) = (&row.facts, &found.order);
    let form = Form {
        mode,
        // As of an endpoint of which nothing else is said.
        has_item_flags: false,
    };
    let told = notifications(mode, &facts.kind, facts.previous_status, order);
    Ok(told
        .iter()
        .map(|notification| NotificationView {
            id: facts.message_id(*notification),
            kind: notification.as_str(),
            body: String::from_utf8_lossy(&body(form, *notification, facts, order)).into_owned(),
        })
        .collect())
}
