//! The load generator in small: it finds nothing lost, doubled or misdirected, and says so in JSON.

use serde_json::Value;
use std::process::Command;

fn figures(of: &str, part: &str, more: &[&str]) -> Vec<(String, f64)> {
    let output = Command::new(env!("CARGO_BIN_EXE_ordercast"))
        .args(["bench", of, "--json", "--runs", "1", "--seconds", "1"])
        .args(["--connections", "20", "--rate", "50", "--only", part])
        .args(more)
        .output()
        .expect("runs");
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let figures = report["figures"].as_array().expect("figures");
    figures
        .iter()
        .map(|figure| {
            let name = figure["name"].as_str().expect("name").to_owned();
            (name, figure["median"].as_f64().expect("median"))
        })
        .collect()
}

const PARTS: [(&str, usize); 5] = [
    ("idle", 2),
    ("churn", 2),
    ("latency", 4),
    ("burst", 1),
    ("reconnect", 1),
];

fn every_measurement_finds_its_figures(more: &[&str]) {
    let idle = ["--settle-seconds", "0", "--idle-seconds", "1"];
    for (part, count) in PARTS {
        let found = figures("realtime", part, &[&idle, more].concat());
        assert_eq!(found.len(), count, "{found:?}");
        // An idle process may have given memory back.
        let some = |(_, value): &(String, f64)| part == "idle" || *value > 0.0;
        assert!(found.iter().all(some), "{found:?}");
    }
}

#[test]
fn every_measurement_of_realtime_finds_its_figures() {
    every_measurement_finds_its_figures(&[]);
}

#[test]
fn every_measurement_of_realtime_is_made_over_tls_and_by_two_processes() {
    every_measurement_finds_its_figures(&["--tls", "--processes", "2"]);
}

#[test]
fn every_measurement_of_webhooks_finds_its_figures() {
    let small = ["--events", "200", "--deliveries", "400"];
    for (part, count) in [("rate", 1), ("health", 2), ("backlog", 1)] {
        let found = figures("webhooks", part, &small);
        assert_eq!(found.len(), count, "{found:?}");
        assert!(found.iter().all(|(_, value)| *value >= 0.0), "{found:?}");
    }
}

#[test]
fn what_cannot_be_measured_is_refused_with_the_reason() {
    let refused = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_ordercast"))
            .args(["bench", "realtime"])
            .args(arguments)
            .output()
            .expect("runs");
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let changes = refused(&["--url", "ws://127.0.0.1:1/x", "--only", "burst"]);
    assert!(changes.contains("let buyers --publish"), "{changes}");
    let scheme = refused(&["--url", "http://127.0.0.1:1/x", "--only", "churn"]);
    assert!(scheme.contains("must begin with ws://"), "{scheme}");
    let files = refused(&["--connections", "100000000"]);
    assert!(files.contains("raise the limit"), "{files}");
}
