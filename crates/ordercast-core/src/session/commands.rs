//! What a client may ask once it is connected: its history. Everything else gets its error, and the
//! session stays.

use super::{Action, CHANNEL_BYTES_MAX, HISTORY_MAX, Read, Session, State, reply};
use crate::channel::{ChannelPage, Offset, Range};
use centrifuge_protocol::{
    CloseReason, Command, CommandBody, DisconnectCode, ErrorCode, HistoryRequest, HistoryResult,
    PingResult, PresenceRequest, PresenceStatsRequest, PublishRequest, RefreshRequest, Reply,
    SubscribeRequest, UnsubscribeRequest, UnsubscribeResult,
};
use std::time::Duration;

/// What asking for a channel gets that is not granted.
fn refused(channel: &str, own: &str) -> ErrorCode {
    if channel != own && channel.len() > CHANNEL_BYTES_MAX {
        ErrorCode::BadRequest
    } else {
        ErrorCode::PermissionDenied
    }
}

/// A history command whose page has not come yet.
#[derive(Debug)]
pub(super) struct HistoryWait {
    id: i64,
    /// Where to go back from.
    before: Option<Offset>,
}

impl Session {
    pub(super) fn on_command(&mut self, now: Duration, command: &Command, out: &mut Vec<Action>) {
        let id = command.id;
        let body = command.body();
        if let CommandBody::Empty = body {
            if id == 0 {
                // A pong, asked for or not: raw clients in the field send `{}` by their own clock.
                self.timers.pong();
            } else {
                self.bad_request("bad request: a command with an id and no known body", out);
            }
            return;
        }
        if let State::Fresh = self.state {
            match body {
                CommandBody::Connect(request) => self.on_connect(now, id, request, None, out),
                _ => self.bad_request("bad request: command before connect", out),
            }
            return;
        }
        let State::Live(live) = &self.state else {
            return;
        };
        let own = live.channel.name();
        let (channel, code) = match body {
            CommandBody::Empty => return,
            CommandBody::Connect(_) => {
                return self.bad_request("bad request: second connect", out);
            }
            CommandBody::Ping(_) => {
                let ping = Some(PingResult {});
                return out.push(Action::Send(Box::new(Reply {
                    id,
                    ping,
                    ..Default::default()
                })));
            }
            CommandBody::History(request) => return self.on_history(id, request, &own, out),
            CommandBody::Refresh(request) => return self.on_refresh(id, request, out),
            CommandBody::Unsubscribe(request)
                if !request.channel.is_empty() && request.channel != own =>
            {
                let unsubscribe = Some(UnsubscribeResult {});
                return out.push(Action::Send(Box::new(Reply {
                    id,
                    unsubscribe,
                    ..Default::default()
                })));
            }
            CommandBody::Subscribe(request) if request.r#type != 0 => {
                (Some(&request.channel), ErrorCode::NotAvailable)
            }
            CommandBody::Subscribe(request) if request.channel == own => {
                (Some(&request.channel), ErrorCode::AlreadySubscribed)
            }
            CommandBody::Subscribe(SubscribeRequest { channel, .. })
            | CommandBody::Unsubscribe(UnsubscribeRequest { channel })
            | CommandBody::Publish(PublishRequest { channel, .. })
            | CommandBody::Presence(PresenceRequest { channel })
            | CommandBody::PresenceStats(PresenceStatsRequest { channel }) => {
                (Some(channel), refused(channel, &own))
            }
            CommandBody::Rpc(_) | CommandBody::Send(_) | CommandBody::SubRefresh(_) => {
                (None, ErrorCode::NotAvailable)
            }
        };
        if channel.is_some_and(String::is_empty) {
            return self.bad_request("bad request: command without channel", out);
        }
        self.error(id, code, out);
    }

    /// A token that the client has renewed: of the same user in the same project.
    fn on_refresh(&mut self, id: i64, request: &RefreshRequest, out: &mut Vec<Action>) {
        if request.token.is_empty() {
            return self.bad_request("bad request: refresh without token", out);
        }
        let State::Live(live) = &mut self.state else {
            return;
        };
        live.refresh = Some(id);
        out.push(Action::Authenticate {
            project: live.channel.project,
            auth: request.token.clone(),
            user_external_id: Some(live.channel.user.to_string()),
        });
    }

    /// Every row of the history table (realtime contract, B8).
    fn on_history(&mut self, id: i64, request: &HistoryRequest, own: &str, out: &mut Vec<Action>) {
        if request.channel.is_empty() {
            return self.bad_request("bad request: history without channel", out);
        }
        if request.channel != own {
            return self.error(id, refused(&request.channel, own), out);
        }
        let State::Live(live) = &mut self.state else {
            return;
        };
        let limit = usize::try_from(request.limit).map_or(HISTORY_MAX, |n| n.min(HISTORY_MAX));
        let since = request.since.as_ref();
        if since.is_some_and(|s| !s.epoch.is_empty() && s.epoch != live.epoch.as_str()) {
            return self.error(id, ErrorCode::UnrecoverablePosition, out);
        }
        // Past the range of offsets there is nothing: read the position alone.
        let offset = since.map(|s| Offset::new(s.offset));
        let range = match (limit, offset, request.reverse) {
            (_, Some(Some(Offset::ZERO)), true) => {
                return self.error(id, ErrorCode::BadRequest, out);
            }
            (0, _, _) | (_, Some(None), _) => Range::Position,
            (_, None, false) => Range::After(Offset::ZERO),
            (_, None, true) => Range::Newest,
            (_, Some(Some(offset)), false) => Range::After(offset),
            (_, Some(Some(offset)), true) => Range::Before(offset),
        };
        let before = match range {
            Range::Before(offset) => Some(offset),
            Range::Position | Range::After(_) | Range::Newest => None,
        };
        live.history = Some(HistoryWait { id, before });
        out.push(Action::Read {
            channel: live.channel.clone(),
            read: Read { range, limit },
            claimed: None,
        });
    }

    pub(super) fn on_history_page(&mut self, page: Option<ChannelPage>, out: &mut Vec<Action>) {
        let State::Live(live) = &mut self.state else {
            return;
        };
        let Some(HistoryWait { id, before }) = live.history.take() else {
            return;
        };
        let Some(mut page) = page else {
            return self.error(id, ErrorCode::Internal, out);
        };
        // Going back begins at the entry before the given one. Above the top there is none.
        if before.is_some_and(|offset| offset.previous() > page.top) {
            page.publications.clear();
        }
        let history = HistoryResult {
            publications: page
                .publications
                .iter()
                .map(reply::wire_publication)
                .collect(),
            epoch: page.epoch.to_string(),
            offset: page.top.get().into(),
        };
        let reply = Reply {
            id,
            history: Some(history),
            ..Default::default()
        };
        out.push(Action::Send(Box::new(reply)));
    }

    pub(super) fn error(&mut self, id: i64, code: ErrorCode, out: &mut Vec<Action>) {
        if !self.limits.error() {
            return self.close(
                DisconnectCode::TooManyErrors,
                "too many errors in one session",
                out,
            );
        }
        // A command without an id cannot be answered: a reply without one is a ping.
        if id != 0 {
            out.push(Action::Send(Box::new(reply::error(id, code))));
        }
    }

    pub(super) fn bad_request(&mut self, reason: &'static str, out: &mut Vec<Action>) {
        self.close_with(
            DisconnectCode::BadRequest,
            CloseReason::from_static(reason),
            out,
        );
    }
}
