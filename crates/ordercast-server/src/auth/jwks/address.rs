//! Where a key set may be fetched from: the project's administrator writes the address, and the server
//! must not become their way into the network that it stands in.

use hyper::Uri;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use thiserror::Error;

const URL_BYTES_MAX: usize = 1_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AddressError {
    #[error("must be an https URL of at most {URL_BYTES_MAX} bytes, without user and password")]
    NotHttps,
    #[error("names a private address; the operator allows them with jwks_allow_private")]
    Private,
}

/// Whether addresses of the server's own network may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    Public,
    /// Also private ones, and `http` on loopback.
    Anywhere,
}

/// An address of a key set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub host: String,
    pub port: u16,
    pub is_secure: bool,
    pub path: String,
    text: String,
}

impl Address {
    /// # Errors
    /// [`AddressError`].
    pub fn parse(text: &str, reach: Reach) -> Result<Self, AddressError> {
        if text.len() > URL_BYTES_MAX || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(AddressError::NotHttps);
        }
        let uri: Uri = text.parse().map_err(|_| AddressError::NotHttps)?;
        let authority = uri.authority().ok_or(AddressError::NotHttps)?;
        if authority.as_str().contains('@') || authority.host().is_empty() {
            return Err(AddressError::NotHttps);
        }
        let host = authority.host();
        let host = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host)
            .to_ascii_lowercase();
        let literal: Option<IpAddr> = host.parse().ok();
        let is_loopback = literal.map_or(host == "localhost", |ip| ip.is_loopback());
        let is_secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") if reach == Reach::Anywhere && is_loopback => false,
            _ => return Err(AddressError::NotHttps),
        };
        if literal.is_some_and(|ip| !may_ask(ip, reach)) {
            return Err(AddressError::Private);
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Self {
            host,
            port: uri.port_u16().unwrap_or(if is_secure { 443 } else { 80 }),
            is_secure,
            path: path.to_owned(),
            text: text.to_owned(),
        })
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Asked of every address that a name resolved to, at the moment of the call.
#[must_use]
pub fn may_ask(ip: IpAddr, reach: Reach) -> bool {
    reach == Reach::Anywhere || is_public(ip)
}

fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

/// Not in the IANA registry of special-purpose addresses.
fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    !(ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_documentation()
        || ip.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19)))
}

/// Global unicast, without what carries another address inside or is for documents.
fn is_public_v6(ip: Ipv6Addr) -> bool {
    if let Some(v4) = ip.to_ipv4_mapped() {
        return is_public_v4(v4);
    }
    let [a, b, ..] = ip.segments();
    if a == 0x64 && b == 0xff9b {
        // NAT64 gives the address that is inside.
        let [.., high, low] = ip.segments();
        let (high, low) = (high.to_be_bytes(), low.to_be_bytes());
        return ip.segments()[2..6] == [0; 4]
            && is_public_v4(Ipv4Addr::new(high[0], high[1], low[0], low[1]));
    }
    let is_global = a & 0xe000 == 0x2000;
    // 2001::/23 protocol assignments with Teredo, 2001:db8::/32 and 3fff::/20 documents, 2002::/16
    // 6to4.
    let is_special =
        (a == 0x2001 && (b < 0x200 || b == 0xdb8)) || (a == 0x3fff && b < 0x1000) || a == 0x2002;
    is_global && !is_special
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_addresses() {
        for public in [
            "8.8.8.8",
            "100.128.0.1",
            "172.32.0.1",
            "2606:4700::1111",
            "2001:4860:4860::8888",
            "64:ff9b::808:808",
            "::ffff:8.8.8.8",
        ] {
            assert!(is_public(public.parse().expect("ip")), "{public}");
        }
        for private in [
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::808:808",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "fc00::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(private.parse().expect("ip")), "{private}");
        }
    }

    #[test]
    fn addresses_of_key_sets() {
        let parse = |text: &str, reach| Address::parse(text, reach);
        let address = parse("https://Idp.example/a?b=c", Reach::Public).expect("address");
        assert_eq!(
            (address.host.as_str(), address.port, address.path.as_str()),
            ("idp.example", 443, "/a?b=c")
        );
        let local = "http://127.0.0.1:8080/jwks";
        assert_eq!(parse(local, Reach::Public), Err(AddressError::NotHttps));
        assert!(parse(local, Reach::Anywhere).is_ok());
        assert!(parse("http://[::1]/jwks", Reach::Anywhere).is_ok());
        for reach in [Reach::Public, Reach::Anywhere] {
            for bad in [
                "",
                "idp.example/jwks",
                "http://idp.example/jwks",
                "http://10.0.0.1/jwks",
                "ftp://idp.example/",
                "file:///etc/passwd",
                "https://user:password@idp.example/",
                "https:///jwks",
                "https://idp.example/\n",
                &format!("https://idp.example/{}", "a".repeat(1_000)),
            ] {
                assert_eq!(parse(bad, reach), Err(AddressError::NotHttps), "{bad}");
            }
        }
        for private in [
            "https://10.0.0.1/",
            "https://[::1]/",
            "https://169.254.169.254/",
        ] {
            assert_eq!(parse(private, Reach::Public), Err(AddressError::Private));
            assert!(parse(private, Reach::Anywhere).is_ok());
        }
    }
}
