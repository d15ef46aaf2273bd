//! The messages of the protocol, one struct for both encodings.
//!
//! Invariant: a message that was read from one encoding and is written in the other keeps its
//! meaning, absent and empty submessages included. The codec functions at the crate root are the
//! callers; everybody else builds and reads these structs.

mod body;
mod command;
mod data;
mod emulation;
mod push;
mod redacted;
mod reply;

pub use body::CommandBody;
pub use command::*;
pub use data::*;
pub use emulation::*;
pub use push::*;
pub use reply::*;
