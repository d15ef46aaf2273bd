//! Outgoing webhooks, from an order's change to the shop's backend and back.

use super::{
    receiver::Receiver,
    support::{Fixture, JWT_SECRET, start_with, user_jwt},
};
use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use ordercast_server::config::Partial;
use reqwest::StatusCode;
use serde_json::{Value, json};
use sha1::{Digest, Sha1};

/// As long as anything may take on a busy machine.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

/// Receivers of the tests are on this machine.
pub fn loopback(flags: &mut Partial) {
    flags.webhook_http = Some(true);
    flags.webhook_any_port = Some(true);
    flags.webhook_networks = Some(vec!["127.0.0.0/8".parse().expect("network")]);
}

pub async fn start() -> Fixture {
    start_with(
        json!({ "name": "Test", "hs256_secret": JWT_SECRET, "items": [] }),
        loopback,
    )
    .await
}

pub async fn endpoint(f: &Fixture, receiver: &Receiver, more: Value) -> Value {
    let mut body = json!({ "url": receiver.url });
    let members = more.as_object().expect("members").clone();
    body.as_object_mut().expect("members").extend(members);
    let made = f.post(&f.v1("/endpoints"), &f.api_key, &body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    made.json()
}

pub async fn transition(f: &Fixture, order: i64, to: &str) {
    let path = f.v1(&format!("/orders/{order}/transitions"));
    let body = json!({ "to": to });
    let done = f.post(&path, &f.api_key, &body).await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.text);
}

async fn deliveries(f: &Fixture, endpoint: &Value, query: &str) -> Vec<Value> {
    let path = f.v1(&format!("/endpoints/{}/deliveries{query}", endpoint["id"]));
    let listed = f.get(&path, &f.api_key).await.json();
    listed["deliveries"].as_array().expect("list").clone()
}

/// Until the last delivery of a kind has this state: its end is written after it was answered.
pub async fn wait_for(f: &Fixture, endpoint: &Value, state: &str, count: usize) {
    let query = format!("?state={state}");
    let reached = async {
        while deliveries(f, endpoint, &query).await.len() < count {
            tokio::task::yield_now().await;
        }
    };
    if tokio::time::timeout(PATIENCE, reached).await.is_err() {
        panic!(
            "no {count} {state}: {:?}",
            deliveries(f, endpoint, "").await
        );
    }
}

fn verifies(secret: &str, received: &super::receiver::Received) -> bool {
    let key = BASE64.decode(&secret["whsec_".len()..]).expect("base64");
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let content = [
        received.header("webhook-id").as_bytes(),
        b".",
        received.header("webhook-timestamp").as_bytes(),
        b".",
        &received.body,
    ]
    .concat();
    received
        .header("webhook-signature")
        .split(' ')
        .filter_map(|signature| BASE64.decode(signature.strip_prefix("v1,")?).ok())
        .any(|signature| hmac::verify(&key, &content, &signature).is_ok())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_of_an_order_comes_once_in_order_and_signed() {
    let f = start().await;
    let mut receiver = Receiver::start().await;
    let made = endpoint(&f, &receiver, json!({})).await;
    let secret = made["secret"].as_str().expect("secret").to_owned();
    let order = f.create_order("alice").await;
    for (kind, status, previous) in [
        ("order.created", "new", Value::Null),
        ("order.paid", "paid", "new".into()),
        // By our answer: the shop has taken it.
        ("order.done", "done", "paid".into()),
    ] {
        if kind == "order.paid" {
            transition(&f, order, "paid").await;
        }
        let received = receiver.accept().await;
        let body = received.json();
        assert_eq!(received.kind(), kind);
        assert_eq!(body["data"]["order_id"], order);
        assert_eq!(body["data"]["status"], status);
        assert_eq!(body["data"]["previous_status"], previous);
        assert_eq!(body["data"]["user_external_id"], "alice");
        assert_eq!(received.header("content-type"), "application/json");
        assert!(verifies(&secret, &received));
    }
    let versions = f
        .get(&f.v1(&format!("/orders/{order}/versions")), &f.api_key)
        .await;
    assert!(
        versions.text.contains("rule:complete_on_ack"),
        "{}",
        versions.text
    );
    wait_for(&f, &made, "delivered", 3).await;
    assert!(receiver.is_quiet());
    let feed = f
        .get(&f.v1("/events?unacknowledged=true"), &f.api_key)
        .await;
    assert_eq!(feed.json()["events"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_hears_of_the_payment_first_and_signs_as_it_does() {
    let f = start().await;
    let mut receiver = Receiver::start().await;
    let secret = "a-secret-of-the-shop";
    let settings = json!({ "mode": "reference_separate", "secret": secret });
    let made = endpoint(&f, &receiver, settings).await;
    let order = f.create_order("alice").await;
    transition(&f, order, "paid").await;
    let mut payment = receiver.next().await;
    assert_eq!(payment.kind(), "payment");
    // Not before the payment is answered.
    assert!(receiver.is_quiet());
    payment.reply(StatusCode::OK);
    let order_paid = receiver.accept().await;
    assert_eq!(order_paid.kind(), "order_paid");
    let digest = Sha1::new()
        .chain_update(&order_paid.body)
        .chain_update(secret)
        .finalize();
    let signature = format!("Signature {}", data_encoding::HEXLOWER.encode(&digest));
    assert_eq!(order_paid.header("authorization"), signature);
    assert_ne!(
        payment.header("webhook-id"),
        order_paid.header("webhook-id")
    );
    let (payment, order_paid) = (payment.json(), order_paid.json());
    assert_eq!(
        payment["transaction"]["id"].to_string(),
        order_paid["order"]["invoice_id"].as_str().expect("text")
    );
    assert_eq!(order_paid["order"]["amount"], "1.9900");
    assert_eq!(payment["purchase"]["total"]["amount"], 1.99);
    assert!(order_paid.get("billing").is_none());
    wait_for(&f, &made, "delivered", 2).await;
    transition(&f, order, "canceled").await;
    assert_eq!(receiver.accept().await.kind(), "refund");
    assert_eq!(receiver.accept().await.kind(), "order_canceled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_payment_keeps_its_order_paid_back() {
    let f = start().await;
    let mut receiver = Receiver::start().await;
    let made = endpoint(&f, &receiver, json!({ "mode": "reference_separate" })).await;
    let order = f.create_order("alice").await;
    transition(&f, order, "paid").await;
    receiver.next().await.reply(StatusCode::BAD_REQUEST);
    wait_for(&f, &made, "dead", 2).await;
    let dead = deliveries(&f, &made, "?state=dead").await;
    assert_eq!(dead[0]["reason"], "payment was not accepted");
    assert_eq!(dead[1]["reason"], "refused: HTTP 400");
    // Recovered both: the payment comes first again.
    let again = f.v1(&format!("/endpoints/{}/recover", made["id"]));
    let since = json!({ "since": "2020-01-01T00:00:00Z" });
    let count = f.post(&again, &f.api_key, &since).await.json();
    assert_eq!(count["deliveries"], 2);
    assert_eq!(receiver.accept().await.kind(), "payment");
    assert_eq!(receiver.accept().await.kind(), "order_paid");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_order_blocks_only_itself_and_is_tried_again_with_the_same_id() {
    let f = start().await;
    let mut receiver = Receiver::start().await;
    let settings =
        json!({ "schedule": [1, 1], "event_types": ["order.created", "order.canceled"] });
    let made = endpoint(&f, &receiver, settings).await;
    let first = f.create_order("alice").await;
    let mut failed = receiver.next().await;
    transition(&f, first, "canceled").await;
    failed.reply(StatusCode::INTERNAL_SERVER_ERROR);
    let second = f.create_order("bob").await;
    let other = receiver.accept().await;
    assert_eq!(other.json()["data"]["order_id"], second);
    let again = receiver.accept().await;
    assert_eq!(again.header("webhook-id"), failed.header("webhook-id"));
    assert_eq!(again.body, failed.body);
    let canceled = receiver.accept().await;
    assert_eq!(canceled.kind(), "order.canceled");
    assert_eq!(canceled.json()["data"]["order_id"], first);
    wait_for(&f, &made, "delivered", 3).await;
    let tried = deliveries(&f, &made, "").await;
    let tried = tried
        .iter()
        .find(|d| d["attempts"] == 2)
        .expect("one was tried twice");
    let details = f
        .get(&f.v1(&format!("/deliveries/{}", tried["id"])), &f.api_key)
        .await
        .json();
    let attempts = details["attempts_made"].as_array().expect("attempts");
    assert_eq!(
        (&attempts[0]["status"], &attempts[1]["status"]),
        (&json!(204), &json!(500))
    );
    assert_eq!(
        details["body"].as_str().expect("body").as_bytes(),
        &again.body[..]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_attempt_ends_in_a_dead_letter_and_the_next_event_goes_on() {
    let f = start().await;
    let mut receiver = Receiver::start().await;
    let made = endpoint(&f, &receiver, json!({ "schedule": [] })).await;
    let order = f.create_order("alice").await;
    receiver
        .next()
        .await
        .reply((StatusCode::BAD_GATEWAY, "upstream is down"));
    transition(&f, order, "canceled").await;
    assert_eq!(receiver.accept().await.kind(), "order.canceled");
    let dead = deliveries(&f, &made, "?state=dead").await;
    assert_eq!(dead[0]["reason"], "the last of 1 attempts: HTTP 502");
    let told = f.get(&f.v1("/operator-events"), &f.api_key).await.json();
    assert_eq!(told["events"][0]["type"], "delivery.dead");
    assert_eq!(told["events"][0]["delivery_id"], dead[0]["id"]);
    let before = format!("/operator-events?before={}", told["events"][0]["id"]);
    let older = f.get(&f.v1(&before), &f.api_key).await.json();
    assert_eq!(older["events"], json!([]));
    let resend = f.v1(&format!("/deliveries/{}/resend", dead[0]["id"]));
    assert_eq!(
        f.post(&resend, &f.api_key, &json!({})).await.status,
        StatusCode::ACCEPTED
    );
    assert_eq!(receiver.accept().await.kind(), "order.created");
}

#[tokio::test(flavor = "multi_thread")]
async fn gone_disables_and_what_was_missed_is_replayed() {
    let f = start().await;
    let mut receiver = Receiver::start().await;
    let made = endpoint(&f, &receiver, json!({})).await;
    f.create_order("alice").await;
    receiver.next().await.reply(StatusCode::GONE);
    wait_for(&f, &made, "dead", 1).await;
    let path = f.v1(&format!("/endpoints/{}", made["id"]));
    let now = f.get(&path, &f.api_key).await.json();
    assert_eq!(now["enabled"], false);
    assert_eq!(now["disabled_reason"], "it answered 410 Gone");
    // While it is disabled, nothing is queued.
    let missed = f.create_order("bob").await;
    assert_eq!(deliveries(&f, &made, "").await.len(), 1);
    let bearer = format!("Bearer {}", f.api_key);
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
    ];
    let body = json!({ "enabled": true }).to_string();
    let enabled = f.send(reqwest::Method::PATCH, &path, &headers, body).await;
    assert_eq!(enabled.json()["enabled"], true);
    let replay = f.v1(&format!("/endpoints/{}/replay", made["id"]));
    let since = |dry_run: bool| json!({ "since": "2020-01-01T00:00:00Z", "dry_run": dry_run });
    let dry = f.post(&replay, &f.api_key, &since(true)).await.json();
    assert_eq!(dry, json!({ "deliveries": 1, "dry_run": true }));
    assert!(receiver.is_quiet());
    let queued = f.post(&replay, &f.api_key, &since(false)).await.json();
    assert_eq!(queued["deliveries"], 1);
    let received = receiver.accept().await;
    assert_eq!(received.json()["data"]["order_id"], missed);
    wait_for(&f, &made, "delivered", 1).await;
    let again = f.post(&replay, &f.api_key, &since(false)).await.json();
    assert_eq!(again["deliveries"], 0);
}

/// Else it would be sent again.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_forgotten_is_not_replayed() {
    let keeps_a_day = |flags: &mut Partial| {
        loopback(flags);
        flags.delivery_days = Some(1);
    };
    let f = start_with(json!({ "name": "Test", "items": [] }), keeps_a_day).await;
    let receiver = Receiver::start().await;
    let made = endpoint(&f, &receiver, json!({})).await;
    let replay = f.v1(&format!("/endpoints/{}/replay", made["id"]));
    for dry_run in [true, false] {
        let since = |hours: i64| {
            let since = time::OffsetDateTime::now_utc() - time::Duration::hours(hours);
            let since = since.format(&time::format_description::well_known::Rfc3339);
            json!({ "since": since.expect("a time"), "dry_run": dry_run })
        };
        let refused = f.post(&replay, &f.api_key, &since(25)).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(refused.json()["field"], "since");
        let taken = f.post(&replay, &f.api_key, &since(23)).await;
        assert_eq!(taken.status, StatusCode::OK, "{}", taken.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_shop_takes_by_itself_is_not_sent() {
    let f = start().await;
    let mut receiver = Receiver::start().await;
    let made = endpoint(&f, &receiver, json!({})).await;
    let order = f.create_order("alice").await;
    let mut held = receiver.next().await;
    transition(&f, order, "paid").await;
    let feed = f
        .get(&f.v1("/events?unacknowledged=true"), &f.api_key)
        .await
        .json();
    let ids: Vec<_> = feed["events"]
        .as_array()
        .expect("events")
        .iter()
        .map(|e| e["id"].clone())
        .collect();
    assert_eq!(ids.len(), 2);
    let path = f.v1("/events/acknowledge");
    let taken = f
        .post(&path, &f.api_key, &json!({ "event_ids": ids }))
        .await;
    assert_eq!(taken.json()["acknowledged"], 2);
    wait_for(&f, &made, "settled", 2).await;
    held.reply(StatusCode::INTERNAL_SERVER_ERROR);
    // The order became done by it, and only that is sent.
    assert_eq!(receiver.accept().await.kind(), "order.done");
    let again = f
        .post(&path, &f.api_key, &json!({ "event_ids": ids }))
        .await;
    assert_eq!(again.json()["acknowledged"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_survives_the_end_of_the_server() {
    let mut f = start().await;
    let mut receiver = Receiver::start().await;
    let made = endpoint(&f, &receiver, json!({})).await;
    let order = f.create_order("alice").await;
    transition(&f, order, "canceled").await;
    let lost = receiver.next().await;
    f.stop().await;
    f.start_again_with(loopback).await;
    let again = receiver.accept().await;
    assert_eq!(again.header("webhook-id"), lost.header("webhook-id"));
    assert_eq!(again.body, lost.body);
    assert_eq!(receiver.accept().await.kind(), "order.canceled");
    wait_for(&f, &made, "delivered", 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_live_secrets_sign() {
    let f = start().await;
    let mut receiver = Receiver::start().await;
    let made = endpoint(&f, &receiver, json!({})).await;
    let path = f.v1(&format!("/endpoints/{}/secrets", made["id"]));
    let rotated = f.post(&path, &f.api_key, &json!({})).await;
    assert_eq!(rotated.status, StatusCode::CREATED);
    let (old, new) = (made["secret"].clone(), rotated.json()["secret"].clone());
    let (old, new) = (old.as_str().expect("text"), new.as_str().expect("text"));
    f.create_order("alice").await;
    let received = receiver.accept().await;
    assert!(verifies(old, &received) && verifies(new, &received));
    let asked = json!({ "overlap_seconds": 0, "asymmetric": true });
    let rotated = f.post(&path, &f.api_key, &asked).await.json();
    assert_eq!(rotated["secrets"].as_array().expect("list").len(), 1);
    assert!(
        rotated["secrets"][0]["public_key"]
            .as_str()
            .expect("key")
            .starts_with("whpk_")
    );
    f.create_order("alice").await;
    let received = receiver.accept().await;
    assert!(!verifies(old, &received) && !verifies(new, &received));
    assert!(received.header("webhook-signature").starts_with("v1a,"));
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_that_cannot_be() {
    let f = start_with(json!({ "name": "Test", "items": [] }), |_| {}).await;
    let path = f.v1("/endpoints");
    for (body, field) in [
        (json!({ "url": "http://shop.example/" }), "url"),
        (json!({ "url": "https://127.0.0.1/" }), "url"),
        (json!({ "url": "https://0x7f.1/" }), "url"),
        (json!({ "url": "https://shop.example:22/" }), "url"),
        (
            json!({ "url": "https://shop.example/", "event_types": ["order_paid"] }),
            "event_types",
        ),
        (
            json!({ "url": "https://shop.example/", "schedule": [0] }),
            "schedule",
        ),
        (json!({ "url": "https://shop.example/", "rate": 0 }), "rate"),
        (
            json!({ "url": "https://shop.example/", "concurrency": 101 }),
            "concurrency",
        ),
        (
            json!({ "url": "https://shop.example/", "secret": "plain-secret" }),
            "secret",
        ),
    ] {
        let answer = f.post(&path, &f.api_key, &body).await;
        assert_eq!(
            answer.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{body}: {}",
            answer.text
        );
        assert_eq!(answer.json()["field"], field, "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_buyers_client_pulls_what_it_was_sold() {
    let f = start().await;
    let mut receiver = Receiver::start().await;
    let order = f.create_order("alice").await;
    f.create_order("alice").await;
    transition(&f, order, "paid").await;
    let path = |rest: &str| format!("/events{rest}?project_id={}", f.project);
    let jwt = user_jwt("alice");
    let listed = f.get(&path(""), &jwt).await;
    let events = listed.json()["events"].clone();
    assert_eq!(events.as_array().expect("events").len(), 1, "{events}");
    assert_eq!(events[0]["data"]["notification_type"], "order_paid");
    assert_eq!(events[0]["data"]["order"]["id"], order);
    let id = events[0]["id"].clone();
    let bob = user_jwt("bob");
    assert_eq!(f.get(&path(""), &bob).await.json()["events"], json!([]));
    let processed = path(&format!("/{id}/processed"));
    assert_eq!(
        f.post(&processed, &bob, &json!({})).await.status,
        StatusCode::NOT_FOUND
    );
    // The shop's backend hears of it all the same.
    endpoint(&f, &receiver, json!({ "mode": "reference_combined" })).await;
    assert_eq!(
        f.post(&processed, &jwt, &json!({})).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(f.get(&path(""), &jwt).await.json()["events"], json!([]));
    transition(&f, order, "canceled").await;
    let event = f.get(&path(""), &jwt).await.json()["events"][0].clone();
    let mut held = receiver.next().await;
    assert_eq!(held.kind(), "order_canceled");
    let processed = path(&format!("/{}/processed", event["id"]));
    assert_eq!(
        f.post(&processed, &jwt, &json!({})).await.status,
        StatusCode::NO_CONTENT
    );
    held.reply(StatusCode::NO_CONTENT);
}

/// Else a client that asks for one type would never see it behind a hundred of another.
#[tokio::test(flavor = "multi_thread")]
async fn events_of_other_types_and_abandoned_orders_do_not_fill_a_clients_page() {
    let f = start().await;
    let jwt = user_jwt("alice");
    let first = f.create_order("alice").await;
    transition(&f, first, "paid").await;
    for _ in 0..100 {
        f.create_order("alice").await;
    }
    let count = async |types: &str| {
        let path = format!("/events?project_id={}{types}", f.project);
        let events = f.get(&path, &jwt).await.json()["events"].clone();
        events.as_array().map(Vec::len)
    };
    assert_eq!(count("").await, Some(1), "behind abandoned orders");
    for _ in 0..99 {
        let order = f.create_order("alice").await;
        transition(&f, order, "paid").await;
    }
    transition(&f, first, "canceled").await;
    assert_eq!(count("&types[]=order_paid").await, Some(100));
    assert_eq!(count("&types[]=order_canceled").await, Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn shops_of_the_reference_set_their_one_endpoint() {
    let f = start().await;
    let mut receiver = Receiver::start().await;
    let path = format!("/api/v2/project/{}/admin/webhook", f.project);
    let missing = f.get(&path, &f.api_key).await;
    assert_eq!(
        (missing.status, missing.code().as_str()),
        (StatusCode::NOT_FOUND, "2503")
    );
    let empty = f.put(&path, &f.api_key, &json!({ "url": "" })).await;
    assert_eq!(empty.status, StatusCode::UNPROCESSABLE_ENTITY);
    let wanted =
        json!({ "url": receiver.url, "secret": "a-secret", "is_enabled": true, "version": 2 });
    assert_eq!(
        f.put(&path, &f.api_key, &wanted).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(f.get(&path, &f.api_key).await.json(), wanted);
    let order = f.create_order("alice").await;
    transition(&f, order, "paid").await;
    let received = receiver.accept().await;
    assert_eq!(received.kind(), "order_paid");
    assert_eq!(received.json()["items"][0]["is_bonus"], false);
    assert_eq!(
        received.json()["billing"]["settings"]["project_id"],
        f.project
    );
    let disabled = json!({ "url": receiver.url, "is_enabled": false });
    assert_eq!(
        f.put(&path, &f.api_key, &disabled).await.status,
        StatusCode::NO_CONTENT
    );
    let now = f.get(&path, &f.api_key).await.json();
    assert_eq!(
        (&now["is_enabled"], &now["secret"]),
        (&json!(false), &json!("a-secret"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_event_shows_how_the_endpoint_answers() {
    let f = start().await;
    let mut receiver = Receiver::start().await;
    let made = endpoint(&f, &receiver, json!({})).await;
    let path = f.v1(&format!("/endpoints/{}/test", made["id"]));
    let body = json!({});
    let (answer, received) = tokio::join!(f.post(&path, &f.api_key, &body), async {
        let mut received = receiver.next().await;
        received.reply((StatusCode::IM_A_TEAPOT, "short and stout"));
        received
    });
    assert_eq!(received.kind(), "endpoint.test");
    assert!(verifies(
        made["secret"].as_str().expect("secret"),
        &received
    ));
    let answer = answer.json();
    assert_eq!(
        (&answer["accepted"], &answer["status"]),
        (&json!(false), &json!(418))
    );
    assert_eq!(answer["response"], "short and stout");
}
