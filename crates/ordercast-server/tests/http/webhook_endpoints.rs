//! What can be said of an endpoint, and what is said back.

use super::{
    receiver::Receiver,
    support::{Answer, Fixture, ROOT_KEY},
    webhooks::{endpoint, start, transition},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

async fn patch(f: &Fixture, endpoint: &Value, body: Value) -> Answer {
    let path = f.v1(&format!("/endpoints/{}", endpoint["id"]));
    let bearer = format!("Bearer {}", f.api_key);
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
    ];
    f.send(Method::PATCH, &path, &headers, body.to_string())
        .await
}

/// Most failures are a restart of the receiver: five minutes would be long for a buyer who has paid.
#[tokio::test(flavor = "multi_thread")]
async fn the_schedule_is_the_standards_and_the_vendors_in_its_own_modes() {
    let f = start().await;
    let receiver = Receiver::start().await;
    for (mode, begins, attempts) in [
        ("standard", [5, 30, 300], 11),
        ("reference_separate", [300, 300, 900], 20),
        ("reference_combined", [300, 300, 900], 20),
    ] {
        let made = endpoint(&f, &receiver, json!({ "mode": mode })).await;
        let schedule = made["schedule"].as_array().expect("list");
        assert_eq!(schedule[..3], begins.map(Value::from), "{mode}");
        assert_eq!(schedule.len() + 1, attempts, "{mode}");
    }
}

/// Nothing would be sent: that is said, not promised.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_queued_for_an_endpoint_that_takes_nothing() {
    let f = start().await;
    let mut receiver = Receiver::start().await;
    let made = endpoint(&f, &receiver, json!({})).await;
    f.create_order("alice").await;
    receiver.accept().await;
    let path = f.v1(&format!("/endpoints/{}/deliveries", made["id"]));
    let delivery = f.get(&path, &f.api_key).await.json()["deliveries"][0]["id"].clone();
    assert_eq!(
        patch(&f, &made, json!({ "enabled": false })).await.status,
        StatusCode::OK
    );
    let resend = f.v1(&format!("/deliveries/{delivery}/resend"));
    let again = |verb: &str| f.v1(&format!("/endpoints/{}/{verb}", made["id"]));
    let since = json!({ "since": "2020-01-01T00:00:00Z" });
    for (path, body) in [
        (&resend, json!({})),
        (&again("recover"), since.clone()),
        (&again("replay"), since.clone()),
    ] {
        let refused = f.post(path, &f.api_key, &body).await;
        assert_eq!(refused.status, StatusCode::CONFLICT, "{path}");
        assert_eq!(refused.code(), "endpoint_disabled", "{path}");
    }
    let dry = json!({ "since": "2020-01-01T00:00:00Z", "dry_run": true });
    for verb in ["recover", "replay"] {
        assert_eq!(
            f.post(&again(verb), &f.api_key, &dry).await.status,
            StatusCode::OK
        );
    }
    assert_eq!(
        patch(&f, &made, json!({ "enabled": true })).await.status,
        StatusCode::OK
    );
    assert_eq!(
        f.post(&resend, &f.api_key, &json!({})).await.status,
        StatusCode::ACCEPTED
    );
    receiver.accept().await;
    let gone = f
        .delete(&f.v1(&format!("/endpoints/{}", made["id"])), &f.api_key)
        .await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    let refused = f.post(&resend, &f.api_key, &json!({})).await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (StatusCode::CONFLICT, "endpoint_deleted")
    );
}

/// No library that receivers install knows the signature of a key pair.
#[tokio::test(flavor = "multi_thread")]
async fn it_is_said_when_the_last_shared_secret_goes() {
    let f = start().await;
    let receiver = Receiver::start().await;
    let warnings = |answer: &Value| answer["warnings"].as_array().expect("list").len();
    let made = endpoint(&f, &receiver, json!({})).await;
    assert_eq!(warnings(&made), 0);
    let path = f.v1(&format!("/endpoints/{}/secrets", made["id"]));
    let rotate = async |body: Value| f.post(&path, &f.api_key, &body).await.json();
    assert_eq!(warnings(&rotate(json!({})).await), 0);
    let ending = rotate(json!({ "asymmetric": true })).await;
    assert!(
        ending["warnings"][0]
            .as_str()
            .expect("text")
            .starts_with("the last shared secret")
    );
    let ended = rotate(json!({ "asymmetric": true, "overlap_seconds": 0 })).await;
    assert!(
        ended["warnings"][0]
            .as_str()
            .expect("text")
            .starts_with("no shared secret signs")
    );
    assert_eq!(warnings(&rotate(json!({})).await), 0);
    let pair = endpoint(&f, &receiver, json!({ "asymmetric": true })).await;
    assert_eq!(warnings(&pair), 1);
}

/// Libraries in Go and Rust refuse base64 without its padding.
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_shown_as_every_library_reads_it() {
    let f = start().await;
    let receiver = Receiver::start().await;
    let unpadded = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
    let padded = format!("{unpadded}=");
    let made = endpoint(&f, &receiver, json!({ "secret": unpadded })).await;
    assert_eq!(made["secret"], padded);
    let path = f.v1(&format!("/endpoints/{}/secrets", made["id"]));
    let rotated = f
        .post(&path, &f.api_key, &json!({ "secret": unpadded }))
        .await
        .json();
    assert_eq!(rotated["secret"], padded);
    // In a reference mode the text itself signs.
    let settings = json!({ "secret": unpadded, "mode": "reference_combined" });
    assert_eq!(endpoint(&f, &receiver, settings).await["secret"], unpadded);
}

/// Two shops on one host, or two endpoints of one shop: the one's failures are its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_failing_endpoint_does_not_hold_up_another_of_the_same_host() {
    let f = start().await;
    let mut receiver = Receiver::start().await;
    let failing = receiver.url.replace("/webhooks", "/failing");
    let body = json!({ "url": failing, "schedule": [600], "event_types": ["order.canceled"] });
    let made = f.post(&f.v1("/endpoints"), &f.api_key, &body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let other = json!({ "event_types": ["order.paid"] });
    endpoint(&f, &receiver, other).await;
    // As many orders as open a circuit.
    for _ in 0..5 {
        let order = f.create_order("alice").await;
        transition(&f, order, "canceled").await;
        receiver
            .next()
            .await
            .reply(StatusCode::INTERNAL_SERVER_ERROR);
    }
    let order = f.create_order("bob").await;
    transition(&f, order, "paid").await;
    assert_eq!(receiver.accept().await.kind(), "order.paid");
}

/// However many endpoints of one project hang: another project's new endpoint gets its turn.
#[tokio::test(flavor = "multi_thread")]
async fn hanging_endpoints_of_one_project_leave_room_for_others() {
    /// Attempts at endpoints of one project that have not shown to be well.
    const OF_PROJECT: usize = 12;
    let f = start().await;
    let (mut hanging, mut other) = (Receiver::start().await, Receiver::start().await);
    for _ in 0..OF_PROJECT + 2 {
        endpoint(&f, &hanging, json!({ "event_types": ["order.created"] })).await;
    }
    f.create_order("alice").await;
    let mut held = Vec::new();
    for _ in 0..OF_PROJECT {
        held.push(hanging.next().await);
    }
    let project = f
        .post("/v1/projects", ROOT_KEY, &json!({ "name": "Other" }))
        .await
        .json();
    let key = project["api_key"].as_str().expect("key");
    let path = |rest: &str| format!("/v1/projects/{}{rest}", project["project_id"]);
    let made = f
        .post(&path("/endpoints"), key, &json!({ "url": other.url }))
        .await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let order =
        json!({ "user_external_id": "bob", "price": { "amount": "1.00", "currency": "USD" } });
    f.post(&path("/orders"), key, &order).await;
    assert_eq!(other.accept().await.kind(), "order.created");
    assert!(hanging.is_quiet(), "the rest waits for its turn");
    for mut held in held {
        held.reply(StatusCode::OK);
    }
    for _ in 0..2 {
        hanging.accept().await;
    }
}
