//! Secrets at rest: what must be kept readable (shared secrets of user JWTs and of provider webhooks)
//! is sealed with AES-256-GCM before it is written.
//!
//! Invariant: a sealed value opens only in the row that it was sealed for. Who can write to the file
//! but does not have the key can destroy a secret, not move it to another project.

use crate::Secret;
use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    hmac,
};
use std::fmt;
use thiserror::Error;

const TEXT_BYTES_MIN: usize = 32;
/// The form below; another one gets another number.
const FORM: u8 = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum VaultError {
    #[error("must have at least {TEXT_BYTES_MIN} characters")]
    ShortKey,
    #[error("the key cannot be used")]
    Unusable,
}

/// Seals and opens with one key. Random nonces make it good for 2^32 values.
pub struct Vault {
    id: String,
    key: RandomizedNonceKey,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vault({})", self.id)
    }
}

impl Vault {
    /// `text`: a random text of at least 32 characters.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn new(text: &str) -> Result<Self, VaultError> {
        if text.len() < TEXT_BYTES_MIN {
            return Err(VaultError::ShortKey);
        }
        let root = hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes());
        let key = hmac::sign(&root, b"ordercast: secrets at rest, AES-256-GCM");
        let id = hmac::sign(&root, b"ordercast: secrets at rest, key id");
        Ok(Self {
            id: id.as_ref()[..8]
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect(),
            key: RandomizedNonceKey::new(&AES_256_GCM, key.as_ref())
                .map_err(|_| VaultError::Unusable)?,
        })
    }

    /// Says which key it is, and nothing about it.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// `row` names table, project and row. Form, nonce, ciphertext with its tag.
    pub(crate) fn seal(&self, row: &str, plain: &[u8]) -> Result<Vec<u8>, VaultError> {
        let mut sealed = plain.to_vec();
        let nonce = self
            .key
            .seal_in_place_append_tag(Aad::from(row), &mut sealed)
            .map_err(|_| VaultError::Unusable)?;
        Ok([&[FORM], &nonce.as_ref()[..], &sealed].concat())
    }

    /// `None`: not sealed by this key for this row.
    pub(crate) fn open(&self, row: &str, sealed: &[u8]) -> Option<Secret> {
        let (form, rest) = sealed.split_first()?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_LEN)?;
        if *form != FORM {
            return None;
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut opened = sealed.to_vec();
        let plain = self
            .key
            .open_in_place(nonce, Aad::from(row), &mut opened)
            .ok()?;
        Some(Secret::new(&*plain))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "a random text of at least 32 characters";

    #[test]
    fn a_value_opens_in_its_row_with_its_key() {
        let vault = Vault::new(TEXT).expect("a key");
        let sealed = vault.seal("sources/7/a", b"secret").expect("sealed");
        let again = vault.seal("sources/7/a", b"secret").expect("sealed");
        assert_ne!(sealed, again, "the same secret twice is not seen");
        let opened = vault.open("sources/7/a", &sealed).expect("opened");
        assert_eq!(opened.expose(), b"secret");
        assert_eq!(vault.open("sources/8/a", &sealed), None);
        let other = Vault::new(&TEXT.replace('a', "b")).expect("a key");
        assert_ne!(other.id(), vault.id());
        assert_eq!(other.open("sources/7/a", &sealed), None);
        for at in 0..sealed.len() {
            let mut bent = sealed.clone();
            bent[at] ^= 1;
            assert_eq!(vault.open("sources/7/a", &bent), None, "byte {at}");
        }
        for length in 0..sealed.len() {
            assert_eq!(vault.open("sources/7/a", &sealed[..length]), None);
        }
        assert!(matches!(Vault::new("short"), Err(VaultError::ShortKey)));
    }
}
