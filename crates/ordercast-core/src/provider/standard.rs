//! Any sender of Standard Webhooks: where things stand in its bodies, and what its words mean, are data
//! of the source.

use super::{
    EventError, Request, SourceSettings,
    json::Json,
    settings::AmountUnit,
    signature::{is_base64, is_recent},
    told::{Told, ToldRefund},
};
use crate::Timestamp;
use base64::{
    Engine,
    engine::general_purpose::{STANDARD as BASE64, STANDARD_NO_PAD},
};

/// Shorter ones can be guessed; an empty one is known.
const KEY_BYTES_MIN: usize = 16;

/// `webhook-signature: v1,<base64> …` over `{id}.{timestamp}.{body}`, the key in base64 behind
/// `whsec_`. Without that prefix the secret may also be the key by itself: some senders encode it first,
/// and what they are given may happen to be base64.
pub fn verify(request: Request<'_>, secret: &str, now: Timestamp) -> bool {
    let header = |name| request.header(name);
    let (Some(id), Some(at), Some(signatures)) = (
        header("webhook-id"),
        header("webhook-timestamp"),
        header("webhook-signature"),
    ) else {
        return false;
    };
    let prefixed = secret.strip_prefix("whsec_");
    let encoded = prefixed.unwrap_or(secret);
    let decoded = BASE64
        .decode(encoded)
        .or_else(|_| STANDARD_NO_PAD.decode(encoded));
    let is_bare = prefixed.is_none() || decoded.is_err();
    let bare = is_bare.then(|| secret.as_bytes().to_vec());
    let content = [id.as_bytes(), b".", at.as_bytes(), b".", request.body].concat();
    let keys = decoded.ok().into_iter().chain(bare);
    let is_signed = keys
        .filter(|key| key.len() >= KEY_BYTES_MIN)
        .fold(false, |is_signed, key| {
            signatures
                .split(' ')
                .fold(is_signed, |is_signed, signature| {
                    let signature = signature.strip_prefix("v1,").unwrap_or_default();
                    is_signed | is_base64(&key, &content, signature)
                })
        });
    is_signed && is_recent(at, now)
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
        dedup_key: request
            .header("webhook-id")
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
