//! Carts of users and guests, and orders of whole carts.

use crate::store_support::{check_error, check_success, shop, shop_with};
use crate::support::{Answer, Fixture};
use reqwest::Method;
use serde_json::{Value, json};

async fn put(f: &Fixture, path: &str, body: Value) -> Answer {
    f.user(Method::PUT, path, "alice", &body).await
}

async fn cart(f: &Fixture, path: &str) -> Value {
    let answer = f.user(Method::GET, path, "alice", &Value::Null).await;
    check_success(&answer, path)
}

fn skus(cart: &Value) -> Vec<(&str, i64)> {
    let items = cart["items"].as_array().expect("list");
    items
        .iter()
        .map(|item| {
            let sku = item["sku"].as_str().expect("sku");
            (sku, item["quantity"].as_i64().expect("quantity"))
        })
        .collect()
}

#[tokio::test]
async fn a_cart_is_filled_changed_and_cleared() {
    let f = shop().await;
    let empty = cart(&f, "/cart").await;
    assert_eq!((skus(&empty), &empty["is_free"]), (vec![], &json!(false)));
    let fill = json!({ "items": [
        { "sku": "sword", "quantity": 2 }, { "sku": "badge", "quantity": 1 },
        { "sku": "nothing", "quantity": 1 },
    ] });
    let filled = check_success(&put(&f, "/cart/fill", fill).await, "fill");
    assert_eq!(skus(&filled), [("sword", 2), ("badge", 1)]);
    assert_eq!(filled["warnings"][0]["sku"], "nothing");
    assert_eq!(filled["warnings"][0]["errorCode"], 4001);

    let id = filled["cart_id"].as_str().expect("cart_id");
    assert_eq!(
        put(&f, "/cart/item/shield", json!({ "quantity": 3 }))
            .await
            .status
            .as_u16(),
        204
    );
    let path = format!("/cart/{id}/item/sword");
    assert_eq!(
        put(&f, &path, json!({ "quantity": 1 }))
            .await
            .status
            .as_u16(),
        204
    );
    let changed = cart(&f, &format!("/cart/{id}")).await;
    assert_eq!(skus(&changed), [("sword", 1), ("badge", 1), ("shield", 3)]);
    assert_eq!(
        changed["price"],
        json!({ "amount": "31.99", "amount_without_discount": "39.49", "currency": "USD" })
    );
    // What the strictest model needs of every item, free ones included.
    for item in changed["items"].as_array().expect("list") {
        for member in ["sku", "name", "type", "description", "image_url"] {
            assert!(item[member].is_string(), "{member}: {item}");
        }
        for member in ["groups", "attributes", "virtual_prices"] {
            assert!(item[member].is_array(), "{member}: {item}");
        }
        assert!(item["is_free"].is_boolean() && item["is_bonus"].is_boolean());
        assert!(item["price"]["amount"].is_string(), "{item}");
        assert_eq!(item["price"]["currency"], "USD");
    }

    let delete = f
        .user(Method::DELETE, "/cart/item/shield", "alice", &Value::Null)
        .await;
    assert_eq!(delete.status.as_u16(), 204);
    assert_eq!(skus(&cart(&f, "/cart").await), [("sword", 1), ("badge", 1)]);
    assert_eq!(
        put(&f, "/cart/clear", Value::Null).await.status.as_u16(),
        204
    );
    assert_eq!(skus(&cart(&f, "/cart").await), []);
}

#[tokio::test]
async fn an_order_has_what_the_cart_has_and_leaves_it() {
    let f = shop().await;
    put(&f, "/cart/gift/item/sword", json!({ "quantity": 2 })).await;
    put(&f, "/cart/gift/item/badge", json!({ "quantity": 1 })).await;
    let body = json!({ "currency": "EUR", "custom_parameters": { "a": 1 } });
    let made = check_success(
        &f.user(Method::POST, "/payment/cart/gift", "alice", &body)
            .await,
        "create",
    );
    assert!(made["token"].is_string());
    let path = format!("/order/{}", made["order_id"]);
    let order = f
        .user(Method::GET, &path, "alice", &Value::Null)
        .await
        .json();
    assert_eq!(order["status"], "new");
    assert_eq!(order["content"]["price"]["amount"], "3.58");
    assert_eq!(order["content"]["price"]["currency"], "EUR");
    assert_eq!(order["content"]["items"].as_array().map(Vec::len), Some(2));
    assert_eq!(skus(&cart(&f, "/cart/gift").await).len(), 2);

    put(&f, "/cart/item/badge", json!({ "quantity": 1 })).await;
    let taken = check_success(
        &f.user(Method::POST, "/free/cart", "alice", &json!({}))
            .await,
        "free",
    );
    assert_eq!(taken.as_object().map(serde_json::Map::len), Some(1));
    let path = format!("/order/{}", taken["order_id"]);
    let order = f
        .user(Method::GET, &path, "alice", &Value::Null)
        .await
        .json();
    assert_eq!(
        (&order["status"], &order["content"]["is_free"]),
        (&json!("done"), &json!(true))
    );
}

#[tokio::test]
async fn every_refusal_of_a_cart_has_its_code() {
    let f = shop().await;
    put(&f, "/cart/free/item/badge", json!({})).await;
    put(&f, "/cart/paid/item/sword", json!({})).await;
    put(&f, "/cart/mixed/item/sword", json!({})).await;
    put(&f, "/cart/mixed/item/fan", json!({})).await;
    put(&f, "/cart/dear/item/sword", json!({ "quantity": 1000 })).await;
    let line =
        |sku: &str, quantity: i64| json!({ "items": [{ "sku": sku, "quantity": quantity }] });
    let lines: Vec<_> = (0..101)
        .map(|n| json!({ "sku": format!("s{n}"), "quantity": 1 }))
        .collect();
    for (method, path, body, status, code) in [
        ("GET", "/cart/nothing", Value::Null, 404, 1401),
        ("GET", "/cart/no%20cart", Value::Null, 404, 1401),
        ("GET", "/cart/item", Value::Null, 404, 1401),
        ("PUT", "/cart/nothing/clear", Value::Null, 404, 1401),
        ("DELETE", "/cart/nothing/item/sword", Value::Null, 404, 1401),
        ("DELETE", "/cart/item/nothing", Value::Null, 404, 4001),
        (
            "PUT",
            "/cart/item/nothing",
            json!({ "quantity": 1 }),
            404,
            4001,
        ),
        (
            "PUT",
            "/cart/item/potion",
            json!({ "quantity": 1 }),
            422,
            1402,
        ),
        ("PUT", "/cart/fill", line("potion", 1), 422, 1402),
        (
            "PUT",
            "/cart/item/sword",
            json!({ "quantity": 0 }),
            422,
            1102,
        ),
        ("PUT", "/cart/fill", line("sword", 0), 422, 1102),
        ("PUT", "/cart/fill", line("no sku", 1), 422, 1102),
        ("PUT", "/cart/fill", json!({ "items": [] }), 422, 1102),
        ("PUT", "/cart/fill", json!({ "items": lines }), 422, 1102),
        ("GET", "/cart?currency=dollar", Value::Null, 422, 1102),
        ("POST", "/payment/cart/free", json!({}), 422, 1401),
        ("POST", "/free/cart/paid", json!({}), 422, 1401),
        ("POST", "/payment/cart/mixed", json!({}), 422, 1421),
        (
            "POST",
            "/payment/cart/mixed",
            json!({ "currency": "USD" }),
            422,
            1417,
        ),
        ("POST", "/cart", Value::Null, 405, 1019),
    ] {
        let method = method.parse().expect("method");
        let answer = f.user(method, path, "alice", &body).await;
        check_error(&answer, status, code, &format!("{path} {body:.40}"));
    }
    // Shown all the same: there is no whole price, but every item has its own.
    let mixed = cart(&f, "/cart/mixed").await;
    assert_eq!(mixed["price"], Value::Null);
    assert_eq!(mixed["items"][1]["price"]["currency"], "JPY");

    f.shop(Method::DELETE, "/items/sword", &Value::Null).await;
    let gone = f
        .user(Method::POST, "/payment/cart/paid", "alice", &json!({}))
        .await;
    check_error(&gone, 422, 1455, "an item is gone");
    let shown = cart(&f, "/cart/paid").await;
    assert_eq!(
        (skus(&shown), &shown["warnings"][0]["errorCode"]),
        (vec![], &json!(4001))
    );
    let removed = f
        .user(
            Method::DELETE,
            "/cart/paid/item/sword",
            "alice",
            &Value::Null,
        )
        .await;
    assert_eq!(
        removed.status.as_u16(),
        204,
        "what is gone can be taken out"
    );
}

#[tokio::test]
async fn carts_are_bounded() {
    let f = shop().await;
    for n in 0..10 {
        let path = format!("/cart/c{n}/item/sword");
        assert_eq!(put(&f, &path, json!({})).await.status.as_u16(), 204);
    }
    check_error(
        &put(&f, "/cart/c10/item/sword", json!({})).await,
        422,
        1403,
        "an 11th",
    );
    let body = json!({ "items": (0..100)
        .map(|n| json!({ "sku": format!("s{n}"), "name": "S", "price": { "amount": "1", "currency": "USD" } }))
        .collect::<Vec<_>>() });
    assert_eq!(
        f.shop(Method::PUT, "/items", &body).await.status.as_u16(),
        200
    );
    let lines: Vec<_> = (0..100)
        .map(|n| json!({ "sku": format!("s{n}"), "quantity": 1 }))
        .collect();
    let full = put(&f, "/cart/c0/fill", json!({ "items": lines })).await;
    check_error(&full, 422, 1403, "a 101st line");
    assert_eq!(
        skus(&cart(&f, "/cart/c0").await),
        [("sword", 1)],
        "nothing of it was put in"
    );
}

#[tokio::test]
async fn a_guests_secret_is_shown_nowhere() {
    let f = shop().await;
    let secret = "the-guests-own-secret";
    let carted = f
        .guest(Method::PUT, "/cart/item/sword", secret, &json!({}))
        .await;
    assert_eq!(carted.status.as_u16(), 204);
    let headers = [("x-unauthorized-id", secret), ("idempotency-key", "k-1")];
    let made = f
        .ask(Method::POST, &f.v2("/payment/cart"), &headers, &json!({}))
        .await;
    let order = made.json()["order_id"].clone();
    let paths = [
        f.v1("/orders"),
        f.v1(&format!("/orders/{order}?expand=versions")),
        f.v1("/events?mode=reference_combined"),
    ];
    let mut shown = made.text;
    for path in paths {
        let answer = f.get(&path, &f.api_key).await;
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
        shown.push_str(&answer.text);
    }
    shown.push_str(&f.admin("/order/search", &json!({})).await.text);
    assert!(shown.contains("guest:"), "{shown}");
    assert!(!shown.contains(secret), "{shown}");
    f.stop().await;
    let database = std::fs::read(f.folder().join("ordercast.db")).expect("file");
    let holds = |what: &[u8]| database.windows(what.len()).any(|some| some == what);
    assert!(holds(b"guest:") && !holds(secret.as_bytes()));
}

#[tokio::test]
async fn guests_are_let_in_where_the_project_says_so() {
    let f = shop_with(json!({ "guests": false })).await;
    let cart = async || f.guest(Method::GET, "/cart", "g-1", &Value::Null).await;
    check_error(&cart().await, 401, 1501, "no guests");
    let set = f.shop(Method::PATCH, "", &json!({ "guests": true })).await;
    assert_eq!(set.json()["guests"], true, "{}", set.text);
    check_success(&cart().await, "guests");
}

#[tokio::test]
async fn guests_have_orders_and_carts_that_nobody_else_sees() {
    let f = shop().await;
    let contact = |text: &str| data_encoding::BASE64.encode(text.as_bytes());
    let buy = async |id: &str, contact: &str| {
        let headers = [("x-unauthorized-id", id), ("x-user", contact)];
        f.ask(Method::POST, &f.v2("/payment/cart"), &headers, &json!({}))
            .await
    };
    let carted = f
        .guest(Method::PUT, "/cart/item/sword", "g-1", &json!({}))
        .await;
    assert_eq!(carted.status.as_u16(), 204);
    let object = contact(r#"{"name":"Ann","email":"ann@example.com","country":"DE"}"#);
    let made = check_success(&buy("g-1", &object).await, "buy");
    let path = format!("/order/{}", made["order_id"]);
    let own = f.guest(Method::GET, &path, "g-1", &Value::Null).await;
    assert_eq!(check_success(&own, "own")["status"], "new");
    let with_token = f
        .get(&f.v2(&path), made["token"].as_str().expect("token"))
        .await;
    assert_eq!(with_token.status.as_u16(), 200);
    let found = f.admin("/order/search", &json!({})).await.json();
    let user = &found["orders"][0]["user"];
    let id = user["id"].as_str().expect("text").to_owned();
    assert!(id.starts_with("guest:"), "{id}");
    assert_eq!(
        (&user["email"], &user["country"]),
        (&json!("ann@example.com"), &json!("DE"))
    );

    // Another guest, and users whose ids look like the guest's.
    let missing = f.guest(Method::GET, "/order/77", "g-2", &Value::Null).await;
    check_error(&missing, 404, 9001, "missing");
    let foreign = f.guest(Method::GET, &path, "g-2", &Value::Null).await;
    assert_eq!(foreign.text, missing.text);
    let namesake = f.user(Method::GET, &path, "g-1", &Value::Null).await;
    assert_eq!(namesake.text, missing.text);
    for id in ["guest:g-1", &id] {
        let impostor = f.user(Method::GET, &path, id, &Value::Null).await;
        check_error(&impostor, 401, 1501, "a JWT with a guest's id");
    }
    for id in [id.as_str(), &id["guest:".len()..]] {
        let knows_the_id = f.guest(Method::GET, &path, id, &Value::Null).await;
        assert_eq!(knows_the_id.text, missing.text, "the id proves nothing");
    }
    let users_order = f.create_order("g-1").await;
    let path = format!("/order/{users_order}");
    let users = f.guest(Method::GET, &path, "g-1", &Value::Null).await;
    assert_eq!(users.text, missing.text);
    let twice_named = f.guest(Method::GET, &path, "guest:g-1", &Value::Null).await;
    assert_eq!(twice_named.text, missing.text);
    for who in ["g-2", "guest:g-1"] {
        let other = f.guest(Method::GET, "/cart", who, &Value::Null).await;
        assert_eq!(skus(&check_success(&other, who)), []);
    }
    assert_eq!(skus(&cart(&f, "/cart").await), [], "a user's cart");

    for bad in ["?", "bm90IGFuIGFkZHJlc3M=", &contact("{}{")] {
        check_error(&buy("g-1", bad).await, 422, 1102, bad);
    }
    for bad in ["", "a b", &"x".repeat(129)] {
        check_error(&buy(bad, &contact("a@b.c")).await, 401, 1501, bad);
    }
    let unknown = "/api/v2/project/4242/cart";
    let answer = f
        .ask(
            Method::GET,
            unknown,
            &[("x-unauthorized-id", "g-1")],
            &Value::Null,
        )
        .await;
    check_error(&answer, 401, 1501, "unknown project");
    for path in [
        "/payment/item/sword",
        "/free/item/badge",
        "/payment/item/potion/virtual/gems",
        "/payment",
    ] {
        let answer = f.guest(Method::POST, path, "g-1", &json!({})).await;
        check_error(&answer, 401, 1501, path);
    }
    // A token that is not good is not mended by a guest's header.
    let headers = [
        ("authorization", "Bearer x.y.z"),
        ("x-unauthorized-id", "g-1"),
    ];
    let answer = f
        .ask(Method::GET, &f.v2("/cart"), &headers, &Value::Null)
        .await;
    check_error(&answer, 401, 1501, "bad token");
}
