//! PayPal. The order is named by `custom_id` (or `invoice_id`) of the purchase unit; the payment by its
//! capture, so that captures in parts are payments of their own. The signature is made with PayPal's
//! certificate, which the edge fetches and checks.
//!
//! Read on 2026-11-28: *Webhook event names*, *Subscribe to disputes webhooks*, *Uncaptured payments*, the
//! specifications of Payments v2 and Disputes v1 in PayPal's repository, and the certificate rules of its
//! SDKs. What each word means for money stands in `docs/providers.md`, which a test holds against this
//! table.

mod api;

pub use api::{API, questions};

use super::{
    Amount, EventError, Meaning, Request,
    json::Json,
    signature::Unverified,
    told::{Told, ToldRefund},
};
use crate::{Timestamp, ids::AttemptId, order::Mode};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

pub const MAPPING: &[(&str, Meaning)] = &[
    // The buyer agreed; nothing is paid until the shop captures.
    ("CHECKOUT.ORDER.APPROVED", Meaning::Pending),
    ("CHECKOUT.ORDER.SAVED", Meaning::Ignore),
    ("CHECKOUT.ORDER.PROCESSED", Meaning::Ignore),
    // Its captures tell for themselves.
    ("CHECKOUT.ORDER.COMPLETED", Meaning::Ignore),
    ("CHECKOUT.ORDER.DECLINED", Meaning::Failed),
    ("CHECKOUT.ORDER.VOIDED", Meaning::Failed),
    ("CHECKOUT.PAYMENT-APPROVAL.REVERSED", Meaning::Failed),
    ("PAYMENT.AUTHORIZATION.CREATED", Meaning::Authorized),
    ("PAYMENT.AUTHORIZATION.VOIDED", Meaning::Failed),
    ("PAYMENT.CAPTURE.PENDING", Meaning::Pending),
    ("PAYMENT.CAPTURE.COMPLETED", Meaning::Paid),
    ("PAYMENT.CAPTURE.DECLINED", Meaning::Failed),
    ("PAYMENT.CAPTURE.DENIED", Meaning::Failed),
    ("PAYMENT.CAPTURE.REFUNDED", Meaning::Refunded),
    // PayPal took it back, for a dispute or for the buyer's bank.
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
    (
        "CUSTOMER.DISPUTE.UPDATED:PRE_ARBITRATION",
        Meaning::DisputeOpened,
    ),
    (
        "CUSTOMER.DISPUTE.UPDATED:ARBITRATION",
        Meaning::DisputeOpened,
    ),
    ("CUSTOMER.DISPUTE.UPDATED", Meaning::Ignore),
    (
        "CUSTOMER.DISPUTE.RESOLVED:RESOLVED_BUYER_FAVOUR",
        Meaning::DisputeLost,
    ),
    (
        "CUSTOMER.DISPUTE.RESOLVED:ACCEPTED",
        Meaning::DisputeAccepted,
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
    // PayPal pays from its own: what it takes of the shop comes as a refund or a reversal.
    (
        "CUSTOMER.DISPUTE.RESOLVED:RESOLVED_WITH_PAYOUT",
        Meaning::DisputeExpired,
    ),
    ("CUSTOMER.DISPUTE.RESOLVED:NONE", Meaning::DisputeExpired),
];

/// PayPal sends a webhook again for three days. The signature covers a checksum of 32 bits only, for
/// which another body can be found: it must not be good for ever.
const FRESH_MILLIS: i64 = 3 * 86_400_000 + CLOCK_MILLIS;
/// How far its clock and ours may be apart.
const CLOCK_MILLIS: i64 = 300_000;

/// What is to be verified: RSA-SHA256, PKCS #1 v1.5.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmission {
    pub certificate_url: String,
    pub signed: String,
    pub signature: Vec<u8>,
    made_at: Timestamp,
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
        made_at: moment(time).ok_or(Unverified::Header("paypal-transmission-time"))?,
        certificate_url: header("paypal-cert-url")?.to_owned(),
        signed: format!("{id}|{time}|{webhook_id}|{checksum}"),
        signature: BASE64
            .decode(header("paypal-transmission-sig")?)
            .map_err(|_| Unverified::Header("paypal-transmission-sig"))?,
    })
}

impl Transmission {
    /// To be asked once the signature is known to be right: only then is the time PayPal's.
    ///
    /// # Errors
    /// [`Unverified::Stale`] when it was made more than three days ago, or later than now.
    pub fn check_fresh(&self, now: Timestamp) -> Result<(), Unverified> {
        let age = now.millis().saturating_sub(self.made_at.millis());
        if (-CLOCK_MILLIS..=FRESH_MILLIS).contains(&age) {
            return Ok(());
        }
        let seconds = age / 1_000;
        Err(Unverified::Stale { seconds })
    }
}

fn moment(text: &str) -> Option<Timestamp> {
    let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    let millis = at.unix_timestamp_nanos() / 1_000_000;
    Some(Timestamp::from_millis(i64::try_from(millis).ok()?))
}

/// Whether a certificate of this name is one that PayPal signs with. Its SDKs ask for
/// `messageverificationcerts…paypal.com`; any name below `paypal.com` is PayPal's own as well, and a
/// certificate of a public authority for anybody else is not.
#[must_use]
pub fn is_own_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "paypal.com" || name.ends_with(".paypal.com")
}

const ORDER: &[&str] = &[
    "/custom_id",
    "/invoice_id",
    "/purchase_units/0/custom_id",
    "/purchase_units/0/invoice_id",
    "/disputed_transactions/0/custom",
    "/disputed_transactions/0/invoice_number",
];

pub fn read(body: &Json) -> Result<Told, EventError> {
    let kind = body.required("/event_type", "event_type")?;
    let resource = body
        .part("/resource")
        .ok_or(EventError::Field("resource"))?;
    let told = Told {
        dedup_key: body.required("/id", "id")?,
        order: resource.order(ORDER),
        named: resource.named(ORDER),
        mode: mode(&[body, &resource]),
        occurred_at: body.rfc3339("/create_time"),
        ..Told::default()
    };
    let (condition, told) = match kind.as_str() {
        "PAYMENT.CAPTURE.REFUNDED"
        | "PAYMENT.CAPTURE.REVERSED"
        | "PAYMENT.REFUND.PENDING"
        | "PAYMENT.REFUND.FAILED" => (None, returned(&resource, told)),
        _ if kind.starts_with("CUSTOMER.DISPUTE.") || kind.starts_with("RISK.DISPUTE.") => {
            dispute(&kind, &resource, told)
        }
        _ => (None, payment(&resource, told)),
    };
    Ok(Told {
        word: match condition {
            Some(condition) => format!("{kind}:{condition}"),
            None => kind,
        },
        ..told
    })
}

/// An order, an authorisation or a capture. An approval that is taken back names its order by `order_id`.
fn payment(resource: &Json, told: Told) -> Told {
    Told {
        attempt: resource.attempt(&["/id", "/order_id"]),
        amount: money(resource, "/amount"),
        ..told
    }
}

/// A refund, which names its capture by a link upwards; or the capture itself, which tells only whether
/// all of it went back.
fn returned(resource: &Json, told: Told) -> Told {
    if let Some(capture) = capture_of(resource) {
        let amount = money(resource, "/amount");
        return Told {
            attempt: Some(capture),
            refund: resource.refund(&["/id"]),
            refunded: ToldRefund::Part(amount.clone()),
            disputed: amount,
            ..told
        };
    }
    let status = resource.text("/status").unwrap_or_default();
    let is_whole = matches!(status.as_str(), "REFUNDED" | "REVERSED");
    let unknown = Amount::unreadable(&format!(
        "a capture of status {status}, without its refunds"
    ));
    Told {
        attempt: resource.attempt(&["/id"]),
        refunded: if is_whole {
            ToldRefund::Whole
        } else {
            ToldRefund::Part(unknown.clone())
        },
        disputed: if is_whole { Amount::NotTold } else { unknown },
        ..told
    }
}

fn capture_of(refund: &Json) -> Option<AttemptId> {
    refund
        .attempt(&["/supplementary_data/related_ids/capture_id"])
        .or_else(|| {
            let up = link(refund, "up")?;
            let (_, id) = up.rsplit_once("/captures/")?;
            AttemptId::new(id).ok()
        })
}

/// *Dispute*: `dispute_life_cycle_stage`, `dispute_outcome`, `dispute_amount`, `disputed_transactions`.
fn dispute(kind: &str, resource: &Json, told: Told) -> (Option<String>, Told) {
    let condition = match kind {
        "CUSTOMER.DISPUTE.RESOLVED" => resource.text("/dispute_outcome/outcome_code"),
        "CUSTOMER.DISPUTE.CREATED" | "CUSTOMER.DISPUTE.UPDATED" => {
            resource.text("/dispute_life_cycle_stage")
        }
        _ => None,
    };
    let of_all = money(resource, "/dispute_outcome/amount_refunded")
        .or(|| money(resource, "/dispute_amount"));
    let payments = resource
        .list("/disputed_transactions")
        .map_or(1, |all| all.len());
    let told = Told {
        attempt: resource.attempt(&["/disputed_transactions/0/seller_transaction_id"]),
        dispute: resource.dispute(&["/dispute_id"]),
        // How one amount is divided among several payments is not told.
        disputed: if payments > 1 {
            let sum = of_all
                .money()
                .map_or_else(|| "a sum".to_owned(), |sum| sum.to_string());
            Amount::unreadable(&format!("{sum} of {payments} payments"))
        } else {
            of_all
        },
        ..told
    };
    (condition, told)
}

fn money(resource: &Json, pointer: &str) -> Amount {
    resource.decimal(
        &format!("{pointer}/value"),
        &format!("{pointer}/currency_code"),
    )
}

fn link(resource: &Json, rel: &str) -> Option<String> {
    let links = resource.at("/links")?.as_array()?;
    let link = links
        .iter()
        .find(|link| link.get("rel").and_then(Value::as_str) == Some(rel))?;
    link.get("href")?.as_str().map(ToOwned::to_owned)
}

/// By the host of its links: `api.sandbox.paypal.com`, or `api.paypal.com`.
fn mode(documents: &[&Json]) -> Option<Mode> {
    let links = documents
        .iter()
        .filter_map(|document| document.at("/links")?.as_array());
    let mut hosts = links.flatten().filter_map(|link| {
        let address = link.get("href")?.as_str()?.strip_prefix("https://")?;
        address.split('/').next()
    });
    hosts.find_map(|host| {
        let name = host.strip_suffix(".paypal.com")?;
        Some(if name.split('.').any(|part| part == "sandbox") {
            Mode::Sandbox
        } else {
            Mode::Default
        })
    })
}
