//! Replies as every SDK in the field can read them.

use crate::{
    channel::{Publication, payload},
    ids::OrderId,
    order::TrackingStatus,
};
use centrifuge_protocol::{self as wire, Bytes, ErrorCode, Push, Reply};

/// What the connect reply calls the server; some SDKs insist on text here.
pub const VERSION: &str = concat!("ordercast ", env!("CARGO_PKG_VERSION"));

pub(super) fn wire_publication(publication: &Publication) -> wire::Publication {
    wire::Publication {
        data: Bytes::from(publication.payload()),
        // Always set: over protobuf a missing offset resets the position that an SDK keeps.
        offset: publication.offset.get().into(),
        ..Default::default()
    }
}

/// The push of one publication; the hub encodes it once for all.
#[must_use]
pub fn publication_reply(channel: String, publication: &Publication) -> Reply {
    Reply {
        push: Some(Push {
            channel,
            publication: Some(wire_publication(publication)),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// The status of one order without a place in the channel. An SDK that keeps a position gets it only
/// before a run of publications, which set the position again.
pub(super) fn status_reply(channel: String, order: OrderId, status: TrackingStatus) -> Reply {
    let publication = wire::Publication {
        data: Bytes::from(payload(order, status)),
        ..Default::default()
    };
    Reply {
        push: Some(Push {
            channel,
            publication: Some(publication),
            ..Default::default()
        }),
        ..Default::default()
    }
}

pub(super) fn error(id: i64, code: ErrorCode) -> Reply {
    Reply {
        id,
        error: Some(wire::Error::new(code)),
        ..Default::default()
    }
}
