//! API keys: what each scope opens, and that a revoked key is an unknown one.

use crate::support::{Answer, Fixture, ROOT_KEY, start_default, user_jwt};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::fmt::Write;

impl Fixture {
    async fn new_key(&self, by: &str, scopes: &[&str]) -> Answer {
        let body = json!({ "name": "job", "scopes": scopes });
        self.post(&self.v1("/api-keys"), by, &body).await
    }

    async fn key(&self, scopes: &[&str]) -> (Value, String) {
        let made = self.new_key(&self.api_key, scopes).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        let made = made.json();
        let key = made["key"].as_str().expect("key").to_owned();
        (made, key)
    }

    async fn with_key(&self, method: Method, path: &str, key: &str, body: &Value) -> Answer {
        let authorization = format!("Bearer {key}");
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-type", "application/json"),
        ];
        self.send(method, path, &headers, body.to_string()).await
    }
}

#[tokio::test]
async fn a_scope_opens_its_own_doors() {
    let f = start_default().await;
    let order = f.create_order("alice").await;
    let of_order = |rest: &str| f.v1(&format!("/orders/{order}{rest}"));
    let price = json!({ "amount": "1", "currency": "USD" });
    let new_order = json!({ "user_external_id": "a", "price": price });
    let item = json!({ "name": "Axe", "price": price });
    let paid = json!({ "to": "paid" });
    let ed = crate::mint::ed25519().public_pem;
    let jwt_key = json!({ "algorithm": "EdDSA", "public_key": ed });
    let nothing = json!({});
    let requests = [
        ("GET order", Method::GET, of_order(""), &nothing),
        ("GET versions", Method::GET, of_order("/versions"), &nothing),
        ("POST order", Method::POST, f.v1("/orders"), &new_order),
        (
            "POST transition",
            Method::POST,
            of_order("/transitions"),
            &paid,
        ),
        ("PUT item", Method::PUT, f.v1("/items/axe"), &item),
        ("GET events", Method::GET, f.v1("/events"), &nothing),
        ("GET inbox", Method::GET, f.v1("/inbox"), &nothing),
        (
            "POST payment token",
            Method::POST,
            of_order("/payment-tokens"),
            &nothing,
        ),
        (
            "GET payment tokens",
            Method::GET,
            of_order("/payment-tokens"),
            &nothing,
        ),
        ("POST link", Method::POST, of_order("/links"), &nothing),
        ("GET links", Method::GET, of_order("/links"), &nothing),
        ("GET api keys", Method::GET, f.v1("/api-keys"), &nothing),
        ("POST jwt key", Method::POST, f.v1("/jwt-keys"), &jwt_key),
        ("GET jwt keys", Method::GET, f.v1("/jwt-keys"), &nothing),
        ("GET jwt rules", Method::GET, f.v1("/jwt-rules"), &nothing),
        ("PUT jwt rules", Method::PUT, f.v1("/jwt-rules"), &nothing),
        (
            "POST project",
            Method::POST,
            "/v1/projects".to_owned(),
            &item,
        ),
    ];
    let names = [
        "*",
        "orders:read",
        "orders:write",
        "tokens:write",
        "catalogue:write",
        "events:read",
        "keys:write",
    ];
    let mut keys = Vec::new();
    for name in names {
        keys.push(f.key(&[name]).await.1);
    }
    let mut table = String::from("                  ");
    names
        .iter()
        .for_each(|name| write!(table, " {name:>15}").expect("text"));
    for (name, method, path, body) in &requests {
        write!(table, "\n{name:18}").expect("text");
        for key in &keys {
            let answer = f.with_key(method.clone(), path, key, body).await;
            let cell = match answer.status {
                // Paid already: the door was open.
                StatusCode::CONFLICT => "409".to_owned(),
                StatusCode::FORBIDDEN => {
                    let scope = answer.json()["required_scope"].clone();
                    scope.as_str().map_or("403", |_| "scope").to_owned()
                }
                other => other.as_str().to_owned(),
            };
            write!(table, " {cell:>15}").expect("text");
        }
    }
    insta::assert_snapshot!(table);
}

#[tokio::test]
async fn a_key_is_shown_once_and_says_when_it_was_used() {
    let f = start_default().await;
    let (made, key) = f.key(&["orders:read", "events:read"]).await;
    assert_eq!(made["prefix"], key[..13]);
    assert_eq!(made["scopes"], json!(["orders:read", "events:read"]));
    let list = async || f.get(&f.v1("/api-keys"), &f.api_key).await.json()["keys"].clone();
    let listed = list().await;
    assert!(!listed.to_string().contains(&key), "the key is in the list");
    assert_eq!(listed[0]["id"], made["id"]);
    assert_eq!(listed[0]["created_by"], f.api_key[..13]);
    assert_eq!(
        (&listed[0]["last_used_at"], &listed[0]["revoked_at"]),
        (&Value::Null, &Value::Null)
    );
    assert!(
        listed[1]["last_used_at"].is_string(),
        "the first key was used just now"
    );

    assert_eq!(f.get(&f.v1("/events"), &key).await.status, StatusCode::OK);
    assert!(list().await[0]["last_used_at"].is_string());
}

#[tokio::test]
async fn a_revoked_key_is_an_unknown_key() {
    let mut f = start_default().await;
    let (made, key) = f.key(&["orders:write"]).await;
    let order = f.create_order("alice").await;
    let transitions = f.v1(&format!("/orders/{order}/transitions"));
    f.post(&transitions, &key, &json!({ "to": "paid" })).await;
    let path = f.v1(&format!("/api-keys/{}", made["id"]));
    let revoked = f.delete(&path, &f.api_key).await;
    assert_eq!(
        (revoked.status, revoked.text.as_str()),
        (StatusCode::NO_CONTENT, "")
    );

    let unknown = f
        .post(&transitions, "oc_api_unknown", &json!({ "to": "done" }))
        .await;
    for _ in 0..2 {
        let refused = f.post(&transitions, &key, &json!({ "to": "done" })).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
        assert_eq!(refused.text, unknown.text);
        f.restart().await;
    }
    assert_eq!(
        f.delete(&path, &f.api_key).await.status,
        StatusCode::NOT_FOUND
    );
    // What it did is still its doing.
    let versions = f
        .get(&f.v1(&format!("/orders/{order}/versions")), &f.api_key)
        .await
        .json();
    let actor = versions["versions"][1]["actor"].to_string();
    assert!(actor.contains(&key[..13]), "{actor}");
    let listed = f.get(&f.v1("/api-keys"), &f.api_key).await.json();
    assert!(listed["keys"][1]["revoked_at"].is_string());
}

#[tokio::test]
async fn a_narrow_key_makes_no_wider_one() {
    let f = start_default().await;
    let (_, narrow) = f.key(&["keys:write", "orders:read"]).await;
    for (scopes, missing) in [
        (&["orders:write"][..], json!("orders:write")),
        (&["orders:read", "tokens:write"], json!("tokens:write")),
        (&["*"], json!("orders:write")),
    ] {
        let refused = f.new_key(&narrow, scopes).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        assert_eq!(refused.json()["required_scope"], missing);
    }
    let made = f.new_key(&narrow, &["orders:read"]).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    assert_eq!(
        f.new_key(ROOT_KEY, &["*"]).await.status,
        StatusCode::CREATED
    );
}

#[tokio::test]
async fn bad_keys_are_refused_by_name() {
    let f = start_default().await;
    let path = f.v1("/api-keys");
    for (field, body) in [
        ("scopes", json!({ "name": "a", "scopes": [] })),
        ("scopes", json!({ "name": "a", "scopes": ["orders"] })),
        (
            "scopes",
            json!({ "name": "a", "scopes": ["*", "orders:read"] }),
        ),
        ("name", json!({ "name": "", "scopes": ["*"] })),
        ("name", json!({ "name": "a\n", "scopes": ["*"] })),
        ("name", json!({ "name": "x".repeat(201), "scopes": ["*"] })),
    ] {
        let refused = f.post(&path, &f.api_key, &body).await;
        let got = (refused.status.as_u16(), refused.json()["field"].clone());
        assert_eq!(got, (422, json!(field)), "{}", refused.text);
    }
    for (path, by, status) in [
        (path.clone(), "wrong", 401),
        (path.clone(), user_jwt("alice").as_str(), 401),
        ("/v1/projects/4242/api-keys".to_owned(), &f.api_key, 404),
        ("/v1/projects/4242/api-keys".to_owned(), ROOT_KEY, 404),
        ("/v1/projects/x/api-keys".to_owned(), ROOT_KEY, 404),
    ] {
        let refused = f
            .post(&path, by, &json!({ "name": "a", "scopes": ["*"] }))
            .await;
        assert_eq!(refused.status.as_u16(), status, "{path} {}", refused.text);
        let refused = f.get(&path, by).await;
        assert_eq!(refused.status.as_u16(), status, "{path} {}", refused.text);
    }
    for id in ["0", "99", "x", "-1"] {
        let refused = f
            .delete(&f.v1(&format!("/api-keys/{id}")), &f.api_key)
            .await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND, "{id}");
    }
    // An id of the other list.
    let jwt_key = f.get(&f.v1("/jwt-keys"), &f.api_key).await.json()["keys"][0]["id"].clone();
    let refused = f
        .delete(&f.v1(&format!("/api-keys/{jwt_key}")), &f.api_key)
        .await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
}
