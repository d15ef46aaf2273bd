//! Callers over their limit are refused, and nobody else is.

use crate::support::{Answer, Fixture, ROOT_KEY, start_with, user_jwt};
use reqwest::Method;
use serde_json::{Value, json};

async fn limited() -> Fixture {
    let project = json!({
        "name": "Test",
        "project_id": 7,
        "hs256_secret": crate::support::JWT_SECRET,
        "guests": true,
        "items": [{ "sku": "sword", "name": "Sword", "price": { "amount": "1.99", "currency": "USD" } }],
    });
    start_with(project, |settings| {
        settings.requests_per_key = Some(1);
        settings.orders_per_buyer = Some(1);
        settings.polls_per_order = Some(4);
        settings.guest_requests_per_address = Some(1);
        settings.guest_requests_per_project = Some(2);
        settings.trusted_proxies = Some(vec!["127.0.0.0/8".parse().expect("network")]);
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
    for (name, begin) in [
        ("ratelimit-limit", ""),
        ("ratelimit-remaining", "0"),
        ("ratelimit-reset", "1"),
        ("ratelimit-policy", "\""),
        ("ratelimit", "\""),
    ] {
        let value = answer.headers[name].to_str().expect("text");
        assert!(value.starts_with(begin), "{name}: {value}");
    }
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

#[tokio::test]
async fn however_many_guests_an_address_makes_up_it_has_one_limit() {
    let f = limited().await;
    let ask = async |guest: usize, address: &str| {
        let guest = format!("guest-{guest}");
        let headers = [
            ("x-unauthorized-id", guest.as_str()),
            ("x-forwarded-for", address),
            ("content-type", "application/json"),
        ];
        let path = "/api/v2/project/7/cart/item/sword";
        f.send(Method::PUT, path, &headers, "{}").await
    };
    let mut guest = 0;
    let mut from = async |address: &str| {
        guest += 1;
        ask(guest, address).await
    };
    // The same /64, and so the same subscriber.
    for address in ["203.0.113.7", "2001:db8::1"] {
        check(
            &until_refused(async || from(address).await).await,
            &json!(1101),
        );
    }
    assert_eq!(from("2001:db8::ffff").await.status.as_u16(), 429);
    // Those of other addresses share the project's.
    let mut addresses = (1..=254).map(|host| format!("198.51.100.{host}"));
    let refused = until_refused(async || from(&addresses.next().expect("more")).await).await;
    check(&refused, &json!(1101));
}

#[tokio::test]
async fn a_buyer_gets_no_more_by_another_door() {
    let f = limited().await;
    let made = f
        .post(
            "/api/v2/project/7/payment/item/sword",
            &user_jwt("alice"),
            &json!({}),
        )
        .await
        .json();
    let (order, token) = (&made["order_id"], made["token"].as_str().expect("token"));
    let doors = [
        (
            format!("/api/v2/project/7/order/{order}"),
            user_jwt("alice"),
        ),
        (f.v1(&format!("/orders/{order}")), user_jwt("alice")),
        (f.v1(&format!("/orders/{order}/versions")), token.to_owned()),
    ];
    let (path, bearer) = &doors[1];
    let refused = until_refused(async || f.get(path, bearer).await).await;
    check(&refused, &json!("rate_limited"));
    for (path, bearer) in &doors {
        assert_eq!(f.get(path, bearer).await.status.as_u16(), 429, "{path}");
    }
    // The shop has its own limit.
    let path = f.v1(&format!("/orders/{order}"));
    assert_eq!(f.get(&path, ROOT_KEY).await.status.as_u16(), 200);
}

#[tokio::test]
async fn payment_sessions_are_bounded_in_size_and_rate() {
    let f = limited().await;
    let make = async |user: &str, note: &str| {
        let body = json!({ "purchase": {
            "checkout": { "amount": "1", "currency": "USD" }, "note": note } });
        let path = "/api/v2/project/7/payment";
        f.post(path, &user_jwt(user), &body).await
    };
    let large = make("alice", &"x".repeat(17 * 1024)).await;
    assert_eq!(
        (large.status.as_u16(), large.code()),
        (422, "1102".to_owned())
    );
    check(
        &until_refused(async || make("alice", "x").await).await,
        &json!(1101),
    );
    assert_eq!(make("bob", "x").await.status.as_u16(), 200);
}

#[tokio::test]
async fn a_limited_key_is_told_so_on_every_route() {
    let f = limited().await;
    let order = f.create_order_with(ROOT_KEY, "alice").await;
    let order = format!("/orders/{order}");
    let events = format!("{order}/versions");
    let jwt_keys = "/jwt-keys".to_owned();
    for rest in [
        &order,
        &events,
        &jwt_keys,
        &"/events".to_owned(),
        &"/endpoints".to_owned(),
    ] {
        let path = f.v1(rest);
        let refused = until_refused(async || f.get(&path, &f.api_key).await).await;
        check(&refused, &json!("rate_limited"));
    }
    let basic = data_encoding::BASE64.encode(format!("7:{}", f.api_key).as_bytes());
    let authorization = format!("Basic {basic}");
    let headers = [
        ("authorization", authorization.as_str()),
        ("content-type", "application/json"),
    ];
    let search = "/api/v3/project/7/admin/order/search";
    let refused = until_refused(async || {
        f.send(Method::POST, search, &headers, r#"{"limit":1}"#)
            .await
    })
    .await;
    check(&refused, &json!(1101));
}
