//! What a server answers.
//!
//! Invariant: field numbers and JSON names are those of the Centrifuge client protocol v2
//! (`client.proto` v0.21). From `connect` to `ping` the numbers are one higher than in
//! [`Command`](crate::Command), because `push` stands before them.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{ClientInfo, Error, Publication, Push};
use crate::lenient::{is_default, object, object_list, object_map, or_default};
use crate::payload;

/// One message from server to client: the answer to a command, a push, or a ping.
///
/// Centrifuge client protocol v2, `Reply`. The default value is a ping.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct Reply {
    /// Id of the command that is answered; 0 in pushes and pings.
    #[prost(int64, tag = "1")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub id: i64,
    /// The command was refused.
    #[prost(message, optional, tag = "2")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub error: Option<Error>,
    /// Something happened that the client did not ask about just now.
    #[prost(message, optional, tag = "4")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub push: Option<Push>,
    /// Answer to `connect`.
    #[prost(message, optional, tag = "5")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub connect: Option<ConnectResult>,
    /// Answer to `subscribe`.
    #[prost(message, optional, tag = "6")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub subscribe: Option<SubscribeResult>,
    /// Answer to `unsubscribe`.
    #[prost(message, optional, tag = "7")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub unsubscribe: Option<UnsubscribeResult>,
    /// Answer to `publish`.
    #[prost(message, optional, tag = "8")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub publish: Option<PublishResult>,
    /// Answer to `presence`.
    #[prost(message, optional, tag = "9")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub presence: Option<PresenceResult>,
    /// Answer to `presence_stats`.
    #[prost(message, optional, tag = "10")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub presence_stats: Option<PresenceStatsResult>,
    /// Answer to `history`.
    #[prost(message, optional, tag = "11")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub history: Option<HistoryResult>,
    /// Answer to `ping`.
    #[prost(message, optional, tag = "12")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub ping: Option<PingResult>,
    /// Answer to `rpc`.
    #[prost(message, optional, tag = "13")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub rpc: Option<RpcResult>,
    /// Answer to `refresh`.
    #[prost(message, optional, tag = "14")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub refresh: Option<RefreshResult>,
    /// Answer to `sub_refresh`.
    #[prost(message, optional, tag = "15")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub sub_refresh: Option<SubRefreshResult>,
}

/// The session is open.
///
/// Centrifuge client protocol v2, `ConnectResult`.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct ConnectResult {
    /// Id of the connection, a UUID.
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub client: String,
    /// Version of the server; SDK tests expect it non-empty.
    #[prost(string, tag = "2")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub version: String,
    /// The client has to renew its token. An SDK without a way to do so disconnects for good.
    #[prost(bool, tag = "3")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub expires: bool,
    /// Seconds until the token has to be renewed, when `expires`.
    #[prost(uint32, tag = "4")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub ttl: u32,
    /// Whatever the application wants to tell.
    #[prost(bytes = "bytes", tag = "5")]
    #[serde(with = "payload", skip_serializing_if = "Bytes::is_empty")]
    pub data: Bytes,
    /// Server-side subscriptions, by channel. Give each at least an epoch: protobuf map entries
    /// leave default values out, which the SDK for JavaScript reads as `null`.
    #[prost(btree_map = "string, message", tag = "6")]
    #[serde(
        deserialize_with = "object_map",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub subs: BTreeMap<String, SubscribeResult>,
    /// Seconds between pings. 0 says that there are none, which one SDK punishes by dropping the
    /// connection.
    #[prost(uint32, tag = "7")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub ping: u32,
    /// The server wants each ping answered.
    #[prost(bool, tag = "8")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub pong: bool,
    /// Session, for emulation and unidirectional transports.
    #[prost(string, tag = "9")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub session: String,
    /// Node that holds the session, for emulation.
    #[prost(string, tag = "10")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub node: String,
    /// Unix time of the server in milliseconds, 0 when not told.
    #[prost(int64, tag = "11")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub time: i64,
    /// Bits of capabilities granted.
    #[prost(int64, tag = "12")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub flag: i64,
    /// Compression dictionary; once granted, frames begin with a marker byte.
    #[prost(message, optional, tag = "13")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub dict: Option<Dictionary>,
}

/// A compression dictionary that both sides share. Centrifuge client protocol v2, `Dictionary`.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct Dictionary {
    /// Id of the dictionary.
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub id: String,
    /// The dictionary, in protobuf.
    #[prost(bytes = "bytes", tag = "2")]
    #[serde(with = "payload", skip_serializing_if = "Bytes::is_empty")]
    pub data: Bytes,
    /// The dictionary in base64, in JSON.
    #[prost(string, tag = "3")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub data_b64: String,
}

/// The subscription stands.
///
/// Centrifuge client protocol v2, `SubscribeResult`.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct SubscribeResult {
    /// The client has to renew its subscription token.
    #[prost(bool, tag = "1")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub expires: bool,
    /// Seconds until the token has to be renewed, when `expires`.
    #[prost(uint32, tag = "2")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub ttl: u32,
    /// The client may recover on reconnect, from `epoch` and the last offset seen.
    #[prost(bool, tag = "3")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub recoverable: bool,
    /// Epoch of the stream; opaque to clients.
    #[prost(string, tag = "6")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub epoch: String,
    /// Publications missed, oldest first, when `recovered`.
    #[prost(message, repeated, tag = "7")]
    #[serde(
        deserialize_with = "object_list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub publications: Vec<Publication>,
    /// Everything since the position asked for is in `publications`.
    #[prost(bool, tag = "8")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub recovered: bool,
    /// Where the client stands before it processes `publications`.
    #[prost(uint64, tag = "9")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub offset: u64,
    /// The server watches for lost publications.
    #[prost(bool, tag = "10")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub positioned: bool,
    /// Whatever the application wants to tell.
    #[prost(bytes = "bytes", tag = "11")]
    #[serde(with = "payload", skip_serializing_if = "Bytes::is_empty")]
    pub data: Bytes,
    /// Recovery was asked for.
    #[prost(bool, tag = "12")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub was_recovering: bool,
    /// Publications come as deltas.
    #[prost(bool, tag = "13")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub delta: bool,
    /// Numeric channel id; non-zero only with channel compaction.
    #[prost(int64, tag = "14")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub id: i64,
    /// Kind of subscription, as in [`SubscribeRequest::type`](crate::SubscribeRequest::type).
    #[prost(int32, tag = "15")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub r#type: i32,
    /// Phase of a map subscription.
    #[prost(int32, tag = "16")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub phase: i32,
    /// Next page of a map subscription.
    #[prost(string, tag = "17")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub cursor: String,
    /// Entries of a map subscription.
    #[prost(message, repeated, tag = "18")]
    #[serde(
        deserialize_with = "object_list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub state: Vec<Publication>,
    /// Milliseconds that a client should wait between its own publications.
    #[prost(uint32, tag = "19")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub publish_debounce: u32,
}

/// The channel is given up. Centrifuge client protocol v2, `UnsubscribeResult`.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct UnsubscribeResult {}

/// The publication is accepted. Centrifuge client protocol v2, `PublishResult`.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct PublishResult {}

/// Who is in a channel. Centrifuge client protocol v2, `PresenceResult`.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct PresenceResult {
    /// Connections by their id. Always present in JSON.
    #[prost(btree_map = "string, message", tag = "1")]
    #[serde(deserialize_with = "object_map")]
    pub presence: BTreeMap<String, ClientInfo>,
}

/// How many are in a channel. Centrifuge client protocol v2, `PresenceStatsResult`.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct PresenceStatsResult {
    /// Connections. Always present in JSON.
    #[prost(uint32, tag = "1")]
    #[serde(deserialize_with = "or_default")]
    pub num_clients: u32,
    /// Distinct users; all anonymous ones count as one. Always present in JSON.
    #[prost(uint32, tag = "2")]
    #[serde(deserialize_with = "or_default")]
    pub num_users: u32,
}

/// A stretch of the stream of a channel and its top.
///
/// Centrifuge client protocol v2, `HistoryResult`. All three fields are always present in JSON.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct HistoryResult {
    /// Publications, in the order asked for.
    #[prost(message, repeated, tag = "1")]
    #[serde(deserialize_with = "object_list")]
    pub publications: Vec<Publication>,
    /// Epoch of the stream.
    #[prost(string, tag = "2")]
    #[serde(deserialize_with = "or_default")]
    pub epoch: String,
    /// Offset of the newest publication, whatever `publications` holds.
    #[prost(uint64, tag = "3")]
    #[serde(deserialize_with = "or_default")]
    pub offset: u64,
}

/// The answer to a `ping` command. Centrifuge client protocol v2, `PingResult`.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct PingResult {}

/// What a procedure returned. Centrifuge client protocol v2, `RPCResult`.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct RpcResult {
    /// Any JSON value in JSON.
    #[prost(bytes = "bytes", tag = "1")]
    #[serde(with = "payload", skip_serializing_if = "Bytes::is_empty")]
    pub data: Bytes,
}

/// The token of the connection is renewed. Centrifuge client protocol v2, `RefreshResult`.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct RefreshResult {
    /// Id of the connection.
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub client: String,
    /// Version of the server.
    #[prost(string, tag = "2")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub version: String,
    /// The new token has to be renewed too.
    #[prost(bool, tag = "3")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub expires: bool,
    /// Seconds until then.
    #[prost(uint32, tag = "4")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub ttl: u32,
}

/// The token of a subscription is renewed. Centrifuge client protocol v2, `SubRefreshResult`.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct SubRefreshResult {
    /// The new token has to be renewed too.
    #[prost(bool, tag = "1")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub expires: bool,
    /// Seconds until then.
    #[prost(uint32, tag = "2")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub ttl: u32,
    /// Entries of a shared poll that were newly tracked.
    #[prost(message, repeated, tag = "3")]
    #[serde(
        deserialize_with = "object_list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub items: Vec<Publication>,
}
