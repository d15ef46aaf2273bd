//! *Get order* as pollers use it: what it shows, and answers that are held until a change.

use crate::{
    store_support::{check_error, shop},
    support::{Answer, Fixture, user_jwt},
};
use reqwest::Method;
use serde_json::json;

async fn read(f: &Fixture, order: i64, query: &str, etag: Option<&str>) -> Answer {
    let bearer = format!("Bearer {}", user_jwt("alice"));
    let mut headers = vec![("authorization", bearer.as_str())];
    headers.extend(etag.map(|etag| ("if-none-match", etag)));
    f.send(
        Method::GET,
        &f.v2(&format!("/order/{order}{query}")),
        &headers,
        "",
    )
    .await
}

async fn become_status(f: &Fixture, order: i64, to: &str) {
    let path = format!("/orders/{order}/transitions");
    let answer = f.shop(Method::POST, &path, &json!({ "to": to })).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
}

/// Waits until the server holds so many answers, as its gauge says.
async fn until_held(f: &Fixture, count: usize) {
    loop {
        let metrics = f.internal("/metrics").await.text;
        let line = metrics
            .lines()
            .find_map(|line| line.strip_prefix("ordercast_order_watches "));
        if line == Some(&count.to_string()) {
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// All of them in one server: the gauge belongs to the process.
#[tokio::test]
async fn an_answer_is_held_until_the_status_changes() {
    let f = shop().await;
    let order = f.create_order("alice").await;
    let other = f.create_order("alice").await;

    // Several at once, of which one says what it has.
    let etag = read(&f, order, "", None).await.headers["etag"]
        .to_str()
        .expect("etag")
        .to_owned();
    let (seen, known, _) = tokio::join!(
        read(&f, order, "?wait=30", None),
        read(&f, order, "?engine=ue4&wait=30&sdk=store", Some(&etag)),
        async {
            until_held(&f, 2).await;
            // A change of another order wakes nobody; this one's does.
            become_status(&f, other, "paid").await;
            become_status(&f, order, "paid").await;
        }
    );
    for answer in [&seen, &known] {
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
        assert_eq!(answer.json()["status"], "paid");
    }
    until_held(&f, 0).await;

    // What the client does not know yet is told at once, and a last status is not waited on.
    let stale = read(&f, order, "?wait=30", Some(&etag)).await;
    assert_eq!(stale.json()["status"], "paid");
    become_status(&f, order, "done").await;
    assert_eq!(
        read(&f, order, "?wait=30", None).await.json()["status"],
        "done"
    );

    // One that knows `done` hears of the refund.
    let etag = read(&f, order, "", None).await.headers["etag"]
        .to_str()
        .expect("etag")
        .to_owned();
    let (refunded, _) = tokio::join!(read(&f, order, "?wait=999999", Some(&etag)), async {
        until_held(&f, 1).await;
        become_status(&f, order, "canceled").await;
    });
    assert_eq!(refunded.json()["status"], "canceled");

    // The time runs out: the answer is what it would have been.
    let etag = read(&f, other, "", None).await.headers["etag"]
        .to_str()
        .expect("etag")
        .to_owned();
    let same = read(&f, other, "?wait=1", Some(&etag)).await;
    assert_eq!((same.status.as_u16(), same.text.as_str()), (304, ""));

    // A client that goes away leaves its place.
    tokio::select! {
        answer = read(&f, other, "?wait=30", None) => panic!("not held: {}", answer.text),
        () = until_held(&f, 1) => {}
    }
    until_held(&f, 0).await;

    // A server that stops answers first.
    let (held, _) = tokio::join!(read(&f, other, "?wait=30", None), async {
        until_held(&f, 1).await;
        f.stop().await;
    });
    assert_eq!(held.json()["status"], "paid");
}

#[tokio::test]
async fn nobody_waits_for_what_is_not_theirs() {
    let f = shop().await;
    let order = f.create_order("bob").await;
    check_error(
        &read(&f, order, "?wait=30", None).await,
        404,
        9001,
        "foreign",
    );
    check_error(&read(&f, 77, "?wait=30", None).await, 404, 9001, "missing");
    let own = f.create_order("alice").await;
    for bad in ["x", "-1", "1.5", ""] {
        let answer = read(&f, own, &format!("?wait={bad}"), None).await;
        check_error(&answer, 422, 1102, bad);
    }
    assert_eq!(read(&f, own, "?wait=0", None).await.json()["status"], "new");
}

#[tokio::test]
async fn orders_from_before_have_the_same_shape() {
    let f = shop().await;
    let body =
        json!({ "user_external_id": "alice", "price": { "amount": "5", "currency": "USD" } });
    let made = f.shop(Method::POST, "/orders", &body).await.json();
    let order = read(&f, made["order_id"].as_i64().expect("id"), "", None).await;
    let price = json!({ "amount": "5.00", "amount_without_discount": "5.00", "currency": "USD" });
    assert_eq!(
        order.json()["content"],
        json!({ "price": price, "is_free": false, "items": [] })
    );
}

#[tokio::test]
async fn a_page_may_send_what_sdks_send() {
    let f = shop().await;
    let asked = "authorization,content-type,x-engine,x-engine-v,x-sdk,x-sdk-v,x-build-platform,\
                 x-ref,x-unauthorized-id,x-user,idempotency-key";
    for (method, path) in [
        ("GET", "/order/1"),
        ("POST", "/payment/item/sword"),
        ("POST", "/payment/item/potion/virtual/gems"),
        ("POST", "/payment"),
        ("PUT", "/cart/fill"),
        ("PUT", "/cart/mine/item/sword"),
        ("DELETE", "/cart/item/sword"),
        ("POST", "/free/cart/mine"),
    ] {
        let headers = [
            ("origin", "https://shop.example"),
            ("access-control-request-method", method),
            ("access-control-request-headers", asked),
        ];
        let answer = f.send(Method::OPTIONS, &f.v2(path), &headers, "").await;
        assert!(answer.status.is_success(), "{path}");
        let header = |name: &str| answer.headers[name].to_str().expect("text").to_owned();
        assert_eq!(header("access-control-allow-origin"), "*");
        assert!(
            header("access-control-allow-methods").contains(method),
            "{path}"
        );
        for name in asked.split(',') {
            assert!(
                header("access-control-allow-headers").contains(name.trim()),
                "{name}"
            );
        }
    }
    let origin = [("origin", "https://shop.example")];
    let answer = f.send(Method::GET, &f.v2("/order/1"), &origin, "").await;
    assert_eq!(
        answer.headers["access-control-allow-origin"], "*",
        "errors are readable too"
    );
    assert!(
        answer.headers["access-control-expose-headers"]
            .to_str()
            .expect("text")
            .contains("etag")
    );
}

#[tokio::test]
async fn an_item_without_a_price_of_its_own_is_not_free_unless_the_order_is() {
    let f = shop().await;
    for (amount, is_free) in [("1.99", false), ("0", true)] {
        let body = json!({
            "user_external_id": "alice",
            "price": { "amount": amount, "currency": "USD" },
            "items": [{ "sku": "sword" }],
        });
        let made = f.shop(Method::POST, "/orders", &body).await.json();
        let order = made["order_id"].as_i64().expect("order_id");
        let shown = read(&f, order, "", None).await.json();
        assert_eq!(shown["content"]["items"][0]["is_free"], is_free, "{shown}");
    }
}
