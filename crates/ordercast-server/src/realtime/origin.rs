//! Which pages may open a connection.
//!
//! Browsers tell by `Origin` whose page it is, and no page can tell another. Programs that are no
//! browsers send one too, by themselves: the address that they connect to (several WebSocket libraries
//! of games and of apps). So an Origin whose host is the host that was asked for passes, whatever its
//! scheme and port: a page of this very host is not another's.

use crate::http::client_address::Proxies;
use axum::http::{HeaderMap, Uri, header};
use metrics::counter;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::{fmt, net::IpAddr, str::FromStr};
use url::Host;

/// Of an origin in the log.
const LOGGED_BYTES_MAX: usize = 256;

/// One entry of the setting `allowed_origins`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedOrigin {
    /// `*`: the pages of every site.
    Any,
    /// `loopback`: pages that this machine serves.
    Loopback,
    /// `null`: pages without an origin, as of files.
    Null,
    Web(WebOrigin),
}

/// Scheme, host and port, of which the host may have one `*` in its first label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebOrigin {
    scheme: String,
    /// In lower case, in ASCII; `before` alone without a `*`.
    before: String,
    after: Option<String>,
    /// `None`: the scheme's own.
    port: Option<u16>,
}

/// What is wrong with an entry, and what would do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    #[error(
        "{given:?} is no origin: an origin has a scheme and a host, and a port if it is not the usual one, for example {example:?}"
    )]
    Form { given: String, example: String },
    #[error(
        "{given:?} has more than an origin has: write {right:?}, without what comes after the host and port"
    )]
    TooLong { given: String, right: String },
    #[error(
        "{given:?}: one * may stand in the first label of a host that has at least two more, for example \"https://*.preview.shop.example\""
    )]
    Wildcard { given: String },
}

impl FromStr for AllowedOrigin {
    type Err = OriginError;

    fn from_str(given: &str) -> Result<Self, OriginError> {
        let given = given.trim();
        match given {
            "*" => return Ok(Self::Any),
            "loopback" => return Ok(Self::Loopback),
            "null" => return Ok(Self::Null),
            _ => {}
        }
        let form = |example: String| OriginError::Form {
            given: given.to_owned(),
            example,
        };
        let usual = || "https://shop.example".to_owned();
        let Some((scheme, rest)) = given.split_once("://") else {
            // The host alone is the usual mistake.
            let host = given
                .trim_start_matches('/')
                .split('/')
                .next()
                .unwrap_or_default();
            let is_host = !host.is_empty() && Host::parse(&host.replacen('*', "x", 1)).is_ok();
            return Err(form(if is_host {
                format!("https://{host}")
            } else {
                usual()
            }));
        };
        let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
        if !is_scheme {
            return Err(form(usual()));
        }
        let scheme = scheme.to_ascii_lowercase();
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, surplus) = rest.split_at(end);
        if !surplus.is_empty() {
            return Err(OriginError::TooLong {
                given: given.to_owned(),
                right: format!("{scheme}://{authority}"),
            });
        }
        let (host, port) = split_port(authority).ok_or_else(|| form(usual()))?;
        if host.contains('@') {
            return Err(form(usual()));
        }
        let port = port.filter(|port| default_port(&scheme) != Some(*port));
        let (before, after) = match host.split_once('*') {
            None => (ascii(host).ok_or_else(|| form(usual()))?, None),
            Some((before, after)) => {
                let wildcard = || OriginError::Wildcard {
                    given: given.to_owned(),
                };
                let (label, domain) = after.split_once('.').ok_or_else(wildcard)?;
                let is_one_label = !before.contains('.') && !label.contains('*');
                // Who may have any name below a whole ending is everybody.
                if !is_one_label || domain.contains('*') || domain.split('.').count() < 2 {
                    return Err(wildcard());
                }
                let domain = ascii(domain).ok_or_else(wildcard)?;
                let plain =
                    |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
                if !plain(before) || !plain(label) {
                    return Err(wildcard());
                }
                let after = format!("{}.{domain}", label.to_ascii_lowercase());
                (before.to_ascii_lowercase(), Some(after))
            }
        };
        Ok(Self::Web(WebOrigin {
            scheme,
            before,
            after,
            port,
        }))
    }
}

impl<'de> Deserialize<'de> for AllowedOrigin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

impl Serialize for AllowedOrigin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for AllowedOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Loopback => f.write_str("loopback"),
            Self::Null => f.write_str("null"),
            Self::Web(web) => {
                write!(f, "{}://{}", web.scheme, web.before)?;
                if let Some(after) = &web.after {
                    write!(f, "*{after}")?;
                }
                match web.port {
                    Some(port) => write!(f, ":{port}"),
                    None => Ok(()),
                }
            }
        }
    }
}

impl AllowedOrigin {
    fn takes(&self, origin: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Null => origin == "null",
            Self::Loopback => is_loopback(origin),
            Self::Web(web) => web.takes(origin),
        }
    }
}

impl WebOrigin {
    fn takes(&self, origin: &str) -> bool {
        let Some((scheme, authority)) = origin.split_once("://") else {
            return false;
        };
        let Some((host, port)) = split_port(authority) else {
            return false;
        };
        let port = port.filter(|port| default_port(&self.scheme) != Some(*port));
        if !scheme.eq_ignore_ascii_case(&self.scheme) || port != self.port {
            return false;
        }
        let host = host.to_ascii_lowercase();
        match &self.after {
            None => host == self.before,
            Some(after) => host
                .strip_prefix(&self.before)
                .and_then(|rest| rest.strip_suffix(after.as_str()))
                .is_some_and(|label| !label.is_empty() && !label.contains('.')),
        }
    }
}

/// As browsers write it.
fn ascii(host: &str) -> Option<String> {
    Host::parse(host).ok().map(|host| host.to_string())
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    }
}

/// A host, an IPv6 one in its brackets, and the port behind it. `None` for a port that is none.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let from = authority.rfind(']').unwrap_or(0);
    let (host, port) = match authority[from..].rfind(':') {
        None => (authority, None),
        Some(at) => {
            let (host, port) = authority.split_at(from + at);
            (host, Some(port[1..].parse().ok()?))
        }
    };
    (!host.is_empty()).then_some((host, port))
}

fn is_loopback(origin: &str) -> bool {
    let Ok(uri) = origin.parse::<Uri>() else {
        return false;
    };
    let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
    is_web && matches!(uri.host(), Some("localhost" | "127.0.0.1" | "[::1]"))
}

/// The host that an Origin names, if its scheme is one of the web's; some libraries leave the scheme out.
fn host_of(origin: &str) -> Option<String> {
    let authority = match origin.split_once("://") {
        None => origin,
        Some((scheme, rest)) => {
            let scheme = scheme.to_ascii_lowercase();
            default_port(&scheme)?;
            rest.strip_suffix('/').unwrap_or(rest)
        }
    };
    if authority.contains(['/', '?', '#', '@', '\\']) {
        return None;
    }
    let (host, _) = split_port(authority)?;
    Some(comparable(host))
}

fn comparable(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

/// Who may come, of a request: what it says, and what the proxy in front says that it was asked for.
#[derive(Debug)]
pub struct Origins {
    pub allowed: Vec<AllowedOrigin>,
    refused: crate::seldom::Seldom<String>,
}

impl Origins {
    pub fn new(allowed: Vec<AllowedOrigin>) -> Self {
        Self {
            allowed,
            refused: crate::seldom::Seldom::default(),
        }
    }

    /// Whether the page of this request may connect; a refusal leaves a trace.
    pub fn admit(&self, headers: &HeaderMap, uri: &Uri, peer: IpAddr, proxies: &Proxies) -> bool {
        let mut asked_for = None;
        for origin in headers.get_all(header::ORIGIN) {
            let origin = String::from_utf8_lossy(origin.as_bytes());
            let is_allowed = self.allowed.iter().any(|allowed| allowed.takes(&origin));
            if is_allowed {
                continue;
            }
            let hosts = asked_for.get_or_insert_with(|| hosts(headers, uri, peer, proxies));
            if host_of(&origin).is_none_or(|host| !hosts.contains(&host)) {
                self.tell(&origin, hosts.first());
                return false;
            }
        }
        true
    }

    fn tell(&self, origin: &str, host: Option<&String>) {
        counter!("ordercast_connections_refused_total", "why" => "origin").increment(1);
        let cut = (0..=LOGGED_BYTES_MAX.min(origin.len()))
            .rev()
            .find(|at| origin.is_char_boundary(*at))
            .unwrap_or(0);
        let origin = &origin[..cut];
        if let Some(times) = self.refused.count(origin.to_owned()) {
            let host = host.map(String::as_str).unwrap_or_default();
            tracing::warn!(
                ?origin,
                ?host,
                times,
                "a page was refused: its origin is not in allowed_origins"
            );
        }
    }
}

/// The hosts that the client may have asked for.
fn hosts(headers: &HeaderMap, uri: &Uri, peer: IpAddr, proxies: &Proxies) -> Vec<String> {
    let host = match uri.host() {
        Some(host) => Some(host),
        None => headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok())
            .and_then(split_port)
            .map(|(host, _)| host),
    };
    let forwarded = proxies.forwarded_host(peer, headers);
    let forwarded = forwarded.and_then(|host| split_port(host).map(|(host, _)| host));
    host.into_iter().chain(forwarded).map(comparable).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::client_address::ProxyHeader;
    use axum::http::{HeaderName, HeaderValue};

    fn origins(allowed: &str) -> Origins {
        let allowed = allowed.split_whitespace();
        Origins::new(allowed.map(|one| one.parse().expect(one)).collect())
    }

    fn admits(allowed: &str, lines: &[(&'static str, &str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let value = HeaderValue::from_str(value).expect("header");
            headers.append(HeaderName::from_static(name), value);
        }
        let net = "10.0.0.0/8".parse().expect("net");
        let proxies = Proxies::new(vec![net], ProxyHeader::default());
        let uri = Uri::from_static("/connection/websocket");
        let peer = "10.0.0.1".parse().expect("address");
        origins(allowed).admit(&headers, &uri, peer, &proxies)
    }

    fn check(origin: &str, allowed: &str, expected: bool) {
        let lines = [("origin", origin), ("host", "orders.example")];
        assert_eq!(admits(allowed, &lines), expected, "{origin} in {allowed:?}");
    }

    #[test]
    fn who_sends_no_origin_is_no_page() {
        assert!(admits("", &[("host", "orders.example")]));
    }

    #[test]
    fn allowed_origins() {
        check("https://shop.example", "", false);
        check("https://shop.example", "https://shop.example", true);
        check("HTTPS://Shop.Example", "https://shop.example", true);
        check("https://shop.example", "https://SHOP.example:443", true);
        check("https://shop.example:8443", "https://shop.example", false);
        check(
            "https://shop.example:8443",
            "https://shop.example:8443",
            true,
        );
        check(
            "https://xn--bcher-kva.example",
            "https://bücher.example",
            true,
        );
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
        check(
            "https://evil.example/https://shop.example",
            "https://shop.example",
            false,
        );
        check("http://shop.example", "https://shop.example", false);
        check("https://shop.example", "*", true);
        check("capacitor://localhost", "capacitor://localhost", true);
        check("null", "null", true);
        check("null", "https://shop.example loopback", false);
    }

    #[test]
    fn loopback() {
        check("http://127.0.0.1:8080", "loopback", true);
        check("http://localhost:3000", "loopback", true);
        check("http://[::1]:3000", "loopback", true);
        check("http://localhost.evil.example", "loopback", false);
        check("http://127.0.0.1.evil.example", "loopback", false);
        check("http://evil.example#localhost", "loopback", false);
    }

    #[test]
    fn wildcards_stand_for_a_part_of_one_label() {
        let previews = "https://*.preview.shop.example https://pr-*-shop.pages.example:8443";
        check("https://pr-12.preview.shop.example", previews, true);
        check("https://preview.shop.example", previews, false);
        check("https://.preview.shop.example", previews, false);
        check("https://a.b.preview.shop.example", previews, false);
        check(
            "https://evil.example/.preview.shop.example",
            previews,
            false,
        );
        check("http://pr-12.preview.shop.example", previews, false);
        check("https://pr-12-shop.pages.example:8443", previews, true);
        check("https://pr-12-shop.pages.example", previews, false);
        check("https://pr--shop.pages.example:8443", previews, false);
    }

    #[test]
    fn an_origin_of_the_host_that_was_asked_for_passes() {
        for origin in [
            "http://orders.example",
            "https://orders.example",
            "ws://orders.example:8080",
            "wss://orders.example",
            "https://ORDERS.example.",
            "orders.example:443",
            "https://orders.example/",
        ] {
            for host in ["orders.example", "orders.example:8080", "Orders.Example"] {
                assert!(
                    admits("", &[("origin", origin), ("host", host)]),
                    "{origin} {host}"
                );
            }
        }
        let v6 = [
            ("origin", "http://[2001:db8::1]:80"),
            ("host", "[2001:db8::1]:8080"),
        ];
        assert!(admits("", &v6));
        for origin in [
            "https://orders.example.evil.example",
            "https://evil.example",
            "https://evil.example#orders.example",
            "https://orders.example@evil.example",
            "https://evil.example/orders.example",
            "file://orders.example",
            "null",
            "",
        ] {
            check(origin, "", false);
        }
        let two = [
            ("origin", "https://orders.example"),
            ("origin", "https://evil.example"),
            ("host", "orders.example"),
        ];
        assert!(!admits("", &two));
    }

    #[test]
    fn a_trusted_proxy_says_which_host_was_asked_for() {
        let of = |forwarded: &'static str| {
            admits(
                "",
                &[
                    ("origin", "https://orders.example"),
                    ("host", "10.0.0.7:8080"),
                    ("x-forwarded-host", forwarded),
                ],
            )
        };
        assert!(of("orders.example"));
        assert!(of("orders.example:8443"));
        assert!(of("made-up.example, orders.example"));
        assert!(!of("orders.example, other.example"));
        assert!(!of("evil.example"));
    }

    #[test]
    fn what_is_no_origin_is_refused_with_the_right_form() {
        for (given, right) in [
            ("https://shop.example/", "\"https://shop.example\""),
            ("https://shop.example/path", "\"https://shop.example\""),
            (
                "https://shop.example:8443/?a",
                "\"https://shop.example:8443\"",
            ),
            ("shop.example", "\"https://shop.example\""),
            ("shop.example:8443", "\"https://shop.example\""),
            ("//shop.example", "\"https://shop.example\""),
            ("*.shop.example", "\"https://*.shop.example\""),
            ("https://", "\"https://shop.example\""),
            ("https://shop.example:port", "\"https://shop.example\""),
            ("https://a@shop.example", "\"https://shop.example\""),
            ("https://*", "\"https://*.preview.shop.example\""),
            ("https://*.example", "\"https://*.preview.shop.example\""),
            (
                "https://a.*.shop.example",
                "\"https://*.preview.shop.example\"",
            ),
            (
                "https://*.*.shop.example",
                "\"https://*.preview.shop.example\"",
            ),
            ("", "\"https://shop.example\""),
        ] {
            let error = given.parse::<AllowedOrigin>().expect_err(given).to_string();
            assert!(error.contains(right), "{given}: {error}");
        }
    }
}
