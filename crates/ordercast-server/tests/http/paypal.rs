//! PayPal's certificate path, with a certificate authority of our own: which certificates count, for
//! which bodies, and how long.

use super::{
    support::{Fixture, start_with, unix_now},
    webhooks::loopback,
};
use aws_lc_rs::{rand::SystemRandom, rsa, signature};
use axum::{Router, routing::get};
use data_encoding::BASE64;
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    PKCS_RSA_SHA256,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

struct Paypal {
    base: String,
    key: signature::RsaKeyPair,
    /// How often the trusted certificate was fetched.
    fetched: Arc<AtomicUsize>,
}

/// Certificates of a trusted authority and of another one, for the same key.
async fn start() -> (Fixture, Value, Paypal) {
    let rsa = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).expect("a key");
    let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> =
        aws_lc_rs::encoding::AsDer::as_der(&rsa).expect("PKCS #8");
    let leaf_key =
        KeyPair::from_pkcs8_der_and_sign_algo(&der.as_ref().to_vec().into(), &PKCS_RSA_SHA256)
            .expect("a key");
    let authority = || {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("params");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("signed");
        (certificate.pem(), Issuer::new(params, key))
    };
    let leaf = |issuer: &Issuer<'_, KeyPair>, name: &str| {
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("params");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.signed_by(&leaf_key, issuer).expect("signed").pem()
    };
    let (root, issuer) = authority();
    let (_, stranger) = authority();
    let paypals = "messageverificationcerts.paypal.com";
    let (trusted, foreign) = (leaf(&issuer, paypals), leaf(&stranger, paypals));
    // A public authority gives one to anybody.
    let anybodys = leaf(&issuer, "shop.example");
    let fetched = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&fetched);
    let give_trusted = async move || {
        count.fetch_add(1, Ordering::Relaxed);
        trusted
    };
    let router = Router::new()
        .route("/certs/trusted", get(give_trusted))
        .route("/certs/foreign", get(async move || foreign))
        .route("/certs/anybodys", get(async move || anybodys));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("address"));
    tokio::spawn(async { axum::serve(listener, router).await });

    let folder = tempfile::tempdir().expect("folder");
    let roots = folder.path().join("roots.pem");
    std::fs::write(&roots, root).expect("written");
    let project = json!({ "name": "Test", "items": [] });
    let f = start_with(project, |flags| {
        loopback(flags);
        flags.webhook_certificates = Some(roots);
    })
    .await;
    let body = json!({ "provider": "paypal", "webhook_id": "WH-OURS", "api_url": base });
    let made = f.post(&f.v1("/sources"), &f.api_key, &body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let key = signature::RsaKeyPair::from_pkcs8(der.as_ref()).expect("a key");
    (f, made.json(), Paypal { base, key, fetched })
}

impl Paypal {
    fn headers(&self, body: &str, webhook: &str, certificate: &str) -> Vec<(&'static str, String)> {
        self.headers_of(body, webhook, certificate, 0)
    }

    /// Signed so many seconds ago.
    fn headers_of(
        &self,
        body: &str,
        webhook: &str,
        certificate: &str,
        age_seconds: i64,
    ) -> Vec<(&'static str, String)> {
        let made_at = i64::try_from(unix_now()).expect("a time") - age_seconds;
        let made_at = OffsetDateTime::from_unix_timestamp(made_at)
            .expect("a time")
            .format(&Rfc3339)
            .expect("a time");
        let checksum = crc32fast::hash(body.as_bytes());
        let signed = format!("T-1|{made_at}|{webhook}|{checksum}");
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(
                &signature::RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                signed.as_bytes(),
                &mut signature,
            )
            .expect("signed");
        vec![
            ("paypal-transmission-id", "T-1".to_owned()),
            ("paypal-transmission-time", made_at),
            ("paypal-transmission-sig", BASE64.encode(&signature)),
            ("paypal-cert-url", certificate.to_owned()),
            ("paypal-auth-algo", "SHA256withRSA".to_owned()),
        ]
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_paypal_signed_for_this_webhook_counts() {
    let (f, source, paypal) = start().await;
    let order = f.create_order("alice").await;
    let body = json!({ "id": "WH-1", "event_type": "PAYMENT.CAPTURE.COMPLETED",
        "resource": { "id": "CAP1", "custom_id": order.to_string(), "amount": { "value": "1.99", "currency_code": "USD" } } })
    .to_string();
    let path = source["path"].as_str().expect("path");
    let send = async |headers: Vec<(&'static str, String)>, body: &str| {
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        f.send(Method::POST, path, &headers, body.to_owned()).await
    };
    let trusted = format!("{}/certs/trusted", paypal.base);
    let good = paypal.headers(&body, "WH-OURS", &trusted);
    let bad_url = |url: &str| {
        let mut headers = good.clone();
        headers[3].1 = url.to_owned();
        headers
    };
    let without = |name: &str| {
        good.iter()
            .filter(|(n, _)| *n != name)
            .cloned()
            .collect::<Vec<_>>()
    };
    for (why, headers, sent) in [
        ("another body", good.clone(), body.replace("1.99", "9.99")),
        (
            "another webhook",
            paypal.headers(&body, "WH-OTHER", &trusted),
            body.clone(),
        ),
        (
            "another authority",
            paypal.headers(&body, "WH-OURS", &format!("{}/certs/foreign", paypal.base)),
            body.clone(),
        ),
        (
            "a certificate of anybody else",
            paypal.headers(&body, "WH-OURS", &format!("{}/certs/anybodys", paypal.base)),
            body.clone(),
        ),
        (
            "four days old",
            paypal.headers_of(&body, "WH-OURS", &trusted, 4 * 86_400),
            body.clone(),
        ),
        (
            "of tomorrow",
            paypal.headers_of(&body, "WH-OURS", &trusted, -86_400),
            body.clone(),
        ),
        (
            "no such certificate",
            bad_url(&format!("{}/certs/none", paypal.base)),
            body.clone(),
        ),
        (
            "another host",
            bad_url("https://paypal.com.evil.example/cert"),
            body.clone(),
        ),
        (
            "a host that ends alike",
            bad_url("https://evilpaypal.com/cert"),
            body.clone(),
        ),
        ("no certificate", without("paypal-cert-url"), body.clone()),
        (
            "no signature",
            without("paypal-transmission-sig"),
            body.clone(),
        ),
        ("no id", without("paypal-transmission-id"), body.clone()),
    ] {
        let answer = send(headers, &sent).await;
        assert_eq!(
            answer.status,
            StatusCode::UNAUTHORIZED,
            "{why}: {}",
            answer.text
        );
    }
    let answer = send(good.clone(), &body).await;
    assert_eq!(
        (answer.status, &answer.json()["state"]),
        (StatusCode::OK, &json!("applied"))
    );
    // Forgers who name many certificates do not push out the one that is signed with.
    let fetched = paypal.fetched.load(Ordering::Relaxed);
    for number in 0..10 {
        let certificate = format!("{}/certs/foreign?{number}", paypal.base);
        let forged = send(paypal.headers(&body, "WH-OURS", &certificate), &body).await;
        assert_eq!(forged.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(send(good, &body).await.json()["duplicate"], true);
    assert_eq!(paypal.fetched.load(Ordering::Relaxed), fetched);
    let found = f
        .get(&f.v1(&format!("/orders/{order}")), &f.api_key)
        .await
        .json();
    assert_eq!(found["status"], "paid");
}
