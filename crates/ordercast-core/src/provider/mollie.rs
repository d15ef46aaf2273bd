//! Mollie. The order is named by `metadata.order_id` of the payment; the payment by its id. Classic
//! webhooks say only which payment to ask for; the newer ones are signed and hold it.

use super::{
    Amount, Event, EventError, Mapping, Meaning, Request, SourceSettings,
    json::Json,
    question::{self, About, Answer, Api, Authorization, Paper, Question, Thin},
    signature::{Unverified, is_hex, matching, required},
    told::{Told, ToldRefund},
};
use crate::{Timestamp, ids::AttemptId};

pub const MAPPING: &[(&str, Meaning)] = &[
    ("payment:open", Meaning::Ignore),
    ("payment:pending", Meaning::Pending),
    ("payment:authorized", Meaning::Authorized),
    ("payment:paid", Meaning::Paid),
    ("payment:failed", Meaning::Failed),
    ("payment:canceled", Meaning::Failed),
    ("payment:expired", Meaning::Failed),
    // The sum, of a payment that is shown without its refunds and chargebacks.
    ("payment.refunded", Meaning::Refunded),
    ("payment.charged_back", Meaning::DisputeLost),
    ("refund:queued", Meaning::Ignore),
    ("refund:pending", Meaning::Ignore),
    ("refund:canceled", Meaning::Ignore),
    // From here on it cannot be called off.
    ("refund:processing", Meaning::Refunded),
    ("refund:refunded", Meaning::Refunded),
    ("refund:failed", Meaning::RefundReversed),
    ("chargeback", Meaning::DisputeLost),
    ("chargeback:reversed", Meaning::DisputeWon),
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
            .filter(|payment| payment.order(&["/metadata/order_id"]) == Some(order));
        let papers = named.map(|payment| paper(&payment));
        Ok(Answer::of(papers.collect::<Result<Vec<_>, _>>()?))
    };
    vec![Question::new("/v2/payments?limit=250".to_owned(), read)]
}

fn get_payment(id: &str) -> Option<Question> {
    let id = question::plain(id, "tr_")?;
    let path = format!("/v2/payments/{id}?embed=refunds%2Cchargebacks");
    Some(Question::new(path, |payment| {
        Ok(Answer::of([paper(payment)?]))
    }))
}

fn paper(payment: &Json) -> Result<Paper, EventError> {
    let body = payment.at("").ok_or(EventError::Field("the payment"))?;
    Ok(Paper::new(body, of_payment(payment)?))
}

/// `id=tr_...`, as a form: what the payment is worth is what Mollie says of it.
pub fn thin(body: &[u8]) -> Option<Thin> {
    let text = std::str::from_utf8(body).ok()?;
    let id = text
        .trim()
        .split('&')
        .find_map(|pair| pair.strip_prefix("id="))?;
    Some(Thin {
        kind: "payment".to_owned(),
        dedup_key: None,
        question: get_payment(id)?,
    })
}

/// A signed event; without the payment or refund inside it says nothing that could be believed.
pub fn event(body: &Json) -> Result<Vec<Told>, EventError> {
    let id = body.required("/id", "id")?;
    let entity = body.part("/_embedded/entity");
    let resource = entity.as_ref().and_then(|entity| entity.text("/resource"));
    let mut told = match (entity, resource.as_deref()) {
        (Some(payment), Some("payment")) => of_payment(&payment)?,
        (Some(refund), Some("refund")) => {
            vec![of_refund(&refund, refund.attempt(&["/paymentId"]))?]
        }
        _ => {
            return Ok(vec![Told {
                word: body.required("/type", "type")?,
                dedup_key: id,
                attempt: body.attempt(&["/entityId"]),
                ..Told::default()
            }]);
        }
    };
    for told in &mut told {
        told.dedup_key = format!("{id}:{}", told.dedup_key);
        told.occurred_at = told.occurred_at.or_else(|| body.rfc3339("/createdAt"));
    }
    Ok(told)
}

/// The payment as Mollie's API gives it: its status, and what was given back of it.
///
/// # Errors
/// [`EventError`] when it is not what Mollie documents.
pub fn payment(body: &[u8], settings: &SourceSettings) -> Result<Vec<Event>, EventError> {
    let mapping = Mapping::new(super::Provider::Mollie, settings);
    let told = of_payment(&Json::parse(body)?)?;
    Ok(told.into_iter().map(|told| told.event(&mapping)).collect())
}

fn of_payment(payment: &Json) -> Result<Vec<Told>, EventError> {
    let id = payment.required("/id", "id")?;
    let status = payment.required("/status", "status")?;
    let base = Told {
        order: payment.order(&["/metadata/order_id"]),
        attempt: payment.attempt(&["/id"]),
        amount: payment.decimal("/amount/value", "/amount/currency"),
        ..Told::default()
    };
    let mut told = vec![Told {
        word: format!("payment:{status}"),
        dedup_key: format!("{id}:{status}"),
        // `paidAt`, `canceledAt` and so on.
        occurred_at: payment
            .rfc3339(&format!("/{status}At"))
            .or_else(|| payment.rfc3339("/createdAt")),
        ..base.clone()
    }];
    let sum = |field: &str| {
        let amount = payment.decimal(&format!("{field}/value"), &format!("{field}/currency"));
        amount.unless_zero()
    };
    if let Some(refunds) = payment.list("/_embedded/refunds") {
        for refund in refunds {
            told.push(of_refund(&refund, base.attempt.clone())?);
        }
    } else if let amount = sum("/amountRefunded")
        && amount.is_told()
    {
        told.push(Told {
            word: "payment.refunded".to_owned(),
            dedup_key: format!("{id}:refunded:{}", key_of(&amount)),
            refunded: ToldRefund::Total(amount),
            ..base.clone()
        });
    }
    if let Some(chargebacks) = payment.list("/_embedded/chargebacks") {
        for chargeback in chargebacks {
            told.push(of_chargeback(&chargeback, &base)?);
        }
    } else if let amount = sum("/amountChargedBack")
        && amount.is_told()
    {
        told.push(Told {
            word: "payment.charged_back".to_owned(),
            dedup_key: format!("{id}:charged_back:{}", key_of(&amount)),
            disputed: amount,
            ..base
        });
    }
    Ok(told)
}

/// A sum that grows is news each time.
fn key_of(amount: &Amount) -> String {
    match amount {
        Amount::Told(money) => money.minor.to_string(),
        Amount::Unreadable(told) => told.clone(),
        Amount::NotTold => String::new(),
    }
}

/// By its own id: a sum cannot tell a refund that failed from one that never was.
fn of_refund(refund: &Json, attempt: Option<AttemptId>) -> Result<Told, EventError> {
    let id = refund.required("/id", "the refund's id")?;
    let status = refund.required("/status", "the refund's status")?;
    Ok(Told {
        word: format!("refund:{status}"),
        dedup_key: format!("{id}:{status}"),
        attempt,
        refund: refund.refund(&["/id"]),
        refunded: ToldRefund::Part(refund.decimal("/amount/value", "/amount/currency")),
        ..Told::default()
    })
}

fn of_chargeback(chargeback: &Json, payment: &Told) -> Result<Told, EventError> {
    let id = chargeback.required("/id", "the chargeback's id")?;
    let reversed_at = chargeback.rfc3339("/reversedAt");
    let word = match reversed_at {
        Some(_) => "chargeback:reversed",
        None => "chargeback",
    };
    Ok(Told {
        word: word.to_owned(),
        dedup_key: format!("{id}:{word}"),
        disputed: chargeback.decimal("/amount/value", "/amount/currency"),
        occurred_at: reversed_at.or_else(|| chargeback.rfc3339("/createdAt")),
        amount: Amount::NotTold,
        ..payment.clone()
    })
}
