//! Coinbase Commerce. The order is named by `metadata.order_id` of the charge; the payment by the charge.

use super::{
    EventError, Meaning, Request,
    json::Json,
    signature::{Unverified, is_hex, matching, required},
    told::Told,
};
use crate::Timestamp;

pub const MAPPING: &[(&str, Meaning)] = &[
    ("charge:created", Meaning::Ignore),
    // Seen, not confirmed.
    ("charge:pending", Meaning::Pending),
    ("charge:confirmed", Meaning::Paid),
    // Came after the charge had expired; `resolved` decides.
    ("charge:delayed", Meaning::Pending),
    ("charge:resolved", Meaning::Paid),
    ("charge:failed", Meaning::Failed),
];

/// `X-CC-Webhook-Signature: <hex>` over the body.
pub fn verify(request: Request<'_>, secret: &str, _: Timestamp) -> Result<(), Unverified> {
    let signature = required(request, "x-cc-webhook-signature")?;
    matching(is_hex(secret.as_bytes(), request.body, signature))
}

pub fn read(body: &Json) -> Result<Told, EventError> {
    let event = body.part("/event").ok_or(EventError::Field("event"))?;
    Ok(Told {
        word: event.required("/type", "event.type")?,
        dedup_key: event.required("/id", "event.id")?,
        order: event.order(&["/data/metadata/order_id"]),
        attempt: event.attempt(&["/data/code", "/data/id"]),
        amount: event.decimal("/data/pricing/local/amount", "/data/pricing/local/currency"),
        occurred_at: event.rfc3339("/created_at"),
        ..Told::default()
    })
}
