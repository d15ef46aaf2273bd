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

/// It is not proved who sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the signature does not match")]
pub struct Unverified;

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

/// Whether a signed time, in seconds, is near enough to now.
pub(super) fn is_recent(seconds: &str, now: Timestamp) -> bool {
    seconds.parse::<i64>().is_ok_and(|seconds| {
        let at = Timestamp::from_seconds(seconds);
        now.millis().abs_diff(at.millis()) <= TOLERANCE_MILLIS
    })
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
