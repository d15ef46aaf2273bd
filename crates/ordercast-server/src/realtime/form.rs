//! How a message of the session looks on each transport: its envelope, its encoding, its framing.
//!
//! Invariant: what is said is the session's alone; a form only says it. A publication is encoded at
//! most once for each form, whatever the number of connections.

use super::frame;
use bytes::Bytes;
use centrifuge_protocol::{
    Connect, ConnectResult, Disconnect, Encoding, Push, Reply, encode_push, encode_reply,
    should_reconnect,
};
use ordercast_core::channel::{Epoch, Position};

/// Of an epoch (guarantees, I10).
const EPOCH_BYTES_MAX: usize = 16;
/// Close codes below are WebSocket's own; the Centrifuge protocol does not know them.
const CLOSE_CODE_MIN: u16 = 3000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    WebSocketJson,
    WebSocketProtobuf,
    /// A response body, one JSON message a line.
    StreamJson,
    /// A response body, each message behind its length.
    StreamProtobuf,
    /// `text/event-stream`.
    Events,
    OneWayWebSocket,
    OneWayStream,
    OneWayEvents,
}

#[derive(Clone, Copy)]
enum Framing {
    WebSocket,
    Stream,
    Events,
}

impl Form {
    pub const COUNT: usize = 8;

    pub fn encoding(self) -> Encoding {
        match self {
            Self::WebSocketProtobuf | Self::StreamProtobuf => Encoding::Protobuf,
            Self::WebSocketJson
            | Self::StreamJson
            | Self::Events
            | Self::OneWayWebSocket
            | Self::OneWayStream
            | Self::OneWayEvents => Encoding::Json,
        }
    }

    /// The client cannot send commands: it is told bare pushes, and is not asked for pongs.
    pub fn is_one_way(self) -> bool {
        match self {
            Self::OneWayWebSocket | Self::OneWayStream | Self::OneWayEvents => true,
            Self::WebSocketJson
            | Self::WebSocketProtobuf
            | Self::StreamJson
            | Self::StreamProtobuf
            | Self::Events => false,
        }
    }

    fn framing(self) -> Framing {
        match self {
            Self::WebSocketJson | Self::WebSocketProtobuf | Self::OneWayWebSocket => {
                Framing::WebSocket
            }
            Self::StreamJson | Self::StreamProtobuf | Self::OneWayStream => Framing::Stream,
            Self::Events | Self::OneWayEvents => Framing::Events,
        }
    }

    /// The reply, ready to be written. `None`: this client has no use for it, as for the error reply
    /// to a connect on a one-way transport, where the disconnect that follows says it all. `epoch`: of
    /// the log that a publication in it is of.
    pub fn reply(self, reply: &Reply, epoch: Option<&Epoch>) -> Option<Bytes> {
        let mut encoded = Vec::new();
        if self == Self::OneWayEvents
            && let Some(id) = event_id(reply, epoch)
        {
            // Together with its data: some clients make an event of a bare id.
            encoded.extend_from_slice(format!("id: {id}\n").as_bytes());
        }
        let begin = encoded.len();
        if self.is_one_way() {
            encode_push(self.encoding(), &bare(reply)?, &mut encoded);
        } else {
            encode_reply(self.encoding(), reply, &mut encoded);
        }
        Some(self.frame(encoded, begin))
    }

    /// The end of the connection. A disconnect push is its only carrier but on a WebSocket.
    pub fn close(self, code: u16, reason: &str) -> Bytes {
        let push = || {
            let disconnect = Disconnect {
                code: code.into(),
                reason: reason.to_owned(),
                reconnect: should_reconnect(code),
            };
            let push = Push {
                disconnect: Some(disconnect),
                ..Default::default()
            };
            let reply = Reply {
                push: Some(push),
                ..Default::default()
            };
            self.reply(&reply, None).unwrap_or_default()
        };
        match self {
            Self::WebSocketJson | Self::WebSocketProtobuf => frame::close_frame(code, reason),
            Self::OneWayWebSocket if code < CLOSE_CODE_MIN => frame::close_frame(code, reason),
            Self::OneWayWebSocket => [push(), frame::close_frame(code, reason)].concat().into(),
            Self::StreamJson
            | Self::StreamProtobuf
            | Self::Events
            | Self::OneWayStream
            | Self::OneWayEvents => push(),
        }
    }

    /// `begin`: where in `encoded` the message begins; what stands before it is the head of an event.
    fn frame(self, mut encoded: Vec<u8>, begin: usize) -> Bytes {
        match (self.framing(), self.encoding()) {
            (Framing::WebSocket, encoding) => frame::message(encoding, &encoded),
            (Framing::Stream, Encoding::Protobuf) => encoded.into(),
            (Framing::Stream, Encoding::Json) => {
                encoded.push(b'\n');
                encoded.into()
            }
            (Framing::Events, _) => {
                let (head, message) = encoded.split_at(begin);
                [head, b"data: ", message, b"\n\n"].concat().into()
            }
        }
    }
}

/// Where a client that has this message is in its channel: `EventSource` sends the newest one back by
/// itself when it comes again.
fn event_id(reply: &Reply, epoch: Option<&Epoch>) -> Option<String> {
    if let Some(connect) = &reply.connect {
        let sub = connect.subs.values().next()?;
        let newest = sub
            .publications
            .last()
            .map_or(sub.offset, |last| last.offset);
        return Some(format!("{}:{newest}", sub.epoch));
    }
    let publication = reply.push.as_ref()?.publication.as_ref()?;
    // A status outside of the log has no position.
    (publication.offset > 0).then_some(())?;
    Some(format!("{}:{}", epoch?, publication.offset))
}

/// The position that an [`event_id`] names. What is no id of ours is none.
pub fn position(event_id: &str) -> Option<Position> {
    let (epoch, offset) = event_id.split_once(':')?;
    let is_epoch = (1..=EPOCH_BYTES_MAX).contains(&epoch.len())
        && epoch.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_epoch.then_some(Position {
        epoch: epoch.to_owned(),
        offset: offset.parse().ok()?,
    })
}

/// The push that a one-way client gets for a reply: a ping stays one.
fn bare(reply: &Reply) -> Option<Push> {
    if let Some(push) = &reply.push {
        return Some(push.clone());
    }
    if let Some(result) = &reply.connect {
        return Some(Push {
            connect: Some(connect(result)),
            ..Default::default()
        });
    }
    (*reply == Reply::default()).then(Push::default)
}

fn connect(result: &ConnectResult) -> Connect {
    Connect {
        client: result.client.clone(),
        version: result.version.clone(),
        data: result.data.clone(),
        subs: result.subs.clone(),
        expires: result.expires,
        ttl: result.ttl,
        ping: result.ping,
        pong: result.pong,
        session: result.session.clone(),
        node: result.node.clone(),
        time: result.time,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use centrifuge_protocol::{Error, ErrorCode, SubscribeResult, decode_pushes, decode_replies};

    fn text(bytes: &Bytes) -> &str {
        std::str::from_utf8(bytes).expect("UTF-8")
    }

    #[test]
    fn a_ping_in_every_form() {
        let ping = Reply::default();
        for (form, expected) in [
            (Form::WebSocketJson, &b"\x81\x02{}"[..]),
            (Form::WebSocketProtobuf, b"\x82\x01\x00"),
            (Form::StreamJson, b"{}\n"),
            (Form::StreamProtobuf, b"\x00"),
            (Form::Events, b"data: {}\n\n"),
            (Form::OneWayWebSocket, b"\x81\x02{}"),
            (Form::OneWayStream, b"{}\n"),
            (Form::OneWayEvents, b"data: {}\n\n"),
        ] {
            assert_eq!(form.reply(&ping, None).expect("ping"), expected, "{form:?}");
        }
    }

    #[test]
    fn one_way_clients_get_bare_pushes_and_no_error_replies() {
        let connected = Reply {
            id: 1,
            connect: Some(ConnectResult {
                client: "c".to_owned(),
                ping: 25,
                ..Default::default()
            }),
            ..Default::default()
        };
        assert_eq!(
            text(&Form::OneWayStream.reply(&connected, None).expect("push")),
            "{\"connect\":{\"client\":\"c\",\"ping\":25}}\n"
        );
        let error = Reply {
            id: 1,
            error: Some(Error::new(ErrorCode::TokenExpired)),
            ..Default::default()
        };
        assert_eq!(Form::OneWayEvents.reply(&error, None), None);
        assert!(Form::Events.reply(&error, None).is_some());
    }

    #[test]
    fn event_ids_are_positions_and_stand_with_their_data() {
        let subs = [(
            "orders:7#alice".to_owned(),
            SubscribeResult {
                epoch: "abcdefgh1".to_owned(),
                offset: 4,
                ..Default::default()
            },
        )];
        let connected = Reply {
            connect: Some(ConnectResult {
                subs: subs.into(),
                ..Default::default()
            }),
            ..Default::default()
        };
        let event = Form::OneWayEvents.reply(&connected, None).expect("push");
        assert!(text(&event).starts_with("id: abcdefgh1:4\ndata: {\"connect\""));
        assert!(text(&event).ends_with("}\n\n"));
        let plain = Form::Events.reply(&connected, None).expect("reply");
        assert!(text(&plain).starts_with("data: "), "SDKs keep the position");
        for (id, expected) in [
            ("abcdefgh1:4", Some(("abcdefgh1", 4))),
            ("abcdefgh1:0", Some(("abcdefgh1", 0))),
            ("", None),
            ("4", None),
            (":4", None),
            ("abcdefgh1:", None),
            ("abcdefgh1:-1", None),
            ("abc def:4", None),
            ("abcdefghijklmnopq:4", None),
        ] {
            let position = position(id);
            let found = position.as_ref().map(|of| (of.epoch.as_str(), of.offset));
            assert_eq!(found, expected, "{id}");
        }
    }

    #[test]
    fn the_end_is_a_push_where_there_is_no_close_frame() {
        let push = r#"{"push":{"disconnect":{"code":3001,"reason":"shutdown","reconnect":true}}}"#;
        let closed = Form::Events.close(3001, "shutdown");
        assert_eq!(text(&closed), format!("data: {push}\n\n"));
        let closed = Form::StreamProtobuf.close(3500, "invalid token");
        let replies = decode_replies(Encoding::Protobuf, &closed, 2).expect("reply");
        let push = replies[0].push.clone().expect("push");
        let disconnect = push.disconnect.expect("disconnect");
        assert_eq!((disconnect.code, disconnect.reconnect), (3500, false));
        let closed = Form::OneWayStream.close(3008, "slow");
        let pushes = decode_pushes(Encoding::Json, &closed, 2).expect("push");
        assert_eq!(
            pushes[0].disconnect.as_ref().expect("disconnect").code,
            3008
        );
        assert_eq!(
            Form::WebSocketJson.close(3008, "slow"),
            &b"\x88\x06\x0b\xc0slow"[..]
        );
    }

    #[test]
    fn a_one_way_websocket_gets_the_push_and_then_the_close_frame() {
        let closed = Form::OneWayWebSocket.close(3008, "slow");
        assert!(closed.starts_with(b"\x81"), "a text frame");
        assert!(closed.ends_with(b"\x88\x06\x0b\xc0slow"), "a close frame");
        assert_eq!(
            Form::OneWayWebSocket.close(1000, ""),
            &b"\x88\x02\x03\xe8"[..]
        );
    }
}
