//! Adyen. The order is named by `merchantReference`; the payment by the PSP reference of its
//! authorisation. One body may hold several items, each with its own signature.
//!
//! Read on 2026-11-28: the specification of Adyen's webhooks (`Webhooks-v1` of its OpenAPI repository),
//! *Capture*, *Failed captures and refunds*, *Dispute webhooks*, and the types of the packages
//! `@adyen/api-library` 32.1.0 and `Adyen` 16.0.0. What each word means for money stands in
//! `docs/providers.md`, which a test holds against this table.
//!
//! Adyen has no API that tells what became of a payment: it tells by webhooks and reports only, so there
//! are no questions to ask.

mod item;
mod signature;

pub use signature::{check_secret, verify};

use super::{Event, EventError, Mapping, Meaning, Subject, json::Json, told::Told};
use serde_json::Value;

/// `success` decides, so it is part of the word.
pub const MAPPING: &[(&str, Meaning)] = &[
    // With automatic capture; sources that capture by hand map it to `authorized`.
    ("AUTHORISATION:true", Meaning::Paid),
    ("AUTHORISATION:false", Meaning::Failed),
    ("AUTHORISATION_ADJUSTMENT", Meaning::Ignore),
    ("PENDING", Meaning::Pending),
    // Each by its own PSP reference: an authorisation may be captured in parts.
    ("CAPTURE:true", Meaning::Captured),
    ("CAPTURE:false", Meaning::CaptureFailed),
    // The card scheme refused what was told as captured. If Adyen succeeds later, CAPTURE comes again.
    ("CAPTURE_FAILED", Meaning::CaptureFailed),
    // Only what was not captured can be cancelled: with automatic capture it had been told as paid.
    ("CANCELLATION:true", Meaning::CaptureFailed),
    ("CANCELLATION:false", Meaning::Ignore),
    ("TECHNICAL_CANCEL:true", Meaning::CaptureFailed),
    ("TECHNICAL_CANCEL:false", Meaning::Ignore),
    ("CANCEL_OR_REFUND:cancel", Meaning::CaptureFailed),
    ("CANCEL_OR_REFUND:true", Meaning::Refunded),
    ("CANCEL_OR_REFUND:false", Meaning::Ignore),
    // What was left of an authorisation and not captured in time.
    ("EXPIRE", Meaning::CaptureFailed),
    ("OFFER_CLOSED", Meaning::Failed),
    ("REFUND:true", Meaning::Refunded),
    ("REFUND:false", Meaning::RefundReversed),
    // A refund that was told as done can still fail.
    ("REFUND_FAILED", Meaning::RefundReversed),
    ("REFUNDED_REVERSED", Meaning::RefundReversed),
    ("POSTPONED_REFUND", Meaning::Ignore),
    ("NOTIFICATION_OF_FRAUD", Meaning::Ignore),
    ("REQUEST_FOR_INFORMATION", Meaning::DisputeInquiry),
    ("NOTIFICATION_OF_CHARGEBACK", Meaning::DisputeOpened),
    ("INFORMATION_SUPPLIED", Meaning::Ignore),
    ("ISSUER_COMMENTS", Meaning::Ignore),
    ("DISPUTE_DEFENSE_PERIOD_ENDED", Meaning::Ignore),
    // The disputed amount is deducted.
    ("CHARGEBACK:true", Meaning::DisputeLost),
    ("CHARGEBACK:false", Meaning::Ignore),
    ("CHARGEBACK_REVERSED", Meaning::DisputeWon),
    ("ISSUER_RESPONSE_TIMEFRAME_EXPIRED", Meaning::DisputeWon),
    // The defence was declined: deducted again, under the same reference.
    ("SECOND_CHARGEBACK", Meaning::DisputeLost),
    // Which of both sides accepted is not documented, so PREARBITRATION_ACCEPTED is not in this table.
    ("PREARBITRATION_OPEN", Meaning::Ignore),
    ("PREARBITRATION_DECLINED", Meaning::Ignore),
    ("PREARBITRATION_ISSUER_WITHDRAWN", Meaning::DisputeWon),
    ("PREARBITRATION_WON", Meaning::DisputeWon),
    ("PREARBITRATION_LOST", Meaning::DisputeLost),
    ("SCHEME_ARBITRATION", Meaning::Ignore),
    ("SCHEME_ARBITRATION_WON", Meaning::DisputeWon),
    ("SCHEME_ARBITRATION_LOST", Meaning::DisputeLost),
    // Of an order that is paid by several payments each has its own AUTHORISATION.
    ("ORDER_OPENED", Meaning::Ignore),
    ("ORDER_CLOSED", Meaning::Ignore),
    ("MANUAL_REVIEW_ACCEPT", Meaning::Ignore),
    ("MANUAL_REVIEW_REJECT", Meaning::Ignore),
    ("CANCEL_AUTORESCUE", Meaning::Ignore),
    ("RECURRING_CONTRACT", Meaning::Ignore),
    ("REPORT_AVAILABLE", Meaning::Ignore),
    ("PROCESS_RETRY", Meaning::Ignore),
    // To others than the buyer, or for another purpose than the order.
    ("DONATION", Meaning::Ignore),
    ("PAYOUT_THIRDPARTY", Meaning::Ignore),
    ("PAYOUT_DECLINE", Meaning::Ignore),
    ("PAYOUT_EXPIRE", Meaning::Ignore),
    ("PAIDOUT_REVERSED", Meaning::Ignore),
];

/// Whether this kind of event moves no money, whatever its item says.
fn moves_no_money(code: &str) -> bool {
    MAPPING.contains(&(code, Meaning::Ignore))
}

/// Each item by itself. Webhooks of Adyen's other products have no items: they are kept by their type.
pub fn read(body: &Json, body_hash: &str, mapping: &Mapping<'_>) -> Result<Vec<Event>, EventError> {
    if body.at("/notificationItems").is_none() {
        let told = Told {
            word: body.required("/type", "notificationItems")?,
            dedup_key: body
                .any(&["/id", "/eventId"])
                .unwrap_or_else(|| body_hash.to_owned()),
            ..Told::default()
        };
        return Ok(vec![told.event(mapping)]);
    }
    let read = |item: &Json| {
        if let Some(event) = item::unsigned(item) {
            return event;
        }
        match item::read(item, body.live("/live")) {
            Ok(told) => told.event(mapping),
            Err(error) => {
                let code = item.text("/eventCode");
                let kind = code.unwrap_or_else(|| "unreadable".to_owned());
                Event::new(kind, Subject::Unreadable(error), None)
            }
        }
    };
    Ok(items(body)?.iter().map(read).collect())
}

fn items(body: &Json) -> Result<Vec<Json>, EventError> {
    let items = body
        .at("/notificationItems")
        .and_then(Value::as_array)
        .ok_or(EventError::Field("notificationItems"))?;
    items
        .iter()
        .map(|item| {
            item.get("NotificationRequestItem")
                .cloned()
                .map(Json::of)
                .ok_or(EventError::Field("NotificationRequestItem"))
        })
        .collect()
}
