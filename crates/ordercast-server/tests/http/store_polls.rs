//! The short way of a poll gives what the long one gives.

use crate::support::{Answer, Fixture, start_default, user_jwt};
use reqwest::Method;
use serde_json::json;

async fn poll(f: &Fixture, path: &str, query: &str, headers: &[(&str, &str)]) -> Answer {
    f.send(Method::GET, &format!("{path}{query}"), headers, "")
        .await
}

/// A query with `wait` takes the long way, and 0 waits for nothing.
async fn check(f: &Fixture, path: &str, headers: &[(&str, &str)]) -> Answer {
    let long = poll(f, path, "?engine=unity&wait=0", headers).await;
    let mut short = poll(f, path, "?engine=unity", headers).await;
    let mut expected = long.headers.clone();
    for headers in [&mut short.headers, &mut expected] {
        headers.remove("date");
        headers.remove("x-request-id");
    }
    assert_eq!(
        (short.status, &short.text, &short.headers),
        (long.status, &long.text, &expected),
        "{path} {headers:?}"
    );
    short
}

async fn count(f: &Fixture, metric: &str) -> u64 {
    let metrics = f.internal("/metrics").await.text;
    let value = metrics.lines().find_map(|line| line.strip_prefix(metric));
    value.map_or(0, |value| value.trim().parse().expect("a count"))
}

#[tokio::test]
async fn every_poll_gets_the_same_answer_on_both_ways() {
    let f = start_default().await;
    let order = f.create_order("alice").await;
    let path = f.v2(&format!("/order/{order}"));
    let jwt = format!("Bearer {}", user_jwt("alice"));
    let own = ("authorization", jwt.as_str());
    let foreign = format!("Bearer {}", user_jwt("bob"));
    let first = check(&f, &path, &[own]).await;
    assert_eq!(first.json()["status"], "new");
    let etag = first.headers["etag"].to_str().expect("etag").to_owned();

    for known in [etag.as_str(), "*", "W/\"1\"", "\"0\", \"1\"", "\"2\"", "x"] {
        check(&f, &path, &[own, ("if-none-match", known)]).await;
    }
    check(&f, &path, &[own, ("origin", "https://shop.example")]).await;
    check(&f, &path, &[("authorization", &foreign)]).await;
    check(&f, &path, &[("authorization", "Bearer x")]).await;
    check(&f, &path, &[("authorization", "Basic eDp5")]).await;
    check(&f, &path, &[]).await;
    check(&f, &path, &[("x-unauthorized-id", "guest")]).await;
    for other in [
        "/order/4242",
        "/order/0",
        "/order/+1",
        "/order/x",
        "/order/1/2",
    ] {
        check(&f, &f.v2(other), &[own]).await;
    }
    check(&f, &format!("/api/v2/project/99/order/{order}"), &[own]).await;

    let paid = json!({ "to": "paid" });
    let transitions = f.v1(&format!("/orders/{order}/transitions"));
    f.post(&transitions, &f.api_key, &paid).await;
    let changed = check(&f, &path, &[own, ("if-none-match", &etag)]).await;
    assert_eq!(changed.json()["status"], "paid");
}

/// Requests are counted under the route's one name, whichever way they took.
#[tokio::test]
async fn both_ways_are_counted_as_one_route() {
    let f = start_default().await;
    let order = f.create_order("alice").await;
    let path = f.v2(&format!("/order/{order}"));
    let jwt = format!("Bearer {}", user_jwt("alice"));
    check(&f, &path, &[("authorization", &jwt)]).await;
    let metric = "ordercast_http_requests_total{route=\"/api/v2/project/{project}/order/{order}\",status=\"200\"}";
    // Of the process, in which other tests poll too.
    assert!(count(&f, metric).await >= 2);
}
