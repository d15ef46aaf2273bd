use crate::said::check;
use ordercast_core::provider::Provider;
use serde_json::{Value, json};

fn merged(mut all: Value, more: &Value) -> Value {
    let (fields, more) = (all.as_object_mut(), more.as_object().cloned());
    fields.expect("an object").extend(more.expect("an object"));
    all
}

fn payment(status: &str, more: Value) -> Value {
    let all = json!({ "resource": "payment", "id": "tr_1", "mode": "live", "status": status,
        "amount": { "value": "10.00", "currency": "EUR" }, "metadata": { "order_id": 7 } });
    merged(all, &more)
}

fn part(resource: &str, id: &str, status: &str, value: &str) -> Value {
    json!({ "resource": resource, "id": id, "status": status, "mode": "live", "paymentId": "tr_1",
        "amount": { "value": value, "currency": "EUR" } })
}

fn asked(body: &Value, expected: &[&str]) {
    check(Provider::Mollie, body, expected);
}

fn told(kind: &str, entity: Value, expected: &[&str]) {
    let event = json!({ "resource": "event", "id": "event_1", "type": kind, "entityId": "x",
        "createdAt": "2026-11-23T10:00:00Z", "_embedded": { "entity": entity } });
    check(Provider::MollieNext, &event, expected);
}

#[test]
fn each_state_of_a_payment() {
    for (status, expected) in [
        ("open", "7 tr_1: kept, live"),
        ("pending", "7 tr_1: pending, live"),
        ("authorized", "7 tr_1: authorized, live"),
        ("paid", "7 tr_1: paid 10.00 EUR, live"),
        ("failed", "7 tr_1: failed, live"),
        ("canceled", "7 tr_1: failed, live"),
        ("expired", "7 tr_1: failed, live"),
        ("some_new_state", "unknown: kept, live"),
    ] {
        asked(&payment(status, json!({})), &[expected]);
        told(
            &format!("payment.{status}"),
            payment(status, json!({})),
            &[expected],
        );
    }
}

#[test]
fn what_is_taken_in_parts_and_given_back_has_names() {
    for (resource, status, expected) in [
        ("capture", "succeeded", "tr_1: paid x_1 4.00 EUR, live"),
        ("capture", "pending", "tr_1: kept, live"),
        ("capture", "failed", "tr_1: capture x_1 failed, live"),
        ("refund", "queued", "tr_1: kept, live"),
        ("refund", "pending", "tr_1: kept, live"),
        ("refund", "canceled", "tr_1: kept, live"),
        ("refund", "processing", "tr_1: refund x_1 4.00 EUR, live"),
        ("refund", "refunded", "tr_1: refund x_1 4.00 EUR, live"),
        ("refund", "failed", "tr_1: refund x_1 reversed, live"),
    ] {
        let kind = format!("{resource}.{status}");
        told(&kind, part(resource, "x_1", status, "4.00"), &[expected]);
    }
    let mut chargeback = part("chargeback", "chb_1", "", "10.00");
    told(
        "chargeback.received",
        chargeback.clone(),
        &["tr_1: dispute chb_1 lost 10.00 eur, live"],
    );
    chargeback["reversedAt"] = json!("2026-11-24T10:00:00Z");
    told(
        "chargeback.reversed",
        chargeback,
        &["tr_1: dispute chb_1 won 10.00 eur, live"],
    );

    let parts = json!({ "_embedded": {
        "captures": [part("capture", "cpt_1", "succeeded", "4.00"), part("capture", "cpt_2", "succeeded", "3.00")],
        "refunds": [part("refund", "re_1", "refunded", "1.00"), part("refund", "re_2", "refunded", "1.00")] } });
    asked(
        &payment("paid", parts),
        &[
            "7 tr_1: kept, live",
            "7 tr_1: paid cpt_1 4.00 EUR, live",
            "7 tr_1: paid cpt_2 3.00 EUR, live",
            "7 tr_1: refund re_1 1.00 EUR, live",
            "7 tr_1: refund re_2 1.00 EUR, live",
        ],
    );
    let sums = json!({ "amountCaptured": { "value": "7.00", "currency": "EUR" },
        "amountRefunded": { "value": "2.00", "currency": "EUR" },
        "amountChargedBack": { "value": "0.00", "currency": "EUR" } });
    asked(
        &payment("paid", sums),
        &[
            "7 tr_1: paid 7.00 EUR, live",
            "7 tr_1: refunds of 2.00 EUR, live",
        ],
    );
}

#[test]
fn other_events_of_the_newer_webhooks_are_known() {
    for kind in [
        "payment-link.paid",
        "balance-transaction.created",
        "payout.initiated",
        "payout.processing-at-bank",
        "payout.completed",
        "payout.canceled",
        "payout.failed",
        "sales-invoice.created",
        "sales-invoice.issued",
        "sales-invoice.canceled",
        "sales-invoice.paid",
    ] {
        told(
            kind,
            json!({ "resource": "other", "id": "x" }),
            &["nothing: kept"],
        );
    }
    told(
        "some.new-word",
        json!({ "resource": "other" }),
        &["unknown: kept"],
    );
}

#[test]
fn a_body_may_be_the_thing_itself() {
    check(
        Provider::MollieNext,
        &payment("paid", json!({})),
        &["7 tr_1: paid 10.00 EUR, live"],
    );
    let refund = part("refund", "re_1", "refunded", "4.00");
    check(
        Provider::MollieNext,
        &refund,
        &["tr_1: refund re_1 4.00 EUR, live"],
    );
}

#[test]
fn the_order_stands_in_the_metadata_in_any_of_its_forms() {
    for metadata in [
        json!({ "order_id": "7" }),
        json!("{\"order_id\":7}"),
        json!(7),
        json!("7"),
    ] {
        let body = payment("paid", json!({ "metadata": metadata }));
        asked(&body, &["7 tr_1: paid 10.00 EUR, live"]);
    }
    let text = payment(
        "paid",
        json!({ "metadata": { "order_id": "INV-9" }, "mode": "test" }),
    );
    asked(&text, &["tr_1 (named \"INV-9\"): paid 10.00 EUR, test"]);
}

#[test]
fn an_order_is_what_its_payments_are() {
    let order = |more: Value| {
        let all = json!({ "resource": "order", "id": "ord_1", "mode": "live", "status": "paid",
            "amount": { "value": "10.00", "currency": "EUR" }, "orderNumber": "7", "metadata": null,
            "_embedded": {
                "payments": [payment("paid", json!({ "metadata": null }))],
                "refunds": [part("refund", "re_1", "refunded", "4.00")] } });
        merged(all, &more)
    };
    let expected = [
        "nothing: kept, live",
        "7 tr_1: paid 10.00 EUR, live",
        "7 tr_1: refund re_1 4.00 EUR, live",
    ];
    asked(&order(json!({})), &expected);
    asked(
        &order(json!({ "orderNumber": "A-1", "metadata": { "order_id": 7 } })),
        &expected,
    );
}

#[test]
fn a_payment_of_a_subscription_is_none_of_the_order_that_began_it() {
    let renewal = payment(
        "paid",
        json!({ "subscriptionId": "sub_1", "sequenceType": "recurring" }),
    );
    asked(&renewal, &["foreign tr_1: kept, live"]);
    // One that the shop takes again by itself names an order of its own.
    let again = payment("paid", json!({ "sequenceType": "recurring" }));
    asked(&again, &["7 tr_1: paid 10.00 EUR, live"]);
}

#[test]
fn currencies_have_the_places_that_they_have() {
    for (value, currency) in [("500", "JPY"), ("5.120", "KWD")] {
        let amount = json!({ "amount": { "value": value, "currency": currency } });
        let expected = format!("7 tr_1: paid {value} {currency}, live");
        asked(&payment("paid", amount), &[&expected]);
    }
}

#[test]
fn amounts_that_cannot_be_read_are_never_money() {
    for (amount, shown) in [
        (
            json!({ "value": "-10.00", "currency": "EUR" }),
            "-10.00 EUR",
        ),
        (
            json!({ "value": "10.001", "currency": "EUR" }),
            "10.001 EUR",
        ),
        (json!({ "value": "10.00" }), "10.00 in no currency"),
    ] {
        let expected = format!("7 tr_1: unreadable Payment: {shown}, live");
        asked(&payment("paid", json!({ "amount": amount })), &[&expected]);
    }
}
