//! The document says what the server does, and `docs/openapi.json` is that document.

use crate::support::start_default;
use reqwest::StatusCode;
use serde_json::Value;
use std::{collections::HashSet, path::Path};

const REWRITE: &str = "ORDERCAST_WRITE_OPENAPI";

#[tokio::test]
async fn the_committed_document_is_the_served_one() {
    let f = start_default().await;
    let answer = f.internal("/openapi.json").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.headers["content-type"], "application/json");
    let served = serde_json::to_string_pretty(&answer.json()).expect("JSON") + "\n";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    if std::env::var_os(REWRITE).is_some() {
        std::fs::write(&file, &served).expect("write docs/openapi.json");
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    let difference = committed
        .lines()
        .zip(served.lines())
        .enumerate()
        .find(|(_, (committed, served))| committed != served);
    assert!(
        committed == served,
        "docs/openapi.json is not what the server serves; first difference: {difference:?}\n\
         If the change of the API is meant: {REWRITE}=1 cargo test -p ordercast-server --test http openapi"
    );
}

#[tokio::test]
async fn every_reference_leads_somewhere_and_every_operation_has_a_name_of_its_own() {
    let f = start_default().await;
    let document = f.internal("/openapi.json").await.json();
    let mut references = Vec::new();
    collect(&document, &mut references);
    assert!(references.len() > 300, "{}", references.len());
    for reference in references {
        let pointer = reference.strip_prefix('#').expect("local");
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    let mut names = HashSet::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("item") {
            let name = operation["operationId"].as_str().expect("operationId");
            assert!(names.insert(name), "{name}");
            for member in ["summary", "tags", "responses"] {
                assert!(operation.get(member).is_some(), "{method} {path}: {member}");
            }
        }
    }
}

fn collect<'a>(value: &'a Value, references: &mut Vec<&'a str>) {
    match value {
        Value::Object(members) => {
            references.extend(members.get("$ref").and_then(Value::as_str));
            members
                .values()
                .for_each(|value| collect(value, references));
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, references)),
        _ => {}
    }
}

#[tokio::test]
async fn the_page_comes_whole_from_the_server() {
    let f = start_default().await;
    for part in [
        "",
        "index.css",
        "swagger-ui.css",
        "swagger-ui-bundle.js",
        "swagger-ui-standalone-preset.js",
    ] {
        let answer = f.internal(&format!("/docs/{part}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{part}");
        assert_eq!(answer.headers["content-encoding"], "gzip", "{part}");
    }
    let settings = f.internal("/docs/swagger-initializer.js").await.text;
    assert!(settings.contains("\"/openapi.json\""), "{settings}");
    assert!(!settings.contains("://"), "{settings}");
}
