//! PayPal. The order is named by `custom_id` (or `invoice_id`) of the purchase unit; the payment by its
//! capture. The signature is made with PayPal's certificate, which the edge fetches and checks.

use super::{
    EventError, Meaning, Request, Unverified,
    json::Json,
    told::{Told, ToldRefund},
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde_json::Value;

pub const MAPPING: &[(&str, Meaning)] = &[
    // The buyer agreed; nothing is paid until the shop captures.
    ("CHECKOUT.ORDER.APPROVED", Meaning::Pending),
    ("CHECKOUT.ORDER.COMPLETED", Meaning::Ignore),
    ("CHECKOUT.PAYMENT-APPROVAL.REVERSED", Meaning::Failed),
    ("PAYMENT.AUTHORIZATION.CREATED", Meaning::Authorized),
    ("PAYMENT.AUTHORIZATION.VOIDED", Meaning::Failed),
    ("PAYMENT.CAPTURE.PENDING", Meaning::Pending),
    ("PAYMENT.CAPTURE.COMPLETED", Meaning::Paid),
    ("PAYMENT.CAPTURE.DECLINED", Meaning::Failed),
    ("PAYMENT.CAPTURE.DENIED", Meaning::Failed),
    ("PAYMENT.CAPTURE.REFUNDED", Meaning::Refunded),
    ("PAYMENT.CAPTURE.REVERSED", Meaning::DisputeLost),
    ("PAYMENT.REFUND.PENDING", Meaning::Ignore),
    ("PAYMENT.REFUND.FAILED", Meaning::RefundReversed),
    ("RISK.DISPUTE.CREATED", Meaning::DisputeOpened),
    // Buyer and shop talk; no money moves.
    ("CUSTOMER.DISPUTE.CREATED:INQUIRY", Meaning::DisputeInquiry),
    ("CUSTOMER.DISPUTE.CREATED", Meaning::DisputeOpened),
    (
        "CUSTOMER.DISPUTE.UPDATED:CHARGEBACK",
        Meaning::DisputeOpened,
    ),
    ("CUSTOMER.DISPUTE.UPDATED", Meaning::Ignore),
    (
        "CUSTOMER.DISPUTE.RESOLVED:RESOLVED_BUYER_FAVOUR",
        Meaning::DisputeLost,
    ),
    (
        "CUSTOMER.DISPUTE.RESOLVED:RESOLVED_SELLER_FAVOUR",
        Meaning::DisputeWon,
    ),
    (
        "CUSTOMER.DISPUTE.RESOLVED:CANCELED_BY_BUYER",
        Meaning::DisputeWon,
    ),
    ("CUSTOMER.DISPUTE.RESOLVED:DENIED", Meaning::DisputeWon),
    ("CUSTOMER.DISPUTE.RESOLVED:ACCEPTED", Meaning::DisputeLost),
    ("CUSTOMER.DISPUTE.RESOLVED", Meaning::DisputeExpired),
];

/// What is to be verified: RSA-SHA256, PKCS #1 v1.5.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmission {
    pub certificate_url: String,
    pub signed: String,
    pub signature: Vec<u8>,
}

/// # Errors
/// [`Unverified`] when a header is missing, or names another algorithm.
pub fn transmission(request: Request<'_>, webhook_id: &str) -> Result<Transmission, Unverified> {
    let header = |name| request.header(name).ok_or(Unverified::Header(name));
    let id = header("paypal-transmission-id")?;
    let time = header("paypal-transmission-time")?;
    if header("paypal-auth-algo")? != "SHA256withRSA" {
        return Err(Unverified::Header("paypal-auth-algo"));
    }
    let checksum = crc32fast::hash(request.body);
    Ok(Transmission {
        certificate_url: header("paypal-cert-url")?.to_owned(),
        signed: format!("{id}|{time}|{webhook_id}|{checksum}"),
        signature: BASE64
            .decode(header("paypal-transmission-sig")?)
            .map_err(|_| Unverified::Header("paypal-transmission-sig"))?,
    })
}

pub fn read(body: &Json) -> Result<Told, EventError> {
    let kind = body.required("/event_type", "event_type")?;
    let resource = body
        .part("/resource")
        .ok_or(EventError::Field("resource"))?;
    let is_dispute = kind.starts_with("CUSTOMER.DISPUTE") || kind.starts_with("RISK.DISPUTE");
    let is_return = matches!(
        kind.as_str(),
        "PAYMENT.CAPTURE.REFUNDED"
            | "PAYMENT.CAPTURE.REVERSED"
            | "PAYMENT.REFUND.PENDING"
            | "PAYMENT.REFUND.FAILED"
    );
    let capture_of_return = capture(&resource).filter(|_| is_return);
    let attempt = match capture_of_return {
        Some(capture) => crate::ids::AttemptId::new(&capture).ok(),
        None if is_dispute => resource.attempt(&["/disputed_transactions/0/seller_transaction_id"]),
        // An approval that is taken back names its order so, not by `id`.
        None => resource.attempt(&["/id", "/order_id"]),
    };
    let amount = resource.decimal("/amount/value", "/amount/currency_code");
    let condition = match kind.as_str() {
        "CUSTOMER.DISPUTE.RESOLVED" => resource.text("/dispute_outcome/outcome_code"),
        "CUSTOMER.DISPUTE.CREATED" | "CUSTOMER.DISPUTE.UPDATED" => {
            resource.text("/dispute_life_cycle_stage")
        }
        _ => None,
    };
    let disputed = match kind.as_str() {
        "PAYMENT.CAPTURE.REVERSED" => amount.clone(),
        _ => resource.decimal("/dispute_amount/value", "/dispute_amount/currency_code"),
    };
    Ok(Told {
        word: match condition {
            Some(condition) => format!("{kind}:{condition}"),
            None => kind,
        },
        dedup_key: body.required("/id", "id")?,
        order: resource.order(&[
            "/custom_id",
            "/invoice_id",
            "/purchase_units/0/custom_id",
            "/purchase_units/0/invoice_id",
            "/disputed_transactions/0/custom",
            "/disputed_transactions/0/invoice_number",
        ]),
        attempt,
        refund: resource.refund(&["/id"]).filter(|_| is_return),
        refunded: ToldRefund::Part(amount.clone()),
        amount,
        disputed,
        occurred_at: body.rfc3339("/create_time"),
        ..Told::default()
    })
}

/// A refund names its capture by a link upwards only.
fn capture(resource: &Json) -> Option<String> {
    let links = resource.at("/links")?.as_array()?;
    let up = links
        .iter()
        .find(|link| link.get("rel").and_then(Value::as_str) == Some("up"))?;
    let address = up.get("href")?.as_str()?;
    address.rsplit('/').next().map(ToOwned::to_owned)
}
