//! Lemon Squeezy. The order is named by `meta.custom_data.order_id`; the payment by its own order.
//! Events have no id, so equal bodies are one event. It tries only three times more: the sweeper is
//! needed here.

use super::{
    Amount, EventError, Meaning, Request,
    json::Json,
    signature::{Unverified, is_hex, matching, required},
    told::{Told, ToldRefund},
};
use crate::Timestamp;

pub const MAPPING: &[(&str, Meaning)] = &[
    ("order_created:paid", Meaning::Paid),
    ("order_created:pending", Meaning::Pending),
    ("order_created:failed", Meaning::Failed),
    // It gives the money back by itself.
    ("order_created:fraudulent", Meaning::Failed),
    ("order_refunded", Meaning::Refunded),
];

/// `X-Signature: <hex>` over the body.
pub fn verify(request: Request<'_>, secret: &str, _: Timestamp) -> Result<(), Unverified> {
    let signature = required(request, "x-signature")?;
    matching(is_hex(secret.as_bytes(), request.body, signature))
}

pub fn read(body: &Json, body_hash: &str) -> Result<Told, EventError> {
    let kind = body.required("/meta/event_name", "meta.event_name")?;
    let status = body.text("/data/attributes/status");
    let currency = "/data/attributes/currency";
    Ok(Told {
        word: match (kind.as_str(), status) {
            ("order_created", Some(status)) => format!("order_created:{status}"),
            _ => kind,
        },
        dedup_key: body_hash.to_owned(),
        order: body.order(&["/meta/custom_data/order_id"]),
        attempt: body.attempt(&["/data/id"]),
        amount: body.minor("/data/attributes/total", currency),
        refunded: match body
            .minor("/data/attributes/refunded_amount", currency)
            .unless_zero()
        {
            Amount::NotTold => ToldRefund::Whole,
            amount => ToldRefund::Total(amount),
        },
        occurred_at: body.rfc3339("/data/attributes/updated_at"),
        ..Told::default()
    })
}
