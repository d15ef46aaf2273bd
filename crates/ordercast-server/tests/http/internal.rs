//! The internal listener: what the operator's own network may see, and the public port has not.

use crate::support::{start_default, try_serve_with};
use reqwest::{Method, StatusCode};

#[tokio::test]
async fn the_public_port_has_neither_metrics_nor_documentation() {
    let f = start_default().await;
    for path in ["/metrics", "/docs/", "/openapi.json", "/health/ready"] {
        let public = f.send(Method::GET, path, &[], "").await;
        assert_eq!(public.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(f.internal(path).await.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn a_healthy_server_is_alive_and_ready() {
    let f = start_default().await;
    assert_eq!(f.internal("/health/live").await.json()["status"], "ok");
    let ready = f.internal("/health/ready").await.json();
    assert_eq!(ready["status"], "ready");
    assert_eq!(ready["reasons"], serde_json::json!([]));
}

#[tokio::test]
async fn a_page_that_names_itself_cannot_read_what_is_on_loopback() {
    let f = start_default().await;
    let address = f.internal_address();
    for (host, status) in [
        ("attacker.example", 421),
        ("attacker.example:8080", 421),
        ("localhost:9080", 200),
        ("127.0.0.1", 200),
        ("[::1]:1", 200),
    ] {
        let request = reqwest::Client::new()
            .get(format!("http://{address}/metrics"))
            .header("host", host);
        let answer = request.send().await.expect("answer");
        assert_eq!(answer.status(), status, "{host}");
    }
}

#[tokio::test]
async fn an_internal_address_that_is_taken_is_refused_by_name() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    let folder = tempfile::tempdir().expect("folder");
    let address = taken.local_addr().expect("address");
    let error = try_serve_with(folder.path(), |flags| flags.internal_listen = Some(address))
        .await
        .expect_err("taken");
    assert!(error.to_string().contains("internal_listen"), "{error}");
}

#[tokio::test]
async fn an_answer_carries_the_id_of_its_request() {
    let f = start_default().await;
    let id = "order-page-42";
    let answer = f
        .send(Method::GET, "/health", &[("x-request-id", id)], "")
        .await;
    assert_eq!(answer.headers["x-request-id"], id);
    let long = "x".repeat(200);
    let mut made = std::collections::HashSet::new();
    for given in [None, None, Some(long.as_str()), Some("with space")] {
        let headers: Vec<_> = given.map(|id| ("x-request-id", id)).into_iter().collect();
        let answer = f.send(Method::GET, "/health", &headers, "").await;
        let id = answer.headers["x-request-id"]
            .to_str()
            .expect("text")
            .to_owned();
        assert_eq!(id.len(), 16, "{id}");
        assert!(made.insert(id));
    }
}
