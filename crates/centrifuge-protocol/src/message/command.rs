//! What a client sends.
//!
//! Invariant: field numbers and JSON names are those of the Centrifuge client protocol v2
//! (`client.proto` v0.21). Numbers 2 and 3 of [`Command`] (the method and parameters of protocol
//! v1, still sent by some SDKs to unsubscribe) are skipped like any unknown field.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{FilterNode, StreamPosition};
use crate::lenient::{is_default, object, object_list, object_map, or_default, string_map};
use crate::payload;

/// One message from client to server; at most one body is meant to be set.
///
/// Centrifuge client protocol v2, `Command`. The default value is a pong.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct Command {
    /// Echoed in the reply. The protocol says uint32 and SDKs count from 1; the field is wider
    /// because raw clients send 0 and negative ids, which [`decode_commands`](crate::decode_commands)
    /// accepts from -2^31 to 2^32-1.
    #[prost(int64, tag = "1")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub id: i64,
    /// Opens the session; the first command of every connection.
    #[prost(message, optional, tag = "4")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub connect: Option<ConnectRequest>,
    /// Asks for a channel.
    #[prost(message, optional, tag = "5")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub subscribe: Option<SubscribeRequest>,
    /// Gives a channel up.
    #[prost(message, optional, tag = "6")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub unsubscribe: Option<UnsubscribeRequest>,
    /// Publishes into a channel.
    #[prost(message, optional, tag = "7")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub publish: Option<PublishRequest>,
    /// Asks who is in a channel.
    #[prost(message, optional, tag = "8")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub presence: Option<PresenceRequest>,
    /// Asks how many are in a channel.
    #[prost(message, optional, tag = "9")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub presence_stats: Option<PresenceStatsRequest>,
    /// Reads the stream of a channel.
    #[prost(message, optional, tag = "10")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub history: Option<HistoryRequest>,
    /// Asks for an empty answer.
    #[prost(message, optional, tag = "11")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub ping: Option<PingRequest>,
    /// Hands over a message that is never answered; may have id 0.
    #[prost(message, optional, tag = "12")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub send: Option<SendRequest>,
    /// Calls the application.
    #[prost(message, optional, tag = "13")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub rpc: Option<RpcRequest>,
    /// Renews the token of the connection.
    #[prost(message, optional, tag = "14")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub refresh: Option<RefreshRequest>,
    /// Renews the token of a subscription.
    #[prost(message, optional, tag = "15")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub sub_refresh: Option<SubRefreshRequest>,
}

/// Opens the session.
///
/// Centrifuge client protocol v2, `ConnectRequest`. Unidirectional transports take it bare. Its
/// `Debug` output leaves out `token`, `data` and `headers`, which carry credentials.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[prost(skip_debug)]
#[serde(default)]
pub struct ConnectRequest {
    /// JSON Web Token of the connection; empty when `data` authenticates.
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub token: String,
    /// Whatever the application wants to know, any JSON value in JSON.
    #[prost(bytes = "bytes", tag = "2")]
    #[serde(with = "payload", skip_serializing_if = "Bytes::is_empty")]
    pub data: Bytes,
    /// Positions to recover server-side subscriptions from, by channel.
    #[prost(btree_map = "string, message", tag = "3")]
    #[serde(
        deserialize_with = "object_map",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub subs: BTreeMap<String, SubscribeRequest>,
    /// Name of the SDK or application, such as `js`.
    #[prost(string, tag = "4")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub name: String,
    /// Version of the SDK or application.
    #[prost(string, tag = "5")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub version: String,
    /// HTTP headers that a browser could not set itself.
    #[prost(btree_map = "string, string", tag = "6")]
    #[serde(
        deserialize_with = "string_map",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub headers: BTreeMap<String, String>,
    /// Bits of capabilities.
    #[prost(int64, tag = "7")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub flag: i64,
    /// Id of a compression dictionary that the client holds.
    #[prost(string, tag = "8")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub dict: String,
    /// Name of a compression profile.
    #[prost(string, tag = "9")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub profile: String,
}

/// Asks for a channel, or, inside [`ConnectRequest::subs`], for recovery.
///
/// Centrifuge client protocol v2, `SubscribeRequest`. Its `Debug` output leaves out `token` and
/// `data`, which carry credentials.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[prost(skip_debug)]
#[serde(default)]
pub struct SubscribeRequest {
    /// Channel; empty inside [`ConnectRequest::subs`], where the map key names it.
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub channel: String,
    /// JSON Web Token of the subscription.
    #[prost(string, tag = "2")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub token: String,
    /// Asks for the publications after `offset` of `epoch`.
    #[prost(bool, tag = "3")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub recover: bool,
    /// Epoch of the last publication seen.
    #[prost(string, tag = "6")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub epoch: String,
    /// Offset of the last publication seen.
    #[prost(uint64, tag = "7")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub offset: u64,
    /// Whatever the application wants to know.
    #[prost(bytes = "bytes", tag = "8")]
    #[serde(with = "payload", skip_serializing_if = "Bytes::is_empty")]
    pub data: Bytes,
    /// Asks the server to watch for lost publications.
    #[prost(bool, tag = "9")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub positioned: bool,
    /// Asks for a subscription that can recover.
    #[prost(bool, tag = "10")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub recoverable: bool,
    /// Asks for join and leave pushes.
    #[prost(bool, tag = "11")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub join_leave: bool,
    /// Asks for delta compression of this kind (`fossil`).
    #[prost(string, tag = "12")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub delta: String,
    /// Asks only for publications whose tags match.
    #[prost(message, optional, tag = "13")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub tf: Option<FilterNode>,
    /// Bit 1: numeric channel ids are understood. Bit 2: refuse with error 112 when the position
    /// cannot be recovered.
    #[prost(int64, tag = "14")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub flag: i64,
    /// 0 stream, 1 map, 2 map of clients, 3 map of users, 4 shared poll.
    #[prost(int32, tag = "15")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub r#type: i32,
    /// Phase of a map subscription.
    #[prost(int32, tag = "16")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub phase: i32,
    /// Page of a map subscription.
    #[prost(string, tag = "17")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub cursor: String,
    /// Page size of a map subscription.
    #[prost(int32, tag = "18")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub limit: i32,
    /// Ascending order of a map subscription.
    #[prost(bool, tag = "19")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub asc: bool,
}

/// Gives a channel up. Centrifuge client protocol v2, `UnsubscribeRequest`.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct UnsubscribeRequest {
    /// Channel.
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub channel: String,
}

/// Publishes into a channel. Centrifuge client protocol v2, `PublishRequest`.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct PublishRequest {
    /// Channel.
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub channel: String,
    /// What to publish, any JSON value in JSON.
    #[prost(bytes = "bytes", tag = "2")]
    #[serde(with = "payload", skip_serializing_if = "Bytes::is_empty")]
    pub data: Bytes,
    /// 0 stream, 1 map, as in [`SubscribeRequest::type`].
    #[prost(int32, tag = "3")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub r#type: i32,
    /// Key of the entry, in maps.
    #[prost(string, tag = "4")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub key: String,
    /// Removes the entry, in maps.
    #[prost(bool, tag = "5")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub removed: bool,
}

/// Asks who is in a channel. Centrifuge client protocol v2, `PresenceRequest`.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct PresenceRequest {
    /// Channel.
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub channel: String,
}

/// Asks how many are in a channel. Centrifuge client protocol v2, `PresenceStatsRequest`.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct PresenceStatsRequest {
    /// Channel.
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub channel: String,
}

/// Reads the stream of a channel. Centrifuge client protocol v2, `HistoryRequest`.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct HistoryRequest {
    /// Channel.
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub channel: String,
    /// Most publications to return; 0 asks only for the position, -1 for all.
    #[prost(int32, tag = "7")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub limit: i32,
    /// Where to start. Absent and default differ: a default position is before the first
    /// publication.
    #[prost(message, optional, tag = "8")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub since: Option<StreamPosition>,
    /// Newest first.
    #[prost(bool, tag = "9")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub reverse: bool,
}

/// Asks for an empty answer. Centrifuge client protocol v2, `PingRequest`.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct PingRequest {}

/// Hands over a message that is never answered. Centrifuge client protocol v2, `SendRequest`.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct SendRequest {
    /// The message, any JSON value in JSON.
    #[prost(bytes = "bytes", tag = "1")]
    #[serde(with = "payload", skip_serializing_if = "Bytes::is_empty")]
    pub data: Bytes,
}

/// Calls the application. Centrifuge client protocol v2, `RPCRequest`.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct RpcRequest {
    /// Arguments, any JSON value in JSON.
    #[prost(bytes = "bytes", tag = "1")]
    #[serde(with = "payload", skip_serializing_if = "Bytes::is_empty")]
    pub data: Bytes,
    /// Name of the procedure.
    #[prost(string, tag = "2")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub method: String,
}

/// Renews the token of the connection.
///
/// Centrifuge client protocol v2, `RefreshRequest`. Its `Debug` output leaves out `token`.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[prost(skip_debug)]
#[serde(default)]
pub struct RefreshRequest {
    /// New JSON Web Token.
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub token: String,
}

/// Renews the token of a subscription, or changes what a shared poll tracks.
///
/// Centrifuge client protocol v2, `SubRefreshRequest`. Its `Debug` output leaves out `token`.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[prost(skip_debug)]
#[serde(default)]
pub struct SubRefreshRequest {
    /// Channel.
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub channel: String,
    /// New JSON Web Token.
    #[prost(string, tag = "2")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub token: String,
    /// 0 refresh, 1 track, 2 untrack.
    #[prost(int32, tag = "3")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub r#type: i32,
    /// Entries to track.
    #[prost(message, repeated, tag = "4")]
    #[serde(
        deserialize_with = "object_list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub track: Vec<TrackBatch>,
    /// Keys to track no longer.
    #[prost(string, repeated, tag = "5")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub untrack: Vec<String>,
}

/// Entries of a shared poll under one signature. Centrifuge client protocol v2, `TrackBatch`.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct TrackBatch {
    /// Proof that the client may track them.
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub signature: String,
    /// The entries.
    #[prost(message, repeated, tag = "2")]
    #[serde(
        deserialize_with = "object_list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub items: Vec<KeyedItem>,
}

/// One entry of a shared poll. Centrifuge client protocol v2, `KeyedItem`.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct KeyedItem {
    /// Key of the entry.
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub key: String,
    /// Version that the client has.
    #[prost(uint64, tag = "2")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub version: u64,
}
