//! What providers sent, and what a body would change.

use super::{
    App,
    body::{self, Params},
    caller,
    deliveries::row_id,
    openapi::{self, Invalid},
    path::{At, path_id},
    problem::Problem,
    render::Time,
};
use crate::{auth, clock};
use axum::{Json, body::Body, extract::State, http::HeaderMap};
use ordercast_core::{
    OrderId, ProjectId,
    access::{Action, Object},
    ids::{AttemptId, SourceId},
    order::{Actor, Cause, Heard, Observed, Status, observe},
    provider::{self, Event, Provider, Request, Subject, mollie_payment},
};
use ordercast_store::{Found, InboxFilter, InboxRow, InboxState, Source, caught::caught};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};
use utoipa::{IntoParams, ToSchema};

const PAGE_MAX: u32 = 1_000;

#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[schema(as = InboxState)]
#[serde(rename_all = "snake_case")]
enum StateWord {
    /// It changed its order.
    Applied,
    /// It changed nothing; `reason` says why.
    Ignored,
    /// It waits for its order.
    Parked,
    /// Of a kind that has no rule.
    Unknown,
    /// It could not be read.
    Rejected,
    /// It waited too long for its order.
    Expired,
    /// A person put it aside.
    Dismissed,
}

impl From<StateWord> for InboxState {
    fn from(word: StateWord) -> Self {
        match word {
            StateWord::Applied => Self::Applied,
            StateWord::Ignored => Self::Ignored,
            StateWord::Parked => Self::Parked,
            StateWord::Unknown => Self::Unknown,
            StateWord::Rejected => Self::Rejected,
            StateWord::Expired => Self::Expired,
            StateWord::Dismissed => Self::Dismissed,
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct InboxQuery {
    /// Only these.
    #[param(required = false)]
    state: Option<StateWord>,
    /// `true`: only those that a person should look at.
    #[param(required = false)]
    #[serde(default)]
    attention: bool,
    /// Only those behind this entry, by its id: the last one of a page gives the next page.
    #[param(required = false)]
    before: Option<i64>,
    /// More than 1000 are 1000; without it 100.
    #[param(required = false, minimum = 1, maximum = 1_000)]
    limit: Option<u32>,
}

/// What providers sent
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Inbox)]
pub struct EntriesView {
    entries: Vec<EntryView>,
}

/// One webhook and what became of it
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InboxEntry)]
struct EntryView {
    id: i64,
    source: String,
    kind: String,
    #[schema(value_type = StateWord)]
    state: String,
    reason: String,
    #[schema(required)]
    order_id: Option<OrderId>,
    /// What stood where an order's id belongs, and is none.
    #[schema(required)]
    named: Option<String>,
    /// Why a person should look at it: `unreadable`, `thin_event`, `unknown_word`, `waiting` (its order was
    /// not made for 15 minutes) or `before_order` (it is of a payment that began well before the order of
    /// that number was made). Null once it was dealt with.
    #[schema(required, example = "waiting")]
    attention: Option<String>,
    /// How often the same came again.
    duplicates: u32,
    received_at: Time,
    /// Who dismissed it or matched it with an order, and when.
    #[schema(required)]
    handled_by: Option<String>,
    #[schema(required)]
    handled_at: Option<Time>,
}

impl From<InboxRow> for EntryView {
    fn from(row: InboxRow) -> Self {
        Self {
            id: row.id,
            source: row.source,
            kind: row.kind,
            state: row.state,
            reason: row.reason,
            order_id: row.order,
            named: row.named,
            attention: row.attention,
            duplicates: row.duplicates,
            received_at: Time(row.received_at),
            handled_by: row.handled_by,
            handled_at: row.handled_at.map(Time),
        }
    }
}

/// One webhook with its body
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InboxEntryDetails)]
pub struct DetailsView {
    #[serde(flatten)]
    entry: EntryView,
    /// As it came.
    body: String,
    /// What was understood.
    #[schema(required)]
    fact: Option<Value>,
    #[schema(required)]
    attempt_id: Option<String>,
    /// When it happened by the provider's clock, if it says.
    #[schema(required)]
    occurred_at: Option<Time>,
    /// Equal for every delivery of one event.
    #[schema(required)]
    dedup_key: Option<String>,
}

/// Read what providers sent
///
/// And what became of it, newest first.
#[utoipa::path(
    get,
    path = "/v1/projects/{project}/inbox",
    tag = openapi::EVENTS,
    operation_id = "listInbox",
    params(InboxQuery),
    responses((status = 200, description = "Webhooks, newest first", body = EntriesView))
)]
pub async fn list(
    State(app): State<App>,
    At(project): At<String>,
    Params(query): Params<InboxQuery>,
    headers: HeaderMap,
) -> Result<Json<EntriesView>, Problem> {
    let project = permitted(&app, &project, &headers)?;
    let limit = query.limit.unwrap_or(100).clamp(1, PAGE_MAX);
    let filter = InboxFilter {
        state: query.state.map(InboxState::from),
        needs_attention: query.attention,
    };
    let rows = app
        .store
        .inbox(project, filter, query.before, limit)
        .await?;
    Ok(Json(EntriesView {
        entries: rows.into_iter().map(EntryView::from).collect(),
    }))
}

/// Read one webhook
///
/// With its body, and what was understood.
#[utoipa::path(
    get,
    path = "/v1/projects/{project}/inbox/{entry}",
    tag = openapi::EVENTS,
    operation_id = "readInboxEntry",
    responses((status = 200, description = "The webhook", body = DetailsView))
)]
pub async fn read(
    State(app): State<App>,
    At((project, entry)): At<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<DetailsView>, Problem> {
    let project = permitted(&app, &project, &headers)?;
    let found = app.store.inbox_entry(project, row_id(&entry)?).await?;
    let found = found.ok_or_else(Problem::not_found)?;
    Ok(Json(DetailsView {
        entry: EntryView::from(found.row),
        body: String::from_utf8_lossy(&found.body).into_owned(),
        fact: found.fact.and_then(|fact| serde_json::from_str(&fact).ok()),
        attempt_id: found.attempt,
        occurred_at: found.occurred_at.map(Time),
        dedup_key: found.dedup_key,
    }))
}

/// A webhook that might come
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = InboxDryRun)]
struct DryRunBody {
    /// One of the project's sources: its settings decide how the body is read.
    source: SourceId,
    /// The body, byte for byte. Of `mollie`, the payment as its API shows it.
    body: String,
    /// Headers that are part of the event, such as `webhook-id`; names in lower case. Signatures are not
    /// looked at.
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

/// What it would do
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InboxDryRunResult)]
pub struct DryRunView {
    events: Vec<WouldView>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InboxWould)]
struct WouldView {
    kind: String,
    #[schema(required)]
    dedup_key: Option<String>,
    #[schema(required)]
    order_id: Option<OrderId>,
    #[schema(required)]
    attempt_id: Option<AttemptId>,
    /// What was understood.
    #[schema(required)]
    fact: Option<Value>,
    /// What would become of it: `applied`, `ignored`, `parked`, `unknown`, `rejected` or `duplicate`.
    state: &'static str,
    reason: String,
    /// Of the order, now and then; null where there is none.
    #[schema(required)]
    from: Option<Status>,
    #[schema(required)]
    to: Option<Status>,
}

/// Ask what a webhook would change
///
/// And why not. Nothing is changed, and nothing of it is kept.
#[utoipa::path(
    post,
    path = "/v1/projects/{project}/inbox/dry-run",
    tag = openapi::EVENTS,
    operation_id = "dryRunInbox",
    request_body(content = DryRunBody, example = json!({ "source": "src_2f1c", "body": "{}" })),
    responses((status = 200, description = "What it would do", body = DryRunView), Invalid)
)]
pub async fn dry_run(
    State(app): State<App>,
    At(project): At<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<DryRunView>, Problem> {
    let project = permitted(&app, &project, &headers)?;
    let raw = body::read(body, body::WEBHOOK_BYTES_MAX).await?;
    let asked: DryRunBody = body::json(&headers, &raw)?;
    let registry = app.auth.registry();
    let source = registry
        .source(&asked.source)
        .filter(|source| source.project == project)
        .ok_or_else(|| Problem::invalid("source", "is not one of the project's sources"))?;
    let headers: Vec<(&str, &str)> = asked
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let bytes = asked.body.as_bytes();
    let request = Request {
        headers: &headers,
        body: bytes,
    };
    let hash = data_encoding::HEXLOWER.encode(&auth::sha256(bytes));
    let events = match source.provider {
        Provider::Mollie => mollie_payment(bytes, &source.settings),
        other => provider::read(other, request, project, &source.settings, &hash),
    };
    let events = match events {
        Ok(events) => events,
        Err(error) => {
            let unread = WouldView {
                kind: "unreadable".to_owned(),
                dedup_key: None,
                order_id: None,
                attempt_id: None,
                fact: None,
                state: "rejected",
                reason: error.to_string(),
                from: None,
                to: None,
            };
            return Ok(Json(DryRunView {
                events: vec![unread],
            }));
        }
    };
    let mut would = Vec::new();
    for event in events {
        would.push(judge(&app, project, source, event).await?);
    }
    Ok(Json(DryRunView { events: would }))
}

/// As the store would, on what is there now.
async fn judge(
    app: &App,
    project: ProjectId,
    source: &Source,
    event: Event,
) -> Result<WouldView, Problem> {
    let (order_id, attempt_id) = match &event.subject {
        Subject::Order { order, attempt } => (Some(*order), Some(attempt.clone())),
        Subject::Attempt(attempt) | Subject::Foreign { attempt, .. } => {
            (None, Some(attempt.clone()))
        }
        Subject::User(_) | Subject::Unknown | Subject::Nothing | Subject::Unreadable(_) => {
            (None, None)
        }
    };
    let found = match (order_id, &attempt_id) {
        (Some(order), _) => app.store.order(project, order).await?,
        (None, Some(attempt)) => {
            let attempt = attempt.clone();
            let source = source.id.clone();
            app.store.order_of_attempt(project, source, attempt).await?
        }
        (None, None) => None,
    };
    let is_known = match &event.dedup_key {
        Some(key) => {
            app.store
                .inbox_knows(source.id.clone(), key.clone())
                .await?
        }
        None => false,
    };
    let (state, reason, to) = if is_known {
        ("duplicate", "it came before".to_owned(), None)
    } else {
        verdict(&event, found.as_ref(), source)
    };
    let from = found.map(|found| found.order.status());
    Ok(WouldView {
        fact: event
            .fact
            .as_ref()
            .and_then(|fact| serde_json::to_value(fact).ok()),
        kind: event.kind,
        dedup_key: event.dedup_key,
        order_id,
        attempt_id,
        state,
        reason,
        from,
        to: to.or(from),
    })
}

fn verdict(
    event: &Event,
    found: Option<&Arc<Found>>,
    source: &Source,
) -> (&'static str, String, Option<Status>) {
    match (&event.subject, &event.fact, found) {
        (Subject::Unknown, ..) => ("unknown", format!("no rule for {}", event.kind), None),
        (Subject::Unreadable(error), ..) => ("rejected", error.to_string(), None),
        (Subject::User(_), ..) => ("ignored", "a question, nothing to change".to_owned(), None),
        (Subject::Foreign { why, .. }, ..) => ("ignored", (*why).to_owned(), None),
        (_, None, _) => {
            let reason = "it tells nothing that changes an order";
            ("ignored", reason.to_owned(), None)
        }
        (_, Some(_), None) => {
            let reason = match &event.named {
                Some(named) => format!("it named {named:?}, which is no order of this project"),
                None => "its order does not exist yet, or no event has named it".to_owned(),
            };
            ("parked", reason, None)
        }
        (Subject::Order { attempt, .. }, _, Some(found)) if is_early(event, attempt, found) => {
            let reason = "it happened well before the order of this number was made";
            ("parked", reason.to_owned(), None)
        }
        (_, Some(fact), Some(found)) => {
            let cause = Cause {
                actor: Actor::Provider(source.id.clone()),
                reason: event.kind.clone(),
                at: clock::now(),
            };
            let heard = Heard {
                fact,
                occurred_at: event.occurred_at,
                mode: event.mode,
                source: Some(&source.id),
                rule: source.settings.price_rule,
            };
            let observed = caught(|| observe(&found.order, &heard, &cause));
            match observed.unwrap_or(Observed::Ignored("it broke an invariant: see the log")) {
                Observed::Ignored(reason) => ("ignored", reason.to_owned(), None),
                Observed::Changed(changed) => {
                    let reason = changed.summary();
                    ("applied", reason, Some(changed.to))
                }
            }
        }
    }
}

/// A payment that the order knows is the order's, whenever it began.
fn is_early(event: &Event, attempt: &AttemptId, found: &Found) -> bool {
    let order = &found.order;
    let is_known = order
        .facets
        .attempts
        .iter()
        .any(|known| known.id == *attempt);
    let began_before = |at| provider::began_before(at, order.created_at);
    !is_known && event.earliest().is_some_and(began_before)
}

fn permitted(app: &App, project: &str, headers: &HeaderMap) -> Result<ProjectId, Problem> {
    let project: ProjectId = path_id(project)?;
    let object = Object::Project(project);
    caller::server(&app.auth, headers, Action::ReadEvents, object)?;
    Ok(project)
}
