//! Whose request it is when proxies stand in between.
//!
//! Invariant: a header is believed only as far as it was written by a proxy that the operator named.
//! Each proxy appends who it was talking to, so the entries are read from the right, and the first
//! one that is no named proxy is the client; what stands left of it may be made up.

use axum::http::{HeaderMap, HeaderName, header};
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The client's address. `peer`: the other end of the socket.
pub fn of(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|net| net.contains(address));
    let mut client = peer.to_canonical();
    if !is_trusted(&client) {
        return client;
    }
    // Proxies keep one of the two; the standard one wins where both are there.
    let (name, parse): (_, fn(&str) -> Option<IpAddr>) = if headers.contains_key(header::FORWARDED)
    {
        (header::FORWARDED, forwarded)
    } else {
        (X_FORWARDED_FOR, address)
    };
    let values: Vec<&str> = headers
        .get_all(name)
        .iter()
        .map(|value| value.to_str().unwrap_or_default())
        .collect();
    for entry in values.iter().rev().flat_map(|value| value.rsplit(',')) {
        // What cannot be read hides whoever stands behind it: the proxy that wrote it is the client.
        let Some(address) = parse(entry.trim()) else {
            return client;
        };
        client = address;
        if !is_trusted(&client) {
            return client;
        }
    }
    client
}

/// `for=` of one element (RFC 7239, section 4).
fn forwarded(element: &str) -> Option<IpAddr> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        if !name.trim().eq_ignore_ascii_case("for") {
            return None;
        }
        address(value.trim().trim_matches('"'))
    })
}

/// With or without a port, an IPv6 address with or without brackets.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    bare.unwrap_or(text)
        .parse::<IpAddr>()
        .or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip()))
        .ok()
        .map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn check(peer: &str, lines: &[(HeaderName, &'static str)], expected: &str) {
        let trusted: Vec<IpNet> = ["10.0.0.0/8", "2001:db8:aa::/48"]
            .map(|net| net.parse().expect("net"))
            .into();
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name, HeaderValue::from_static(value));
        }
        let client = of(peer.parse().expect("address"), &headers, &trusted);
        assert_eq!(client.to_string(), expected, "{peer} {lines:?}");
    }

    fn xff(value: &'static str) -> (HeaderName, &'static str) {
        (X_FORWARDED_FOR, value)
    }

    fn fwd(value: &'static str) -> (HeaderName, &'static str) {
        (header::FORWARDED, value)
    }

    #[test]
    fn only_named_proxies_are_believed() {
        check("192.0.2.1", &[xff("198.51.100.7")], "192.0.2.1");
        check("192.0.2.1", &[fwd("for=198.51.100.7")], "192.0.2.1");
        check("10.0.0.1", &[], "10.0.0.1");
        check("10.0.0.1", &[xff("198.51.100.7")], "198.51.100.7");
        check("::ffff:10.0.0.1", &[xff("198.51.100.7")], "198.51.100.7");
        check("2001:db8:aa::1", &[xff("2001:db8::7")], "2001:db8::7");
    }

    #[test]
    fn the_rightmost_that_is_no_proxy_is_the_client() {
        check(
            "10.0.0.1",
            &[xff("203.0.113.9, 198.51.100.7, 10.0.0.2")],
            "198.51.100.7",
        );
        check(
            "10.0.0.1",
            &[xff("203.0.113.9"), xff("198.51.100.7")],
            "198.51.100.7",
        );
        check("10.0.0.1", &[xff("10.0.0.3, 10.0.0.2")], "10.0.0.3");
        check("10.0.0.1", &[xff("198.51.100.7, made up")], "10.0.0.1");
        check("10.0.0.1", &[xff("198.51.100.7,")], "10.0.0.1");
    }

    #[test]
    fn ports_brackets_and_quotes() {
        check("10.0.0.1", &[xff("198.51.100.7:4711")], "198.51.100.7");
        check("10.0.0.1", &[xff("[2001:db8::7]:4711")], "2001:db8::7");
        check(
            "10.0.0.1",
            &[fwd("proto=https;for=\"[2001:db8::7]:4711\"")],
            "2001:db8::7",
        );
        check(
            "10.0.0.1",
            &[fwd("For=203.0.113.9, for=198.51.100.7;by=10.0.0.1")],
            "198.51.100.7",
        );
        check(
            "10.0.0.1",
            &[fwd("for=unknown"), xff("198.51.100.7")],
            "10.0.0.1",
        );
        check("10.0.0.1", &[fwd("proto=https")], "10.0.0.1");
    }
}
