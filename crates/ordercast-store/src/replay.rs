//! Idempotency: whose key it is, and what was answered to it before.

use crate::{Failure, Outcome, Store, sqlite::replay};
use aws_lc_rs::digest;
use data_encoding::BASE64URL_NOPAD;
use ordercast_core::ProjectId;

/// A caller's key, and the request that it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestKey {
    pub project: ProjectId,
    pub scope: Scope,
    /// 1 to 255 visible ASCII characters.
    pub key: String,
    /// SHA-256 of the request body.
    pub body_hash: [u8; 32],
}

/// Within a project, what a key is unique in: the operation, what it is done to, and by whom.
///
/// Invariant: two scopes are equal only if all their parts are. What a caller may choose stands in parts
/// of its own and is hashed with its length, so that no choice of one part looks like another's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    hashed: String,
    before: String,
}

impl Scope {
    /// `before`: how versions without hashes wrote the same scope; its answers still count.
    #[must_use]
    pub fn new(operation: &str, parts: &[&str], before: String) -> Self {
        let mut hash = digest::Context::new(&digest::SHA256);
        for part in std::iter::once(&operation).chain(parts) {
            hash.update(&(part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        Self {
            hashed: BASE64URL_NOPAD.encode(hash.finish().as_ref()),
            before,
        }
    }

    #[must_use]
    pub(crate) fn as_str(&self) -> &str {
        &self.hashed
    }

    #[must_use]
    pub(crate) fn before(&self) -> &str {
        &self.before
    }
}

impl Store {
    /// The answer that was given to this key before: asked for before anything is read that may have
    /// changed since, so that a repeated request gets the same answer whatever happened in between.
    ///
    /// [`Outcome::Replayed`] or [`Outcome::KeyConflict`]; `None`: the key is new, its first request had
    /// no effect, or is on its way. The writer asks again.
    ///
    /// # Errors
    /// [`Failure`] as for every read.
    pub async fn replay(&self, asked: RequestKey) -> Result<Option<Outcome>, Failure> {
        self.read_short(asked.project, move |connection| {
            replay::find(connection, &asked)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_equal_only_if_all_their_parts_are() {
        let scope =
            |operation: &str, parts: &[&str]| Scope::new(operation, parts, String::new()).hashed;
        let one = scope("POST payment/item", &["sword", "John Smith"]);
        assert_eq!(one, scope("POST payment/item", &["sword", "John Smith"]));
        for other in [
            scope("POST payment/item", &["sword John", "Smith"]),
            scope("POST payment/item", &["sword", "John", "Smith"]),
            scope("POST payment/item", &["sword", "John Smith", ""]),
            scope("POST payment/itemsword", &["", "John Smith"]),
            scope("POST", &["payment/item", "sword", "John Smith"]),
        ] {
            assert_ne!(one, other);
        }
    }
}
