//! One realtime connect, as a client without an SDK makes it.

use crate::support::Fixture;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// The first frame that answers a connect with this credential.
pub async fn first_reply(f: &Fixture, project: &Value, auth: &str) -> (Socket, String) {
    let url = f.base.replace("http", "ws") + "/connection/websocket";
    let (mut socket, _) = connect_async(url).await.expect("upgrade");
    let data = json!({ "auth": auth, "project_id": project });
    let connect = json!({ "id": 1, "connect": { "data": data } });
    let connect = Message::text(connect.to_string());
    socket.send(connect).await.expect("sent");
    match socket.next().await.expect("a reply").expect("a frame") {
        Message::Text(text) => (socket, text.to_string()),
        other => panic!("not text: {other:?}"),
    }
}

/// The same, and the code that the server closes a refused client with.
pub async fn connect(f: &Fixture, project: &Value, auth: &str) -> (String, Option<u16>) {
    let (mut socket, reply) = first_reply(f, project, auth).await;
    if !reply.contains("error") {
        return (reply, None);
    }
    loop {
        match socket.next().await.expect("a close").expect("a frame") {
            Message::Close(frame) => return (reply, frame.map(|frame| frame.code.into())),
            Message::Text(_) | Message::Ping(_) => {}
            other => panic!("not a close: {other:?}"),
        }
    }
}
