//! `listen`, `trigger` and `inbox dry-run` as a shop's developer uses them, beside a running demo.

use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::mpsc,
    thread,
};

/// Killed when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Demo {
    folder: tempfile::TempDir,
    url: String,
    _running: Running,
}

impl Demo {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let mut child = Command::new(env!("CARGO_BIN_EXE_ordercast"))
            .args(["demo", "--listen", "127.0.0.1:0"])
            // Tests are faster than any developer.
            .env("ORDERCAST_REQUESTS_PER_KEY", "0")
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("starts");
        let mut banner = BufReader::new(child.stdout.take().expect("stdout")).lines();
        let url = banner
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| {
                let (_, url) = line.split_once("Demo store      ")?;
                Some(url.trim_end_matches("/demo/").to_owned())
            })
            .expect("says where it is");
        // Nobody else reads it.
        thread::spawn(move || banner.for_each(drop));
        Self {
            folder,
            url,
            _running: Running(child),
        }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ordercast"));
        command
            .args(args)
            .args(["--url", &self.url])
            .current_dir(self.folder.path());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("runs")
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// Of a new order.
    fn order(&self) -> String {
        let keys = std::fs::read_to_string(self.path("ordercast-demo/demo-keys.toml"));
        let keys: toml::Table = keys.expect("keys").parse().expect("TOML");
        let body = json!({
            "user_external_id": "alice",
            "items": [{ "sku": "ember_lantern", "quantity": 1 }],
            "price": { "amount": "4.99", "currency": "USD" },
        });
        let answer = post(
            self.url.strip_prefix("http://").expect("http"),
            "/v1/projects/1/orders",
            keys["api_key"].as_str().expect("text"),
            &body.to_string(),
        );
        let order: Value = serde_json::from_str(&answer).expect("JSON");
        order["order_id"].as_u64().expect("an id").to_string()
    }
}

fn post(address: &str, path: &str, key: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("connects");
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("read");
    let (_, body) = answer.split_once("\r\n\r\n").expect("an answer");
    body.to_owned()
}

/// A backend under development: what it gets is sent on, answered with the next of `answers`.
fn backend(answers: &'static [u16]) -> (String, mpsc::Receiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let url = format!("http://{}/hook", listener.local_addr().expect("bound"));
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut answers = answers.iter().chain(std::iter::repeat(&204));
        for stream in listener.incoming().map_while(Result::ok) {
            let mut stream = BufReader::new(stream);
            // Connections are kept open: a request after the other.
            while let Some(got) = request(&mut stream) {
                let status = answers.next().expect("endless");
                let answer = format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n");
                if stream.get_mut().write_all(answer.as_bytes()).is_err() {
                    break;
                }
                if sender.send(got).is_err() {
                    return;
                }
            }
        }
    });
    (url, receiver)
}

/// `webhook-id` and body.
fn request(stream: &mut BufReader<TcpStream>) -> Option<(String, Value)> {
    let (mut id, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end().split_once(": ") {
            Some(("webhook-id", value)) => value.clone_into(&mut id),
            Some(("content-length", value)) => length = value.parse().ok()?,
            Some(_) => {}
            None if line.trim().is_empty() => break,
            None => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some((id, serde_json::from_slice(&body).ok()?))
}

/// Its lines as they come.
fn listen(demo: &Demo, args: &[&str]) -> (Running, impl Iterator<Item = Value> + use<>) {
    let mut command = demo.command(&["listen", "--json"]);
    let mut child = command
        .args(args)
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let lines = BufReader::new(child.stdout.take().expect("stdout")).lines();
    let lines = lines
        .map_while(Result::ok)
        .map(|line| serde_json::from_str(&line).expect("JSON"));
    (Running(child), lines)
}

fn text(output: &Output) -> String {
    let Output { stdout, stderr, .. } = output;
    [stdout.as_slice(), stderr]
        .map(String::from_utf8_lossy)
        .concat()
}

#[test]
fn events_are_forwarded_until_they_are_taken_and_once_only() {
    let demo = Demo::start();
    let (url, got) = backend(&[500, 204]);
    let order = demo.order();
    let (listening, mut lines) = listen(&demo, &["--forward", &url, "--after", "0"]);
    let line = lines.next().expect("an event");
    assert_eq!(line["type"], "order.created");
    let statuses: Vec<_> = line["forwarded"][0]["attempts"]
        .as_array()
        .expect("list")
        .iter()
        .map(|attempt| attempt["status"].clone())
        .collect();
    assert_eq!(statuses, [500, 204]);
    let (first, second) = (got.recv().expect("got"), got.recv().expect("got"));
    assert_eq!(first, second, "the same webhook twice");
    drop(listening);

    assert!(
        demo.run(&["trigger", "order_paid", "--order", &order])
            .status
            .success()
    );
    let (_listening, mut lines) = listen(&demo, &["--forward", &url]);
    let line = lines.next().expect("an event");
    assert_eq!(line["type"], "order.paid", "goes on where it ended");
    let (id, body) = got.recv().expect("got");
    assert_eq!(line["message"], json!(id));
    assert_eq!(body["data"]["status"], "paid");
}

#[test]
fn the_history_of_another_database_is_not_gone_on_with() {
    let (one, other) = (Demo::start(), Demo::start());
    one.order();
    let (listening, mut lines) = listen(&one, &["--after", "0"]);
    lines.next().expect("an event");
    drop(listening);
    other.order();
    let history = one.path("ordercast-listen.jsonl");
    let output = other.run(&["listen", "--history", history.to_str().expect("path")]);
    assert!(!output.status.success());
    assert!(
        text(&output).contains("the history of another database"),
        "{}",
        text(&output)
    );
}

#[cfg(unix)]
#[test]
fn the_history_is_its_owners_alone_and_survives_a_line_cut_off() {
    use std::os::unix::fs::PermissionsExt;
    let demo = Demo::start();
    demo.order();
    let (listening, mut lines) = listen(&demo, &["--after", "0"]);
    lines.next().expect("an event");
    drop(listening);
    let path = demo.path("ordercast-listen.jsonl");
    let mode = std::fs::metadata(&path)
        .expect("there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let whole = std::fs::read_to_string(&path).expect("read");
    std::fs::write(&path, format!("{whole}{{\"id\": 7, \"mess")).expect("written");
    demo.order();
    let (_listening, mut lines) = listen(&demo, &[]);
    assert_eq!(lines.next().expect("an event")["id"], 2);
    let now = std::fs::read_to_string(&path).expect("read");
    assert!(now.starts_with(&whole));
    let is_json = |line| serde_json::from_str::<Value>(line).is_ok();
    assert!(now.lines().all(is_json), "{now}");
}

#[test]
fn a_provider_misbehaves_on_order() {
    let demo = Demo::start();
    let order = demo.order();
    let of_order = ["--order", order.as_str()];
    let trigger = |args: &[&str]| {
        let output = demo.run(&[&["trigger"], args, &of_order[..]].concat());
        (output.status.success(), text(&output))
    };
    let (ok, said) = trigger(&["order_paid", "--bad-signature"]);
    assert!(
        ok && said.contains("401") && said.contains("new -> new"),
        "{said}"
    );
    let (ok, said) = trigger(&["order_paid", "--amount", "0.01"]);
    assert!(ok && said.contains("new -> new"), "{said}");
    let (ok, said) = trigger(&["user_validation"]);
    assert!(ok && said.contains("nothing to change"), "{said}");

    let second = demo.order();
    let output = demo.run(&["trigger", "order_paid", "--twice", "--order", &second]);
    let said = text(&output);
    assert!(said.contains("new -> paid"), "{said}");
    assert_eq!(said.matches("\"duplicate\":false").count(), 1, "{said}");
    assert_eq!(said.matches("\"duplicate\":true").count(), 1, "{said}");

    let third = demo.order();
    let output = demo.run(&["trigger", "order_paid", "--reorder", "--order", &third]);
    let said = text(&output);
    assert!(said.contains("new -> canceled"), "{said}");
    let canceled = said.find("order_canceled ").expect("told");
    assert!(canceled < said.find("order_paid ").expect("told"), "{said}");
}

#[test]
fn a_body_is_printed_edited_asked_about_and_sent() {
    let demo = Demo::start();
    let order = demo.order();
    let printed = demo.run(&["trigger", "order_paid", "--order", &order, "--print"]);
    assert!(printed.status.success());
    let file = demo.path("paid.json");
    std::fs::write(&file, &printed.stdout).expect("written");
    let would = |file: &Path| {
        let file = file.to_str().expect("path");
        let answer = demo.run(&["inbox", "dry-run", "--json", file]);
        let answer: Value = serde_json::from_slice(&answer.stdout).expect("JSON");
        answer["events"][0].clone()
    };
    let asked = would(&file);
    assert_eq!(
        (&asked["from"], &asked["to"]),
        (&json!("new"), &json!("paid"))
    );

    let mut edited: Value = serde_json::from_slice(&printed.stdout).expect("JSON");
    edited["order"]["amount"] = json!("0.5000");
    let short = demo.path("short.json");
    std::fs::write(&short, edited.to_string()).expect("written");
    let asked = would(&short);
    assert_eq!(asked["to"], "new", "{asked}");

    let sent = demo.run(&["trigger", "--body", "paid.json"]);
    assert!(
        text(&sent).contains("\"state\":\"applied\""),
        "{}",
        text(&sent)
    );
    assert_eq!(would(&file)["state"], "duplicate");
    let shown = text(&demo.run(&["inbox", "dry-run", "short.json"]));
    assert!(shown.contains("because     "), "{shown}");
    assert!(
        !demo
            .run(&["inbox", "dry-run", "nothing.json"])
            .status
            .success()
    );
}

#[test]
fn what_found_no_order_is_listed_matched_and_dismissed() {
    let demo = Demo::start();
    let order = demo.order();
    for stray in ["1900001", "1900002"] {
        let printed = demo.run(&["trigger", "order_paid", "--order", &order, "--print"]);
        let body = String::from_utf8(printed.stdout).expect("text");
        let file = demo.path("stray.json");
        std::fs::write(&file, body.trim_end().replace(&order, stray)).expect("written");
        let sent = demo.run(&["trigger", "--body", &file.display().to_string()]);
        assert!(sent.status.success(), "{sent:?}");
    }
    let listed = demo.run(&["inbox", "list", "--state", "parked", "--json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).expect("JSON");
    let ids: Vec<_> = listed["entries"]
        .as_array()
        .expect("entries")
        .iter()
        .map(|entry| entry["id"].to_string())
        .collect();
    let [newer, older] = &ids[..] else {
        panic!("{listed}")
    };
    let matched = demo.run(&["inbox", "match", older, "--order", &order]);
    let said = String::from_utf8_lossy(&matched.stdout);
    assert!(
        said.starts_with(&format!("{older} is applied: ")),
        "{matched:?}"
    );
    let dismissed = demo.run(&["inbox", "dismiss", newer, "--reason", "not ours"]);
    let said = String::from_utf8_lossy(&dismissed.stdout);
    assert!(
        said.contains("is dismissed: dismissed by api_key:"),
        "{dismissed:?}"
    );
    let left = demo.run(&["inbox", "list", "--state", "parked"]);
    assert_eq!(left.stdout, b"nothing\n", "{left:?}");
    let twice = demo.run(&["inbox", "dismiss", newer, "--reason", "again"]);
    assert!(!twice.status.success());
    let said = String::from_utf8_lossy(&twice.stderr);
    assert!(said.contains("there is nothing left to do"), "{said}");
}

/// What each provider has to say, of an order of its own: told as its real one would tell it.
#[test]
fn every_provider_is_told_what_to_say() {
    let demo = Demo::start();
    let trigger = |provider: &str, args: &[&str]| {
        let common = ["trigger", "--provider", provider, "--make-source"];
        let answering = ["--answer-on", "127.0.0.1:0"];
        text(&demo.run(&[&common[..], args, &answering[..]].concat()))
    };
    for provider in [
        "reference",
        "stripe",
        "adyen",
        "paddle",
        "lemon_squeezy",
        "mollie",
        "mollie_next",
        "razorpay",
        "coinbase_commerce",
        "coinbase_business",
        "tebex",
        "standard",
    ] {
        let order = demo.order();
        let said = trigger(provider, &["paid", "--live-mode", "--order", &order]);
        assert!(said.contains("new -> paid"), "{provider}: {said}");
        // Coinbase Commerce gives nothing back.
        if provider != "coinbase_commerce" {
            let order = demo.order();
            let wanted = ["paid", "--live-mode", "--refund", "--order", &order];
            let said = trigger(provider, &wanted);
            assert!(said.contains("new -> canceled"), "{provider}: {said}");
        }
        if provider != "mollie" {
            let order = demo.order();
            let said = trigger(provider, &["paid", "--bad-signature", "--order", &order]);
            assert!(
                said.contains("401") && said.contains("new -> new"),
                "{provider}: {said}"
            );
        }
    }
    // Its certificate is nobody else's.
    let order = demo.order();
    let said = trigger("paypal", &["paid", "--live-mode", "--order", &order]);
    assert!(said.contains("asked about, not sent"), "{said}");
    assert!(said.contains("new -> paid"), "{said}");
}

#[test]
fn what_a_provider_cannot_say_is_answered_with_what_it_can() {
    let demo = Demo::start();
    let listed = text(&demo.run(&["trigger", "--list", "--provider", "tebex"]));
    assert!(listed.contains("payment.dispute.opened"), "{listed}");
    let order = demo.order();
    let say = |args: &[&str]| {
        let output = demo.run(&[&["trigger", "--order", &order], args].concat());
        assert!(!output.status.success());
        text(&output)
    };
    let said = say(&["order_paid", "--provider", "stripe", "--make-source"]);
    assert!(said.contains("payment_intent.succeeded"), "{said}");
    let said = say(&["paid", "--provider", "stripe"]);
    assert!(said.contains("--make-source"), "{said}");
    let said = say(&["paid", "--provider", "strip"]);
    assert!(said.contains("must be one of"), "{said}");
    let said = say(&["paid", "--amount", "1,99"]);
    assert!(said.contains("\"1,99\" is no amount of USD"), "{said}");
}
