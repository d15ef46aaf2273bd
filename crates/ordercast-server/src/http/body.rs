//! Request bodies and queries: bounded in size, time and depth before anything is parsed.

use super::{problem::Problem, shape};
use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{FromRequestParts, Query},
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use serde::de::DeserializeOwned;
use std::time::Duration;

/// Largest API body (guarantees, 3.1).
pub const API_BYTES_MAX: usize = 64 * 1024;
/// Largest provider webhook (guarantees, 3.1).
pub const WEBHOOK_BYTES_MAX: usize = 256 * 1024;
const READ_TIMEOUT: Duration = Duration::from_secs(15);
const DEPTH_MAX: usize = 32;

/// # Errors
/// 413 over `bytes_max`, 408 when the body does not come in time, 400 when it breaks off.
pub async fn read(body: Body, bytes_max: usize) -> Result<Bytes, Problem> {
    match tokio::time::timeout(READ_TIMEOUT, to_bytes(body, bytes_max)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if is_over_limit(&error) => Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            format!("the body is larger than {bytes_max} bytes"),
        )),
        Ok(Err(_)) => Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "bad_body",
            "the body broke off",
        )),
        Err(_) => Err(Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "slow_body",
            format!("the body did not come within {} s", READ_TIMEOUT.as_secs()),
        )),
    }
}

fn is_over_limit(error: &axum::Error) -> bool {
    let mut source: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = source {
        if error.to_string().contains("length limit exceeded") {
            return true;
        }
        source = error.source();
    }
    false
}

/// # Errors
/// 415 for another content type, 400 for what is not JSON, 422 for JSON of another shape.
pub fn json<T: DeserializeOwned>(headers: &HeaderMap, bytes: &[u8]) -> Result<T, Problem> {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "the body must be application/json",
        ));
    }
    parse(bytes)
}

/// The query of a request; what it cannot be is a problem like any other.
#[derive(Clone, Copy, Debug)]
pub struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Query(params) = Query::try_from_uri(&parts.uri).map_err(|_| {
            Problem::invalid("query", "an unknown name, or a value that cannot be one")
        })?;
        Ok(Self(params))
    }
}

/// # Errors
/// 400 for what is not JSON, 422 for JSON of another shape.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let bad = |what: String| Problem::new(StatusCode::BAD_REQUEST, "bad_json", what);
    if depth(bytes) > DEPTH_MAX {
        return Err(bad(format!("the body is nested deeper than {DEPTH_MAX}")));
    }
    let not_json = |error: &serde_json::Error| {
        let (line, column) = (error.line(), error.column());
        bad(format!("not JSON at line {line}, column {column}"))
    };
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let parsed = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let inner = error.inner();
        let is_duplicate = inner.to_string().starts_with("duplicate");
        if inner.classify() == serde_json::error::Category::Data && !is_duplicate {
            shape::problem(error.path(), &inner.to_string())
        } else {
            not_json(inner)
        }
    })?;
    json.end().map_err(|error| not_json(&error))?;
    Ok(parsed)
}

/// Deepest nesting of arrays and objects; counts without a stack.
fn depth(bytes: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in bytes {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_ignores_brackets_in_strings() {
        assert_eq!(depth(br#"{"a":[1,{"b":"[[[\"[["}]}"#), 3);
        assert_eq!(depth(b"]]]["), 1);
    }
}
