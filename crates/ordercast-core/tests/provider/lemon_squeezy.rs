use crate::said::check;
use ordercast_core::provider::Provider;
use serde_json::{Value, json};

fn body(kind: &str, attributes: Value) -> Value {
    json!({ "meta": { "event_name": kind, "test_mode": false, "custom_data": { "order_id": "7" } },
        "data": { "id": "11", "attributes": attributes } })
}

fn order(kind: &str, status: &str, total: Value, refunded: Value) -> Value {
    body(
        kind,
        json!({ "status": status, "total": total, "currency": "USD",
        "refunded_amount": refunded, "updated_at": "2026-11-23T10:00:00.000000Z", "test_mode": false }),
    )
}

fn row(body: &Value, expected: &[&str]) {
    check(Provider::LemonSqueezy, body, expected);
}

#[test]
fn each_event_of_its_documentation() {
    for (kind, status, total, refunded, expected) in [
        ("order_created", "paid", 199, 0, "7 11: paid 1.99 USD, live"),
        ("order_created", "paid", 0, 0, "7 11: nothing due, live"),
        ("order_created", "pending", 199, 0, "7 11: pending, live"),
        ("order_created", "failed", 199, 0, "7 11: failed, live"),
        ("order_created", "fraudulent", 199, 0, "7 11: failed, live"),
        (
            "order_refunded",
            "refunded",
            199,
            199,
            "7 11: refunds of 1.99 USD, live",
        ),
        (
            "order_refunded",
            "partial_refund",
            199,
            50,
            "7 11: refunds of 0.50 USD, live",
        ),
        (
            "order_refunded",
            "refunded",
            199,
            0,
            "7 11: refund of all, live",
        ),
        (
            "order_refunded",
            "partial_refund",
            199,
            0,
            "7 11: unreadable Refund: no amount, live",
        ),
    ] {
        row(
            &order(kind, status, json!(total), json!(refunded)),
            &[expected],
        );
    }
    for (kind, reason, expected) in [
        (
            "subscription_payment_success",
            "initial",
            "nothing: kept, live",
        ),
        (
            "subscription_payment_success",
            "renewal",
            "foreign invoice:11: kept, live",
        ),
        (
            "subscription_payment_failed",
            "renewal",
            "foreign invoice:11: kept, live",
        ),
        (
            "subscription_payment_recovered",
            "renewal",
            "foreign invoice:11: kept, live",
        ),
        (
            "subscription_payment_refunded",
            "renewal",
            "foreign invoice:11: kept, live",
        ),
        // Whether its order says so too is not documented: a person looks at it.
        (
            "subscription_payment_refunded",
            "initial",
            "unknown: kept, live",
        ),
    ] {
        let invoice =
            json!({ "billing_reason": reason, "total": 199, "currency": "USD", "status": "paid" });
        row(&body(kind, invoice), &[expected]);
    }
    for kind in [
        "subscription_created",
        "subscription_updated",
        "subscription_cancelled",
        "subscription_resumed",
        "subscription_expired",
        "subscription_paused",
        "subscription_unpaused",
        "license_key_created",
        "license_key_updated",
    ] {
        row(&body(kind, json!({})), &["nothing: kept, live"]);
    }
    row(
        &body("dispute_created", json!({})),
        &["unknown: kept, live"],
    );
}

#[test]
fn an_order_that_is_shown_after_its_refund_was_paid_before() {
    let late = order("order_created", "partial_refund", json!(199), json!(50));
    row(
        &late,
        &[
            "7 11: paid 1.99 USD, live",
            "7 11: refunds of 0.50 USD, live",
        ],
    );
}

#[test]
fn test_mode_is_of_the_order_or_of_the_event() {
    let mut test = order("order_created", "paid", json!(199), json!(0));
    test["data"]["attributes"]["test_mode"] = json!(true);
    row(&test, &["7 11: paid 1.99 USD, test"]);
    test["data"]["attributes"]["test_mode"] = Value::Null;
    test["meta"]["test_mode"] = json!(true);
    row(&test, &["7 11: paid 1.99 USD, test"]);
}

#[test]
fn amounts_that_cannot_be_read_are_never_money() {
    for (amount, told) in [
        (json!(-199), "-199 USD"),
        (json!("1.99"), "1.99 USD"),
        (json!(1.5), "1.5 USD"),
    ] {
        let payment = order("order_created", "paid", amount.clone(), json!(0));
        row(
            &payment,
            &[&format!("7 11: unreadable Payment: {told}, live")],
        );
        let refund = order("order_refunded", "partial_refund", json!(199), amount);
        row(
            &refund,
            &[&format!("7 11: unreadable Refund: {told}, live")],
        );
    }
    // Written by a sender whose numbers are all floating.
    let float = order("order_created", "paid", json!(199.0), json!(0.0));
    row(&float, &["7 11: paid 1.99 USD, live"]);
}
