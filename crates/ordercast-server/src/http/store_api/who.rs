//! Who calls this surface: users, guests, and shops' backends with Basic.

use super::{
    super::{
        App,
        caller::{self, permit},
    },
    error::ApiError,
};
use crate::auth::guest;
use axum::http::{HeaderMap, header};
use ordercast_core::{
    ProjectId, UserId,
    access::{Action, Object, Principal},
    order::Contact,
};

/// A project that no credential can be of is a bad credential.
pub fn project_id(text: &str) -> Result<ProjectId, ApiError> {
    text.parse().map_err(|_| ApiError::unauthorized())
}

/// A user's JWT or a payment token; without either, a guest.
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
    let guest = guest::from_headers(headers).map_err(|rejected| {
        tracing::debug!(%rejected, %project, "credential rejected");
        ApiError::unauthorized()
    })?;
    match guest {
        Some(user) if app.auth.registry().project(project).is_some() => {
            Ok(Principal::Guest { project, user })
        }
        _ => Err(ApiError::unauthorized()),
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
/// As [`anyone`]; 403 for a payment token; 422 when the guest's contact cannot be read.
pub async fn buyer(app: &App, headers: &HeaderMap, project: ProjectId) -> Result<Buyer, ApiError> {
    let principal = anyone(app, headers, project).await?;
    permit(&principal, Action::BuyItem, Object::Project(project))?;
    match principal {
        Principal::User { user, .. } => Ok(Buyer {
            user,
            contact: Contact::default(),
        }),
        Principal::Guest { user, .. } => {
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
pub async fn user(app: &App, headers: &HeaderMap, project: ProjectId) -> Result<Buyer, ApiError> {
    if headers.contains_key(header::AUTHORIZATION) {
        buyer(app, headers, project).await
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
