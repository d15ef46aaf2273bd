//! Entity tags of orders: which version a caller has, and which one it wants to change (RFC 9110, 8.8.3
//! and 13.1).
//!
//! A proxy that compresses an answer makes its tag weak (`W/"3"`). For `If-None-Match` that is the same
//! version; `If-Match` compares strongly, so a weak tag never fits, and the answer says why.

use super::{App, problem::Problem};
use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use ordercast_core::{OrderId, ProjectId, ids::Version};

/// Of one header; a caller has one or two.
const TAGS_MAX: usize = 32;

#[derive(Debug, PartialEq, Eq)]
struct Tag<'h> {
    is_weak: bool,
    /// Without its quotes.
    name: &'h str,
}

#[derive(Debug, PartialEq, Eq)]
enum Tags<'h> {
    Any,
    List(Vec<Tag<'h>>),
}

/// `None` for what is neither `*` nor a list of entity tags.
fn parse(value: &str) -> Option<Tags<'_>> {
    let mut rest = value.trim();
    if rest == "*" {
        return Some(Tags::Any);
    }
    let mut tags = Vec::new();
    loop {
        let strong = rest.strip_prefix("W/");
        let (name, behind) = strong.unwrap_or(rest).strip_prefix('"')?.split_once('"')?;
        tags.push(Tag {
            is_weak: strong.is_some(),
            name,
        });
        rest = behind.trim_start();
        if rest.is_empty() {
            return Some(Tags::List(tags));
        }
        rest = rest.strip_prefix(',')?.trim_start();
        if tags.len() >= TAGS_MAX {
            return None;
        }
    }
}

/// All lines of the header, which are one list; `None` where there is none.
fn tags<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<Option<Tags<'h>>> {
    let mut lines = headers.get_all(name).iter().peekable();
    lines.peek()?;
    let mut all = Vec::new();
    for line in lines {
        match line.to_str().ok().and_then(parse) {
            Some(Tags::Any) => return Some(Some(Tags::Any)),
            Some(Tags::List(tags)) if all.len() + tags.len() <= TAGS_MAX => all.extend(tags),
            Some(Tags::List(_)) | None => return Some(None),
        }
    }
    Some(Some(Tags::List(all)))
}

/// The version that the order must be at, as `If-Match` says.
///
/// # Errors
/// 422 for what is no list of entity tags; 412 when none of several fits the order.
pub async fn if_match(
    app: &App,
    project: ProjectId,
    order: OrderId,
    headers: &HeaderMap,
) -> Result<Option<Version>, Problem> {
    let Some(tags) = tags(headers, &header::IF_MATCH) else {
        return Ok(None);
    };
    let tags = tags.ok_or_else(|| {
        let rule = "must be the ETag of the order, for example \"3\"";
        Problem::invalid("If-Match", rule)
    })?;
    let Tags::List(tags) = tags else {
        return Ok(None);
    };
    let strong = tags.iter().filter(|tag| !tag.is_weak);
    let versions: Vec<Version> = strong.filter_map(|tag| tag.name.parse().ok()).collect();
    // The writer compares one version in the transaction of the change.
    if let ([_], [version]) = (tags.as_slice(), versions.as_slice()) {
        return Ok(Some(*version));
    }
    let Some(found) = app.store.order(project, order).await? else {
        // The writer says so.
        return Ok(None);
    };
    let current = found.order.version;
    if versions.contains(&current) {
        return Ok(Some(current));
    }
    let title = if tags.iter().any(|tag| tag.is_weak) {
        "If-Match has a weak ETag (W/\"...\"), which never matches: a proxy that compresses answers \
         makes ETags weak, nginx with gzip for example; send it without W/"
    } else {
        "the order is not at the version of If-Match"
    };
    Err(
        Problem::new(StatusCode::PRECONDITION_FAILED, "version_mismatch", title)
            .with("current_status", found.order.status().as_str())
            .with("current_version", current.get()),
    )
}

/// The answer with its `ETag`, or 304 when the caller has that version already.
pub fn unless_known(
    version: Version,
    headers: &HeaderMap,
    render: impl FnOnce() -> Response,
) -> Response {
    let name = version.to_string();
    let is_known = match tags(headers, &header::IF_NONE_MATCH) {
        Some(Some(Tags::Any)) => true,
        Some(Some(Tags::List(tags))) => tags.iter().any(|tag| tag.name == name),
        // What cannot be read names no version: the answer is what it is without it.
        Some(None) | None => false,
    };
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        render()
    };
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::try_from(format!("\"{name}\"")) {
        headers.insert(header::ETAG, value);
    }
    // The answer depends on who asks and changes at any time.
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-cache"),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, expected: Option<&[(bool, &str)]>) {
        let parsed = parse(value).map(|tags| match tags {
            Tags::Any => vec![(false, "*")],
            Tags::List(tags) => tags.iter().map(|tag| (tag.is_weak, tag.name)).collect(),
        });
        assert_eq!(parsed.as_deref(), expected, "{value}");
    }

    #[test]
    fn lists_of_entity_tags() {
        check("\"3\"", Some(&[(false, "3")]));
        check("W/\"3\"", Some(&[(true, "3")]));
        check(
            "\"3\", W/\"4\" ,\"a,b\"",
            Some(&[(false, "3"), (true, "4"), (false, "a,b")]),
        );
        check("\"\"", Some(&[(false, "")]));
        assert_eq!(parse(" * "), Some(Tags::Any));
        for bad in [
            "",
            "3",
            "\"3",
            "3\"",
            "w/\"3\"",
            "\"3\" \"4\"",
            "\"3\",",
            ",",
            "*, \"3\"",
        ] {
            check(bad, None);
        }
        let many = vec!["\"1\""; TAGS_MAX + 1].join(",");
        check(&many, None);
    }
}
