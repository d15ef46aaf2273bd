//! Where a key set may be fetched from: the project's administrator writes the address, and the server
//! must not become their way into the network that it stands in.

use crate::outbound::guard::{InvalidUrl, Policy, TargetUrl};
use thiserror::Error;
use url::{Host, Url};

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

impl Reach {
    /// Key sets may be on any port.
    #[must_use]
    pub fn policy(self) -> Policy {
        let is_anywhere = self == Self::Anywhere;
        Policy {
            allow_http: is_anywhere,
            allow_any_port: true,
            allowed_networks: Vec::new(),
            allow_any_address: is_anywhere,
        }
    }
}

/// An address of a key set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    target: TargetUrl,
    text: String,
}

impl Address {
    /// # Errors
    /// [`AddressError`].
    pub fn parse(text: &str, reach: Reach) -> Result<Self, AddressError> {
        // A fragment is never sent, and some providers' pages show one.
        let asked = text.split_once('#').map_or(text, |(asked, _)| asked);
        if text.len() > URL_BYTES_MAX {
            return Err(AddressError::NotHttps);
        }
        let target = TargetUrl::parse(asked, &reach.policy()).map_err(|error| match error {
            InvalidUrl::Address => AddressError::Private,
            InvalidUrl::Url
            | InvalidUrl::Scheme
            | InvalidUrl::Credentials
            | InvalidUrl::Fragment
            | InvalidUrl::Port => AddressError::NotHttps,
        })?;
        if target.url().scheme() == "http" && !is_this_machine(target.url()) {
            return Err(AddressError::NotHttps);
        }
        Ok(Self {
            target,
            text: text.to_owned(),
        })
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    #[must_use]
    pub const fn target(&self) -> &TargetUrl {
        &self.target
    }
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_key_sets() {
        let parse = |text: &str, reach| Address::parse(text, reach);
        let address = parse("https://Idp.example/a?b=c", Reach::Public).expect("address");
        assert_eq!(address.target().url().as_str(), "https://idp.example/a?b=c");
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
