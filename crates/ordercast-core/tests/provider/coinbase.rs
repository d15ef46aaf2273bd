use crate::said::check;
use ordercast_core::provider::Provider;
use serde_json::{Value, json};

/// A charge of 10.00, with what came in for it.
fn charge(kind: &str, payments: &[(&str, &str, &str)]) -> Value {
    let payments: Vec<_> = payments
        .iter()
        .map(|(id, status, amount)| {
            json!({ "transaction_id": id, "status": status,
            "value": { "local": { "amount": amount, "currency": "USD" } } })
        })
        .collect();
    json!({ "event": { "id": "e1", "type": kind, "created_at": "2026-11-23T10:00:00Z", "data": {
        "id": "ch", "code": "ABC", "metadata": { "order_id": "7" },
        "pricing": { "local": { "amount": "10.00", "currency": "USD" } },
        "payment_threshold": {
            "underpayment_absolute_threshold": { "amount": "5.00", "currency": "USD" },
            "underpayment_relative_threshold": "0.005",
            "overpayment_absolute_threshold": { "amount": "5.00", "currency": "USD" },
            "overpayment_relative_threshold": "0.005" },
        "payments": payments } } })
}

#[test]
fn a_charge_is_worth_the_payments_that_came_in() {
    let confirmed = |amount| [("0xa", "CONFIRMED", amount)];
    for (kind, payments, expected) in [
        ("charge:created", &[][..], &["7 ABC: kept"][..]),
        (
            "charge:pending",
            &[("0xa", "PENDING", "10.00")],
            &["7 ABC: pending"],
        ),
        (
            "charge:confirmed",
            &confirmed("10.00"),
            &["7 ABC: paid 0xa 10.00 USD"],
        ),
        // Within both thresholds of the charge it is paid in full; beyond one of them it is not.
        (
            "charge:confirmed",
            &confirmed("9.96"),
            &["7 ABC: paid 0xa 10.00 USD"],
        ),
        (
            "charge:confirmed",
            &confirmed("9.90"),
            &["7 ABC: paid 0xa 9.90 USD"],
        ),
        (
            "charge:confirmed",
            &confirmed("12.00"),
            &["7 ABC: paid 0xa 12.00 USD"],
        ),
        // In a version of the API that does not list them, or with more places than the currency has.
        ("charge:confirmed", &[], &["7 ABC: paid 10.00 USD"]),
        (
            "charge:confirmed",
            &confirmed("9.9977"),
            &["7 ABC: paid 0xa 10.00 USD"],
        ),
        (
            "charge:resolved",
            &confirmed("4.00"),
            &["7 ABC: paid 0xa 4.00 USD"],
        ),
        (
            "charge:resolved",
            &confirmed("9.96"),
            &["7 ABC: paid 0xa 9.96 USD"],
        ),
        (
            "charge:resolved",
            &[],
            &["unreadable: the amount is missing or not of the documented type: kept"],
        ),
        (
            "charge:resolved",
            &confirmed("oops"),
            &["7 ABC: unreadable Payment: oops USD"],
        ),
        (
            "charge:delayed",
            &confirmed("10.00"),
            &["7 ABC: paid 0xa 10.00 USD"],
        ),
        (
            "charge:delayed",
            &[("0xa", "PENDING", "10.00")],
            &["7 ABC: pending"],
        ),
        ("charge:failed", &[], &["7 ABC: failed"]),
        (
            "charge:failed",
            &confirmed("4.00"),
            &["7 ABC: paid 0xa 4.00 USD"],
        ),
        (
            "charge:resolved",
            &[
                ("0xa", "CONFIRMED", "4.00"),
                ("0xb", "confirmed", "7.00"),
                ("0xc", "FAILED", "1.00"),
            ],
            &["7 ABC: paid 0xa 4.00 USD", "7 ABC: paid 0xb 7.00 USD"],
        ),
        ("charge:new-word", &[], &["unknown: kept"]),
    ] {
        check(
            Provider::CoinbaseCommerce,
            &charge(kind, payments),
            expected,
        );
    }
}

/// As its documentation shows a checkout.
fn checkout(kind: &str, more: Value) -> Value {
    let mut all = json!({ "id": "co_1", "eventType": kind, "amount": "100.00", "currency": "USDC",
        "network": "base", "metadata": { "customerId": "cust", "orderId": "7" }, "status": "COMPLETED",
        "updatedAt": "2026-11-13T20:16:55.097Z" });
    let (fields, more) = (all.as_object_mut(), more.as_object().cloned());
    fields.expect("an object").extend(more.expect("an object"));
    all
}

#[test]
fn a_checkout_counts_in_the_coin_and_in_the_shops_currency() {
    let row = |kind, more, expected: &[&str]| {
        check(Provider::CoinbaseBusiness, &checkout(kind, more), expected);
    };
    let refund = |id: &str, status: &str, amount: &str| json!({ "id": id, "status": status, "amount": amount, "currency": "USD" });
    row(
        "checkout.payment.success",
        json!({}),
        &["7 co_1: paid 100.000000 USDC"],
    );
    row(
        "checkout.payment.success",
        json!({ "fiatAmount": "92.50", "fiatCurrency": "EUR" }),
        &["7 co_1: paid 92.50 EUR or 100.000000 USDC"],
    );
    row(
        "checkout.payment.success",
        json!({ "network": "base-sepolia" }),
        &["7 co_1: paid 100.000000 USDC, test"],
    );
    row("checkout.payment.failed", json!({}), &["7 co_1: failed"]);
    row("checkout.payment.expired", json!({}), &["7 co_1: failed"]);
    row(
        "checkout.refund.success",
        json!({ "status": "REFUNDED", "refundedAmount": "100.00", "refunds": [refund("r1", "COMPLETED", "100.00")] }),
        &["7 co_1: refund r1 of all"],
    );
    row(
        "checkout.refund.success",
        json!({ "status": "PARTIALLY_REFUNDED", "refundedAmount": "30.00", "refunds": [
            refund("r1", "COMPLETED", "10.00"), refund("r2", "COMPLETED", "20.00"), refund("r3", "PENDING", "5.00")] }),
        &[
            "7 co_1: refund r1 10.00 USD",
            "7 co_1: refund r2 20.00 USD",
            "7 co_1: kept",
        ],
    );
    row(
        "checkout.refund.success",
        json!({ "status": "PARTIALLY_REFUNDED", "refundedAmount": "30.00" }),
        &["7 co_1: refunds of 30.000000 USDC"],
    );
    row(
        "checkout.refund.success",
        json!({ "status": "PARTIALLY_REFUNDED" }),
        &["7 co_1: unreadable Refund: no amount"],
    );
    row(
        "checkout.refund.failed",
        json!({ "refunds": [refund("r1", "FAILED", "10.00")] }),
        &["7 co_1: refund r1 reversed"],
    );
    row(
        "checkout.payment.success",
        json!({ "amount": "1e3" }),
        &["7 co_1: unreadable Payment: 1e3 USDC"],
    );
    row("checkout.some-new-word", json!({}), &["unknown: kept"]);
}
