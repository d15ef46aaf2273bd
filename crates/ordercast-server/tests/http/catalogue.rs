//! The catalogue on `/v1`.

use crate::{
    store_support::{check_success, shop},
    support::{Fixture, start_default, user_jwt},
};
use reqwest::Method;
use serde_json::{Value, json};

async fn get(f: &Fixture, path: &str) -> Value {
    let answer = f.shop(Method::GET, path, &Value::Null).await;
    check_success(&answer, path)
}

#[tokio::test]
async fn an_item_is_shown_as_it_can_be_put_back() {
    let f = start_default().await;
    // The shortest form, as ever.
    let short = json!({ "name": "Bow", "price": { "amount": "3", "currency": "USD" } });
    let put = f.shop(Method::PUT, "/items/bow", &short).await;
    assert_eq!(put.status.as_u16(), 200, "{}", put.text);
    assert_eq!(
        put.json()["price"],
        json!({ "amount": "3.00", "currency": "USD" })
    );

    let long = json!({
        "sku": "bow", "name": "Bow", "description": "Yew\nand string", "image_url": "https://x.example/b.png",
        "type": "bundle",
        "prices": [
            { "amount": "3", "currency": "USD", "amount_without_discount": "4" },
            { "amount": "300", "currency": "JPY" },
        ],
        "virtual_prices": [
            { "sku": "gold", "amount": 5 },
            { "sku": "gems", "amount": 10, "amount_without_discount": 12, "is_default": true },
        ],
        "attributes": [{ "external_id": "class", "name": "Class", "values": [{ "external_id": "a", "value": "Archer" }] }],
    });
    f.shop(Method::PUT, "/items/bow", &long).await;
    let shown = get(&f, "/items/bow").await;
    assert_eq!(shown["price"]["amount_without_discount"], "4.00");
    assert_eq!(shown["virtual_prices"][0]["sku"], "gems");
    let again = f.shop(Method::PUT, "/items/bow", &shown).await;
    assert_eq!((again.status.as_u16(), again.json()), (200, shown.clone()));
    assert_eq!(get(&f, "/items/bow").await, shown);
}

#[tokio::test]
async fn pages_by_sku() {
    let f = shop().await;
    let mut seen = Vec::new();
    let mut path = "/items?limit=3".to_owned();
    loop {
        let page = get(&f, &path).await;
        let items = page["items"].as_array().expect("list");
        seen.extend(items.iter().map(|item| item["sku"].clone()));
        match page["next_after"].as_str() {
            Some(after) => path = format!("/items?limit=3&after={after}"),
            None => break,
        }
    }
    assert_eq!(
        seen,
        ["badge", "fan", "gems", "gold", "potion", "shield", "sword"]
    );
}

#[tokio::test]
async fn a_list_is_written_whole_or_not_at_all() {
    let f = start_default().await;
    let usd = |amount: &str| json!({ "amount": amount, "currency": "USD" });
    let good = json!({ "items": [
        { "sku": "a", "name": "A", "price": usd("1") }, { "sku": "sword", "name": "Sword", "price": usd("2") },
    ] });
    let put = f.shop(Method::PUT, "/items", &good).await;
    assert_eq!(put.json(), json!({ "items_written": 2 }), "{}", put.text);
    assert_eq!(get(&f, "/items/sword").await["price"]["amount"], "2.00");
    for bad in [
        json!([{ "sku": "b", "name": "B", "price": usd("1") }, { "sku": "c", "name": "" }]),
        json!([{ "sku": "b", "name": "B", "price": usd("1") }, { "sku": "b", "name": "B", "price": usd("1") }]),
        json!([{ "name": "B", "price": usd("1") }]),
    ] {
        let answer = f
            .shop(Method::PUT, "/items", &json!({ "items": bad }))
            .await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (422, "invalid_field")
        );
    }
    assert_eq!(
        get(&f, "/items").await["items"].as_array().map(Vec::len),
        Some(2)
    );

    let path = f.v2("/payment/item/sword");
    let bought = f.post(&path, &user_jwt("alice"), &json!({})).await.json();
    let delete = async || f.shop(Method::DELETE, "/items/sword", &Value::Null).await;
    assert_eq!(delete().await.status.as_u16(), 204);
    assert_eq!(delete().await.status.as_u16(), 404);
    assert_eq!(
        f.post(&path, &user_jwt("alice"), &json!({}))
            .await
            .status
            .as_u16(),
        404
    );
    let order = f.v2(&format!("/order/{}", bought["order_id"]));
    let kept = f.get(&order, &user_jwt("alice")).await.json();
    assert_eq!(
        kept["content"]["price"]["amount"], "2.00",
        "an order is what was bought"
    );
}

#[tokio::test]
async fn what_contradicts_itself_is_refused() {
    let f = start_default().await;
    let usd = |amount: &str| json!({ "amount": amount, "currency": "USD" });
    let item = |more: Value| {
        let mut item = json!({ "name": "Bow" });
        for (name, value) in more.as_object().expect("object") {
            item[name] = value.clone();
        }
        item
    };
    for bad in [
        item(json!({ "name": "" })),
        item(json!({ "name": "a\u{7}" })),
        item(json!({ "price": usd("-1") })),
        item(json!({ "price": usd("1.999") })),
        item(json!({ "price": usd("1"), "is_free": true })),
        item(json!({ "price": usd("0"), "is_free": false })),
        item(json!({ "prices": [usd("1"), usd("2")] })),
        item(json!({ "price": usd("1"), "prices": [usd("2")] })),
        item(json!({ "prices": [usd("0"), { "amount": "1", "currency": "EUR" }] })),
        item(
            json!({ "price": { "amount": "2", "currency": "USD", "amount_without_discount": "1" } }),
        ),
        item(json!({ "virtual_prices": [{ "sku": "gems", "amount": 0 }] })),
        item(json!({ "virtual_prices": [{ "sku": "gems", "amount": -1 }] })),
        item(
            json!({ "virtual_prices": [{ "sku": "gems", "amount": 1 }, { "sku": "gems", "amount": 2 }] }),
        ),
        item(
            json!({ "virtual_prices": [{ "sku": "a", "amount": 1, "is_default": true }, { "sku": "b", "amount": 2, "is_default": true }] }),
        ),
        item(json!({ "is_free": true, "virtual_prices": [{ "sku": "gems", "amount": 1 }] })),
        item(json!({ "type": "weapon" })),
        item(json!({ "colour": "red" })),
        item(json!({ "sku": "arrow" })),
        item(json!({ "description": "x".repeat(4_001) })),
        item(json!({ "attributes": [{ "external_id": "", "name": "x", "values": [] }] })),
    ] {
        let answer = f.shop(Method::PUT, "/items/bow", &bad).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (422, "invalid_field"),
            "{bad:.100}"
        );
    }
    let missing = f.shop(Method::GET, "/items/bow", &Value::Null).await;
    assert_eq!(
        (missing.status.as_u16(), missing.code().as_str()),
        (404, "not_found")
    );
    for (method, path) in [
        (Method::GET, "/items"),
        (Method::PUT, "/items"),
        (Method::DELETE, "/items/sword"),
    ] {
        let bearer = format!("Bearer {}", user_jwt("alice"));
        let headers = [("authorization", bearer.as_str())];
        let buyer = f
            .ask(
                method.clone(),
                &f.v1(path),
                &headers,
                &json!({ "items": [] }),
            )
            .await;
        assert_eq!(buyer.status.as_u16(), 401, "{path}");
        let bearer = format!("Bearer {}", f.api_key);
        let headers = [("authorization", bearer.as_str())];
        let foreign = f
            .ask(
                method,
                &format!("/v1/projects/99{path}"),
                &headers,
                &json!({ "items": [] }),
            )
            .await;
        assert_eq!(foreign.status.as_u16(), 404, "{path}");
    }
}
