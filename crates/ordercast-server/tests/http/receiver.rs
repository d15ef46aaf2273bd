//! A shop's backend that takes webhooks: each request comes to the test, which says how it is answered.

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::Value;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

pub struct Receiver {
    pub url: String,
    requests: mpsc::UnboundedReceiver<Received>,
}

pub struct Received {
    pub headers: HeaderMap,
    pub body: Bytes,
    answer: oneshot::Sender<Response>,
}

impl Receiver {
    pub async fn start() -> Self {
        let (sender, requests) = mpsc::unbounded_channel();
        let router = Router::new().fallback(receive).with_state(sender);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let url = format!(
            "http://{}/webhooks",
            listener.local_addr().expect("address")
        );
        tokio::spawn(async { axum::serve(listener, router).await });
        Self { url, requests }
    }

    /// The next request.
    pub async fn next(&mut self) -> Received {
        let next = tokio::time::timeout(Duration::from_secs(60), self.requests.recv());
        next.await.expect("a webhook comes").expect("a request")
    }

    /// The next request, answered with 204.
    pub async fn accept(&mut self) -> Received {
        let mut received = self.next().await;
        received.reply(StatusCode::NO_CONTENT);
        received
    }

    /// Whether none has come. Only what was sent before an event that the test has seen counts.
    pub fn is_quiet(&mut self) -> bool {
        self.requests.try_recv().is_err()
    }
}

impl Received {
    pub fn reply(&mut self, answer: impl IntoResponse) {
        let (unused, _) = oneshot::channel();
        let sender = std::mem::replace(&mut self.answer, unused);
        let _ = sender.send(answer.into_response());
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// `type` of an event, `notification_type` of the reference.
    pub fn kind(&self) -> String {
        let body = self.json();
        let kind = body.get("type").or_else(|| body.get("notification_type"));
        kind.and_then(Value::as_str).unwrap_or_default().to_owned()
    }
}

async fn receive(
    State(requests): State<mpsc::UnboundedSender<Received>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (answer, answered) = oneshot::channel();
    let _ = requests.send(Received {
        headers,
        body,
        answer,
    });
    // A test that drops a request is a receiver that dies.
    answered
        .await
        .unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}
