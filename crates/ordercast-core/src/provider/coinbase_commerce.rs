//! Coinbase Commerce. The order is named by `metadata.order_id` of the charge; the payment by the charge,
//! and what came in for it by transactions.
//!
//! Each event, what it means for money and what is done with it: [`MAPPING`], and the table of this
//! provider in `docs/providers.md`. Read on 2026-11-28: *Webhooks fields*, *Payment status*, and charges of the
//! API before, which were settled by hand. It tells no refunds, no disputes and no test mode.

use super::{
    Amount, EventError, Meaning, Request,
    json::Json,
    question::{self, About, Answer, Api, Authorization, Paper, Question},
    signature::{Unverified, is_hex, matching, required},
    told::Told,
};
use crate::{
    Timestamp,
    ids::{AttemptId, CaptureId},
    money::Money,
};
use serde_json::json;

pub const MAPPING: &[(&str, Meaning)] = &[
    ("charge:created", Meaning::Ignore),
    // Seen, not confirmed.
    ("charge:pending", Meaning::Pending),
    ("charge:confirmed", Meaning::Paid),
    // Came after the charge had expired, and is not confirmed yet.
    ("charge:delayed", Meaning::Pending),
    // Somebody of the shop settled it by hand; what came in says what it is worth.
    ("charge:resolved", Meaning::Paid),
    ("charge:failed", Meaning::Failed),
    // Money came in all the same: too late, too little, or before more that is still awaited.
    ("charge:pending:paid", Meaning::Paid),
    ("charge:delayed:paid", Meaning::Paid),
    ("charge:failed:paid", Meaning::Paid),
];

/// `X-CC-Webhook-Signature: <hex>` over the body.
pub fn verify(request: Request<'_>, secret: &str, _: Timestamp) -> Result<(), Unverified> {
    let signature = required(request, "x-cc-webhook-signature")?;
    matching(is_hex(secret.as_bytes(), request.body, signature))
}

const CONFIRMED: &str = "charge:confirmed";
/// Payments of one charge that are looked at.
const PAYMENTS_MAX: usize = 100;
/// In millionths.
const WHOLE: i64 = 1_000_000;

pub const API: Api = Api {
    host: "https://api.commerce.coinbase.com",
    authorization: Authorization::Header("x-cc-api-key"),
    headers: &[("x-cc-version", "2018-03-22")],
};

/// *Show a charge*, of those that have been heard of; without one *List charges*, the newest, of which one
/// may name the order.
pub fn questions(about: &About<'_>) -> Vec<Question> {
    let heard_of = about.attempts.iter().map(AttemptId::as_str);
    let known: Vec<_> = heard_of
        .filter_map(|id| question::segment(id, ""))
        .map(|id| {
            Question::new(format!("/charges/{id}"), |answer| {
                let charge = answer.part("/data").ok_or(EventError::Field("data"))?;
                Ok(Answer::of(of_asked(&charge)?))
            })
        })
        .collect();
    if !known.is_empty() {
        return known;
    }
    let order = about.order;
    let read = move |answer: &Json| {
        let charges = answer.list("/data").unwrap_or_default();
        let named = charges
            .iter()
            .filter(|charge| charge.reference("/metadata").0 == Some(order));
        let papers = named.map(of_asked).collect::<Result<Vec<_>, _>>()?;
        Ok(Answer::of(papers.into_iter().flatten()))
    };
    vec![Question::new("/charges?limit=100".to_owned(), read)]
}

/// The event that would have told where the charge is. `None`: of a state that its webhooks do not tell.
fn of_asked(charge: &Json) -> Result<Option<Paper>, EventError> {
    let timeline = charge.list("/timeline").unwrap_or_default();
    let last = timeline.last();
    let status = last.and_then(|entry| entry.text("/status"));
    let kind = match status.as_deref() {
        Some("COMPLETED") => CONFIRMED,
        Some("PENDING") => "charge:pending",
        Some("UNRESOLVED") => "charge:delayed",
        Some("RESOLVED") => "charge:resolved",
        Some("EXPIRED" | "CANCELED") => "charge:failed",
        _ => return Ok(None),
    };
    let at = last.and_then(|entry| entry.at("/time"));
    let code = charge.any(&["/code", "/id"]).unwrap_or_default();
    let event = json!({ "event": {
        "id": format!("asked:{code}:{kind}"),
        "type": kind,
        "created_at": at,
        "data": charge.at(""),
    } });
    let told = read(&Json::of(event.clone()))?;
    Ok(Some(Paper::new(&event, told)))
}

/// Payments are counted one by one, under their transactions: a charge may be paid in several, too little,
/// too much or too late, and be settled by hand.
pub fn read(body: &Json) -> Result<Vec<Told>, EventError> {
    let event = body.part("/event").ok_or(EventError::Field("event"))?;
    let word = event.required("/type", "event.type")?;
    let id = event.required("/id", "event.id")?;
    let (order, named) = event.reference("/data/metadata");
    let price = event.decimal("/data/pricing/local/amount", "/data/pricing/local/currency");
    let base = Told {
        dedup_key: id.clone(),
        order,
        named,
        attempt: event.attempt(&["/data/code", "/data/id"]),
        total: price.clone(),
        occurred_at: event.rfc3339("/created_at"),
        ..Told::default()
    };
    let came_in = came_in(&event);
    if came_in.is_empty() {
        // Confirmed is the price by Coinbase's word; that a charge is resolved does not say how much.
        let amount = if word == CONFIRMED {
            price
        } else {
            Amount::NotTold
        };
        return Ok(vec![Told {
            word,
            amount,
            ..base
        }]);
    }
    let counted = if word == CONFIRMED {
        in_tolerance(&event, &price, came_in)
    } else {
        came_in
    };
    let word = match word.as_str() {
        CONFIRMED | "charge:resolved" => word,
        _ => format!("{word}:paid"),
    };
    let told = counted.into_iter().map(|(capture, amount)| Told {
        word: word.clone(),
        dedup_key: format!("{id}:{capture}"),
        amount,
        capture: Some(capture),
        ..base.clone()
    });
    Ok(told.collect())
}

/// The payments that are final, each with its transaction and what it is worth in the charge's currency.
fn came_in(event: &Json) -> Vec<(CaptureId, Amount)> {
    let payments = event.list("/data/payments").unwrap_or_default();
    let mut found: Vec<(CaptureId, Amount)> = Vec::new();
    for payment in payments.iter().take(PAYMENTS_MAX) {
        let status = payment.text("/status").unwrap_or_default();
        let is_final = ["CONFIRMED", "COMPLETED", "SUCCESS"]
            .iter()
            .any(|word| status.eq_ignore_ascii_case(word));
        let id = payment.capture(&["/payment_id", "/transaction_id"]);
        let amount = payment.decimal("/value/local/amount", "/value/local/currency");
        match id {
            Some(id) if is_final && found.iter().all(|(known, _)| *known != id) => {
                let amount = if amount.is_told() {
                    amount
                } else {
                    Amount::unreadable("no amount")
                };
                found.push((id, amount));
            }
            _ => {}
        }
    }
    found
}

/// Rates move while a buyer pays. A confirmed charge is paid in full by Coinbase's word: what differs from
/// its price by no more than its own thresholds is made up for in the last payment, and where the payments
/// cannot be summed the price is counted.
fn in_tolerance(
    event: &Json,
    price: &Amount,
    mut came_in: Vec<(CaptureId, Amount)>,
) -> Vec<(CaptureId, Amount)> {
    let Amount::Told(price) = price else {
        return came_in;
    };
    let amounts = came_in.iter().map(|(_, amount)| amount.money());
    let same = amounts.map(|money| money.filter(|money| money.currency == price.currency));
    let sum: Option<i64> = same.map(|money| money.map(|money| money.minor)).sum();
    let Some(sum) = sum else {
        came_in.truncate(1);
        for (_, amount) in &mut came_in {
            *amount = Amount::Told(*price);
        }
        return came_in;
    };
    let difference = price.minor - sum;
    if difference.abs() > tolerance(event, *price, difference > 0) {
        return came_in;
    }
    if let Some((_, amount)) = came_in.last_mut()
        && let Some(money) = amount.money()
        && let Ok(whole) = Money::new(money.minor + difference, money.currency)
    {
        *amount = Amount::Told(whole);
    }
    came_in
}

/// The smaller of both thresholds that the charge was made with; none without both.
fn tolerance(event: &Json, price: Money, is_under: bool) -> i64 {
    let name = if is_under {
        "underpayment"
    } else {
        "overpayment"
    };
    let at = |rest: &str| format!("/data/payment_threshold/{name}_{rest}");
    let absolute = event.decimal(
        &at("absolute_threshold/amount"),
        &at("absolute_threshold/currency"),
    );
    let relative = event
        .text(&at("relative_threshold"))
        .and_then(|text| millionths(&text));
    match (absolute.money(), relative) {
        (Some(absolute), Some(relative)) if absolute.currency == price.currency => {
            let share = i128::from(price.minor) * i128::from(relative) / i128::from(WHOLE);
            absolute.minor.min(i64::try_from(share).unwrap_or_default())
        }
        _ => 0,
    }
}

/// `0.005` is 5000.
fn millionths(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let fraction = fraction.get(..6).unwrap_or(fraction);
    let digits = format!("{whole}{fraction:0<6}");
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| is_plain)
}
