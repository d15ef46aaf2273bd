//! PayPal: Orders v2. It signs with a certificate of its own that nobody else has, and the check of it
//! has no exception for tests. So these bodies are not sent, but asked about.

use super::{Common, Setting, Voice, kind, text};
use crate::trigger::payment::Payment;
use ordercast_core::money::Money;
use serde_json::{Value, json};

pub const VOICE: Voice = Voice {
    kinds: &[
        kind("CHECKOUT.ORDER.APPROVED").is(Common::Pending),
        kind("PAYMENT.AUTHORIZATION.CREATED").is(Common::Authorized),
        kind("PAYMENT.CAPTURE.PENDING"),
        kind("PAYMENT.CAPTURE.COMPLETED")
            .is(Common::Paid)
            .undone_by("PAYMENT.CAPTURE.REFUNDED"),
        kind("PAYMENT.CAPTURE.DECLINED").is(Common::Failed),
        kind("PAYMENT.CAPTURE.REFUNDED").is(Common::Refunded),
        kind("PAYMENT.CAPTURE.REVERSED"),
        kind("CUSTOMER.DISPUTE.CREATED").is(Common::DisputeOpened),
        kind("CUSTOMER.DISPUTE.RESOLVED:RESOLVED_SELLER_FAVOUR").is(Common::DisputeWon),
        kind("CUSTOMER.DISPUTE.RESOLVED:RESOLVED_BUYER_FAVOUR").is(Common::DisputeLost),
    ],
    body,
    sign: None,
};

fn body(word: &str, payment: &Payment, _: Setting<'_>) -> Vec<u8> {
    let (kind, case) = word.split_once(':').unwrap_or((word, ""));
    let (resource_type, resource) = match kind {
        "CHECKOUT.ORDER.APPROVED" => ("checkout-order", order(payment)),
        "PAYMENT.AUTHORIZATION.CREATED" => ("authorization", capture(payment, "AUTH")),
        "PAYMENT.CAPTURE.REFUNDED" | "PAYMENT.CAPTURE.REVERSED" => ("refund", refund(payment)),
        _ if kind.starts_with("CUSTOMER.DISPUTE.") => ("dispute", dispute(case, payment)),
        _ => ("capture", capture(payment, "CAP")),
    };
    text(&json!({
        "id": payment.event_id("WH", word),
        "event_version": "1.0",
        "create_time": payment.rfc3339(),
        "resource_type": resource_type,
        "resource_version": "2.0",
        "event_type": kind,
        "resource": resource,
    }))
}

fn amount(money: Money) -> Value {
    json!({ "value": money.amount(), "currency_code": money.currency.to_string() })
}

fn order(payment: &Payment) -> Value {
    let unit = json!({ "custom_id": payment.order.to_string(), "amount": amount(payment.paid) });
    json!({ "id": payment.id("ORDER"), "status": "APPROVED", "purchase_units": [unit] })
}

fn capture(payment: &Payment, prefix: &str) -> Value {
    json!({
        "id": payment.id(prefix),
        "custom_id": payment.order.to_string(),
        "amount": amount(payment.paid),
        "final_capture": true,
        "supplementary_data": { "related_ids": { "order_id": payment.id("ORDER") } },
    })
}

fn refund(payment: &Payment) -> Value {
    let up = format!(
        "https://api.paypal.com/v2/payments/captures/{}",
        payment.id("CAP")
    );
    json!({
        "id": payment.refund_id("REF"),
        "custom_id": payment.order.to_string(),
        "amount": amount(payment.back()),
        "status": "COMPLETED",
        "links": [{ "rel": "up", "href": up, "method": "GET" }],
    })
}

fn dispute(outcome: &str, payment: &Payment) -> Value {
    let mut dispute = json!({
        "dispute_id": payment.refund_id("PP"),
        "dispute_amount": amount(payment.back()),
        "dispute_life_cycle_stage": "CHARGEBACK",
        "disputed_transactions": [{
            "seller_transaction_id": payment.id("CAP"),
            "custom": payment.order.to_string(),
        }],
        "status": if outcome.is_empty() { "OPEN" } else { "RESOLVED" },
    });
    if !outcome.is_empty() {
        dispute["dispute_outcome"] = json!({ "outcome_code": outcome });
    }
    dispute
}
