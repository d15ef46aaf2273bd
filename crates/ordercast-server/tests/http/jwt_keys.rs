//! Keys of user JWTs come, rotate and go while the server runs.

use crate::{
    mint::{self, Pair, b64, claims, hmac, jwk, rsa, sign, with},
    support::{Answer, Fixture, JWT_SECRET, ROOT_KEY, start, start_default, user_jwt},
};
use aws_lc_rs::signature::{KeyPair, RsaKeyPair};
use axum::{Router, extract::State, http::StatusCode as Code, routing::get};
use jsonwebtoken::Algorithm;
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

const OK: StatusCode = StatusCode::OK;
const UNAUTHORIZED: StatusCode = StatusCode::UNAUTHORIZED;

impl Fixture {
    async fn add_key(&self, key: &Value) -> Answer {
        self.post(&self.v1("/jwt-keys"), &self.api_key, key).await
    }

    /// The id of the first key that was added.
    async fn added(&self, key: &Value) -> Value {
        let made = self.add_key(key).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        made.json()["keys"][0]["id"].clone()
    }

    async fn retire(&self, id: &Value) -> StatusCode {
        let path = self.v1(&format!("/jwt-keys/{id}"));
        self.delete(&path, &self.api_key).await.status
    }

    async fn keys(&self) -> Value {
        let listed = self.get(&self.v1("/jwt-keys"), &self.api_key).await;
        assert_eq!(listed.status, OK, "{}", listed.text);
        listed.json()["keys"].clone()
    }

    /// What a token is good for: 404 behind the door, 401 before it.
    async fn lets_in(&self, token: &str) -> bool {
        match self.get(&self.v2("/order/77"), token).await.status {
            StatusCode::NOT_FOUND => true,
            UNAUTHORIZED => false,
            other => panic!("{other}"),
        }
    }
}

fn es256(kid: &str, pair: &Pair) -> String {
    let header = json!({ "alg": "ES256", "kid": kid });
    sign(&header, &claims("alice"), Algorithm::ES256, &pair.signing)
}

#[tokio::test]
async fn a_key_is_replaced_without_a_gap() {
    let mut f = start_default().await;
    let old = user_jwt("alice");
    assert!(f.lets_in(&old).await);
    // Made by the server and shown once.
    let made = f.add_key(&json!({ "algorithm": "HS256" })).await.json();
    let secret = made["keys"][0]["secret"]
        .as_str()
        .expect("a secret")
        .to_owned();
    assert!(secret.len() > 32);
    let new = sign(
        &json!({ "alg": "HS256" }),
        &claims("alice"),
        Algorithm::HS256,
        &hmac(&secret),
    );
    // Twice, so that both are known tokens when the old key goes.
    for _ in 0..2 {
        assert!(f.lets_in(&new).await && f.lets_in(&old).await);
    }
    let listed = f.keys().await;
    assert!(!listed.to_string().contains(&secret) && !listed.to_string().contains(JWT_SECRET));
    let first = listed[1]["id"].clone();
    assert_eq!(f.retire(&first).await, StatusCode::NO_CONTENT);
    assert!(!f.lets_in(&old).await, "a known token of a retired key");
    assert!(f.lets_in(&new).await);
    assert_eq!(f.retire(&first).await, StatusCode::NOT_FOUND);
    assert!(f.keys().await[1]["retired_at"].is_string());
    f.restart().await;
    assert!(f.lets_in(&new).await && !f.lets_in(&old).await);
}

#[tokio::test]
async fn what_cannot_be_a_key_is_refused_when_it_is_given() {
    let f = start_default().await;
    let ed = mint::ed25519();
    let small = mint::armour(&mint::ed25519_der(&[0; 32]));
    let shared = json!({ "keys": [{ "kty": "oct", "k": b64([7; 32]), "alg": "HS256" }] });
    let private = with(&jwk("ES256", "a", &mint::p256()), json!({ "d": "AAAA" }));
    let many: Vec<_> = (0..33).map(|n| jwk("EdDSA", &n.to_string(), &ed)).collect();
    let encryption = with(&jwk("EdDSA", "a", &ed), json!({ "use": "enc" }));
    let other = with(&jwk("EdDSA", "a", &ed), json!({ "alg": "ES256" }));
    let weak = json!([{ "kty": "RSA", "n": b64([0xff; 128]), "e": "AQAB" }]);
    let pem = |algorithm: &str, pem: &str| json!({ "algorithm": algorithm, "public_key": pem });
    for (field, refused) in [
        (
            "secret",
            json!({ "algorithm": "HS256", "secret": "x".repeat(31) }),
        ),
        (
            "public_key",
            json!({ "algorithm": "HS256", "public_key": ed.public_pem }),
        ),
        ("algorithm", json!({ "algorithm": "none" })),
        (
            "algorithm",
            json!({ "algorithm": "HS512", "secret": JWT_SECRET }),
        ),
        ("algorithm", json!({})),
        ("algorithm", json!({ "secret": JWT_SECRET })),
        ("algorithm", json!({ "algorithm": "HS256", "jwks": [] })),
        ("algorithm", json!({ "kid": "a", "jwks": [] })),
        ("kid", json!({ "algorithm": "HS256", "kid": "" })),
        ("kid", json!({ "algorithm": "HS256", "kid": "a\n" })),
        ("public_key", json!({ "algorithm": "RS256" })),
        ("public_key", pem("RS256", RSA_1024)),
        ("public_key", pem("RS256", mint::RSA_PRIVATE_PEM)),
        ("public_key", pem("RS256", CERTIFICATE)),
        ("public_key", pem("RS256", "ssh-rsa AAAA")),
        ("public_key", pem("RS256", "")),
        ("public_key", pem("RS256", &ed.public_pem)),
        ("public_key", pem("RS256", &mint::RSA_PUBLIC_PEM.repeat(2))),
        ("public_key", pem("ES256", mint::RSA_PUBLIC_PEM)),
        ("public_key", pem("ES256", P384)),
        ("public_key", pem("EdDSA", &small)),
        ("public_key", pem("EdDSA", &mint::p256().public_pem)),
        ("jwks", json!({ "jwks": shared })),
        ("jwks", json!({ "jwks": { "keys": [private] } })),
        ("jwks", json!({ "jwks": { "keys": many } })),
        ("jwks", json!({ "jwks": { "keys": [] } })),
        ("jwks", json!({ "jwks": { "keys": [encryption] } })),
        ("jwks", json!({ "jwks": [other] })),
        ("jwks", json!({ "jwks": weak })),
        ("jwks", json!({ "jwks": {} })),
        ("jwks", json!({ "jwks": "x" })),
        ("jwks", json!({ "jwks": [1] })),
        ("jwks_url", json!({ "jwks_url": "http://idp.example/keys" })),
        (
            "jwks_url",
            json!({ "jwks_url": "https://user:password@idp.example/" }),
        ),
        ("jwks_url", json!({ "jwks_url": "file:///etc/passwd" })),
        ("jwks_url", json!({ "jwks_url": "http://127.0.0.1:1/keys" })),
    ] {
        let answer = f.add_key(&refused).await;
        let got = (answer.status.as_u16(), answer.json()["field"].clone());
        assert_eq!(got, (422, json!(field)), "{refused:.80} {}", answer.text);
    }
    // Repeated names do not survive being made into a value.
    let twice = r#"{"jwks":[{"kty":"OKP","kty":"OKP","crv":"Ed25519","x":"AA"}]}"#;
    let authorization = format!("Bearer {}", f.api_key);
    let headers = [
        ("authorization", authorization.as_str()),
        ("content-type", "application/json"),
    ];
    let answer = f
        .send(reqwest::Method::POST, &f.v1("/jwt-keys"), &headers, twice)
        .await;
    assert_eq!(answer.json()["field"], "jwks", "{}", answer.text);
    assert_eq!(
        f.keys().await.as_array().expect("list").len(),
        1,
        "nothing was kept"
    );

    let named = json!({ "algorithm": "EdDSA", "kid": "a", "public_key": ed.public_pem });
    f.added(&named).await;
    assert_eq!(f.add_key(&named).await.status, StatusCode::CONFLICT);
    let of_nobody = f.post("/v1/projects/4242/jwt-keys", ROOT_KEY, &named).await;
    assert_eq!(of_nobody.status, StatusCode::NOT_FOUND);
}

const RSA_1024: &str = "-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC0hxyql3/4MR4BHkzDGvXMBjMh
Xsi/ULEMScyQEtMA7cB2OwXgO8rshP1B41nxLCpUwIoBNHWwwisR81Fxx3HjPnld
uREfrzvPLKUgD7zqeDY4tUv3P8Le52H8TYWLQu1dg5qFwklnYIr7m2UEJzBWCuvc
2i8R3GgEbjUH7PYoUQIDAQAB
-----END PUBLIC KEY-----
";

const P384: &str = "-----BEGIN PUBLIC KEY-----
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE5MZ6S+EiVG6Sqfjl6YQ4rMA0dni9SvHN
44732Q+yLRSJ5BHwzVs5GswzCLBRprQPuhUsk0VfyEx3BjmrnD8oRYN+gvExg1xQ
FkhpFBlDO6fMojeuKNvKVNMwuKh/Lbfg
-----END PUBLIC KEY-----
";

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----
MIIBczCCARmgAwIBAgIUWTf8ra88e666L1z6PVRu3IKogM4wCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEdGVzdDAeFw0yNjExMjMxMTIzMjRaFw0zNjExMjAxMTIzMjRa
MA8xDTALBgNVBAMMBHRlc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASFI0ln
RPuI49dUrfNlgAlJ14+/vp5U6nrpYHmrsOK4WaQNyvO/mYmbmajO9Dd29fN3U9YH
hcwlZJ26DsEK591go1MwUTAdBgNVHQ4EFgQU6QooQK1KvxyCLCvBBYLkw26zeNQw
HwYDVR0jBBgwFoAU6QooQK1KvxyCLCvBBYLkw26zeNQwDwYDVR0TAQH/BAUwAwEB
/zAKBggqhkjOPQQDAgNIADBFAiEAyEf120pcye8fDzMnHdU+Nn9ehq81jbk7bciz
/gp4bdECIH+lWDw+GIA1opvnX8fh3gHX7NP5EbHc1/UUou7F/cA2
-----END CERTIFICATE-----
";

/// The test's RSA key as a JWK, its numbers written by `write`.
fn rsa_jwk(kid: &str, write: fn(&[u8]) -> String) -> Value {
    let body: String = mint::RSA_PRIVATE_PEM
        .lines()
        .filter(|line| !line.starts_with('-'))
        .collect();
    let der = data_encoding::BASE64
        .decode(body.as_bytes())
        .expect("base64");
    let pair = RsaKeyPair::from_pkcs8(&der).expect("a key");
    let modulus = pair
        .public_key()
        .modulus()
        .big_endian_without_leading_zero();
    let exponent = pair
        .public_key()
        .exponent()
        .big_endian_without_leading_zero();
    json!({ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": write(modulus), "e": write(exponent) })
}

fn rs256(kid: &str) -> String {
    sign(
        &json!({ "alg": "RS256", "kid": kid }),
        &claims("alice"),
        Algorithm::RS256,
        &rsa(),
    )
}

#[tokio::test]
async fn key_sets_are_read_in_every_form_in_the_field() {
    let (ec, ed) = (mint::p256(), mint::ed25519());
    let hex: fn(&[u8]) -> String = |bytes| data_encoding::HEXLOWER.encode(bytes);
    let upper: fn(&[u8]) -> String = |bytes| data_encoding::HEXUPPER.encode(bytes);
    // As a number is written: 10001 and not 010001.
    let number: fn(&[u8]) -> String = |bytes| {
        data_encoding::HEXLOWER
            .encode(bytes)
            .trim_start_matches('0')
            .to_owned()
    };
    let padded: fn(&[u8]) -> String = |bytes| data_encoding::BASE64URL.encode(bytes);
    for write in [|bytes: &[u8]| b64(bytes), hex, upper, number, padded] {
        let rsa = rsa_jwk("r", write);
        let encryption = with(
            &rsa,
            json!({ "use": "enc", "kid": "enc", "alg": "RSA-OAEP" }),
        );
        let unknown = json!({ "kty": "AKP", "alg": "ML-DSA-44", "kid": "later" });
        let keys = json!([
            encryption,
            unknown,
            rsa,
            jwk("ES256", "e", &ec),
            jwk("EdDSA", "d", &ed)
        ]);
        for set in [json!({ "keys": keys, "more": 1 }), keys.clone()] {
            let f = start_default().await;
            let made = f.add_key(&json!({ "jwks": set })).await;
            assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
            let made = made.json();
            let kids: Vec<_> = made["keys"]
                .as_array()
                .expect("list")
                .iter()
                .map(|k| &k["kid"])
                .collect();
            assert_eq!(kids, ["r", "e", "d"]);
            assert!(f.lets_in(&rs256("r")).await);
            assert!(f.lets_in(&es256("e", &ec)).await);
            assert!(!f.lets_in(&rs256("enc")).await);
        }
    }
}

/// An identity provider: what it answers can be changed, and its visitors are counted.
struct Provider {
    url: String,
    answer: Arc<Mutex<(Code, String)>>,
    visits: Arc<AtomicUsize>,
}

impl Provider {
    async fn start(keys: &Value) -> Self {
        type Shared = (Arc<Mutex<(Code, String)>>, Arc<AtomicUsize>);
        let answer = Arc::new(Mutex::new((Code::OK, json!({ "keys": keys }).to_string())));
        let visits = Arc::new(AtomicUsize::new(0));
        let serve = |State((answer, visits)): State<Shared>| async move {
            visits.fetch_add(1, Ordering::SeqCst);
            let (code, body) = answer.lock().expect("answer").clone();
            (code, [("location", "/elsewhere")], body)
        };
        let router = Router::new()
            .route("/keys", get(serve))
            .with_state((Arc::clone(&answer), Arc::clone(&visits)));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("port");
        let url = format!("http://{}/keys", listener.local_addr().expect("address"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            url,
            answer,
            visits,
        }
    }

    fn answers(&self, code: Code, body: impl Into<String>) {
        *self.answer.lock().expect("answer") = (code, body.into());
    }

    fn publishes(&self, keys: &Value) {
        self.answers(Code::OK, json!({ "keys": keys }).to_string());
    }

    fn visits(&self) -> usize {
        self.visits.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn a_new_key_of_an_identity_provider_is_fetched_once_when_its_first_token_comes() {
    let (old, new, newest) = (mint::p256(), mint::p256(), mint::p256());
    let provider = Provider::start(&json!([jwk("ES256", "old", &old)])).await;
    let f = start_default().await;
    f.added(&json!({ "jwks_url": provider.url })).await;
    assert_eq!(provider.visits(), 1);
    assert!(f.lets_in(&es256("old", &old)).await);
    // Known keys, wrong signatures and shared keys are no reason to ask.
    assert!(!f.lets_in(&es256("old", &new)).await);
    let shared = sign(
        &json!({ "alg": "HS256", "kid": "new" }),
        &claims("alice"),
        Algorithm::HS256,
        &hmac("a secret that nobody has configured"),
    );
    assert!(!f.lets_in(&shared).await);
    assert_eq!(provider.visits(), 1);

    provider.publishes(&json!([
        jwk("ES256", "old", &old),
        jwk("ES256", "new", &new)
    ]));
    let token = es256("new", &new);
    let all_at_once = (0..32).map(|_| f.lets_in(&token));
    let answers = futures_util::future::join_all(all_at_once).await;
    assert!(answers.into_iter().all(|is_in| is_in));
    assert_eq!(provider.visits(), 2, "one caller asks, the others wait");

    // Not again for half a minute, whatever comes.
    provider.publishes(&json!([jwk("ES256", "newest", &newest)]));
    for kid in ["newest", "a", "b", "c"] {
        assert!(!f.lets_in(&es256(kid, &newest)).await);
    }
    assert_eq!(provider.visits(), 2);
    let listed = f.keys().await;
    let set = &listed[0]["key_set"];
    assert_eq!(listed[0]["jwks_url"], json!(provider.url));
    assert_eq!(
        (&set["keys"][1]["kid"], &set["error"]),
        (&json!("new"), &Value::Null)
    );
}

#[tokio::test]
async fn an_identity_provider_that_is_down_stops_nobody() {
    let (old, new) = (mint::p256(), mint::p256());
    let provider = Provider::start(&json!([jwk("ES256", "old", &old)])).await;
    let mut f = start_default().await;
    let id = f.added(&json!({ "jwks_url": provider.url })).await;
    for (code, body) in [
        (Code::INTERNAL_SERVER_ERROR, "{}"),
        (Code::FOUND, "{}"),
        (Code::OK, "<html>"),
        (Code::OK, r#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#),
    ] {
        provider.answers(code, body);
        f.restart().await;
        assert!(f.lets_in(&es256("old", &old)).await, "{code} {body}");
        let visits = provider.visits();
        assert!(!f.lets_in(&es256("new", &new)).await);
        assert_eq!(provider.visits(), visits + 1);
        assert!(f.lets_in(&es256("old", &old)).await, "{code} {body}");
        assert!(f.keys().await[0]["key_set"]["error"].is_string());
    }
    // Taken back by the provider: an empty set is an answer.
    provider.publishes(&json!([]));
    f.restart().await;
    let known = es256("old", &old);
    assert!(f.lets_in(&known).await);
    assert!(!f.lets_in(&es256("new", &new)).await);
    assert!(
        !f.lets_in(&known).await,
        "a known token of a key that was taken back"
    );

    provider.publishes(&json!([jwk("ES256", "old", &old)]));
    f.restart().await;
    assert!(!f.lets_in(&es256("new", &new)).await);
    assert!(f.lets_in(&known).await);
    assert_eq!(f.retire(&id).await, StatusCode::NO_CONTENT);
    assert!(
        !f.lets_in(&known).await,
        "a known token of an address that was taken away"
    );
}

#[tokio::test]
async fn an_address_without_usable_keys_is_refused_when_it_is_given() {
    let provider = Provider::start(&json!([])).await;
    let f = start_default().await;
    let large = format!("{{\"keys\":[],\"x\":\"{}\"}}", "x".repeat(256 * 1024));
    for (code, body) in [
        (Code::OK, r#"{"keys":[]}"#),
        (Code::OK, "no JSON"),
        (Code::OK, large.as_str()),
        (Code::NOT_FOUND, r#"{"keys":[]}"#),
        (Code::FOUND, r#"{"keys":[]}"#),
    ] {
        provider.answers(code, body);
        let answer = f.add_key(&json!({ "jwks_url": provider.url })).await;
        assert_eq!(
            answer.json()["field"],
            "jwks_url",
            "{code}: {}",
            answer.text
        );
    }
}

#[tokio::test]
async fn rules_are_the_projects_own_and_take_effect_at_once() {
    let mut f = start_default().await;
    let token = |more: Value| {
        let claims = with(&claims("alice"), more);
        sign(
            &json!({ "alg": "HS256" }),
            &claims,
            Algorithm::HS256,
            &hmac(JWT_SECRET),
        )
    };
    let bobs = f.v2(&format!("/order/{}", f.create_order("bob").await));
    let mapped = token(json!({ "external_account_id": "bob", "aud": ["x", "shop"], "iss": "idp" }));
    let plain = token(json!({}));
    // By sub it is alice, who has no such order.
    assert_eq!(f.get(&bobs, &mapped).await.status, StatusCode::NOT_FOUND);
    assert!(f.lets_in(&plain).await);

    let rules = json!({ "user_claim": "external_account_id", "audience": ["shop", "app"], "issuer": ["idp"] });
    let put = f.put(&f.v1("/jwt-rules"), &f.api_key, &rules).await;
    assert_eq!((put.status, put.json()), (OK, rules.clone()));
    assert_eq!(f.get(&bobs, &mapped).await.status, OK);
    assert!(
        !f.lets_in(&plain).await,
        "a known token that the new rules refuse"
    );
    f.restart().await;
    assert_eq!(f.get(&f.v1("/jwt-rules"), &f.api_key).await.json(), rules);
    assert_eq!(f.get(&bobs, &mapped).await.status, OK);

    for (field, bad) in [
        ("user_claim", json!({ "user_claim": "" })),
        ("user_claim", json!({ "user_claim": "a\n" })),
        ("audience", json!({ "audience": [""] })),
        ("audience", json!({ "audience": vec!["a"; 17] })),
        ("issuer", json!({ "issuer": ["x".repeat(501)] })),
    ] {
        let answer = f.put(&f.v1("/jwt-rules"), &f.api_key, &bad).await;
        assert_eq!(answer.json()["field"], field, "{}", answer.text);
    }
    let reset = f.put(&f.v1("/jwt-rules"), &f.api_key, &json!({})).await;
    assert_eq!(
        reset.json(),
        json!({ "user_claim": "sub", "audience": [], "issuer": [] })
    );
    assert!(f.lets_in(&plain).await);
}

#[tokio::test]
async fn a_token_without_kid_is_not_tried_with_any_number_of_keys() {
    let f = start(json!({ "name": "Test", "hs256_secret": JWT_SECRET })).await;
    let last = mint::p256();
    for number in 0..8 {
        f.added(&json!({ "jwks": [jwk("ES256", &number.to_string(), &mint::p256())] }))
            .await;
    }
    f.added(&json!({ "jwks": [jwk("ES256", "last", &last)] }))
        .await;
    let claims = claims("alice");
    let nameless = sign(
        &json!({ "alg": "ES256" }),
        &claims,
        Algorithm::ES256,
        &last.signing,
    );
    assert!(!f.lets_in(&nameless).await);
    assert!(f.lets_in(&es256("last", &last)).await);
}
