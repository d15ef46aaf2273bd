//! What a server sends unasked.
//!
//! Invariant: field numbers and JSON names are those of the Centrifuge client protocol v2
//! (`client.proto` v0.21). `Connect` is numbered differently from `ConnectResult`.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{ClientInfo, Publication, SubscribeResult};
use crate::lenient::{is_default, object, object_map, or_default};
use crate::payload;

/// Something that happened, inside [`Reply::push`](crate::Reply::push) or bare on unidirectional
/// transports; at most one body is meant to be set.
///
/// Centrifuge client protocol v2, `Push`. The default value, bare, is a ping.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct Push {
    /// Numeric channel id; non-zero only with channel compaction.
    #[prost(int64, tag = "1")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub id: i64,
    /// Channel concerned; empty when the push is about the connection.
    #[prost(string, tag = "2")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub channel: String,
    /// A publication in `channel`; named `pub` on the wire.
    #[prost(message, optional, tag = "4")]
    #[serde(
        rename = "pub",
        deserialize_with = "object",
        skip_serializing_if = "Option::is_none"
    )]
    pub publication: Option<Publication>,
    /// Somebody joined `channel`.
    #[prost(message, optional, tag = "5")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub join: Option<Join>,
    /// Somebody left `channel`.
    #[prost(message, optional, tag = "6")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub leave: Option<Leave>,
    /// The server ended the subscription to `channel`.
    #[prost(message, optional, tag = "7")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub unsubscribe: Option<Unsubscribe>,
    /// A message to this connection alone.
    #[prost(message, optional, tag = "8")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub message: Option<Message>,
    /// The server began a subscription to `channel`.
    #[prost(message, optional, tag = "9")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub subscribe: Option<Subscribe>,
    /// The session is open, on unidirectional transports.
    #[prost(message, optional, tag = "10")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub connect: Option<Connect>,
    /// The server is about to close, where there is no close frame to say so.
    #[prost(message, optional, tag = "11")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub disconnect: Option<Disconnect>,
    /// The life of the connection changed.
    #[prost(message, optional, tag = "12")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub refresh: Option<Refresh>,
}

/// Somebody joined a channel. Centrifuge client protocol v2, `Join`.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct Join {
    /// Who.
    #[prost(message, optional, tag = "1")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub info: Option<ClientInfo>,
}

/// Somebody left a channel. Centrifuge client protocol v2, `Leave`.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct Leave {
    /// Who.
    #[prost(message, optional, tag = "1")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub info: Option<ClientInfo>,
}

/// The server ended a subscription.
///
/// Centrifuge client protocol v2, `Unsubscribe`. Codes from 2500 on ask the client to subscribe
/// again, lower ones are final.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct Unsubscribe {
    /// Why; 2000..=2999.
    #[prost(uint32, tag = "2")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub code: u32,
    /// Text for a developer.
    #[prost(string, tag = "3")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub reason: String,
}

/// The server began a subscription. Centrifuge client protocol v2, `Subscribe`.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct Subscribe {
    /// The client may recover on reconnect.
    #[prost(bool, tag = "1")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub recoverable: bool,
    /// Epoch of the stream.
    #[prost(string, tag = "4")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub epoch: String,
    /// Offset of the newest publication.
    #[prost(uint64, tag = "5")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub offset: u64,
    /// The server watches for lost publications.
    #[prost(bool, tag = "6")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub positioned: bool,
    /// Whatever the application wants to tell.
    #[prost(bytes = "bytes", tag = "7")]
    #[serde(with = "payload", skip_serializing_if = "Bytes::is_empty")]
    pub data: Bytes,
}

/// A message to one connection. Centrifuge client protocol v2, `Message`.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct Message {
    /// Any JSON value in JSON.
    #[prost(bytes = "bytes", tag = "1")]
    #[serde(with = "payload", skip_serializing_if = "Bytes::is_empty")]
    pub data: Bytes,
}

/// The session is open, on unidirectional transports. Centrifuge client protocol v2, `Connect`.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct Connect {
    /// Id of the connection, a UUID.
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub client: String,
    /// Version of the server.
    #[prost(string, tag = "2")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub version: String,
    /// Whatever the application wants to tell.
    #[prost(bytes = "bytes", tag = "3")]
    #[serde(with = "payload", skip_serializing_if = "Bytes::is_empty")]
    pub data: Bytes,
    /// Server-side subscriptions, by channel.
    #[prost(btree_map = "string, message", tag = "4")]
    #[serde(
        deserialize_with = "object_map",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub subs: BTreeMap<String, SubscribeResult>,
    /// The token has to be renewed.
    #[prost(bool, tag = "5")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub expires: bool,
    /// Seconds until the token has to be renewed, when `expires`.
    #[prost(uint32, tag = "6")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub ttl: u32,
    /// Seconds between pings.
    #[prost(uint32, tag = "7")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub ping: u32,
    /// Never set on unidirectional transports, which cannot answer.
    #[prost(bool, tag = "8")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub pong: bool,
    /// Session of the connection.
    #[prost(string, tag = "9")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub session: String,
    /// Node that holds the session.
    #[prost(string, tag = "10")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub node: String,
    /// Unix time of the server in milliseconds, 0 when not told.
    #[prost(int64, tag = "11")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub time: i64,
}

/// The server is about to close. Centrifuge client protocol v2, `Disconnect`.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct Disconnect {
    /// The close code, see [`DisconnectCode`](crate::DisconnectCode).
    #[prost(uint32, tag = "1")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub code: u32,
    /// Text for a developer.
    #[prost(string, tag = "2")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub reason: String,
    /// Whether to reconnect, for clients that do not derive it from `code`.
    #[prost(bool, tag = "3")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub reconnect: bool,
}

/// The life of the connection changed. Centrifuge client protocol v2, `Refresh`.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct Refresh {
    /// The connection will end.
    #[prost(bool, tag = "1")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub expires: bool,
    /// Seconds until then.
    #[prost(uint32, tag = "2")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub ttl: u32,
}
