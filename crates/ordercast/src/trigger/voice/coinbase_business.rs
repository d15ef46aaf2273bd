//! Coinbase Business: checkouts, counted in USDC with the shop's own currency beside it.

use super::{Common, Headers, Setting, Unsigned, Voice, hex, kind, text};
use crate::trigger::payment::Payment;
use serde_json::{Value, json};

pub const VOICE: Voice = Voice {
    kinds: &[
        kind("checkout.payment.success")
            .is(Common::Paid)
            .undone_by("checkout.refund.success"),
        kind("checkout.payment.failed").is(Common::Failed),
        kind("checkout.payment.expired"),
        kind("checkout.refund.success").is(Common::Refunded),
        kind("checkout.refund.failed").is(Common::RefundFailed),
    ],
    body,
    sign: Some(sign),
};

const DOLLAR: &str = "USDC";

fn body(word: &str, payment: &Payment, _: Setting<'_>) -> Vec<u8> {
    let status = match word {
        "checkout.payment.failed" => "FAILED",
        "checkout.payment.expired" => "EXPIRED",
        "checkout.refund.success" if payment.is_part() => "PARTIALLY_REFUNDED",
        "checkout.refund.success" => "REFUNDED",
        _ => "COMPLETED",
    };
    let currency = payment.paid.currency.to_string();
    let mut checkout = json!({
        "id": payment.id("co"),
        "url": "https://payments.coinbase.com/payment-links/pl_trigger",
        "amount": payment.paid.amount(),
        "currency": DOLLAR,
        "fiatAmount": payment.paid.amount(),
        "fiatCurrency": currency,
        "network": if payment.is_test { "base-sepolia" } else { "base" },
        "eventType": word,
        "metadata": payment.metadata(),
        "status": status,
        "createdAt": payment.rfc3339(),
        "updatedAt": payment.rfc3339(),
    });
    if word.starts_with("checkout.refund.") {
        checkout["refunds"] = json!([refund(word, payment, &currency)]);
        if word == "checkout.refund.success" {
            checkout["refundedAmount"] = payment.back().amount().into();
        }
    }
    text(&checkout)
}

fn refund(word: &str, payment: &Payment, currency: &str) -> Value {
    json!({
        "id": payment.refund_id("rf"),
        "checkoutId": payment.id("co"),
        "amount": payment.back().amount(),
        "currency": currency,
        "status": if word == "checkout.refund.success" { "COMPLETED" } else { "FAILED" },
        "createdAt": payment.rfc3339(),
    })
}

fn sign(unsigned: Unsigned<'_>) -> Headers {
    let Unsigned {
        secret,
        body,
        id,
        at,
    } = unsigned;
    let names = "content-type x-event-id";
    let head = format!("{at}.{names}.application/json.{id}.");
    let signature = hex(secret.as_bytes(), &[head.as_bytes(), body].concat());
    vec![
        ("x-event-id", id.to_owned()),
        (
            "x-hook0-signature",
            format!("t={at},h={names},v1={signature}"),
        ),
    ]
}
