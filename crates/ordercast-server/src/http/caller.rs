//! Who calls: the `Authorization` header becomes a [`Principal`], or one and the same 401.

use super::problem::Problem;
use crate::auth::{Auth, Rejected, ServerRejected};
use axum::http::{HeaderMap, StatusCode, header};
use base64::{Engine, engine::general_purpose::STANDARD};
use ordercast_core::{
    ProjectId, Timestamp,
    access::{Action, Denied, Object, Principal, authorize},
};

/// An API key or the root key: `Bearer <key>`, or `Basic` with the key as the password. Gives the
/// key's name, under which changes are recorded.
///
/// # Errors
/// 401 without a valid key; 404 for another project's objects; 403 for an action it may not do.
pub fn server(
    auth: &Auth,
    headers: &HeaderMap,
    action: Action,
    object: Object,
) -> Result<String, Problem> {
    let (principal, key_name) = backend(auth, headers)?;
    permit(&principal, action, object)?;
    Ok(key_name)
}

/// Like [`server`], before it is known what is asked for.
///
/// # Errors
/// 401 without a valid key; 429 for one over its limit.
pub fn backend(auth: &Auth, headers: &HeaderMap) -> Result<(Principal, String), Problem> {
    let secret = match scheme(headers) {
        Some(("bearer", token)) => token.to_owned(),
        Some(("basic", encoded)) => basic_password(encoded).ok_or_else(Problem::unauthorized)?,
        _ => return Err(Problem::unauthorized()),
    };
    auth.server(&secret).map_err(|rejected| match rejected {
        ServerRejected::UnknownKey => Problem::unauthorized(),
        ServerRejected::TooMany(too_many) => too_many.into(),
    })
}

/// Whoever holds a link, as a bearer; and when the link ends.
///
/// # Errors
/// 401 without a valid one, 503 when it could not be checked.
pub async fn link(auth: &Auth, headers: &HeaderMap) -> Result<(Principal, Timestamp), Problem> {
    let token = bearer(headers).ok_or_else(Problem::unauthorized)?;
    auth.link(token).await.map_err(rejected)
}

/// One answer for whatever is wrong with a credential.
fn rejected(rejected: Rejected) -> Problem {
    match rejected {
        Rejected::Credential(_) => Problem::unauthorized(),
        Rejected::Failure(failure) => failure.into(),
    }
}

/// A buyer: user JWT or payment token, as a bearer.
///
/// # Errors
/// 401 without a valid one, 503 when it could not be checked.
pub async fn buyer(
    auth: &Auth,
    headers: &HeaderMap,
    project: ProjectId,
) -> Result<Principal, Problem> {
    let token = bearer(headers).ok_or_else(Problem::unauthorized)?;
    match auth.buyer(project, token).await {
        Ok((principal, _)) => Ok(principal),
        Err(why) => Err(rejected(why)),
    }
}

/// As whom somebody reads an order: buyers are not shown what the shop notes for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    Shop,
    Buyer,
}

/// Who may ask for an order: the shop's backend as in [`server`], or a buyer as in [`buyer`].
///
/// # Errors
/// 401 without a valid credential, 503 when it could not be checked; for backends, 404 for another
/// project, 403 for a key that may not read orders, 429 for one over its limit.
pub async fn reader(
    auth: &Auth,
    headers: &HeaderMap,
    project: ProjectId,
) -> Result<(Principal, Reader), Problem> {
    match backend(auth, headers) {
        Ok((principal, _)) => {
            permit(&principal, Action::ReadOrder, Object::Project(project))?;
            Ok((principal, Reader::Shop))
        }
        // A key that is over its limit is a key all the same.
        Err(refused) if refused.status != StatusCode::UNAUTHORIZED => Err(refused),
        Err(_) => match buyer(auth, headers, project).await? {
            // Whoever holds a link is not the buyer, and is shown less: `/v1/link`.
            Principal::Link { .. } => Err(Problem::unauthorized()),
            principal => Ok((principal, Reader::Buyer)),
        },
    }
}

/// # Errors
/// 404 or 403 as [`authorize`] decides.
pub fn permit(principal: &Principal, action: Action, object: Object) -> Result<(), Problem> {
    authorize(principal, action, object).map_err(denied)
}

/// How a refusal of the one authorisation looks.
pub fn denied(denied: Denied) -> Problem {
    match denied {
        Denied::Hidden => Problem::not_found(),
        Denied::Forbidden => Problem::forbidden(),
        Denied::MissingScope(scope) => Problem::forbidden().with("required_scope", scope.as_str()),
    }
}

/// What follows `Bearer`.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    scheme(headers)
        .filter(|(scheme, _)| *scheme == "bearer")
        .map(|(_, token)| token)
}

fn scheme(headers: &HeaderMap) -> Option<(&'static str, &str)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = value.split_once(' ')?;
    let known = ["bearer", "basic"]
        .into_iter()
        .find(|k| scheme.eq_ignore_ascii_case(k))?;
    Some((known, rest.trim()))
}

fn basic_password(encoded: &str) -> Option<String> {
    let decoded = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    decoded
        .split_once(':')
        .map(|(_, password)| password.to_owned())
}
