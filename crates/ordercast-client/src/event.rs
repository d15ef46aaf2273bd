//! What a tracker reports.
//!
//! Invariant: the JSON form is stable: `event` names the kind, durations are whole milliseconds.
//! The session makes most of them, the runner those about connections.

use std::time::Duration;

use ordercast_core::OrderId;
use ordercast_core::channel::Offset;
use ordercast_core::order::TrackingStatus;
use serde::{Serialize, Serializer};

/// Something that a tracker saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The session is open; statuses are pushed from here on.
    Connected {
        /// `None` on the first connection, which has nothing to recover; afterwards whether the
        /// server gave everything that was missed. After `false` the history is read instead.
        recovered: Option<bool>,
    },
    /// An order has this status.
    Status {
        /// The order, one of the buyer's.
        order_id: OrderId,
        /// Its status.
        status: TrackingStatus,
        /// Its place in the buyer's channel; `None` exactly for [`How::Polled`], which comes in
        /// addition to the run of offsets and may be ahead of it.
        offset: Option<Offset>,
        /// The way it came.
        how: How,
    },
    /// There is no session: the connection ended, or an attempt to make one failed.
    Disconnected {
        /// Close code of the WebSocket, if the server sent one.
        code: Option<u16>,
        /// Why, for a person.
        reason: String,
        /// Time until the next attempt; `None` when the tracker gives up.
        #[serde(rename = "retry_in_ms", serialize_with = "milliseconds")]
        retry_in: Option<Duration>,
    },
    /// Status changes happened, or may have happened, that this tracker does not show. Where an
    /// order is tracked, its present status is fetched next.
    Gap {
        /// What is missing.
        missed: Missed,
    },
}

/// The way a status came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// As it happened, or replayed at the first connection.
    Pushed,
    /// In the answer to a reconnect.
    Recovered,
    /// Read from the channel's history, because recovery was not possible.
    History,
    /// Read from the order itself.
    Polled,
}

/// What a gap leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Missed {
    /// The publications at these places, both included.
    Offsets {
        /// The first one.
        first: Offset,
        /// The last one.
        last: Offset,
    },
    /// The server began a new run of offsets, so what the old one still held is not known.
    /// Offsets start again and statuses may repeat.
    Unknown,
}

impl How {
    /// The word for people and for JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pushed => "pushed",
            Self::Recovered => "recovered",
            Self::History => "history",
            Self::Polled => "polled",
        }
    }
}

fn milliseconds<S: Serializer>(
    duration: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match duration {
        Some(duration) => {
            serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
        }
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(event: &Event, json: &str) {
        assert_eq!(serde_json::to_string(event).unwrap(), json);
    }

    #[test]
    fn json_is_flat_and_names_its_kind() {
        check(
            &Event::Status {
                order_id: OrderId::new(7).unwrap(),
                status: TrackingStatus::Paid,
                offset: Offset::new(3),
                how: How::Pushed,
            },
            r#"{"event":"status","order_id":7,"status":"paid","offset":3,"how":"pushed"}"#,
        );
        check(
            &Event::Disconnected {
                code: Some(3005),
                reason: "connection expired".to_owned(),
                retry_in: Some(Duration::from_millis(250)),
            },
            r#"{"event":"disconnected","code":3005,"reason":"connection expired","retry_in_ms":250}"#,
        );
        check(
            &Event::Gap {
                missed: Missed::Unknown,
            },
            r#"{"event":"gap","missed":"unknown"}"#,
        );
    }
}
