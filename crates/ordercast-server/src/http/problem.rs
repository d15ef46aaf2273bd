//! Errors of `/v1` as `application/problem+json` (RFC 9457) with a stable `code`.

use crate::auth::TooMany;
use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use ordercast_store::Failure;
use serde::Serialize;
use serde_json::Map;
use utoipa::ToSchema;

/// An error of `/v1` (RFC 9457)
///
/// Beside these, members that depend on `code`: `field`, `required_scope`, `current_status` and
/// `current_version`, `limit`, `error`. Nothing in it echoes input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    #[serde(rename = "type")]
    #[schema(example = "about:blank")]
    kind: &'static str,
    #[schema(minimum = 400, maximum = 599, example = 422)]
    pub status: u16,
    /// Stable, for programs.
    #[schema(example = "invalid_field")]
    pub code: &'static str,
    /// For people.
    #[schema(example = "price: amount must be a decimal number")]
    pub title: String,
    /// Whether the same request may do later: with `Retry-After`.
    #[serde(skip)]
    is_for_now: bool,
    /// The limit that the caller is over.
    #[serde(skip)]
    over: Option<Box<TooMany>>,
    #[serde(flatten)]
    #[schema(ignore)]
    pub members: Map<String, serde_json::Value>,
}

impl Problem {
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, title: impl Into<String>) -> Self {
        Self {
            kind: "about:blank",
            status: status.as_u16(),
            code,
            title: title.into(),
            is_for_now: matches!(
                status,
                StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS
            ),
            over: None,
            members: Map::new(),
        }
    }

    /// The same problem, more exactly.
    #[must_use]
    pub fn named(self, code: &'static str, title: impl Into<String>) -> Self {
        Self {
            code,
            title: title.into(),
            ..self
        }
    }

    /// Over which limit, if it is one of a rate.
    #[must_use]
    pub fn over(&self) -> Option<TooMany> {
        self.over.as_deref().copied()
    }

    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<serde_json::Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// The same request may do in a moment.
    #[must_use]
    pub fn with_retry(mut self) -> Self {
        self.is_for_now = true;
        self
    }

    #[must_use]
    pub fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            "there is no such object",
        )
    }

    /// One body for a missing, a wrong and an expired credential.
    #[must_use]
    pub fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "a valid credential is needed",
        )
    }

    #[must_use]
    pub fn forbidden() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            "this credential may not do that",
        )
    }

    /// 422 naming the field and the rule it breaks.
    #[must_use]
    pub fn invalid(field: &str, rule: impl Into<String>) -> Self {
        let rule = rule.into();
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid_field",
            format!("{field}: {rule}"),
        )
        .with("field", field)
    }

    #[must_use]
    pub fn unavailable() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "nothing was changed; try again in a moment",
        )
    }

    #[must_use]
    pub fn body(&self) -> String {
        // A map of strings and numbers always serialises.
        serde_json::to_string(self).unwrap_or_else(|_| "{}".to_owned())
    }
}

impl From<TooMany> for Problem {
    fn from(too_many: TooMany) -> Self {
        Self {
            over: Some(Box::new(too_many)),
            ..Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "rate_limited",
                "too many requests; nothing was done",
            )
        }
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::TooSlow => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "too_slow",
                "the read took too long and was given up; ask for less: a shorter time, a smaller page",
            ),
            Failure::Overloaded => {
                tracing::warn!(%failure, "a request was refused");
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "overloaded",
                    "too much waits already; nothing was changed, try again in a moment",
                )
            }
            Failure::Closed | Failure::DiskFull | Failure::Database(_) => {
                tracing::error!(%failure, "the store did not answer");
                Self::unavailable()
            }
        }
    }
}

/// `Retry-After`, and for a limit of a rate what it is: in the fields that clients in the field read, and
/// in those of the standard to come (draft-ietf-httpapi-ratelimit-headers).
pub fn say_when(headers: &mut HeaderMap, over: Option<TooMany>) {
    let Some(over) = over else {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        return;
    };
    let TooMany {
        policy,
        quota,
        window_seconds,
        ..
    } = over;
    let wait = over.wait.as_secs_f64().ceil().max(1.0);
    for (name, value) in [
        ("retry-after", wait.to_string()),
        ("ratelimit-limit", quota.to_string()),
        ("ratelimit-remaining", "0".to_owned()),
        ("ratelimit-reset", wait.to_string()),
        (
            "ratelimit-policy",
            format!("\"{policy}\";q={quota};w={window_seconds}"),
        ),
        ("ratelimit", format!("\"{policy}\";r=0;t={wait}")),
    ] {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, self.body()).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if self.is_for_now {
            say_when(headers, self.over.as_deref().copied());
        }
        match status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::UPGRADE_REQUIRED => {
                headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
                headers.insert(
                    header::SEC_WEBSOCKET_VERSION,
                    HeaderValue::from_static("13"),
                );
            }
            StatusCode::REQUEST_TIMEOUT => {
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response
    }
}
