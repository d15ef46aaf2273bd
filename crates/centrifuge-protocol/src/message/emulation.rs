//! Commands that travel apart from the stream they answer to.
//!
//! Invariant: field numbers and JSON names are those of the Centrifuge client protocol v2
//! (`client.proto` v0.21).

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::lenient::{is_default, or_default};
use crate::payload;

/// Carries commands from client to server on transports that stream only the other way.
///
/// Centrifuge client protocol v2, `EmulationRequest`. Its `Debug` output leaves out `session` and
/// `data`: the session is what authorises the request.
#[derive(Clone, PartialEq, Eq, prost::Message, Serialize, Deserialize)]
#[prost(skip_debug)]
#[serde(default)]
pub struct EmulationRequest {
    /// Node that holds the session, from [`ConnectResult::node`](crate::ConnectResult::node).
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub node: String,
    /// Session, from [`ConnectResult::session`](crate::ConnectResult::session).
    #[prost(string, tag = "2")]
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub session: String,
    /// A frame of commands. [`decode_emulation`](crate::decode_emulation) unwraps the JSON string
    /// that holds it in JSON.
    #[prost(bytes = "bytes", tag = "3")]
    #[serde(with = "payload", skip_serializing_if = "Bytes::is_empty")]
    pub data: Bytes,
}
