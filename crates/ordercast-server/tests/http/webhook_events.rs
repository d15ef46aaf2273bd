//! What a shop is told, and what counts as taken by it.

use super::{
    receiver::Receiver,
    support::{Answer, Fixture, user_jwt},
    webhooks::{endpoint, start, transition, wait_for},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeSet;

async fn patch(f: &Fixture, key: &str, endpoint: &Value, body: Value) -> Answer {
    let path = f.v1(&format!("/endpoints/{}", endpoint["id"]));
    let bearer = format!("Bearer {key}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
    ];
    f.send(Method::PATCH, &path, &headers, body.to_string())
        .await
}

async fn status_of(f: &Fixture, order: i64) -> Value {
    let read = f.get(&f.v1(&format!("/orders/{order}")), &f.api_key).await;
    read.json()["status"].clone()
}

/// Types of the feed's events, and whether the shop has taken each.
async fn feed(f: &Fixture, query: &str) -> Vec<(String, Value)> {
    let read = f
        .get(&f.v1(&format!("/events{query}")), &f.api_key)
        .await
        .json();
    let events = read["events"].as_array().expect("list").iter();
    events
        .map(|event| {
            let kind = event["type"].as_str().expect("text").to_owned();
            (kind, event["id"].clone())
        })
        .collect()
}

async fn delivered(f: &Fixture, endpoint: &Value, count: usize) {
    wait_for(f, endpoint, "delivered", count).await;
}

/// A chat that is told of sales beside the shop's own backend.
#[tokio::test(flavor = "multi_thread")]
async fn a_notifier_beside_the_fulfilment_completes_nothing() {
    let f = start().await;
    let (mut shop, mut chat) = (Receiver::start().await, Receiver::start().await);
    let only_paid = json!({ "event_types": ["order.paid"], "schedule": [1, 1] });
    let fulfilment = endpoint(&f, &shop, only_paid.clone()).await;
    let notifier = endpoint(&f, &chat, only_paid).await;
    assert_eq!(
        (&fulfilment["completes"], &notifier["completes"]),
        (&json!(true), &json!(false)),
        "the first one that is told of sales"
    );
    let order = f.create_order("alice").await;
    transition(&f, order, "paid").await;
    let mut held = shop.next().await;
    chat.accept().await;
    delivered(&f, &notifier, 1).await;
    assert_eq!(status_of(&f, order).await, "paid");
    let open = feed(&f, "?unacknowledged=true").await;
    assert!(
        open.iter().any(|(kind, _)| kind == "order.paid"),
        "{open:?}"
    );
    held.reply(StatusCode::INTERNAL_SERVER_ERROR);
    shop.accept().await;
    delivered(&f, &fulfilment, 1).await;
    assert_eq!(status_of(&f, order).await, "done");
    let open = feed(&f, "?unacknowledged=true").await;
    assert!(
        !open.iter().any(|(kind, _)| kind == "order.paid"),
        "{open:?}"
    );
}

/// Also when the chat came first: both must have it then.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_speaks_the_vendors_words_fulfils() {
    let f = start().await;
    let receiver = Receiver::start().await;
    for (mode, types, completes) in [
        ("standard", json!(["order.refunded"]), false),
        ("standard", json!([]), true),
        ("standard", json!([]), false),
        ("reference_combined", json!([]), true),
        ("reference_separate", json!(["payment"]), false),
    ] {
        let asked = json!({ "mode": mode, "event_types": types });
        let made = endpoint(&f, &receiver, asked).await;
        assert_eq!(made["completes"], completes, "{mode} {types}");
    }
}

/// What the shop takes by itself is settled at its fulfilment, and told to the chat all the same.
#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledgement_does_not_silence_a_notifier() {
    let f = start().await;
    let (mut shop, mut chat) = (Receiver::start().await, Receiver::start().await);
    let only_created = json!({ "event_types": ["order.created"], "schedule": [1, 1, 1] });
    let fulfilment = endpoint(&f, &shop, only_created.clone()).await;
    let notifier = endpoint(&f, &chat, only_created).await;
    for (made, completes) in [(&fulfilment, true), (&notifier, false)] {
        let body = json!({ "completes": completes });
        assert_eq!(
            patch(&f, &f.api_key, made, body).await.status,
            StatusCode::OK
        );
    }
    f.create_order("alice").await;
    let (_held, mut told) = (shop.next().await, chat.next().await);
    let events: Vec<_> = feed(&f, "").await.into_iter().map(|(_, id)| id).collect();
    let taken = json!({ "event_ids": events });
    f.post(&f.v1("/events/acknowledge"), &f.api_key, &taken)
        .await;
    let state = async |endpoint: &Value| {
        let path = f.v1(&format!("/endpoints/{}/deliveries", endpoint["id"]));
        f.get(&path, &f.api_key).await.json()["deliveries"][0]["state"].clone()
    };
    assert_eq!(state(&fulfilment).await, "settled");
    assert_eq!(state(&notifier).await, "pending");
    told.reply(StatusCode::INTERNAL_SERVER_ERROR);
    chat.accept().await;
    delivered(&f, &notifier, 1).await;
}

/// Whoever says where the shop's answers come from says which orders are done.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_manages_webhooks_alone_completes_no_order() {
    let f = start().await;
    let receiver = Receiver::start().await;
    let body = json!({ "name": "webhooks", "scopes": ["webhooks:write"] });
    let made = f.post(&f.v1("/api-keys"), &f.api_key, &body).await.json();
    let narrow = made["key"].as_str().expect("key");
    let path = f.v1("/endpoints");
    let refused = |answer: &Answer| {
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.text);
        assert_eq!(answer.json()["required_scope"], "orders:write");
    };
    let asked = json!({ "url": receiver.url, "completes": true });
    refused(&f.post(&path, narrow, &asked).await);
    let own = f
        .post(&path, narrow, &json!({ "url": receiver.url }))
        .await
        .json();
    assert_eq!(own["completes"], false);
    refused(&patch(&f, narrow, &own, json!({ "completes": true })).await);
    let url = format!("{}/elsewhere", receiver.url);
    assert_eq!(
        patch(&f, narrow, &own, json!({ "url": url })).await.status,
        StatusCode::OK
    );
    let fulfilment = endpoint(&f, &receiver, json!({})).await;
    assert_eq!(fulfilment["completes"], true);
    refused(&patch(&f, narrow, &fulfilment, json!({ "url": url })).await);
    let quiet = json!({ "description": "the shop", "completes": true });
    assert_eq!(
        patch(&f, narrow, &fulfilment, quiet).await.status,
        StatusCode::OK
    );
    // The vendor's own call for one endpoint.
    let reference = format!("/api/v2/project/{}/admin/webhook", f.project);
    let first = json!({ "url": receiver.url, "secret": "a-secret" });
    assert_eq!(
        f.put(&reference, narrow, &first).await.status,
        StatusCode::NO_CONTENT
    );
    let listed = f.get(&path, &f.api_key).await.json();
    let listed = listed["endpoints"].as_array().expect("list");
    let of_reference = listed
        .iter()
        .find(|one| one["mode"] != "standard")
        .expect("made");
    assert_eq!(of_reference["completes"], false);
    let completes = json!({ "completes": true });
    assert_eq!(
        patch(&f, &f.api_key, of_reference, completes).await.status,
        StatusCode::OK
    );
    let moved = json!({ "url": url, "secret": "a-secret" });
    // As that surface answers whoever may not.
    assert_eq!(
        f.put(&reference, narrow, &moved).await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        f.put(&reference, &f.api_key, &moved).await.status,
        StatusCode::NO_CONTENT
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_buyer_has_processed_and_what_the_shop_has_taken_are_two_marks() {
    let f = start().await;
    let jwt = user_jwt("alice");
    let mine = async || {
        let path = format!("/events?project_id={}", f.project);
        let events = f.get(&path, &jwt).await.json()["events"].clone();
        events.as_array().expect("list").clone()
    };
    let first = f.create_order("alice").await;
    transition(&f, first, "paid").await;
    let event = mine().await[0]["id"].clone();
    let processed = format!("/events/{event}/processed?project_id={}", f.project);
    let done = f.post(&processed, &jwt, &json!({})).await;
    assert_eq!(done.status, StatusCode::NO_CONTENT);
    assert_eq!(mine().await.len(), 0);
    let open = feed(&f, "?unacknowledged=true").await;
    assert!(open.contains(&("order.paid".to_owned(), event)), "{open:?}");
    let second = f.create_order("alice").await;
    transition(&f, second, "paid").await;
    let ids: Vec<_> = feed(&f, "").await.into_iter().map(|(_, id)| id).collect();
    let taken = json!({ "event_ids": ids });
    f.post(&f.v1("/events/acknowledge"), &f.api_key, &taken)
        .await;
    let open = feed(&f, "?unacknowledged=true").await;
    assert!(
        !open.iter().any(|(kind, _)| kind == "order.paid"),
        "{open:?}"
    );
    assert_eq!(mine().await.len(), 1);
}

/// However many purchases a buyer has: each is shown, and each page goes on where the last one ended.
#[tokio::test(flavor = "multi_thread")]
async fn no_purchase_is_out_of_a_clients_reach() {
    let f = start().await;
    let jwt = user_jwt("alice");
    let mut bought = BTreeSet::new();
    for _ in 0..105 {
        let order = f.create_order("alice").await;
        transition(&f, order, "paid").await;
        bought.insert(order);
    }
    let page = async |query: &str| {
        let path = format!("/events?project_id={}{query}", f.project);
        let events = f.get(&path, &jwt).await.json()["events"].clone();
        events.as_array().expect("list").clone()
    };
    let number = |event: &Value| event["data"]["order"]["id"].as_i64().expect("id");
    let first = page("").await;
    assert_eq!(first.len(), 100);
    let last = first[99]["id"].clone();
    let second = page(&format!("&after_id={last}&types[]=order_paid")).await;
    let shown: BTreeSet<_> = first.iter().chain(&second).map(number).collect();
    assert_eq!(shown, bought);
    assert_eq!(page("&types[]=order_canceled").await.len(), 0);
    // The oldest, canceled now, is found behind all of them.
    let oldest = *bought.first().expect("one");
    transition(&f, oldest, "canceled").await;
    let canceled = page("&types[]=order_canceled").await;
    assert_eq!(canceled.iter().map(number).collect::<Vec<_>>(), [oldest]);
    // What is processed makes room.
    let id = &first[0]["id"];
    let processed = format!("/events/{id}/processed?project_id={}", f.project);
    f.post(&processed, &jwt, &json!({})).await;
    assert_eq!(page("").await[0]["id"], first[1]["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn refunds_and_flags_are_events_with_amounts_and_reasons() {
    let f = start().await;
    let mut receiver = Receiver::start().await;
    let types = json!({ "event_types": ["order.refunded", "order.flagged", "order.reinstated"] });
    endpoint(&f, &receiver, types).await;
    let order = f.create_order("alice").await;
    let delivered = f.v1(&format!("/orders/{order}/fulfilment"));
    f.post(&delivered, &f.api_key, &json!({ "state": "delivered" }))
        .await;
    let flagged = receiver.accept().await.json();
    assert_eq!(flagged["type"], "order.flagged");
    assert_eq!(flagged["data"]["raised"][0]["flag"], "delivered_unpaid");
    assert_eq!(flagged["data"]["flags"], json!(["delivered_unpaid"]));
    transition(&f, order, "paid").await;
    let refund = json!({
        "refund_id": "rf_1", "reason": "the sword was blunt",
        "amount": { "amount": "0.50", "currency": "USD" },
    });
    let path = f.v1(&format!("/orders/{order}/refunds"));
    let done = f.post(&path, &f.api_key, &refund).await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.text);
    let refunded = receiver.accept().await.json();
    assert_eq!(refunded["type"], "order.refunded");
    let data = &refunded["data"];
    assert_eq!(
        (&data["refund"]["refund_id"], &data["refund"]["amount"]),
        (&json!("rf_1"), &json!("0.50"))
    );
    assert_eq!(
        data["net_paid"],
        json!({ "amount": "1.49", "currency": "USD" })
    );
    assert_eq!(data["reason"], "the sword was blunt");
    // The feed shows the same.
    let read = f.get(&f.v1("/events?limit=1000"), &f.api_key).await.json();
    let events = read["events"].as_array().expect("list");
    let of_feed = events
        .iter()
        .find(|event| event["type"] == "order.refunded")
        .expect("there");
    assert_eq!(of_feed["data"]["refund"], data["refund"]);
    // All of it, and then not after all.
    let rest = json!({ "refund_id": "rf_2" });
    assert_eq!(
        f.post(&path, &f.api_key, &rest).await.status,
        StatusCode::OK
    );
    assert_eq!(
        receiver.accept().await.json()["data"]["refund"]["amount"],
        "1.49"
    );
    let path = f.v1(&format!("/orders/{order}/refund-reversals"));
    let reversed = f
        .post(&path, &f.api_key, &json!({ "refund_id": "rf_2" }))
        .await;
    assert_eq!(reversed.status, StatusCode::OK, "{}", reversed.text);
    let reinstated = receiver.accept().await.json();
    assert_eq!(reinstated["type"], "order.reinstated");
    assert_eq!(reinstated["data"]["previous_status"], "canceled");
}

/// What the shop's gateway wants to see; its value is a secret.
#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_may_have_headers_of_its_own() {
    const VALUE: &str = "a-key-of-the-gateway-0123456789";
    let f = start().await;
    let mut receiver = Receiver::start().await;
    let headers =
        json!({ "headers": { "X-Gateway-Key": VALUE, "Authorization": "Bearer of-the-shop" } });
    let made = endpoint(&f, &receiver, headers).await;
    assert_eq!(
        made["header_names"],
        json!(["authorization", "x-gateway-key"])
    );
    assert!(!made.to_string().contains(VALUE));
    f.create_order("alice").await;
    let received = receiver.accept().await;
    assert_eq!(received.header("x-gateway-key"), VALUE);
    assert_eq!(received.header("authorization"), "Bearer of-the-shop");
    assert_eq!(received.header("accept"), "*/*");
    for file in ["ordercast.db", "ordercast.db-wal"] {
        let bytes = std::fs::read(f.folder().join(file)).unwrap_or_default();
        let is_there = bytes
            .windows(VALUE.len())
            .any(|some| some == VALUE.as_bytes());
        assert!(!is_there, "readable in {file}");
    }
    let forged = json!({ "headers": { "Webhook-Signature": "v1,forged" } });
    let refused = patch(&f, &f.api_key, &made, forged).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.json()["field"], "headers");
    let none = patch(&f, &f.api_key, &made, json!({ "headers": {} })).await;
    assert_eq!(none.json()["header_names"], json!([]));
    let path = f.v1(&format!("/endpoints/{}/test", made["id"]));
    let body = json!({});
    let (_, tested) = tokio::join!(f.post(&path, &f.api_key, &body), receiver.accept());
    assert_eq!(tested.header("x-gateway-key"), "");
    assert_eq!(tested.json()["data"]["order_id"], 0);
}
