//! A server that does what the test tells it: WebSocket and `GET order` on one port.

use std::collections::BTreeMap;

use centrifuge_protocol::{
    Bytes, Command, ConnectResult, Encoding, Publication, Push, Reply, SubscribeResult,
    decode_commands, encode_reply,
};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

pub struct Server {
    listener: TcpListener,
}

/// The server's end of a WebSocket.
pub struct Peer {
    stream: WebSocketStream<TcpStream>,
    encoding: Encoding,
}

const UPGRADE: &[u8] = b"GET /connection/websocket ";

impl Server {
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        Self { listener }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.listener.local_addr().unwrap())
    }

    /// The next connection, and whether it asks for a WebSocket.
    async fn accept(&self) -> (TcpStream, bool) {
        let (stream, _) = self.listener.accept().await.unwrap();
        let mut begin = [0; UPGRADE.len()];
        while stream.peek(&mut begin).await.unwrap() < begin.len() {}
        (stream, begin == UPGRADE)
    }

    pub async fn websocket(&self, encoding: Encoding) -> Peer {
        let (stream, upgrade) = self.accept().await;
        assert!(upgrade);
        #[allow(clippy::result_large_err)] // the library's signature
        let echo = |request: &Request, mut response: Response| {
            let protocol = request.headers().get("sec-websocket-protocol");
            let expected = (encoding == Encoding::Protobuf).then_some("centrifuge-protobuf");
            assert_eq!(
                protocol.map(|protocol| protocol.to_str().unwrap()),
                expected
            );
            if let Some(protocol) = protocol {
                response
                    .headers_mut()
                    .insert("sec-websocket-protocol", protocol.clone());
            }
            Ok(response)
        };
        let stream = accept_hdr_async(stream, echo).await.unwrap();
        Peer { stream, encoding }
    }

    /// Answers the next upgrade with this status.
    pub async fn refuse_upgrade(&self, status: &str) {
        let (stream, upgrade) = self.accept().await;
        assert!(upgrade);
        answer(stream, status, "", "").await;
    }

    /// Answers the next `GET order`, refusing upgrades until it comes; gives its head in lower
    /// case.
    pub async fn order(&self, etag: Option<&str>, body: &str) -> String {
        let etag = etag
            .map(|etag| format!("ETag: \"{etag}\"\r\n"))
            .unwrap_or_default();
        loop {
            match self.accept().await {
                (stream, true) => answer(stream, "503 Service Unavailable", "", "").await,
                (stream, false) => return answer(stream, "200 OK", &etag, body).await,
            };
        }
    }
}

async fn answer(mut stream: TcpStream, status: &str, headers: &str, body: &str) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let length = body.len();
    let response = format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    stream.write_all(response.as_bytes()).await.unwrap();
    String::from_utf8(head).unwrap().to_ascii_lowercase()
}

impl Peer {
    pub async fn command(&mut self) -> Command {
        let frame = self.stream.next().await.unwrap().unwrap();
        assert_eq!(frame.is_text(), self.encoding == Encoding::Json);
        let mut commands = decode_commands(self.encoding, &frame.into_data(), 1).unwrap();
        commands.pop().unwrap()
    }

    pub async fn reply(&mut self, reply: Reply) {
        let mut frame = Vec::new();
        encode_reply(self.encoding, &reply, &mut frame);
        let message = match self.encoding {
            Encoding::Json => Message::text(String::from_utf8(frame).unwrap()),
            Encoding::Protobuf => Message::binary(frame),
        };
        self.stream.send(message).await.unwrap();
    }

    pub async fn ping(&mut self) {
        self.reply(Reply::default()).await;
    }

    pub async fn close(mut self, code: u16, reason: &'static str) {
        let frame = CloseFrame {
            code: code.into(),
            reason: reason.into(),
        };
        self.stream.close(Some(frame)).await.unwrap();
        // Until the client has answered the close.
        while self
            .stream
            .next()
            .await
            .is_some_and(|message| message.is_ok())
        {}
    }
}

pub fn publication(offset: u64, status: &str) -> Publication {
    let data = Bytes::from(format!(r#"{{"order_id":7,"status":"{status}"}}"#));
    Publication {
        data,
        offset,
        ..Publication::default()
    }
}

pub fn pushed(publication: Publication) -> Reply {
    let channel = "ch".to_owned();
    let push = Push {
        channel,
        publication: Some(publication),
        ..Push::default()
    };
    Reply {
        push: Some(push),
        ..Reply::default()
    }
}

pub fn connected(id: i64, offset: u64, recovered: bool, publications: &[Publication]) -> Reply {
    let sub = SubscribeResult {
        recoverable: true,
        positioned: true,
        epoch: "a".to_owned(),
        offset,
        recovered,
        publications: publications.to_vec(),
        ..SubscribeResult::default()
    };
    let result = ConnectResult {
        client: "c".to_owned(),
        version: "1".to_owned(),
        subs: BTreeMap::from([("ch".to_owned(), sub)]),
        ping: 25,
        pong: true,
        ..ConnectResult::default()
    };
    Reply {
        id,
        connect: Some(result),
        ..Reply::default()
    }
}
