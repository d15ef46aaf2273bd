//! `GET /v1/projects/{project}/orders…`: what the shop's backend reads. One order can be waited for,
//! and followed as a stream.

use super::{
    App,
    body::Params,
    caller,
    orders::unless_known,
    path_id,
    problem::Problem,
    render::{self, read_time},
    requested,
};
use crate::clock;
use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response, Sse, sse},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_util::{Stream, stream};
use ordercast_core::{
    OrderId, ProjectId, Timestamp, UserId,
    access::{Action, Object},
    ids::Version,
    order::{Flag, Mode, Order, Status},
};
use ordercast_store::{
    Failure, Found, OrderWatch, VersionRow,
    list::{OrderFilter, Place},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

const WAIT_SECONDS_MAX: u64 = 30;
const PAGE: usize = 20;
const PAGE_MAX: usize = 100;
/// As long as a realtime connection.
const STREAM_LIFE: Duration = Duration::from_secs(300);
const STREAM_KEEP_ALIVE: Duration = Duration::from_secs(15);

type OrderPath = Path<(String, String)>;

/// Without an unknown name: a filter that is misspelt must not show everything.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    user: Option<String>,
    /// Several by comma.
    status: Option<String>,
    created_from: Option<String>,
    created_before: Option<String>,
    updated_from: Option<String>,
    updated_before: Option<String>,
    mode: Option<Mode>,
    flag: Option<Flag>,
    /// Minutes for which an order that is not at its end has not changed.
    stuck_minutes: Option<u32>,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// Orders that match, newest first. `next_cursor` goes on behind them.
pub async fn list(
    State(app): State<App>,
    Path(project): Path<String>,
    Params(query): Params<ListQuery>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
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
    let orders: Vec<_> = page
        .items
        .iter()
        .map(|found| render::order(&found.order))
        .collect();
    let next = page.next.map(cursor);
    Ok(Json(json!({ "orders": orders, "next_cursor": next })))
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

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadQuery {
    /// Seconds to hold the answer, 0 to 30, until the order is newer than `version`.
    #[serde(default)]
    wait: u64,
    /// What the caller has. Without it, what the order is at now.
    version: Option<Version>,
    /// `versions`: with the timeline.
    expand: Option<String>,
}

pub async fn read(
    State(app): State<App>,
    Path(path): OrderPath,
    Params(query): Params<ReadQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut found = find(&app, &path, &headers).await?;
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
    let mut answer = render::order(&found.order);
    if with_versions {
        let rows = app.store.versions(found.order_key).await?;
        answer["versions"] = rows.iter().map(version_entry).collect();
    }
    Ok(unless_known(found.order.version, &headers, || {
        Json(answer).into_response()
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

/// The order's timeline: every version with who, why and when.
pub async fn versions(
    State(app): State<App>,
    Path(path): OrderPath,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    let found = find(&app, &path, &headers).await?;
    let rows = app.store.versions(found.order_key).await?;
    let versions: Vec<_> = rows.iter().map(version_entry).collect();
    Ok(Json(json!({ "versions": versions })))
}

fn version_entry(row: &VersionRow) -> Value {
    json!({
        "version": row.version,
        "status": row.status,
        "actor": row.actor,
        "reason": row.reason,
        "offset": row.offset,
        "created_at": render::time(row.at),
    })
}

/// The order's versions as server-sent events: those after `Last-Event-ID`, then each new one when
/// it is committed. Ends after 5 minutes; the browser's `EventSource` comes back where it was.
pub async fn stream(
    State(app): State<App>,
    Path(path): OrderPath,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let found = find(&app, &path, &headers).await?;
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
            .data(version_entry(&row).to_string());
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

async fn find(
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
