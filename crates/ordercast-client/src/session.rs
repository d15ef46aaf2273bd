//! The client's side of the tracking protocol, as a value: replies in, events and commands out.
//!
//! Invariant: `place.offset` is the last offset that was shown or declared missing, and it only
//! moves by one, or over a stretch that a [`Event::Gap`] declares. No socket, no clock. The runner
//! calls it.

mod catch_up;
mod connect;
#[cfg(test)]
mod tests;

use std::time::Duration;

use centrifuge_protocol::{Bytes, Command, DisconnectCode, Publication, Reply};
use ordercast_core::OrderId;
use ordercast_core::channel::Offset;
use ordercast_core::order::TrackingStatus;
use serde::Deserialize;

use crate::error::TrackError;
use crate::event::{Event, How, Missed};
use catch_up::CatchUp;
use connect::refused;

/// What the runner shall do, in this order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    /// Show the event.
    Emit(Event),
    /// Send the command; if its id is not 0, its reply must come in time.
    Send(Box<Command>),
    /// The session opened or a ping came: the next is due within the interval announced, if any.
    Pinged(Option<Duration>),
    /// What was shown may not be the present status of the order that is tracked.
    Snapshot,
}

/// Why a connection cannot go on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fault {
    /// Another connection may do better.
    Reconnect(String),
    /// None will.
    End(TrackError),
}

/// One buyer's tracking, over as many connections as it takes.
pub(crate) struct Session {
    data: Bytes,
    place: Option<Place>,
    link: Link,
    last_id: i64,
}

/// How far the buyer's channel has been shown.
struct Place {
    channel: String,
    epoch: String,
    offset: Offset,
}

/// The present connection.
enum Link {
    Down,
    Connecting {
        id: i64,
    },
    Open {
        keepalive: Keepalive,
        catch_up: Option<CatchUp>,
    },
}

#[derive(Clone, Copy)]
struct Keepalive {
    interval: Option<Duration>,
    answer: bool,
}

/// Payload of a publication: realtime contract, A3. Members that a later server adds are ignored.
#[derive(Deserialize)]
struct Payload {
    order_id: OrderId,
    status: TrackingStatus,
}

impl Session {
    /// The connection is gone, with this close code if one came.
    pub(crate) fn lost(&mut self, code: Option<u16>) {
        self.link = Link::Down;
        if code == Some(DisconnectCode::StateInvalidated.code())
            && let Some(place) = &mut self.place
        {
            // No server generates this epoch (SDKs use it for the same purpose), so the next
            // connection is not recovered and says so.
            "_".clone_into(&mut place.epoch);
        }
    }

    /// Whether a command waits for its reply.
    pub(crate) fn awaits_reply(&self) -> bool {
        match &self.link {
            Link::Down => false,
            Link::Connecting { .. } => true,
            Link::Open { catch_up, .. } => catch_up.is_some(),
        }
    }

    /// A message came. On a fault the actions made before it still count.
    pub(crate) fn on_reply(&mut self, reply: Reply, out: &mut Vec<Action>) -> Result<(), Fault> {
        if reply.is_ping() {
            if let Link::Open { keepalive, .. } = &self.link {
                out.push(Action::Pinged(keepalive.interval));
                if keepalive.answer {
                    out.push(Action::Send(Box::default()));
                }
            }
            return Ok(());
        }
        if let Some(push) = reply.push {
            // Pushes of other kinds and for other channels are ignored, as SDKs do.
            return match &self.place {
                Some(place) if place.channel == push.channel => {
                    if let Some(ended) = push.unsubscribe {
                        let reason = format!("the server ended the channel: {}", ended.reason);
                        return Err(Fault::Reconnect(reason));
                    }
                    push.publication
                        .map_or(Ok(()), |publication| self.on_push(publication, out))
                }
                Some(_) | None => Ok(()),
            };
        }
        match &self.link {
            Link::Connecting { id } if *id == reply.id => match (reply.error, reply.connect) {
                (Some(error), _) => Err(refused(error)),
                (None, Some(result)) => self.on_connect(result, out),
                (None, None) => Err(broken("the connect command was answered with nothing")),
            },
            Link::Open {
                catch_up: Some(catch_up),
                ..
            } if catch_up.id() == reply.id => match (reply.error, reply.history) {
                (Some(error), _) => self.on_history_error(error, out),
                (None, Some(result)) => self.on_history(result, out),
                (None, None) => Err(broken("the history command was answered with nothing")),
            },
            Link::Down | Link::Connecting { .. } | Link::Open { .. } => Ok(()),
        }
    }

    fn on_push(&mut self, publication: Publication, out: &mut Vec<Action>) -> Result<(), Fault> {
        match &mut self.link {
            // The server queues no push before the connect reply (realtime contract, B5).
            Link::Down | Link::Connecting { .. } => Ok(()),
            Link::Open {
                catch_up: Some(catch_up),
                ..
            } => catch_up.hold(publication),
            Link::Open { catch_up: None, .. } => {
                if self.deliver_next(&publication, How::Pushed, out)? {
                    return Ok(());
                }
                let before = offset_of(publication.offset)?.previous();
                self.begin_catch_up(before, false, out)?;
                self.on_push(publication, out)
            }
        }
    }

    /// Shows the publication if it is the next one; one shown before is passed over. `false` if
    /// it comes after a hole.
    fn deliver_next(
        &mut self,
        publication: &Publication,
        how: How,
        out: &mut Vec<Action>,
    ) -> Result<bool, Fault> {
        let offset = offset_of(publication.offset)?;
        let Some(place) = &mut self.place else {
            return Ok(true);
        };
        if offset <= place.offset {
            return Ok(true);
        }
        if offset.previous() != place.offset {
            return Ok(false);
        }
        place.offset = offset;
        match serde_json::from_slice::<Payload>(&publication.data) {
            Ok(Payload { order_id, status }) => {
                let offset = Some(offset);
                out.push(Action::Emit(Event::Status {
                    order_id,
                    status,
                    offset,
                    how,
                }));
            }
            Err(error) => {
                tracing::warn!(%offset, %error, "publication is not an order status");
                let missed = Missed::Offsets {
                    first: offset,
                    last: offset,
                };
                out.push(Action::Emit(Event::Gap { missed }));
                out.push(Action::Snapshot);
            }
        }
        Ok(true)
    }

    fn take_id(&mut self) -> i64 {
        // SDKs count from 1; the protocol says uint32, raw servers may read int32.
        self.last_id = self.last_id % i64::from(i32::MAX) + 1;
        self.last_id
    }
}

fn broken(what: &str) -> Fault {
    Fault::End(TrackError::Protocol(what.to_owned()))
}

fn offset_of(value: u64) -> Result<Offset, Fault> {
    Offset::new(value).ok_or_else(|| broken("an offset is greater than 2147483647"))
}
