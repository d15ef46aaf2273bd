//! The connect command: credential, position, and the merge of what was stored with what is
//! committed meanwhile.

use super::{
    Action, BUFFERED_MAX, Live, Read, SUBS_MAX, Session, State,
    reply::{self, VERSION},
};
use crate::{
    Timestamp, UserId,
    channel::{
        Channel, ChannelPage, Epoch, LATE_JOIN_MAX, Offset, Position, Publication, RECOVERY_MAX,
        Range, Recovery, is_run_after, recover,
    },
    ids::{OrderId, ProjectId},
    order::TrackingStatus,
};
use centrifuge_protocol::{
    CloseReason, ConnectRequest, ConnectResult, DisconnectCode, ErrorCode, RefreshResult, Reply,
    SubscribeResult,
};
use serde_json::Value;
use std::{collections::BTreeMap, time::Duration};

/// A connect that waits for its credential or its channel.
#[derive(Debug)]
pub(super) struct Connecting {
    id: i64,
    /// What the client asked to recover, by channel name.
    positions: BTreeMap<String, Position>,
    /// What the transport knows that the client has of its own channel.
    own_position: Option<Position>,
    joined: Option<Joined>,
}

#[derive(Debug)]
struct Joined {
    channel: Channel,
    token_life: Option<Duration>,
    /// Epoch and offset that the client asked to recover from.
    position: Option<Position>,
    /// What is recovered follows the reply as ordinary pushes: the client did not ask by itself.
    is_pushed: bool,
    /// The order of the credential, as it was when the credential was checked.
    order: Option<(OrderId, TrackingStatus)>,
    /// Committed while the store is read, in commit order.
    buffered: Vec<(Epoch, Publication)>,
}

impl Connecting {
    /// Keeps a commit for the merge; `false` at the bound.
    pub(super) fn buffer(&mut self, epoch: &Epoch, publication: &Publication) -> bool {
        let Some(joined) = &mut self.joined else {
            return true;
        };
        if joined.buffered.len() >= BUFFERED_MAX {
            return false;
        }
        joined.buffered.push((epoch.clone(), publication.clone()));
        true
    }
}

/// A credential that was accepted.
#[derive(Clone, Debug)]
pub struct Granted {
    pub project: ProjectId,
    pub user: UserId,
    /// When the credential ends, if it does.
    pub valid_until: Option<Timestamp>,
    /// The order that the credential was given for, with its status: a payment token has one.
    pub order: Option<(OrderId, TrackingStatus)>,
}

/// Why a connect got no identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthenticationFailed {
    /// Whatever is wrong with the credential: one answer for all of it.
    Rejected,
    /// It could not be checked.
    Unavailable,
    /// The user has too many connections. The new one goes: an attacker must not evict the buyer.
    TooManyConnections,
}

impl Session {
    /// The connect of a client that sends no other command. `position`: what the transport knows that
    /// the client has, as `EventSource` tells it.
    pub fn on_one_way_connect(
        &mut self,
        now: Duration,
        request: &ConnectRequest,
        position: Option<Position>,
        out: &mut Vec<Action>,
    ) {
        if !self.is_fresh() {
            return self.bad_request("bad request: second connect", out);
        }
        self.on_connect(now, 1, request, position, out);
    }

    pub(super) fn on_connect(
        &mut self,
        now: Duration,
        id: i64,
        request: &ConnectRequest,
        own_position: Option<Position>,
        out: &mut Vec<Action>,
    ) {
        // Refused rather than cut: the entry left out might be the channel's own, and the client would
        // be told again what it knows.
        if request.subs.len() > SUBS_MAX {
            return self.bad_request("bad request: more than 16 entries in connect.subs", out);
        }
        let positions = request
            .subs
            .iter()
            .filter(|(_, sub)| sub.recover)
            .map(|(name, sub)| {
                let (epoch, offset) = (sub.epoch.clone(), sub.offset);
                (name.clone(), Position { epoch, offset })
            })
            .collect();
        self.state = State::Connecting(Box::new(Connecting {
            id,
            positions,
            own_position,
            joined: None,
        }));
        match parse_data(&request.data, &request.token) {
            Some((project, auth, user_external_id)) => {
                out.push(Action::Authenticate {
                    project,
                    auth,
                    user_external_id,
                });
            }
            // Data without a usable credential is a bad credential: every SDK ends well on that.
            None => self.fail(now, AuthenticationFailed::Rejected, out),
        }
    }

    /// The answer to [`Action::Authenticate`], or the hub's refusal of [`Action::Join`].
    pub fn on_authenticated(
        &mut self,
        now: Duration,
        time: Timestamp,
        result: Result<Granted, AuthenticationFailed>,
        out: &mut Vec<Action>,
    ) {
        let connecting = match &mut self.state {
            State::Connecting(connecting) => connecting,
            State::Live(_) => return self.on_refreshed(now, time, result, out),
            State::Fresh | State::Failed | State::Closed => return,
        };
        let granted = match result {
            Ok(granted) => granted,
            Err(failure) => return self.fail(now, failure, out),
        };
        let token_life = life_of(&granted, time);
        let channel = Channel {
            project: granted.project,
            user: granted.user,
        };
        let own = connecting.own_position.take();
        let is_pushed = own.is_some();
        let position = own.or_else(|| connecting.positions.remove(&channel.name()));
        let read = match &position {
            Some(position) => Read {
                range: Offset::new(position.offset).map_or(Range::Position, Range::After),
                // One more than may be recovered shows that there are too many.
                limit: RECOVERY_MAX + 1,
            },
            None => Read {
                range: Range::Newest,
                limit: LATE_JOIN_MAX,
            },
        };
        let joined = Joined {
            channel: channel.clone(),
            token_life,
            position: position.clone(),
            is_pushed,
            order: granted.order,
            buffered: Vec::new(),
        };
        connecting.joined = Some(joined);
        // Joined before it is read: what is committed in between is in the buffer, in the page, or in
        // both, and the offset tells.
        out.push(Action::Join(channel.clone()));
        out.push(Action::Read {
            channel,
            read,
            claimed: position,
        });
    }

    pub(super) fn on_connect_page(
        &mut self,
        now: Duration,
        page: Option<ChannelPage>,
        out: &mut Vec<Action>,
    ) {
        let State::Connecting(connecting) = &mut self.state else {
            return;
        };
        let id = connecting.id;
        let Some(joined) = connecting.joined.take() else {
            return;
        };
        let Some(page) = page else {
            return self.fail(now, AuthenticationFailed::Unavailable, out);
        };
        let Joined {
            channel,
            token_life,
            position,
            is_pushed,
            order,
            buffered,
        } = joined;
        let name = channel.name();
        let mut sub = SubscribeResult {
            recoverable: true,
            positioned: true,
            epoch: page.epoch.to_string(),
            ..Default::default()
        };
        // What follows the reply as ordinary pushes.
        let mut pushes = Vec::new();
        let mut own = None;
        match position {
            Some(Position { epoch, offset }) => {
                sub.was_recovering = true;
                match recover(&epoch, offset, &page) {
                    Recovery::Recovered(missed) => {
                        sub.recovered = true;
                        // The client's own: SDKs advance it as they process the list.
                        sub.offset = offset;
                        if is_pushed {
                            pushes = missed;
                        } else {
                            let missed = missed.iter().map(reply::wire_publication);
                            sub.publications = missed.collect();
                        }
                    }
                    Recovery::NotRecovered => sub.offset = page.top.get().into(),
                }
            }
            None => {
                let newest: Vec<_> = page.publications.into_iter().rev().collect();
                let base = newest.first().map_or(page.top, |p| p.offset.previous());
                assert!(is_run_after(base, &newest), "the log has a gap");
                sub.offset = base.get().into();
                // Further back than the run reaches: whoever tracks by this order's token waits for
                // nothing else.
                own = order.filter(|(id, _)| {
                    base > Offset::ZERO && newest.iter().all(|p| p.order_id != *id)
                });
                pushes = newest;
            }
        }
        let mut last = page.top;
        for (epoch, publication) in buffered {
            // Offsets of two epochs say nothing of each other: the epoch is asked first.
            let is_same_epoch = epoch == page.epoch;
            if is_same_epoch && publication.offset <= last {
                continue;
            }
            if !is_same_epoch || publication.offset != last.next() {
                return self.close(
                    DisconnectCode::InsufficientState,
                    "insufficient state: a gap while connecting",
                    out,
                );
            }
            last = publication.offset;
            pushes.push(publication);
        }
        let connect = ConnectResult {
            client: uuid(self.client),
            version: VERSION.to_owned(),
            subs: BTreeMap::from([(name.clone(), sub)]),
            ping: u32::try_from(self.config.ping_interval.as_secs()).unwrap_or(25),
            pong: self.config.pong_timeout.is_some(),
            ..Default::default()
        };
        let reply = Reply {
            id,
            connect: Some(connect),
            ..Default::default()
        };
        out.push(Action::Send(Box::new(reply)));
        if let Some((order, status)) = own {
            let push = reply::status_reply(name.clone(), order, status);
            out.push(Action::Send(Box::new(push)));
        }
        for publication in &pushes {
            let push = reply::publication_reply(name.clone(), publication);
            out.push(Action::Send(Box::new(push)));
        }
        self.timers.start(now, &self.config, self.seed, token_life);
        self.state = State::Live(Box::new(Live {
            channel,
            epoch: page.epoch,
            last,
            history: None,
            refresh: None,
        }));
    }

    /// The answer to the verification of a refreshed token. One that is refused, whatever is wrong with
    /// it, leaves the session as it is: it ends with the token that it has.
    fn on_refreshed(
        &mut self,
        now: Duration,
        time: Timestamp,
        result: Result<Granted, AuthenticationFailed>,
        out: &mut Vec<Action>,
    ) {
        let State::Live(live) = &mut self.state else {
            return;
        };
        let Some(id) = live.refresh.take() else {
            return;
        };
        let granted = result.and_then(|granted| {
            let is_same =
                granted.project == live.channel.project && granted.user == live.channel.user;
            if is_same {
                Ok(granted)
            } else {
                Err(AuthenticationFailed::Rejected)
            }
        });
        match granted {
            Ok(granted) => {
                self.timers.renew(now, life_of(&granted, time));
                let refreshed = RefreshResult {
                    client: uuid(self.client),
                    version: VERSION.to_owned(),
                    ..Default::default()
                };
                out.push(Action::Send(Box::new(Reply {
                    id,
                    refresh: Some(refreshed),
                    ..Default::default()
                })));
            }
            Err(AuthenticationFailed::Rejected) => self.error(id, ErrorCode::TokenExpired, out),
            Err(AuthenticationFailed::Unavailable | AuthenticationFailed::TooManyConnections) => {
                self.error(id, ErrorCode::Internal, out);
            }
        }
        self.go_on(now, out);
    }

    fn fail(&mut self, now: Duration, failure: AuthenticationFailed, out: &mut Vec<Action>) {
        let State::Connecting(connecting) = &self.state else {
            return;
        };
        let (code, close) = match failure {
            AuthenticationFailed::Rejected => (ErrorCode::TokenExpired, None),
            AuthenticationFailed::Unavailable => {
                let reason = "internal: try again";
                (
                    ErrorCode::Internal,
                    Some((DisconnectCode::InternalServerError, reason)),
                )
            }
            AuthenticationFailed::TooManyConnections => {
                let reason = "too many connections of this user";
                (
                    ErrorCode::TooManyRequests,
                    Some((DisconnectCode::TooManyRequests, reason)),
                )
            }
        };
        out.push(Action::Send(Box::new(reply::error(connecting.id, code))));
        match close {
            None => {
                self.state = State::Failed;
                self.waiting.clear();
                self.timers.fail(now, &self.config);
            }
            Some((code, reason)) => {
                self.close_with(code, CloseReason::from_static(reason), out);
            }
        }
    }
}

fn life_of(granted: &Granted, time: Timestamp) -> Option<Duration> {
    let end = granted.valid_until?;
    let millis = end.millis().saturating_sub(time.millis());
    Some(Duration::from_millis(u64::try_from(millis).unwrap_or(0)))
}

/// `{auth, project_id, user_external_id?}`; the project as integer or string (realtime contract, A1).
/// A `token` that is not empty stands for `auth`: several SDKs can renew their token and nothing else.
fn parse_data(data: &[u8], token: &str) -> Option<(ProjectId, String, Option<String>)> {
    let data: Value = serde_json::from_slice(data).ok()?;
    let auth = if token.is_empty() {
        data.get("auth")?.as_str().filter(|auth| !auth.is_empty())?
    } else {
        token
    };
    let auth = auth.to_owned();
    let project = match data.get("project_id")? {
        Value::Number(number) => ProjectId::new(number.as_i64()?).ok()?,
        Value::String(text) => text.parse().ok()?,
        _ => return None,
    };
    let user = match data.get("user_external_id") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        Some(_) => return None,
    };
    Some((project, auth, user))
}

/// The text form of a random (version 4) UUID.
fn uuid(random: u128) -> String {
    let bits = random & !(0xF << 76) | (0x4 << 76);
    let bits = bits & !(0x3 << 62) | (0x2 << 62);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        bits >> 96,
        (bits >> 80) & 0xFFFF,
        (bits >> 64) & 0xFFFF,
        (bits >> 48) & 0xFFFF,
        bits & 0xFFFF_FFFF_FFFF
    )
}
