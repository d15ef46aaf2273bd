//! Where requests may go. The address is written by a project's administrator, so it must not lead into
//! the network that the server stands in (providers contract, section 3): the URL is checked when it is
//! given, and every address that its name resolves to when it is dialled.

use super::public_address::is_public;
use ipnet::IpNet;
use std::net::IpAddr;
use thiserror::Error;
use url::{Host, Url};

const URL_BYTES_MAX: usize = 2_048;
const PORTS: [u16; 2] = [443, 8443];

/// What the operator allows beside https to public addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    pub allow_http: bool,
    pub allow_any_port: bool,
    /// Of the operator's own network.
    pub allowed_networks: Vec<IpNet>,
    /// All addresses, whatever they are.
    pub allow_any_address: bool,
}

impl Policy {
    /// Asked of every address before it is dialled.
    #[must_use]
    pub fn may_dial(&self, ip: IpAddr) -> bool {
        self.allow_any_address
            || is_public(ip)
            || self
                .allowed_networks
                .iter()
                .any(|network| network.contains(&ip.to_canonical()))
    }

    const fn may_be_local(&self) -> bool {
        self.allow_any_address || !self.allowed_networks.is_empty()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidUrl {
    #[error("must be an absolute URL of at most {URL_BYTES_MAX} bytes")]
    Url,
    #[error("must begin with https://")]
    Scheme,
    #[error("must not hold a user name or a password")]
    Credentials,
    #[error("must not have a fragment")]
    Fragment,
    #[error("must be on port 443 or 8443; the operator allows others with webhook_any_port")]
    Port,
    #[error(
        "names an address that is not public; the operator allows those of the own network with \
         webhook_networks"
    )]
    Address,
}

/// A URL that may be sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetUrl(Url);

impl TargetUrl {
    /// # Errors
    /// [`InvalidUrl`].
    pub fn parse(text: &str, policy: &Policy) -> Result<Self, InvalidUrl> {
        // The parser of browsers passes over tabs, line ends and backslashes: who writes them means
        // to hide something.
        let is_plain = text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
        if text.len() > URL_BYTES_MAX || !is_plain {
            return Err(InvalidUrl::Url);
        }
        let url = Url::parse(text).map_err(|_| InvalidUrl::Url)?;
        match url.scheme() {
            "https" => {}
            "http" if policy.allow_http => {}
            _ => return Err(InvalidUrl::Scheme),
        }
        // The parser also takes one slash or three, and finds the host wherever it is.
        let authority = authority(text).ok_or(InvalidUrl::Url)?;
        if !url.username().is_empty() || url.password().is_some() || authority.contains('@') {
            return Err(InvalidUrl::Credentials);
        }
        if url.fragment().is_some() {
            return Err(InvalidUrl::Fragment);
        }
        let port = url.port_or_known_default().ok_or(InvalidUrl::Port)?;
        let is_default = url.port().is_none();
        if !is_default && !policy.allow_any_port && !PORTS.contains(&port) {
            return Err(InvalidUrl::Port);
        }
        // Decimal, octal, hexadecimal and shortened forms have become addresses here.
        let may_dial = match url.host().ok_or(InvalidUrl::Url)? {
            Host::Ipv4(ip) => policy.may_dial(ip.into()),
            Host::Ipv6(ip) => policy.may_dial(ip.into()),
            Host::Domain(name) => policy.may_be_local() || !is_local(name),
        };
        if !may_dial {
            return Err(InvalidUrl::Address);
        }
        Ok(Self(url))
    }

    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.0
    }

    #[must_use]
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }
}

/// As it was written: the parser forgets an empty user name. A path and a query may hold an `@`.
fn authority(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    (!authority.is_empty()).then_some(authority)
}

/// Names that never leave a machine or its network (RFC 6761, RFC 8375), so that a mistake is told at
/// once and not with the first delivery.
fn is_local(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let is_under = |zone: &str| name == zone || name.ends_with(&format!(".{zone}"));
    [
        "localhost",
        "local",
        "internal",
        "home.arpa",
        "invalid",
        "test",
        "onion",
    ]
    .into_iter()
    .any(is_under)
        || !name.contains('.')
}
