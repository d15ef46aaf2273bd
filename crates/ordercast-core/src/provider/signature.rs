//! What signatures are made of. All comparisons take a time that does not depend on what is compared.

use crate::Timestamp;
use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use data_encoding::HEXLOWER;
use thiserror::Error;

/// Where a provider signs the time, how far it may be from ours (guarantees, 3.1).
const TOLERANCE_MILLIS: u64 = 300_000;

/// A webhook as it came: bytes, and headers with names in lower case.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub headers: &'a [(&'a str, &'a str)],
    pub body: &'a [u8],
}

impl<'a> Request<'a> {
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.all(name).next()
    }

    pub(super) fn all(self, name: &str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |(given, _)| *given == name)
            .map(|(_, value)| *value)
    }
}

/// Why it is not proved who sent a request: for the operator's log. The sender must not learn it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unverified {
    #[error("the header {0} is missing or not of the documented form")]
    Header(&'static str),
    #[error("the signature does not match the source's secret")]
    Mismatch,
    /// The sender knows the secret. Positive: it was signed so many seconds ago by our clock.
    #[error("the signature is right, but was made {seconds} seconds ago by this server's clock")]
    Stale { seconds: i64 },
    #[error("requests of this provider are not signed with a secret")]
    Unsigned,
}

impl Unverified {
    /// Of the reasons that several secrets give, the one that says most.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let rank = |reason| match reason {
            Self::Unsigned => 0,
            Self::Header(_) => 1,
            Self::Mismatch => 2,
            Self::Stale { .. } => 3,
        };
        if rank(other) > rank(self) {
            other
        } else {
            self
        }
    }

    /// For counters.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Header(_) => "header",
            Self::Mismatch => "signature",
            Self::Stale { .. } => "stale",
            Self::Unsigned => "unsigned",
        }
    }
}

/// The header that a provider signs in.
pub(super) fn required<'a>(
    request: Request<'a>,
    name: &'static str,
) -> Result<&'a str, Unverified> {
    request.header(name).ok_or(Unverified::Header(name))
}

pub(super) const fn matching(is_signed: bool) -> Result<(), Unverified> {
    if is_signed {
        Ok(())
    } else {
        Err(Unverified::Mismatch)
    }
}

fn key(secret: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret)
}

/// HMAC-SHA256 in lower-case hex.
pub(super) fn is_hex(secret: &[u8], content: &[u8], signature: &str) -> bool {
    let given = HEXLOWER.decode(signature.as_bytes()).unwrap_or_default();
    hmac::verify(&key(secret), content, &given).is_ok()
}

/// HMAC-SHA256 in base64.
pub(super) fn is_base64(secret: &[u8], content: &[u8], signature: &str) -> bool {
    let given = BASE64.decode(signature).unwrap_or_default();
    hmac::verify(&key(secret), content, &given).is_ok()
}

/// That a signed time, in seconds, is near enough to now. To be asked once the signature is known to be
/// right: only then is the time the provider's.
pub(super) fn recent(seconds: &str, now: Timestamp) -> Result<(), Unverified> {
    let seconds: i64 = seconds.parse().map_err(|_| Unverified::Mismatch)?;
    let at = Timestamp::from_seconds(seconds);
    if now.millis().abs_diff(at.millis()) <= TOLERANCE_MILLIS {
        return Ok(());
    }
    let seconds = now.millis().saturating_sub(at.millis()) / 1_000;
    Err(Unverified::Stale { seconds })
}

/// The values of a name in `a=1,b=2,a=3`.
pub(super) fn members<'a>(
    header: &'a str,
    separator: char,
    name: &'a str,
) -> impl Iterator<Item = &'a str> {
    header.split(separator).filter_map(move |member| {
        let (given, value) = member.trim().split_once('=')?;
        (given == name).then_some(value)
    })
}
