//! Who calls this surface: users, guests, and shops' backends with Basic.

use super::{
    super::{
        App,
        caller::{self, permit},
    },
    error::ApiError,
};
use crate::auth::guest;
use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{HeaderMap, header, request::Parts},
};
use ordercast_core::{
    ProjectId, UserId,
    access::{Action, Object, Principal},
    order::Contact,
};
use std::net::{IpAddr, SocketAddr};

/// A project that no credential can be of is a bad credential.
pub fn project_id(text: &str) -> Result<ProjectId, ApiError> {
    text.parse().map_err(|_| ApiError::unauthorized())
}

/// What a request says of itself, and where it comes from.
#[derive(Debug)]
pub struct Client {
    pub headers: HeaderMap,
    pub address: IpAddr,
}

impl FromRequestParts<App> for Client {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let ConnectInfo(peer) = ConnectInfo::<SocketAddr>::from_request_parts(parts, app)
            .await
            .map_err(|_| ApiError::unavailable())?;
        Ok(Self {
            address: app.proxies.client(peer.ip(), &parts.headers),
            headers: parts.headers.clone(),
        })
    }
}

/// A user's JWT or a payment token; without either, a guest where the project lets them in.
///
/// # Errors
/// 401 without a valid one, 503 when it could not be checked.
pub async fn anyone(
    app: &App,
    headers: &HeaderMap,
    project: ProjectId,
) -> Result<Principal, ApiError> {
    if headers.contains_key(header::AUTHORIZATION) {
        return Ok(caller::buyer(&app.auth, headers, project).await?);
    }
    let guest = guest::from_headers(headers, project).map_err(|rejected| {
        tracing::debug!(%rejected, %project, "credential rejected");
        ApiError::unauthorized()
    })?;
    let registry = app.auth.registry();
    let lets_in = registry
        .project(project)
        .is_some_and(|known| known.project.settings.guests);
    match guest {
        Some(user) if lets_in => Ok(Principal::Guest { project, user }),
        Some(_) => {
            tracing::debug!(%project, "the project lets no guests in");
            Err(ApiError::unauthorized())
        }
        None => Err(ApiError::unauthorized()),
    }
}

/// Who may buy, and what is known of them.
#[derive(Clone, Debug)]
pub struct Buyer {
    pub user: UserId,
    pub contact: Contact,
}

/// For carts: a user or a guest.
///
/// # Errors
/// As [`anyone`]; 403 for a payment token; 429 for guests over the limit of their address or of the
/// project's guests; 422 when the guest's contact cannot be read.
pub async fn buyer(app: &App, client: &Client, project: ProjectId) -> Result<Buyer, ApiError> {
    let headers = &client.headers;
    let principal = anyone(app, headers, project).await?;
    permit(&principal, Action::BuyItem, Object::Project(project))?;
    match principal {
        Principal::User { user, .. } => {
            app.auth.limits().buyer(project, &user)?;
            Ok(Buyer {
                user,
                contact: Contact::default(),
            })
        }
        Principal::Guest { user, .. } => {
            app.auth.limits().guest(project, client.address)?;
            let contact =
                guest::contact(headers).map_err(|rule| ApiError::invalid("x-user", rule))?;
            Ok(Buyer { user, contact })
        }
        Principal::PaymentToken { .. }
        | Principal::Link { .. }
        | Principal::Project { .. }
        | Principal::Root => Err(ApiError::forbidden()),
    }
}

/// For what only a user may: items without a cart, virtual currencies.
///
/// # Errors
/// As [`buyer`]; 401 for a guest.
pub async fn user(app: &App, client: &Client, project: ProjectId) -> Result<Buyer, ApiError> {
    if client.headers.contains_key(header::AUTHORIZATION) {
        buyer(app, client, project).await
    } else {
        Err(ApiError::unauthorized())
    }
}

/// The name of the shop's API key.
///
/// # Errors
/// One 401 for every key that may not do it here; 429.
pub fn backend(
    app: &App,
    headers: &HeaderMap,
    action: Action,
    project: ProjectId,
) -> Result<String, ApiError> {
    caller::server(&app.auth, headers, action, Object::Project(project)).map_err(|problem| {
        match problem.status {
            429 => problem.into(),
            _ => ApiError::bad_api_key(),
        }
    })
}
