//! Any sender of Standard Webhooks: where things stand in its bodies, and what its words mean, are data
//! of the source.

use super::{
    Amount, EventError, Mapping, Meaning, Provider, Request, SourceSettings,
    json::Json,
    secret::SecretRule,
    settings::{AmountUnit, StandardFields},
    signature::{Unverified, is_base64, matching, recent, required},
    told::{Told, ToldRefund},
};
use crate::{Timestamp, ids::RefundId, order::Mode};
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
    let word = body.required(&fields.kind, "the word")?;
    // A dry run may give the name alone.
    let message = message_id(request)
        .or(request.header("webhook-id"))
        .ok_or(EventError::Field("webhook-id"))?;
    let told_amount = amount(body, fields, fields.amount.as_ref());
    let (order, named) = match &fields.order_id {
        Some(pointer) => body.reference(pointer),
        None => (None, None),
    };
    let of = |pointer: &Option<String>| pointer.clone().unwrap_or_default();
    // A refund without a name is named by its message: two messages are two refunds.
    let is_refund = Mapping::new(Provider::Standard, settings).of(&word) == Some(Meaning::Refunded);
    let told = body.refund(&[&of(&fields.refund_id)]);
    let by_message = || RefundId::new(message).ok().filter(|_| is_refund);
    Ok(Told {
        dedup_key: message.to_owned(),
        order,
        named,
        attempt: body.attempt(&[&fields.attempt_id]),
        capture: body.capture(&[&of(&fields.capture_id)]),
        total: amount(body, fields, fields.total.as_ref()),
        refund: told.or_else(by_message),
        refunded: match fields.amount {
            Some(_) => ToldRefund::Part(told_amount.clone()),
            None => ToldRefund::Whole,
        },
        dispute: body.dispute(&[&of(&fields.dispute_id)]),
        disputed: told_amount.clone(),
        amount: told_amount,
        mode: mode(body, &of(&fields.mode)),
        occurred_at: time(body, &of(&fields.occurred_at)),
        word,
        ..Told::default()
    })
}

fn amount(body: &Json, fields: &StandardFields, pointer: Option<&String>) -> Amount {
    let (Some(pointer), Some(currency)) = (pointer, &fields.currency) else {
        return Amount::NotTold;
    };
    match fields.amount_unit {
        AmountUnit::Minor => body.minor(pointer, currency),
        AmountUnit::Decimal => body.decimal(pointer, currency),
    }
}

/// A text says it; a boolean is true for live money, or for test money where its name says so.
fn mode(body: &Json, pointer: &str) -> Option<Mode> {
    let of = |is_test| {
        if is_test {
            Mode::Sandbox
        } else {
            Mode::Default
        }
    };
    if let Some(flag) = body.flag(pointer) {
        let name = pointer.rsplit('/').next()?.to_ascii_lowercase();
        let names_test = name.contains("test") || name.contains("sandbox");
        return Some(of(flag == names_test));
    }
    match body.text(pointer)?.to_ascii_lowercase().as_str() {
        "test" | "sandbox" => Some(of(true)),
        "live" | "production" => Some(of(false)),
        _ => None,
    }
}

/// RFC 3339, or a number since 1970: of this century, one of more than eleven digits counts milliseconds.
fn time(body: &Json, pointer: &str) -> Option<Timestamp> {
    let number = body.text(pointer).and_then(|text| text.parse::<i64>().ok());
    match number {
        Some(millis) if millis >= 100_000_000_000 => Some(Timestamp::from_millis(millis)),
        Some(seconds) => Some(Timestamp::from_seconds(seconds)),
        None => body.rfc3339(pointer),
    }
}
