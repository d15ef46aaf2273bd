//! Headers of the shop's own that every request to an endpoint carries: what its gateway wants to see, a
//! key for example.

use super::Mode;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};
use thiserror::Error;

const HEADERS_MAX: usize = 10;
const NAME_BYTES_MAX: usize = 64;
const VALUE_BYTES_MAX: usize = 1_024;
/// Proof of who sends; nobody else may write it.
const SIGNATURE_PREFIXES: [&str; 2] = ["webhook-", "svix-"];
/// Written by the connection, or said of the body (RFC 9110, 7.6.1).
const RESERVED: [&str; 15] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InvalidHeaders {
    #[error("must be at most {HEADERS_MAX}")]
    TooMany,
    #[error("{0:?} is no name of a header, 1 to {NAME_BYTES_MAX} letters, digits, - and _")]
    Name(String),
    #[error("{0:?} is written by the server itself")]
    Reserved(String),
    #[error("{0:?} is there twice")]
    Twice(String),
    #[error(
        "the value of {0:?} must be 1 to {VALUE_BYTES_MAX} visible ASCII characters, with spaces \
         between only"
    )]
    Value(String),
}

/// By name, in small letters. Its values are secrets.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CustomHeaders(BTreeMap<String, String>);

/// Without the values.
impl fmt::Debug for CustomHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl CustomHeaders {
    /// # Errors
    /// [`InvalidHeaders`], which names the header and never its value.
    pub fn new(
        mode: Mode,
        given: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, InvalidHeaders> {
        let mut headers = BTreeMap::new();
        for (name, value) in given {
            let known = name.to_ascii_lowercase();
            if !is_name(&known) {
                let shown = name.chars().take(NAME_BYTES_MAX).collect();
                return Err(InvalidHeaders::Name(shown));
            }
            if is_reserved(mode, &known) {
                return Err(InvalidHeaders::Reserved(name));
            }
            if !is_value(&value) {
                return Err(InvalidHeaders::Value(name));
            }
            if headers.insert(known, value).is_some() {
                return Err(InvalidHeaders::Twice(name));
            }
            if headers.len() > HEADERS_MAX {
                return Err(InvalidHeaders::TooMany);
            }
        }
        Ok(Self(headers))
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.0.iter();
        pairs.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn is_name(name: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

fn is_reserved(mode: Mode, name: &str) -> bool {
    let is_signature = match mode {
        Mode::Standard => false,
        // The reference's signature stands there.
        Mode::ReferenceSeparate | Mode::ReferenceCombined => name == "authorization",
    };
    is_signature
        || RESERVED.contains(&name)
        || SIGNATURE_PREFIXES
            .iter()
            .any(|prefix| name.starts_with(prefix))
}

fn is_value(value: &str) -> bool {
    (1..=VALUE_BYTES_MAX).contains(&value.len())
        && value
            .bytes()
            .all(|byte| byte.is_ascii_graphic() || byte == b' ')
        && !value.starts_with(' ')
        && !value.ends_with(' ')
}
