//! The pages and their files, embedded in the binary.

use super::problem::Problem;
use axum::{
    extract::Path,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use rust_embed::{EmbeddedFile, RustEmbed};

#[derive(RustEmbed)]
#[folder = "../../web/demo/"]
struct Web;

/// The page's links are relative to the folder.
pub async fn to_store() -> Redirect {
    Redirect::permanent("/demo/")
}

pub async fn store_page(headers: HeaderMap) -> Response {
    page("index.html", &headers)
}

pub async fn payment_page(headers: HeaderMap) -> Response {
    page("pay.html", &headers)
}

pub async fn asset(Path(path): Path<String>, headers: HeaderMap) -> Response {
    file(&path, &headers)
}

pub fn page(name: &str, request: &HeaderMap) -> Response {
    let mut response = file(name, request);
    if let Some(policy) = content_security_policy(request) {
        response
            .headers_mut()
            .insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// Nothing but our own files. Older Safari does not take `'self'` to cover WebSockets, so our own
/// host is named beside it.
fn content_security_policy(request: &HeaderMap) -> Option<HeaderValue> {
    let is_host = |host: &&str| {
        host.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b".:-[]".contains(&b))
    };
    let sockets = request
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .filter(is_host)
        .map(|host| format!(" ws://{host} wss://{host}"))
        .unwrap_or_default();
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
         font-src 'self'; connect-src 'self'{sockets}; frame-src 'self'; \
         frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
    );
    HeaderValue::from_str(&policy).ok()
}

fn file(path: &str, request: &HeaderMap) -> Response {
    let Some(file) = Web::get(path) else {
        return Problem::not_found().into_response();
    };
    let etag = etag(&file);
    let is_known = request
        .get(header::IF_NONE_MATCH)
        .and_then(|known| known.to_str().ok())
        .is_some_and(|known| {
            // A proxy that compresses makes it weak; it is the same page.
            let known = known.split(',').map(str::trim);
            known
                .map(|one| one.strip_prefix("W/").unwrap_or(one))
                .any(|one| one == etag || one == "*")
        });
    let headers = [
        (header::CONTENT_TYPE, content_type(&file)),
        (header::ETAG, etag),
        // Asked for again each time, answered with 304: a new binary shows its new page at once.
        (header::CACHE_CONTROL, "no-cache".to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        // The payment page has a token in its address.
        (
            HeaderName::from_static("referrer-policy"),
            "no-referrer".to_owned(),
        ),
    ];
    if is_known {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, file.data).into_response()
}

fn etag(file: &EmbeddedFile) -> String {
    let hash = file.metadata.sha256_hash();
    format!(
        "\"{}\"",
        data_encoding::HEXLOWER.encode(hash.get(..16).unwrap_or_default())
    )
}

fn content_type(file: &EmbeddedFile) -> String {
    match file.metadata.mimetype() {
        text if text.starts_with("text/") => format!("{text}; charset=utf-8"),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(path: &str, request: &HeaderMap) -> Response {
        file(path, request)
    }

    #[test]
    fn files_have_their_types_and_are_not_sent_twice() {
        for (path, wanted) in [
            ("index.html", "text/html; charset=utf-8"),
            ("tracker.js", "text/javascript; charset=utf-8"),
            ("store.css", "text/css; charset=utf-8"),
            ("art/artifact_centaurs_axe.svg", "image/svg+xml"),
        ] {
            let first = get(path, &HeaderMap::new());
            assert_eq!(first.status(), StatusCode::OK, "{path}");
            assert_eq!(first.headers()[header::CONTENT_TYPE], wanted, "{path}");
            let mut again = HeaderMap::new();
            again.insert(header::IF_NONE_MATCH, first.headers()[header::ETAG].clone());
            assert_eq!(
                get(path, &again).status(),
                StatusCode::NOT_MODIFIED,
                "{path}"
            );
        }
        assert_eq!(
            get("../Cargo.toml", &HeaderMap::new()).status(),
            StatusCode::NOT_FOUND
        );
    }

    #[test]
    fn every_item_has_its_picture() {
        for item in super::super::items() {
            assert!(
                Web::get(&format!("art/{}.svg", item.sku)).is_some(),
                "{}",
                item.sku
            );
        }
    }

    #[test]
    fn a_strange_host_stays_out_of_the_policy() {
        let policy = |host: &str| {
            let mut request = HeaderMap::new();
            request.insert(header::HOST, HeaderValue::from_str(host).expect("a header"));
            let policy = content_security_policy(&request).expect("a policy");
            policy.to_str().expect("text").to_owned()
        };
        assert!(policy("127.0.0.1:8080").contains("connect-src 'self' ws://127.0.0.1:8080 wss:"));
        assert!(policy("a; script-src *").contains("connect-src 'self'; frame-src"));
    }
}
