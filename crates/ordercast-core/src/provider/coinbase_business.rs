//! Coinbase Business. The order is named by `metadata.order_id` of the checkout; the payment by the
//! checkout.

use super::{
    EventError, Meaning, Request,
    json::Json,
    signature::{is_hex, is_recent, members},
    told::Told,
};
use crate::{Timestamp, order::Refunded};

pub const MAPPING: &[(&str, Meaning)] = &[
    ("checkout.payment.success", Meaning::Paid),
    ("checkout.payment.failed", Meaning::Failed),
    ("checkout.payment.expired", Meaning::Failed),
    ("checkout.refund.success", Meaning::Refunded),
    ("checkout.refund.failed", Meaning::RefundReversed),
];

/// `t=,v0=,h=,v1=`: v1 covers the headers that `h` names, v0 the body alone. Where v1 is, it decides.
pub fn verify(request: Request<'_>, secret: &str, now: Timestamp) -> bool {
    let Some(header) = request.header("x-hook0-signature") else {
        return false;
    };
    let member = |name| members(header, ',', name).next();
    let Some(at) = member("t") else {
        return false;
    };
    let is_signed = match (member("v1"), member("v0")) {
        (Some(signature), _) => {
            let names = member("h").unwrap_or_default();
            let values: Vec<&str> = names
                .split(' ')
                .filter(|name| !name.is_empty())
                .map(|name| {
                    request
                        .header(&name.to_ascii_lowercase())
                        .unwrap_or_default()
                })
                .collect();
            let head = format!("{at}.{names}.{}.", values.join("."));
            let content = [head.as_bytes(), request.body].concat();
            is_hex(secret.as_bytes(), &content, signature)
        }
        (None, Some(signature)) => {
            let content = [at.as_bytes(), b".", request.body].concat();
            is_hex(secret.as_bytes(), &content, signature)
        }
        (None, None) => false,
    };
    is_signed && is_recent(at, now)
}

/// Its fields stand in `data`, or at the top.
pub fn read(body: &Json, body_hash: &str) -> Result<Told, EventError> {
    let data = body.part("/data").unwrap_or_else(|| body.clone());
    let word = body.any(&["/eventType", "/event_type", "/type"]);
    Ok(Told {
        word: word.ok_or(EventError::Field("eventType"))?,
        dedup_key: body
            .any(&["/eventId", "/event_id"])
            .unwrap_or_else(|| body_hash.to_owned()),
        order: data.order(&["/metadata/order_id", "/metadata/orderId"]),
        attempt: data.attempt(&["/checkoutId", "/id"]),
        amount: data.decimal("/amount", "/currency"),
        refund: data.refund(&["/refundId", "/refund/id"]),
        refunded: data
            .decimal("/refundedAmount", "/currency")
            .map(Refunded::Total),
        occurred_at: data
            .rfc3339("/updatedAt")
            .or_else(|| body.rfc3339("/timestamp")),
    })
}
