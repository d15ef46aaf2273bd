use crate::said::check;
use ordercast_core::provider::Provider;
use serde_json::{Value, json};

fn payment(kind: &str, more: Value) -> Value {
    let mut all = json!({ "notification_type": kind, "settings": { "project_id": 1 },
        "purchase": { "total": { "amount": 1.99, "currency": "USD" }, "order": { "id": 7 } },
        "transaction": { "id": 42, "dry_run": 0 } });
    let (fields, more) = (all.as_object_mut(), more.as_object().cloned());
    fields.expect("an object").extend(more.expect("an object"));
    all
}

fn order(kind: &str, more: Value) -> Value {
    let mut order = json!({ "id": 7, "mode": "default", "currency_type": "real", "currency": "USD",
        "amount": "1.9900", "invoice_id": "42" });
    let (fields, more) = (order.as_object_mut(), more.as_object().cloned());
    fields.expect("an object").extend(more.expect("an object"));
    json!({ "notification_type": kind, "order": order })
}

fn row(body: &Value, expected: &str) {
    check(Provider::Reference, body, &[expected]);
}

#[test]
fn each_kind_of_its_documentation() {
    let code = |code: u8| json!({ "refund_details": { "code": code } });
    for (body, expected) in [
        (payment("payment", json!({})), "7 42: paid 1.99 USD, live"),
        (payment("refund", code(1)), "7 42: refund of all, live"),
        (payment("refund", code(2)), "7 42: dispute lost, live"),
        (payment("refund", code(5)), "7 42: refund of all, live"),
        (
            payment("partial_refund", code(9)),
            "7 42: refund hash 1.99 USD, live",
        ),
        (payment("ps_declined", json!({})), "7 42: failed, live"),
        (payment("afs_reject", json!({})), "7 42: failed, live"),
        (payment("afs_black_list", json!({})), "7 42: kept, live"),
        (
            payment("create_subscription", json!({})),
            "7 42: kept, live",
        ),
        (payment("redeem_key", json!({})), "unknown: kept, live"),
        (order("order_paid", json!({})), "7 42: paid 1.99 USD, live"),
        (
            order("order_paid", json!({ "amount": "0.0000" })),
            "7 42: nothing due, live",
        ),
        (
            order("order_canceled", json!({})),
            "7 42: refund of all, live",
        ),
        (
            order(
                "order_paid",
                json!({ "currency_type": "virtual", "currency": "gems", "amount": "30" }),
            ),
            "7 42: kept, live",
        ),
    ] {
        row(&body, expected);
    }
    for (of, status, expected) in [
        ("retrieval", "new", "7 42: dispute inquiry, live"),
        ("1st_time_chargeback", "new", "7 42: dispute opened, live"),
        ("1st_time_chargeback", "won", "7 42: dispute won, live"),
        ("1st_time_chargeback", "lost", "7 42: dispute lost, live"),
        (
            "1st_time_chargeback",
            "accepted",
            "7 42: dispute accepted, live",
        ),
        ("1st_time_chargeback", "in_work", "7 42: kept, live"),
    ] {
        let dispute = json!({ "dispute": { "type": of, "status": status } });
        row(&payment("dispute", dispute), expected);
    }
}

#[test]
fn a_payment_names_its_order_in_any_place_that_the_shop_chose() {
    let total = json!({ "total": { "amount": 1.99, "currency": "USD" } });
    for more in [
        json!({ "purchase": total, "transaction": { "id": 42, "external_id": "7" } }),
        json!({ "purchase": total, "transaction": { "id": 42, "external_id": 7 } }),
        json!({ "purchase": total, "transaction": { "id": 42 }, "custom_parameters": { "order_id": "7" } }),
        json!({ "purchase": total, "transaction": { "id": 42 }, "custom_parameters": { "order_id": 7 } }),
        json!({ "purchase": total, "transaction": { "id": 42 }, "custom_parameters": "{\"order_id\":\"7\"}" }),
        json!({ "purchase": total, "transaction": { "id": 42, "external_id": "shop-1" },
            "custom_parameters": { "order_id": 7 } }),
    ] {
        row(&payment("payment", more.clone()), "7 42: paid 1.99 USD");
        row(&payment("refund", more), "7 42: refund of all");
    }
    let other = json!({ "purchase": total, "transaction": { "id": 42, "external_id": "shop-1" } });
    row(
        &payment("payment", other),
        "42 (named \"shop-1\"): paid 1.99 USD",
    );
}

#[test]
fn either_mark_makes_it_test_money() {
    let dry = json!({ "transaction": { "id": 42, "dry_run": 1 } });
    row(&payment("payment", dry), "7 42: paid 1.99 USD, test");
    row(
        &order("order_paid", json!({ "mode": "sandbox" })),
        "7 42: paid 1.99 USD, test",
    );
    let mut combined = order("order_paid", json!({}));
    combined["billing"] = json!({ "transaction": { "id": 42, "dry_run": 1 } });
    row(&combined, "7 42: paid 1.99 USD, test");
}

#[test]
fn a_later_charge_of_a_subscription_is_none_of_the_order_that_began_it() {
    let charged = |kind, at: &str| {
        payment(
            kind,
            json!({ "transaction": { "id": 42, "payment_date": at },
            "purchase": { "total": { "amount": 1.99, "currency": "USD" }, "order": { "id": 7 },
                "subscription": { "plan_id": "p", "date_create": "2026-10-23T10:00:00+03:00" } } }),
        )
    };
    row(
        &charged("payment", "2026-10-23T10:00:07+03:00"),
        "7 42: paid 1.99 USD",
    );
    row(
        &charged("payment", "2026-11-23T10:00:07+03:00"),
        "foreign 42: kept",
    );
    row(
        &charged("refund", "2026-11-23T10:00:07+03:00"),
        "foreign 42: kept",
    );
}

#[test]
fn amounts_that_cannot_be_read_are_never_money() {
    for (amount, currency, told) in [
        (json!(-1.99), json!("USD"), "-1.99 USD"),
        (json!("2.505"), json!("USD"), "2.505 USD"),
        (json!(1.99), json!("USDX"), "1.99 USDX"),
        (json!(1.99), Value::Null, "1.99 in no currency"),
    ] {
        let more = json!({ "purchase": { "total": { "amount": amount, "currency": currency }, "order": { "id": 7 } } });
        row(
            &payment("payment", more.clone()),
            &format!("7 42: unreadable Payment: {told}, live"),
        );
        row(
            &payment("partial_refund", more),
            &format!("7 42: unreadable Refund: {told}, live"),
        );
    }
}

#[test]
fn what_is_not_as_documented_is_refused_with_what_is_missing() {
    let project = json!({ "notification_type": "payment", "settings": { "project_id": 2 } });
    for (body, refused) in [
        (
            json!({ "order": {} }),
            "notification_type is missing or not of the documented type",
        ),
        (
            json!([]),
            "notification_type is missing or not of the documented type",
        ),
        (
            json!({ "notification_type": "order_paid" }),
            "order.id is missing or not of the documented type",
        ),
        (
            order("order_paid", json!({ "id": 0 })),
            "order.id is missing or not of the documented type",
        ),
        (
            order("order_paid", json!({ "amount": null })),
            "order.amount is missing or not of the documented type",
        ),
        (
            project,
            "the event is of project 2, this source is for project 1",
        ),
        (
            json!({ "notification_type": "user_validation", "user": {} }),
            "user.id is missing or not of the documented type",
        ),
    ] {
        row(&body, &format!("refused: {refused}"));
    }
}

#[test]
fn order_paid_and_its_payment_are_one_payment_told_twice() {
    let both = [
        order("order_paid", json!({})),
        payment("payment", json!({})),
    ];
    let [one, other] = both.map(|body| crate::bodies::event(Provider::Reference, &body));
    assert_eq!(one.fact, other.fact);
    assert_ne!(one.dedup_key, other.dedup_key);
}
