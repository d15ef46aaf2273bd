//! Key sets (RFC 7517), as identity providers write them: `{"keys": [..]}` or the bare list, numbers of
//! RSA keys in base64url or, against the RFC but in the field, in hexadecimal (store contract, 5).

use super::super::{
    json,
    key::{Algorithm, KeyError, VerifyingKey, p256_from_components, rsa_from_components},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};
use thiserror::Error;

pub const DOCUMENT_BYTES_MAX: usize = 256 * 1024;
pub const KEYS_MAX: usize = 32;
const KID_BYTES_MAX: usize = 256;

/// Why a key set cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DocumentError {
    #[error("is not a JWKS: {{\"keys\": [..]}} or a list of keys")]
    NotJwks,
    #[error("has more than {KEYS_MAX} keys")]
    TooMany,
    #[error("holds a private or a shared key; a key set is public")]
    Private,
}

/// A key of a set.
#[derive(Clone, Debug)]
pub struct PublicKey {
    pub algorithm: Algorithm,
    pub kid: Option<String>,
    /// Its stored form.
    pub value: Vec<u8>,
}

/// The usable keys of a set; others, for encryption or of other algorithms, are passed over. An empty
/// set is one: so a provider takes all its keys back.
///
/// # Errors
/// [`DocumentError`].
pub fn parse(document: &[u8]) -> Result<Vec<PublicKey>, DocumentError> {
    if document.len() > DOCUMENT_BYTES_MAX {
        return Err(DocumentError::NotJwks);
    }
    let list = match json::value(document) {
        Some(Value::Array(list)) => list,
        Some(Value::Object(mut set)) => match set.remove("keys") {
            Some(Value::Array(list)) => list,
            _ => return Err(DocumentError::NotJwks),
        },
        _ => return Err(DocumentError::NotJwks),
    };
    if list.len() > KEYS_MAX {
        return Err(DocumentError::TooMany);
    }
    let mut keys = Vec::new();
    for entry in &list {
        let Value::Object(entry) = entry else {
            return Err(DocumentError::NotJwks);
        };
        // `k` of a shared key, `d` of every private one: who publishes them has other worries.
        if entry.contains_key("k") || entry.contains_key("d") {
            return Err(DocumentError::Private);
        }
        match key(entry) {
            Some(key) => keys.push(key),
            None => tracing::debug!(kid = ?entry.get("kid"), "a key of a key set is passed over"),
        }
    }
    Ok(keys)
}

impl PublicKey {
    pub(in super::super) fn verifying(&self) -> Result<VerifyingKey, KeyError> {
        VerifyingKey::new(self.algorithm, self.kid.clone(), &self.value)
    }
}

fn key(entry: &Map<String, Value>) -> Option<PublicKey> {
    let text = |name: &str| entry.get(name).and_then(Value::as_str);
    if text("use").is_some_and(|of| of != "sig") {
        return None;
    }
    if let Some(operations) = entry.get("key_ops") {
        let verifies = |operation: &Value| operation.as_str() == Some("verify");
        if !operations.as_array()?.iter().any(verifies) {
            return None;
        }
    }
    let (algorithm, value) = match (text("kty")?, text("crv")) {
        ("RSA", _) => (Algorithm::Rs256, rsa(text("n")?, text("e")?)?),
        ("EC", Some("P-256")) => {
            let (x, y) = (decode(text("x")?)?, decode(text("y")?)?);
            (Algorithm::Es256, p256_from_components(&x, &y)?)
        }
        ("OKP", Some("Ed25519")) => (Algorithm::EdDsa, decode(text("x")?)?),
        _ => return None,
    };
    if entry.contains_key("alg") && Algorithm::from_name(text("alg")?) != Some(algorithm) {
        return None;
    }
    let kid = match entry.get("kid") {
        None => None,
        Some(kid) => Some(kid.as_str()?.to_owned()),
    };
    if kid
        .as_ref()
        .is_some_and(|kid| kid.is_empty() || kid.len() > KID_BYTES_MAX)
    {
        return None;
    }
    let key = PublicKey {
        algorithm,
        kid,
        value,
    };
    key.verifying().is_ok().then_some(key)
}

fn rsa(n: &str, e: &str) -> Option<Vec<u8>> {
    // A modulus of 2048 bits has 512 hexadecimal digits. That 342 or more letters of base64url are
    // all hexadecimal happens to one key in 10^180.
    let is_hex = n.len() >= 340 && n.bytes().all(|b| b.is_ascii_hexdigit());
    if is_hex {
        return rsa_from_components(&hex(n)?, &hex(e)?);
    }
    rsa_from_components(&decode(n)?, &decode(e)?)
}

fn hex(digits: &str) -> Option<Vec<u8>> {
    // Written as numbers, without a leading zero.
    let even = if digits.len().is_multiple_of(2) {
        ""
    } else {
        "0"
    };
    data_encoding::HEXLOWER_PERMISSIVE
        .decode(format!("{even}{digits}").as_bytes())
        .ok()
}

fn decode(text: &str) -> Option<Vec<u8>> {
    // Padding is against the RFC and in the field.
    URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()
}
