//! Entity tags as proxies leave them: weak ones, lists, and what is none.

use crate::support::{Answer, Fixture, start_default, user_jwt};
use reqwest::Method;
use serde_json::json;

async fn change(f: &Fixture, order: i64, if_match: &str) -> Answer {
    let path = f.v1(&format!("/orders/{order}/review"));
    let body = json!({ "under_review": true, "reason": if_match });
    f.post_with(&path, &f.api_key, &body, &[("if-match", if_match)])
        .await
}

#[tokio::test]
async fn if_match_compares_strongly() {
    let f = start_default().await;
    for (if_match, expected) in [
        ("\"1\"", 200),
        ("*", 200),
        ("\"7\", \"1\"", 200),
        ("W/\"7\", \"1\"", 200),
        ("\"2\"", 412),
        ("\"2\",\"3\"", 412),
        ("W/\"1\"", 412),
        ("\"1-gzip\"", 412),
        ("\"\"", 412),
        ("1", 422),
        ("\"1", 422),
        ("w/\"1\"", 422),
    ] {
        let order = f.create_order("alice").await;
        let answer = change(&f, order, if_match).await;
        assert_eq!(
            answer.status.as_u16(),
            expected,
            "{if_match}: {}",
            answer.text
        );
        if expected == 412 {
            assert_eq!(answer.code(), "version_mismatch");
            assert_eq!(answer.json()["current_version"], 1, "{if_match}");
        }
    }
    let order = f.create_order("alice").await;
    let weak = change(&f, order, "W/\"1\"").await;
    let title = weak.json()["title"].as_str().expect("title").to_owned();
    assert!(
        title.contains("weak ETag") && title.contains("gzip"),
        "{title}"
    );
    let missing = change(&f, 2_000_000_000, "W/\"1\"").await;
    assert_eq!(missing.status.as_u16(), 404);
}

#[tokio::test]
async fn if_none_match_compares_weakly_on_every_door() {
    let f = start_default().await;
    let order = f.create_order("alice").await;
    let buyer = user_jwt("alice");
    for (path, credential) in [
        (f.v1(&format!("/orders/{order}")), &f.api_key),
        (f.v1(&format!("/orders/{order}")), &buyer),
        (f.v2(&format!("/order/{order}")), &buyer),
    ] {
        for (known, expected) in [
            ("\"1\"", 304),
            ("W/\"1\"", 304),
            ("\"7\", W/\"1\"", 304),
            ("*", 304),
            ("\"2\"", 200),
            ("\"1-gzip\"", 200),
            ("nonsense", 200),
        ] {
            let authorization = format!("Bearer {credential}");
            let headers = [
                ("authorization", authorization.as_str()),
                ("if-none-match", known),
            ];
            let answer = f.send(Method::GET, &path, &headers, "").await;
            assert_eq!(answer.status.as_u16(), expected, "{path} {known}");
            assert_eq!(answer.headers["etag"], "\"1\"");
        }
    }
}
