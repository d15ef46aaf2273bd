//! The Centrifuge client protocol v2 as values: frames of bytes in, messages out, and back, in
//! JSON and protobuf, for servers and clients.
//!
//! Invariant: this crate knows nothing of sockets, clocks or what an application sends through
//! the protocol; it never panics on what a peer sent. Sessions and clients call it.
//!
//! ```
//! use centrifuge_protocol::{CommandBody, Encoding, Reply, RpcResult, decode_commands, encode_reply};
//!
//! let commands = decode_commands(Encoding::Json, br#"{"id":3,"rpc":{"method":"now"}}"#, 16)?;
//! assert!(matches!(commands[0].body(), CommandBody::Rpc(rpc) if rpc.method == "now"));
//!
//! let reply = Reply { id: 3, rpc: Some(RpcResult::default()), ..Reply::default() };
//! let mut frame = Vec::new();
//! encode_reply(Encoding::Json, &reply, &mut frame);
//! assert_eq!(frame, br#"{"id":3,"rpc":{}}"#);
//! # Ok::<(), centrifuge_protocol::DecodeError>(())
//! ```

mod close_reason;
mod codec;
pub mod codes;
mod error;
mod json;
mod lenient;
mod message;
mod payload;
mod protobuf;

pub use bytes::Bytes;

pub use close_reason::{CloseReason, CloseReasonError};
pub use codec::{
    Encoding, decode_commands, decode_connect_request, decode_emulation, decode_pushes,
    decode_replies, encode_command, encode_push, encode_reply,
};
pub use codes::{DisconnectCode, ErrorCode, should_reconnect};
pub use error::{DecodeError, JsonFault};
pub use message::*;
