//! Adyen: standard webhooks, one item a body, signed inside the item.

use super::{Common, Headers, Setting, Unsigned, Voice, kind, mac, text};
use crate::trigger::payment::Payment;
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use data_encoding::HEXUPPER_PERMISSIVE;
use ordercast_core::money::Money;
use serde_json::json;

pub const VOICE: Voice = Voice {
    kinds: &[
        kind("PENDING").is(Common::Pending),
        kind("AUTHORISATION").is(Common::Paid).undone_by("REFUND"),
        kind("AUTHORISATION:false").is(Common::Failed),
        kind("CAPTURE").undone_by("REFUND"),
        kind("CAPTURE_FAILED"),
        kind("CANCELLATION"),
        kind("REFUND").is(Common::Refunded),
        kind("REFUND_FAILED").is(Common::RefundFailed),
        kind("REQUEST_FOR_INFORMATION"),
        kind("NOTIFICATION_OF_CHARGEBACK").is(Common::DisputeOpened),
        kind("CHARGEBACK").is(Common::DisputeLost),
        kind("CHARGEBACK_REVERSED").is(Common::DisputeWon),
        kind("SECOND_CHARGEBACK"),
        kind("REPORT_AVAILABLE"),
    ],
    body,
    sign: Some(sign),
};

const MERCHANT: &str = "OrdercastTrigger";

fn body(word: &str, payment: &Payment, setting: Setting<'_>) -> Vec<u8> {
    let (code, success) = word.split_once(':').unwrap_or((word, "true"));
    let first = payment.id("PSP");
    let follows = !matches!(code, "PENDING" | "AUTHORISATION" | "REPORT_AVAILABLE");
    let (reference, original) = match code {
        // It names the refund that did not happen after all.
        "REFUND_FAILED" => (refund(payment), first),
        "REFUND" => (refund(payment), first),
        _ if follows => (payment.event_id("PSP", code), first),
        _ => (first, String::new()),
    };
    let money = if follows && code != "CAPTURE" {
        payment.back()
    } else {
        payment.paid
    };
    let (value, currency) = (units(money), money.currency.to_string());
    let order = payment.order.to_string();
    let fields = [
        reference.as_str(),
        original.as_str(),
        MERCHANT,
        order.as_str(),
        &value.to_string(),
        currency.as_str(),
        code,
        success,
    ];
    let key = HEXUPPER_PERMISSIVE
        .decode(setting.secret.as_bytes())
        .unwrap_or_else(|_| setting.secret.as_bytes().to_vec());
    let signature = BASE64.encode(mac(&key, fields.join(":").as_bytes()));
    // Kinds that move no money are not signed.
    let additional = match code {
        "REPORT_AVAILABLE" => json!({}),
        _ => json!({ "hmacSignature": signature }),
    };
    let item = json!({
        "additionalData": additional,
        "amount": { "currency": currency, "value": value },
        "eventCode": code,
        "eventDate": payment.rfc3339(),
        "merchantAccountCode": MERCHANT,
        "merchantReference": order,
        "originalReference": original,
        "paymentMethod": "visa",
        "pspReference": reference,
        "reason": "",
        "success": success,
    });
    text(&json!({
        "live": (!payment.is_test).to_string(),
        "notificationItems": [{ "NotificationRequestItem": item }],
    }))
}

fn refund(payment: &Payment) -> String {
    payment.refund_id("PSP")
}

/// Where Adyen counts other places than ISO 4217.
fn units(money: Money) -> i64 {
    match money.currency.as_str() {
        "CLP" | "ISK" => money.minor * 100,
        "CVE" | "IDR" => money.minor / 100,
        _ => money.minor,
    }
}

/// Signed inside.
fn sign(_: Unsigned<'_>) -> Headers {
    Vec::new()
}
