//! Which user JWTs are accepted: the algorithm belongs to the key, `exp` is required.

use crate::support::{self, JWT_SECRET, start, start_default, unix_now, user_jwt};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use reqwest::StatusCode;
use serde_json::{Value, json};

const PRIVATE_PEM: &str = include_str!("rs256-test.pem");
const PUBLIC_PEM: &str = include_str!("rs256-test.pub.pem");

fn hs256(secret: &str, claims: &Value) -> String {
    encode(
        &Header::new(Algorithm::HS256),
        claims,
        &EncodingKey::from_secret(secret.as_bytes()),
    )
    .expect("token")
}

fn rs256(claims: &Value) -> String {
    let key = EncodingKey::from_rsa_pem(PRIVATE_PEM.as_bytes()).expect("key");
    encode(&Header::new(Algorithm::RS256), claims, &key).expect("token")
}

fn claims() -> Value {
    json!({ "sub": "alice", "exp": unix_now() + 600 })
}

/// An unsigned token with a header of the attacker's choice.
fn unsigned(header: &Value, signature: &str) -> String {
    let part = |value: &Value| data_encoding::BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    format!("{}.{}.{signature}", part(header), part(&claims()))
}

async fn status_of(fixture: &support::Fixture, token: &str) -> StatusCode {
    let order = fixture.create_order("alice").await;
    fixture
        .get(&fixture.v2(&format!("/order/{order}")), token)
        .await
        .status
}

#[tokio::test]
async fn hs256_tokens() {
    let f = start_default().await;
    let now = unix_now();
    let good = [
        hs256(JWT_SECRET, &claims()),
        hs256(JWT_SECRET, &json!({"sub": "alice", "exp": now - 10})),
    ];
    for token in good {
        assert_eq!(status_of(&f, &token).await, StatusCode::OK);
    }
    let bad = [
        (
            "other secret",
            hs256(&JWT_SECRET.replace('0', "1"), &claims()),
        ),
        (
            "expired",
            hs256(JWT_SECRET, &json!({ "sub": "alice", "exp": now - 60 })),
        ),
        ("without exp", hs256(JWT_SECRET, &json!({ "sub": "alice" }))),
        (
            "for a week",
            hs256(JWT_SECRET, &json!({ "sub": "alice", "exp": now + 604_800 })),
        ),
        (
            "not valid yet",
            hs256(
                JWT_SECRET,
                &json!({ "sub": "alice", "exp": now + 600, "nbf": now + 300 }),
            ),
        ),
        (
            "without sub",
            hs256(JWT_SECRET, &json!({ "exp": now + 600 })),
        ),
        (
            "empty sub",
            hs256(JWT_SECRET, &json!({ "sub": "", "exp": now + 600 })),
        ),
        (
            "alg none",
            unsigned(&json!({ "alg": "none", "typ": "JWT" }), ""),
        ),
        ("no signature", unsigned(&json!({ "alg": "HS256" }), "")),
        ("rs256 where hs256 is pinned", rs256(&claims())),
        ("not a token", "a.b.c".to_owned()),
        ("dots", "..".to_owned()),
        ("long", format!("{}.{}.x", "a".repeat(9_000), "b")),
        ("api key", f.api_key.clone()),
        ("nothing", String::new()),
    ];
    let mut bodies = std::collections::HashSet::new();
    let order = f.create_order("alice").await;
    for (what, token) in bad {
        let answer = f.get(&f.v2(&format!("/order/{order}")), &token).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{what}");
        bodies.insert(answer.text);
    }
    assert_eq!(bodies.len(), 1, "one body for every reason: {bodies:?}");
}

#[tokio::test]
async fn rs256_tokens() {
    let f = start(json!({ "name": "Test", "rs256_public_key": PUBLIC_PEM })).await;
    assert_eq!(status_of(&f, &rs256(&claims())).await, StatusCode::OK);
    // The classic confusion: the public key as an HMAC secret.
    assert_eq!(
        status_of(&f, &hs256(PUBLIC_PEM, &claims())).await,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn another_projects_token_is_a_bad_token() {
    let f = start_default().await;
    let other = f
        .post(
            "/v1/projects",
            support::ROOT_KEY,
            &json!({ "name": "Other" }),
        )
        .await
        .json();
    let path = format!("/api/v2/project/{}/order/1", other["project_id"]);
    assert_eq!(
        f.get(&path, &user_jwt("alice")).await.status,
        StatusCode::UNAUTHORIZED
    );
    let unknown = f
        .get("/api/v2/project/4242/order/1", &user_jwt("alice"))
        .await;
    assert_eq!(unknown.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_payment_token_reads_its_order_and_no_other() {
    let f = start_default().await;
    let buy = |user: &'static str| {
        let token = user_jwt(user);
        let path = f.v2("/payment/item/sword");
        let f = &f;
        async move { f.post(&path, &token, &json!({})).await.json() }
    };
    let (mine, other) = (buy("alice").await, buy("alice").await);
    let token = mine["token"].as_str().expect("token");
    let read = async |order: &Value| f.get(&f.v2(&format!("/order/{order}")), token).await;
    let answer = read(&mine["order_id"]).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json()["content"]["price"]["amount"], "1.99");
    assert_eq!(read(&other["order_id"]).await.status, StatusCode::NOT_FOUND);
    let mut forged = token.to_owned();
    forged.replace_range(
        20..21,
        if token.as_bytes()[20] == b'A' {
            "B"
        } else {
            "A"
        },
    );
    let path = f.v2(&format!("/order/{}", mine["order_id"]));
    assert_eq!(f.get(&path, &forged).await.status, StatusCode::UNAUTHORIZED);
}
