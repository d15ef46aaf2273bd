//! One item of an Adyen webhook.

use super::{
    super::{
        Amount, Event, EventError, Subject,
        json::Json,
        told::{Told, ToldRefund},
    },
    moves_no_money, signature,
};
use crate::{money::Money, order::Mode};
use serde_json::Value;

/// An item without a signature, of a kind that moves no money: kept without an effect, whatever the
/// source's mapping says. Anybody can send it, so it is kept once for each kind, and it takes no
/// place from a signed event.
pub fn unsigned(item: &Json) -> Option<Event> {
    let code = item
        .text("/eventCode")
        .filter(|code| moves_no_money(code))?;
    if signature::signature(item).is_some() {
        return None;
    }
    Some(Event {
        dedup_key: Some(format!("unsigned:{code}")),
        ..Event::new(code, Subject::Nothing, None)
    })
}

pub fn read(item: &Json, mode: Option<Mode>) -> Result<Told, EventError> {
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
    let is_modification = item.text("/originalReference").is_some();
    let is_cancel = code == "CANCEL_OR_REFUND"
        && item.text("/additionalData/modification.action").as_deref() == Some("cancel");
    let condition = if is_cancel && success == "true" {
        "cancel"
    } else {
        &success
    };
    // One of the automatic capture has no reference of its own.
    let capture = item
        .capture(&["/pspReference"])
        .filter(|_| is_modification && code.starts_with("CAPTURE"));
    Ok(Told {
        dedup_key: dedup_key(item, &code, &reference, &success),
        word: format!("{code}:{condition}"),
        order: item.order(&["/merchantReference"]),
        named: item.named(&["/merchantReference"]),
        attempt: item.attempt(&["/originalReference", "/pspReference"]),
        capture,
        refund: item.refund(&["/pspReference"]),
        refunded: if code == "CANCEL_OR_REFUND" {
            ToldRefund::Whole
        } else {
            ToldRefund::Part(amount.clone())
        },
        // All events of one dispute have its reference; where the account does not send it, that of the
        // payment stands there alone.
        dispute: item.dispute(&["/pspReference"]).filter(|_| is_modification),
        disputed: disputed(&code, amount.clone()),
        amount,
        mode,
        occurred_at: item.rfc3339("/eventDate"),
        ..Told::default()
    })
}

/// Before a chargeback the scheme may not tell the amount yet: then it is zero. A chargeback of nothing
/// cannot be.
fn disputed(code: &str, amount: Amount) -> Amount {
    match code {
        "REQUEST_FOR_INFORMATION" | "NOTIFICATION_OF_CHARGEBACK" => amount.unless_zero(),
        _ => amount.and_then(|money| (money.minor > 0).then_some(money)),
    }
}

/// Adyen sends an event again under the same code and reference. What may come under them and is news:
/// a capture that succeeded after it had failed, and a dispute whose status went on.
fn dedup_key(item: &Json, code: &str, reference: &str, success: &str) -> String {
    let is_again = item
        .text("/reason")
        .is_some_and(|reason| reason.eq_ignore_ascii_case("Transaction Recaptured"));
    let news = if is_again {
        item.text("/eventDate")
    } else {
        item.text("/additionalData/disputeStatus")
    };
    let key = format!("{code}:{reference}:{success}");
    match news {
        Some(news) => format!("{key}:{news}").chars().take(200).collect(),
        None => key,
    }
}

/// Where Adyen counts other places than ISO 4217 (*Currency codes and minor units*).
fn in_iso_units(money: Money) -> Option<Money> {
    let minor = match money.currency.as_str() {
        "CLP" | "ISK" if money.minor % 100 == 0 => money.minor / 100,
        "CLP" | "ISK" => return None,
        "CVE" | "IDR" => money.minor.checked_mul(100)?,
        _ => money.minor,
    };
    Money::new(minor, money.currency).ok()
}
