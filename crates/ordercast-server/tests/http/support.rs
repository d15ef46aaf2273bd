//! A server on a free port with one project, and a client that reads like an example.

use ordercast_server::{
    Bound, Server, StartError,
    config::{Config, Partial},
};
use reqwest::{Method, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use std::{
    path::Path,
    sync::Mutex,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

pub const ROOT_KEY: &str = "root-key-of-the-tests-0123456789abcdef";
pub const JWT_SECRET: &str = "jwt-secret-of-the-tests-0123456789abcdef";

pub struct Fixture {
    pub base: String,
    pub client: reqwest::Client,
    pub project: i64,
    pub api_key: String,
    pub source: String,
    pub inbox_secret: String,
    server: Mutex<Option<Server>>,
    folder: tempfile::TempDir,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    async fn of(response: reqwest::Response) -> Self {
        Self {
            status: response.status(),
            headers: response.headers().clone(),
            text: response.text().await.expect("body"),
        }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }

    /// `code` of a problem, or `errorCode` of the store API.
    pub fn code(&self) -> String {
        let body = self.json();
        body.get("code")
            .and_then(Value::as_str)
            .map(ToOwned::to_owned)
            .unwrap_or_else(|| body["errorCode"].to_string())
    }
}

pub async fn start(project: Value) -> Fixture {
    start_with(project, |_| {}).await
}

/// With settings of its own, until it is restarted.
pub async fn start_with(project: Value, set: impl FnOnce(&mut Partial)) -> Fixture {
    let folder = tempfile::tempdir().expect("folder");
    let (base, server) = try_serve_with(folder.path(), set).await.expect("open");
    let mut fixture = Fixture {
        base,
        client: reqwest::Client::new(),
        project: 0,
        api_key: String::new(),
        source: String::new(),
        inbox_secret: String::new(),
        server: Mutex::new(Some(server)),
        folder,
    };
    let made = fixture.post("/v1/projects", ROOT_KEY, &project).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let made = made.json();
    let text = |at: &str| {
        made.pointer(at)
            .and_then(Value::as_str)
            .expect(at)
            .to_owned()
    };
    fixture.project = made["project_id"].as_i64().expect("project_id");
    fixture.api_key = text("/api_key");
    fixture.source = text("/inbox/source");
    fixture.inbox_secret = text("/inbox/secret");
    fixture
}

/// A server on a data folder that may have been used before.
pub async fn try_serve(folder: &Path) -> Result<(String, Server), StartError> {
    try_serve_with(folder, |_| {}).await
}

/// With settings of the test's own.
pub async fn try_serve_with(
    folder: &Path,
    set: impl FnOnce(&mut Partial),
) -> Result<(String, Server), StartError> {
    let mut flags = <Partial as confique::Layer>::empty();
    flags.listen = Some("127.0.0.1:0".parse().expect("address"));
    flags.data_dir = Some(folder.to_owned());
    flags.root_key = Some(ROOT_KEY.to_owned());
    // Identity providers of the tests are on this machine.
    flags.jwks_allow_private = Some(true);
    // Tests are faster than any shop.
    flags.requests_per_key = Some(0);
    flags.orders_per_buyer = Some(0);
    flags.polls_per_order = Some(0);
    flags.guest_requests_per_address = Some(0);
    flags.guest_requests_per_project = Some(0);
    set(&mut flags);
    let bound = Bound::open(Config::load(flags, None).expect("config")).await?;
    let base = format!("http://{}", bound.address);
    Ok((base, bound.serve(axum::Router::new())))
}

pub async fn start_default() -> Fixture {
    start(json!({
        "name": "Test",
        "hs256_secret": JWT_SECRET,
        "items": [{ "sku": "sword", "name": "Sword", "price": { "amount": "1.99", "currency": "USD" } }],
    }))
    .await
}

impl Fixture {
    /// Stops the server and starts another one on the same data.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.start_again().await;
    }

    pub async fn stop(&self) {
        let server = self.server.lock().expect("server").take();
        let server = server.expect("a server");
        server.stop(Duration::ZERO).await;
    }

    pub async fn start_again(&mut self) {
        self.start_again_with(|_| {}).await;
    }

    pub async fn start_again_with(&mut self, set: impl FnOnce(&mut Partial)) {
        let (base, server) = try_serve_with(self.folder.path(), set).await.expect("open");
        self.base = base;
        self.server = Mutex::new(Some(server));
    }

    pub fn internal_address(&self) -> std::net::SocketAddr {
        let server = self.server.lock().expect("server");
        server.as_ref().expect("a server").internal_address()
    }

    /// Of the internal listener, which asks for no credential.
    pub async fn internal(&self, path: &str) -> Answer {
        let url = format!("http://{}{path}", self.internal_address());
        Answer::of(self.client.get(url).send().await.expect("answer")).await
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub async fn put(&self, path: &str, bearer: &str, body: &Value) -> Answer {
        let authorization = format!("Bearer {bearer}");
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-type", "application/json"),
        ];
        self.send(Method::PUT, path, &headers, body.to_string())
            .await
    }

    pub async fn delete(&self, path: &str, bearer: &str) -> Answer {
        let authorization = format!("Bearer {bearer}");
        self.send(
            Method::DELETE,
            path,
            &[("authorization", &authorization)],
            "",
        )
        .await
    }

    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.base))
            .body(body.into());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Answer::of(request.send().await.expect("answer")).await
    }

    pub async fn get(&self, path: &str, bearer: &str) -> Answer {
        let authorization = format!("Bearer {bearer}");
        self.send(Method::GET, path, &[("authorization", &authorization)], "")
            .await
    }

    pub async fn post(&self, path: &str, bearer: &str, body: &Value) -> Answer {
        self.post_with(path, bearer, body, &[]).await
    }

    pub async fn post_with(
        &self,
        path: &str,
        bearer: &str,
        body: &Value,
        more: &[(&str, &str)],
    ) -> Answer {
        let authorization = format!("Bearer {bearer}");
        let mut headers = vec![
            ("authorization", authorization.as_str()),
            ("content-type", "application/json"),
        ];
        headers.extend_from_slice(more);
        self.send(Method::POST, path, &headers, body.to_string())
            .await
    }

    /// `/v1/projects/{p}` and the rest.
    pub fn v1(&self, rest: &str) -> String {
        format!("/v1/projects/{}{rest}", self.project)
    }

    /// `/api/v2/project/{p}` and the rest.
    pub fn v2(&self, rest: &str) -> String {
        format!("/api/v2/project/{}{rest}", self.project)
    }

    pub async fn create_order(&self, user: &str) -> i64 {
        self.create_order_with(&self.api_key, user).await
    }

    pub async fn create_order_with(&self, key: &str, user: &str) -> i64 {
        let body = json!({
            "user_external_id": user,
            "items": [{ "sku": "sword", "price": { "amount": "1.99", "currency": "USD" } }],
        });
        let made = self.post(&self.v1("/orders"), key, &body).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        made.json()["order_id"].as_i64().expect("order_id")
    }
}

pub fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("clock")
        .as_secs()
}

/// A valid HS256 user JWT of the default project.
pub fn user_jwt(user: &str) -> String {
    let claims = json!({ "sub": user, "exp": unix_now() + 600 });
    jsonwebtoken::encode(
        &jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256),
        &claims,
        &jsonwebtoken::EncodingKey::from_secret(JWT_SECRET.as_bytes()),
    )
    .expect("token")
}
