//! Callers over their limit are refused, and nobody else is.

use crate::support::{Answer, Fixture, ROOT_KEY, start_with, user_jwt};
use reqwest::Method;
use serde_json::{Value, json};

async fn limited() -> Fixture {
    let project = json!({
        "name": "Test",
        "project_id": 7,
        "hs256_secret": crate::support::JWT_SECRET,
        "items": [{ "sku": "sword", "name": "Sword", "price": { "amount": "1.99", "currency": "USD" } }],
    });
    start_with(project, |settings| {
        settings.requests_per_key = Some(1);
        settings.orders_per_buyer = Some(1);
        settings.polls_per_order = Some(4);
    })
    .await
}

/// Far more requests than come back to the bucket meanwhile.
async fn until_refused(mut ask: impl AsyncFnMut() -> Answer) -> Answer {
    for _ in 0..1_000 {
        let answer = ask().await;
        if !answer.status.is_success() {
            return answer;
        }
    }
    panic!("never refused");
}

fn check(answer: &Answer, code: &Value) {
    assert_eq!(answer.status.as_u16(), 429, "{}", answer.text);
    assert_eq!(answer.headers["retry-after"], "1");
    let body = answer.json();
    assert_eq!(body.get("code").unwrap_or(&body["errorCode"]), code);
}

#[tokio::test]
async fn an_api_key_has_a_limit_and_the_root_key_has_none() {
    let f = limited().await;
    let orders = f.v1("/orders");
    let refused = until_refused(async || f.get(&orders, &f.api_key).await).await;
    check(&refused, &json!("rate_limited"));
    for _ in 0..20 {
        assert_eq!(f.get(&orders, ROOT_KEY).await.status.as_u16(), 200);
    }
    let body = json!({ "name": "other", "scopes": ["orders:read"] });
    let other = f.post(&f.v1("/api-keys"), ROOT_KEY, &body).await.json();
    let other = other["key"].as_str().expect("key").to_owned();
    assert_eq!(f.get(&orders, &other).await.status.as_u16(), 200);
}

#[tokio::test]
async fn a_buyer_makes_so_many_orders_and_others_go_on() {
    let f = limited().await;
    let buy = async |user: &str| {
        let path = "/api/v2/project/7/payment/item/sword";
        f.post(path, &user_jwt(user), &json!({})).await
    };
    let refused = until_refused(async || buy("alice").await).await;
    check(&refused, &json!(1101));
    assert_eq!(buy("bob").await.status.as_u16(), 200);
}

#[tokio::test]
async fn a_poller_of_four_a_second_is_served_and_a_faster_one_is_told() {
    let f = limited().await;
    let made = async || {
        let path = "/api/v2/project/7/payment/item/sword";
        let answer = f.post(path, &user_jwt("alice"), &json!({})).await.json();
        answer["order_id"].as_i64().expect("order")
    };
    let (order, other) = (made().await, made().await);
    let jwt = format!("Bearer {}", user_jwt("alice"));
    let poll = async |order: i64| {
        let path = format!("/api/v2/project/7/order/{order}");
        f.send(Method::GET, &path, &[("authorization", &jwt)], "")
            .await
    };
    for _ in 0..40 {
        assert_eq!(
            poll(order).await.status.as_u16(),
            200,
            "ten seconds of it at once"
        );
    }
    check(
        &until_refused(async || poll(order).await).await,
        &json!(1101),
    );
    assert_eq!(poll(other).await.status.as_u16(), 200);
}
