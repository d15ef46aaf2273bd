//! Opening a session, and what its first reply says about the time before.
//!
//! Invariant: after a successful connect there is a place, and it either is where the server goes
//! on or is being caught up from.

use std::time::Duration;

use centrifuge_protocol::{
    Bytes, Command, ConnectRequest, ConnectResult, Error, ErrorCode, SubscribeRequest,
};
use ordercast_core::channel::Offset;
use ordercast_core::{ProjectId, UserId};
use serde::Serialize;

use super::{Action, Fault, Keepalive, Link, Place, Session, broken, offset_of};
use crate::config::TrackerConfig;
use crate::error::TrackError;
use crate::event::{Event, How, Missed};

/// `connect.data`: realtime contract, A1.
#[derive(Serialize)]
struct Credentials<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    user_external_id: Option<&'a UserId>,
    auth: &'a str,
    project_id: ProjectId,
}

impl Session {
    pub(crate) fn new(config: &TrackerConfig) -> Self {
        let credentials = Credentials {
            user_external_id: config.user_external_id.as_ref(),
            auth: &config.auth,
            project_id: config.project_id,
        };
        // Two strings and a number always serialise.
        let data = serde_json::to_vec(&credentials).unwrap_or_default();
        Self {
            data: Bytes::from(data),
            place: None,
            link: Link::Down,
            last_id: 0,
        }
    }

    /// A connection stands: the command to begin with.
    pub(crate) fn open(&mut self) -> Command {
        let mut connect = ConnectRequest {
            data: self.data.clone(),
            name: "ordercast".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..ConnectRequest::default()
        };
        if let Some(place) = &self.place {
            let recovery = SubscribeRequest {
                recover: true,
                epoch: place.epoch.clone(),
                offset: place.offset.get().into(),
                ..SubscribeRequest::default()
            };
            connect.subs.insert(place.channel.clone(), recovery);
        }
        let id = self.take_id();
        self.link = Link::Connecting { id };
        Command {
            id,
            connect: Some(connect),
            ..Command::default()
        }
    }

    pub(super) fn on_connect(
        &mut self,
        result: ConnectResult,
        out: &mut Vec<Action>,
    ) -> Result<(), Fault> {
        let mut subs = result.subs.into_iter();
        let (Some((channel, sub)), None) = (subs.next(), subs.next()) else {
            return Err(broken(
                "the connect reply does not name exactly one channel",
            ));
        };
        if !sub.recoverable || sub.epoch.is_empty() {
            return Err(broken("the channel keeps no history"));
        }
        let top = offset_of(sub.offset)?;
        let interval = (result.ping > 0).then(|| Duration::from_secs(result.ping.into()));
        self.link = Link::Open {
            keepalive: Keepalive {
                interval,
                answer: result.pong,
            },
            catch_up: None,
        };
        out.push(Action::Pinged(interval));

        let Some(place) = &mut self.place else {
            self.place = Some(Place {
                channel,
                epoch: sub.epoch,
                offset: top,
            });
            out.push(Action::Emit(Event::Connected { recovered: None }));
            // The order may have changed long before what is replayed now.
            out.push(Action::Snapshot);
            return Ok(());
        };
        let same_run = place.channel == channel && place.epoch == sub.epoch;
        let recovered = sub.recovered && same_run;
        out.push(Action::Emit(Event::Connected {
            recovered: Some(recovered),
        }));
        if recovered {
            // `sub.offset` is our own then (realtime contract, B9).
            let newest = sub
                .publications
                .last()
                .map_or(sub.offset, |newest| newest.offset);
            for publication in sub.publications {
                if !self.deliver_next(&publication, How::Recovered, out)? {
                    // A hole: what should stand in it may still be in the history.
                    return self.begin_catch_up(offset_of(newest)?, false, out);
                }
            }
            return Ok(());
        }
        // With the same epoch, nothing is lost as long as the history reaches back to our place.
        let lost_run = !same_run || place.offset > top;
        if lost_run {
            *place = Place {
                channel,
                epoch: sub.epoch,
                offset: Offset::ZERO,
            };
            out.push(Action::Emit(Event::Gap {
                missed: Missed::Unknown,
            }));
        }
        self.begin_catch_up(top, lost_run, out)
    }
}

/// The answer to a refused connect. SDKs come back when the error is temporary or below 100; a
/// token that has run out is final here, because this client has no way to get another.
pub(super) fn refused(error: Error) -> Fault {
    let Error {
        code,
        message,
        temporary,
    } = error;
    if temporary || code < 100 {
        return Fault::Reconnect(format!("the server refuses for now: {code} {message}"));
    }
    let about_token = [
        ErrorCode::Unauthorized,
        ErrorCode::TokenExpired,
        ErrorCode::Expired,
    ];
    Fault::End(if about_token.iter().any(|known| known.code() == code) {
        TrackError::Unauthorized { code, message }
    } else {
        TrackError::Refused { code, message }
    })
}
