//! The real binary, and how it ends.

use serde_json::Value;
use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread::JoinHandle,
};

pub const ROOT_KEY: &str = "root-key-of-the-durability-test-0123456789";

/// Killed when dropped.
pub struct Server {
    child: Child,
    log: Option<JoinHandle<String>>,
    pub base: String,
}

pub struct Ended {
    pub code: Option<i32>,
    pub log: String,
}

impl Server {
    pub fn start(folder: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_ordercast"))
            .args(["serve", "--listen", "127.0.0.1:0", "--log-format", "json"])
            .arg("--data-dir")
            .arg(folder)
            .env("ORDERCAST_ROOT_KEY", ROOT_KEY)
            // Tests are faster than any shop.
            .env("ORDERCAST_REQUESTS_PER_KEY", "0")
            // Backends of the tests are on this machine.
            .env("ORDERCAST_WEBHOOK_HTTP", "true")
            .env("ORDERCAST_WEBHOOK_ANY_PORT", "true")
            .env("ORDERCAST_WEBHOOK_NETWORKS", "127.0.0.0/8")
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts");
        let lines = BufReader::new(child.stderr.take().expect("stderr")).lines();
        let (found, address) = mpsc::channel();
        // Read to its end, or the server would stop at a full pipe.
        let log = std::thread::spawn(move || {
            let mut log = String::new();
            for line in lines.map_while(Result::ok) {
                let entry: Value = serde_json::from_str(&line).unwrap_or_default();
                if entry["message"] == "serving"
                    && let Some(address) = entry["address"].as_str()
                {
                    let _ = found.send(address.to_owned());
                }
                log.push_str(&line);
                log.push('\n');
            }
            log
        });
        match address.recv() {
            Ok(address) => Self {
                child,
                log: Some(log),
                base: format!("http://{address}"),
            },
            Err(_) => panic!("did not start: {}", log.join().unwrap_or_default()),
        }
    }

    /// SIGKILL, and only back when the process is gone.
    pub fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("gone");
    }

    /// For a server that ends by itself.
    pub fn wait(mut self) -> Ended {
        let code = self.child.wait().expect("ends").code();
        let log = self.log.take().expect("once").join().expect("log");
        Ended { code, log }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
