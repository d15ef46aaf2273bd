//! Proof of who sends a webhook: Standard Webhooks signatures of every live secret, and the
//! reference's `Authorization: Signature` in its modes.

use aws_lc_rs::{
    hmac,
    signature::{Ed25519KeyPair, KeyPair},
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use ordercast_core::delivery::Mode;
use sha1::{Digest, Sha1};
use std::fmt;
use thiserror::Error;
use zeroize::Zeroizing;

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

const SYMMETRIC: &str = "whsec_";
const ASYMMETRIC: &str = "whsk_";
const PUBLIC: &str = "whpk_";
/// Of the key behind `whsec_`, bytes (Standard Webhooks specification).
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
const PLAIN_BYTES: std::ops::RangeInclusive<usize> = 8..=200;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidSecret {
    #[error("must be whsec_ and 24 to 64 bytes in base64")]
    Symmetric,
    #[error("must be whsk_ and an ed25519 key (32 bytes of seed, and its public key) in base64")]
    Asymmetric,
    #[error(
        "must begin with whsec_ or whsk_, or be 8 to 200 visible ASCII characters for a reference mode"
    )]
    Plain,
}

/// What an endpoint's requests are signed with.
pub struct SigningSecret {
    text: Zeroizing<String>,
    key: Key,
}

enum Key {
    Hmac(Box<hmac::Key>),
    Ed25519(Box<Ed25519KeyPair>),
}

/// Without the secret.
impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.key {
            Key::Hmac(_) => "SigningSecret(hmac)",
            Key::Ed25519(_) => "SigningSecret(ed25519)",
        })
    }
}

impl SigningSecret {
    /// `whsec_…`, `whsk_…`, or the text of a secret that a shop of the reference has already.
    ///
    /// # Errors
    /// [`InvalidSecret`].
    pub fn parse(text: &str) -> Result<Self, InvalidSecret> {
        let key = if let Some(encoded) = text.strip_prefix(SYMMETRIC) {
            let bytes = decode(encoded).ok_or(InvalidSecret::Symmetric)?;
            if !KEY_BYTES.contains(&bytes.len()) {
                return Err(InvalidSecret::Symmetric);
            }
            Key::Hmac(Box::new(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
        } else if let Some(encoded) = text.strip_prefix(ASYMMETRIC) {
            let bytes = decode(encoded).ok_or(InvalidSecret::Asymmetric)?;
            let pair = match bytes.len() {
                32 => Ed25519KeyPair::from_seed_unchecked(&bytes),
                64 => Ed25519KeyPair::from_seed_and_public_key(&bytes[..32], &bytes[32..]),
                _ => return Err(InvalidSecret::Asymmetric),
            };
            Key::Ed25519(Box::new(pair.map_err(|_| InvalidSecret::Asymmetric)?))
        } else {
            let is_visible = text.bytes().all(|byte| byte.is_ascii_graphic());
            if !is_visible || !PLAIN_BYTES.contains(&text.len()) {
                return Err(InvalidSecret::Plain);
            }
            Key::Hmac(Box::new(hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes())))
        };
        Ok(Self {
            text: Zeroizing::new(text.to_owned()),
            key,
        })
    }

    /// A new symmetric secret of these random bytes.
    #[must_use]
    pub fn symmetric(random: &[u8; 32]) -> Zeroizing<String> {
        Zeroizing::new(format!("{SYMMETRIC}{}", BASE64.encode(random)))
    }

    /// A new asymmetric one.
    ///
    /// # Errors
    /// [`InvalidSecret`]: never, of 32 bytes.
    pub fn asymmetric(random: &[u8; 32]) -> Result<Zeroizing<String>, InvalidSecret> {
        let pair =
            Ed25519KeyPair::from_seed_unchecked(random).map_err(|_| InvalidSecret::Asymmetric)?;
        let both = Zeroizing::new([random.as_slice(), pair.public_key().as_ref()].concat());
        Ok(Zeroizing::new(format!(
            "{ASYMMETRIC}{}",
            BASE64.encode(&*both)
        )))
    }

    /// What verifies an asymmetric one, to be shown.
    #[must_use]
    pub fn public_key(&self) -> Option<String> {
        match &self.key {
            Key::Hmac(_) => None,
            Key::Ed25519(pair) => Some(format!(
                "{PUBLIC}{}",
                BASE64.encode(pair.public_key().as_ref())
            )),
        }
    }

    /// As libraries in all languages read it: some refuse base64 without its padding.
    #[must_use]
    pub fn padded(&self) -> Zeroizing<String> {
        let Some(prefix) = [SYMMETRIC, ASYMMETRIC]
            .into_iter()
            .find(|prefix| self.text.starts_with(prefix))
        else {
            return self.text.clone();
        };
        let decoded = decode(&self.text[prefix.len()..]).unwrap_or_default();
        Zeroizing::new(format!("{prefix}{}", BASE64.encode(&*decoded)))
    }

    /// Only in the reference modes: it has no Standard Webhooks form.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        !self.text.starts_with(SYMMETRIC) && !self.text.starts_with(ASYMMETRIC)
    }

    fn sign(&self, content: &[u8]) -> String {
        match &self.key {
            Key::Hmac(key) => format!("v1,{}", BASE64.encode(hmac::sign(key, content))),
            Key::Ed25519(pair) => format!("v1a,{}", BASE64.encode(pair.sign(content))),
        }
    }
}

/// Verifiers in the field write base64 with and without padding.
fn decode(encoded: &str) -> Option<Zeroizing<Vec<u8>>> {
    let padded = BASE64.decode(encoded);
    let bytes = padded.or_else(|_| {
        base64::engine::general_purpose::STANDARD_NO_PAD.decode(encoded.trim_end_matches('='))
    });
    bytes.ok().map(Zeroizing::new)
}

/// `id` stays the same for all attempts, `at` is that of this one, in seconds. `secrets`: all live ones,
/// the newest first; the reference's signature, of which there can be one only, is with that.
#[must_use]
pub fn headers(
    id: &str,
    at: i64,
    body: &[u8],
    secrets: &[&SigningSecret],
    mode: Mode,
) -> HeaderMap {
    let timestamp = at.to_string();
    let content = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat();
    let signatures: Vec<_> = secrets.iter().map(|secret| secret.sign(&content)).collect();
    let mut headers = HeaderMap::new();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    let mut insert = |name, value: &str| {
        // Ids, digits and base64 are visible ASCII.
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    insert(ID, id);
    insert(TIMESTAMP, &timestamp);
    insert(SIGNATURE, &signatures.join(" "));
    match (mode, secrets.first()) {
        (Mode::ReferenceSeparate | Mode::ReferenceCombined, Some(newest)) => {
            insert(
                header::AUTHORIZATION,
                &reference_signature(body, &newest.text),
            );
        }
        (Mode::Standard, _) | (_, None) => {}
    }
    headers
}

/// Plain SHA-1 of body and secret, not an HMAC (store contract, 3.2).
fn reference_signature(body: &[u8], secret: &str) -> String {
    let digest = Sha1::new()
        .chain_update(body)
        .chain_update(secret)
        .finalize();
    format!("Signature {}", data_encoding::HEXLOWER.encode(&digest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};

    fn signature(secret: &str, id: &str, at: i64, body: &str) -> String {
        let secret = SigningSecret::parse(secret).expect("a secret");
        let headers = headers(id, at, body.as_bytes(), &[&secret], Mode::Standard);
        headers[SIGNATURE].to_str().expect("text").to_owned()
    }

    /// Vectors of the providers contract, section 1.
    #[test]
    fn known_signatures() {
        assert_eq!(
            signature(
                "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
                "msg_1",
                1_700_000_000,
                r#"{"id":"evt_1","type":"test"}"#,
            ),
            "v1,Nzixzx4v+AD50fHSQeAxQoRanppsvi4fXWyo3ojcz50="
        );
        assert_eq!(
            signature(
                "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                r#"{"test": 2432232314}"#,
            ),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
        assert_eq!(
            reference_signature(br#"{"id":"evt_1","type":"test"}"#, "topsecret"),
            "Signature 330e369a615546160a1826612bac5f8858b345de"
        );
    }

    #[test]
    fn all_live_secrets_sign_and_the_newest_signs_for_the_reference() {
        let old = SigningSecret::parse(&SigningSecret::symmetric(&[1; 32])).expect("a secret");
        let new = SigningSecret::asymmetric(&[2; 32]).expect("a secret");
        let new = SigningSecret::parse(&new).expect("a secret");
        let body = b"{}";
        let headers = headers("evt_1", 7, body, &[&new, &old], Mode::ReferenceCombined);
        let list: Vec<_> = headers[SIGNATURE]
            .to_str()
            .expect("text")
            .split(' ')
            .collect();
        let [of_new, of_old] = list[..] else {
            panic!("{list:?}")
        };
        assert_eq!(of_old, old.sign(b"evt_1.7.{}"));
        let public = new.public_key().expect("asymmetric");
        let public = BASE64.decode(&public[PUBLIC.len()..]).expect("base64");
        let signed = BASE64.decode(&of_new["v1a,".len()..]).expect("base64");
        UnparsedPublicKey::new(&ED25519, public)
            .verify(b"evt_1.7.{}", &signed)
            .expect("it verifies");
        assert_eq!(
            headers[header::AUTHORIZATION],
            reference_signature(body, &new.text).as_str()
        );
    }

    /// Verifiers split the list at single spaces and its entries at their one comma, and some read one
    /// header line only.
    #[test]
    fn signatures_are_one_line_of_entries_with_single_spaces_and_one_comma_each() {
        let secrets: Vec<_> = (1..=5_u8)
            .map(|seed| match seed % 2 {
                0 => SigningSecret::asymmetric(&[seed; 32]).expect("a secret"),
                _ => SigningSecret::symmetric(&[seed; 32]),
            })
            .map(|text| SigningSecret::parse(&text).expect("a secret"))
            .collect();
        let all: Vec<_> = secrets.iter().collect();
        for mode in [Mode::Standard, Mode::ReferenceCombined] {
            let headers = headers("evt_1", 7, b"{}", &all, mode);
            let lines: Vec<_> = headers.get_all(SIGNATURE).iter().collect();
            let [line] = lines[..] else {
                panic!("{lines:?}")
            };
            let line = line.to_str().expect("text");
            assert_eq!(line, line.trim());
            let entries: Vec<_> = line.split(' ').collect();
            assert_eq!(entries.len(), secrets.len());
            for entry in entries {
                let parts: Vec<_> = entry.split(',').collect();
                let [version, signature] = parts[..] else {
                    panic!("{entry}")
                };
                assert!(["v1", "v1a"].contains(&version));
                BASE64.decode(signature).expect("padded base64");
            }
            for name in [ID, TIMESTAMP] {
                assert_eq!(headers.get_all(name).iter().count(), 1);
            }
        }
    }

    #[test]
    fn secrets_are_shown_with_their_padding() {
        let padded = format!("whsec_{}", BASE64.encode([7; 32]));
        assert!(padded.ends_with('='));
        let given = padded.trim_end_matches('=');
        let secret = SigningSecret::parse(given).expect("a secret");
        assert_eq!(*secret.padded(), padded);
        let seed = format!("whsk_{}", BASE64.encode([7; 32]));
        let secret = SigningSecret::parse(seed.trim_end_matches('=')).expect("a secret");
        assert_eq!(*secret.padded(), seed);
        let plain = SigningSecret::parse("plain-secret").expect("a secret");
        assert_eq!(*plain.padded(), "plain-secret");
    }

    #[test]
    fn secrets_that_cannot_be_used() {
        let short = format!("whsec_{}", BASE64.encode([0; 23]));
        let long = format!("whsec_{}", BASE64.encode([0; 65]));
        for bad in ["whsec_", "whsec_!", &short, &long] {
            assert_eq!(
                SigningSecret::parse(bad).map(|_| ()),
                Err(InvalidSecret::Symmetric),
                "{bad}"
            );
        }
        let other = format!("whsk_{}", BASE64.encode([[1; 32], [2; 32]].concat()));
        for bad in ["whsk_", "whsk_AAAA", &other] {
            assert_eq!(
                SigningSecret::parse(bad).map(|_| ()),
                Err(InvalidSecret::Asymmetric),
                "{bad}"
            );
        }
        for bad in ["", "short", "with a space in it", "ünïcödé-secret"] {
            assert_eq!(
                SigningSecret::parse(bad).map(|_| ()),
                Err(InvalidSecret::Plain),
                "{bad}"
            );
        }
    }
}
