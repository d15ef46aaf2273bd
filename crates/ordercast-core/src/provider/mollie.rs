//! Mollie. The order is named by `metadata.order_id` of the payment; the payment by its id. Classic
//! webhooks say only which payment to ask for; the newer ones are signed and hold it.
//!
//! Each event, what it means for money and what is done with it: [`MAPPING`], and the table of this
//! provider in `docs/providers.md`. Read on 2026-11-28: *Webhooks*, *Next-gen webhooks*, the webhooks of payments,
//! refunds and chargebacks, and the types of its package 1.12.28.

use super::{
    Amount, Event, EventError, Mapping, Meaning, Request, SourceSettings,
    json::Json,
    question::{self, About, Answer, Api, Authorization, Paper, Question, Thin},
    signature::{Unverified, is_hex, matching, required},
    told::{RENEWAL, Told, ToldRefund},
};
use crate::{Timestamp, ids::AttemptId, order::Mode};

pub const MAPPING: &[(&str, Meaning)] = &[
    ("payment:open", Meaning::Ignore),
    ("payment:pending", Meaning::Pending),
    ("payment:authorized", Meaning::Authorized),
    ("payment:paid", Meaning::Paid),
    // Taken in parts, which are told of one by one.
    ("payment:captured", Meaning::Ignore),
    ("payment:failed", Meaning::Failed),
    ("payment:canceled", Meaning::Failed),
    ("payment:expired", Meaning::Failed),
    // Of a subscription: none of the order that began it.
    ("payment:renewal", Meaning::Ignore),
    // The sum, of a payment that is shown without its refunds and chargebacks.
    ("payment.refunded", Meaning::Refunded),
    ("payment.charged_back", Meaning::DisputeLost),
    ("capture:pending", Meaning::Ignore),
    ("capture:succeeded", Meaning::Captured),
    ("capture:failed", Meaning::CaptureFailed),
    ("refund:queued", Meaning::Ignore),
    ("refund:pending", Meaning::Ignore),
    ("refund:canceled", Meaning::Ignore),
    // From here on it cannot be called off.
    ("refund:processing", Meaning::Refunded),
    ("refund:refunded", Meaning::Refunded),
    ("refund:failed", Meaning::RefundReversed),
    ("chargeback", Meaning::DisputeLost),
    ("chargeback:reversed", Meaning::DisputeWon),
    // What an order is, its payments say.
    ("order", Meaning::Ignore),
    // Its payment is told by itself.
    ("payment-link.paid", Meaning::Ignore),
    ("balance-transaction.created", Meaning::Ignore),
    ("payout.initiated", Meaning::Ignore),
    ("payout.processing-at-bank", Meaning::Ignore),
    ("payout.completed", Meaning::Ignore),
    ("payout.canceled", Meaning::Ignore),
    ("payout.failed", Meaning::Ignore),
    ("sales-invoice.created", Meaning::Ignore),
    ("sales-invoice.issued", Meaning::Ignore),
    ("sales-invoice.canceled", Meaning::Ignore),
    ("sales-invoice.paid", Meaning::Ignore),
];

/// `X-Mollie-Signature: sha256=<hex>` over the body; twice while a secret is changed.
pub fn verify(request: Request<'_>, secret: &str, _: Timestamp) -> Result<(), Unverified> {
    required(request, "x-mollie-signature")?;
    let is_signed = request
        .all("x-mollie-signature")
        .flat_map(|header| header.split(','))
        .fold(false, |is_signed, signature| {
            let hex = signature.trim().strip_prefix("sha256=").unwrap_or_default();
            is_signed | is_hex(secret.as_bytes(), request.body, hex)
        });
    matching(is_signed)
}

pub const API: Api = Api {
    host: "https://api.mollie.com",
    authorization: Authorization::Bearer,
    headers: &[],
};

/// Payments API, *Get payment*: Mollie finds payments by their own ids only, so those are asked for that
/// have been heard of; without one, *List payments*, the newest, of which one may name the order.
pub fn questions(about: &About<'_>) -> Vec<Question> {
    let heard_of = about.attempts.iter().map(AttemptId::as_str);
    let known: Vec<_> = heard_of.filter_map(get_payment).collect();
    if !known.is_empty() {
        return known;
    }
    let order = about.order;
    let read = move |found: &Json| {
        let payments = found.list("/_embedded/payments").unwrap_or_default();
        let named = payments
            .into_iter()
            .filter(|payment| payment.reference("/metadata").0 == Some(order));
        let papers = named.map(|payment| paper(&payment));
        Ok(Answer::of(papers.collect::<Result<Vec<_>, _>>()?))
    };
    vec![Question::new("/v2/payments?limit=250".to_owned(), read)]
}

fn get_payment(id: &str) -> Option<Question> {
    let id = question::plain(id, "tr_")?;
    Some(asked(format!(
        "/v2/payments/{id}?embed=captures%2Crefunds%2Cchargebacks"
    )))
}

/// Orders API, *Get order*.
fn get_order(id: &str) -> Option<Question> {
    let id = question::plain(id, "ord_")?;
    Some(asked(format!("/v2/orders/{id}?embed=payments%2Crefunds")))
}

fn asked(path: String) -> Question {
    Question::new(path, |entity| Ok(Answer::of([paper(entity)?])))
}

fn paper(entity: &Json) -> Result<Paper, EventError> {
    let body = entity.at("").ok_or(EventError::Field("the payment"))?;
    let told = of_entity(entity)?;
    Ok(Paper::new(body, told.ok_or(EventError::Field("resource"))?))
}

/// `id=tr_...` or `id=ord_...`, as a form: what it is worth is what Mollie says of it.
pub fn thin(body: &[u8]) -> Option<Thin> {
    let text = std::str::from_utf8(body).ok()?;
    let id = text
        .trim()
        .split('&')
        .find_map(|pair| pair.strip_prefix("id="))?;
    let payment = get_payment(id).map(|question| ("payment", question));
    let (kind, question) = payment.or_else(|| Some(("order", get_order(id)?)))?;
    Some(Thin {
        kind: kind.to_owned(),
        dedup_key: None,
        question,
    })
}

/// A newer event with a *simple* payload, which holds nothing: what it names is asked for by the link
/// that it gives, on Mollie's own host and below a payment.
pub fn thin_event(body: &Json) -> Option<Thin> {
    if body.text("/resource")? != "event" || body.at("/_embedded/entity").is_some() {
        return None;
    }
    let kind = body.text("/type")?;
    let entity = body.text("/entityId")?;
    let question = get_payment(&entity).or_else(|| {
        let link = body.text("/_links/entity/href")?;
        let (payment, rest) = link
            .strip_prefix(API.host)?
            .strip_prefix("/v2/payments/")?
            .split_once('/')?;
        let payment = question::plain(payment, "tr_")?;
        let (list, id) = rest.split_once('/')?;
        let is_known = matches!(list, "refunds" | "captures" | "chargebacks") && id == entity;
        let id = question::plain(id, "")?;
        is_known.then(|| asked(format!("/v2/payments/{payment}/{list}/{id}")))
    })?;
    Some(Thin {
        kind,
        dedup_key: body.text("/id"),
        question,
    })
}

/// A signed event. What it is about stands inside, or the body is the thing itself; without it there is
/// nothing that could be believed.
pub fn event(body: &Json, body_hash: &str) -> Result<Vec<Told>, EventError> {
    let is_event = body.part("/_embedded/entity").is_some() || body.text("/type").is_some();
    let id = if is_event {
        body.required("/id", "id")?
    } else {
        body_hash.to_owned()
    };
    let entity = body.part("/_embedded/entity");
    let entity = if is_event { entity } else { Some(body.clone()) };
    let told = entity.as_ref().map(of_entity).transpose()?.flatten();
    let Some(mut told) = told else {
        return Ok(vec![Told {
            word: body.required("/type", "type")?,
            dedup_key: id,
            attempt: body
                .attempt(&["/entityId"])
                .filter(|entity| entity.as_str().starts_with("tr_")),
            ..Told::default()
        }]);
    };
    for told in &mut told {
        told.dedup_key = format!("{id}:{}", told.dedup_key);
        told.occurred_at = told.occurred_at.or_else(|| body.rfc3339("/createdAt"));
    }
    Ok(told)
}

/// `None`: of a kind that is no payment's.
fn of_entity(entity: &Json) -> Result<Option<Vec<Told>>, EventError> {
    let attempt = || Told {
        attempt: entity.attempt(&["/paymentId"]),
        mode: mode(entity),
        ..Told::default()
    };
    Ok(match entity.text("/resource").as_deref() {
        // What is asked for says what it is; older answers of payments need not.
        Some("payment") => Some(of_payment(entity)?),
        None if entity.at("/status").is_some() => Some(of_payment(entity)?),
        Some("order") => Some(of_order(entity)?),
        Some("refund") => Some(vec![of_refund(entity, &attempt())?]),
        Some("capture") => Some(vec![of_capture(entity, &attempt())?]),
        Some("chargeback") => Some(vec![of_chargeback(entity, &attempt())?]),
        _ => None,
    })
}

/// The payment, or the order with its payments, as Mollie's API gives it: its status, what was taken in
/// parts, and what was given back.
///
/// # Errors
/// [`EventError`] when it is not what Mollie documents.
pub fn payment(body: &[u8], settings: &SourceSettings) -> Result<Vec<Event>, EventError> {
    let mapping = Mapping::new(super::Provider::Mollie, settings);
    let told = of_entity(&Json::parse(body)?)?.ok_or(EventError::Field("resource"))?;
    Ok(told.into_iter().map(|told| told.event(&mapping)).collect())
}

/// Orders API: an order has payments, and those are told. They may name it by the order's metadata only,
/// or by the shop's own number for it.
fn of_order(order: &Json) -> Result<Vec<Told>, EventError> {
    let id = order.required("/id", "id")?;
    let status = order.required("/status", "status")?;
    let (mut number, mut named) = order.reference("/metadata");
    if number.is_none() {
        number = order.order(&["/orderNumber"]);
        named = named.or_else(|| order.named(&["/orderNumber"]));
    }
    let mut told = vec![Told {
        word: format!("order:{status}"),
        dedup_key: format!("{id}:{status}"),
        mode: mode(order),
        ..Told::default()
    }];
    for payment in order.list("/_embedded/payments").unwrap_or_default() {
        for mut part in of_payment(&payment)? {
            if part.word != "payment:renewal" && part.order.is_none() {
                part.order = number;
                part.named = named.clone();
            }
            told.push(part);
        }
    }
    for refund in order.list("/_embedded/refunds").unwrap_or_default() {
        let of = Told {
            attempt: refund.attempt(&["/paymentId"]),
            order: number,
            mode: mode(order),
            ..Told::default()
        };
        told.push(of_refund(&refund, &of)?);
    }
    Ok(told)
}

fn of_payment(payment: &Json) -> Result<Vec<Told>, EventError> {
    let id = payment.required("/id", "id")?;
    let status = payment.required("/status", "status")?;
    // `paidAt`, `canceledAt` and so on.
    let occurred_at = payment
        .rfc3339(&format!("/{status}At"))
        .or_else(|| payment.rfc3339("/createdAt"));
    if is_renewal(payment) {
        return Ok(vec![Told {
            word: "payment:renewal".to_owned(),
            dedup_key: format!("{id}:{status}"),
            attempt: payment.attempt(&["/id"]),
            foreign: Some(RENEWAL),
            mode: mode(payment),
            occurred_at,
            ..Told::default()
        }]);
    }
    let (order, named) = payment.reference("/metadata");
    let price = money(payment, "/amount");
    // Less than the amount where a payment is taken in parts.
    let captured = money(payment, "/amountCaptured").unless_zero();
    let base = Told {
        order,
        named,
        attempt: payment.attempt(&["/id"]),
        total: price.clone(),
        amount: captured.or(|| price),
        mode: mode(payment),
        ..Told::default()
    };
    let captures = payment.list("/_embedded/captures").unwrap_or_default();
    let is_in_parts = status == "paid" && !captures.is_empty();
    let word = if is_in_parts {
        "payment:captured".to_owned()
    } else {
        format!("payment:{status}")
    };
    let mut told = vec![Told {
        word,
        dedup_key: format!("{id}:{status}"),
        occurred_at,
        ..base.clone()
    }];
    for capture in &captures {
        told.push(of_capture(capture, &base)?);
    }
    give_back(payment, &base, &id, &mut told)?;
    Ok(told)
}

/// What was given back of a payment, and what banks took: one by one where it is shown so, or the sums.
fn give_back(
    payment: &Json,
    base: &Told,
    id: &str,
    told: &mut Vec<Told>,
) -> Result<(), EventError> {
    if let Some(refunds) = payment.list("/_embedded/refunds") {
        for refund in refunds {
            told.push(of_refund(&refund, base)?);
        }
    } else if let Some(sum) = sum(payment, "/amountRefunded") {
        told.push(Told {
            word: "payment.refunded".to_owned(),
            dedup_key: format!("{id}:refunded:{}", shown(&sum)),
            refunded: ToldRefund::Total(sum),
            ..base.clone()
        });
    }
    if let Some(chargebacks) = payment.list("/_embedded/chargebacks") {
        for chargeback in chargebacks {
            told.push(of_chargeback(&chargeback, base)?);
        }
    } else if let Some(sum) = sum(payment, "/amountChargedBack") {
        told.push(Told {
            word: "payment.charged_back".to_owned(),
            dedup_key: format!("{id}:charged_back:{}", shown(&sum)),
            disputed: sum,
            ..base.clone()
        });
    }
    Ok(())
}

/// Taken by a subscription, which copies its own metadata into each payment.
fn is_renewal(payment: &Json) -> bool {
    payment.at("/subscriptionId").is_some()
}

fn mode(entity: &Json) -> Option<Mode> {
    match entity.text("/mode")?.as_str() {
        "test" => Some(Mode::Sandbox),
        "live" => Some(Mode::Default),
        _ => None,
    }
}

fn money(entity: &Json, field: &str) -> Amount {
    entity.decimal(&format!("{field}/value"), &format!("{field}/currency"))
}

/// One of zero is none.
fn sum(payment: &Json, field: &str) -> Option<Amount> {
    Some(money(payment, field).unless_zero()).filter(Amount::is_told)
}

fn shown(sum: &Amount) -> String {
    match sum {
        Amount::Told(money) => money.minor.to_string(),
        Amount::Unreadable(told) => told.clone(),
        Amount::NotTold => String::new(),
    }
}

/// By its own id: a sum cannot tell a refund that failed from one that never was.
fn of_refund(refund: &Json, of: &Told) -> Result<Told, EventError> {
    let id = refund.required("/id", "the refund's id")?;
    let status = refund.required("/status", "the refund's status")?;
    Ok(Told {
        word: format!("refund:{status}"),
        dedup_key: format!("{id}:{status}"),
        refund: refund.refund(&["/id"]),
        refunded: ToldRefund::Part(money(refund, "/amount")),
        amount: Amount::NotTold,
        occurred_at: None,
        ..of.clone()
    })
}

fn of_capture(capture: &Json, of: &Told) -> Result<Told, EventError> {
    let id = capture.required("/id", "the capture's id")?;
    let status = capture
        .text("/status")
        .unwrap_or_else(|| "succeeded".to_owned());
    Ok(Told {
        word: format!("capture:{status}"),
        dedup_key: format!("{id}:{status}"),
        capture: capture.capture(&["/id"]),
        amount: money(capture, "/amount"),
        occurred_at: capture.rfc3339("/createdAt"),
        ..of.clone()
    })
}

fn of_chargeback(chargeback: &Json, of: &Told) -> Result<Told, EventError> {
    let id = chargeback.required("/id", "the chargeback's id")?;
    let reversed_at = chargeback.rfc3339("/reversedAt");
    let word = match reversed_at {
        Some(_) => "chargeback:reversed",
        None => "chargeback",
    };
    Ok(Told {
        word: word.to_owned(),
        dedup_key: format!("{id}:{word}"),
        dispute: chargeback.dispute(&["/id"]),
        disputed: money(chargeback, "/amount"),
        amount: Amount::NotTold,
        occurred_at: reversed_at.or_else(|| chargeback.rfc3339("/createdAt")),
        ..of.clone()
    })
}
