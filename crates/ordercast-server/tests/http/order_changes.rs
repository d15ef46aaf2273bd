//! Refunds, fulfilment and review, as the shop's backend asks for them.

use crate::support::{Fixture, start, start_default};
use reqwest::StatusCode;
use serde_json::{Value, json};

async fn paid_order(f: &Fixture) -> i64 {
    let order = f.create_order("alice").await;
    let path = f.v1(&format!("/orders/{order}/transitions"));
    let paid = f.post(&path, &f.api_key, &json!({ "to": "paid" })).await;
    assert_eq!(paid.status, StatusCode::OK, "{}", paid.text);
    order
}

async fn ask(f: &Fixture, order: i64, noun: &str, body: &Value) -> (StatusCode, Value) {
    let path = f.v1(&format!("/orders/{order}/{noun}"));
    let answer = f.post(&path, &f.api_key, body).await;
    (answer.status, answer.json())
}

#[tokio::test]
async fn a_partial_refund_keeps_the_word_and_the_rest_cancels() {
    let f = start_default().await;
    let order = paid_order(&f).await;
    let part = json!({
        "refund_id": "r1",
        "amount": { "amount": "0.99", "currency": "USD" },
        "reason": "half of it was broken",
    });
    let (status, seen) = ask(&f, order, "refunds", &part).await;
    assert_eq!(status, StatusCode::OK, "{seen}");
    assert_eq!(seen["status"], "paid");
    assert_eq!(seen["payment"], "partially_refunded");
    assert_eq!(
        seen["net_paid"],
        json!({ "amount": "1.00", "currency": "USD" })
    );
    let amounts: Vec<_> = seen["ledger"]
        .as_array()
        .expect("list")
        .iter()
        .map(|entry| entry["amount"]["amount"].as_str().expect("text"))
        .collect();
    assert_eq!(amounts, ["1.99", "-0.99"]);

    let (_, seen) = ask(&f, order, "refunds", &json!({})).await;
    assert_eq!(seen["status"], "canceled");
    assert_eq!(
        seen["position"]["offset"], 3,
        "the buyer sees new, paid, canceled"
    );

    let (_, seen) = ask(&f, order, "refund-reversals", &json!({ "refund_id": "r1" })).await;
    assert_eq!(
        seen["status"], "paid",
        "the money is back: a new version, not a rewrite"
    );
    assert_eq!(seen["position"]["offset"], 4);
    let versions = f
        .get(&f.v1(&format!("/orders/{order}/versions")), &f.api_key)
        .await
        .json();
    assert_eq!(versions["versions"][2]["reason"], "half of it was broken");
}

#[tokio::test]
async fn refunds_that_cannot_be() {
    let f = start_default().await;
    let fresh = f.create_order("alice").await;
    let order = paid_order(&f).await;
    let euro = json!({ "amount": { "amount": "1", "currency": "EUR" } });
    let much = json!({ "amount": { "amount": "2.00", "currency": "USD" } });
    let table = [
        (fresh, "refunds", json!({}), 409, "nothing_paid"),
        (order, "refunds", much, 409, "refund_too_large"),
        (order, "refunds", euro, 422, "currency"),
        (
            order,
            "refunds",
            json!({ "attempt_id": "x" }),
            422,
            "no_such_attempt",
        ),
        (
            order,
            "refunds",
            json!({ "amount": 1 }),
            422,
            "invalid_field",
        ),
        (
            order,
            "refunds",
            json!({ "reason": "x".repeat(501) }),
            422,
            "invalid_field",
        ),
        (
            order,
            "refund-reversals",
            json!({ "refund_id": "r9" }),
            409,
            "no_such_refund",
        ),
        (order, "refund-reversals", json!({}), 422, "invalid_field"),
        (4242, "refunds", json!({}), 404, "not_found"),
    ];
    for (order, noun, body, status, code) in table {
        let (got, problem) = ask(&f, order, noun, &body).await;
        assert_eq!(
            (got.as_u16(), &problem["code"]),
            (status, &json!(code)),
            "{noun} {body}"
        );
    }
}

#[tokio::test]
async fn items_are_handed_over_one_by_one() {
    let f = start(json!({
        "name": "Test",
        "hs256_secret": crate::support::JWT_SECRET,
    }))
    .await;
    let price = json!({ "amount": "1.00", "currency": "USD" });
    let body = json!({
        "user_external_id": "alice",
        "items": [{ "sku": "sword", "price": price }, { "sku": "shield", "price": price }],
    });
    let made = f.post(&f.v1("/orders"), &f.api_key, &body).await.json();
    let order = made["order_id"].as_i64().expect("id");

    // Early, before the money: the buyer still sees `new`, the operator a flag.
    let early = json!({ "state": "delivered", "items": ["sword"] });
    let (_, seen) = ask(&f, order, "fulfilment", &early).await;
    assert_eq!(
        (&seen["status"], &seen["fulfilment"]),
        (&json!("new"), &json!("partly"))
    );
    let (_, seen) = ask(&f, order, "fulfilment", &json!({ "state": "delivered" })).await;
    assert_eq!(seen["flags"], json!(["delivered_unpaid"]));
    let (_, seen) = ask(&f, order, "transitions", &json!({ "to": "paid" })).await;
    assert_eq!(seen["status"], "done");
    assert_eq!(seen["position"]["offset"], 3, "paid came before done");

    let (status, problem) = ask(&f, order, "fulfilment", &early).await;
    assert_eq!(
        (status.as_u16(), &problem["code"]),
        (409, &json!("illegal_fulfilment"))
    );
    let (_, seen) = ask(&f, order, "fulfilment", &json!({ "state": "revoked" })).await;
    assert_eq!(
        (&seen["status"], &seen["fulfilment"]),
        (&json!("done"), &json!("revoked"))
    );
}

#[tokio::test]
async fn an_order_is_put_under_review_and_released() {
    let f = start_default().await;
    let order = f.create_order("alice").await;
    let on = json!({ "under_review": true, "reason": "odd address" });
    let (_, seen) = ask(&f, order, "review", &on).await;
    assert_eq!(seen["flags"], json!(["under_review"]));
    assert_eq!(ask(&f, order, "review", &on).await.1["code"], "unchanged");
    let (_, seen) = ask(&f, order, "review", &json!({ "under_review": false })).await;
    assert_eq!(seen["flags"], json!([]));
    let events = f.get(&f.v1("/events?after=0"), &f.api_key).await.json();
    assert_eq!(events["events"][1]["type"], "order.updated");
}
