//! Payment tokens and links: credentials for one order, with an end.

use crate::{
    socket,
    support::{Answer, Fixture, start_default, user_jwt},
};
use reqwest::StatusCode;
use serde_json::{Value, json};

impl Fixture {
    async fn buy(&self, user: &str) -> (Value, String) {
        let path = self.v2("/payment/item/sword");
        let made = self.post(&path, &user_jwt(user), &json!({})).await.json();
        let token = made["token"].as_str().expect("token").to_owned();
        (made["order_id"].clone(), token)
    }

    /// `what`: `payment-tokens` or `links`.
    fn tokens_of(&self, order: &Value, what: &str) -> String {
        self.v1(&format!("/orders/{order}/{what}"))
    }

    async fn issue(&self, order: &Value, what: &str, body: &Value) -> (Value, String) {
        let path = self.tokens_of(order, what);
        let made = self.post(&path, &self.api_key, body).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        let token = made.json()["token"].as_str().expect("token").to_owned();
        (made.json()["id"].clone(), token)
    }

    async fn reads(&self, order: &Value, token: &str) -> StatusCode {
        let path = self.v2(&format!("/order/{order}"));
        self.get(&path, token).await.status
    }

    async fn end(&self, order: &Value, what: &str, id: &Value) -> StatusCode {
        let path = format!("{}/{id}", self.tokens_of(order, what));
        self.delete(&path, &self.api_key).await.status
    }

    /// Changes rows as time would.
    fn sql(&self, sql: &str) {
        let path = self.folder().join(ordercast_server::DATABASE);
        let connection = rusqlite::Connection::open(path).expect("database");
        connection.execute_batch(sql).expect("changed");
    }
}

const OK: StatusCode = StatusCode::OK;
const UNAUTHORIZED: StatusCode = StatusCode::UNAUTHORIZED;

#[tokio::test]
async fn an_order_has_several_payment_tokens_that_end_one_by_one() {
    let mut f = start_default().await;
    let (order, first) = f.buy("alice").await;
    let (id, second) = f.issue(&order, "payment-tokens", &json!({})).await;
    let (_, third) = f.issue(&order, "payment-tokens", &json!({})).await;
    assert_eq!(second.len(), 32);
    for token in [&first, &second, &third] {
        assert_eq!(f.reads(&order, token).await, OK);
        let (reply, _) = socket::connect(&f, &json!(f.project), token).await;
        assert!(reply.contains("#alice"), "{reply}");
    }
    let listed = f
        .get(&f.tokens_of(&order, "payment-tokens"), &f.api_key)
        .await;
    let ids: Vec<_> = listed.json()["tokens"]
        .as_array()
        .expect("list")
        .iter()
        .map(|t| t["id"].clone())
        .collect();
    assert_eq!(ids, [json!(2), json!(1), json!(0)]);
    for token in [&first, &second, &third] {
        assert!(
            !listed.text.contains(token.as_str()),
            "a token is in the list"
        );
    }

    assert_eq!(
        f.end(&order, "payment-tokens", &id).await,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        f.end(&order, "payment-tokens", &id).await,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        f.end(&order, "links", &json!(2)).await,
        StatusCode::NOT_FOUND
    );
    assert_eq!(f.reads(&order, &second).await, UNAUTHORIZED);
    assert_eq!(
        f.end(&order, "payment-tokens", &json!(0)).await,
        StatusCode::NO_CONTENT
    );
    f.restart().await;
    assert_eq!(f.reads(&order, &first).await, UNAUTHORIZED);
    assert_eq!(f.reads(&order, &second).await, UNAUTHORIZED);
    assert_eq!(f.reads(&order, &third).await, OK);
}

#[tokio::test]
async fn a_payment_token_outlives_its_order_by_a_day() {
    let mut f = start_default().await;
    let (order, first) = f.buy("alice").await;
    let (_, later) = f.issue(&order, "payment-tokens", &json!({})).await;
    let (_, short) = f
        .issue(
            &order,
            "payment-tokens",
            &json!({ "expires_in_seconds": 60 }),
        )
        .await;
    let hour = 3_600_000_i64;
    let now = i64::try_from(crate::support::unix_now()).expect("time") * 1_000;
    f.sql(&format!(
        "UPDATE orders SET expires_at = {}",
        now - 23 * hour
    ));
    // Nobody but the server may write; it has the order in memory.
    f.restart().await;
    for token in [&first, &later, &short] {
        assert_eq!(f.reads(&order, token).await, OK);
    }
    f.sql(&format!(
        "UPDATE orders SET expires_at = {}",
        now - 25 * hour
    ));
    f.restart().await;
    assert_eq!(f.reads(&order, &first).await, UNAUTHORIZED);
    assert_eq!(
        f.reads(&order, &later).await,
        OK,
        "it has an end of its own"
    );
    f.sql(&format!("UPDATE order_tokens SET expires_at = {}", now - 1));
    for token in [&first, &later, &short] {
        assert_eq!(f.reads(&order, token).await, UNAUTHORIZED);
        let (_, reply) = socket::first_reply(&f, &json!(f.project), token).await;
        assert!(reply.contains("109"), "{reply}");
    }
    // An order whose life is over may get another: its buyer still wants to see the end.
    let (_, fresh) = f.issue(&order, "payment-tokens", &json!({})).await;
    assert_eq!(f.reads(&order, &fresh).await, OK);
}

#[tokio::test]
async fn a_link_shows_one_order_and_nothing_of_the_shop() {
    let f = start_default().await;
    let (order, _) = f.buy("canary-user").await;
    let (other, _) = f.buy("canary-user").await;
    let transitions = f.v1(&format!("/orders/{order}/transitions"));
    let paid = json!({ "to": "paid", "reason": "canary-reason" });
    f.post(&transitions, &f.api_key, &paid).await;
    let (_, link) = f.issue(&order, "links", &json!({})).await;
    assert!(link.starts_with("oc_link_"));

    let seen = f.get("/v1/link", &link).await;
    assert_eq!(seen.status, OK, "{}", seen.text);
    assert!(
        !seen.text.contains("canary") && !seen.text.contains("oc_api"),
        "{}",
        seen.text
    );
    let body = seen.json();
    assert_eq!(
        (&body["order_id"], &body["status"]),
        (&order, &json!("paid"))
    );
    assert_eq!(body["price"]["amount"], "1.99");
    let statuses: Vec<_> = body["versions"]
        .as_array()
        .expect("list")
        .iter()
        .map(|v| v["status"].clone())
        .collect();
    assert_eq!(statuses, ["new", "paid"]);
    let etag = seen.headers["etag"].to_str().expect("etag").to_owned();
    let authorization = format!("Bearer {link}");
    let headers = [
        ("authorization", authorization.as_str()),
        ("if-none-match", &etag),
    ];
    let again = f.send(reqwest::Method::GET, "/v1/link", &headers, "").await;
    assert_eq!(again.status, StatusCode::NOT_MODIFIED);
    assert_eq!(f.reads(&order, &link).await, OK);

    // Nothing else.
    assert_eq!(f.reads(&other, &link).await, StatusCode::NOT_FOUND);
    let (reply, closed) = socket::connect(&f, &json!(f.project), &link).await;
    assert!(reply.contains("109") && closed == Some(3500), "{reply}");
    let buy = f
        .post(&f.v2("/payment/item/sword"), &link, &json!({}))
        .await;
    assert_eq!(buy.status, StatusCode::FORBIDDEN);
    for path in [
        f.v1(&format!("/orders/{order}")),
        f.v1(&format!("/orders/{order}/versions")),
        f.v1("/events"),
        f.tokens_of(&order, "links"),
    ] {
        assert_eq!(f.get(&path, &link).await.status, UNAUTHORIZED, "{path}");
    }
}

#[tokio::test]
async fn the_shops_own_page_may_ask_with_a_link() {
    let f = start_default().await;
    let headers = [
        ("origin", "https://shop.example"),
        ("access-control-request-method", "GET"),
        ("access-control-request-headers", "authorization"),
    ];
    let asked = f
        .send(reqwest::Method::OPTIONS, "/v1/link", &headers, "")
        .await;
    assert_eq!(asked.headers["access-control-allow-origin"], "*");
    assert_eq!(
        asked.headers["access-control-allow-headers"],
        "authorization"
    );
    let refused = f
        .send(reqwest::Method::POST, "/v1/link", &headers, "")
        .await;
    assert_eq!(refused.code(), "method_not_allowed", "{}", refused.text);
}

#[tokio::test]
async fn a_link_is_taken_back() {
    let f = start_default().await;
    let (order, payment_token) = f.buy("alice").await;
    let (id, link) = f
        .issue(&order, "links", &json!({ "expires_in_seconds": 86_400 }))
        .await;
    let (_, ending) = f.issue(&order, "links", &json!({})).await;
    let looks = async |token: &str| -> Answer { f.get("/v1/link", token).await };
    assert_eq!(looks(&link).await.status, OK);
    assert_eq!(
        f.end(&order, "payment-tokens", &id).await,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        f.end(&order, "links", &json!(0)).await,
        StatusCode::NOT_FOUND
    );
    assert_eq!(f.end(&order, "links", &id).await, StatusCode::NO_CONTENT);
    f.sql("UPDATE order_tokens SET expires_at = 0 WHERE token_id = 2");
    let unknown = looks("oc_link_unknown").await;
    assert_eq!(unknown.status, UNAUTHORIZED);
    // The secret of one kind is none of the other, and a number is no secret.
    let as_link = format!("oc_link_{payment_token}");
    let mut forged = ending.clone();
    let last = if forged.pop() == Some('A') { 'B' } else { 'A' };
    forged.push(last);
    for bad in [
        &link,
        &ending,
        &payment_token,
        &as_link,
        &forged,
        &user_jwt("alice"),
        &f.api_key,
    ] {
        let refused = looks(bad).await;
        assert_eq!(
            (refused.status, &refused.text),
            (UNAUTHORIZED, &unknown.text)
        );
        assert!(refused.headers.contains_key("www-authenticate"));
    }
}

#[tokio::test]
async fn a_token_of_one_kind_is_none_of_the_other() {
    let f = start_default().await;
    let (order, _) = f.buy("alice").await;
    let (_, link) = f.issue(&order, "links", &json!({})).await;
    let (_, token) = f.issue(&order, "payment-tokens", &json!({})).await;
    let bare = link.trim_start_matches("oc_link_");
    assert_eq!(f.reads(&order, bare).await, UNAUTHORIZED);
    let (_, reply) = socket::first_reply(&f, &json!(f.project), bare).await;
    assert!(reply.contains("109"), "{reply}");
    let dressed = format!("oc_link_{token}");
    assert_eq!(f.get("/v1/link", &dressed).await.status, UNAUTHORIZED);
    assert_eq!(f.reads(&order, &dressed).await, UNAUTHORIZED);
}

#[tokio::test]
async fn bad_requests_for_tokens_are_refused() {
    let f = start_default().await;
    let (order, _) = f.buy("alice").await;
    for what in ["payment-tokens", "links"] {
        let path = f.tokens_of(&order, what);
        for body in [
            json!({ "expires_in_seconds": 59 }),
            json!({ "expires_in_seconds": 31_536_001 }),
            json!({ "expires_in_seconds": "60" }),
            json!({ "expires_in": 60 }),
        ] {
            let refused = f.post(&path, &f.api_key, &body).await;
            assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        }
        let missing = f
            .post(&f.tokens_of(&json!(77), what), &f.api_key, &json!({}))
            .await;
        assert_eq!(missing.status, StatusCode::NOT_FOUND);
        let missing = f.get(&f.tokens_of(&json!(77), what), &f.api_key).await;
        assert_eq!(missing.status, StatusCode::NOT_FOUND);
        let buyer = f.post(&path, &user_jwt("alice"), &json!({})).await;
        assert_eq!(buyer.status, UNAUTHORIZED);
        for _ in 0..20 {
            f.issue(&order, what, &json!({})).await;
        }
        let over = f.post(&path, &f.api_key, &json!({})).await;
        let got = (over.status.as_u16(), over.code());
        assert_eq!(got, (409, "limit_reached".to_owned()), "{}", over.text);
    }
}
