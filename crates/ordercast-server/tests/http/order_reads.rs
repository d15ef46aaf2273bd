//! Lists, held answers and streams of orders.

use crate::support::{Fixture, JWT_SECRET, start};
use futures_util::StreamExt;
use reqwest::StatusCode;
use serde_json::{Value, json};

async fn shop() -> Fixture {
    start(json!({ "name": "Test", "hs256_secret": JWT_SECRET })).await
}

async fn order_of(f: &Fixture, user: &str) -> i64 {
    let price = json!({ "amount": "1.99", "currency": "USD" });
    let body = json!({ "user_external_id": user, "price": price });
    let made = f.post(&f.v1("/orders"), &f.api_key, &body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    made.json()["order_id"].as_i64().expect("id")
}

async fn become_status(f: &Fixture, order: i64, to: &str) {
    let path = f.v1(&format!("/orders/{order}/transitions"));
    let answer = f.post(&path, &f.api_key, &json!({ "to": to })).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
}

async fn list(f: &Fixture, query: &str) -> (Vec<i64>, Option<String>) {
    let page = f.get(&f.v1(&format!("/orders?{query}")), &f.api_key).await;
    assert_eq!(page.status, StatusCode::OK, "{query}: {}", page.text);
    let page = page.json();
    let orders = page["orders"].as_array().expect("list");
    let ids = orders
        .iter()
        .map(|order| order["order_id"].as_i64().expect("id"))
        .collect();
    (ids, page["next_cursor"].as_str().map(ToOwned::to_owned))
}

#[tokio::test]
async fn a_list_is_read_page_by_page_while_orders_are_made() {
    let f = shop().await;
    let mut made = Vec::new();
    for number in 0..7 {
        made.push(order_of(&f, &format!("user{}", number % 2)).await);
    }
    let (first, cursor) = list(&f, "limit=3").await;
    assert_eq!(first, [made[6], made[5], made[4]]);
    order_of(&f, "late").await;
    let (second, cursor) = list(&f, &format!("limit=3&cursor={}", cursor.expect("more"))).await;
    assert_eq!(second, [made[3], made[2], made[1]]);
    let (third, end) = list(&f, &format!("limit=3&cursor={}", cursor.expect("more"))).await;
    assert_eq!((third, end), (vec![made[0]], None));
    let (of_one, _) = list(&f, "user=user1").await;
    assert_eq!(of_one, [made[5], made[3], made[1]]);
    assert_eq!(list(&f, "user=nobody").await, (vec![], None));
}

#[tokio::test]
async fn a_list_is_filtered() {
    let f = shop().await;
    let (new, paid, done) = (
        order_of(&f, "a").await,
        order_of(&f, "b").await,
        order_of(&f, "c").await,
    );
    for order in [paid, done] {
        become_status(&f, order, "paid").await;
    }
    become_status(&f, done, "done").await;
    assert_eq!(list(&f, "status=new").await.0, [new]);
    assert_eq!(list(&f, "status=done,paid").await.0, [done, paid]);
    assert_eq!(list(&f, "flag=marked_paid").await.0, [done, paid]);
    assert_eq!(list(&f, "flag=paid_late").await.0, Vec::<i64>::new());
    assert_eq!(list(&f, "mode=sandbox").await.0, Vec::<i64>::new());
    assert_eq!(
        list(&f, "created_from=2020-01-01T00:00:00Z").await.0.len(),
        3
    );
    assert_eq!(
        list(&f, "created_before=2020-01-01T00:00:00%2B02:00")
            .await
            .0
            .len(),
        0
    );
    assert_eq!(list(&f, "stuck_minutes=60").await.0.len(), 0);
    for bad in [
        "status=gone",
        "limit=0",
        "limit=101",
        "cursor=x",
        "created_from=yesterday",
        "colour=red",
        "flag=odd",
        "user=",
    ] {
        let answer = f.get(&f.v1(&format!("/orders?{bad}")), &f.api_key).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{bad}");
        assert_eq!(answer.code(), "invalid_field", "{bad}");
    }
}

#[tokio::test]
async fn an_answer_is_held_until_the_order_changes() {
    let f = shop().await;
    let (order, other) = (order_of(&f, "a").await, order_of(&f, "b").await);
    let path = f.v1(&format!("/orders/{order}?wait=30&version=1"));
    let held = f.get(&path, &f.api_key);
    let change = async {
        become_status(&f, other, "paid").await;
        become_status(&f, order, "paid").await;
    };
    let (held, ()) = tokio::join!(held, change);
    assert_eq!(held.json()["status"], "paid");
    // What is older than the order is answered at once.
    assert_eq!(f.get(&path, &f.api_key).await.json()["version"], 2);
    let with_versions = f.v1(&format!("/orders/{order}?expand=versions"));
    let versions = f.get(&with_versions, &f.api_key).await.json();
    assert_eq!(versions["versions"].as_array().map(Vec::len), Some(2));
    for bad in ["wait=31", "wait=-1", "version=0", "expand=all"] {
        let answer = f
            .get(&f.v1(&format!("/orders/{order}?{bad}")), &f.api_key)
            .await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{bad}");
    }
}

/// Reads events until there are `count`: `(id, status)` of each.
async fn events(response: reqwest::Response, count: usize) -> Vec<(String, String)> {
    let mut body = response.bytes_stream();
    let mut text = String::new();
    loop {
        let events: Vec<_> = text
            .split("\n\n")
            .filter(|event| event.contains("data:"))
            .map(|event| {
                let field = |name: &str| {
                    let line = event.lines().find_map(|line| line.strip_prefix(name));
                    line.expect(name).trim().to_owned()
                };
                let data: Value = serde_json::from_str(&field("data:")).expect("JSON");
                (
                    field("id:"),
                    data["status"].as_str().expect("text").to_owned(),
                )
            })
            .collect();
        if events.len() >= count {
            return events;
        }
        let chunk = body
            .next()
            .await
            .expect("the stream goes on")
            .expect("read");
        text.push_str(std::str::from_utf8(&chunk).expect("text"));
    }
}

async fn follow(f: &Fixture, order: i64, last: Option<&str>) -> reqwest::Response {
    let path = f.v1(&format!("/orders/{order}/stream"));
    let mut request = f
        .client
        .get(format!("{}{path}", f.base))
        .bearer_auth(&f.api_key);
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    let response = request.send().await.expect("answer");
    assert_eq!(response.status(), StatusCode::OK);
    response
}

fn pair(id: &str, status: &str) -> (String, String) {
    (id.to_owned(), status.to_owned())
}

#[tokio::test]
async fn a_stream_gives_each_version_once_from_where_the_client_was() {
    let f = shop().await;
    let order = order_of(&f, "a").await;
    become_status(&f, order, "paid").await;
    let response = follow(&f, order, None).await;
    let live = tokio::join!(events(response, 3), become_status(&f, order, "done")).0;
    let all = [pair("1", "new"), pair("2", "paid"), pair("3", "done")];
    assert_eq!(live, all);
    let resumed = events(follow(&f, order, Some("1")).await, 2).await;
    assert_eq!(resumed, all[1..]);
    let path = f.v1(&format!("/orders/{order}/stream"));
    let authorization = format!("Bearer {}", f.api_key);
    let headers = [
        ("authorization", authorization.as_str()),
        ("last-event-id", "x"),
    ];
    let bad = f.send(reqwest::Method::GET, &path, &headers, "").await;
    assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY);
}
