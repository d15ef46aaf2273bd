//! Every path of `/api` that makes an order: what it answers, and each error that it lists.

use crate::{
    store_support::{check_error, check_success, shop},
    support::{Fixture, user_jwt},
};
use reqwest::Method;
use serde_json::{Value, json};

async fn post(f: &Fixture, path: &str, body: Value) -> crate::support::Answer {
    f.user(Method::POST, path, "alice", &body).await
}

async fn order(f: &Fixture, id: &Value) -> Value {
    let answer = f
        .user(Method::GET, &format!("/order/{id}"), "alice", &Value::Null)
        .await;
    check_success(&answer, "get order")
}

#[tokio::test]
async fn an_order_of_an_item_is_priced_by_the_catalogue() {
    let f = shop().await;
    let body = json!({
        "quantity": 3, "currency": "EUR", "locale": "de", "sandbox": true, "country": "DE",
        "custom_parameters": { "character": "Ann", "level": { "n": 1.5 } },
        "settings": {
            "ui": { "theme": "dark" }, "payment_method": 1380, "external_id": "x-1",
            "return_url": "https://shop.example/back?a=1",
            "redirect_policy": {
                "redirect_conditions": "any", "delay": 0,
                "status_for_manual_redirection": "vc", "redirect_button_caption": "Back",
            },
        },
        "user": { "tracking_id": "t" }, "shipping_data": null,
        // What a tampering client adds.
        "price": { "amount": "0.01", "currency": "EUR" }, "amount": "0.01", "is_free": true,
        "items": [{ "sku": "sword", "price": { "amount": "0.01" } }],
    });
    let made = check_success(&post(&f, "/payment/item/sword", body).await, "create");
    let members: Vec<_> = made.as_object().expect("object").keys().collect();
    assert_eq!(members, ["order_id", "token"]);
    assert!(made["order_id"].is_i64());
    assert_eq!(made["token"].as_str().map(str::len), Some(32));
    assert_eq!(
        order(&f, &made["order_id"]).await,
        json!({
            "order_id": made["order_id"],
            "status": "new",
            "content": {
                "price": { "amount": "5.37", "amount_without_discount": "5.37", "currency": "EUR" },
                "is_free": false,
                "items": [{
                    "sku": "sword", "quantity": 3, "is_free": false,
                    "price": { "amount": "1.79", "amount_without_discount": "1.79", "currency": "EUR" },
                }],
            },
        })
    );
    // Kept with the order, for the payment page.
    let lookup = json!({ "token": made["token"] });
    let found = f
        .shop(Method::POST, "/payment-sessions/lookup", &lookup)
        .await
        .json();
    assert_eq!(found["user_external_id"], "alice");
    assert_eq!(found["mode"], "sandbox");
    assert_eq!(found["order"]["price"]["amount"], "5.37");
    assert_eq!(
        found["checkout"],
        json!({
            "external_id": "x-1",
            "custom_parameters": { "character": "Ann", "level": { "n": 1.5 } },
            "contact": { "country": "DE" },
            "settings": {
                "locale": "de", "payment_method": 1380, "ui": { "theme": "dark" },
                "return_url": "https://shop.example/back?a=1",
                "redirect_policy": {
                    "redirect_conditions": "any", "delay": 0,
                    "status_for_manual_redirection": "vc", "redirect_button_caption": "Back",
                },
            },
        })
    );
}

#[tokio::test]
async fn a_discount_shows_in_both_amounts_and_what_is_empty_is_left_out() {
    let f = shop().await;
    // Engines send null and empty strings for what is not set.
    let body = json!({
        "quantity": 2, "currency": "", "locale": null, "promo_code": "", "settings": null,
        "custom_parameters": null, "sandbox": null,
    });
    let made = check_success(&post(&f, "/payment/item/shield", body).await, "create");
    let content = &order(&f, &made["order_id"]).await["content"];
    let price = |amount: &str, before: &str| json!({ "amount": amount, "amount_without_discount": before, "currency": "USD" });
    assert_eq!(content["price"], price("20.00", "25.00"));
    assert_eq!(content["items"][0]["price"], price("10.00", "12.50"));

    for body in [Value::Null, json!("null")] {
        let bearer = format!("Bearer {}", user_jwt("alice"));
        let raw = body.as_str().unwrap_or_default().to_owned();
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
        ];
        let answer = f
            .send(
                Method::POST,
                &f.v2("/payment/item/sword"),
                &headers,
                raw.clone(),
            )
            .await;
        check_success(&answer, &format!("body {raw:?}"));
    }
}

#[tokio::test]
async fn a_free_order_is_done_and_costs_nothing() {
    let f = shop().await;
    let made = check_success(
        &post(&f, "/free/item/badge", json!({ "quantity": 2 })).await,
        "create",
    );
    assert_eq!(
        made.as_object().expect("object").keys().collect::<Vec<_>>(),
        ["order_id"]
    );
    assert_eq!(
        order(&f, &made["order_id"]).await,
        json!({
            "order_id": made["order_id"],
            "status": "done",
            "content": {
                "is_free": true,
                "items": [{ "sku": "badge", "quantity": 2, "is_free": true }],
            },
        })
    );
}

#[tokio::test]
async fn every_listed_refusal_has_its_code() {
    let f = shop().await;
    f.set_balance("alice", "gems", 99).await;
    let long = format!("https://shop.example/{}", "x".repeat(1_000));
    let many: Value = (0..201)
        .map(|n| (format!("k{n}"), json!(n)))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let heavy = json!({ "custom_parameters": { "k": "x".repeat(17_000) } });
    let settings = |settings: Value| json!({ "settings": settings });
    let policy = |policy: Value| json!({ "settings": { "redirect_policy": policy } });
    let table = [
        ("/payment/item/nothing", json!({}), 404, 4001),
        ("/payment/item/no%20sku", json!({}), 404, 4001),
        (
            "/payment/item/sword",
            json!({ "promo_code": "SALE" }),
            404,
            9802,
        ),
        (
            "/payment/item/sword",
            json!({ "coupon_code": "SALE" }),
            404,
            9802,
        ),
        ("/payment/item/badge", json!({}), 422, 1411),
        ("/payment/item/potion", json!({}), 422, 1411),
        ("/payment/item/sword", json!({ "quantity": 0 }), 422, 1102),
        (
            "/payment/item/sword",
            json!({ "quantity": 1001 }),
            422,
            1102,
        ),
        ("/payment/item/sword", json!({ "quantity": -1 }), 422, 1102),
        ("/payment/item/sword", json!({ "quantity": "2" }), 422, 1102),
        (
            "/payment/item/sword",
            json!({ "currency": "usd" }),
            422,
            1102,
        ),
        (
            "/payment/item/sword",
            json!({ "currency": "JPY" }),
            422,
            1417,
        ),
        (
            "/payment/item/sword",
            json!({ "country": "Germany" }),
            422,
            1102,
        ),
        (
            "/payment/item/sword",
            json!({ "custom_parameters": {} }),
            422,
            1102,
        ),
        (
            "/payment/item/sword",
            json!({ "custom_parameters": [] }),
            422,
            1102,
        ),
        (
            "/payment/item/sword",
            json!({ "custom_parameters": many }),
            422,
            1102,
        ),
        ("/payment/item/sword", heavy, 422, 1102),
        ("/payment/item/sword", settings(json!([])), 422, 1102),
        (
            "/payment/item/sword",
            settings(json!({ "return_url": long })),
            422,
            1102,
        ),
        (
            "/payment/item/sword",
            settings(json!({ "return_url": "/back" })),
            422,
            1102,
        ),
        (
            "/payment/item/sword",
            settings(json!({ "return_url": "javascript://%0aalert(1)" })),
            422,
            1102,
        ),
        (
            "/payment/item/sword",
            settings(json!({ "return_url": "https://a b" })),
            422,
            1102,
        ),
        (
            "/payment/item/sword",
            settings(json!({ "external_id": "x".repeat(256) })),
            422,
            1102,
        ),
        (
            "/payment/item/sword",
            settings(json!({ "payment_method": 0 })),
            422,
            1102,
        ),
        (
            "/payment/item/sword",
            settings(json!({ "ui": { "k": "x".repeat(9_000) } })),
            422,
            1102,
        ),
        (
            "/payment/item/sword",
            policy(json!({ "redirect_conditions": "always" })),
            422,
            1102,
        ),
        (
            "/payment/item/sword",
            policy(json!({ "status_for_manual_redirection": "x" })),
            422,
            1102,
        ),
        (
            "/payment/item/sword",
            policy(json!({ "delay": -1 })),
            422,
            1102,
        ),
        ("/payment/item/nothing/virtual/gems", json!({}), 404, 4001),
        ("/payment/item/potion/virtual/nothing", json!({}), 404, 4001),
        ("/payment/item/sword/virtual/gems", json!({}), 404, 4001),
        ("/payment/item/potion/virtual/badge", json!({}), 404, 4001),
        ("/payment/item/potion/virtual/gems", json!({}), 422, 5006),
        ("/payment/item/potion/virtual/gold", json!({}), 422, 5006),
        (
            "/payment/item/potion/virtual/gems",
            json!({ "quantity": 0 }),
            422,
            1102,
        ),
        ("/free/item/sword", json!({}), 422, 1411),
        ("/free/item/potion", json!({}), 422, 1411),
        ("/free/item/nothing", json!({}), 404, 4001),
        ("/payment/cart", json!({}), 422, 1401),
        ("/payment/cart/mine", json!({}), 422, 1401),
        ("/payment/cart/no%20cart", json!({}), 422, 1401),
        ("/free/cart", json!({}), 422, 1401),
        ("/free/cart/mine", json!({}), 422, 1401),
        ("/payment", json!({}), 422, 1102),
        ("/nothing", json!({}), 404, 1019),
        ("/payment/item/%ff", json!({}), 404, 1019),
        ("/order/1", json!({}), 405, 1019),
    ];
    let body = |body: &Value| body.to_string().chars().take(60).collect::<String>();
    for (path, asked, status, code) in &table {
        let answer = post(&f, path, asked.clone()).await;
        let what = format!("{path} {}", body(asked));
        check_error(&answer, *status, *code, &what);
        assert_eq!(answer.headers["access-control-allow-origin"], "*", "{what}");
    }
    let orders = f.admin("/order/search", &json!({})).await.json();
    assert_eq!(orders["total_items_count"], 0, "nothing was made");
    assert_eq!(f.balance("alice", "gems").await, 99);
}

#[tokio::test]
async fn bodies_that_cannot_be_read_are_refused_in_the_same_shape() {
    let f = shop().await;
    let bearer = format!("Bearer {}", user_jwt("alice"));
    for (content_type, body, status) in [
        ("application/json", "{".to_owned(), 400),
        ("application/json", "[".repeat(40), 400),
        (
            "application/json",
            r#"{"quantity":1,"quantity":2}"#.to_owned(),
            400,
        ),
        (
            "application/json",
            r#"{"custom_parameters":{"a":1,"a":2}}"#.to_owned(),
            400,
        ),
        ("text/plain", "{}".to_owned(), 415),
        ("application/json", " ".repeat(70_000), 413),
    ] {
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", content_type),
        ];
        let path = f.v2("/payment/item/sword");
        let answer = f.send(Method::POST, &path, &headers, body.clone()).await;
        check_error(&answer, status, 1102, &format!("{body:.40}"));
    }
}

#[tokio::test]
async fn only_users_with_a_token_of_their_own_buy() {
    let f = shop().await;
    let made = post(&f, "/payment/item/sword", json!({})).await.json();
    let token = format!("Bearer {}", made["token"].as_str().expect("token"));
    let key = format!("Bearer {}", f.api_key);
    let mut bodies = std::collections::HashSet::new();
    for path in [
        "/payment/item/sword",
        "/payment/item/potion/virtual/gems",
        "/free/item/badge",
        "/payment",
        "/payment/cart",
        "/free/cart",
    ] {
        let path = f.v2(path);
        for headers in [
            vec![],
            vec![("authorization", key.as_str())],
            vec![("authorization", "Basic x")],
            vec![("x-unauthorized-id", "")],
        ] {
            let answer = f.ask(Method::POST, &path, &headers, &json!({})).await;
            check_error(&answer, 401, 1501, &path);
            assert_eq!(answer.headers["www-authenticate"], "Bearer");
            bodies.insert(answer.text);
        }
        let headers = [("authorization", token.as_str())];
        let answer = f.ask(Method::POST, &path, &headers, &json!({})).await;
        check_error(&answer, 403, 1501, &path);
    }
    assert_eq!(bodies.len(), 1, "one 401 for all: {bodies:?}");
}

#[tokio::test]
async fn a_key_has_one_effect_for_its_buyer_whatever_happens_in_between() {
    let f = shop().await;
    let buy = async |user: &str, body: Value| {
        let bearer = format!("Bearer {}", user_jwt(user));
        let headers = [("authorization", bearer.as_str()), ("idempotency-key", "k")];
        f.ask(Method::POST, &f.v2("/payment/item/sword"), &headers, &body)
            .await
    };
    let first = buy("alice", json!({})).await;
    check_success(&first, "first");
    let deleted = f.shop(Method::DELETE, "/items/sword", &Value::Null).await;
    assert_eq!(deleted.status.as_u16(), 204);
    let again = buy("alice", json!({})).await;
    assert_eq!(
        again.text, first.text,
        "the item is gone, the answer is not"
    );
    check_error(
        &buy("alice", json!({ "quantity": 2 })).await,
        422,
        1102,
        "another body",
    );
    check_error(&buy("bob", json!({})).await, 404, 4001, "bob's own key");
}

#[tokio::test]
async fn a_payment_session_opens_nothing_and_tells_the_shop_what_it_is() {
    let f = shop().await;
    let body = json!({
        "purchase": {
            "checkout": { "amount": 9.5, "currency": "USD" },
            "description": { "value": "A tip" },
        },
        "settings": { "sandbox": true, "external_id": "tip-1", "currency": "USD" },
        "custom_parameters": { "to": "band" },
    });
    let made = check_success(&post(&f, "/payment", body.clone()).await, "create");
    assert_eq!(
        made.as_object().expect("object").keys().collect::<Vec<_>>(),
        ["token"]
    );
    let token = made["token"].as_str().expect("token");
    let orders = f.admin("/order/search", &json!({})).await.json();
    assert_eq!(orders["total_items_count"], 0);
    check_error(
        &f.get(&f.v2("/order/1"), token).await,
        401,
        1501,
        "as a bearer",
    );

    let lookup = json!({ "token": token });
    let found = f
        .shop(Method::POST, "/payment-sessions/lookup", &lookup)
        .await
        .json();
    assert_eq!(found["user_external_id"], "alice");
    assert_eq!(found["mode"], "sandbox");
    assert_eq!(found["purchase"], body["purchase"]);
    assert_eq!(found["checkout"]["external_id"], "tip-1");
    let mut forged = token.to_owned();
    forged.replace_range(20..21, if &token[20..21] == "A" { "B" } else { "A" });
    for bad in [forged.as_str(), "", "x", &user_jwt("alice")] {
        let lookup = json!({ "token": bad });
        let answer = f
            .shop(Method::POST, "/payment-sessions/lookup", &lookup)
            .await;
        assert_eq!(answer.status.as_u16(), 404, "{bad}");
    }
    for (checkout, rule) in [
        (json!({ "amount": 1 }), "currency"),
        (json!({ "amount": "1.999", "currency": "USD" }), "decimal"),
        (json!({ "amount": -1, "currency": "USD" }), "amount"),
        (json!({ "currency": "USD" }), "amount"),
    ] {
        let body = json!({ "purchase": { "checkout": checkout } });
        let answer = post(&f, "/payment", body).await;
        check_error(&answer, 422, 1102, rule);
        assert!(answer.text.contains(rule), "{}", answer.text);
    }
}
