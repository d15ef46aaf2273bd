//! The event feed of a shop's backend.

use super::{
    receiver::Receiver,
    webhooks::{endpoint, start, transition},
};
use reqwest::StatusCode;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn the_feed_holds_what_endpoints_are_sent() {
    for mode in ["standard", "reference_separate", "reference_combined"] {
        let f = start().await;
        let mut receiver = Receiver::start().await;
        let secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
        endpoint(&f, &receiver, json!({ "mode": mode, "secret": secret })).await;
        let order = f.create_order("alice").await;
        transition(&f, order, "paid").await;
        let path = f.v1(&format!("/events?mode={mode}"));
        let events = f.get(&path, &f.api_key).await.json();
        let events = events["events"].as_array().expect("list").clone();
        let notifications = events
            .iter()
            .flat_map(|event| event["notifications"].as_array().expect("list"));
        let mut count = 0;
        for notification in notifications {
            if notification["type"] == "event"
                && notification["body"].to_string().contains("order.done")
            {
                continue;
            }
            let sent = receiver.accept().await;
            assert_eq!(sent.header("webhook-id"), notification["id"]);
            assert_eq!(sent.body, notification["body"].as_str().expect("text"));
            count += 1;
        }
        assert_eq!(
            count,
            if mode == "reference_combined" { 1 } else { 2 },
            "{mode}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_comes_late_can_begin_with_what_is_new() {
    let f = start().await;
    f.create_order("alice").await;
    let path = f.v1("/events?limit=1");
    let newest = f.get(&path, &f.api_key).await.json()["newest_id"].clone();
    let path = f.v1(&format!("/events?after={newest}"));
    let page = |answer: Value| (answer["events"].clone(), answer["last_id"].clone());
    let nothing = page(f.get(&path, &f.api_key).await.json());
    assert_eq!(nothing, (json!([]), newest.clone()));
    f.create_order("alice").await;
    let (events, last) = page(f.get(&path, &f.api_key).await.json());
    assert_eq!(events.as_array().map(Vec::len), Some(1));
    assert_eq!(events[0]["id"], last);
    // Bodies of as many orders as anybody likes would cost too much.
    let refused = f.get(&f.v1("/events?mode=other"), &f.api_key).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
}
