//! Adyen. The order is named by `merchantReference`; the payment by the PSP reference of its
//! authorisation. One body may hold several items, each with its own signature.

use super::{
    Event, EventError, Mapping, Meaning, Request, Subject,
    json::Json,
    secret::SecretRule,
    signature::{Unverified, is_base64, matching},
    told::{Told, ToldRefund},
};
use crate::{Timestamp, money::Money};
use data_encoding::HEXUPPER_PERMISSIVE;
use serde_json::Value;

/// `success` decides, so it is part of the word.
pub const MAPPING: &[(&str, Meaning)] = &[
    // With automatic capture; sources that capture by hand map it to `authorized`.
    ("AUTHORISATION:true", Meaning::Paid),
    ("AUTHORISATION:false", Meaning::Failed),
    ("CAPTURE:true", Meaning::Paid),
    ("CAPTURE:false", Meaning::Failed),
    ("CAPTURE_FAILED", Meaning::Failed),
    ("PENDING", Meaning::Pending),
    ("CANCELLATION:true", Meaning::Failed),
    ("CANCELLATION:false", Meaning::Ignore),
    ("EXPIRE", Meaning::Failed),
    ("OFFER_CLOSED", Meaning::Failed),
    ("TECHNICAL_CANCEL", Meaning::Failed),
    ("ORDER_OPENED", Meaning::Ignore),
    ("ORDER_CLOSED", Meaning::Ignore),
    ("REPORT_AVAILABLE", Meaning::Ignore),
    ("REFUND:true", Meaning::Refunded),
    ("REFUND:false", Meaning::RefundReversed),
    // A refund that was told as done can still fail.
    ("REFUND_FAILED", Meaning::RefundReversed),
    ("REFUNDED_REVERSED", Meaning::RefundReversed),
    ("CANCEL_OR_REFUND:true", Meaning::Refunded),
    ("CANCEL_OR_REFUND:false", Meaning::Ignore),
    ("REQUEST_FOR_INFORMATION", Meaning::DisputeInquiry),
    ("NOTIFICATION_OF_CHARGEBACK", Meaning::DisputeOpened),
    ("CHARGEBACK:true", Meaning::DisputeLost),
    ("CHARGEBACK_REVERSED", Meaning::DisputeWon),
    ("SECOND_CHARGEBACK", Meaning::DisputeLost),
    ("PREARBITRATION_WON", Meaning::DisputeWon),
    ("PREARBITRATION_LOST", Meaning::DisputeLost),
    ("NOTIFICATION_OF_FRAUD", Meaning::Ignore),
];

/// Half of what it shows: a key that was cut is refused, one of a later length is not.
const KEY_BYTES_MIN: usize = 16;

const SIGNED: [&str; 8] = [
    "/pspReference",
    "/originalReference",
    "/merchantAccountCode",
    "/merchantReference",
    "/amount/value",
    "/amount/currency",
    "/eventCode",
    "/success",
];

/// Every item by its own signature over eight of its fields; a body without items by the header
/// `HmacSignature` over the whole. The key is the secret decoded from hex.
pub fn verify(request: Request<'_>, secret: &str, _: Timestamp) -> Result<(), Unverified> {
    let key = HEXUPPER_PERMISSIVE
        .decode(secret.as_bytes())
        .map_err(|_| Unverified::Mismatch)?;
    if key.is_empty() {
        return Err(Unverified::Mismatch);
    }
    if let Some(signature) = request.header("hmacsignature") {
        return matching(is_base64(&key, request.body, signature));
    }
    let items = Json::parse(request.body)
        .and_then(|body| items(&body))
        .map_err(|_| Unverified::Header("hmacsignature"))?;
    matching(!items.is_empty() && items.iter().all(|item| is_item_signed(item, &key)))
}

/// Its key is shown in hexadecimal digits, 64 of them.
pub fn check_secret(secret: &str) -> Result<(), SecretRule> {
    let key = HEXUPPER_PERMISSIVE.decode(secret.as_bytes());
    if key.is_ok_and(|key| key.len() >= KEY_BYTES_MIN) {
        Ok(())
    } else {
        Err(SecretRule(
            "must be the HMAC key that Adyen shows, in hexadecimal digits",
        ))
    }
}

fn is_item_signed(item: &Json, key: &[u8]) -> bool {
    let signature = item
        .text("/additionalData/hmacSignature")
        .unwrap_or_default();
    let field = |pointer: &&str| match item.at(pointer) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Bool(is)) => is.to_string(),
        _ => String::new(),
    };
    let fields: Vec<String> = SIGNED.iter().map(field).collect();
    let plain = fields.join(":");
    // One guide escapes what the official libraries do not: both are accepted.
    let escape = |field: &String| field.replace('\\', "\\\\").replace(':', "\\:");
    let escaped = fields.iter().map(escape).collect::<Vec<_>>().join(":");
    let is_plain = is_base64(key, plain.as_bytes(), &signature);
    is_base64(key, escaped.as_bytes(), &signature) | is_plain
}

fn items(body: &Json) -> Result<Vec<Json>, EventError> {
    let items = body
        .at("/notificationItems")
        .and_then(Value::as_array)
        .ok_or(EventError::Field("notificationItems"))?;
    items
        .iter()
        .map(|item| {
            item.get("NotificationRequestItem")
                .cloned()
                .map(Json::of)
                .ok_or(EventError::Field("NotificationRequestItem"))
        })
        .collect()
}

/// Each item by itself. Webhooks of Adyen's other products have no items: they are kept by their type.
pub fn read(body: &Json, body_hash: &str, mapping: &Mapping<'_>) -> Result<Vec<Event>, EventError> {
    if body.at("/notificationItems").is_none() {
        let told = Told {
            word: body.required("/type", "notificationItems")?,
            dedup_key: body
                .any(&["/id", "/eventId"])
                .unwrap_or_else(|| body_hash.to_owned()),
            ..Told::default()
        };
        return Ok(vec![told.event(mapping)]);
    }
    let read = |item: &Json| match read_item(item) {
        Ok(told) => told.event(mapping),
        Err(error) => {
            let code = item.text("/eventCode");
            let kind = code.unwrap_or_else(|| "unreadable".to_owned());
            Event::new(kind, Subject::Unreadable(error), None)
        }
    };
    Ok(items(body)?.iter().map(read).collect())
}

fn read_item(item: &Json) -> Result<Told, EventError> {
    let code = item.required("/eventCode", "eventCode")?;
    let reference = item.required("/pspReference", "pspReference")?;
    let success = match item.at("/success") {
        Some(Value::Bool(is)) => is.to_string(),
        Some(Value::String(text)) => text.clone(),
        _ => return Err(EventError::Field("success")),
    };
    let amount = item
        .minor("/amount/value", "/amount/currency")
        .and_then(in_iso_units);
    let is_whole = code == "CANCEL_OR_REFUND";
    Ok(Told {
        dedup_key: format!("{code}:{reference}:{success}"),
        word: format!("{code}:{success}"),
        order: item.order(&["/merchantReference"]),
        attempt: item.attempt(&["/originalReference", "/pspReference"]),
        amount: amount.clone(),
        refund: item.refund(&["/pspReference"]),
        refunded: if is_whole {
            ToldRefund::Whole
        } else {
            ToldRefund::Part(amount.clone())
        },
        // Zero where the scheme does not tell it yet.
        disputed: amount.unless_zero(),
        occurred_at: item.rfc3339("/eventDate"),
        ..Told::default()
    })
}

/// Where Adyen counts other places than ISO 4217.
fn in_iso_units(money: Money) -> Option<Money> {
    match money.currency.as_str() {
        "CLP" | "ISK" => money.divided_by(100),
        "CVE" | "IDR" => money.times(100).ok(),
        _ => Some(money),
    }
}
