//! What Stripe tells of a charge and of its refunds. Before API version 2025-03-31 the part of an
//! authorisation that was not captured came back as a refund; since then it is released without one
//! (changelog of 2025-03-31, "Partially capturing or canceling payments no longer creates a Refund").

use super::{
    super::{
        Amount,
        json::Json,
        told::{Told, ToldRefund},
    },
    minor,
};
use crate::money::Money;

/// The first version in which what is not captured is no refund. Versions begin with their date.
const RELEASES_ARE_NO_REFUNDS: &str = "2025-03-31";

/// `None`: the event does not tell its version.
fn releases_are_refunds(event: &Json) -> Option<bool> {
    let version = event.text("/api_version")?;
    Some(version.as_str() < RELEASES_ARE_NO_REFUNDS)
}

/// *Charge*: `amount`, `amount_captured`, `amount_refunded`, `captured`, `refunded`, `payment_intent`.
pub fn read(event: &Json, kind: &str, charge: &Json, told: Told) -> (Option<String>, Told) {
    let is_captured = charge.flag("/captured").unwrap_or(true);
    let is_direct = charge.at("/payment_intent").is_none();
    let condition = match kind {
        "charge.succeeded" if is_direct && !is_captured => Some("authorized"),
        "charge.succeeded" | "charge.captured" if is_direct => Some("direct"),
        "charge.refunded" if !is_captured => Some("uncaptured"),
        _ => None,
    };
    let told = Told {
        amount: minor(charge, "/amount_captured").or(|| minor(charge, "/amount")),
        refunded: ToldRefund::Total(returned(event, charge)),
        ..told
    };
    (condition.map(ToOwned::to_owned), told)
}

/// *Refund*: `status`, `amount`, `destination_details`.
pub fn refund(event: &Json, kind: &str, refund: &Json, told: Told) -> (Option<String>, Told) {
    let status = refund.text("/status");
    let way = refund.text("/destination_details/card/type");
    let may_be_a_release = status.as_deref() == Some("succeeded")
        && way.as_deref() == Some("reversal")
        && releases_are_refunds(event) == Some(true);
    let told = Told {
        refund: refund.refund(&["/id"]),
        refunded: ToldRefund::Part(minor(refund, "/amount")),
        ..told
    };
    let condition = match kind {
        "refund.failed" => None,
        _ if may_be_a_release => Some("reversal".to_owned()),
        _ => status,
    };
    (condition, told)
}

/// What was given back of a charge until now, without what was never captured.
pub fn returned(event: &Json, charge: &Json) -> Amount {
    let refunded = minor(charge, "/amount_refunded");
    let (whole, captured) = (minor(charge, "/amount"), minor(charge, "/amount_captured"));
    let (Amount::Told(sum), Amount::Told(whole), Amount::Told(captured)) =
        (&refunded, whole, captured)
    else {
        return refunded;
    };
    let uncaptured = whole.minor - captured.minor;
    if uncaptured <= 0 {
        return refunded;
    }
    let holds_the_release = by_its_figures(event, charge, [sum.minor, uncaptured, captured.minor])
        .or_else(|| releases_are_refunds(event));
    let net = match holds_the_release {
        Some(true) => Money::new(sum.minor - uncaptured, sum.currency).ok(),
        Some(false) => Some(*sum),
        None => None,
    };
    let told = format!("{sum} of {whole}, of which {captured} was captured");
    net.map_or_else(|| Amount::unreadable(&told), Amount::Told)
}

/// Whether the sum that came back holds what was never captured, as far as the charge itself shows it:
/// the version is that of the webhook, the capture may have been made in an older one.
fn by_its_figures(
    event: &Json,
    charge: &Json,
    [sum, uncaptured, captured]: [i64; 3],
) -> Option<bool> {
    // It came back with the capture itself.
    if event.flag("/data/previous_attributes/captured") == Some(false) {
        return Some(true);
    }
    if sum < uncaptured {
        return Some(false);
    }
    match charge.flag("/refunded")? {
        // All that was captured came back, though less than was authorised.
        true if sum < uncaptured + captured => Some(false),
        // As much as was captured came back, and yet not all of it.
        false if sum >= captured => Some(true),
        _ => None,
    }
}
