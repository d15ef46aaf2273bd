//! What shops' backends call on `/api/v3`.

use crate::{
    store_support::{check_error, check_success, shop},
    support::{self, Fixture, user_jwt},
};
use reqwest::Method;
use serde_json::{Value, json};

fn token_body() -> Value {
    json!({
        "sandbox": true,
        "user": {
            "id": { "value": "alice" }, "name": { "value": "Alice" },
            "email": { "value": "alice@example.com" },
            "country": { "value": "US", "allow_modify": true },
        },
        "purchase": { "items": [
            { "sku": "sword", "quantity": 2, "price": { "amount": "0.01" } },
            { "sku": "badge", "quantity": 1 },
        ] },
        "settings": { "currency": "EUR", "language": "en", "external_id": "o-1",
            "return_url": "myapp://paid" },
        "custom_parameters": { "a": "b" },
    })
}

#[tokio::test]
async fn a_token_comes_with_its_order() {
    let f = shop().await;
    let answer = f.admin("/payment/token", &token_body()).await;
    assert_eq!(answer.status.as_u16(), 201, "{}", answer.text);
    let made = check_success(&answer, "create");
    assert_eq!(
        made.as_object().expect("object").keys().collect::<Vec<_>>(),
        ["order_id", "token"]
    );
    let path = f.v2(&format!("/order/{}", made["order_id"]));
    let read = f.get(&path, made["token"].as_str().expect("token")).await;
    assert_eq!(read.json()["content"]["price"]["amount"], "3.58");
    assert_eq!(f.get(&path, &user_jwt("alice")).await.status.as_u16(), 200);
    assert_eq!(f.get(&path, &user_jwt("bob")).await.status.as_u16(), 404);

    let mut body = token_body();
    body["user"]["country"] = Value::Null;
    let key = f.api_key.clone();
    let with_address = f
        .admin_with(
            "/payment/token",
            &key,
            &[("x-user-ip", "203.0.113.9")],
            &body,
        )
        .await;
    assert_eq!(with_address.status.as_u16(), 201);
}

#[tokio::test]
async fn every_refusal_of_a_token_has_its_code() {
    let f = shop().await;
    let table = [
        ("/user", Value::Null, 1102),
        ("/user/id", json!({ "value": "" }), 1102),
        ("/user/id", json!({ "value": "x".repeat(201) }), 1102),
        ("/user/country", Value::Null, 1102),
        ("/user/country", json!({ "value": "USA" }), 1102),
        ("/user/email", json!({ "value": "nobody" }), 1102),
        ("/purchase", Value::Null, 1102),
        ("/purchase/items", json!([]), 1102),
        ("/purchase/items", json!([{ "sku": "sword" }]), 1102),
        (
            "/purchase/items",
            json!([{ "sku": "sword", "quantity": 0 }]),
            1102,
        ),
        (
            "/purchase/items",
            json!([{ "sku": "nothing", "quantity": 1 }]),
            1401,
        ),
        (
            "/purchase/items",
            json!([{ "sku": "badge", "quantity": 1 }]),
            1401,
        ),
        (
            "/purchase/items",
            json!([{ "sku": "potion", "quantity": 1 }]),
            1411,
        ),
        ("/settings/currency", json!("JPY"), 1417),
        ("/settings/currency", json!("dollar"), 1102),
        ("/settings/return_url", json!("data:text/html,x"), 1102),
        ("/custom_parameters", json!({}), 1102),
    ];
    for (at, value, code) in table {
        let mut body = token_body();
        *body.pointer_mut(at).expect(at) = value.clone();
        let answer = f.admin("/payment/token", &body).await;
        check_error(&answer, 422, code, &format!("{at} {value:.60}"));
    }
    let mut body = token_body();
    body["settings"]["currency"] = Value::Null;
    body["purchase"]["items"] =
        json!([{ "sku": "sword", "quantity": 1 }, { "sku": "fan", "quantity": 1 }]);
    check_error(
        &f.admin("/payment/token", &body).await,
        422,
        1421,
        "no common currency",
    );
    let found = f.admin("/order/search", &json!({})).await.json();
    assert_eq!(found["total_items_count"], 0);
}

#[tokio::test]
async fn one_refusal_for_every_key_that_is_not_this_projects() {
    let f = shop().await;
    let other = f
        .post(
            "/v1/projects",
            support::ROOT_KEY,
            &json!({ "name": "Other" }),
        )
        .await
        .json();
    let foreign = other["api_key"].as_str().expect("key");
    let mut bodies = std::collections::HashSet::new();
    for path in ["/payment/token", "/order/search"] {
        for key in ["", "wrong", foreign, &user_jwt("alice")] {
            let answer = f.admin_with(path, key, &[], &token_body()).await;
            check_error(&answer, 401, 1020, key);
            assert_eq!(answer.headers["www-authenticate"], "Basic");
            bodies.insert(answer.text);
        }
        let unknown = format!("/api/v3/project/4242/admin{path}");
        let basic = format!(
            "Basic {}",
            data_encoding::BASE64.encode(format!("1:{}", f.api_key).as_bytes())
        );
        let headers = [("authorization", basic.as_str())];
        let answer = f.ask(Method::POST, &unknown, &headers, &token_body()).await;
        check_error(&answer, 401, 1020, "unknown project");
        bodies.insert(answer.text);
        let nobody = f.ask(Method::POST, &unknown, &[], &token_body()).await;
        bodies.insert(nobody.text);
    }
    assert_eq!(bodies.len(), 1, "{bodies:?}");
}

async fn buy(f: &Fixture, path: &str) -> Value {
    let answer = f.user(Method::POST, path, "alice", &json!({})).await;
    check_success(&answer, path)["order_id"].clone()
}

#[tokio::test]
async fn a_search_shows_orders_as_they_are() {
    let f = shop().await;
    f.set_balance("alice", "gems", 100).await;
    f.admin("/payment/token", &token_body()).await;
    let free = buy(&f, "/free/item/badge").await;
    let virtual_order = buy(&f, "/payment/item/potion/virtual/gems").await;
    let found = check_success(&f.admin("/order/search", &json!({})).await, "search");
    assert_eq!(
        (&found["total_items_count"], &found["has_more"]),
        (&json!(3), &json!(false))
    );
    let orders = found["orders"].as_array().expect("list");
    let first = &orders[0];
    let date = first["date_created"].as_str().expect("date");
    assert!(date.len() == 25 && date.ends_with("+00:00"), "{date}");
    let item_ids: Vec<_> = first["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|i| i["item_id"].clone())
        .collect();
    assert!(item_ids.iter().all(Value::is_i64), "{item_ids:?}");
    let price = |amount: &str| json!({ "amount": amount, "amount_without_discount": amount, "currency": "EUR", "is_virtual_currency": false });
    assert_eq!(
        *first,
        json!({
            "order_id": first["order_id"], "project_id": f.project, "status": "new",
            "date_created": date, "mode": "sandbox", "is_free": false, "invoice_id": null,
            "price": price("3.58"),
            "user": { "id": "alice", "country": "US", "email": "alice@example.com", "region_id": null },
            "items": [
                { "order_item_id": 1, "item_id": item_ids[0], "sku": "sword", "type": "virtual_good",
                  "quantity": 2, "is_free": false, "is_bonus": false, "region_id": null,
                  "tax_category": null, "price": price("1.79"), "description": { "name": "Sword" } },
                { "order_item_id": 2, "item_id": item_ids[1], "sku": "badge", "type": "virtual_good",
                  "quantity": 1, "is_free": true, "is_bonus": false, "region_id": null,
                  "tax_category": null, "price": null, "description": { "name": "Badge" } },
            ],
            "promotions": [], "coupons": [],
        })
    );
    assert_eq!(
        (&orders[1]["order_id"], &orders[1]["price"]),
        (&free, &Value::Null)
    );
    assert_eq!(orders[2]["order_id"], virtual_order);
    assert_eq!(
        orders[2]["price"],
        json!({ "amount": "100", "amount_without_discount": "150", "currency": "gems", "is_virtual_currency": true })
    );
}

#[tokio::test]
async fn pages_and_dates_of_a_search() {
    let f = shop().await;
    let mut made = Vec::new();
    for _ in 0..12 {
        made.push(buy(&f, "/payment/item/sword").await);
    }
    let search = async |body: Value| f.admin("/order/search", &body).await;
    let ids = |found: &Value| -> Vec<Value> {
        let orders = found["orders"].as_array().expect("list");
        orders
            .iter()
            .map(|order| order["order_id"].clone())
            .collect()
    };
    let first = search(json!({})).await.json();
    assert_eq!(
        (ids(&first), &first["has_more"]),
        (made[..10].to_vec(), &json!(true))
    );
    let second = search(json!({ "limit": 5, "offset": 10 })).await.json();
    assert_eq!(
        (ids(&second), &second["has_more"]),
        (made[10..].to_vec(), &json!(false))
    );
    assert_eq!(second["total_items_count"], 12);
    let exact = search(json!({ "limit": 2, "offset": 10 })).await.json();
    assert_eq!(exact["has_more"], false);

    for (from, until, count) in [
        (json!("2018-01-07"), json!("2018-01-09T16:00:00+03:00"), 0),
        (json!("2018-01-07"), Value::Null, 12),
        (Value::Null, json!("2999-12-31"), 12),
        (
            json!("2018-01-07T00:00:00"),
            json!("2999-12-31T00:00:00.5Z"),
            12,
        ),
        (json!("2998-01-01"), Value::Null, 0),
    ] {
        let body = json!({ "created_date_from": from, "created_date_until": until });
        let found = search(body.clone()).await;
        assert_eq!(
            found.json()["total_items_count"],
            count,
            "{body}: {}",
            found.text
        );
    }
    for body in [
        json!({ "limit": 0 }),
        json!({ "limit": 11 }),
        json!({ "offset": -1 }),
        json!({ "offset": 1_000_001 }),
        json!({ "created_date_from": "yesterday" }),
        json!({ "created_date_from": "2020-02-02", "created_date_until": "2020-02-01" }),
    ] {
        check_error(&search(body.clone()).await, 422, 1102, &body.to_string());
    }
}
