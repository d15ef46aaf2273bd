//! Users' JWTs (RFC 7519, judged by RFC 8725): the key says which algorithm, never the token.
//!
//! The token is taken apart here rather than by a JWT library, because it must mean one thing only:
//! no repeated names, no critical extensions, no second spelling of its base64. Signatures are the
//! cryptography library's.

use super::{
    cache::Verified,
    json,
    key::{Algorithm, VerifyingKey, decoy},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ordercast_core::{Timestamp, UserId, access::GUEST_PREFIX};
use ordercast_store::TokenRules;
use serde_json::{Map, Value};
use std::time::Duration;

const TOKEN_BYTES_MAX: usize = 8 * 1024;
const KID_BYTES_MAX: usize = 256;
/// Clocks of shops differ.
const SKEW: Duration = Duration::from_secs(30);
/// A stolen token must end within a day.
const LIFE_MAX: Duration = Duration::from_secs(24 * 3600);
/// Written in milliseconds, a date of our time is past this number of seconds: the year 5138.
const MILLISECONDS_FROM: i64 = 100_000_000_000;
/// Keys that one token is tried with: where there are more, it must name one.
const TRIED_MAX: usize = 8;
/// Libraries write `EdDSA` for both of its curves; the length of the signature tells them apart.
const ED448_SIGNATURE_BYTES: usize = 114;
const ED448: &str =
    "the JWT is signed with Ed448; of the EdDSA algorithms only Ed25519 is accepted";

/// Why a token was not accepted; for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotAccepted {
    /// It names a key that is not known: a key set may have it by now.
    UnknownKid,
    Because(&'static str),
}

use NotAccepted::Because;

/// Judges a token by the keys and rules of its project.
pub(super) fn verify<'a>(
    token: &str,
    keys: impl Iterator<Item = &'a VerifyingKey>,
    rules: &TokenRules,
    now: Timestamp,
) -> Result<Verified, NotAccepted> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(Because("the JWT is too long"));
    }
    let (message, signature) = token.rsplit_once('.').ok_or(Because("not a JWT"))?;
    let (header, claims) = message.split_once('.').ok_or(Because("not a JWT"))?;
    let header = Header::parse(header).map_err(Because)?;
    let signature = decode(signature).ok_or(Because("the JWT's signature is not base64url"))?;
    is_signed(&header, keys, message.as_bytes(), &signature)?;
    let claims = decode(claims)
        .and_then(|claims| json::object(&claims))
        .ok_or(Because("the JWT's claims are not a JSON object"))?;
    accept(&claims, rules, now).map_err(Because)
}

fn is_signed<'a>(
    header: &Header,
    keys: impl Iterator<Item = &'a VerifyingKey>,
    message: &[u8],
    signature: &[u8],
) -> Result<(), NotAccepted> {
    // A key set has no shared keys.
    let mut is_kid_known = header.kid.is_none() || header.algorithm == Algorithm::Hs256;
    let mut tried = 0;
    for key in keys.filter(|key| key.algorithm == header.algorithm) {
        match (&header.kid, &key.kid) {
            (Some(wanted), Some(kid)) if wanted != kid => continue,
            (Some(_), Some(_)) => is_kid_known = true,
            _ => {}
        }
        tried += 1;
        if tried > TRIED_MAX {
            return Err(Because("the JWT names none of the project's many keys"));
        }
        if key.verifies(message, signature) {
            return Ok(());
        }
    }
    if tried == 0
        && let Some(decoy) = decoy(header.algorithm)
    {
        decoy.verifies(message, signature);
    }
    if header.algorithm == Algorithm::EdDsa && signature.len() == ED448_SIGNATURE_BYTES {
        return Err(Because(ED448));
    }
    if is_kid_known {
        return Err(Because("no key of the project has signed the JWT"));
    }
    Err(NotAccepted::UnknownKid)
}

struct Header {
    algorithm: Algorithm,
    kid: Option<String>,
}

impl Header {
    /// What else it holds, keys and addresses of keys above all, is not looked at.
    fn parse(encoded: &str) -> Result<Self, &'static str> {
        let header = decode(encoded)
            .and_then(|header| json::object(&header))
            .ok_or("the JWT's header is not a JSON object in base64url")?;
        // Extensions that we do not speak: RFC 7515, 4.1.11; RFC 7797; RFC 7516.
        if ["crit", "b64", "zip", "enc"]
            .iter()
            .any(|name| header.contains_key(*name))
        {
            return Err("the JWT's header has crit, b64, zip or enc, which are not accepted");
        }
        // RFC 8725, 3.11: other kinds of JWT, which the same keys may sign, are no credentials.
        if let Some(kind) = header.get("typ") {
            let kind = kind.as_str().unwrap_or_default().to_ascii_lowercase();
            let kind = kind.strip_prefix("application/").unwrap_or(&kind);
            if !["jwt", "at+jwt"].contains(&kind) {
                return Err("the JWT's typ is neither JWT nor at+jwt");
            }
        }
        let kid = match header.get("kid") {
            None => None,
            Some(kid) => Some(
                kid.as_str()
                    .filter(|kid| (1..=KID_BYTES_MAX).contains(&kid.len()))
                    .filter(|kid| !kid.chars().any(char::is_control))
                    .ok_or("the JWT's kid is not a text of 1 to 256 bytes")?
                    .to_owned(),
            ),
        };
        let name = header.get("alg").and_then(Value::as_str);
        let algorithm = match name.and_then(Algorithm::from_name) {
            Some(algorithm) => algorithm,
            None if name == Some("Ed448") => return Err(ED448),
            None if name == Some("none") => return Err("the JWT is not signed"),
            None => return Err("the JWT's alg is none of HS256, RS256, ES256 and EdDSA"),
        };
        Ok(Self { algorithm, kid })
    }
}

fn accept(
    claims: &Map<String, Value>,
    rules: &TokenRules,
    now: Timestamp,
) -> Result<Verified, &'static str> {
    let expires_at = match claims.get("exp") {
        None => return Err("the JWT has no exp"),
        Some(date) => {
            numeric_date(date, f64::floor).ok_or("the JWT's exp is not a number of seconds")?
        }
    };
    let valid_until = expires_at.plus(SKEW);
    if valid_until <= now {
        return Err("the JWT is expired");
    }
    if expires_at.millis() / 1000 >= MILLISECONDS_FROM {
        return Err("the JWT's exp is in milliseconds; it must be in seconds");
    }
    if expires_at > now.plus(LIFE_MAX).plus(SKEW) {
        return Err("the JWT expires more than 24 h ahead");
    }
    let not_before = match claims.get("nbf") {
        None => None,
        Some(date) => {
            let from = numeric_date(date, f64::ceil);
            Some(from.ok_or("the JWT's nbf is not a number of seconds")?)
        }
    };
    if not_before.is_some_and(|from| from > now.plus(SKEW)) {
        return Err("the JWT is not valid yet");
    }
    if !rules.audiences.is_empty() && !audience(claims).any(|aud| rules.audiences.contains(aud)) {
        return Err("the JWT is for another audience");
    }
    let issuer = claims.get("iss");
    let is_issuer = |wanted: &String| issuer.and_then(Value::as_str) == Some(wanted);
    if !rules.issuers.is_empty() && !rules.issuers.iter().any(is_issuer) {
        return Err("the JWT is of another issuer");
    }
    let user = claims
        .get(&rules.user_claim)
        .ok_or("the JWT does not have the claim that names the user")?;
    let user = user_id(user)
        .and_then(|user| UserId::new(&user).ok())
        .ok_or(
            "the claim that names the user is neither a text of 1 to 200 bytes nor a whole number",
        )?;
    if user.as_str().starts_with(GUEST_PREFIX) {
        return Err("the JWT names a guest");
    }
    Ok(Verified { user, valid_until })
}

/// RFC 7519, section 2: seconds, which may have a fraction and an exponent. Libraries write the time of
/// day with its milliseconds without being asked. `whole`: which second a fraction counts as, so that a
/// token never lives longer than it says.
fn numeric_date(date: &Value, whole: fn(f64) -> f64) -> Option<Timestamp> {
    let seconds = match (date.as_i64(), date.as_f64()) {
        (Some(seconds), _) => seconds,
        // Saturates; what is too far away is refused by the rules for dates.
        #[expect(clippy::cast_possible_truncation, reason = "rounded to a whole number")]
        (None, Some(seconds)) => whole(seconds) as i64,
        (None, None) => return None,
    };
    Some(Timestamp::from_seconds(seconds))
}

/// Ids are texts; a whole number is taken as its decimal digits, because many shops number their users
/// and their libraries write the claim as it is in the database.
fn user_id(claim: &Value) -> Option<String> {
    match claim {
        Value::String(user) => Some(user.clone()),
        Value::Number(number) if number.is_i64() || number.is_u64() => Some(number.to_string()),
        _ => None,
    }
}

/// `aud`: one text or several (RFC 7519, 4.1.3). A list with anything else in it is none.
fn audience(claims: &Map<String, Value>) -> impl Iterator<Item = &String> {
    let list = match claims.get("aud") {
        Some(one @ Value::String(_)) => std::slice::from_ref(one),
        Some(Value::Array(several)) if several.iter().all(Value::is_string) => several.as_slice(),
        _ => &[],
    };
    list.iter().filter_map(|aud| match aud {
        Value::String(aud) => Some(aud),
        _ => None,
    })
}

/// Strict: no padding, no bits left over, nothing beside the alphabet.
fn decode(part: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part).ok()
}
