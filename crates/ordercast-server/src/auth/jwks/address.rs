//! Where a key set may be fetched from: the project's administrator writes the address, and the server
//! must not become their way into the network that it stands in.

use crate::public_address::is_public;
use hyper::Uri;
use std::net::IpAddr;
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

#[cfg(test)]
mod tests {
    use super::*;

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
