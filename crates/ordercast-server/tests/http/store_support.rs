//! A shop with a catalogue that has one item of each kind, and calls as SDKs make them.

use crate::support::{self, Answer, Fixture, JWT_SECRET, user_jwt};
use reqwest::Method;
use serde_json::{Value, json};

/// Set by every test that needs more than the default.
pub async fn shop() -> Fixture {
    shop_with(json!({})).await
}

pub async fn shop_with(more: Value) -> Fixture {
    let mut project = json!({
        "name": "Test",
        "hs256_secret": JWT_SECRET,
        "guests": true,
        "items": [
            { "sku": "sword", "name": "Sword", "price": { "amount": "1.99", "currency": "USD" },
              "prices": [{ "amount": "1.79", "currency": "EUR" }] },
            { "sku": "shield", "name": "Shield", "description": "Round",
              "price": { "amount": "10", "currency": "USD", "amount_without_discount": "12.50" } },
            { "sku": "fan", "name": "Fan", "price": { "amount": "500", "currency": "JPY" } },
            { "sku": "badge", "name": "Badge", "is_free": true },
            { "sku": "gems", "name": "Gems", "type": "virtual_currency" },
            { "sku": "gold", "name": "Gold", "type": "virtual_currency" },
            { "sku": "potion", "name": "Potion", "virtual_prices": [
                { "sku": "gold", "amount": 3 },
                { "sku": "gems", "amount": 100, "amount_without_discount": 150, "is_default": true },
            ] },
        ],
    });
    for (name, value) in more.as_object().expect("object") {
        project[name] = value.clone();
    }
    support::start(project).await
}

/// What an SDK sends along with every request.
const ENGINE: &str = "?engine=unity&engine_v=2022.3&sdk=store&sdk_v=2.5.6&build_platform=ios";

impl Fixture {
    pub async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Answer {
        let mut all = vec![
            ("content-type", "application/json"),
            ("x-engine", "UNITY"),
            ("x-sdk-v", "2.5.6"),
        ];
        all.extend_from_slice(headers);
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let path = if path.contains('?') {
            path.to_owned()
        } else {
            format!("{path}{ENGINE}")
        };
        self.send(method, &path, &all, body).await
    }

    /// As a user.
    pub async fn user(&self, method: Method, path: &str, user: &str, body: &Value) -> Answer {
        let bearer = format!("Bearer {}", user_jwt(user));
        self.ask(method, &self.v2(path), &[("authorization", &bearer)], body)
            .await
    }

    /// As a guest.
    pub async fn guest(&self, method: Method, path: &str, id: &str, body: &Value) -> Answer {
        self.ask(method, &self.v2(path), &[("x-unauthorized-id", id)], body)
            .await
    }

    /// As the shop, with Basic.
    pub async fn admin(&self, path: &str, body: &Value) -> Answer {
        self.admin_with(path, &self.api_key, &[], body).await
    }

    pub async fn admin_with(
        &self,
        path: &str,
        key: &str,
        more: &[(&str, &str)],
        body: &Value,
    ) -> Answer {
        let login = format!("{}:{key}", self.project);
        let basic = format!("Basic {}", data_encoding::BASE64.encode(login.as_bytes()));
        let mut headers = vec![("authorization", basic.as_str())];
        headers.extend_from_slice(more);
        let path = format!("/api/v3/project/{}/admin{path}", self.project);
        self.ask(Method::POST, &path, &headers, body).await
    }

    /// On `/v1`, with the API key.
    pub async fn shop(&self, method: Method, path: &str, body: &Value) -> Answer {
        let bearer = format!("Bearer {}", self.api_key);
        self.ask(method, &self.v1(path), &[("authorization", &bearer)], body)
            .await
    }

    pub async fn set_balance(&self, user: &str, currency: &str, amount: i64) {
        let path = format!("/users/{user}/balances/{currency}");
        let set = self
            .shop(Method::PUT, &path, &json!({ "amount": amount }))
            .await;
        assert_eq!(set.status.as_u16(), 200, "{}", set.text);
    }

    pub async fn balance(&self, user: &str, currency: &str) -> Value {
        let path = format!("/users/{user}/balances");
        let balances = self.shop(Method::GET, &path, &Value::Null).await.json();
        let all = balances["balances"].as_array().expect("list");
        let found = all.iter().find(|balance| balance["sku"] == currency);
        found.map_or(Value::Null, |balance| balance["amount"].clone())
    }
}

/// The shape of section 2.1, with the status twice, and nothing else.
pub fn check_error(answer: &Answer, status: u16, code: u32, what: &str) {
    assert_eq!(answer.status.as_u16(), status, "{what}: {}", answer.text);
    assert_eq!(answer.headers["content-type"], "application/json", "{what}");
    let body = answer.json();
    let members = body.as_object().expect("object");
    assert_eq!(
        members.keys().collect::<Vec<_>>(),
        ["errorCode", "errorMessage", "statusCode"],
        "{what}"
    );
    assert_eq!(body["statusCode"], status, "{what}");
    assert_eq!(body["errorCode"], code, "{what}: {}", answer.text);
    let message = body["errorMessage"].as_str().expect("text");
    assert!(
        message.starts_with(&format!("[0401-{code:04}]: ")),
        "{what}: {message}"
    );
}

/// What an engine's SDK looks for in the body of a 200.
pub fn check_success(answer: &Answer, what: &str) -> Value {
    assert!(answer.status.is_success(), "{what}: {}", answer.text);
    let has = |words: &[&str]| words.iter().all(|word| answer.text.contains(word));
    assert!(!has(&["statusCode", "errorCode", "errorMessage"]), "{what}");
    assert!(!has(&["error", "code", "description"]), "{what}");
    if answer.text.is_empty() {
        Value::Null
    } else {
        answer.json()
    }
}
