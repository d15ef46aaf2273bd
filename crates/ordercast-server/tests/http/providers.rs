//! Payment providers, from their signed request to the order.

use super::{
    support::{Fixture, start_with},
    webhooks::loopback,
};
use aws_lc_rs::hmac;
use axum::{Json, Router, extract::Path, http::HeaderMap, routing::get};
use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

pub const SECRET: &str = "whsec_of_the_tests";

pub async fn start() -> Fixture {
    start_with(
        json!({ "name": "Test", "hs256_secret": super::support::JWT_SECRET, "items": [] }),
        loopback,
    )
    .await
}

pub async fn source(f: &Fixture, body: Value) -> Value {
    let made = f.post(&f.v1("/sources"), &f.api_key, &body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    made.json()
}

pub fn hex(secret: &str, content: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    data_encoding::HEXLOWER.encode(hmac::sign(&key, content).as_ref())
}

pub async fn stripe(
    f: &Fixture,
    source: &Value,
    secret: &str,
    body: &Value,
) -> (StatusCode, Value) {
    let now = super::support::unix_now();
    let text = body.to_string();
    let signature = hex(secret, format!("{now}.{text}").as_bytes());
    let header = format!("t={now},v1={signature}");
    let headers = [("stripe-signature", header.as_str())];
    let path = source["path"].as_str().expect("path");
    let answer = f.send(Method::POST, path, &headers, text).await;
    (
        answer.status,
        serde_json::from_str(&answer.text).unwrap_or_default(),
    )
}

/// `seconds` from now: of events that happened before their order was made nothing comes.
pub fn created(seconds: u64) -> u64 {
    super::support::unix_now() + seconds
}

fn intent(event: &str, kind: &str, order: Option<i64>, seconds: u64) -> Value {
    let created = created(seconds);
    let metadata = order.map_or(json!({}), |order| json!({ "order_id": order.to_string() }));
    json!({ "id": event, "type": kind, "created": created, "data": { "object": {
        "object": "payment_intent", "id": "pi_1", "amount_received": 199, "currency": "usd",
        "metadata": metadata } } })
}

pub async fn status(f: &Fixture, order: i64) -> String {
    let found = f
        .get(&f.v1(&format!("/orders/{order}")), &f.api_key)
        .await
        .json();
    found["status"].as_str().expect("status").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_comes_many_times_at_once_counts_once() {
    let f = start().await;
    let source = source(&f, json!({ "provider": "stripe", "secret": SECRET })).await;
    let order = f.create_order("alice").await;
    let paid = intent("evt_1", "payment_intent.succeeded", Some(order), 10);
    let answers = join_all((0..20).map(|_| stripe(&f, &source, SECRET, &paid))).await;
    assert!(answers.iter().all(|(status, _)| *status == StatusCode::OK));
    let first = answers
        .iter()
        .filter(|(_, answer)| answer["duplicate"] == false);
    assert_eq!(first.count(), 1);
    assert_eq!(status(&f, order).await, "paid");
    let versions = f
        .get(&f.v1(&format!("/orders/{order}/versions")), &f.api_key)
        .await
        .json();
    assert_eq!(versions["versions"].as_array().map(Vec::len), Some(2));
    let inbox = f
        .get(&f.v1("/inbox?state=applied"), &f.api_key)
        .await
        .json();
    assert_eq!(inbox["entries"][0]["duplicates"], 19);
    let entry = f
        .get(
            &f.v1(&format!("/inbox/{}", inbox["entries"][0]["id"])),
            &f.api_key,
        )
        .await
        .json();
    assert_eq!(entry["body"], paid.to_string());
    assert_eq!(
        (&entry["fact"]["fact"], &entry["attempt_id"]),
        (&json!("paid"), &json!("pi_1"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_stale_and_unknown_are_one_answer() {
    let f = start().await;
    let source = source(&f, json!({ "provider": "stripe", "secret": SECRET })).await;
    let order = f.create_order("alice").await;
    let body = intent("evt_1", "payment_intent.succeeded", Some(order), 10);
    let (forged, forged_body) = stripe(&f, &source, "another-secret", &body).await;
    let nobody = json!({ "path": "/v1/inbox/nobody" });
    let (unknown, unknown_body) = stripe(&f, &nobody, SECRET, &body).await;
    let path = source["path"].as_str().expect("path");
    let stale = format!("t=1,v1={}", hex(SECRET, format!("1.{body}").as_bytes()));
    let headers = [("stripe-signature", stale.as_str())];
    let stale = f.send(Method::POST, path, &headers, body.to_string()).await;
    assert_eq!(
        (forged, unknown, stale.status),
        (
            StatusCode::UNAUTHORIZED,
            StatusCode::UNAUTHORIZED,
            StatusCode::UNAUTHORIZED
        )
    );
    assert_eq!(forged_body, unknown_body);
    assert_eq!(stale.json(), forged_body);
    assert_eq!(status(&f, order).await, "new");
    let inbox = f.get(&f.v1("/inbox"), &f.api_key).await.json();
    assert_eq!(inbox["entries"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn early_and_out_of_order_events_end_in_the_same_order() {
    let f = start().await;
    let source = source(&f, json!({ "provider": "stripe", "secret": SECRET })).await;
    let order = 7_000;
    // All of them before the order exists, the last first; one names no order at all.
    let refund = json!({ "id": "evt_4", "type": "refund.created", "created": created(40), "data": { "object": {
        "object": "refund", "id": "re_1", "payment_intent": "pi_1", "amount": 99, "currency": "usd", "status": "succeeded" } } });
    for event in [
        refund,
        intent("evt_3", "payment_intent.succeeded", Some(order), 30),
        intent("evt_2", "payment_intent.processing", Some(order), 20),
    ] {
        let (_, answer) = stripe(&f, &source, SECRET, &event).await;
        assert_eq!(answer["state"], "parked", "{answer}");
    }
    let body = json!({ "order_id": order, "user_external_id": "alice",
        "items": [{ "sku": "sword", "price": { "amount": "1.99", "currency": "USD" } }] });
    let made = f.post(&f.v1("/orders"), &f.api_key, &body).await.json();
    assert_eq!(made["status"], "paid", "{made}");
    // Older news than what is known.
    let late = intent("evt_1", "payment_intent.payment_failed", Some(order), 5);
    let (_, answer) = stripe(&f, &source, SECRET, &late).await;
    assert_eq!(answer["state"], "ignored");
    let found = f
        .get(
            &f.v1(&format!("/orders/{order}?expand=payment")),
            &f.api_key,
        )
        .await;
    assert_eq!(status(&f, order).await, "paid", "{}", found.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_in_another_currency_pays_nothing() {
    let f = start().await;
    let source = source(&f, json!({ "provider": "stripe", "secret": SECRET })).await;
    let order = f.create_order("alice").await;
    let mut event = intent("evt_1", "payment_intent.succeeded", Some(order), 10);
    event["data"]["object"]["currency"] = json!("eur");
    stripe(&f, &source, SECRET, &event).await;
    assert_eq!(status(&f, order).await, "new");
    let mut event = intent("evt_2", "payment_intent.succeeded", Some(order), 10);
    event["data"]["object"]["amount_received"] = json!(198);
    stripe(&f, &source, SECRET, &event).await;
    assert_eq!(status(&f, order).await, "new", "not enough");
}

/// An operator sees the unknown word, gives it a meaning, and has the provider send it again.
#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_event_that_comes_again_is_read_by_the_new_mapping() {
    let f = start().await;
    let source = source(&f, json!({ "provider": "stripe", "secret": SECRET })).await;
    let order = f.create_order("alice").await;
    let event = intent("evt_1", "payment_intent.new_word", Some(order), 10);
    let (_, first) = stripe(&f, &source, SECRET, &event).await;
    assert_eq!(first["state"], "unknown", "{first}");
    let (_, again) = stripe(&f, &source, SECRET, &event).await;
    assert_eq!(again["duplicate"], true, "{again}");
    let bearer = format!("Bearer {}", f.api_key);
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
    ];
    let path = f.v1(&format!(
        "/sources/{}",
        source["source"].as_str().expect("id")
    ));
    let change = json!({ "mapping": { "payment_intent.new_word": "paid" } }).to_string();
    f.send(Method::PATCH, &path, &headers, change).await;
    let (_, read) = stripe(&f, &source, SECRET, &event).await;
    assert_eq!(
        (&read["state"], &read["duplicate"]),
        (&json!("applied"), &json!(false))
    );
    assert_eq!(status(&f, order).await, "paid");
    // From now on it is one that came before, and it is one entry.
    let (_, last) = stripe(&f, &source, SECRET, &event).await;
    assert_eq!(last["duplicate"], true);
    let inbox = f.get(&f.v1("/inbox"), &f.api_key).await.json();
    assert_eq!(inbox["entries"].as_array().map(Vec::len), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_says_why_no_more_came_of_it() {
    let f = start().await;
    let source = source(&f, json!({ "provider": "stripe", "secret": SECRET })).await;
    let order = f.create_order("alice").await;
    let mut event = intent("evt_1", "payment_intent.succeeded", Some(order), 10);
    event["data"]["object"]["amount_received"] = json!(198);
    let (_, answer) = stripe(&f, &source, SECRET, &event).await;
    assert_eq!(
        answer["reason"],
        "recorded, the order stays new; less than the price is in"
    );
    event["id"] = json!("evt_2");
    event["data"]["object"]["currency"] = json!("eur");
    let (_, answer) = stripe(&f, &source, SECRET, &event).await;
    assert!(
        answer["reason"]
            .as_str()
            .is_some_and(|reason| reason.contains("currency")),
        "{answer}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_from_elsewhere_are_refused_where_addresses_are_named() {
    let f = start().await;
    let made = |addresses: Value| json!({ "provider": "stripe", "secret": SECRET, "addresses": addresses });
    let event = |id: &str| intent(id, "payment_intent.created", None, 1);
    let elsewhere = source(&f, made(json!(["18.209.80.3", "185.30.20.0/24"]))).await;
    assert_eq!(
        elsewhere["addresses"],
        json!(["18.209.80.3/32", "185.30.20.0/24"])
    );
    let (status, refused) = stripe(&f, &elsewhere, SECRET, &event("evt_1")).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let (_, forged) = stripe(&f, &elsewhere, "another-secret", &event("evt_1")).await;
    assert_eq!(refused, forged);
    let here = source(&f, made(json!(["127.0.0.0/8", "::1"]))).await;
    let (status, answer) = stripe(&f, &here, SECRET, &event("evt_1")).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let tebex = source(&f, json!({ "provider": "tebex", "secret": SECRET })).await;
    assert_eq!(
        tebex["provider_addresses"],
        json!(["18.209.80.3/32", "54.87.231.232/32"])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_stripe_reports_as_failed_gives_the_order_back() {
    let f = start().await;
    let source = source(&f, json!({ "provider": "stripe", "secret": SECRET })).await;
    let order = f.create_order("alice").await;
    let charge = json!({ "id": "evt_2", "type": "charge.refunded", "created": created(20), "data": { "object": { "object": "charge",
        "id": "ch_1", "payment_intent": "pi_1", "amount_refunded": 199, "currency": "usd" } } });
    let fails = json!({ "id": "evt_3", "type": "refund.failed", "created": created(30), "data": { "object": { "object": "refund",
        "id": "re_1", "payment_intent": "pi_1", "amount": 199, "currency": "usd", "status": "failed" } } });
    for (event, word) in [
        (
            intent("evt_1", "payment_intent.succeeded", Some(order), 10),
            "paid",
        ),
        (charge, "canceled"),
        (fails, "paid"),
    ] {
        let (_, answer) = stripe(&f, &source, SECRET, &event).await;
        assert_eq!(status(&f, order).await, word, "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_tells_what_would_be_and_keeps_nothing() {
    let f = start().await;
    let source = source(&f, json!({ "provider": "stripe", "secret": SECRET })).await;
    let order = f.create_order("alice").await;
    let path = f.v1("/inbox/dry-run");
    let ask = async |body: &Value| {
        let asked = json!({ "source": source["source"], "body": body.to_string() });
        let answer = f.post(&path, &f.api_key, &asked).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer.json()["events"][0].clone()
    };
    let paid = intent("evt_1", "payment_intent.succeeded", Some(order), 10);
    let would = ask(&paid).await;
    assert_eq!(
        (&would["state"], &would["from"], &would["to"]),
        (&json!("applied"), &json!("new"), &json!("paid"))
    );
    assert_eq!(status(&f, order).await, "new");
    assert_eq!(
        ask(&intent("evt_1", "invoice.paid", None, 1)).await["state"],
        "unknown"
    );
    assert_eq!(
        ask(&intent("evt_1", "payment_intent.succeeded", Some(9), 1)).await["state"],
        "parked"
    );
    assert_eq!(ask(&json!({})).await["state"], "rejected");
    stripe(&f, &source, SECRET, &paid).await;
    assert_eq!(ask(&paid).await["state"], "duplicate");
    let again = intent("evt_2", "payment_intent.succeeded", Some(order), 10);
    assert_eq!(
        ask(&again).await["reason"],
        "this attempt is recorded as paid already"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sources_are_made_changed_rotated_and_ended() {
    let f = start().await;
    let given = |secret: &str| json!({ "secret": secret });
    let made = source(
        &f,
        json!({ "provider": "stripe", "secret": "whsec_the_oldest" }),
    )
    .await;
    let old = made["secret"].as_str().expect("secret").to_owned();
    let id = made["source"].as_str().expect("source").to_owned();
    let path = f.v1(&format!("/sources/{id}"));
    let rotated = f
        .post(
            &format!("{path}/secrets"),
            &f.api_key,
            &given("whsec_a_newer_one"),
        )
        .await
        .json();
    let new = rotated["secret"].as_str().expect("secret").to_owned();
    let event = |id: &str| intent(id, "payment_intent.created", None, 1);
    for secret in [&old, &new] {
        assert_eq!(
            stripe(&f, &made, secret, &event(secret)).await.0,
            StatusCode::OK
        );
    }
    let cut = f
        .post(
            &format!("{path}/secrets"),
            &f.api_key,
            &json!({ "overlap_seconds": 0, "secret": "whsec_the_newest" }),
        )
        .await;
    let newest = cut.json()["secret"].as_str().expect("secret").to_owned();
    for (secret, expected) in [(&old, 401), (&new, 401), (&newest, 200)] {
        assert_eq!(
            stripe(&f, &made, secret, &event(secret)).await.0.as_u16(),
            expected
        );
    }
    let bearer = format!("Bearer {}", f.api_key);
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
    ];
    let change = json!({ "mapping": { "payment_intent.succeeded": "authorized" } });
    let changed = f
        .send(Method::PATCH, &path, &headers, change.to_string())
        .await;
    assert_eq!(changed.json()["mapping"], change["mapping"]);
    let order = f.create_order("alice").await;
    stripe(
        &f,
        &made,
        &newest,
        &intent("evt_1", "payment_intent.succeeded", Some(order), 10),
    )
    .await;
    assert_eq!(status(&f, order).await, "new", "by this source's own word");
    // A misspelt setting would silently not be there.
    let misspelt = json!({ "adresses": ["18.209.80.3"] }).to_string();
    let refused = f.send(Method::PATCH, &path, &headers, misspelt).await;
    assert_eq!(refused.status.as_u16(), 422, "{}", refused.text);
    let listed = f.get(&f.v1("/sources"), &f.api_key).await;
    assert_eq!(listed.json()["sources"].as_array().map(Vec::len), Some(2));
    assert!(!listed.text.contains(&newest));
    assert_eq!(
        f.delete(&path, &f.api_key).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        stripe(&f, &made, &newest, &event("evt_9")).await.0,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(f.get(&path, &f.api_key).await.status, StatusCode::NOT_FOUND);
    for (bad, field) in [
        (json!({ "provider": "stripe", "secret": "short" }), "secret"),
        (json!({ "provider": "mollie" }), "api_key"),
        (
            json!({ "provider": "reference", "api_key": "a-key-alone" }),
            "api_key",
        ),
        (
            json!({ "provider": "stripe", "addresses": ["nowhere"] }),
            "addresses",
        ),
        (
            json!({ "provider": "adyen", "secret": "not-hexadecimal" }),
            "secret",
        ),
        (json!({ "provider": "paypal" }), "webhook_id"),
        (json!({ "provider": "standard" }), "fields"),
        (
            json!({ "provider": "stripe", "api_url": "https://10.0.0.1/" }),
            "api_url",
        ),
    ] {
        let answer = f.post(&f.v1("/sources"), &f.api_key, &bad).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["field"]),
            (422, &json!(field)),
            "{bad}"
        );
    }
}

/// A provider's API that answers what the test says.
async fn api(answers: Arc<Mutex<Vec<(String, Value)>>>) -> String {
    let handler = async move |Path(path): Path<String>, headers: HeaderMap| {
        let authorised = headers
            .get("authorization")
            .is_some_and(|value| value == "Bearer live_key_of_the_tests");
        let answers = answers.lock().expect("answers");
        let found = answers
            .iter()
            .find(|(known, _)| *known == path)
            .map(|(_, body)| body.clone());
        match found {
            _ if !authorised => Err(StatusCode::UNAUTHORIZED),
            Some(body) => Ok(Json(body)),
            None => Err(StatusCode::NOT_FOUND),
        }
    };
    let router = Router::new().route("/{*path}", get(handler));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("address"));
    tokio::spawn(async { axum::serve(listener, router).await });
    base
}

#[tokio::test(flavor = "multi_thread")]
async fn mollie_is_believed_only_in_what_it_answers_itself() {
    let f = start().await;
    let order = f.create_order("alice").await;
    let payment = |status: &str| {
        json!({ "resource": "payment", "id": "tr_1", "status": status,
        "amount": { "value": "1.99", "currency": "USD" }, "metadata": { "order_id": order } })
    };
    let answers = Arc::new(Mutex::new(vec![(
        "v2/payments/tr_1".to_owned(),
        payment("open"),
    )]));
    let base = api(Arc::clone(&answers)).await;
    let source = source(
        &f,
        json!({ "provider": "mollie", "api_key": "live_key_of_the_tests", "api_url": base }),
    )
    .await;
    let tell = async |body: &str| {
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let path = source["path"].as_str().expect("path");
        f.send(Method::POST, path, &headers, body.to_owned())
            .await
            .status
    };
    assert_eq!(tell("id=tr_1").await, StatusCode::OK);
    assert_eq!(status(&f, order).await, "new");
    answers.lock().expect("answers")[0].1 = payment("paid");
    assert_eq!(tell("id=tr_1").await, StatusCode::OK);
    assert_eq!(status(&f, order).await, "paid");
    // What it does not know is answered well, and nothing is kept.
    for unknown in ["id=tr_2", "id=../v2/payments/tr_1", "id=", "x=1", ""] {
        assert_eq!(tell(unknown).await, StatusCode::OK, "{unknown}");
    }
    let inbox = f.get(&f.v1("/inbox"), &f.api_key).await.json();
    assert_eq!(
        inbox["entries"].as_array().map(Vec::len),
        Some(2),
        "{inbox}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn each_provider_gets_the_answer_that_it_expects() {
    let f = start().await;
    let tebex = source(&f, json!({ "provider": "tebex", "secret": SECRET })).await;
    let body = json!({ "id": "val_1", "type": "validation.webhook", "date": "2026-11-23T10:00:00+00:00", "subject": {} }).to_string();
    let digest = ordercast_server::auth::sha256(body.as_bytes());
    let signature = hex(SECRET, data_encoding::HEXLOWER.encode(&digest).as_bytes());
    let path = tebex["path"].as_str().expect("path");
    let answer = f
        .send(Method::POST, path, &[("x-signature", &signature)], body)
        .await;
    assert_eq!(
        (answer.status, answer.json()),
        (StatusCode::OK, json!({ "id": "val_1" }))
    );

    let key = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056";
    let adyen = source(&f, json!({ "provider": "adyen", "secret": key })).await;
    let order = f.create_order("alice").await;
    let signed = format!("A::Shop:{order}:199:USD:AUTHORISATION:true");
    let key = hmac::Key::new(
        hmac::HMAC_SHA256,
        &data_encoding::HEXUPPER.decode(key.as_bytes()).expect("hex"),
    );
    let signature = data_encoding::BASE64.encode(hmac::sign(&key, signed.as_bytes()).as_ref());
    let body = json!({ "live": "true", "notificationItems": [{ "NotificationRequestItem": {
        "additionalData": { "hmacSignature": signature }, "eventCode": "AUTHORISATION", "success": "true",
        "pspReference": "A", "merchantAccountCode": "Shop", "merchantReference": order.to_string(),
        "amount": { "value": 199, "currency": "USD" } } }] });
    let path = adyen["path"].as_str().expect("path");
    let answer = f.send(Method::POST, path, &[], body.to_string()).await;
    assert_eq!(
        (answer.status, answer.text.as_str()),
        (StatusCode::OK, "[accepted]")
    );
    assert_eq!(status(&f, order).await, "paid");

    // Several items, each signed by itself, one of them without what it must say.
    let (first, second) = (f.create_order("alice").await, f.create_order("alice").await);
    let item = |psp: &str, order: i64, amount: Option<i64>| {
        let value = amount.map_or(String::new(), |minor| minor.to_string());
        let signed = format!("{psp}::Shop:{order}:{value}:USD:AUTHORISATION:true");
        let signature = data_encoding::BASE64.encode(hmac::sign(&key, signed.as_bytes()).as_ref());
        json!({ "NotificationRequestItem": {
            "additionalData": { "hmacSignature": signature }, "eventCode": "AUTHORISATION", "success": "true",
            "pspReference": psp, "merchantAccountCode": "Shop", "merchantReference": order.to_string(),
            "amount": { "value": amount, "currency": "USD" } } })
    };
    let items = [
        item("B", first, Some(199)),
        item("C", first, None),
        item("D", second, Some(199)),
        item("B", first, Some(199)),
    ];
    let body = json!({ "live": "true", "notificationItems": items });
    let answer = f.send(Method::POST, path, &[], body.to_string()).await;
    assert_eq!(
        (answer.status, answer.text.as_str()),
        (StatusCode::OK, "[accepted]")
    );
    assert_eq!(status(&f, first).await, "paid");
    assert_eq!(status(&f, second).await, "paid");
    let inbox = f.get(&f.v1("/inbox?state=rejected"), &f.api_key).await;
    assert_eq!(inbox.json()["entries"][0]["kind"], "AUTHORISATION:true");

    // Signed, but not what it documents: kept, and not asked for again.
    let lemon = source(&f, json!({ "provider": "lemon_squeezy", "secret": SECRET })).await;
    let path = lemon["path"].as_str().expect("path");
    let answer = f
        .send(
            Method::POST,
            path,
            &[("x-signature", &hex(SECRET, b"{}"))],
            "{}",
        )
        .await;
    assert_eq!(
        (answer.status, &answer.json()["state"]),
        (StatusCode::OK, &json!("rejected"))
    );
}
