//! A server whose log cannot be written serves all the same: nobody reads it, its reader has gone, or the
//! disk behind it is full.

#![cfg(unix)]

use serde_json::Value;
use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
};

/// Requests after which a line must have been lost where none can be written.
const REQUESTS_MAX: usize = 10_000;
/// Lines that are several times what a pipe holds.
const UNREAD: usize = 3_000;

/// Killed when dropped.
struct Server {
    child: Child,
    address: SocketAddr,
    /// Where its metrics are.
    internal: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where nobody listens just now.
fn free() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("address")
}

fn serve(address: &str, internal: SocketAddr, stderr: Stdio) -> (Child, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("folder");
    let child = Command::new(env!("CARGO_BIN_EXE_ordercast"))
        .args(["serve", "--listen", address, "--log-format", "json"])
        .args(["--log", "trace", "--data-dir"])
        .arg(folder.path())
        // A line for each request.
        .env("ORDERCAST_ACCESS_LOG", "true")
        .env("ORDERCAST_INTERNAL_LISTEN", internal.to_string())
        .stderr(stderr)
        .spawn()
        .expect("starts");
    (child, folder)
}

/// With the reader of its log.
fn piped() -> (Server, BufReader<std::process::ChildStderr>) {
    let internal = free();
    let (mut child, folder) = serve("127.0.0.1:0", internal, Stdio::piped());
    let mut log = BufReader::new(child.stderr.take().expect("stderr"));
    let address = log
        .by_ref()
        .lines()
        .map_while(Result::ok)
        .filter_map(|line| serde_json::from_str::<Value>(&line).ok())
        .find(|line| line["message"] == "serving")
        .and_then(|line| line["address"].as_str()?.parse().ok())
        .expect("says where it serves");
    let server = Server {
        child,
        address,
        internal,
        _folder: folder,
    };
    (server, log)
}

impl Server {
    /// Refuses a credential, which it logs, until the counter of such lines is above zero.
    fn logs_until(&self, result: &str) {
        let (mut connection, mut metrics) = (connect(self.address), connect(self.internal));
        let counter = format!("ordercast_log_lines_total{{result=\"{result}\"}}");
        for round in 0..REQUESTS_MAX {
            refuse(&mut connection);
            if round % 100 == 0 {
                let (status, text) = ask(&mut metrics, "/metrics", "");
                assert_eq!(status, 200);
                let value = text.lines().find_map(|line| line.strip_prefix(&counter));
                if value.is_some_and(|value| value.trim() != "0") {
                    return;
                }
            }
        }
        panic!("no line was {result}");
    }

    fn check(&self) {
        let (status, _) = ask(&mut connect(self.address), "/health", "");
        assert_eq!(status, 200);
    }
}

/// Sends a credential that is none.
fn refuse(connection: &mut BufReader<TcpStream>) {
    let head = "authorization: Bearer x.y.z\r\n";
    let (status, _) = ask(connection, "/api/v2/project/1/cart", head);
    assert_eq!(status, 401);
}

/// As soon as it listens.
fn connect(address: SocketAddr) -> BufReader<TcpStream> {
    let connected = std::iter::repeat_with(|| TcpStream::connect(address)).find_map(Result::ok);
    BufReader::new(connected.expect("connected"))
}

fn ask(connection: &mut BufReader<TcpStream>, path: &str, head: &str) -> (u16, String) {
    // In one piece: a second small one would wait for the first to be acknowledged.
    let request = format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{head}\r\n");
    let sent = connection.get_mut().write_all(request.as_bytes());
    sent.expect("asked");
    let mut line = String::new();
    connection.read_line(&mut line).expect("answered");
    let status = line
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let mut length = 0;
    loop {
        line.clear();
        connection.read_line(&mut line).expect("a head");
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().expect("a length");
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body).expect("a body");
    let body = String::from_utf8(body).expect("text");
    (status.unwrap_or_else(|| panic!("no status: {line}")), body)
}

#[test]
fn a_log_that_nobody_reads_stops_nothing() {
    let (server, log) = piped();
    let mut connection = connect(server.address);
    for _ in 0..UNREAD {
        refuse(&mut connection);
    }
    server.check();
    drop(log);
}

#[test]
fn a_log_whose_reader_has_gone_stops_nothing() {
    let (server, log) = piped();
    drop(log);
    server.logs_until("failed");
    server.check();
}

#[test]
#[cfg(target_os = "linux")]
fn a_log_on_a_full_disk_stops_nothing() {
    let full = File::options()
        .write(true)
        .open("/dev/full")
        .expect("Linux");
    // Where it serves is said nowhere.
    let (address, internal) = (free(), free());
    let (child, folder) = serve(&address.to_string(), internal, full.into());
    let server = Server {
        child,
        address,
        internal,
        _folder: folder,
    };
    server.logs_until("failed");
    server.check();
}
