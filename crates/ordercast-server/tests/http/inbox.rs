//! What comes in and finds no order, or cannot be read: kept, seen, and put right by people.

use super::{
    providers::{SECRET, created, hex, source, start, status, stripe},
    support::{Answer, Fixture, unix_now},
};
use axum::{Json, Router, extract::Path, http::HeaderMap, routing::get};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

const DAY: u64 = 24 * 3600;

/// One whose payment is named, at so many seconds before now.
fn paid(event: &str, payment: &str, order: Value, before: u64) -> Value {
    json!({ "id": event, "type": "payment_intent.succeeded", "created": unix_now() - before,
        "data": { "object": { "object": "payment_intent", "id": payment, "amount_received": 199,
            "currency": "usd", "metadata": { "order_id": order } } } })
}

fn refund(event: &str, payment: &str) -> Value {
    json!({ "id": event, "type": "refund.created", "created": created(1), "data": { "object": {
        "object": "refund", "id": format!("re_{event}"), "payment_intent": payment, "amount": 199,
        "currency": "usd", "status": "succeeded" } } })
}

async fn stripe_source(f: &Fixture) -> Value {
    source(f, json!({ "provider": "stripe", "secret": SECRET })).await
}

/// Sends what must be taken, and gives what became of it.
async fn told(f: &Fixture, source: &Value, body: &Value) -> Value {
    let (code, answer) = stripe(f, source, SECRET, body).await;
    assert_eq!(code, StatusCode::OK, "{answer}");
    answer
}

/// As it stands there, which need not be JSON.
async fn send_raw(f: &Fixture, source: &Value, body: &[u8]) -> Answer {
    let now = unix_now();
    let content = [format!("{now}.").as_bytes(), body].concat();
    let header = format!("t={now},v1={}", hex(SECRET, &content));
    let path = source["path"].as_str().expect("path");
    let headers = [("stripe-signature", header.as_str())];
    f.send(Method::POST, path, &headers, body.to_vec()).await
}

async fn make_order(f: &Fixture, id: i64) {
    let body = json!({ "order_id": id, "user_external_id": "alice",
        "price": { "amount": "1.99", "currency": "USD" } });
    let made = f.post(&f.v1("/orders"), &f.api_key, &body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
}

async fn entries(f: &Fixture, query: &str) -> Vec<Value> {
    let found = f.get(&f.v1(&format!("/inbox?{query}")), &f.api_key).await;
    assert_eq!(found.status, StatusCode::OK, "{}", found.text);
    found.json()["entries"].as_array().expect("a list").clone()
}

async fn hand(f: &Fixture, entry: &Value, action: &str, body: Value) -> Answer {
    let path = f.v1(&format!("/inbox/{}/{action}", entry["id"]));
    f.post(&path, &f.api_key, &body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_of_days_before_does_not_pay_who_gets_its_number() {
    let f = start().await;
    let source = stripe_source(&f).await;
    told(
        &f,
        &source,
        &paid("evt_1", "pi_old", json!("7001"), 3 * DAY),
    )
    .await;
    make_order(&f, 7001).await;
    assert_eq!(status(&f, 7001).await, "new");
    // One that comes when the order is there, and what comes of that payment later, by its id or the order's.
    let late = told(
        &f,
        &source,
        &paid("evt_2", "pi_older", json!(7001), 4 * DAY),
    )
    .await;
    assert_eq!(late["state"], "parked", "{late}");
    told(&f, &source, &refund("evt_3", "pi_old")).await;
    let mut named = paid("evt_4", "pi_old", json!(7001), 0);
    named["type"] = json!("payment_intent.succeeded");
    let again = told(&f, &source, &named).await;
    assert_eq!(again["state"], "parked", "{again}");
    assert_eq!(status(&f, 7001).await, "new");
    let held = entries(&f, "attention=true").await;
    assert!(
        held.iter()
            .all(|entry| entry["attention"] == "before_order"),
        "{held:?}"
    );
    assert_eq!(held.len(), 3);
    // Minutes are a matter of clocks, and of shops that pay first.
    told(&f, &source, &paid("evt_5", "pi_new", json!(7001), 120)).await;
    assert_eq!(status(&f, 7001).await, "paid");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_payment_id_of_two_sources_is_two_payments() {
    let f = start().await;
    let (one, other) = (stripe_source(&f).await, stripe_source(&f).await);
    let (first, second) = (f.create_order("alice").await, f.create_order("bob").await);
    told(&f, &one, &paid("evt_1", "pi_1", json!(first), 0)).await;
    told(&f, &other, &paid("evt_1", "pi_1", json!(second), 0)).await;
    told(&f, &other, &refund("evt_2", "pi_1")).await;
    assert_eq!(status(&f, first).await, "paid");
    assert_eq!(status(&f, second).await, "canceled");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_names_no_order_of_ours_says_what_it_named_and_can_be_dismissed() {
    let f = start().await;
    let source = stripe_source(&f).await;
    let long = "x".repeat(150);
    for (event, order, payment) in [
        ("evt_1", json!("ORDER-2026-17"), "pi_1"),
        ("evt_2", json!(long), "pi_2"),
    ] {
        let answer = told(&f, &source, &paid(event, payment, order, 0)).await;
        assert_eq!(answer["state"], "parked", "{answer}");
    }
    let parked = entries(&f, "state=parked").await;
    assert_eq!(parked[1]["named"], "ORDER-2026-17");
    let reason = parked[1]["reason"].as_str().expect("reason");
    assert_eq!(
        reason,
        "it named \"ORDER-2026-17\", which is no order of this project"
    );
    let why = json!({ "reason": "a payment of our other shop" });
    let done = hand(&f, &parked[1], "dismiss", why.clone()).await;
    assert_eq!(done.json()["state"], "dismissed", "{}", done.text);
    let again = hand(&f, &parked[1], "dismiss", why).await;
    assert_eq!(
        (again.status, again.code()),
        (StatusCode::CONFLICT, "not_open".to_owned())
    );
    let dismissed = entries(&f, "state=dismissed").await;
    let by = dismissed[0]["handled_by"].as_str().expect("who");
    assert!(by.starts_with("api_key:"), "{by}");
    assert_eq!(entries(&f, "state=parked").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_matches_a_payment_with_its_order() {
    let f = start().await;
    let source = stripe_source(&f).await;
    let order = f.create_order("alice").await;
    told(&f, &source, &paid("evt_1", "pi_1", json!("A-17"), 5 * DAY)).await;
    let parked = entries(&f, "state=parked").await.remove(0);
    let nowhere = hand(&f, &parked, "match", json!({ "order_id": 99 })).await;
    assert_eq!(nowhere.status, StatusCode::UNPROCESSABLE_ENTITY);
    let matched = hand(&f, &parked, "match", json!({ "order_id": order })).await;
    assert_eq!(matched.json()["state"], "applied", "{}", matched.text);
    assert_eq!(status(&f, order).await, "paid");
    let versions = f
        .get(&f.v1(&format!("/orders/{order}/versions")), &f.api_key)
        .await;
    let newest = versions.json()["versions"]
        .as_array()
        .and_then(|all| all.last().cloned());
    let by = newest.expect("a version")["actor"].to_string();
    assert!(by.contains("api_key:"), "{by}");
    let other = f.create_order("bob").await;
    let twice = hand(&f, &parked, "match", json!({ "order_id": other })).await;
    assert_eq!(twice.status, StatusCode::CONFLICT, "{}", twice.text);
    // What comes of the payment later follows.
    told(&f, &source, &refund("evt_2", "pi_1")).await;
    assert_eq!(status(&f, order).await, "canceled");
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_of_any_length_are_kept() {
    let f = start().await;
    let source = stripe_source(&f).await;
    let order = f.create_order("alice").await;
    let long = format!("pi_{}", "0".repeat(300));
    told(
        &f,
        &source,
        &paid(&format!("evt_{long}"), &long, json!(order), 0),
    )
    .await;
    assert_eq!(status(&f, order).await, "paid");
    // Two that begin alike are two; one is itself.
    told(&f, &source, &refund("evt_2", &format!("{long}1"))).await;
    assert_eq!(status(&f, order).await, "paid");
    told(&f, &source, &refund("evt_3", &long)).await;
    assert_eq!(status(&f, order).await, "canceled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_body_that_is_not_quite_json_is_read() {
    let f = start().await;
    let source = stripe_source(&f).await;
    for (number, (before, after)) in [
        ("\u{feff}{", "}"),
        (r#"{"name":"Zo\ud83d","#, "}"),
        (r#"{"rate":1e400,"#, "}"),
        ("{\"name\":\"a\tb\",", "}\0"),
    ]
    .into_iter()
    .enumerate()
    {
        let order = f.create_order("alice").await;
        let body = paid(
            &format!("evt_{number}"),
            &format!("pi_{number}"),
            json!(order),
            0,
        );
        let inner = body.to_string();
        let text = format!("{before}{}{after}", &inner[1..inner.len() - 1]);
        let answer = send_raw(&f, &source, text.as_bytes()).await;
        assert_eq!(answer.json()["state"], "applied", "{text}: {}", answer.text);
        assert_eq!(status(&f, order).await, "paid");
    }
    let order = f.create_order("alice").await;
    let mut body = paid("evt_9", "pi_9", json!(order), 0)
        .to_string()
        .into_bytes();
    body.splice(1..1, *b"\"name\":\"caf\xe9\",");
    assert_eq!(
        send_raw(&f, &source, &body).await.json()["state"],
        "applied"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_body_that_cannot_be_read_is_kept_and_seen() {
    let f = start().await;
    let source = stripe_source(&f).await;
    let answer = send_raw(&f, &source, b"{\"id\":\"evt_1\",\"type\":").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json()["state"], "rejected");
    let flagged = entries(&f, "attention=true").await;
    assert_eq!(flagged[0]["attention"], "unreadable");
    let news = f.get(&f.v1("/operator-events"), &f.api_key).await.json();
    assert_eq!(news["events"][0]["type"], "inbox.unreadable", "{news}");
    let why = json!({ "reason": "looked at" });
    hand(&f, &flagged[0], "dismiss", why).await;
    assert!(entries(&f, "attention=true").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_that_can_never_verify_are_refused() {
    let f = start().await;
    let standard = |secret: &str| json!({ "provider": "standard", "secret": secret, "fields": { "attempt_id": "/id" } });
    for refused in [
        json!({ "provider": "stripe" }),
        json!({ "provider": "paddle" }),
        json!({ "provider": "adyen", "secret": "not hexadecimal" }),
        json!({ "provider": "adyen", "secret": "ABCDEF0123" }),
        standard("whsec_c2hvcnQ="),
        standard("short-secret"),
    ] {
        let answer = f.post(&f.v1("/sources"), &f.api_key, &refused).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{refused}");
        assert_eq!(answer.json()["field"], "secret", "{}", answer.text);
    }
    // 17 bytes, written without padding.
    let made = source(&f, standard("whsec_MDEyMzQ1Njc4OWFiY2RlZmc")).await;
    assert_eq!(made["secret"], "whsec_MDEyMzQ1Njc4OWFiY2RlZmc=");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_svix_and_texts_as_keys_are_taken_by_a_standard_source() {
    let f = start().await;
    let secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZmc";
    let made = source(
        &f,
        json!({ "provider": "standard", "secret": secret, "mapping": { "paid": "paid" }, "fields": {
            "order_id": "/order", "attempt_id": "/id", "amount": "/amount", "currency": "/currency" } }),
    )
    .await;
    let path = made["path"].as_str().expect("path");
    let keys = [
        b"0123456789abcdefg".to_vec(),
        secret.as_bytes().to_vec(),
        secret.trim_start_matches("whsec_").as_bytes().to_vec(),
    ];
    for (number, key) in keys.iter().enumerate() {
        let order = f.create_order("alice").await;
        let body =
            json!({ "type": "paid", "order": order, "id": format!("p{number}"), "amount": 199,
            "currency": "USD" })
            .to_string();
        let (id, now) = (format!("msg_{number}"), unix_now().to_string());
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, key);
        let content = format!("{id}.{now}.{body}");
        let tag = aws_lc_rs::hmac::sign(&key, content.as_bytes());
        let signature = format!("v1,{}", data_encoding::BASE64.encode(tag.as_ref()));
        let headers = [
            ("svix-id", id.as_str()),
            ("svix-timestamp", &now),
            ("svix-signature", &signature),
        ];
        let answer = f.send(Method::POST, path, &headers, body).await;
        assert_eq!(answer.status, StatusCode::OK, "{number} {}", answer.text);
        assert_eq!(status(&f, order).await, "paid");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_webhook_is_counted_by_its_reason() {
    let f = start().await;
    let source = stripe_source(&f).await;
    let body = paid("evt_1", "pi_1", json!(1), 0);
    stripe(&f, &source, "another-secret", &body).await;
    stripe(&f, &json!({ "path": "/v1/inbox/nobody" }), SECRET, &body).await;
    let path = source["path"].as_str().expect("path");
    f.send(Method::POST, path, &[], body.to_string()).await;
    let stale = format!("t=1,v1={}", hex(SECRET, format!("1.{body}").as_bytes()));
    let headers = [("stripe-signature", stale.as_str())];
    f.send(Method::POST, path, &headers, body.to_string()).await;
    f.send(Method::POST, path, &headers, "x".repeat(300_000))
        .await;
    let metrics = f.internal("/metrics").await.text;
    for reason in ["signature", "source", "header", "stale", "too_large"] {
        let line = format!("ordercast_inbox_refused_total{{reason=\"{reason}\"}}");
        assert!(metrics.contains(&line), "{reason}");
    }
}

/// Mollie's classic webhooks name an object only; what happened is what its API says.
#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_an_event_only_names_is_asked_for_with_the_sources_key() {
    let f = start().await;
    let order = f.create_order("alice").await;
    let answer = async move |headers: HeaderMap, Path(id): Path<String>| {
        assert_eq!(headers["authorization"], "Bearer live_key_of_the_tests");
        Json(
            json!({ "resource": "payment", "id": id, "status": "paid", "createdAt": "2099-01-01T00:00:00+00:00",
            "amount": { "value": "1.99", "currency": "USD" }, "metadata": { "order_id": order } }),
        )
    };
    let router = Router::new().route("/v2/payments/{id}", get(answer));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("address"));
    tokio::spawn(async { axum::serve(listener, router).await });
    let made = source(
        &f,
        json!({ "provider": "mollie", "api_key": "live_key_of_the_tests", "api_url": base }),
    )
    .await;
    let path = made["path"].as_str().expect("path");
    for (body, code) in [
        ("id=tr_7", 200),
        ("id=../../secrets", 200),
        ("nothing", 200),
    ] {
        let answer = f.send(Method::POST, path, &[], body).await;
        assert_eq!(answer.status.as_u16(), code, "{body}: {}", answer.text);
    }
    assert_eq!(status(&f, order).await, "paid");
    assert_eq!(entries(&f, "limit=10").await.len(), 1);
}
