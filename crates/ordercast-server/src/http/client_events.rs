//! `GET /events`, `POST /events/{event}/processed`: what shops without a server have in their clients
//! (store contract, section 4). A client sees its own user's events until it has processed them.
//!
//! Invariant: what a buyer acknowledges here never keeps the shop's backend from hearing of it.

use super::{
    App, caller, deliveries::row_id, endpoints::submit, openapi, path::At, problem::Problem,
    store_api::ApiError,
};
use axum::{
    Json,
    extract::{RawQuery, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
};
use ordercast_core::{
    OrderId, ProjectId, UserId,
    access::{Action, Object, Principal},
    delivery::{self, Form, Mode, Notification, notifications},
};
use ordercast_store::{
    Acknowledger, ClientEvent, ClientEventFilter, Outcome, WebhookChange, WebhookOutcome,
};
use serde::Serialize;
use serde_json::value::RawValue;
use std::time::Duration;
use tower_http::cors::{AllowHeaders, Any, CorsLayer};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

const PAGE_MAX: u32 = 100;
const FORM: Form = Form {
    mode: Mode::ReferenceCombined,
    has_item_flags: true,
};

pub fn router() -> OpenApiRouter<App> {
    // Bearer tokens, no cookies: any page may ask.
    let cors = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers(AllowHeaders::mirror_request())
        .max_age(Duration::from_secs(600));
    let routes = OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(process));
    let (router, document) = openapi::by(openapi::HOLDER_OF_TOKEN, routes).split_for_parts();
    let router = router
        .method_not_allowed_fallback(|| async { ApiError::method_not_allowed() })
        .layer(cors);
    OpenApiRouter::with_openapi(document).merge(router.into())
}

/// As the reference's clients write it.
#[derive(Debug, Default, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents what is read by hand")]
pub struct EventsQuery {
    #[param(minimum = 1, maximum = 2_147_483_647)]
    project_id: u32,
    /// Ids above this one.
    #[param(required = false, minimum = 0, maximum = 9_007_199_254_740_991_i64)]
    after_id: Option<i64>,
    /// Only these types: `order_paid`, `order_canceled`.
    #[param(rename = "types[]", required = false)]
    types: Option<Vec<String>>,
    /// A payment token, instead of the header.
    #[param(required = false)]
    token: Option<String>,
}

/// Events of one user that were not processed
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ClientEvents)]
pub struct EventsView {
    events: Vec<EventView>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ClientEvent)]
struct EventView {
    id: i64,
    /// As the webhook of this type.
    #[schema(value_type = Object)]
    data: Box<RawValue>,
    /// 0: not processed.
    status: u8,
    created_at: super::render::Time,
}

/// Read a buyer's events
///
/// What was sold and taken back, until it is processed; at most 100 at once, the oldest first. `after_id`
/// begins after one.
#[utoipa::path(
    get,
    path = "/events",
    tag = openapi::BUYING,
    operation_id = "listClientEvents",
    params(EventsQuery),
    responses((status = 200, description = "Ascending by id", body = EventsView))
)]
pub async fn list(
    State(app): State<App>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Json<EventsView>, ApiError> {
    let asked = Asked::read(query.as_deref().unwrap_or_default())?;
    let (user, order) = asked.who(&app, headers).await?;
    let filter = ClientEventFilter {
        after: asked.after.unwrap_or(0),
        types: asked.types,
        limit: PAGE_MAX,
    };
    let found = app
        .store
        .client_events(asked.project, user, order, filter)
        .await
        .map_err(Problem::from)?;
    let events = found
        .iter()
        .filter_map(|event| {
            let notification = told(event)?;
            Some(EventView::new(event, notification))
        })
        .collect::<Option<_>>()
        .ok_or_else(ApiError::unavailable)?;
    Ok(Json(EventsView { events }))
}

/// Mark an event as processed
///
/// It is not shown again. Whether the shop has taken it is another matter.
#[utoipa::path(
    post,
    path = "/events/{event}/processed",
    tag = openapi::BUYING,
    operation_id = "processClientEvent",
    params(EventsQuery),
    responses((status = 204, description = "It is processed, now or before"))
)]
pub async fn process(
    State(app): State<App>,
    At(event): At<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let asked = Asked::read(query.as_deref().unwrap_or_default())?;
    let (user, order) = asked.who(&app, headers).await?;
    let by = match order {
        Some(order) => Acknowledger::Buyer(user, order),
        None => Acknowledger::User(user),
    };
    let change = WebhookChange::Acknowledge {
        project: asked.project,
        events: vec![row_id(&event)?],
        by,
    };
    match submit(&app, change).await? {
        Outcome::Webhooks(WebhookOutcome::Acknowledged(_)) => Ok(StatusCode::NO_CONTENT),
        Outcome::NotFound => Err(Problem::not_found().into()),
        _ => Err(ApiError::unavailable()),
    }
}

/// In the combined form an event has one notification at most.
fn told(event: &ClientEvent) -> Option<Notification> {
    let facts = &event.facts;
    notifications(FORM.mode, &facts.kind, facts.previous_status, &event.order)
        .first()
        .copied()
}

impl EventView {
    fn new(event: &ClientEvent, notification: Notification) -> Option<Self> {
        let body = delivery::body(FORM, notification, &event.facts, &event.order);
        Some(Self {
            id: event.facts.id,
            // An SDK takes any body that holds certain words for an error (store contract, 2.1).
            data: RawValue::from_string(
                String::from_utf8(body)
                    .ok()?
                    .replace("error", r"e\u0072ror"),
            )
            .ok()?,
            status: 0,
            created_at: super::render::Time(event.facts.at),
        })
    }
}

/// What the query says; names that are not known are passed over, as everywhere on this surface.
struct Asked {
    project: ProjectId,
    after: Option<i64>,
    types: Vec<String>,
    token: Option<String>,
}

impl Asked {
    fn read(query: &str) -> Result<Self, ApiError> {
        let (mut project, mut after, mut types, mut token) = (None, None, Vec::new(), None);
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "project_id" => project = value.parse().ok(),
                "after_id" => {
                    let id = value.parse().ok().filter(|id| *id >= 0);
                    let rule = "must be an integer from 0";
                    after = Some(id.ok_or_else(|| ApiError::invalid("after_id", rule))?);
                }
                "types[]" | "types" => types.push(value.into_owned()),
                "token" => token = Some(value.into_owned()),
                _ => {}
            }
        }
        Ok(Self {
            // A project that no credential can be of is a bad credential.
            project: project.ok_or_else(ApiError::unauthorized)?,
            after,
            types,
            token,
        })
    }

    /// The user, and the one order that a payment token is for.
    async fn who(
        &self,
        app: &App,
        mut headers: HeaderMap,
    ) -> Result<(UserId, Option<OrderId>), ApiError> {
        if let Some(token) = &self.token {
            let value = HeaderValue::from_str(&format!("Bearer {token}"))
                .map_err(|_| ApiError::unauthorized())?;
            headers.insert(header::AUTHORIZATION, value);
        }
        let principal = caller::buyer(&app.auth, &headers, self.project).await?;
        let (user, order) = match &principal {
            Principal::User { user, .. } => (user.clone(), None),
            Principal::PaymentToken { user, order, .. } => (user.clone(), Some(*order)),
            Principal::Root
            | Principal::Project { .. }
            | Principal::Guest { .. }
            | Principal::Link { .. } => return Err(ApiError::unauthorized()),
        };
        let object = match order {
            None => Object::User(self.project, &user),
            Some(order) => Object::Order(self.project, &user, order),
        };
        caller::permit(&principal, Action::ReadOrder, object)?;
        app.auth.limits().buyer(self.project, &user)?;
        Ok((user, order))
    }
}
