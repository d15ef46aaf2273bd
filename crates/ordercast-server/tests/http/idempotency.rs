//! What an idempotency key stands for, and what it keeps.

use super::{
    store_support::shop,
    support::{Answer, Fixture, start_default, user_jwt},
};
use reqwest::StatusCode;
use serde_json::{Value, json};

/// The same request with the same key.
async fn keyed(f: &Fixture, path: &str, bearer: &str, body: &Value) -> Answer {
    f.post_with(path, bearer, body, &[("idempotency-key", "one")])
        .await
}

/// What stood in the way may be gone when the shop tries again: a refusal is not kept.
#[tokio::test]
async fn a_refusal_is_decided_anew() {
    let f = start_default().await;
    let order = f.create_order("alice").await;
    let check = async |path: String, body: Value, refused: StatusCode| {
        let first = keyed(&f, &path, &f.api_key, &body).await;
        assert_eq!(first.status, refused, "{}", first.text);
        (path, body)
    };
    // 404: there is no such order yet.
    let (late, paid) = check(
        f.v1("/orders/77/transitions"),
        json!({ "to": "paid" }),
        StatusCode::NOT_FOUND,
    )
    .await;
    // 409: it is not paid yet.
    let (done, to_done) = check(
        f.v1(&format!("/orders/{order}/transitions")),
        json!({ "to": "done" }),
        StatusCode::CONFLICT,
    )
    .await;
    let made = json!({
        "order_id": 77, "user_external_id": "alice",
        "price": { "amount": "1.99", "currency": "USD" },
    });
    let made = f.post(&f.v1("/orders"), &f.api_key, &made).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let to_paid = json!({ "to": "paid" });
    let now_paid = f.post(&done, &f.api_key, &to_paid).await;
    assert_eq!(now_paid.status, StatusCode::OK, "{}", now_paid.text);
    for (path, body) in [(late, paid), (done, to_done)] {
        let again = keyed(&f, &path, &f.api_key, &body).await;
        assert_eq!(again.status, StatusCode::OK, "{}", again.text);
        // What had an effect is kept.
        let repeated = keyed(&f, &path, &f.api_key, &body).await;
        assert_eq!((repeated.status, repeated.text), (again.status, again.text));
        let other = keyed(&f, &path, &f.api_key, &json!({ "to": "canceled" })).await;
        assert_eq!(other.code(), "idempotency_key_reused");
    }
}

/// A version that was wrong is not wrong for ever, and a balance may be filled.
#[tokio::test]
async fn a_precondition_and_a_balance_are_asked_again() {
    let f = start_default().await;
    let order = f.create_order("alice").await;
    let path = f.v1(&format!("/orders/{order}/transitions"));
    let body = json!({ "to": "paid" });
    let at = async |version: &str| {
        let headers = [("idempotency-key", "one"), ("if-match", version)];
        f.post_with(&path, &f.api_key, &body, &headers).await.status
    };
    assert_eq!(at("\"2\"").await, StatusCode::PRECONDITION_FAILED);
    assert_eq!(at("\"1\"").await, StatusCode::OK);
    assert_eq!(at("\"7\"").await, StatusCode::OK, "kept: it had an effect");
}

/// A buyer must not get the token of another whose name and item read the same in one line.
#[tokio::test]
async fn a_buyer_cannot_write_another_buyers_scope() {
    let f = shop().await;
    let bought = async |user: &str, sku: &str| {
        let path = f.v2(&format!("/payment/item/{sku}"));
        keyed(&f, &path, &user_jwt(user), &json!({})).await
    };
    let of_john = bought("John Smith", "sword").await;
    assert_eq!(of_john.status, StatusCode::OK, "{}", of_john.text);
    let of_smith = bought("Smith", "sword%20John").await;
    assert_eq!(of_smith.status, StatusCode::NOT_FOUND, "{}", of_smith.text);
    assert_eq!(of_smith.code(), "4001");
    let again = bought("John Smith", "sword").await;
    assert_eq!(again.text, of_john.text);
    let of_other = bought("Smith", "sword").await;
    assert_ne!(of_other.text, of_john.text);
}

/// Answers that were stored when scopes were written out still count: a retry over an update of the
/// server must not buy twice.
#[tokio::test]
async fn answers_of_earlier_versions_still_count() {
    let mut f = start_default().await;
    f.stop().await;
    let database = rusqlite::Connection::open(f.folder().join("ordercast.db")).expect("database");
    let body =
        json!({ "user_external_id": "alice", "price": { "amount": "1.99", "currency": "USD" } });
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, body.to_string().as_bytes());
    let route = format!("POST /v1/projects/{}/orders", f.project);
    database
        .execute(
            "INSERT INTO idempotency (project_id, route, key, body_hash, status, body, created_at) \
             VALUES (?1, ?2, 'one', ?3, 201, '{\"order_id\":4242}', ?4)",
            (f.project, route, hash.as_ref(), i64::MAX / 2),
        )
        .expect("stored");
    drop(database);
    f.start_again().await;
    let again = keyed(&f, &f.v1("/orders"), &f.api_key, &body).await;
    assert_eq!(
        (again.status, again.json()["order_id"].clone()),
        (StatusCode::CREATED, json!(4242))
    );
}
