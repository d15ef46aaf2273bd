//! `backup`, `restore` and `doctor` as an operator runs them, beside a real server.

use serde_json::Value;
use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Output, Stdio},
};

const ROOT_KEY: &str = "root-key-of-the-operations-test-0123456789";

fn ordercast(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ordercast"));
    command.args(args).env_remove("ORDERCAST_DATA_DIR");
    command
}

fn run(args: &[&str]) -> Output {
    ordercast(args).output().expect("runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A running server; killed when dropped.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(folder: &Path) -> Self {
        let folder = folder.to_str().expect("path");
        let mut child = ordercast(&["serve", "--listen", "127.0.0.1:0", "--data-dir", folder])
            .args(["--log-format", "json"])
            .env("ORDERCAST_ROOT_KEY", ROOT_KEY)
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts");
        let log = BufReader::new(child.stderr.take().expect("stderr"));
        let address = log
            .lines()
            .map_while(Result::ok)
            .filter_map(|line| serde_json::from_str::<Value>(&line).ok())
            .find(|line| line["message"] == "serving")
            .and_then(|line| line["address"].as_str().map(ToOwned::to_owned))
            .expect("says where it serves");
        Self { child, address }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn doctor(folder: &Path, address: &str) -> (Option<i32>, Value) {
    let output = ordercast(&["doctor", "--json", "--full", "--data-dir"])
        .arg(folder)
        .env("ORDERCAST_LISTEN", address)
        .output()
        .expect("runs");
    let report = serde_json::from_slice(&output.stdout).expect("JSON");
    (output.status.code(), report)
}

fn finding<'a>(report: &'a Value, subject: &str) -> &'a Value {
    let findings = report["findings"].as_array().expect("list");
    findings
        .iter()
        .find(|finding| finding["subject"] == subject)
        .unwrap_or_else(|| panic!("no {subject} in {report:#}"))
}

#[test]
fn a_running_server_is_backed_up_and_the_backup_restored_elsewhere() {
    let folder = tempfile::tempdir().expect("folder");
    let (data, other) = (folder.path().join("data"), folder.path().join("other"));
    let copy = folder.path().join("orders.db");
    let server = Server::start(&data);
    let (data, other, copy) = (
        data.to_str().expect("path"),
        other.to_str().expect("path"),
        copy.to_str().expect("path"),
    );
    let made = run(&["backup", "--data-dir", data, copy]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let again = run(&["backup", "--data-dir", data, copy]);
    assert!(!again.status.success());
    assert!(text(&again.stderr).contains("is there already"));

    let in_use = run(&["restore", "--data-dir", data, "--replace", copy]);
    assert!(!in_use.status.success());
    assert!(
        text(&in_use.stderr).contains("in use"),
        "{}",
        text(&in_use.stderr)
    );
    drop(server);
    let taken = run(&["restore", "--data-dir", data, copy]);
    assert!(
        text(&taken.stderr).contains("--replace"),
        "{}",
        text(&taken.stderr)
    );
    let restored = run(&["restore", "--data-dir", other, copy]);
    assert!(restored.status.success(), "{}", text(&restored.stderr));
    // Its secrets are sealed with a key that a backup does not hold.
    let key = "secrets.key";
    std::fs::copy(Path::new(data).join(key), Path::new(other).join(key)).expect("copied");
    drop(Server::start(Path::new(other)));
}

#[test]
fn the_doctor_finds_a_healthy_server_healthy_and_says_what_is_wrong_with_others() {
    let folder = tempfile::tempdir().expect("folder");
    let data = folder.path().join("data");
    let server = Server::start(&data);
    let (_, report) = doctor(&data, &server.address);
    for subject in [
        "configuration",
        "database",
        "integrity",
        "clock",
        "address",
        "keys",
    ] {
        assert_eq!(finding(&report, subject)["level"], "ok", "{report:#}");
    }
    let address = server.address.clone();
    drop(server);

    let database = data.join("ordercast.db");
    // The killed server's log holds every page: without it only the file is left.
    std::fs::remove_file(data.join("ordercast.db-wal")).expect("removed");
    std::fs::write(&database, vec![0x4F; 8192]).expect("written");
    let (code, report) = doctor(&data, &address);
    assert_eq!(code, Some(2));
    let broken = finding(&report, "database");
    assert_eq!(broken["level"], "error");
    assert!(
        broken["advice"]
            .as_str()
            .is_some_and(|advice| advice.contains("restore"))
    );

    let (code, report) = doctor(&data, "not an address");
    assert_eq!(code, Some(2));
    assert_eq!(finding(&report, "configuration")["level"], "error");
}

#[test]
fn the_doctor_sees_a_restore_that_was_interrupted() {
    let folder = tempfile::tempdir().expect("folder");
    let data = folder.path().join("data");
    drop(Server::start(&data));
    let database = data.join("ordercast.db");
    std::fs::rename(&database, data.join("ordercast.db.before-restore-1")).expect("moved");
    let (code, report) = doctor(&data, "127.0.0.1:0");
    assert_eq!(code, Some(2));
    let found = finding(&report, "database");
    assert!(
        found["found"]
            .as_str()
            .is_some_and(|found| found.contains("interrupted")),
        "{found:#}"
    );
}

#[cfg(unix)]
#[test]
fn the_doctor_sees_secrets_that_others_may_read() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("folder");
    let data = folder.path().join("data");
    drop(Server::start(&data));
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(data.join("ordercast.db"), open).expect("set");
    let (code, report) = doctor(&data, "127.0.0.1:0");
    assert_eq!(code, Some(2));
    let found = finding(&report, "data folder");
    assert!(
        found["advice"]
            .as_str()
            .is_some_and(|advice| advice.contains("chmod 600"))
    );
}

#[test]
fn the_doctor_refuses_what_a_server_would_not_start_with() {
    let folder = tempfile::tempdir().expect("folder");
    let data = folder.path().join("data");
    drop(Server::start(&data));
    let start = |report: &Value| finding(report, "start").clone();
    let (_, report) = doctor(&data, "127.0.0.1:0");
    assert_eq!(start(&report)["level"], "ok", "{report:#}");

    let key = data.join("secrets.key");
    std::fs::write(&key, "oc_secrets_another-key-than-the-right-one-0123456789").expect("written");
    let (code, report) = doctor(&data, "127.0.0.1:0");
    assert_eq!(code, Some(2));
    assert_eq!(start(&report)["level"], "error", "{report:#}");

    std::fs::remove_file(&key).expect("removed");
    let (code, report) = doctor(&data, "127.0.0.1:0");
    assert_eq!(code, Some(2));
    let found = start(&report)["found"].as_str().expect("text").to_owned();
    assert!(found.contains("secrets.key"), "{found}");
    assert!(!key.exists(), "looking must make no key");
}

#[test]
fn the_doctor_knows_how_old_the_newest_backup_is() {
    let folder = tempfile::tempdir().expect("folder");
    let data = folder.path().join("data");
    let server = Server::start(&data);
    let backup = || {
        let (_, report) = doctor(&data, &server.address);
        finding(&report, "backup")["level"].clone()
    };
    assert_eq!(backup(), "warning");
    let copy = folder.path().join("copy.db");
    let (data, copy) = (data.to_str().expect("path"), copy.to_str().expect("path"));
    assert!(run(&["backup", "--data-dir", data, copy]).status.success());
    assert_eq!(backup(), "ok");
}

#[test]
fn the_doctor_checks_the_key_pair() {
    let folder = tempfile::tempdir().expect("folder");
    let check = |certificate: &str, level: &str, expected: &str| {
        let file = |name, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("written");
            path
        };
        let key = rcgen::KeyPair::generate().expect("key");
        let mut params =
            rcgen::CertificateParams::new(vec!["orders.example".to_owned()]).expect("params");
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after =
            rcgen::date_time_ymd(if certificate == "old" { 2021 } else { 4000 }, 1, 1);
        let signed = params.self_signed(&key).expect("signed").pem();
        let other = rcgen::KeyPair::generate().expect("key");
        let key = if certificate == "foreign" { other } else { key };
        let output = ordercast(&["doctor", "--json", "--data-dir"])
            .arg(folder.path().join("data"))
            .env("ORDERCAST_LISTEN", "127.0.0.1:0")
            .env("ORDERCAST_TLS_CERTIFICATE", file("tls.crt", &signed))
            .env("ORDERCAST_TLS_KEY", file("tls.key", &key.serialize_pem()))
            .output()
            .expect("runs");
        let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let found = finding(&report, "TLS certificate");
        assert_eq!(found["level"], level, "{found:#}");
        let said = found["found"].as_str().expect("text");
        assert!(said.contains(expected), "{said}");
    };
    check("good", "ok", "valid until 4000-01-01");
    check("old", "error", "expired at 2021-01-01");
    check("foreign", "error", "does not belong to");
}
