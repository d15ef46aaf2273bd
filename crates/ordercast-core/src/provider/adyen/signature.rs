//! Adyen's signatures: of each item over eight of its fields, or of the whole body in a header.

use super::{
    super::{
        Request,
        json::Json,
        secret::SecretRule,
        signature::{Unverified, is_base64, matching},
    },
    items, moves_no_money,
};
use crate::Timestamp;
use data_encoding::HEXUPPER_PERMISSIVE;
use serde_json::Value;

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

/// A body whose header `HmacSignature` is right over the whole, or whose items are each signed. Items of
/// kinds that move no money come without a signature (`REPORT_AVAILABLE` does): they may stand beside
/// signed ones or alone, and never have an effect. The key is the secret decoded from hex.
pub fn verify(request: Request<'_>, secret: &str, _: Timestamp) -> Result<(), Unverified> {
    let key = HEXUPPER_PERMISSIVE
        .decode(secret.as_bytes())
        .map_err(|_| Unverified::Mismatch)?;
    if key.is_empty() {
        return Err(Unverified::Mismatch);
    }
    // Adyen's platform sends the header empty beside items with signatures of their own.
    let header = request.header("hmacsignature").unwrap_or_default();
    if !header.is_empty() && is_base64(&key, request.body, header) {
        return Ok(());
    }
    let items = Json::parse(request.body)
        .and_then(|body| items(&body))
        .map_err(|_| Unverified::Header("hmacsignature"))?;
    matching(!items.is_empty() && items.iter().all(|item| is_acceptable(item, &key)))
}

/// # Errors
/// [`SecretRule`]: its key is shown in hexadecimal digits, 64 of them.
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

pub fn signature(item: &Json) -> Option<String> {
    item.text("/additionalData/hmacSignature")
}

fn is_acceptable(item: &Json, key: &[u8]) -> bool {
    match signature(item) {
        Some(signature) => is_signed(item, key, &signature),
        None => item
            .text("/eventCode")
            .is_some_and(|code| moves_no_money(&code)),
    }
}

fn is_signed(item: &Json, key: &[u8], signature: &str) -> bool {
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
    let is_plain = is_base64(key, plain.as_bytes(), signature);
    is_base64(key, escaped.as_bytes(), signature) | is_plain
}
