//! Tebex. The order is named by `custom.order_id` of the basket; the payment by its transaction.

use super::{
    EventError, Meaning, Request,
    json::Json,
    signature::{Unverified, is_hex, matching, required},
    told::Told,
};
use crate::Timestamp;
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

pub const MAPPING: &[(&str, Meaning)] = &[
    // Asks whether somebody is there.
    ("validation.webhook", Meaning::Ignore),
    ("payment.completed", Meaning::Paid),
    ("payment.declined", Meaning::Failed),
    ("payment.refunded", Meaning::Refunded),
    ("payment.dispute.opened", Meaning::DisputeOpened),
    ("payment.dispute.won", Meaning::DisputeWon),
    ("payment.dispute.lost", Meaning::DisputeLost),
    ("payment.dispute.closed", Meaning::DisputeExpired),
];

pub const ADDRESSES: &[&str] = &["18.209.80.3/32", "54.87.231.232/32"];

/// `X-Signature: <hex>` over the body's SHA-256 in hex.
pub fn verify(request: Request<'_>, secret: &str, _: Timestamp) -> Result<(), Unverified> {
    let signature = required(request, "x-signature")?;
    let digest = HEXLOWER.encode(&Sha256::digest(request.body));
    matching(is_hex(secret.as_bytes(), digest.as_bytes(), signature))
}

pub fn read(body: &Json) -> Result<Told, EventError> {
    Ok(Told {
        word: body.required("/type", "type")?,
        dedup_key: body.required("/id", "id")?,
        order: body.order(&["/subject/custom/order_id"]),
        attempt: body.attempt(&["/subject/transaction_id"]),
        amount: body.decimal("/subject/price/amount", "/subject/price/currency"),
        occurred_at: body.rfc3339("/date"),
        ..Told::default()
    })
}
