//! Coinbase Business. The order is named by `metadata.order_id` of the checkout; the payment by the
//! checkout.

use super::{
    Amount, EventError, Meaning, Request,
    json::Json,
    signature::{Unverified, is_hex, matching, members, recent, required},
    told::{Told, ToldRefund},
};
use crate::Timestamp;

pub const MAPPING: &[(&str, Meaning)] = &[
    ("checkout.payment.success", Meaning::Paid),
    ("checkout.payment.failed", Meaning::Failed),
    ("checkout.payment.expired", Meaning::Failed),
    ("checkout.refund.success", Meaning::Refunded),
    ("checkout.refund.failed", Meaning::RefundReversed),
];

/// `t=,v0=,h=,v1=`: v1 covers the headers that `h` names, v0 the body alone. Where v1 is, it decides;
/// of several any, as while a secret is changed.
pub fn verify(request: Request<'_>, secret: &str, now: Timestamp) -> Result<(), Unverified> {
    let header = required(request, "x-hook0-signature")?;
    let all = |name| members(header, ',', name);
    let at = all("t")
        .next()
        .ok_or(Unverified::Header("x-hook0-signature"))?;
    let signed_by_any = |name, head: &str| {
        let content = [head.as_bytes(), request.body].concat();
        all(name).fold(false, |is_signed, signature| {
            is_signed | is_hex(secret.as_bytes(), &content, signature)
        })
    };
    let is_signed = if all("v1").next().is_some() {
        let names = all("h").next().unwrap_or_default();
        let value = |name: &str| {
            request
                .header(&name.to_ascii_lowercase())
                .unwrap_or_default()
        };
        let named = names.split(' ').filter(|name| !name.is_empty());
        let values: Vec<&str> = named.map(value).collect();
        signed_by_any("v1", &format!("{at}.{names}.{}.", values.join(".")))
    } else {
        signed_by_any("v0", &format!("{at}."))
    };
    matching(is_signed)?;
    recent(at, now)
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
        refunded: match data.decimal("/refundedAmount", "/currency") {
            Amount::NotTold => ToldRefund::Whole,
            amount => ToldRefund::Total(amount),
        },
        occurred_at: data
            .rfc3339("/updatedAt")
            .or_else(|| body.rfc3339("/timestamp")),
        ..Told::default()
    })
}
