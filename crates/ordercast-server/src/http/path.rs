//! The parameters of a path. What cannot be read names nothing: 404, as for what does not exist.

use super::problem::Problem;
use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use ordercast_core::ids::Invalid;
use serde::de::DeserializeOwned;
use std::str::FromStr;

#[derive(Clone, Copy, Debug)]
pub struct At<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for At<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(parameters)) => Ok(Self(parameters)),
            Err(_) => Err(Problem::not_found()),
        }
    }
}

/// # Errors
/// 404 for what cannot be an id.
pub fn path_id<T: FromStr<Err = Invalid>>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::not_found())
}
