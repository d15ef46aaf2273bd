//! Money as a shop's backend and a provider tell it, through the doors that they come in by.

use super::{
    support::{Fixture, start_default},
    webhooks::loopback,
};
use crate::support::start_with;
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

struct Shop {
    f: Fixture,
    source: Value,
}

impl Shop {
    /// With a source of Standard Webhooks, whose bodies are as short as can be.
    async fn open(settings: Value) -> Self {
        let project = json!({ "name": "Test", "items": [] });
        let f = start_with(project, loopback).await;
        let mut body = json!({
            "provider": "standard",
            "secret": SECRET,
            "fields": { "order_id": "/order", "attempt_id": "/payment", "amount": "/amount",
                "amount_unit": "decimal", "currency": "/currency", "refund_id": "/refund" },
            "mapping": { "paid": "paid", "refunded": "refunded", "declined": "failed", "free": "nothing_due" },
        });
        let members = settings.as_object().expect("an object").clone();
        body.as_object_mut().expect("an object").extend(members);
        let made = f.post(&f.v1("/sources"), &f.api_key, &body).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        let source = made.json();
        Self { f, source }
    }

    async fn order(&self, amount: &str, currency: &str) -> Value {
        let body = json!({ "user_external_id": "alice", "price": { "amount": amount, "currency": currency } });
        let made = self
            .f
            .post(&self.f.v1("/orders"), &self.f.api_key, &body)
            .await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        made.json()
    }

    /// A signed event; the answer's state.
    async fn told(&self, id: &str, body: Value) -> String {
        let (text, now) = (body.to_string(), super::support::unix_now());
        let key = BASE64
            .decode(SECRET.trim_start_matches("whsec_"))
            .expect("key");
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &key);
        let signed = aws_lc_rs::hmac::sign(&key, format!("{id}.{now}.{text}").as_bytes());
        let signature = format!("v1,{}", BASE64.encode(signed.as_ref()));
        let at = now.to_string();
        let headers = [
            ("webhook-id", id),
            ("webhook-timestamp", at.as_str()),
            ("webhook-signature", signature.as_str()),
        ];
        let path = self.source["path"].as_str().expect("path");
        let answer = self.f.send(Method::POST, path, &headers, text).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer.json()["state"].as_str().expect("state").to_owned()
    }

    async fn pay(&self, order: &Value, amount: &str) -> String {
        let id = &order["order_id"];
        let body = json!({ "type": "paid", "order": id, "payment": "p1", "amount": amount, "currency": order["price"]["currency"] });
        self.told("msg_paid", body).await
    }

    async fn ask(&self, order: &Value, noun: &str, body: Value) -> (u16, Value) {
        let path = self.f.v1(&format!("/orders/{}/{noun}", order["order_id"]));
        let answer = self.f.post(&path, &self.f.api_key, &body).await;
        (answer.status.as_u16(), answer.json())
    }

    async fn seen(&self, order: &Value) -> Value {
        let path = self.f.v1(&format!("/orders/{}", order["order_id"]));
        self.f.get(&path, &self.f.api_key).await.json()
    }
}

fn money(amount: &str) -> Value {
    json!({ "amount": amount, "currency": "USD" })
}

#[tokio::test]
async fn two_requests_of_one_key_do_not_end_the_process() {
    let shop = Shop::open(json!({})).await;
    let order = shop.order("1.99", "USD").await;
    let refunded = json!({ "type": "refunded", "order": order["order_id"], "payment": "manual:2", "amount": "1.99", "currency": "USD" });
    assert_eq!(shop.told("msg_1", refunded).await, "rejected");
    let (status, seen) = shop
        .ask(&order, "transitions", json!({ "to": "paid" }))
        .await;
    assert_eq!((status, &seen["status"]), (200, &json!("paid")));
}

#[tokio::test]
async fn a_refund_that_the_shop_and_its_provider_tell_is_one() {
    let shop = Shop::open(json!({})).await;
    let order = shop.order("10.00", "USD").await;
    assert_eq!(shop.pay(&order, "10.00").await, "applied");
    let (status, _) = shop
        .ask(
            &order,
            "refunds",
            json!({ "amount": money("5.00"), "refund_id": "ours" }),
        )
        .await;
    assert_eq!(status, 200);
    let told = json!({ "type": "refunded", "order": order["order_id"], "payment": "p1", "amount": "5.00", "currency": "USD", "refund": "theirs" });
    shop.told("msg_2", told).await;
    let seen = shop.seen(&order).await;
    assert_eq!(
        (&seen["status"], &seen["net_paid"]),
        (&json!("paid"), &money("5.00"))
    );
    let refund = &seen["attempts"][0]["refunds"][0];
    assert_eq!(
        (&refund["told_by"], &refund["also_refund_id"]),
        (&json!("both"), &json!("theirs"))
    );
    let (status, problem) = shop
        .ask(&order, "refunds", json!({ "amount": money("0.00") }))
        .await;
    assert_eq!(
        (status, &problem["code"]),
        (422, &json!("nothing_to_refund"))
    );
}

#[tokio::test]
async fn a_hundred_declined_attempts_leave_room_for_money() {
    let shop = Shop::open(json!({})).await;
    let order = shop.order("10.00", "USD").await;
    for n in 0..101 {
        let declined = json!({ "type": "declined", "order": order["order_id"], "payment": format!("declined {n}") });
        shop.told(&format!("msg_{n}"), declined).await;
    }
    assert_eq!(shop.pay(&order, "10.00").await, "applied");
    assert_eq!(shop.seen(&order).await["status"], "paid");
}

#[tokio::test]
async fn an_unreadable_refund_raises_a_flag_that_is_found_and_settled() {
    let shop = Shop::open(json!({})).await;
    let order = shop.order("10.00", "USD").await;
    let clean = shop.order("10.00", "USD").await;
    shop.pay(&order, "10.00").await;
    for (n, amount) in [json!("2.505"), json!(-4), json!("4e2"), json!({})]
        .into_iter()
        .enumerate()
    {
        let told = json!({ "type": "refunded", "order": order["order_id"], "payment": "p1", "amount": amount, "currency": "USD" });
        shop.told(&format!("msg_{n}"), told).await;
    }
    let seen = shop.seen(&order).await;
    assert_eq!(
        (&seen["status"], &seen["net_paid"]),
        (&json!("paid"), &money("10.00"))
    );
    assert_eq!(seen["flags"], json!(["unreadable_amount"]));
    let reason = seen["flag_reasons"]["unreadable_amount"]
        .as_str()
        .expect("a reason");
    assert!(
        reason.starts_with("refund of payment p1: the amount cannot be read"),
        "{reason}"
    );
    let flagged = || async {
        let path = shop.f.v1("/orders?flag=unreadable_amount&limit=1");
        let page = shop.f.get(&path, &shop.f.api_key).await.json();
        let orders = page["orders"].as_array().expect("a list").clone();
        orders
            .iter()
            .map(|order| order["order_id"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(flagged().await, [order["order_id"].clone()]);
    let settle =
        json!({ "flag": "unreadable_amount", "reason": "refunded 2.50, recorded by hand" });
    let (status, settled) = shop.ask(&order, "flag-settlements", settle.clone()).await;
    assert_eq!((status, &settled["flags"]), (200, &json!([])));
    assert!(flagged().await.is_empty());
    let (status, problem) = shop.ask(&order, "flag-settlements", settle).await;
    assert_eq!((status, &problem["code"]), (409, &json!("no_such_flag")));
    let without = json!({ "flag": "paid_over", "reason": " " });
    assert_eq!(shop.ask(&clean, "flag-settlements", without).await.0, 422);
}

#[tokio::test]
async fn the_price_of_a_new_order_may_change() {
    let shop = Shop::open(json!({})).await;
    let order = shop.order("19.99", "USD").await;
    let path = shop.f.v1(&format!("/orders/{}", order["order_id"]));
    let authorization = format!("Bearer {}", shop.f.api_key);
    let patch = |amount: &str, version: &'static str, key: &'static str| {
        let body = json!({ "price": money(amount), "reason": "coupon" }).to_string();
        let (path, authorization) = (path.clone(), authorization.clone());
        let f = &shop.f;
        async move {
            let headers = [
                ("authorization", authorization.as_str()),
                ("content-type", "application/json"),
                ("if-match", version),
                ("idempotency-key", key),
            ];
            f.send(Method::PATCH, &path, &headers, body).await
        }
    };
    assert_eq!(
        patch("14.99", "\"9\"", "a").await.status,
        StatusCode::PRECONDITION_FAILED
    );
    let changed = patch("14.99", "\"1\"", "b").await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
    assert_eq!(
        (&changed.json()["price"], &changed.json()["version"]),
        (&money("14.99"), &json!(2))
    );
    assert_eq!(patch("14.99", "\"1\"", "b").await.text, changed.text);
    shop.pay(&order, "14.99").await;
    let seen = shop.seen(&order).await;
    assert_eq!(
        (&seen["status"], &seen["flags"]),
        (&json!("paid"), &json!([]))
    );
    let late = patch("9.99", "\"3\"", "c").await;
    assert_eq!(
        (late.status.as_u16(), late.code().as_str()),
        (409, "price_fixed")
    );
    let events = shop
        .f
        .get(&shop.f.v1("/events?after=0"), &shop.f.api_key)
        .await
        .json();
    assert_eq!(events["events"][1]["type"], "order.updated");
}

#[tokio::test]
async fn a_source_says_when_its_payments_are_enough() {
    let shop = Shop::open(json!({ "price_rule": { "at_least": { "percent": 75 } } })).await;
    assert_eq!(
        shop.source["price_rule"],
        json!({ "at_least": { "percent": 75 } })
    );
    let order = shop.order("19.99", "USD").await;
    shop.pay(&order, "15.00").await;
    assert_eq!(shop.seen(&order).await["status"], "paid");
    let free = shop.order("19.99", "USD").await;
    let nothing = json!({ "type": "free", "order": free["order_id"], "payment": "p2" });
    shop.told("msg_free", nothing).await;
    let seen = shop.seen(&free).await;
    assert_eq!(
        (&seen["status"], &seen["flags"]),
        (&json!("new"), &json!(["nothing_due"]))
    );
    let nonsense = json!({ "price_rule": { "at_least": { "percent": 0 } } });
    let path = shop.f.v1(&format!(
        "/sources/{}",
        shop.source["source"].as_str().expect("id")
    ));
    let headers = [
        ("authorization", format!("Bearer {}", shop.f.api_key)),
        ("content-type", "application/json".to_owned()),
    ];
    let headers = headers
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let refused = shop
        .f
        .send(Method::PATCH, &path, &headers, nonsense.to_string())
        .await;
    assert_eq!(
        refused.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "{}",
        refused.text
    );
}

#[tokio::test]
async fn an_order_has_one_currency_that_exists() {
    let f = start_default().await;
    let create = |body: Value| {
        let f = &f;
        async move { f.post(&f.v1("/orders"), &f.api_key, &body).await }
    };
    let item = |currency: &str| json!([{ "sku": "sword", "price": { "amount": "1.99", "currency": currency } }]);
    let mixed =
        json!({ "user_external_id": "alice", "price": money("1.99"), "items": item("EUR") });
    assert_eq!(create(mixed).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let unknown = json!({ "user_external_id": "alice", "items": item("UDS") });
    assert!(create(unknown).await.status.is_client_error());
    let fine = json!({ "user_external_id": "alice", "price": money("1.99"), "items": item("USD") });
    assert_eq!(create(fine).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_price_between_two_steps_is_warned_of_or_refused() {
    let shop = Shop::open(json!({})).await;
    let warned = shop.order("1.234", "KWD").await;
    assert!(
        warned["warnings"][0]
            .as_str()
            .expect("a warning")
            .contains("steps of ten")
    );
    assert_eq!(shop.order("1.230", "KWD").await.get("warnings"), None);
    let stripe = json!({ "provider": "stripe", "secret": "whsec_of_the_tests" });
    shop.f
        .post(&shop.f.v1("/sources"), &shop.f.api_key, &stripe)
        .await;
    let body =
        json!({ "user_external_id": "alice", "price": { "amount": "1.234", "currency": "KWD" } });
    let refused = shop
        .f
        .post(&shop.f.v1("/orders"), &shop.f.api_key, &body)
        .await;
    assert_eq!(
        refused.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "{}",
        refused.text
    );
}
