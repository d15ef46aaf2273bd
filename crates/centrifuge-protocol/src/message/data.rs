//! Values that commands, replies and pushes have in common.
//!
//! Invariant: field numbers and JSON names are those of the Centrifuge client protocol v2
//! (`client.proto` v0.21); a number stands here once and serves both encodings.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::lenient::{is_default, object, object_list, or_default, string_map};
use crate::payload;

/// Why a command was refused.
///
/// Centrifuge client protocol v2, `Error`. SDKs written in Python require `message`, so make it
/// non-empty; [`Error::new`](crate::Error::new) does.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct Error {
    /// 100..=399 are the protocol's own, see [`ErrorCode`](crate::ErrorCode); applications
    /// use 400..=1999.
    #[prost(uint32, tag = "1")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub code: u32,
    /// Text for a developer, not for an end user.
    #[prost(string, tag = "2")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub message: String,
    /// The same command may succeed later.
    #[prost(bool, tag = "3")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub temporary: bool,
}

/// One message of a channel.
///
/// Centrifuge client protocol v2, `Publication`. Servers fill `data`, `info`, `offset` and `tags`
/// for stream subscriptions; the other fields belong to maps, deltas and shared polls.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct Publication {
    /// What the application published. Any JSON value in JSON, raw bytes in protobuf.
    #[prost(bytes = "bytes", tag = "4")]
    #[serde(with = "payload", skip_serializing_if = "Bytes::is_empty")]
    pub data: Bytes,
    /// Who published it, when a client did.
    #[prost(message, optional, tag = "5")]
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub info: Option<ClientInfo>,
    /// Position in the stream of the channel, counted from 1; 0 means that the channel has no
    /// stream. JavaScript clients lose precision above 2^53, some raw clients above 2^31-1.
    #[prost(uint64, tag = "6")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub offset: u64,
    /// Labels given by the publisher.
    #[prost(btree_map = "string, string", tag = "7")]
    #[serde(
        deserialize_with = "string_map",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub tags: BTreeMap<String, String>,
    /// `data` is a patch against the publication before it.
    #[prost(bool, tag = "8")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub delta: bool,
    /// Unix time in milliseconds, 0 when not told.
    #[prost(int64, tag = "9")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub time: i64,
    /// Channel, where the surrounding message does not name it.
    #[prost(string, tag = "10")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub channel: String,
    /// Key of the entry, in map subscriptions.
    #[prost(string, tag = "11")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub key: String,
    /// The entry was removed, in map subscriptions.
    #[prost(bool, tag = "12")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub removed: bool,
    /// Order of the entry, in map subscriptions.
    #[prost(sint64, tag = "13")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub score: i64,
    /// Epoch of the stream.
    #[prost(string, tag = "14")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub epoch: String,
    /// Data before this publication, in map subscriptions.
    #[prost(bytes = "bytes", tag = "15")]
    #[serde(with = "payload", skip_serializing_if = "Bytes::is_empty")]
    pub prev_data: Bytes,
    /// Version of the data given by the publisher, 0 when none.
    #[prost(uint64, tag = "16")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub version: u64,
}

/// One connection, as presence and publications show it.
///
/// Centrifuge client protocol v2, `ClientInfo`. `user` and `client` are always present in JSON.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientInfo {
    /// User of the connection; empty for an anonymous one.
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "or_default")]
    pub user: String,
    /// Id of the connection.
    #[prost(string, tag = "2")]
    #[serde(deserialize_with = "or_default")]
    pub client: String,
    /// What the application attached to the connection.
    #[prost(bytes = "bytes", tag = "3")]
    #[serde(with = "payload", skip_serializing_if = "Bytes::is_empty")]
    pub conn_info: Bytes,
    /// What the application attached to the subscription.
    #[prost(bytes = "bytes", tag = "4")]
    #[serde(with = "payload", skip_serializing_if = "Bytes::is_empty")]
    pub chan_info: Bytes,
}

/// A place in the stream of a channel.
///
/// Centrifuge client protocol v2, `StreamPosition`. The default value differs from an absent
/// position: a history request since offset 0 asks for everything retained.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct StreamPosition {
    /// Offset of the last publication that is known; 0 is before the first.
    #[prost(uint64, tag = "1")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub offset: u64,
    /// Epoch that the offset belongs to; empty matches any in a history request.
    #[prost(string, tag = "2")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub epoch: String,
}

/// A tree that selects publications by their tags.
///
/// Centrifuge client protocol v2, `FilterNode`. Decoders refuse trees nested deeper than their
/// recursion limit (100 messages in protobuf, 128 values in JSON).
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[serde(default)]
pub struct FilterNode {
    /// `and`, `or`, `not`, or empty for a leaf.
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub op: String,
    /// Tag that a leaf looks at.
    #[prost(string, tag = "2")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub key: String,
    /// Comparison of a leaf: `eq neq in nin ex nex sw ew ct lt lte gt gte`.
    #[prost(string, tag = "3")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub cmp: String,
    /// Value that a leaf compares with.
    #[prost(string, tag = "4")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub val: String,
    /// Values that `in` and `nin` compare with.
    #[prost(string, repeated, tag = "5")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub vals: Vec<String>,
    /// Children of `and`, `or` and `not`.
    #[prost(message, repeated, tag = "6")]
    #[serde(
        deserialize_with = "object_list",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub nodes: Vec<FilterNode>,
}
