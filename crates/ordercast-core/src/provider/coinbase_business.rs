//! Coinbase Business. The order is named by `metadata.order_id` of the checkout; the payment by the
//! checkout. Checkouts count in USDC, and may tell the shop's own currency beside it.
//!
//! Each event, what it means for money and what is done with it: [`MAPPING`], and the table of this
//! provider in `docs/providers.md`. Read on 2026-11-28: *Checkout APIs: webhooks*, *sandbox*, *create checkout*.

use super::{
    Amount, EventError, Meaning, Request,
    json::Json,
    signature::{Unverified, is_hex, matching, members, recent, required},
    told::{Told, ToldRefund},
};
use crate::{Timestamp, order::Mode};

pub const MAPPING: &[(&str, Meaning)] = &[
    ("checkout.payment.success", Meaning::Paid),
    ("checkout.payment.failed", Meaning::Failed),
    ("checkout.payment.expired", Meaning::Failed),
    ("checkout.refund.success", Meaning::Refunded),
    ("checkout.refund.failed", Meaning::RefundReversed),
    // Not an event of its own: a refund in the list of another's that is on its way.
    ("checkout.refund.pending", Meaning::Ignore),
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

/// Refunds of one checkout that are looked at.
const REFUNDS_MAX: usize = 100;

/// Its fields stand in `data`, or at the top.
pub fn read(body: &Json, body_hash: &str) -> Result<Vec<Told>, EventError> {
    let data = body.part("/data").unwrap_or_else(|| body.clone());
    let word = body
        .any(&["/eventType", "/event_type", "/type"])
        .ok_or(EventError::Field("eventType"))?;
    let (order, named) = data.reference("/metadata");
    let (amount, equivalent) = amounts(&data);
    let base = Told {
        word: word.clone(),
        dedup_key: body
            .any(&["/eventId", "/event_id"])
            .unwrap_or_else(|| body_hash.to_owned()),
        order,
        named,
        attempt: data.attempt(&["/checkoutId", "/id"]),
        total: amount.clone(),
        amount,
        equivalent,
        refund: data.refund(&["/refundId", "/refund/id"]),
        mode: mode(&data),
        occurred_at: data
            .rfc3339("/updatedAt")
            .or_else(|| body.rfc3339("/timestamp")),
        ..Told::default()
    };
    if word.starts_with("checkout.refund.") {
        Ok(refunds(&data, base))
    } else {
        Ok(vec![base])
    }
}

/// What was paid, in the shop's own currency if that is told, and the same in the currency of the chain.
fn amounts(data: &Json) -> (Amount, Amount) {
    let crypto = data.decimal("/amount", "/currency");
    let fiat = data.decimal("/fiatAmount", "/fiatCurrency");
    match (&fiat, &crypto) {
        (Amount::Told(_), _) => (fiat, crypto),
        (Amount::Unreadable(_), Amount::NotTold) => (fiat, crypto),
        _ => (crypto, fiat),
    }
}

/// All of it, or the refunds that it lists one by one.
fn refunds(data: &Json, base: Told) -> Vec<Told> {
    let listed = data.list("/refunds").unwrap_or_default();
    let status = data.text("/status").unwrap_or_default();
    if status == "REFUNDED" && base.word == "checkout.refund.success" {
        let only = match listed.as_slice() {
            [one] => one.refund(&["/id"]),
            _ => None,
        };
        return vec![Told {
            refund: base.refund.clone().or(only),
            refunded: ToldRefund::Whole,
            ..base
        }];
    }
    if listed.is_empty() {
        let total = data.decimal("/refundedAmount", "/currency");
        let refunded = match (total, status.as_str()) {
            (Amount::NotTold, "PARTIALLY_REFUNDED") => ToldRefund::Part(Amount::NotTold),
            (Amount::NotTold, _) => ToldRefund::Whole,
            (total, _) => ToldRefund::Total(total),
        };
        return vec![Told { refunded, ..base }];
    }
    let told = listed.iter().take(REFUNDS_MAX).enumerate();
    let told = told.map(|(place, refund)| {
        let state = match refund.text("/status").as_deref() {
            Some("COMPLETED") => "success",
            Some("FAILED") => "failed",
            _ => "pending",
        };
        Told {
            word: format!("checkout.refund.{state}"),
            dedup_key: format!("{}:{place}", base.dedup_key),
            refund: refund.refund(&["/id"]),
            refunded: ToldRefund::Part(refund.decimal("/amount", "/currency")),
            ..base.clone()
        }
    });
    told.collect()
}

/// A sandbox settles on a test chain; that a checkout is real money it does not say.
fn mode(data: &Json) -> Option<Mode> {
    let network = data.text("/network")?.to_ascii_lowercase();
    let is_test = ["sepolia", "goerli", "testnet"]
        .iter()
        .any(|chain| network.contains(chain));
    is_test.then_some(Mode::Sandbox)
}
