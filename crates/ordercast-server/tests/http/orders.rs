//! Orders as a shop's backend, a buyer and a provider see them.

use crate::support::{ROOT_KEY, start_default, user_jwt};
use reqwest::{Method, StatusCode};
use serde_json::json;
use sha1::{Digest, Sha1};

#[tokio::test]
async fn a_shop_moves_an_order_and_the_buyer_sees_it() {
    let f = start_default().await;
    let order = f.create_order("alice").await;
    let transitions = f.v1(&format!("/orders/{order}/transitions"));
    let paid = f
        .post(
            &transitions,
            &f.api_key,
            &json!({ "to": "paid", "reason": "cash" }),
        )
        .await;
    assert_eq!(paid.status, StatusCode::OK, "{}", paid.text);
    let paid = paid.json();
    assert_eq!(
        (&paid["status"], &paid["version"]),
        (&json!("paid"), &json!(2))
    );
    assert_eq!(paid["position"]["offset"], 2);

    let path = f.v2(&format!("/order/{order}"));
    let seen = f.get(&path, &user_jwt("alice")).await;
    assert_eq!(seen.json()["status"], "paid");
    let etag = seen.headers["etag"].to_str().expect("etag").to_owned();
    let authorization = format!("Bearer {}", user_jwt("alice"));
    let headers = [
        ("authorization", authorization.as_str()),
        ("if-none-match", etag.as_str()),
    ];
    let again = f.send(Method::GET, &path, &headers, "").await;
    assert_eq!(
        (again.status, again.text.as_str()),
        (StatusCode::NOT_MODIFIED, "")
    );
    f.post(&transitions, &f.api_key, &json!({ "to": "done" }))
        .await;
    let fresh = f.send(Method::GET, &path, &headers, "").await;
    assert_eq!(fresh.json()["status"], "done");

    let versions = f
        .get(&f.v1(&format!("/orders/{order}/versions")), &f.api_key)
        .await
        .json();
    assert_eq!(versions["versions"][1]["reason"], "cash");
    let events = f.get(&f.v1("/events?after=0"), &f.api_key).await.json();
    let kinds: Vec<_> = events["events"]
        .as_array()
        .expect("list")
        .iter()
        .map(|e| e["type"].clone())
        .collect();
    assert_eq!(kinds, ["order.created", "order.paid", "order.done"]);
}

#[tokio::test]
async fn refusals_say_what_is_wrong() {
    let f = start_default().await;
    let order = f.create_order("alice").await;
    let transitions = f.v1(&format!("/orders/{order}/transitions"));
    let to = |status: &str| json!({ "to": status });

    let illegal = f.post(&transitions, &f.api_key, &to("done")).await;
    assert_eq!(
        (illegal.status.as_u16(), illegal.code().as_str()),
        (409, "illegal_transition")
    );
    assert_eq!(illegal.json()["current_status"], "new");
    let stale = f
        .post_with(
            &transitions,
            &f.api_key,
            &to("paid"),
            &[("if-match", "\"9\"")],
        )
        .await;
    assert_eq!(
        (stale.status.as_u16(), stale.code().as_str()),
        (412, "version_mismatch")
    );

    let orders = f.v1("/orders");
    let body = |price: &str| json!({ "user_external_id": "a", "price": { "amount": price, "currency": "USD" } });
    let table = [
        (
            f.post(&transitions, &f.api_key, &to("expired")).await,
            422,
            "invalid_field",
        ),
        (
            f.post(&transitions, &f.api_key, &json!({ "to": "paid", "x": 1 }))
                .await,
            422,
            "invalid_field",
        ),
        (
            f.post(&transitions, "wrong", &to("paid")).await,
            401,
            "unauthorized",
        ),
        (
            f.post(&transitions, &user_jwt("alice"), &to("paid")).await,
            401,
            "unauthorized",
        ),
        (
            f.post("/v1/projects/99/orders", &f.api_key, &body("1"))
                .await,
            404,
            "not_found",
        ),
        (
            f.post("/v1/projects", &f.api_key, &json!({ "name": "x" }))
                .await,
            403,
            "forbidden",
        ),
        (
            f.post("/v1/projects/99/orders", ROOT_KEY, &body("1")).await,
            404,
            "not_found",
        ),
        (
            f.post(&f.v1("/orders/4242/transitions"), &f.api_key, &to("paid"))
                .await,
            404,
            "not_found",
        ),
        (
            f.post(&f.v1("/orders/abc/transitions"), &f.api_key, &to("paid"))
                .await,
            404,
            "not_found",
        ),
        (
            f.post(&orders, &f.api_key, &body("1.999")).await,
            422,
            "invalid_field",
        ),
        (
            f.post(&orders, &f.api_key, &body("-1")).await,
            422,
            "invalid_field",
        ),
        (
            f.post(&orders, &f.api_key, &json!({ "user_external_id": "a" }))
                .await,
            422,
            "invalid_field",
        ),
        (
            f.post_with(
                &orders,
                &f.api_key,
                &body("1"),
                &[("idempotency-key", "a b")],
            )
            .await,
            422,
            "invalid_field",
        ),
        (f.get("/v1/nothing", &f.api_key).await, 404, "no_such_path"),
        (
            f.delete(&orders, &f.api_key).await,
            405,
            "method_not_allowed",
        ),
    ];
    for (number, (answer, status, code)) in table.iter().enumerate() {
        let got = (answer.status.as_u16(), answer.code());
        assert_eq!(
            got,
            (*status, (*code).to_owned()),
            "row {number}: {}",
            answer.text
        );
    }
    let authorization = format!("Bearer {}", f.api_key);
    for (content_type, body, status, code) in [
        ("text/plain", "{}".to_owned(), 415, "unsupported_media_type"),
        ("application/json", "{".to_owned(), 400, "bad_json"),
        ("application/json", "\u{1}".to_owned(), 400, "bad_json"),
        ("application/json", "[".repeat(40), 400, "bad_json"),
        (
            "application/json",
            r#"{"to":"paid","to":"done"}"#.to_owned(),
            400,
            "bad_json",
        ),
        ("application/json", " ".repeat(70_000), 413, "too_large"),
    ] {
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-type", content_type),
        ];
        let answer = f
            .send(Method::POST, &transitions, &headers, body.clone())
            .await;
        let got = (answer.status.as_u16(), answer.code());
        assert_eq!(
            got,
            (status, code.to_owned()),
            "{:.30}: {}",
            body,
            answer.text
        );
    }
}

#[tokio::test]
async fn an_idempotency_key_replays_the_answer() {
    let f = start_default().await;
    let body = json!({ "user_external_id": "a", "price": { "amount": "5", "currency": "USD" } });
    let key = [("idempotency-key", "order-1")];
    let orders = f.v1("/orders");
    let first = f.post_with(&orders, &f.api_key, &body, &key).await;
    let again = f.post_with(&orders, &f.api_key, &body, &key).await;
    assert_eq!(first.status, StatusCode::CREATED, "{}", first.text);
    assert_eq!((again.status, &again.text), (first.status, &first.text));
    let other = json!({ "user_external_id": "b", "price": { "amount": "5", "currency": "USD" } });
    let conflict = f.post_with(&orders, &f.api_key, &other, &key).await;
    assert_eq!(
        (conflict.status.as_u16(), conflict.code().as_str()),
        (422, "idempotency_key_reused")
    );
}

#[tokio::test]
async fn anothers_order_and_a_missing_one_are_the_same_bytes() {
    let f = start_default().await;
    let order = f.create_order("bob").await;
    let foreign = f
        .get(&f.v2(&format!("/order/{order}")), &user_jwt("alice"))
        .await;
    let missing = f.get(&f.v2("/order/77"), &user_jwt("alice")).await;
    assert_eq!(foreign.status, StatusCode::NOT_FOUND);
    assert_eq!(foreign.code(), "9001");
    let headers = |answer: &crate::support::Answer| {
        let mut headers = answer.headers.clone();
        headers.remove("date");
        headers.remove("x-request-id");
        headers
    };
    assert_eq!(
        (&foreign.text, headers(&foreign)),
        (&missing.text, headers(&missing))
    );
}

#[tokio::test]
async fn a_free_order_is_done_at_once() {
    let f = start_default().await;
    let body = json!({ "user_external_id": "a", "price": { "amount": "0", "currency": "USD" } });
    let made = f.post(&f.v1("/orders"), &f.api_key, &body).await.json();
    assert_eq!(
        (&made["status"], &made["is_free"]),
        (&json!("done"), &json!(true))
    );
}

#[tokio::test]
async fn the_price_comes_from_the_catalogue() {
    let f = start_default().await;
    let jwt = user_jwt("alice");
    let path = f.v2("/payment/item/sword");
    let made = f
        .post(
            &path,
            &jwt,
            &json!({ "quantity": 3, "price": "0.01", "locale": "en" }),
        )
        .await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.text);
    let order = f
        .get(&f.v2(&format!("/order/{}", made.json()["order_id"])), &jwt)
        .await
        .json();
    assert_eq!(order["content"]["price"]["amount"], "5.97");
    assert_eq!(order["content"]["items"][0]["quantity"], 3);
    let unknown = f
        .post(&f.v2("/payment/item/nothing"), &jwt, &json!({}))
        .await;
    assert_eq!(
        (unknown.status.as_u16(), unknown.code().as_str()),
        (404, "4001")
    );
    let zero = f.post(&path, &jwt, &json!({ "quantity": 0 })).await;
    assert_eq!((zero.status.as_u16(), zero.code().as_str()), (422, "1102"));
}

#[tokio::test]
async fn pages_of_any_origin_may_poll() {
    let f = start_default().await;
    let headers = [
        ("origin", "https://shop.example"),
        ("access-control-request-method", "GET"),
        (
            "access-control-request-headers",
            "authorization,x-engine,x-sdk-v",
        ),
    ];
    let answer = f
        .send(Method::OPTIONS, &f.v2("/order/1"), &headers, "")
        .await;
    assert_eq!(answer.headers["access-control-allow-origin"], "*");
    let allowed = answer.headers["access-control-allow-headers"]
        .to_str()
        .expect("text");
    assert!(allowed.contains("x-engine"), "{allowed}");
}

#[tokio::test]
async fn a_signed_webhook_moves_the_order_and_a_forged_one_does_not() {
    let f = start_default().await;
    let order = f.create_order("alice").await;
    let body = json!({
        "notification_type": "order_paid",
        "order": { "id": order, "invoice_id": "42", "amount": "1.9900", "currency": "USD" },
    })
    .to_string();
    let signature = |secret: &str| {
        let hash: [u8; 20] = Sha1::new()
            .chain_update(&body)
            .chain_update(secret)
            .finalize()
            .into();
        format!("Signature {}", data_encoding::HEXLOWER.encode(&hash))
    };
    let path = format!("/v1/inbox/{}", f.source);
    let post = async |path: &str, signature: &str| {
        f.send(
            Method::POST,
            path,
            &[("authorization", signature)],
            body.clone(),
        )
        .await
    };
    let good = signature(&f.inbox_secret);
    for (path, signature) in [
        (path.as_str(), signature("wrong")),
        (path.as_str(), good.to_uppercase()),
        (path.as_str(), good[..good.len() - 1].to_owned()),
        (path.as_str(), String::new()),
        ("/v1/inbox/nobody", good.clone()),
        ("/v1/inbox/nobody", self::no_secret(&body)),
    ] {
        let answer = post(path, &signature).await;
        assert_eq!(
            answer.status,
            StatusCode::UNAUTHORIZED,
            "{path} {signature}"
        );
        assert_eq!(answer.json()["error"]["code"], "INVALID_SIGNATURE");
    }
    let first = post(&path, &good).await;
    assert_eq!(
        (first.status, &first.json()["state"]),
        (StatusCode::OK, &json!("applied"))
    );
    let second = post(&path, &good).await;
    assert_eq!(second.json()["duplicate"], true);
    let inbox = f.get(&f.v1("/inbox"), &f.api_key).await.json();
    assert_eq!(
        inbox["entries"].as_array().map(Vec::len),
        Some(1),
        "{inbox}"
    );
    assert_eq!(inbox["entries"][0]["duplicates"], 1);
}

fn no_secret(body: &str) -> String {
    let hash: [u8; 20] = Sha1::digest(body).into();
    format!("Signature {}", data_encoding::HEXLOWER.encode(&hash))
}
