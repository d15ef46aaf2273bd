//! Mollie. The order is named by `metadata.order_id` of the payment; the payment by its id. Classic
//! webhooks say only which payment to ask for; the newer ones are signed and hold it.

use super::{
    Event, EventError, Mapping, Meaning, Request, SourceSettings, json::Json, signature::is_hex,
    told::Told,
};
use crate::{Timestamp, order::Refunded};

pub const MAPPING: &[(&str, Meaning)] = &[
    ("payment:open", Meaning::Ignore),
    ("payment:pending", Meaning::Pending),
    ("payment:authorized", Meaning::Authorized),
    ("payment:paid", Meaning::Paid),
    ("payment:failed", Meaning::Failed),
    ("payment:canceled", Meaning::Failed),
    ("payment:expired", Meaning::Failed),
    ("payment.refunded", Meaning::Refunded),
    ("payment.charged_back", Meaning::DisputeLost),
];

/// `X-Mollie-Signature: sha256=<hex>` over the body; twice while a secret is changed.
pub fn verify(request: Request<'_>, secret: &str, _: Timestamp) -> bool {
    request
        .all("x-mollie-signature")
        .flat_map(|header| header.split(','))
        .fold(false, |is_signed, signature| {
            let hex = signature.trim().strip_prefix("sha256=").unwrap_or_default();
            is_signed | is_hex(secret.as_bytes(), request.body, hex)
        })
}

/// A signed event; without the payment inside it says nothing that could be believed.
pub fn event(body: &Json) -> Result<Vec<Told>, EventError> {
    let id = body.required("/id", "id")?;
    match body.part("/_embedded/entity") {
        Some(entity) if entity.text("/resource").as_deref() == Some("payment") => {
            let mut told = of_payment(&entity)?;
            for told in &mut told {
                told.dedup_key = format!("{id}:{}", told.word);
            }
            Ok(told)
        }
        _ => Ok(vec![Told {
            word: body.required("/type", "type")?,
            dedup_key: id,
            attempt: body.attempt(&["/entityId"]),
            ..Told::default()
        }]),
    }
}

/// The payment as Mollie's API gives it: its status, and what was given back of it.
///
/// # Errors
/// [`EventError`] when it is not what Mollie documents.
pub fn payment(body: &[u8], settings: &SourceSettings) -> Result<Vec<Event>, EventError> {
    let mapping = Mapping::new(super::Provider::Mollie, settings);
    let told = of_payment(&Json::parse(body)?)?;
    told.into_iter().map(|told| told.event(&mapping)).collect()
}

fn of_payment(payment: &Json) -> Result<Vec<Told>, EventError> {
    let id = payment.required("/id", "id")?;
    let status = payment.required("/status", "status")?;
    let base = Told {
        order: payment.order(&["/metadata/order_id"]),
        attempt: payment.attempt(&["/id"]),
        amount: payment.decimal("/amount/value", "/amount/currency"),
        ..Told::default()
    };
    let returned = |field: &str| {
        let amount = payment.decimal(&format!("{field}/value"), &format!("{field}/currency"));
        amount.filter(|amount| amount.minor > 0)
    };
    let mut told = vec![Told {
        word: format!("payment:{status}"),
        dedup_key: format!("{id}:{status}"),
        occurred_at: payment
            .rfc3339("/paidAt")
            .or_else(|| payment.rfc3339("/createdAt")),
        ..base.clone()
    }];
    if let Some(amount) = returned("/amountRefunded") {
        told.push(Told {
            word: "payment.refunded".to_owned(),
            dedup_key: format!("{id}:refunded:{}", amount.minor),
            refunded: Some(Refunded::Total(amount)),
            ..base.clone()
        });
    }
    if let Some(amount) = returned("/amountChargedBack") {
        told.push(Told {
            word: "payment.charged_back".to_owned(),
            dedup_key: format!("{id}:charged_back:{}", amount.minor),
            ..base
        });
    }
    Ok(told)
}
