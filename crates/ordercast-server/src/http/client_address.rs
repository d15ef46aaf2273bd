//! Whose request it is when proxies stand in between.
//!
//! Invariant: a header is believed only as far as it was written by a proxy that the operator named,
//! and only the one header that he says his proxy writes: any other may be the client's own. Each proxy
//! appends who it was talking to, so the entries are read from the right, and the first one that is no
//! named proxy is the client; what stands left of it may be made up.

use axum::http::{HeaderMap, HeaderName, header};
use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::{
    net::{IpAddr, SocketAddr},
    str::FromStr,
    sync::atomic::{AtomicBool, Ordering},
};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The header in which a proxy tells who the client is: `Forwarded` in the form of RFC 7239, any other
/// as addresses by comma.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyHeader(HeaderName);

impl Default for ProxyHeader {
    fn default() -> Self {
        Self(X_FORWARDED_FOR)
    }
}

impl FromStr for ProxyHeader {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        name.parse()
            .map(Self)
            .map_err(|_| "must be the name of a header, for example X-Forwarded-For or Forwarded")
    }
}

impl Serialize for ProxyHeader {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

impl<'de> Deserialize<'de> for ProxyHeader {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

/// The proxies in front of the server, and what they say.
#[derive(Debug)]
pub struct Proxies {
    trusted: Vec<IpNet>,
    header: HeaderName,
    has_warned: AtomicBool,
}

impl Proxies {
    pub fn new(trusted: Vec<IpNet>, header: ProxyHeader) -> Self {
        Self {
            trusted,
            header: header.0,
            has_warned: AtomicBool::new(false),
        }
    }

    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted.iter().any(|net| net.contains(&address))
    }

    /// The client's address. `peer`: the other end of the socket.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        if !self.trusts(client) {
            return client;
        }
        let parse = if self.header == header::FORWARDED {
            forwarded_for
        } else {
            address
        };
        let values: Vec<&str> = headers
            .get_all(&self.header)
            .iter()
            .map(|value| value.to_str().unwrap_or_default())
            .collect();
        for entry in values.iter().rev().flat_map(|value| value.rsplit(',')) {
            // What cannot be read hides whoever stands behind it: the proxy that wrote it is the client.
            let Some(address) = parse(entry.trim()) else {
                return client;
            };
            client = address;
            if !self.trusts(client) {
                return client;
            }
        }
        client
    }

    /// The host that the client asked for, as a trusted proxy tells it: `host=` of `Forwarded` where
    /// that is the header that it writes, else `X-Forwarded-Host`.
    pub fn forwarded_host<'h>(&self, peer: IpAddr, headers: &'h HeaderMap) -> Option<&'h str> {
        if !self.trusts(peer) {
            return None;
        }
        let is_standard = self.header == header::FORWARDED;
        let name = if is_standard {
            header::FORWARDED
        } else {
            X_FORWARDED_HOST
        };
        let value = headers.get_all(name).into_iter().next_back()?;
        let newest = value.to_str().ok()?.rsplit(',').next()?.trim();
        if is_standard {
            parameter(newest, "host")
        } else {
            Some(newest)
        }
    }

    /// Tells the operator, once, of a proxy that he has not named, or of one that writes another header:
    /// all clients behind it are one client to every limit.
    pub fn notice(&self, peer: IpAddr, headers: &HeaderMap) {
        if self.has_warned.load(Ordering::Relaxed) {
            return;
        }
        let written = [X_FORWARDED_FOR, header::FORWARDED]
            .into_iter()
            .find(|name| headers.contains_key(name));
        let Some(written) = written else {
            return;
        };
        if self.trusted.is_empty() {
            if !self.has_warned.swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    %peer,
                    header = %written,
                    "a request came through a proxy, and trusted_proxies is empty: all clients of the \
                     proxy count as one address. Name the proxy's network in trusted_proxies"
                );
            }
        } else if self.trusts(peer)
            && !headers.contains_key(&self.header)
            && !self.has_warned.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(
                %peer,
                header = %written,
                expected = %self.header,
                "a trusted proxy writes another header than proxy_header: it is ignored, and all \
                 clients of the proxy count as one address. Set proxy_header"
            );
        }
    }
}

/// `for=` of one element (RFC 7239, section 4).
fn forwarded_for(element: &str) -> Option<IpAddr> {
    address(parameter(element, "for")?)
}

fn parameter<'e>(element: &'e str, wanted: &str) -> Option<&'e str> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case(wanted)
            .then(|| value.trim().trim_matches('"'))
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

    /// `header`: the one that the operator named.
    fn check_as(header: &str, peer: &str, lines: &[(&'static str, &'static str)], expected: &str) {
        let trusted = ["10.0.0.0/8", "2001:db8:aa::/48"].map(|net| net.parse().expect("net"));
        let proxies = Proxies::new(trusted.into(), header.parse().expect("header"));
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        let client = proxies.client(peer.parse().expect("address"), &headers);
        assert_eq!(client.to_string(), expected, "{header} {peer} {lines:?}");
    }

    fn check(peer: &str, x_forwarded_for: &[&'static str], expected: &str) {
        let lines: Vec<_> = x_forwarded_for
            .iter()
            .map(|value| ("x-forwarded-for", *value))
            .collect();
        check_as("X-Forwarded-For", peer, &lines, expected);
    }

    fn check_forwarded(value: &'static str, expected: &str) {
        check_as("Forwarded", "10.0.0.1", &[("forwarded", value)], expected);
    }

    #[test]
    fn only_named_proxies_are_believed() {
        check("192.0.2.1", &["198.51.100.7"], "192.0.2.1");
        check("10.0.0.1", &[], "10.0.0.1");
        check("10.0.0.1", &["198.51.100.7"], "198.51.100.7");
        check("::ffff:10.0.0.1", &["198.51.100.7"], "198.51.100.7");
        check("2001:db8:aa::1", &["2001:db8::7"], "2001:db8::7");
        let forwarded = ("forwarded", "for=198.51.100.7");
        check_as("Forwarded", "192.0.2.1", &[forwarded], "192.0.2.1");
    }

    #[test]
    fn only_the_named_header_is_believed() {
        let both = [
            ("forwarded", "for=203.0.113.9"),
            ("x-forwarded-for", "198.51.100.7"),
            ("x-real-ip", "198.51.100.8"),
        ];
        check_as("X-Forwarded-For", "10.0.0.1", &both, "198.51.100.7");
        check_as("forwarded", "10.0.0.1", &both, "203.0.113.9");
        check_as("X-Real-IP", "10.0.0.1", &both, "198.51.100.8");
        check_as("CF-Connecting-IP", "10.0.0.1", &both, "10.0.0.1");
    }

    #[test]
    fn the_rightmost_that_is_no_proxy_is_the_client() {
        check(
            "10.0.0.1",
            &["203.0.113.9, 198.51.100.7, 10.0.0.2"],
            "198.51.100.7",
        );
        check("10.0.0.1", &["203.0.113.9", "198.51.100.7"], "198.51.100.7");
        check("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3");
        check("10.0.0.1", &["198.51.100.7, made up"], "10.0.0.1");
        check("10.0.0.1", &["198.51.100.7,"], "10.0.0.1");
    }

    #[test]
    fn ports_brackets_and_quotes() {
        check("10.0.0.1", &["198.51.100.7:4711"], "198.51.100.7");
        check("10.0.0.1", &["[2001:db8::7]:4711"], "2001:db8::7");
        check_forwarded("proto=https;for=\"[2001:db8::7]:4711\"", "2001:db8::7");
        check_forwarded(
            "For=203.0.113.9, for=198.51.100.7;by=10.0.0.1",
            "198.51.100.7",
        );
        check_forwarded("for=unknown", "10.0.0.1");
        check_forwarded("proto=https", "10.0.0.1");
    }
}
