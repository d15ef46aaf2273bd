//! A WebSocket by hand, for clients that no library would be: frames as they are said to be.

use crate::support::Fixture;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

pub const TEXT: u8 = 1;
pub const PING: u8 = 9;
pub const CLOSE: u8 = 8;
const WINDOW_BYTES: u32 = 64 * 1024;

/// Masked with zeros, so that the payload stands in it as it is.
pub fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x80 | opcode];
    match u16::try_from(payload.len()) {
        Ok(length @ 0..=125) => bytes.push(0x80 | length.to_be_bytes()[1]),
        Ok(length) => {
            bytes.push(0x80 | 126);
            bytes.extend(length.to_be_bytes());
        }
        Err(_) => {
            bytes.push(0x80 | 127);
            bytes.extend((payload.len() as u64).to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

pub fn connect_command(f: &Fixture, auth: &str) -> Value {
    let data = json!({ "auth": auth, "project_id": f.project });
    json!({ "id": 1, "connect": { "data": data } })
}

/// TCP only, with a window so small that what is not read soon stays with the server.
pub async fn dial(f: &Fixture) -> TcpStream {
    let address = f
        .base
        .trim_start_matches("http://")
        .parse()
        .expect("address");
    let socket = TcpSocket::new_v4().expect("socket");
    socket.set_recv_buffer_size(WINDOW_BYTES).expect("window");
    socket.connect(address).await.expect("TCP")
}

/// The request that asks for an upgrade, with these headers too.
pub fn upgrade_request(more: &str) -> String {
    format!(
        "GET /connection/websocket HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
    )
}

/// After the upgrade.
pub async fn open(f: &Fixture) -> TcpStream {
    let mut stream = dial(f).await;
    stream
        .write_all(upgrade_request("").as_bytes())
        .await
        .expect("sent");
    let head = read_head(&mut stream).await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    stream
}

pub async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("a head"));
    }
    String::from_utf8(head).expect("text")
}

/// The next frame, of a server that has no long ones to send.
pub async fn read_frame(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let opcode = stream.read_u8().await.expect("a frame") & 0x0F;
    let length = match stream.read_u8().await.expect("a length") {
        126 => stream.read_u16().await.expect("a length"),
        short => short.into(),
    };
    let mut payload = vec![0; length.into()];
    stream.read_exact(&mut payload).await.expect("a payload");
    (opcode, payload)
}

/// Reads to the end: the frames, and the code of the close frame.
pub async fn read_to_close(stream: &mut TcpStream) -> (Vec<(u8, Vec<u8>)>, Option<u16>) {
    let mut bytes = Vec::new();
    // A reset after what could be read ends it too.
    let _ = stream.read_to_end(&mut bytes).await;
    let frames = parse(&bytes);
    let close = frames.iter().find(|(opcode, _)| *opcode == CLOSE);
    let code = close.map(|(_, payload)| u16::from_be_bytes([payload[0], payload[1]]));
    (frames, code)
}

/// What a server sends: unmasked. An incomplete frame at the end is left out.
fn parse(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut frames = Vec::new();
    while let [first, length, rest @ ..] = bytes {
        let (length, rest) = match *length {
            126 if rest.len() >= 2 => {
                let (length, rest) = rest.split_at(2);
                (
                    usize::from(u16::from_be_bytes([length[0], length[1]])),
                    rest,
                )
            }
            127 if rest.len() >= 8 => {
                let (length, rest) = rest.split_at(8);
                let length = u64::from_be_bytes(length.try_into().expect("eight"));
                (usize::try_from(length).expect("a length"), rest)
            }
            126.. => break,
            short => (usize::from(short), rest),
        };
        if rest.len() < length {
            break;
        }
        let (payload, rest) = rest.split_at(length);
        frames.push((first & 0x0F, payload.to_vec()));
        bytes = rest;
    }
    frames
}
