//! Tokens that must not be accepted (RFC 8725 and what has been tried in the field), through both ways
//! in: *get order* and the realtime connect. Every one differs from an accepted token in one thing,
//! and all of them get the same bytes.

mod claims;
mod form;
mod header;

use crate::{
    mint::{self, Pair, b64, hmac, sign, sign_raw, with},
    socket,
    support::{Fixture, JWT_SECRET, ROOT_KEY, start, unix_now},
};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use reqwest::{StatusCode, header::HeaderValue};
use serde_json::{Value, json};
use std::collections::HashMap;

const OTHER_SECRET: &str = "secret-of-another-project-0123456789abcdef";

/// A project with a key of every algorithm and with rules, so that every token has a key to be
/// checked with.
struct Target {
    f: Fixture,
    order: i64,
    ec: Pair,
    ed: Pair,
}

impl Target {
    async fn start() -> Self {
        let f = start(json!({ "name": "Test", "hs256_secret": JWT_SECRET })).await;
        let (ec, ed) = (mint::p256(), mint::ed25519());
        for key in [
            json!({ "algorithm": "RS256", "kid": "rsa", "public_key": mint::RSA_PUBLIC_PEM }),
            json!({ "algorithm": "ES256", "kid": "ec", "public_key": ec.public_pem }),
            json!({ "algorithm": "EdDSA", "kid": "ed", "public_key": ed.public_pem }),
        ] {
            let made = f.post(&f.v1("/jwt-keys"), &f.api_key, &key).await;
            assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        }
        let rules = json!({ "audience": ["shop"], "issuer": ["https://idp.example"] });
        let put = f.put(&f.v1("/jwt-rules"), &f.api_key, &rules).await;
        assert_eq!(put.status, StatusCode::OK, "{}", put.text);
        let other = json!({ "name": "Other", "hs256_secret": OTHER_SECRET });
        f.post("/v1/projects", ROOT_KEY, &other).await;
        let order = f.create_order("alice").await;
        Self { f, order, ec, ed }
    }

    fn key(&self, algorithm: Algorithm) -> EncodingKey {
        match algorithm {
            Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => hmac(JWT_SECRET),
            Algorithm::ES256 => self.ec.signing.clone(),
            Algorithm::EdDSA => self.ed.signing.clone(),
            _ => mint::rsa(),
        }
    }

    /// Signed by the right key.
    fn token(&self, algorithm: Algorithm, header: Value, claims: Value) -> String {
        let header = with(&plain_header(algorithm), header);
        let claims = with(&claims_of_alice(), claims);
        sign(&header, &claims, algorithm, &self.key(algorithm))
    }

    fn claiming(&self, claims: Value) -> String {
        self.token(Algorithm::HS256, json!({}), claims)
    }
}

const ALGORITHMS: [Algorithm; 4] = [
    Algorithm::HS256,
    Algorithm::RS256,
    Algorithm::ES256,
    Algorithm::EdDSA,
];

fn plain_header(algorithm: Algorithm) -> Value {
    match algorithm {
        Algorithm::ES256 => json!({ "alg": "ES256", "typ": "JWT", "kid": "ec" }),
        Algorithm::EdDSA => json!({ "alg": "EdDSA", "typ": "JWT", "kid": "ed" }),
        Algorithm::RS256 => json!({ "alg": "RS256", "typ": "JWT", "kid": "rsa" }),
        other => json!({ "alg": format!("{other:?}"), "typ": "JWT" }),
    }
}

fn claims_of_alice() -> Value {
    json!({
        "sub": "alice",
        "exp": unix_now() + 600,
        "aud": "shop",
        "iss": "https://idp.example",
    })
}

type Attacks = Vec<(String, String)>;

fn named(name: impl Into<String>, token: impl Into<String>) -> (String, String) {
    (name.into(), token.into())
}

#[tokio::test]
async fn none_of_these_is_accepted() {
    let target = Target::start().await;
    // Anybody who calls an address that a token names is noticed.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("port");
    listener.set_nonblocking(true).expect("mode");
    let lure = format!("http://{}/keys", listener.local_addr().expect("address"));

    // Accepted first: each algorithm has its key, and what follows finds these in the cache.
    for (name, token) in accepted(&target, &lure) {
        assert_eq!(poll(&target, &token).await.0, StatusCode::OK, "{name}");
        let (reply, _) = socket::connect(&target.f, &json!(target.f.project), &token).await;
        assert!(reply.contains("orders:"), "{name}: {reply}");
    }

    let mut attacks = Attacks::new();
    attacks.extend(header::unsigned());
    attacks.extend(header::confused_algorithms(&target));
    attacks.extend(header::keys_inside(&lure));
    attacks.extend(header::key_ids(&target));
    attacks.extend(header::extensions(&target));
    attacks.extend(claims::ambiguous(&target));
    attacks.extend(claims::times(&target));
    attacks.extend(claims::parties(&target));
    attacks.extend(claims::users(&target));
    attacks.extend(form::forms(&target));
    attacks.extend(form::signatures(&target));
    assert!(attacks.len() > 350, "{}", attacks.len());

    let mut answers = HashMap::new();
    let mut replies = HashMap::new();
    for (name, token) in &attacks {
        // What no HTTP header can carry comes by WebSocket only.
        if HeaderValue::from_str(token).is_ok() {
            let (status, bytes) = poll(&target, token).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{name}");
            answers.entry(bytes).or_insert(name);
        }
        let (_, reply) = socket::first_reply(&target.f, &json!(target.f.project), token).await;
        replies.entry(reply).or_insert(name);
    }
    assert_eq!(answers.len(), 1, "one answer for all: {answers:#?}");
    let (answer, _) = answers.iter().next().expect("one");
    assert!(answer.contains("www-authenticate: Bearer"), "{answer}");
    assert_eq!(replies.len(), 1, "one reply for all: {replies:#?}");
    let (_, closed) = socket::connect(&target.f, &json!(target.f.project), &attacks[0].1).await;
    assert_eq!(closed, Some(3500));
    let called = listener.accept().map(|_| ());
    assert!(called.is_err(), "an address inside a token was called");
}

/// Status, and all that was answered but the date and the request's id.
async fn poll(target: &Target, token: &str) -> (StatusCode, String) {
    let path = target.f.v2(&format!("/order/{}", target.order));
    let answer = target.f.get(&path, token).await;
    let mut bytes = String::new();
    for (name, value) in &answer.headers {
        if name != "date" && name != "x-request-id" {
            bytes += &format!("{name}: {}\n", value.to_str().expect("text"));
        }
    }
    (answer.status, bytes + &answer.text)
}

fn accepted(target: &Target, lure: &str) -> Attacks {
    let mut tokens = Attacks::new();
    for algorithm in ALGORITHMS {
        let name = format!("{algorithm:?}");
        tokens.push(named(&name, target.token(algorithm, json!({}), json!({}))));
        // Without kid, all keys of the algorithm are tried.
        let header = json!({ "kid": null, "typ": null });
        tokens.push(named(name, target.token(algorithm, header, json!({}))));
    }
    // Keys and addresses in the header of a token that the project's own key has signed are not
    // looked at; identity providers write them.
    let header = json!({ "jku": lure, "x5u": lure, "x5t": "abc", "x5c": ["AA"] });
    tokens.push(named(
        "jku, x5u and x5c beside a good signature",
        target.token(Algorithm::RS256, header, json!({})),
    ));
    for kind in ["jwt", "at+jwt", "application/at+JWT"] {
        let token = target.token(Algorithm::ES256, json!({ "typ": kind }), json!({}));
        tokens.push(named(kind, token));
    }
    tokens.push(named(
        "the algorithm's newer name",
        target.token(Algorithm::EdDSA, json!({ "alg": "Ed25519" }), json!({})),
    ));
    let audience = json!({ "aud": ["other", "shop"] });
    tokens.push(named("one audience of several", target.claiming(audience)));
    tokens.push(named(
        "expired within the skew",
        target.claiming(json!({ "exp": unix_now() - 10, "nbf": unix_now() + 10 })),
    ));
    let low = target.token(Algorithm::ES256, json!({}), json!({}));
    tokens.push(named("the other s", other_s(&low)));
    tokens
}

/// An ECDSA signature (r, s) has a twin (r, n - s), which is as good.
fn other_s(token: &str) -> String {
    let (message, signature) = token.rsplit_once('.').expect("a token");
    let mut signature = data_encoding::BASE64URL_NOPAD
        .decode(signature.as_bytes())
        .expect("base64url");
    let order = p256_order();
    let mut borrow = 0;
    for at in (0..32).rev() {
        let difference = i16::from(order[at]) - i16::from(signature[32 + at]) - borrow;
        borrow = i16::from(difference < 0);
        signature[32 + at] = u8::try_from(difference.rem_euclid(256)).expect("a byte");
    }
    format!("{message}.{}", b64(signature))
}

fn p256_order() -> Vec<u8> {
    data_encoding::HEXLOWER
        .decode(b"ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551")
        .expect("hex")
}
