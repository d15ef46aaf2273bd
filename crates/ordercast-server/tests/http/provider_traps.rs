//! What providers really send and shops lost orders by: batches with unsigned items, events without their
//! object, partial captures, other modes.

use super::{
    support::{Fixture, start_with, unix_now},
    webhooks::loopback,
};
use aws_lc_rs::hmac;
use axum::{Json, Router, http::HeaderMap, routing::get};
use data_encoding::{BASE64, HEXLOWER, HEXUPPER_PERMISSIVE};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

const SECRET: &str = "whsec_of_the_tests";
const ADYEN_KEY: &str = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056";

async fn start() -> Fixture {
    start_with(json!({ "name": "Test", "items": [] }), loopback).await
}

async fn source(f: &Fixture, body: Value) -> String {
    let made = f.post(&f.v1("/sources"), &f.api_key, &body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    made.json()["path"].as_str().expect("path").to_owned()
}

async fn order(f: &Fixture, id: i64) -> Value {
    f.get(&f.v1(&format!("/orders/{id}")), &f.api_key)
        .await
        .json()
}

async fn stripe(f: &Fixture, path: &str, body: &Value) -> Value {
    let (now, text) = (unix_now(), body.to_string());
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let signature = hmac::sign(&key, format!("{now}.{text}").as_bytes());
    let header = format!("t={now},v1={}", HEXLOWER.encode(signature.as_ref()));
    let headers = [("stripe-signature", header.as_str())];
    let answer = f.send(Method::POST, path, &headers, text).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer.json()
}

fn item(code: &str, reference: &str, of: &str, order: i64, minor: i64) -> Value {
    json!({ "eventCode": code, "success": "true", "pspReference": reference, "originalReference": of,
        "merchantAccountCode": "Shop", "merchantReference": order.to_string(),
        "amount": { "value": minor, "currency": "USD" } })
}

fn signed(mut item: Value) -> Value {
    let at = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
    let fields = [
        at("pspReference"),
        at("originalReference"),
        at("merchantAccountCode"),
        at("merchantReference"),
        item["amount"]["value"].to_string(),
        "USD".to_owned(),
        at("eventCode"),
        at("success"),
    ];
    let key = HEXUPPER_PERMISSIVE
        .decode(ADYEN_KEY.as_bytes())
        .expect("hex");
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let signature = hmac::sign(&key, fields.join(":").as_bytes());
    item["additionalData"] = json!({ "hmacSignature": BASE64.encode(signature.as_ref()) });
    item
}

async fn adyen(f: &Fixture, path: &str, items: &[Value]) -> StatusCode {
    let items: Vec<_> = items
        .iter()
        .map(|item| json!({ "NotificationRequestItem": item }))
        .collect();
    let body = json!({ "live": "true", "notificationItems": items });
    // Its platform sends the header empty.
    let headers = [("hmacsignature", "")];
    f.send(Method::POST, path, &headers, body.to_string())
        .await
        .status
}

/// Adyen holds back everything behind a body that is refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_report_without_a_signature_takes_nothing_from_a_payment_beside_it() {
    let f = start().await;
    let path = source(&f, json!({ "provider": "adyen", "secret": ADYEN_KEY })).await;
    let id = f.create_order("alice").await;
    let report = item("REPORT_AVAILABLE", "report_2026_11_23.csv", "", id, 0);
    let paid = signed(item("AUTHORISATION", "A", "", id, 199));
    let forged = item("AUTHORISATION", "A", "", id, 199);
    assert_eq!(
        adyen(&f, &path, std::slice::from_ref(&report)).await,
        StatusCode::OK
    );
    assert_eq!(
        adyen(&f, &path, &[report.clone(), forged]).await,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(order(&f, id).await["status"], "new");
    assert_eq!(adyen(&f, &path, &[report, paid]).await, StatusCode::OK);
    assert_eq!(order(&f, id).await["status"], "paid");
    let kept = f.get(&f.v1("/inbox"), &f.api_key).await.json();
    let kinds: Vec<_> = kept["entries"]
        .as_array()
        .expect("entries")
        .iter()
        .map(|it| &it["kind"])
        .collect();
    assert_eq!(kinds, ["AUTHORISATION:true", "REPORT_AVAILABLE"], "{kept}");
}

#[tokio::test(flavor = "multi_thread")]
async fn captures_in_parts_add_up_and_one_that_fails_is_out_again() {
    let f = start().await;
    let source_body = json!({ "provider": "adyen", "secret": ADYEN_KEY, "mapping": { "AUTHORISATION:true": "authorized" } });
    let path = source(&f, source_body).await;
    let id = f.create_order("alice").await;
    for (code, reference, of, minor, status, net) in [
        ("AUTHORISATION", "A", "", 199, "new", "0.00"),
        ("CAPTURE", "C1", "A", 120, "new", "1.20"),
        ("CAPTURE", "C2", "A", 79, "paid", "1.99"),
        // The card scheme refused the second one after all.
        ("CAPTURE_FAILED", "C2", "A", 79, "paid", "1.20"),
    ] {
        let item = signed(item(code, reference, of, id, minor));
        assert_eq!(adyen(&f, &path, &[item]).await, StatusCode::OK);
        let found = order(&f, id).await;
        let seen = (&found["status"], &found["net_paid"]["amount"]);
        assert_eq!(
            seen,
            (&json!(status), &json!(net)),
            "{code} {reference}: {found}"
        );
    }
    assert_eq!(order(&f, id).await["flags"], json!(["capture_failed"]));
}

/// Authorised 10.00 and captured the order's 1.99: Stripe's older versions call the rest a refund.
#[tokio::test(flavor = "multi_thread")]
async fn what_stripe_releases_of_an_authorisation_is_no_refund() {
    let f = start().await;
    let path = source(&f, json!({ "provider": "stripe", "secret": SECRET })).await;
    let id = f.create_order("alice").await;
    let paid = json!({ "id": "evt_1", "type": "payment_intent.succeeded", "api_version": "2024-06-20",
        "data": { "object": { "object": "payment_intent", "id": "pi_1", "amount": 1_000, "amount_received": 199,
            "currency": "usd", "metadata": { "order_id": id.to_string() } } } });
    let released = json!({ "id": "evt_2", "type": "charge.refunded", "api_version": "2024-06-20",
        "data": { "object": { "object": "charge", "id": "ch_1", "payment_intent": "pi_1", "amount": 1_000,
            "amount_captured": 199, "amount_refunded": 801, "captured": true, "refunded": false, "currency": "usd" } } });
    stripe(&f, &path, &paid).await;
    stripe(&f, &path, &released).await;
    let found = order(&f, id).await;
    assert_eq!(
        (&found["status"], &found["net_paid"]["amount"]),
        (&json!("paid"), &json!("1.99")),
        "{found}"
    );
}

/// A thin event's object is asked for with the source's key, at the address that the source names.
#[tokio::test(flavor = "multi_thread")]
async fn a_thin_event_is_worth_what_stripe_says_of_its_object() {
    let f = start().await;
    let id = f.create_order("alice").await;
    let intent = json!({ "object": "payment_intent", "id": "pi_1", "status": "succeeded", "amount": 199,
        "amount_received": 199, "currency": "usd", "metadata": { "order_id": id.to_string() } });
    let asked = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&asked);
    let answer = async move |headers: HeaderMap| {
        let key = headers["authorization"].to_str().expect("text").to_owned();
        heard.lock().expect("asked").push(key);
        Json(intent)
    };
    let router = Router::new().route("/v1/payment_intents/pi_1", get(answer));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("address"));
    tokio::spawn(async { axum::serve(listener, router).await });

    let thin = |event: &str, url: &str| {
        json!({ "id": event, "object": "v2.core.event",
        "type": "v1.payment_intent.succeeded", "livemode": true,
        "related_object": { "id": "pi_1", "type": "payment_intent", "url": url } })
    };
    let url = "/v1/payment_intents/pi_1";
    let keyless = source(&f, json!({ "provider": "stripe", "secret": SECRET })).await;
    let answer = stripe(&f, &keyless, &thin("evt_1", url)).await;
    let reason = answer["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("thin event"), "{answer}");
    assert_eq!(order(&f, id).await["status"], "new");

    let with_key =
        json!({ "provider": "stripe", "secret": SECRET, "api_key": "rk_test_1", "api_url": base });
    let path = source(&f, with_key).await;
    let answer = stripe(&f, &path, &thin("evt_2", "/v1/payment_intents/pi_2")).await;
    assert_eq!(answer["state"], "unknown", "{answer}");
    assert!(asked.lock().expect("asked").is_empty());
    let answer = stripe(&f, &path, &thin("evt_3", url)).await;
    assert_eq!(answer["state"], "applied", "{answer}");
    assert_eq!(order(&f, id).await["status"], "paid");
    assert_eq!(*asked.lock().expect("asked"), ["Bearer rk_test_1"]);
}
