//! Orders in a virtual currency: paid out of the buyer's balance, once.

use crate::{
    store_support::{check_error, check_success, shop, shop_with},
    support::{Fixture, user_jwt},
};
use reqwest::Method;
use serde_json::{Value, json};

const BUY: &str = "/payment/item/potion/virtual/gems";

async fn buy(f: &Fixture, body: Value) -> crate::support::Answer {
    f.user(Method::POST, BUY, "alice", &body).await
}

#[tokio::test]
async fn it_goes_its_whole_way_at_once_in_versions_of_its_own() {
    let f = shop().await;
    f.set_balance("alice", "gems", 250).await;
    let made = check_success(
        &buy(
            &f,
            json!({ "quantity": 2, "custom_parameters": { "a": null } }),
        )
        .await,
        "create",
    );
    assert_eq!(
        made.as_object().expect("object").keys().collect::<Vec<_>>(),
        ["order_id"]
    );
    assert_eq!(f.balance("alice", "gems").await, 50);

    let id = &made["order_id"];
    let versions = f
        .shop(Method::GET, &format!("/orders/{id}/versions"), &Value::Null)
        .await
        .json();
    let statuses: Vec<_> = versions["versions"]
        .as_array()
        .expect("list")
        .iter()
        .map(|version| (version["version"].clone(), version["status"].clone()))
        .collect();
    let expected = [(1, "new"), (2, "paid"), (3, "done")];
    assert_eq!(
        statuses,
        expected.map(|(version, status)| (json!(version), json!(status)))
    );
    let order = f
        .user(Method::GET, &format!("/order/{id}"), "alice", &Value::Null)
        .await;
    assert_eq!(
        check_success(&order, "get order"),
        json!({
            "order_id": id,
            "status": "done",
            "content": {
                "virtual_price": {
                    "amount": "200", "amount_without_discount": "300", "currency": "gems",
                },
                "is_free": false,
                "items": [{ "sku": "potion", "quantity": 2, "is_free": false }],
            },
        })
    );
    check_error(&buy(&f, json!({})).await, 422, 5006, "50 are not 100");
    assert_eq!(f.balance("alice", "gems").await, 50);
    assert_eq!(f.balance("alice", "gold").await, Value::Null);
}

#[tokio::test]
async fn the_superset_has_what_every_sdk_models() {
    let f = shop_with(json!({ "virtual_price_integers": true })).await;
    f.set_balance("alice", "gems", 100).await;
    f.set_balance("alice", "gold", 3).await;
    for (currency, name, amount, before, is_default) in [
        ("gems", "Gems", 100, 150, true),
        ("gold", "Gold", 3, 3, false),
    ] {
        let path = format!("/payment/item/potion/virtual/{currency}");
        let made = f
            .user(Method::POST, &path, "alice", &json!({}))
            .await
            .json();
        let path = format!("/order/{}", made["order_id"]);
        let order = f
            .user(Method::GET, &path, "alice", &Value::Null)
            .await
            .json();
        assert_eq!(
            order["content"]["virtual_price"],
            json!({
                "amount": amount, "amount_without_discount": before, "currency": currency,
                "sku": currency, "name": name, "type": "virtual_currency",
                "is_default": is_default,
            })
        );
    }
}

#[tokio::test]
async fn buyers_at_once_never_spend_what_is_not_there() {
    let f = shop().await;
    f.set_balance("alice", "gems", 500).await;
    let answers = futures_util::future::join_all((0..20).map(|_| buy(&f, json!({})))).await;
    let bought = answers.iter().filter(|a| a.status.is_success()).count();
    assert_eq!(bought, 5);
    for answer in answers.iter().filter(|a| !a.status.is_success()) {
        check_error(answer, 422, 5006, "the rest");
    }
    assert_eq!(f.balance("alice", "gems").await, 0);
    let orders = f.admin("/order/search", &json!({})).await.json();
    assert_eq!(orders["total_items_count"], 5);
}

#[tokio::test]
async fn a_retry_with_its_key_is_debited_once() {
    let f = shop().await;
    f.set_balance("alice", "gems", 300).await;
    let bearer = format!("Bearer {}", user_jwt("alice"));
    let headers = [
        ("authorization", bearer.as_str()),
        ("idempotency-key", "buy-1"),
    ];
    let (path, body) = (f.v2(BUY), json!({}));
    let asks = (0..5).map(|_| f.ask(Method::POST, &path, &headers, &body));
    let answers = futures_util::future::join_all(asks).await;
    for answer in &answers {
        check_success(answer, "each");
        assert_eq!(answer.text, answers[0].text);
    }
    assert_eq!(f.balance("alice", "gems").await, 200);
}

#[tokio::test]
async fn a_canceled_order_gives_its_price_back_once() {
    let f = shop().await;
    f.set_balance("alice", "gems", 100).await;
    let made = buy(&f, json!({})).await.json();
    let cancel = format!("/orders/{}/transitions", made["order_id"]);
    let body = json!({ "to": "canceled" });
    assert_eq!(
        f.shop(Method::POST, &cancel, &body).await.status.as_u16(),
        200
    );
    assert_eq!(
        f.shop(Method::POST, &cancel, &body).await.status.as_u16(),
        409
    );
    assert_eq!(f.balance("alice", "gems").await, 100);
}

#[tokio::test]
async fn the_shop_fills_balances() {
    let f = shop().await;
    let path = "/users/alice/balances/gems";
    let add = async |change: i64, key: &str| {
        let bearer = format!("Bearer {}", f.api_key);
        let headers = [("authorization", bearer.as_str()), ("idempotency-key", key)];
        let body = json!({ "change": change });
        f.ask(Method::POST, &f.v1(path), &headers, &body).await
    };
    for _ in 0..2 {
        let answer = add(70, "a").await;
        assert_eq!(
            (answer.status.as_u16(), answer.json()["amount"].as_i64()),
            (200, Some(70))
        );
    }
    assert_eq!(add(-20, "b").await.json()["amount"], 50);
    let short = add(-51, "c").await;
    assert_eq!(
        (short.status.as_u16(), short.code().as_str()),
        (409, "insufficient_balance")
    );
    let over = add(1_000_000_000_000_000, "d").await;
    assert_eq!(
        (over.status.as_u16(), over.code().as_str()),
        (422, "invalid_field")
    );
    assert_eq!(add(i64::MIN, "e").await.status.as_u16(), 409);
    assert_eq!(f.balance("alice", "gems").await, 50);

    let put = async |path: &str, amount: Value| {
        f.shop(Method::PUT, path, &json!({ "amount": amount }))
            .await
    };
    for (path, amount, status, code) in [
        (path, json!(-1), 422, "invalid_field"),
        (path, json!(1.5), 422, "invalid_field"),
        (path, json!(1_000_000_000_000_001_i64), 422, "invalid_field"),
        (
            "/users/alice/balances/sword",
            json!(1),
            422,
            "no_virtual_currency",
        ),
        (
            "/users/alice/balances/nothing",
            json!(1),
            422,
            "no_virtual_currency",
        ),
    ] {
        let answer = put(path, amount).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (status, code),
            "{path}"
        );
    }
    let foreign = f
        .post(
            "/v1/projects/99/users/a/balances/gems",
            &f.api_key,
            &json!({ "change": 1 }),
        )
        .await;
    assert_eq!(foreign.status.as_u16(), 404);
    let buyer = f
        .post(&f.v1(path), &user_jwt("alice"), &json!({ "change": 1 }))
        .await;
    assert_eq!(buyer.status.as_u16(), 401);
}
