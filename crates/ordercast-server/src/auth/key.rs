//! Keys that verify users' JWTs. A key has one algorithm, and is parsed and judged when it is given,
//! not when a token comes.

use super::sha256;
use crate::clock::random;
use aws_lc_rs::{
    hmac,
    rsa::{PublicEncryptingKey, PublicKeyComponents},
    signature::{ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256},
};
use data_encoding::HEXLOWER;
use ordercast_store::{CredentialKind, Secret};
use std::{fmt, sync::LazyLock};
use thiserror::Error;

/// RFC 7518, 3.2: at least as long as the hash.
const HS256_BYTES_MIN: usize = 32;
const HS256_BYTES_MAX: usize = 1_024;

/// Why a key cannot be used; says what to give instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    #[error("an HS256 secret must have {HS256_BYTES_MIN} to {HS256_BYTES_MAX} bytes")]
    SecretLength,
    #[error("must be one public key in PEM form, -----BEGIN PUBLIC KEY-----")]
    NotPem,
    #[error("is a private key; give the public key, and hold this one for leaked")]
    PrivateKey,
    #[error("is a certificate; give its public key: openssl x509 -pubkey -noout")]
    Certificate,
    #[error("must be an RSA key of 2048 to 8192 bits")]
    Rsa,
    #[error("must be an EC key on the curve P-256")]
    P256,
    #[error("must be an Ed25519 key of full order")]
    Ed25519,
    #[error("is an Ed448 key; of the EdDSA algorithms only Ed25519 is accepted")]
    Ed448,
    #[error(
        "is a key for key agreement (X25519 or X448), which signs nothing; give an Ed25519 key"
    )]
    KeyAgreement,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Hs256,
    Rs256,
    Es256,
    EdDsa,
}

impl Algorithm {
    pub const ALL: [Self; 4] = [Self::Hs256, Self::Rs256, Self::Es256, Self::EdDsa];

    /// The value of `alg`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            // RFC 9864 gives the algorithm its own name.
            "Ed25519" => Some(Self::EdDsa),
            _ => Self::ALL.into_iter().find(|known| known.name() == name),
        }
    }

    #[must_use]
    pub const fn kind(self) -> CredentialKind {
        match self {
            Self::Hs256 => CredentialKind::Hs256,
            Self::Rs256 => CredentialKind::Rs256,
            Self::Es256 => CredentialKind::Es256,
            Self::EdDsa => CredentialKind::EdDsa,
        }
    }

    /// `None` for what is no key of tokens.
    #[must_use]
    pub const fn of(kind: CredentialKind) -> Option<Self> {
        match kind {
            CredentialKind::Hs256 => Some(Self::Hs256),
            CredentialKind::Rs256 => Some(Self::Rs256),
            CredentialKind::Es256 => Some(Self::Es256),
            CredentialKind::EdDsa => Some(Self::EdDsa),
            CredentialKind::ApiKey | CredentialKind::JwksUrl => None,
        }
    }
}

/// A key with the one algorithm that it verifies.
pub(super) struct VerifyingKey {
    /// `None`: tokens of any `kid` are tried with it.
    pub kid: Option<String>,
    pub algorithm: Algorithm,
    /// Differs between any two keys.
    pub fingerprint: [u8; 32],
    key: Key,
}

enum Key {
    Shared(Box<hmac::Key>),
    // Parsed once: reading the key is a sixth of the cost of verifying RS256.
    Public(ParsedPublicKey),
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({:?} {:?})", self.algorithm, self.kid)
    }
}

impl VerifyingKey {
    /// `value` as it is stored: a secret, PEM, or what [`from_components`] and its like gave.
    ///
    /// # Errors
    /// [`KeyError`]: it cannot be used.
    pub(super) fn new(
        algorithm: Algorithm,
        kid: Option<String>,
        value: &[u8],
    ) -> Result<Self, KeyError> {
        let mut identity = algorithm.name().as_bytes().to_vec();
        identity.push(0);
        identity.extend_from_slice(kid.as_deref().unwrap_or("\0").as_bytes());
        identity.push(0);
        identity.extend_from_slice(value);
        let key = match algorithm {
            Algorithm::Hs256 => {
                if !(HS256_BYTES_MIN..=HS256_BYTES_MAX).contains(&value.len()) {
                    return Err(KeyError::SecretLength);
                }
                Key::Shared(Box::new(hmac::Key::new(hmac::HMAC_SHA256, value)))
            }
            Algorithm::Rs256 => Key::Public(rsa(value)?),
            Algorithm::Es256 => Key::Public(p256(value)?),
            Algorithm::EdDsa => Key::Public(ed25519(value)?),
        };
        Ok(Self {
            kid,
            algorithm,
            fingerprint: sha256(&identity),
            key,
        })
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.key {
            Key::Shared(key) => hmac::verify(key, message, signature).is_ok(),
            Key::Public(key) => key.verify_sig(message, signature).is_ok(),
        }
    }
}

/// Whether a PEM can be a project's RS256 key: asked when it is given, not when it is first used.
///
/// # Errors
/// [`KeyError`].
pub fn check_public_key(pem: &[u8]) -> Result<(), KeyError> {
    VerifyingKey::new(Algorithm::Rs256, None, pem).map(|_| ())
}

/// A key as it was given, judged, as it will be stored.
///
/// # Errors
/// [`KeyError`]: it cannot be used.
pub fn check_key(algorithm: Algorithm, value: &[u8]) -> Result<Secret, KeyError> {
    // A public key is PEM: what was not armoured was not meant as a key.
    if algorithm != Algorithm::Hs256 && !value.trim_ascii_start().starts_with(ARMOUR) {
        return Err(KeyError::NotPem);
    }
    VerifyingKey::new(algorithm, None, value).map(|_| Secret::new(value))
}

/// The stored form of an RSA key from its modulus and exponent, big-endian.
pub(super) fn rsa_from_components(n: &[u8], e: &[u8]) -> Option<Vec<u8>> {
    use aws_lc_rs::encoding::AsDer;
    let without_zeros = |bytes: &[u8]| {
        let first = bytes.iter().position(|byte| *byte != 0);
        first.map(|first| bytes[first..].to_vec())
    };
    let components = PublicKeyComponents {
        n: without_zeros(n)?,
        e: without_zeros(e)?,
    };
    Some(components.as_der().ok()?.as_ref().to_vec())
}

/// The stored form of a P-256 key from its coordinates.
pub(super) fn p256_from_components(x: &[u8], y: &[u8]) -> Option<Vec<u8>> {
    // RFC 7518, 6.2.1.2: coordinates have the length of the field.
    (x.len() == 32 && y.len() == 32).then(|| [&[4], x, y].concat())
}

const ARMOUR: &[u8] = b"-----BEGIN ";

/// DER of `SubjectPublicKeyInfo`, or what stands for it, from PEM or as it is.
fn der(value: &[u8]) -> Result<Vec<u8>, KeyError> {
    if !value.trim_ascii_start().starts_with(ARMOUR) {
        return Ok(value.to_vec());
    }
    let parts = pem::parse_many(value).map_err(|_| KeyError::NotPem)?;
    if let Some(part) = parts
        .iter()
        .find(|part| part.tag().ends_with("PRIVATE KEY"))
    {
        tracing::debug!(tag = part.tag(), "a private key was given for a public one");
        return Err(KeyError::PrivateKey);
    }
    match parts.as_slice() {
        [part] if part.tag() == "PUBLIC KEY" => Ok(part.contents().to_vec()),
        [part] if part.tag() == "RSA PUBLIC KEY" => Ok(wrap_pkcs1(part.contents())),
        [part] if part.tag() == "CERTIFICATE" => Err(KeyError::Certificate),
        _ => Err(KeyError::NotPem),
    }
}

/// `RSAPublicKey` of PKCS#1 as `SubjectPublicKeyInfo`: one form for one check.
fn wrap_pkcs1(key: &[u8]) -> Vec<u8> {
    // AlgorithmIdentifier: rsaEncryption, NULL.
    const RSA: [u8; 15] = [
        0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
    ];
    const SEQUENCE: u8 = 0x30;
    const BIT_STRING: u8 = 0x03;
    let element = |tag: u8, content: &[u8]| {
        let length = content.len().to_be_bytes();
        let length = &length[length.iter().position(|b| *b != 0).unwrap_or(7)..];
        let mut out = vec![tag];
        if content.len() > 0x7f {
            out.push(0x80 | u8::try_from(length.len()).unwrap_or(8));
        }
        out.extend_from_slice(length);
        out.extend_from_slice(content);
        out
    };
    let bits = element(BIT_STRING, &[&[0], key].concat());
    element(SEQUENCE, &[&RSA[..], &bits].concat())
}

fn rsa(value: &[u8]) -> Result<ParsedPublicKey, KeyError> {
    let der = der(value)?;
    // Judges the length, which a signature key is not asked for before its first signature.
    PublicEncryptingKey::from_der(&der).map_err(|_| KeyError::Rsa)?;
    ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &der).map_err(|_| KeyError::Rsa)
}

fn p256(value: &[u8]) -> Result<ParsedPublicKey, KeyError> {
    ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, der(value)?).map_err(|_| KeyError::P256)
}

fn ed25519(value: &[u8]) -> Result<ParsedPublicKey, KeyError> {
    // RFC 8410: the key is the last 32 bytes behind its algorithm.
    const SPKI: [u8; 12] = [
        0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
    ];
    /// Object identifiers of the other curves of RFC 8410, as they stand in `SubjectPublicKeyInfo`.
    const X25519: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x6e];
    const X448: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x6f];
    const ED448: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x71];
    let der = der(value)?;
    let is_of = |curve: &[u8]| der.get(4..).is_some_and(|rest| rest.starts_with(curve));
    if is_of(ED448) {
        return Err(KeyError::Ed448);
    }
    if is_of(X25519) || is_of(X448) {
        return Err(KeyError::KeyAgreement);
    }
    let point = der.strip_prefix(&SPKI).unwrap_or(&der);
    let point: [u8; 32] = point.try_into().map_err(|_| KeyError::Ed25519)?;
    if !has_full_order(point) {
        return Err(KeyError::Ed25519);
    }
    ParsedPublicKey::new(&ED25519, point).map_err(|_| KeyError::Ed25519)
}

/// Under a key of small order one signature fits many messages, and anybody can make it. The checks
/// of a signature do not see that.
fn has_full_order(mut point: [u8; 32]) -> bool {
    /// The y coordinates of the eight points whose order divides 8.
    const SMALL: [&str; 5] = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];
    // The top bit is the sign of x.
    point[31] &= 0x7f;
    // From the prime on, a coordinate is a second spelling of a small one; no key maker writes it.
    let is_canonical =
        point[0] < 0xed || point[31] != 0x7f || point[1..31].iter().any(|byte| *byte != 0xff);
    is_canonical && !SMALL.contains(&HEXLOWER.encode(&point).as_str())
}

/// A key that nobody holds, to spend the time of a verification where there is no key to verify with:
/// how long a refusal takes must not tell which projects and algorithms there are.
pub(super) fn decoy(algorithm: Algorithm) -> Option<&'static VerifyingKey> {
    static DECOYS: LazyLock<Vec<VerifyingKey>> = LazyLock::new(|| {
        // The generators of the curves, and an odd number as long as a modulus.
        let mut modulus = [0xa5; 256];
        modulus[255] |= 1;
        let g = "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296\
                 4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
        let g = HEXLOWER.decode(g.as_bytes()).unwrap_or_default();
        let (x, y) = g.split_at_checked(32).unwrap_or_default();
        let mut base = [0x66; 32];
        base[0] = 0x58;
        Algorithm::ALL
            .into_iter()
            .filter_map(|algorithm| {
                let value = match algorithm {
                    Algorithm::Hs256 => Some(random::<32>().to_vec()),
                    Algorithm::Rs256 => rsa_from_components(&modulus, &[1, 0, 1]),
                    Algorithm::Es256 => p256_from_components(x, y),
                    Algorithm::EdDsa => Some(base.to_vec()),
                }?;
                VerifyingKey::new(algorithm, None, &value).ok()
            })
            .collect()
    });
    DECOYS.iter().find(|key| key.algorithm == algorithm)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_decoy_for_every_algorithm() {
        for algorithm in Algorithm::ALL {
            let key = decoy(algorithm).expect("a constant");
            assert!(!key.verifies(b"message", &[7; 64]));
        }
    }

    #[test]
    fn small_orders_are_seen_in_every_spelling() {
        let small = [
            "0000000000000000000000000000000000000000000000000000000000000080",
            "0100000000000000000000000000000000000000000000000000000000000080",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            // p and p + 1: zero and one again.
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        ];
        for hex in small {
            let point = HEXLOWER.decode(hex.as_bytes()).expect("hex");
            let refused = VerifyingKey::new(Algorithm::EdDsa, None, &point);
            assert_eq!(refused.expect_err(hex), KeyError::Ed25519);
        }
        // The base point, of full order.
        assert!(has_full_order(*b"\x58fffffffffffffffffffffffffffffff"));
    }
}
