//! A server of one channel, and a client beside it that checks every event.

use std::collections::{BTreeMap, VecDeque};

use centrifuge_protocol::{
    Bytes, Command, CommandBody, ConnectResult, HistoryResult, Publication, Push, Reply,
    SubscribeResult,
};
use ordercast_core::ProjectId;

use crate::config::TrackerConfig;
use crate::event::{Event, How, Missed};
use crate::session::{Action, Fault, Session};

pub(super) const CHANNEL: &str = "orders:5#u";
const RECOVERY_MAX: u64 = 6;
const PAGE_MAX: usize = 3;
const LATE_JOIN: u64 = 4;

pub(super) fn session() -> Session {
    Session::new(&TrackerConfig::new(
        "http://host",
        ProjectId::new(5).unwrap(),
        "token",
    ))
}

pub(super) fn publication(offset: u64) -> Publication {
    // The order id is the offset, so that what is shown can be compared with where it stood.
    let data = format!(r#"{{"order_id":{offset},"status":"paid"}}"#);
    Publication {
        data: Bytes::from(data),
        offset,
        ..Publication::default()
    }
}

pub(super) fn push(publication: Publication) -> Reply {
    let push = Push {
        channel: CHANNEL.to_owned(),
        publication: Some(publication),
        ..Push::default()
    };
    Reply {
        push: Some(push),
        ..Reply::default()
    }
}

pub(super) fn connected(id: i64, sub: SubscribeResult) -> Reply {
    let result = ConnectResult {
        client: "c".to_owned(),
        version: "1".to_owned(),
        subs: BTreeMap::from([(CHANNEL.to_owned(), sub)]),
        ping: 25,
        pong: true,
        ..ConnectResult::default()
    };
    Reply {
        id,
        connect: Some(result),
        ..Reply::default()
    }
}

pub(super) fn sub(epoch: &str, offset: u64) -> SubscribeResult {
    SubscribeResult {
        recoverable: true,
        positioned: true,
        epoch: epoch.to_owned(),
        offset,
        ..SubscribeResult::default()
    }
}

/// One channel of one server, and the wire to one client.
#[derive(Default)]
pub(super) struct Server {
    epoch: u32,
    pub(super) top: u64,
    /// Publications up to here are no longer kept.
    pub(super) trimmed: u64,
    pub(super) wire: VecDeque<Reply>,
    /// A history that was read and not yet sent: pushes may overtake it.
    late: Option<Reply>,
    subscribed: bool,
}

impl Server {
    pub(super) fn publish(&mut self) {
        self.top += 1;
        if self.subscribed {
            self.wire.push_back(push(publication(self.top)));
        }
    }

    pub(super) fn answer(&mut self) {
        self.wire.extend(self.late.take());
    }

    pub(super) fn lose_store(&mut self) {
        self.epoch += 1;
        (self.top, self.trimmed) = (0, 0);
    }

    fn epoch(&self) -> String {
        format!("e{}", self.epoch)
    }

    fn disconnect(&mut self) {
        self.wire.clear();
        self.late = None;
        self.subscribed = false;
    }

    fn on_command(&mut self, command: &Command) {
        let reply = match command.body() {
            CommandBody::Connect(connect) => {
                self.subscribed = true;
                let Some(asked) = connect.subs.get(CHANNEL) else {
                    let since = self.top.saturating_sub(LATE_JOIN).max(self.trimmed);
                    self.wire
                        .push_back(connected(command.id, sub(&self.epoch(), since)));
                    self.wire
                        .extend((since + 1..=self.top).map(|o| push(publication(o))));
                    return;
                };
                assert!(asked.recover && !asked.epoch.is_empty());
                let provable = asked.epoch == self.epoch()
                    && (self.trimmed..=self.top).contains(&asked.offset)
                    && self.top - asked.offset <= RECOVERY_MAX;
                let mut result = sub(&self.epoch(), self.top);
                result.was_recovering = true;
                if provable {
                    result.recovered = true;
                    result.offset = asked.offset;
                    result.publications = (asked.offset + 1..=self.top).map(publication).collect();
                }
                connected(command.id, result)
            }
            CommandBody::History(history) => {
                assert_eq!((history.channel.as_str(), history.limit), (CHANNEL, -1));
                let since = history.since.as_ref().unwrap().offset.max(self.trimmed);
                let publications = (since + 1..=self.top)
                    .take(PAGE_MAX)
                    .map(publication)
                    .collect();
                let (epoch, offset) = (self.epoch(), self.top);
                let result = HistoryResult {
                    publications,
                    epoch,
                    offset,
                };
                self.late = Some(Reply {
                    id: command.id,
                    history: Some(result),
                    ..Reply::default()
                });
                return;
            }
            body => panic!("{body:?}"),
        };
        self.wire.push_back(reply);
    }
}

/// A session on the wire, and what it has shown so far.
pub(super) struct Client {
    session: Session,
    pub(super) online: bool,
    /// Epoch and offset of the next publication to be shown.
    pub(super) next: Option<(u32, u64)>,
}

impl Client {
    pub(super) fn new() -> Self {
        Self {
            session: session(),
            online: false,
            next: None,
        }
    }

    pub(super) fn connect(&mut self, server: &mut Server) {
        if !self.online {
            self.online = true;
            let command = self.session.open();
            server.on_command(&command);
        }
    }

    pub(super) fn disconnect(&mut self, server: &mut Server) {
        self.online = false;
        self.session.lost(None);
        server.disconnect();
    }

    pub(super) fn receive(&mut self, server: &mut Server) {
        let Some(reply) = server.wire.pop_front() else {
            return;
        };
        let first = reply
            .connect
            .as_ref()
            .map_or(0, |result| result.subs[CHANNEL].offset)
            + 1;
        let mut actions = Vec::new();
        let result = self.session.on_reply(reply, &mut actions);
        for action in actions {
            match action {
                Action::Emit(event) => self.check(&event, first, server),
                Action::Send(command) => server.on_command(&command),
                Action::Pinged(_) | Action::Snapshot => {}
            }
        }
        match result {
            Ok(()) => {}
            Err(Fault::Reconnect(_)) => self.disconnect(server),
            Err(Fault::End(error)) => panic!("{error}"),
        }
    }

    pub(super) fn receive_all(&mut self, server: &mut Server) {
        while !server.wire.is_empty() || server.late.is_some() {
            self.receive(server);
            server.answer();
        }
    }

    /// The property: offsets run on without hole or repetition, and a gap names exactly what the
    /// server has lost.
    fn check(&mut self, event: &Event, first: u64, server: &Server) {
        match event {
            Event::Connected { recovered: None } => {
                assert_eq!(self.next, None);
                self.next = Some((server.epoch, first));
            }
            Event::Connected { recovered: Some(_) } => assert!(self.next.is_some()),
            Event::Status {
                order_id,
                offset,
                how,
                ..
            } => {
                let (epoch, next) = self.next.unwrap();
                assert_ne!(*how, How::Polled);
                assert_eq!(epoch, server.epoch);
                assert_eq!(u64::from(offset.unwrap().get()), next);
                assert_eq!(order_id.get(), offset.unwrap().get());
                self.next = Some((epoch, next + 1));
            }
            Event::Gap {
                missed: Missed::Offsets { first, last },
            } => {
                let (epoch, next) = self.next.unwrap();
                assert_eq!(u64::from(first.get()), next);
                assert!(first <= last);
                assert!(
                    u64::from(last.get()) <= server.trimmed,
                    "declared what is still kept"
                );
                self.next = Some((epoch, u64::from(last.get()) + 1));
            }
            Event::Gap {
                missed: Missed::Unknown,
            } => {
                assert_ne!(self.next.unwrap().0, server.epoch);
                self.next = Some((server.epoch, 1));
            }
            Event::Disconnected { .. } => panic!("a session knows no connections"),
        }
    }
}
