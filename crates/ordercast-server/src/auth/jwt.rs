//! Users' JWTs: HS256 and RS256, the algorithm pinned by the key, never chosen by the token.

use super::{ProjectKeys, Rejected};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use ordercast_core::{Timestamp, UserId};
use ordercast_store::{Credential, CredentialKind};
use serde::Deserialize;
use std::{fmt, time::Duration};
use thiserror::Error;

const TOKEN_BYTES_MAX: usize = 8 * 1024;
/// Clocks of shops differ.
const SKEW: Duration = Duration::from_secs(30);
/// A stolen token must end within a day.
const LIFE_MAX: Duration = Duration::from_secs(24 * 3600);
/// RFC 7518, 3.2: at least as long as the hash.
const HS256_BYTES_MIN: usize = 32;

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    #[error("an HS256 secret must have at least {HS256_BYTES_MIN} bytes")]
    ShortSecret,
    #[error("the RS256 key must be an RSA public key of at least 2048 bits in PEM form")]
    NotRsaPem,
}

/// A key with the one algorithm that it verifies.
pub(super) struct VerifyingKey {
    name: String,
    algorithm: Algorithm,
    key: DecodingKey,
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({} {:?})", self.name, self.algorithm)
    }
}

impl VerifyingKey {
    pub(super) fn new(credential: &Credential) -> Result<Self, KeyError> {
        let (algorithm, key) = match credential.kind {
            CredentialKind::Hs256 if credential.value.len() < HS256_BYTES_MIN => {
                return Err(KeyError::ShortSecret);
            }
            CredentialKind::Hs256 => (
                Algorithm::HS256,
                DecodingKey::from_secret(&credential.value),
            ),
            CredentialKind::Rs256 | CredentialKind::ApiKey => (
                Algorithm::RS256,
                DecodingKey::from_rsa_pem(&credential.value).map_err(|_| KeyError::NotRsaPem)?,
            ),
        };
        Ok(Self {
            name: credential.name.clone(),
            algorithm,
            key,
        })
    }
}

/// Whether a PEM can be a project's RS256 key: asked when it is given, not when it is first used.
///
/// # Errors
/// [`KeyError::NotRsaPem`].
pub fn check_public_key(pem: &[u8]) -> Result<(), KeyError> {
    // A 2048-bit modulus alone makes 294 bytes of DER, 392 of base64.
    if pem.len() < 392 {
        return Err(KeyError::NotRsaPem);
    }
    DecodingKey::from_rsa_pem(pem)
        .map(|_| ())
        .map_err(|_| KeyError::NotRsaPem)
}

#[derive(Debug)]
pub(super) struct Claims {
    pub user: UserId,
    /// `exp` and what clocks may differ: from then on the token is refused.
    pub valid_until: Timestamp,
}

#[derive(Deserialize)]
struct RawClaims {
    sub: String,
    exp: i64,
    #[serde(default)]
    nbf: Option<i64>,
}

pub(super) fn verify(keys: &ProjectKeys, token: &str, now: Timestamp) -> Result<Claims, Rejected> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(Rejected::Credential("the JWT is too long"));
    }
    let header =
        decode_header(token).map_err(|_| Rejected::Credential("the JWT's header is malformed"))?;
    let candidates = keys.keys.iter().filter(|key| {
        key.algorithm == header.alg && header.kid.as_ref().is_none_or(|kid| *kid == key.name)
    });
    let mut rejected = Rejected::Credential("no key of the project has the JWT's alg and kid");
    for key in candidates {
        match verify_with(key, token, now) {
            Ok(claims) => return Ok(claims),
            Err(why) => rejected = why,
        }
    }
    Err(rejected)
}

fn verify_with(key: &VerifyingKey, token: &str, now: Timestamp) -> Result<Claims, Rejected> {
    let mut validation = Validation::new(key.algorithm);
    // Times are judged below against a clock that is handed in.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    let claims = decode::<RawClaims>(token, &key.key, &validation)
        .map_err(|_| Rejected::Credential("the JWT's signature or claims are wrong"))?
        .claims;
    let expires_at = Timestamp::from_seconds(claims.exp);
    let valid_until = expires_at.plus(SKEW);
    if valid_until <= now {
        return Err(Rejected::Credential("the JWT is expired"));
    }
    if expires_at > now.plus(LIFE_MAX).plus(SKEW) {
        return Err(Rejected::Credential("the JWT expires more than 24 h ahead"));
    }
    if claims
        .nbf
        .is_some_and(|nbf| Timestamp::from_seconds(nbf) > now.plus(SKEW))
    {
        return Err(Rejected::Credential("the JWT is not valid yet"));
    }
    let user = UserId::new(&claims.sub).map_err(|_| Rejected::Credential("the JWT's sub"))?;
    Ok(Claims { user, valid_until })
}
