//! Projects as the operator and their own backends see and change them.

use crate::support::{ROOT_KEY, start_default};
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn settings_are_read_and_changed_and_take_effect() {
    let mut f = start_default().await;
    let path = f.v1("");
    let before = f.get(&path, &f.api_key).await.json();
    assert_eq!(before["complete_on_paid"], false);
    assert_eq!(
        f.get("/v1/projects", ROOT_KEY).await.json()["projects"],
        json!([before])
    );
    assert_eq!(f.get("/v1/projects", &f.api_key).await.status.as_u16(), 403);

    let change = async |body: &str| {
        let authorization = format!("Bearer {}", f.api_key);
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-type", "application/json"),
        ];
        f.send(Method::PATCH, &path, &headers, body.to_owned())
            .await
    };
    // An order before it, so that the writer knows the old settings.
    f.create_order("alice").await;
    let changed = change(r#"{"complete_on_paid": true, "name": "New"}"#).await;
    assert_eq!(changed.status.as_u16(), 200, "{}", changed.text);
    for bad in [
        r#"{"order_lifetime_seconds": 59}"#,
        r#"{"name": ""}"#,
        r#"{"api_key": "x"}"#,
        r#"{"complete_on_paid": 1}"#,
    ] {
        assert_eq!(change(bad).await.status.as_u16(), 422, "{bad}");
    }
    let order = f.create_order("alice").await;
    let paid = f
        .post(
            &f.v1(&format!("/orders/{order}/transitions")),
            &f.api_key,
            &json!({ "to": "paid" }),
        )
        .await;
    assert_eq!(paid.json()["status"], "done", "{}", paid.text);

    f.restart().await;
    let after = f.get(&path, &f.api_key).await.json();
    assert_eq!(
        (after["name"].as_str(), &after["complete_on_paid"]),
        (Some("New"), &json!(true))
    );
    assert_eq!(
        after["order_lifetime_seconds"],
        before["order_lifetime_seconds"]
    );
}
