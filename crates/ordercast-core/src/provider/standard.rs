//! Any sender of Standard Webhooks: where things stand in its bodies, and what its words mean, are data
//! of the source.

use super::{
    EventError, Request, SourceSettings,
    json::Json,
    secret::SecretRule,
    settings::AmountUnit,
    signature::{Unverified, is_base64, matching, recent, required},
    told::{Told, ToldRefund},
};
use crate::Timestamp;
use base64::{
    Engine,
    engine::general_purpose::{STANDARD as BASE64, STANDARD_NO_PAD},
};

/// Shorter ones can be guessed; an empty one is known.
const KEY_BYTES_MIN: usize = 16;
const PREFIX: &str = "whsec_";

/// Header names of the specification, and those that Svix gave it before: id, time, signatures.
const HEADERS: [[&str; 3]; 2] = [
    ["webhook-id", "webhook-timestamp", "webhook-signature"],
    ["svix-id", "svix-timestamp", "svix-signature"],
];

/// `webhook-signature: v1,<base64> ...` over `{id}.{timestamp}.{body}`. The key is the base64 behind
/// `whsec_`; but some senders sign with the text that they show, and a text may happen to be base64, so
/// each reading of the secret that is long enough is tried.
pub fn verify(request: Request<'_>, secret: &str, now: Timestamp) -> Result<(), Unverified> {
    let [id, at, signatures] = signed_headers(request)?;
    let content = [id.as_bytes(), b".", at.as_bytes(), b".", request.body].concat();
    let is_signed = keys(secret)
        .iter()
        .filter(|key| key.len() >= KEY_BYTES_MIN)
        .fold(false, |is_signed, key| {
            signatures
                .split_ascii_whitespace()
                .fold(is_signed, |is_signed, signature| {
                    let signature = signature.strip_prefix("v1,").unwrap_or_default();
                    is_signed | is_base64(key, &content, signature)
                })
        });
    matching(is_signed)?;
    recent(at, now)
}

/// All three of one spelling: a mixture would be signed by nobody.
fn signed_headers(request: Request<'_>) -> Result<[&str; 3], Unverified> {
    let of = |names: [&'static str; 3]| {
        let [id, at, signatures] = names.map(|name| required(request, name));
        Ok([id?, at?, signatures?])
    };
    of(HEADERS[0]).or_else(|missing| of(HEADERS[1]).map_err(|_| missing))
}

/// The message's own id.
pub fn message_id(request: Request<'_>) -> Option<&str> {
    signed_headers(request).ok().map(|[id, ..]| id)
}

fn keys(secret: &str) -> Vec<Vec<u8>> {
    let encoded = secret.strip_prefix(PREFIX).unwrap_or(secret);
    let mut keys: Vec<_> = decode(encoded).into_iter().collect();
    keys.extend([encoded, secret].map(|text| text.as_bytes().to_vec()));
    keys.dedup();
    keys
}

fn decode(encoded: &str) -> Option<Vec<u8>> {
    BASE64
        .decode(encoded)
        .or_else(|_| STANDARD_NO_PAD.decode(encoded))
        .ok()
}

/// A `whsec_` secret of which no verifier makes a key of 16 bytes is refused. What follows the prefix is
/// base64 by the specification; where it is not, the text itself is the key.
pub fn check_secret(secret: &str) -> Result<(), SecretRule> {
    let is_long = match secret.strip_prefix(PREFIX) {
        Some(encoded) => {
            decode(encoded)
                .unwrap_or_else(|| encoded.as_bytes().to_vec())
                .len()
                >= KEY_BYTES_MIN
        }
        None => secret.len() >= KEY_BYTES_MIN,
    };
    if is_long {
        Ok(())
    } else {
        Err(SecretRule(
            "must be whsec_ and at least 16 bytes in base64, or a text of at least 16 characters that is the key itself",
        ))
    }
}

/// As libraries in the field want it: with the padding of base64.
pub fn shown_secret(secret: &str) -> String {
    match secret.strip_prefix(PREFIX).and_then(decode) {
        Some(key) => format!("{PREFIX}{}", BASE64.encode(key)),
        None => secret.to_owned(),
    }
}

pub fn read(
    body: &Json,
    request: Request<'_>,
    settings: &SourceSettings,
) -> Result<Told, EventError> {
    let fields = settings
        .fields
        .as_ref()
        .ok_or(EventError::Field("the source's fields"))?;
    let at = |pointer: &Option<String>| pointer.clone().unwrap_or_default();
    let (amount, currency) = (at(&fields.amount), at(&fields.currency));
    let amount = match fields.amount_unit {
        AmountUnit::Minor => body.minor(&amount, &currency),
        AmountUnit::Decimal => body.decimal(&amount, &currency),
    };
    let occurred_at = at(&fields.occurred_at);
    Ok(Told {
        word: body.required(&fields.kind, "the word")?,
        dedup_key: message_id(request)
            .or(request.header("webhook-id"))
            .ok_or(EventError::Field("webhook-id"))?
            .chars()
            .take(200)
            .collect(),
        order: body.order(&[&at(&fields.order_id)]),
        named: body.named(&[&at(&fields.order_id)]),
        attempt: body.attempt(&[&fields.attempt_id]),
        refund: body.refund(&[&at(&fields.refund_id)]),
        refunded: match &fields.amount {
            None => ToldRefund::Whole,
            Some(_) => ToldRefund::Part(amount.clone()),
        },
        disputed: amount.clone(),
        amount,
        occurred_at: body
            .rfc3339(&occurred_at)
            .or_else(|| body.seconds(&occurred_at)),
        ..Told::default()
    })
}
