//! Which pages may open a connection. Native clients send no Origin.

use axum::http::{HeaderMap, Uri, header};

/// `allowed`: whole origins, `*` for all, `loopback` for pages served by this machine.
pub fn is_allowed(headers: &HeaderMap, allowed: &[String]) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return true;
    };
    let Ok(origin) = origin.to_str() else {
        return false;
    };
    allowed.iter().any(|pattern| match pattern.as_str() {
        "*" => true,
        "loopback" => is_loopback(origin),
        whole => whole.eq_ignore_ascii_case(origin),
    })
}

fn is_loopback(origin: &str) -> bool {
    let Ok(uri) = origin.parse::<Uri>() else {
        return false;
    };
    let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
    is_web && matches!(uri.host(), Some("localhost" | "127.0.0.1" | "[::1]"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn check(origin: &str, allowed: &str, expected: bool) {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::ORIGIN,
            HeaderValue::from_str(origin).expect("header"),
        );
        let allowed: Vec<_> = allowed.split_whitespace().map(str::to_owned).collect();
        assert_eq!(
            is_allowed(&headers, &allowed),
            expected,
            "{origin} in {allowed:?}"
        );
    }

    #[test]
    fn origins() {
        assert!(
            is_allowed(&HeaderMap::new(), &[]),
            "native clients send none"
        );
        check("https://shop.example", "", false);
        check("https://shop.example", "https://shop.example", true);
        check(
            "https://shop.example",
            "https://a.example https://shop.example",
            true,
        );
        check(
            "https://shop.example.evil.example",
            "https://shop.example",
            false,
        );
        check("http://shop.example", "https://shop.example", false);
        check("https://shop.example", "*", true);
        check("http://127.0.0.1:8080", "loopback", true);
        check("http://localhost:3000", "loopback", true);
        check("http://[::1]:3000", "loopback", true);
        check("http://localhost.evil.example", "loopback", false);
        check("http://127.0.0.1.evil.example", "loopback", false);
        check("http://evil.example#localhost", "loopback", false);
        check("null", "loopback", false);
    }
}
