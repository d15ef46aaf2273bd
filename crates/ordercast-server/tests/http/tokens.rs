//! What libraries write into tokens without being asked, and how a shop learns why one is refused.

use crate::{
    mint::{self, b64, claims, hmac, jwk, sign_raw, with},
    support::{Fixture, JWT_SECRET, ROOT_KEY, start_default, unix_now, user_jwt},
};
use jsonwebtoken::Algorithm;
use reqwest::StatusCode;
use serde_json::{Value, json};

/// Claims as they stand, signed with the project's secret.
fn raw(claims: &str) -> String {
    sign_raw(
        r#"{"alg":"HS256"}"#,
        claims,
        Algorithm::HS256,
        &hmac(JWT_SECRET),
    )
}

async fn judged(f: &Fixture, token: &str) -> Value {
    let path = f.v1("/tokens/check");
    let answer = f.post(&path, &f.api_key, &json!({ "token": token })).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer.json()
}

async fn check(f: &Fixture, claims: &str, expected: &str) {
    let token = raw(claims);
    let verdict = judged(f, &token).await;
    let found = verdict["user_external_id"]
        .as_str()
        .or(verdict["reason"].as_str());
    assert_eq!(found, Some(expected), "{claims}");
    // What it says is what happens.
    let status = f.get(&f.v2("/order/77"), &token).await.status.as_u16();
    let is_accepted = verdict["accepted"] == true;
    assert_eq!(status, if is_accepted { 404 } else { 401 }, "{claims}");
}

#[tokio::test]
async fn dates_may_have_fractions_and_exponents() {
    let f = start_default().await;
    let exp = unix_now() + 600;
    let digits = exp.to_string();
    let exponent = format!("{}.{}E9", &digits[..1], &digits[1..]);
    for exp in [
        format!("{exp}"),
        format!("{exp}.0"),
        format!("{exp}.999999"),
        exponent.clone(),
        exponent.replace('E', "e+"),
    ] {
        check(&f, &format!(r#"{{"sub":"alice","exp":{exp}}}"#), "alice").await;
    }
    let now = unix_now();
    check(
        &f,
        &format!(r#"{{"sub":"alice","exp":{exp},"nbf":{now}.5}}"#),
        "alice",
    )
    .await;
    let reasons = [
        (format!("{}.9", now - 31), "the JWT is expired"),
        (
            format!("{}.5", now + 24 * 3600 + 60),
            "the JWT expires more than 24 h ahead",
        ),
        (
            format!("{}", exp * 1000),
            "the JWT's exp is in milliseconds; it must be in seconds",
        ),
        (
            "1e300".to_owned(),
            "the JWT's exp is in milliseconds; it must be in seconds",
        ),
        (
            format!("\"{exp}\""),
            "the JWT's exp is not a number of seconds",
        ),
        (
            "null".to_owned(),
            "the JWT's exp is not a number of seconds",
        ),
    ];
    for (exp, reason) in reasons {
        check(&f, &format!(r#"{{"sub":"alice","exp":{exp}}}"#), reason).await;
    }
    let late = format!(r#"{{"sub":"alice","exp":{exp},"nbf":{}.5}}"#, now + 90);
    check(&f, &late, "the JWT is not valid yet").await;
    check(&f, r#"{"sub":"alice"}"#, "the JWT has no exp").await;
}

#[tokio::test]
async fn whole_numbers_are_users_by_their_digits() {
    let f = start_default().await;
    let exp = unix_now() + 600;
    for (user, expected) in [
        ("42", "42"),
        ("0", "0"),
        ("-7", "-7"),
        ("18446744073709551615", "18446744073709551615"),
    ] {
        check(&f, &format!(r#"{{"sub":{user},"exp":{exp}}}"#), expected).await;
    }
    let not_a_user =
        "the claim that names the user is neither a text of 1 to 200 bytes nor a whole number";
    for user in [
        "42.0",
        "4.2e1",
        "true",
        "[42]",
        "null",
        "184467440737095516160",
        "\"\"",
    ] {
        check(&f, &format!(r#"{{"sub":{user},"exp":{exp}}}"#), not_a_user).await;
    }
    let rules = json!({ "user_claim": "https://id.example/user.id" });
    let put = f.put(&f.v1("/jwt-rules"), &f.api_key, &rules).await;
    assert_eq!(put.status, StatusCode::OK, "{}", put.text);
    let token = format!(r#"{{"https://id.example/user.id":42,"exp":{exp}}}"#);
    check(&f, &token, "42").await;
    // The order of that user is the one that its shop wrote with the same digits.
    let order = f.create_order("42").await;
    let polled = f.get(&f.v2(&format!("/order/{order}")), &raw(&token)).await;
    assert_eq!(polled.status, StatusCode::OK, "{}", polled.text);
    check(
        &f,
        &format!(r#"{{"sub":"alice","exp":{exp}}}"#),
        "the JWT does not have the claim that names the user",
    )
    .await;
}

#[tokio::test]
async fn who_manages_keys_is_told_why_and_nobody_else() {
    let f = start_default().await;
    let accepted = judged(&f, &user_jwt("alice")).await;
    assert_eq!(
        (
            &accepted["kind"],
            &accepted["user_external_id"],
            &accepted["reason"]
        ),
        (&json!("jwt"), &json!("alice"), &json!(null))
    );
    assert!(accepted["expires_at"].is_string());
    let wrong = mint::sign(
        &json!({ "alg": "HS256" }),
        &claims("alice"),
        Algorithm::HS256,
        &hmac("another secret of enough bytes, 32"),
    );
    for (token, reason) in [
        (wrong, "no key of the project has signed the JWT"),
        ("nonsense".to_owned(), "neither a JWT nor a token"),
        ("A".repeat(32), "unknown payment token"),
        (
            format!("{}.e30.AA", b64(r#"{"alg":"none"}"#)),
            "the JWT is not signed",
        ),
        (
            format!("{}.e30.AA", b64(r#"{"alg":"Ed448"}"#)),
            "the JWT is signed with Ed448; of the EdDSA algorithms only Ed25519 is accepted",
        ),
        (
            format!("{}.e30.{}", b64(r#"{"alg":"EdDSA"}"#), b64([7; 114])),
            "the JWT is signed with Ed448; of the EdDSA algorithms only Ed25519 is accepted",
        ),
        (
            format!("{}.e30.AA", b64(r#"{"alg":"HS256","typ":"dpop+jwt"}"#)),
            "the JWT's typ is neither JWT nor at+jwt",
        ),
    ] {
        assert_eq!(judged(&f, &token).await["reason"], reason, "{token:.60}");
    }
    let path = f.v1("/tokens/check");
    let body = json!({ "token": user_jwt("alice") });
    let scopes = json!({ "name": "reader", "scopes": ["orders:read"] });
    let reader = f.post(&f.v1("/api-keys"), ROOT_KEY, &scopes).await.json();
    let reader = reader["key"].as_str().expect("key");
    for (credential, expected) in [
        (user_jwt("alice").as_str(), 401),
        (reader, 403),
        (ROOT_KEY, 200),
    ] {
        assert_eq!(
            f.post(&path, credential, &body).await.status.as_u16(),
            expected
        );
    }
}

#[tokio::test]
async fn foreign_keys_of_a_set_are_passed_over_and_named() {
    let f = start_default().await;
    let ed = mint::ed25519();
    let plain = jwk("EdDSA", "good", &ed);
    let okp = |crv: &str, bytes: usize| json!({ "kty": "OKP", "crv": crv, "kid": crv, "x": b64(vec![9; bytes]) });
    let rsa =
        json!({ "kty": "RSA", "kid": "rs512", "alg": "RS512", "n": b64([0xa5; 256]), "e": "AQAB" });
    let keys = json!({ "keys": [
        { "kty": "AKP", "alg": "ML-DSA-44", "kid": "pq", "pub": "AA" },
        okp("X25519", 32),
        okp("Ed448", 57),
        { "kty": "EC", "crv": "secp256k1", "kid": "btc", "x": "AA", "y": "AA" },
        plain,
        rsa,
        with(&plain, json!({ "kid": "enc", "use": "enc" })),
    ] });
    let made = f
        .post(&f.v1("/jwt-keys"), &f.api_key, &json!({ "jwks": keys }))
        .await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let made = made.json();
    assert_eq!(made["keys"].as_array().map(Vec::len), Some(1));
    let passed: Vec<_> = made["passed_over"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|key| {
            let reason = key["reason"].as_str().expect("a reason");
            (
                key["index"].as_i64().expect("a place"),
                key["kid"].as_str(),
                reason,
            )
        })
        .collect();
    assert_eq!(
        passed,
        [
            (
                0,
                Some("pq"),
                "its algorithms (kty AKP, for example ML-DSA) are not accepted"
            ),
            (
                1,
                Some("X25519"),
                "it is a key for key agreement (X25519 or X448), which signs nothing"
            ),
            (
                2,
                Some("Ed448"),
                "it is an Ed448 key; of the EdDSA algorithms only Ed25519 is accepted"
            ),
            (
                3,
                Some("btc"),
                "its curve is not P-256, the only one of ES256"
            ),
            (
                5,
                Some("rs512"),
                "it is an RSA key for another alg than RS256"
            ),
            (6, Some("enc"), "its use is not sig"),
        ]
    );
    let none = json!({ "jwks": [okp("Ed448", 57)] });
    let refused = f.post(&f.v1("/jwt-keys"), &f.api_key, &none).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text.contains("Ed448"), "{}", refused.text);
    // SubjectPublicKeyInfo of RFC 8410.
    let ed448 = [
        &[
            0x30, 0x43, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x71, 0x03, 0x3a, 0x00,
        ][..],
        &[9; 57],
    ];
    let pem = mint::armour(&ed448.concat());
    let key = json!({ "algorithm": "EdDSA", "public_key": pem });
    let refused = f.post(&f.v1("/jwt-keys"), &f.api_key, &key).await;
    assert!(refused.text.contains("is an Ed448 key"), "{}", refused.text);
}

#[tokio::test]
async fn an_ed25519_key_has_two_names_in_the_set_and_in_the_token() {
    for of_set in [None, Some("EdDSA"), Some("Ed25519")] {
        for of_token in ["EdDSA", "Ed25519"] {
            let f = start_default().await;
            let ed = mint::ed25519();
            let key = with(&jwk("EdDSA", "a", &ed), json!({ "alg": of_set }));
            let made = f
                .post(&f.v1("/jwt-keys"), &f.api_key, &json!({ "jwks": [key] }))
                .await;
            assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
            let header = json!({ "alg": of_token, "kid": "a" });
            let token = mint::sign(&header, &claims("alice"), Algorithm::EdDSA, &ed.signing);
            let verdict = judged(&f, &token).await;
            assert_eq!(verdict["accepted"], true, "{of_set:?} {of_token} {verdict}");
        }
    }
}
