//! Reading the history to fill a hole that recovery or pushes left.
//!
//! Invariant: every history reply moves the place forwards or ends the catching up, so it takes a
//! bounded number of commands; what the history no longer has is declared as a gap. Pushes that
//! come meanwhile are held and shown after it.

use std::collections::VecDeque;

use centrifuge_protocol::{
    Command, Error, HistoryRequest, HistoryResult, Publication, StreamPosition,
};
use ordercast_core::channel::Offset;

use super::{Action, Fault, Link, Session, offset_of};
use crate::event::{Event, How, Missed};

/// Most pushes held while the history is read. A buyer has a handful of orders; more means that
/// the history does not come, and a new connection is the better way.
const HELD_MAX: usize = 1_024;

/// The server's own cap on one page is at most 300 (realtime contract, B8); asking for all of them
/// leaves the page size to the server.
const ALL: i32 = -1;

/// A history command that waits for its reply.
pub(super) struct CatchUp {
    id: i64,
    /// The newest offset known to exist when it began.
    target: Offset,
    /// Something was declared missing.
    gap: bool,
    held: VecDeque<Publication>,
}

impl CatchUp {
    pub(super) fn id(&self) -> i64 {
        self.id
    }

    pub(super) fn hold(&mut self, publication: Publication) -> Result<(), Fault> {
        if self.held.len() == HELD_MAX {
            let reason = "too much is pushed while the history is read";
            return Err(Fault::Reconnect(reason.to_owned()));
        }
        self.held.push_back(publication);
        Ok(())
    }
}

impl Session {
    /// Reads the history from the present place to `target`, or does nothing if it is there.
    pub(super) fn begin_catch_up(
        &mut self,
        target: Offset,
        gap: bool,
        out: &mut Vec<Action>,
    ) -> Result<(), Fault> {
        self.go_on(
            CatchUp {
                id: 0,
                target,
                gap,
                held: VecDeque::new(),
            },
            out,
        )
    }

    pub(super) fn on_history(
        &mut self,
        result: HistoryResult,
        out: &mut Vec<Action>,
    ) -> Result<(), Fault> {
        let Some(mut catch_up) = self.take_catch_up() else {
            return Ok(());
        };
        let Some(place) = &self.place else {
            return Ok(());
        };
        if result.epoch != place.epoch {
            // The next connection asks with the old epoch, is refused, and declares the gap.
            return Err(Fault::Reconnect("the channel began a new epoch".to_owned()));
        }
        let before = place.offset;
        let top = offset_of(result.offset)?;
        catch_up.target = catch_up.target.max(top);
        for publication in result.publications {
            let offset = offset_of(publication.offset)?;
            if !self.deliver_next(&publication, How::History, out)? {
                self.declare_missing(offset.previous(), &mut catch_up, out);
                self.deliver_next(&publication, How::History, out)?;
            }
        }
        if self.offset() == before {
            // There is no more; not even a later reply would have it.
            self.declare_missing(catch_up.target, &mut catch_up, out);
        }
        self.go_on(catch_up, out)
    }

    pub(super) fn on_history_error(
        &mut self,
        error: Error,
        out: &mut Vec<Action>,
    ) -> Result<(), Fault> {
        let Some(mut catch_up) = self.take_catch_up() else {
            return Ok(());
        };
        if error.temporary {
            let reason = format!(
                "the history is refused for now: {} {}",
                error.code, error.message
            );
            return Err(Fault::Reconnect(reason));
        }
        tracing::warn!(error.code, error.message, "the history is refused");
        self.declare_missing(catch_up.target, &mut catch_up, out);
        self.go_on(catch_up, out)
    }

    /// Asks for the next page, or, where nothing is left to ask for, shows what was held.
    fn go_on(&mut self, mut catch_up: CatchUp, out: &mut Vec<Action>) -> Result<(), Fault> {
        while self.offset() >= catch_up.target {
            let Some(publication) = catch_up.held.pop_front() else {
                if catch_up.gap {
                    out.push(Action::Snapshot);
                }
                return Ok(());
            };
            if !self.deliver_next(&publication, How::Pushed, out)? {
                catch_up.target = offset_of(publication.offset)?.previous();
                catch_up.held.push_front(publication);
            }
        }
        catch_up.id = self.take_id();
        let Some(place) = &self.place else {
            return Ok(());
        };
        let history = HistoryRequest {
            channel: place.channel.clone(),
            limit: ALL,
            // Without an epoch: one that changed is noticed in the reply, without an error.
            since: Some(StreamPosition {
                offset: place.offset.get().into(),
                epoch: String::new(),
            }),
            reverse: false,
        };
        out.push(Action::Send(Box::new(Command {
            id: catch_up.id,
            history: Some(history),
            ..Command::default()
        })));
        if let Link::Open { catch_up: slot, .. } = &mut self.link {
            *slot = Some(catch_up);
        }
        Ok(())
    }

    fn declare_missing(&mut self, last: Offset, catch_up: &mut CatchUp, out: &mut Vec<Action>) {
        let Some(place) = &mut self.place else {
            return;
        };
        if last <= place.offset {
            return;
        }
        let missed = Missed::Offsets {
            first: place.offset.next(),
            last,
        };
        place.offset = last;
        catch_up.gap = true;
        out.push(Action::Emit(Event::Gap { missed }));
    }

    fn take_catch_up(&mut self) -> Option<CatchUp> {
        match &mut self.link {
            Link::Down | Link::Connecting { .. } => None,
            Link::Open { catch_up, .. } => catch_up.take(),
        }
    }

    fn offset(&self) -> Offset {
        self.place
            .as_ref()
            .map_or(Offset::ZERO, |place| place.offset)
    }
}
