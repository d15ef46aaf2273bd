use crate::said::check;
use ordercast_core::provider::Provider;
use serde_json::{Value, json};

fn payment(kind: &str, subject: Value) -> Value {
    let mut all = json!({ "transaction_id": "tbx-1", "price": { "amount": 1.99, "currency": "USD" },
        "payment_sequence": "oneoff", "custom": { "order_id": 7 } });
    let (all_fields, more) = (all.as_object_mut(), subject.as_object().cloned());
    all_fields
        .expect("an object")
        .extend(more.expect("an object"));
    json!({ "id": "w1", "type": kind, "date": "2026-11-23T10:00:00+00:00", "subject": all })
}

fn row(kind: &str, subject: Value, expected: &str) {
    check(Provider::Tebex, &payment(kind, subject), &[expected]);
}

#[test]
fn each_event_of_its_documentation() {
    for (kind, expected) in [
        ("payment.completed", "7 tbx-1: paid 1.99 USD"),
        ("payment.declined", "7 tbx-1: failed"),
        ("payment.refunded", "7 tbx-1: refund of all"),
        ("payment.dispute.opened", "7 tbx-1: dispute opened"),
        ("payment.dispute.won", "7 tbx-1: dispute won"),
        ("payment.dispute.lost", "7 tbx-1: dispute lost"),
        ("payment.dispute.closed", "7 tbx-1: dispute expired"),
        ("recurring-payment.started", "nothing: kept"),
        ("recurring-payment.renewed", "nothing: kept"),
        ("recurring-payment.ended", "nothing: kept"),
        ("recurring-payment.status-changed", "nothing: kept"),
        ("recurring-payment.cancellation.requested", "nothing: kept"),
        ("recurring-payment.cancellation.aborted", "nothing: kept"),
        ("basket.abandoned", "nothing: kept"),
        ("validation.webhook", "nothing: kept"),
        ("payment.some-new-word", "unknown: kept"),
    ] {
        row(kind, json!({}), expected);
    }
}

#[test]
fn a_renewal_is_none_of_the_order_that_began_it() {
    for kind in [
        "payment.completed",
        "payment.declined",
        "payment.refunded",
        "payment.dispute.lost",
    ] {
        row(
            kind,
            json!({ "payment_sequence": "recurring" }),
            "foreign tbx-1: kept",
        );
    }
    row(
        "payment.completed",
        json!({ "payment_sequence": "first" }),
        "7 tbx-1: paid 1.99 USD",
    );
}

#[test]
fn what_the_buyer_paid_stands_beside_the_price() {
    let euros = json!({ "price_paid": { "amount": 1.85, "currency": "EUR" } });
    row(
        "payment.completed",
        euros,
        "7 tbx-1: paid 1.99 USD or 1.85 EUR",
    );
    let free = json!({ "price": { "amount": 0, "currency": "USD" } });
    row("payment.completed", free, "7 tbx-1: nothing due");
    let test = json!({ "payment_method": { "name": "Test Payments", "refundable": true } });
    row("payment.completed", test, "7 tbx-1: paid 1.99 USD, test");
}

#[test]
fn amounts_that_cannot_be_read_are_never_money() {
    for (amount, currency, told) in [
        (json!("2.505"), json!("USD"), "2.505 USD"),
        (json!(-1.99), json!("USD"), "-1.99 USD"),
        (json!(1.99), json!("USDX"), "1.99 USDX"),
        (json!(1.99), Value::Null, "1.99 in no currency"),
    ] {
        let price = json!({ "price": { "amount": amount, "currency": currency } });
        let expected = format!("7 tbx-1: unreadable Payment: {told}");
        row("payment.completed", price, &expected);
    }
}

#[test]
fn the_order_stands_in_the_custom_field_in_any_of_its_forms() {
    for custom in [
        json!({ "order_id": "7" }),
        json!({ "orderId": 7 }),
        json!("{\"order_id\": 7}"),
        json!("7"),
        json!(7),
        json!({ "order_id": 7.0 }),
    ] {
        row(
            "payment.completed",
            json!({ "custom": custom }),
            "7 tbx-1: paid 1.99 USD",
        );
    }
    let text = json!({ "custom": { "order_id": "INV-9" } });
    row(
        "payment.completed",
        text,
        "tbx-1 (named \"INV-9\"): paid 1.99 USD",
    );
    row(
        "payment.completed",
        json!({ "custom": null }),
        "tbx-1: paid 1.99 USD",
    );
}
