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

/// A key of a set that verifies no user JWT here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedOver {
    /// Its place in the list, from 0.
    pub at: usize,
    pub kid: Option<String>,
    pub why: &'static str,
}

/// What a set holds.
#[derive(Clone, Debug, Default)]
pub struct Document {
    pub keys: Vec<PublicKey>,
    /// For encryption, or of other algorithms: no reason to refuse the set.
    pub passed_over: Vec<PassedOver>,
}

/// The usable keys of a set, and the others. An empty set is one: so a provider takes all its keys back.
///
/// # Errors
/// [`DocumentError`].
pub fn parse(document: &[u8]) -> Result<Document, DocumentError> {
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
    let mut found = Document::default();
    for (at, entry) in list.iter().enumerate() {
        let Value::Object(entry) = entry else {
            return Err(DocumentError::NotJwks);
        };
        // `k` of a shared key, `d` of every private one: who publishes them has other worries.
        if entry.contains_key("k") || entry.contains_key("d") {
            return Err(DocumentError::Private);
        }
        match key(entry) {
            Ok(key) => found.keys.push(key),
            Err(why) => {
                let kid = kid(entry).ok().flatten();
                found.passed_over.push(PassedOver { at, kid, why });
            }
        }
    }
    Ok(found)
}

impl PublicKey {
    pub(in super::super) fn verifying(&self) -> Result<VerifyingKey, KeyError> {
        VerifyingKey::new(self.algorithm, self.kid.clone(), &self.value)
    }
}

/// The key, or why it is passed over.
fn key(entry: &Map<String, Value>) -> Result<PublicKey, &'static str> {
    let text = |name: &str| entry.get(name).and_then(Value::as_str);
    if text("use").is_some_and(|of| of != "sig") {
        return Err("its use is not sig");
    }
    if let Some(operations) = entry.get("key_ops") {
        let verifies = |operation: &Value| operation.as_str() == Some("verify");
        let operations = operations.as_array();
        if !operations.is_some_and(|operations| operations.iter().any(verifies)) {
            return Err("its key_ops do not have verify");
        }
    }
    let bytes = |name: &str| text(name).and_then(decode);
    let (algorithm, value, unusable) = match (text("kty"), text("crv")) {
        (Some("RSA"), _) => (
            Algorithm::Rs256,
            text("n").zip(text("e")).and_then(|(n, e)| rsa(n, e)),
            "its n and e are not an RSA key of 2048 to 8192 bits",
        ),
        (Some("EC"), Some("P-256")) => (
            Algorithm::Es256,
            bytes("x")
                .zip(bytes("y"))
                .and_then(|(x, y)| p256_from_components(&x, &y)),
            "its x and y are not a point of P-256",
        ),
        (Some("OKP"), Some("Ed25519")) => (
            Algorithm::EdDsa,
            bytes("x"),
            "its x is not an Ed25519 key of full order",
        ),
        (Some("EC"), _) => return Err("its curve is not P-256, the only one of ES256"),
        (Some("OKP"), Some("Ed448")) => {
            return Err("it is an Ed448 key; of the EdDSA algorithms only Ed25519 is accepted");
        }
        (Some("OKP"), Some("X25519" | "X448")) => {
            return Err("it is a key for key agreement (X25519 or X448), which signs nothing");
        }
        (Some("OKP"), _) => return Err("its curve is not Ed25519"),
        (Some("AKP"), _) => {
            return Err("its algorithms (kty AKP, for example ML-DSA) are not accepted");
        }
        (Some(_), _) => return Err("its kty is none of RSA, EC and OKP"),
        (None, _) => return Err("it has no kty"),
    };
    if let Some(named) = entry.get("alg")
        && named.as_str().and_then(Algorithm::from_name) != Some(algorithm)
    {
        return Err(match algorithm {
            Algorithm::Rs256 => "it is an RSA key for another alg than RS256",
            Algorithm::Hs256 | Algorithm::Es256 | Algorithm::EdDsa => {
                "its alg is not the one of its curve"
            }
        });
    }
    let key = PublicKey {
        algorithm,
        kid: kid(entry)?,
        value: value.ok_or(unusable)?,
    };
    match key.verifying() {
        Ok(_) => Ok(key),
        Err(_) => Err(unusable),
    }
}

fn kid(entry: &Map<String, Value>) -> Result<Option<String>, &'static str> {
    let Some(kid) = entry.get("kid") else {
        return Ok(None);
    };
    let kid = kid.as_str().unwrap_or_default();
    if kid.is_empty() || kid.len() > KID_BYTES_MAX {
        return Err("its kid is not a text of 1 to 256 bytes");
    }
    Ok(Some(kid.to_owned()))
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
