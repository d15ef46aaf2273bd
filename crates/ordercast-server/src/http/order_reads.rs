//! `GET /v1/projects/{project}/orders…`: what the shop's backend reads, and buyers of their own orders.
//! One order can be waited for, and followed as a stream.
//!
//! Invariant: a buyer learns nothing of what the shop notes for itself: flags, actors, reasons.

use super::{
    App,
    body::Params,
    caller::{self, Reader, permit},
    etag::unless_known,
    openapi::{self, IfNoneMatch, Invalid, LastEventId},
    path::{At, path_id},
    problem::Problem,
    render::{self, OrderView, Time, read_time},
    requested,
};
use crate::clock;
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response, Sse, sse},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_util::{Stream, stream};
use ordercast_core::{
    OrderId, ProjectId, Timestamp, UserId,
    access::{Action, Object},
    channel::Offset,
    ids::Version,
    order::{Flag, Mode, Order, Status},
};
use ordercast_store::{
    Failure, Found, OrderWatch, VersionRow,
    list::{OrderFilter, Place},
};
use serde::{Deserialize, Serialize};
use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};
use utoipa::{IntoParams, ToSchema};

const WAIT_SECONDS_MAX: u64 = 30;
const PAGE: usize = 20;
const PAGE_MAX: usize = 100;
/// As long as a realtime connection.
const STREAM_LIFE: Duration = Duration::from_secs(300);
const STREAM_KEEP_ALIVE: Duration = Duration::from_secs(15);

type OrderPath = At<(String, String)>;

/// Without an unknown name: a filter that is misspelt must not show everything.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Of this user.
    #[param(value_type = Option<UserId>, required = false)]
    user: Option<String>,
    /// `new`, `paid`, `done`, `canceled` or `expired`; several by comma.
    #[param(
        required = false,
        pattern = "^(new|paid|done|canceled|expired)(,(new|paid|done|canceled|expired))*$",
        example = "new,paid"
    )]
    status: Option<String>,
    /// Made at this time or later.
    #[param(value_type = Option<Time>, required = false)]
    created_from: Option<String>,
    /// Made before this time.
    #[param(value_type = Option<Time>, required = false)]
    created_before: Option<String>,
    /// Changed at this time or later.
    #[param(value_type = Option<Time>, required = false)]
    updated_from: Option<String>,
    /// Changed before this time.
    #[param(value_type = Option<Time>, required = false)]
    updated_before: Option<String>,
    #[param(required = false)]
    mode: Option<Mode>,
    #[param(required = false)]
    flag: Option<Flag>,
    /// Minutes for which an order that is not at its end has not changed.
    #[param(required = false, maximum = 2_147_483_647)]
    stuck_minutes: Option<u32>,
    /// Without it 20.
    #[param(required = false, minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    #[param(
        required = false,
        min_length = 22,
        max_length = 22,
        pattern = "^[A-Za-z0-9_-]{21}[AQgw]$"
    )]
    cursor: Option<String>,
}

/// A page of orders
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Orders)]
struct ListView<'a> {
    orders: Vec<OrderView<'a>>,
    /// `null`: there are no more.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// List orders, newest first
///
/// `next_cursor` goes on behind them.
#[utoipa::path(
    get,
    path = "/v1/projects/{project}/orders",
    tag = openapi::ORDERS,
    operation_id = "listOrders",
    params(ListQuery),
    responses((status = 200, description = "A page of orders", body = ListView))
)]
pub async fn list(
    State(app): State<App>,
    At(project): At<String>,
    Params(query): Params<ListQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let project: ProjectId = path_id(&project)?;
    let object = Object::Project(project);
    caller::server(&app.auth, &headers, Action::ReadOrder, object)?;
    let before = query.cursor.as_deref().map(open_cursor).transpose()?;
    let limit = query.limit.unwrap_or(PAGE);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(Problem::invalid("limit", "must be 1 to 100"));
    }
    let filter = filter(query)?;
    let page = app.store.orders(project, filter, before, limit).await?;
    let orders = page.items.iter().map(|found| render::order(&found.order));
    let answer = ListView {
        orders: orders.collect(),
        next_cursor: page.next.map(cursor),
    };
    Ok(Json(answer).into_response())
}

fn filter(query: ListQuery) -> Result<OrderFilter, Problem> {
    let time = |field, text: Option<String>| {
        text.map(|text| {
            let rule = "must be a time such as 2026-11-23T08:00:00Z";
            read_time(&text).ok_or_else(|| Problem::invalid(field, rule))
        })
        .transpose()
    };
    let statuses = match &query.status {
        None => Vec::new(),
        Some(words) => words
            .split(',')
            .map(|word| {
                let rule = "must be new, paid, done, canceled or expired; several by comma";
                word.parse::<Status>()
                    .map_err(|()| Problem::invalid("status", rule))
            })
            .collect::<Result<_, _>>()?,
    };
    let user = query
        .user
        .map(|user| UserId::new(&user).map_err(|e| Problem::invalid("user", e.to_string())))
        .transpose()?;
    Ok(OrderFilter {
        user,
        statuses,
        created_from: time("created_from", query.created_from)?,
        created_before: time("created_before", query.created_before)?,
        updated_from: time("updated_from", query.updated_from)?,
        updated_before: time("updated_before", query.updated_before)?,
        mode: query.mode,
        flag: query.flag,
        stuck_since: query
            .stuck_minutes
            .map(|minutes| clock::now().minus(Duration::from_secs(u64::from(minutes) * 60))),
    })
}

/// Opaque to callers: what it holds may change.
fn cursor(place: Place) -> String {
    let millis = place.created_at.millis().to_be_bytes();
    URL_SAFE_NO_PAD.encode([millis, place.order_key.to_be_bytes()].concat())
}

fn open_cursor(text: &str) -> Result<Place, Problem> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok();
    bytes
        .and_then(|bytes| <[u8; 16]>::try_from(bytes).ok())
        .map(u128::from_be_bytes)
        .map(|both| Place {
            created_at: Timestamp::from_millis((both >> 64) as i64),
            order_key: both as i64,
        })
        .ok_or_else(|| Problem::invalid("cursor", "must be the next_cursor of an answer"))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReadQuery {
    /// Seconds to hold the answer until the order is newer than `version`.
    #[serde(default)]
    #[param(required = false, minimum = 0, maximum = 30)]
    wait: u64,
    /// What the caller has. Without it, what the order is at now.
    #[param(required = false)]
    version: Option<Version>,
    /// `versions`: with the timeline.
    #[param(required = false, pattern = "^versions$")]
    expand: Option<String>,
}

/// An order, with its timeline where that was asked for
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReadOrder)]
struct ReadView<'a> {
    #[serde(flatten)]
    order: OrderView<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<VersionView>, required = false)]
    versions: Option<Vec<VersionView>>,
}

/// Read an order
///
/// For the shop's backend; for its buyer with a user's JWT or a payment token, without flags, actors
/// and reasons. Can be held until the order changes.
#[utoipa::path(
    get,
    path = "/v1/projects/{project}/orders/{order}",
    tag = openapi::ORDERS,
    operation_id = "readOrder",
    params(ReadQuery, IfNoneMatch),
    responses((status = 200, description = "The order", body = ReadView))
)]
pub async fn read(
    State(app): State<App>,
    At(path): OrderPath,
    Params(query): Params<ReadQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (mut found, reader) = find(&app, &path, &headers).await?;
    if query.wait > WAIT_SECONDS_MAX {
        return Err(Problem::invalid("wait", "must be 0 to 30"));
    }
    let with_versions = match query.expand.as_deref() {
        None => false,
        Some("versions") => true,
        Some(_) => return Err(Problem::invalid("expand", "must be versions")),
    };
    if query.wait > 0 {
        let version = query.version.unwrap_or(found.order.version);
        let wait = Duration::from_secs(query.wait);
        found = hold(&app, found, wait, |order| order.version > version).await?;
    }
    let versions = if with_versions {
        Some(timeline(&app, &found, reader).await?)
    } else {
        None
    };
    Ok(unless_known(found.order.version, &headers, || {
        let order = match reader {
            Reader::Shop => render::order(&found.order),
            Reader::Buyer => render::order_for_buyer(&found.order),
        };
        Json(ReadView { order, versions }).into_response()
    }))
}

/// The order once it is as awaited, or as it is when the time is over or the server stops.
pub(super) async fn hold(
    app: &App,
    found: Arc<Found>,
    wait: Duration,
    is_awaited: impl Fn(&Order) -> bool,
) -> Result<Arc<Found>, Problem> {
    let mut watch = app.store.watch(&found)?;
    let deadline = tokio::time::sleep(wait);
    tokio::pin!(deadline);
    let mut stopping = app.stopping.clone();
    loop {
        // Read after the watch began: a change in between is seen here or wakes it.
        let fresh = reread(app, &found).await?;
        if is_awaited(&fresh.order) {
            return Ok(fresh);
        }
        tokio::select! {
            () = watch.changed() => {}
            () = &mut deadline => return Ok(fresh),
            () = requested(&mut stopping) => return Ok(fresh),
        }
    }
}

async fn reread(app: &App, found: &Found) -> Result<Arc<Found>, Problem> {
    let order = &found.order;
    app.store
        .order(order.project, order.id)
        .await?
        .ok_or_else(Problem::not_found)
}

/// An order's timeline
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Versions)]
pub struct VersionsView {
    versions: Vec<VersionView>,
}

/// How an order stood at one of its versions
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OrderVersion)]
pub struct VersionView {
    version: Version,
    status: Status,
    /// Who made it so: not shown to buyers.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false, example = "api_key:oc_api_1a2b3c")]
    actor: Option<String>,
    /// Why: not shown to buyers.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    reason: Option<String>,
    /// Where tracking clients saw it; `null` where they see no difference.
    #[schema(required)]
    offset: Option<u32>,
    created_at: Time,
}

/// Read an order's timeline
///
/// Every version with who, why and when; for its buyer, without who and why.
#[utoipa::path(
    get,
    path = "/v1/projects/{project}/orders/{order}/versions",
    tag = openapi::ORDERS,
    operation_id = "listOrderVersions",
    responses((status = 200, description = "The timeline, oldest first", body = VersionsView))
)]
pub async fn versions(
    State(app): State<App>,
    At(path): OrderPath,
    headers: HeaderMap,
) -> Result<Json<VersionsView>, Problem> {
    let (found, reader) = find(&app, &path, &headers).await?;
    let versions = timeline(&app, &found, reader).await?;
    Ok(Json(VersionsView { versions }))
}

async fn timeline(app: &App, found: &Found, reader: Reader) -> Result<Vec<VersionView>, Problem> {
    let rows = app.store.versions(found.order_key).await?;
    Ok(rows.into_iter().map(|row| version(row, reader)).collect())
}

fn version(row: VersionRow, reader: Reader) -> VersionView {
    let (actor, reason) = match reader {
        Reader::Shop => (Some(row.actor), Some(row.reason)),
        Reader::Buyer => (None, None),
    };
    VersionView {
        version: row.version,
        status: row.status,
        actor,
        reason,
        offset: row.offset.map(Offset::get),
        created_at: Time(row.at),
    }
}

/// A server-sent event
#[derive(ToSchema)]
#[schema(as = OrderEvent)]
#[expect(
    dead_code,
    reason = "axum writes events; this is how a reader has them"
)]
struct EventView {
    /// The version.
    id: String,
    #[schema(pattern = "^version$", example = "version")]
    event: String,
    /// The timeline's entry of this version, as JSON.
    #[schema(content_media_type = "application/json")]
    data: String,
}

/// Follow an order as server-sent events
///
/// Its versions after `Last-Event-ID`, then each new one when it is committed: the event `version`
/// with the version as its id and the timeline's entry as its data. Ends after 5 minutes; a browser's
/// `EventSource` comes back where it was.
#[utoipa::path(
    get,
    path = "/v1/projects/{project}/orders/{order}/stream",
    tag = openapi::ORDERS,
    operation_id = "streamOrder",
    params(LastEventId),
    responses(
        (status = 200, description = "The stream", body = EventView, content_type = "text/event-stream"),
        Invalid
    )
)]
pub async fn stream(
    State(app): State<App>,
    At(path): OrderPath,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let found = find_for_shop(&app, &path, &headers).await?;
    let last = match headers.get("last-event-id") {
        None => 0,
        Some(id) => id
            .to_str()
            .ok()
            .and_then(|id| id.parse::<u32>().ok())
            .ok_or_else(|| Problem::invalid("Last-Event-ID", "must be a version"))?,
    };
    let following = Following {
        watch: app.store.watch(&found)?,
        order_key: found.order_key,
        last,
        ready: VecDeque::new(),
        ends_at: clock::monotonic() + STREAM_LIFE,
        app,
    };
    let events =
        Sse::new(events(following)).keep_alive(sse::KeepAlive::new().interval(STREAM_KEEP_ALIVE));
    Ok((
        StatusCode::OK,
        [(header::CACHE_CONTROL, "no-store")],
        events,
    )
        .into_response())
}

struct Following {
    app: App,
    watch: OrderWatch,
    order_key: i64,
    /// The newest version that was sent.
    last: u32,
    ready: VecDeque<VersionRow>,
    ends_at: std::time::Instant,
}

fn events(following: Following) -> impl Stream<Item = Result<sse::Event, Infallible>> {
    stream::unfold(following, async |mut following| {
        let row = following.next().await?;
        following.last = row.version.get();
        let event = sse::Event::default()
            .id(row.version.to_string())
            .event("version")
            .data(render::json(&version(row, Reader::Shop)));
        Some((Ok(event), following))
    })
}

impl Following {
    /// The next version; `None`: the stream is over.
    async fn next(&mut self) -> Option<VersionRow> {
        let mut stopping = self.app.stopping.clone();
        loop {
            if let Some(row) = self.ready.pop_front() {
                return Some(row);
            }
            self.ready = self.newer().await.ok()?;
            if !self.ready.is_empty() {
                continue;
            }
            tokio::select! {
                () = self.watch.changed() => {}
                () = tokio::time::sleep_until(self.ends_at.into()) => return None,
                () = requested(&mut stopping) => return None,
            }
        }
    }

    async fn newer(&self) -> Result<VecDeque<VersionRow>, Failure> {
        let rows = self.app.store.versions(self.order_key).await?;
        let is_newer = |row: &VersionRow| row.version.get() > self.last;
        Ok(rows.into_iter().filter(is_newer).collect())
    }
}

/// An order that the caller may read, and as whom. A missing one and a foreign one are one answer.
async fn find(
    app: &App,
    path: &(String, String),
    headers: &HeaderMap,
) -> Result<(Arc<Found>, Reader), Problem> {
    let project: ProjectId = path_id(&path.0)?;
    let (principal, reader) = caller::reader(&app.auth, headers, project).await?;
    let order: OrderId = path_id(&path.1)?;
    let found = app.store.order(project, order).await?;
    let found = found.ok_or_else(Problem::not_found)?;
    let object = Object::Order(project, &found.order.user, found.order.id);
    permit(&principal, Action::ReadOrder, object)?;
    // The same bucket as of the store's API: a buyer gets no more by another door.
    if reader == Reader::Buyer {
        app.auth.limits().poll(project, order)?;
    }
    Ok((found, reader))
}

async fn find_for_shop(
    app: &App,
    path: &(String, String),
    headers: &HeaderMap,
) -> Result<Arc<Found>, Problem> {
    let project: ProjectId = path_id(&path.0)?;
    let object = Object::Project(project);
    caller::server(&app.auth, headers, Action::ReadOrder, object)?;
    let order: OrderId = path_id(&path.1)?;
    app.store
        .order(project, order)
        .await?
        .ok_or_else(Problem::not_found)
}
