//! The database of an older release under this one: it opens, migrates, and every promise that the older
//! release made is kept. `upgrade/make.py` made the folder with that release's binary.

use serde_json::{Value, json};
use sha1::{Digest, Sha1};
use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

const RELEASE: &str = "ea1afe2";

struct Upgraded {
    child: Child,
    base: String,
    expected: Value,
    client: reqwest::Client,
    _folder: tempfile::TempDir,
}

impl Drop for Upgraded {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Upgraded {
    fn start() -> Self {
        let fixture = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("tests/upgrade")
            .join(RELEASE);
        let folder = tempfile::tempdir().expect("folder");
        for name in ["ordercast.db", "ordercast.db.mark"] {
            std::fs::copy(fixture.join(name), folder.path().join(name)).expect("copied");
        }
        let expected = std::fs::read(fixture.join("expected.json")).expect("expected.json");
        let expected: Value = serde_json::from_slice(&expected).expect("JSON");
        let (child, base) = serve(folder.path(), &expected);
        Self {
            child,
            base,
            expected,
            client: reqwest::Client::new(),
            _folder: folder,
        }
    }

    fn text(&self, name: &str) -> &str {
        self.expected[name].as_str().expect(name)
    }

    fn number(&self, order: &str) -> &Value {
        &self.expected["orders"][order]["order_id"]
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> (u16, Value) {
        let answer = request.send().await.expect("answer");
        let status = answer.status().as_u16();
        let text = answer.text().await.expect("body");
        (
            status,
            serde_json::from_str(&text).unwrap_or(Value::String(text)),
        )
    }

    async fn order(&self, order: &str) -> Value {
        let path = format!("/v1/projects/7/orders/{}", self.number(order));
        let request = self.client.get(format!("{}{path}", self.base));
        let (status, order) = self.send(request.bearer_auth(self.text("api_key"))).await;
        assert_eq!(status, 200, "{order}");
        order
    }

    /// A webhook of the reference provider, signed with the secret that the older release gave out.
    async fn tell(&self, kind: &str, order: &str, transaction: u32) -> (u16, Value) {
        let body = json!({
            "notification_type": kind,
            "order": {
                "id": self.number(order), "mode": "default", "currency_type": "real",
                "currency": "USD", "amount": "10.00", "invoice_id": transaction.to_string(),
            },
            "user": { "external_id": "alice" },
            "billing": {
                "settings": { "project_id": 7, "merchant_id": 1 },
                "purchase": { "total": { "currency": "USD", "amount": 10.0 } },
                "transaction": { "id": transaction, "dry_run": 0 },
            },
        })
        .to_string();
        let signed = [body.as_bytes(), self.text("source_secret").as_bytes()].concat();
        let signature = data_encoding::HEXLOWER.encode(&Sha1::digest(signed));
        let url = format!("{}/v1/inbox/{}", self.base, self.text("source"));
        let request = self.client.post(url).body(body);
        let request = request.header("content-type", "application/json");
        self.send(request.header("authorization", format!("Signature {signature}")))
            .await
    }
}

fn serve(folder: &Path, expected: &Value) -> (Child, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ordercast"))
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--log-format",
            "json",
            "--data-dir",
        ])
        .arg(folder)
        .env(
            "ORDERCAST_ROOT_KEY",
            expected["root_key"].as_str().expect("key"),
        )
        .env(
            "ORDERCAST_SECRETS_KEY",
            expected["secrets_key"].as_str().expect("key"),
        )
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut log = BufReader::new(child.stderr.take().expect("stderr")).lines();
    let address = log
        .by_ref()
        .map_while(Result::ok)
        .filter_map(|line| serde_json::from_str::<Value>(&line).ok())
        .find(|line| line["message"] == "serving")
        .and_then(|line| line["address"].as_str().map(ToOwned::to_owned))
        .expect("says where it serves");
    // Read on, or the server would write to a closed pipe.
    std::thread::spawn(move || log.for_each(drop));
    (child, format!("http://{address}"))
}

#[tokio::test]
async fn every_order_keeps_its_status_version_and_money() {
    let server = Upgraded::start();
    for (name, before) in server.expected["orders"].as_object().expect("orders") {
        let now = server.order(name).await;
        for member in [
            "status",
            "version",
            "price",
            "net_paid",
            "payment",
            "fulfilment",
            "created_at",
        ] {
            assert_eq!(now[member], before[member], "{name}: {member}");
        }
    }
}

#[tokio::test]
async fn what_a_provider_tells_of_an_older_payment_still_finds_its_order() {
    let server = Upgraded::start();
    let (status, answer) = server
        .tell("order_paid", "paid by the provider", 1001)
        .await;
    assert_eq!(
        (status, &answer["duplicate"]),
        (200, &json!(true)),
        "{answer}"
    );
    let (status, answer) = server
        .tell("order_canceled", "paid by the provider", 1001)
        .await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(
        server.order("paid by the provider").await["status"],
        "canceled"
    );
}

#[tokio::test]
async fn a_repeated_idempotency_key_gets_the_older_answer() {
    let server = Upgraded::start();
    let url = format!("{}/v1/projects/7/orders", server.base);
    let request = server.client.post(url).bearer_auth(server.text("api_key"));
    let request = request.header("idempotency-key", server.text("idempotency_key"));
    // Byte for byte: the key was stored with a hash of the body.
    let body = r#"{"user_external_id": "frank", "price": {"amount": "10.00", "currency": "USD"}}"#;
    let request = request
        .header("content-type", "application/json")
        .body(body);
    let (status, answer) = server.send(request).await;
    assert_eq!(status, 201, "{answer}");
    assert_eq!(
        answer["order_id"],
        server.expected["idempotent_answer"]["order_id"]
    );
}

#[tokio::test]
async fn tokens_that_were_given_out_still_open_their_order() {
    let server = Upgraded::start();
    let order = server.number("new");
    let path = format!("{}/api/v2/project/7/order/{order}", server.base);
    for token in ["payment_token", "link_token"] {
        let request = server.client.get(&path).bearer_auth(server.text(token));
        let (status, answer) = server.send(request).await;
        assert_eq!(
            (status, &answer["status"]),
            (200, &json!("new")),
            "{token}: {answer}"
        );
    }
}

#[tokio::test]
async fn new_orders_get_numbers_that_were_never_given_out() {
    let server = Upgraded::start();
    let known: Vec<&Value> = server.expected["orders"]
        .as_object()
        .expect("orders")
        .values()
        .map(|order| &order["order_id"])
        .collect();
    for _ in 0..20 {
        let url = format!("{}/v1/projects/7/orders", server.base);
        let body =
            json!({ "user_external_id": "gina", "price": { "amount": "1.00", "currency": "USD" } });
        let request = server.client.post(url).bearer_auth(server.text("api_key"));
        let request = request
            .header("content-type", "application/json")
            .body(body.to_string());
        let (status, made) = server.send(request).await;
        assert_eq!(status, 201, "{made}");
        assert!(!known.contains(&&made["order_id"]), "{made}");
    }
}

#[tokio::test]
async fn a_client_of_the_older_release_recovers_in_the_same_epoch() {
    let server = Upgraded::start();
    for (buyer, seen) in server.expected["buyers"].as_object().expect("buyers") {
        let claims = json!({ "sub": buyer, "exp": jsonwebtoken::get_current_timestamp() + 600 });
        let key = jsonwebtoken::EncodingKey::from_secret(server.text("jwt_secret").as_bytes());
        let auth =
            jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).expect("token");
        let channel = seen["channel"].as_str().expect("channel");
        let position = json!({ "recover": true, "epoch": seen["epoch"], "offset": 0 });
        let connect = json!({ "id": 1, "connect": {
            "data": { "auth": auth, "project_id": 7 }, "subs": { (channel): position },
        } });
        let url = format!("{}/connection/http_stream", server.base);
        let request = server
            .client
            .post(url)
            .header("content-type", "application/json");
        let mut stream = request
            .body(connect.to_string())
            .send()
            .await
            .expect("stream");
        let first = stream.chunk().await.expect("frame").expect("a frame");
        let first = String::from_utf8_lossy(&first).into_owned();
        let reply: Value = serde_json::from_str(first.lines().next().expect("line")).expect("JSON");
        let subscription = &reply["connect"]["subs"][channel];
        assert_eq!(subscription["epoch"], seen["epoch"], "{buyer}: {reply}");
        assert_eq!(subscription["recovered"], true, "{buyer}: {reply}");
    }
}
