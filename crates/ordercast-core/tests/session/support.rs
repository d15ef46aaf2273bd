//! A channel's log, and a session that is fed from it as the transport would.

use centrifuge_protocol::{Command, ConnectRequest, DisconnectCode, Reply, SubscribeRequest};
use ordercast_core::{
    OrderId, ProjectId, Timestamp, UserId,
    channel::{Channel, ChannelPage, Epoch, Offset, Publication, Range},
    order::TrackingStatus,
    session::{Action, AuthenticationFailed, Delivery, Granted, Read, Session, SessionConfig},
};
use std::time::Duration;

pub const SECOND: Duration = Duration::from_secs(1);

pub fn channel() -> Channel {
    Channel {
        project: ProjectId::new(1).expect("id"),
        user: UserId::new("alice").expect("user"),
    }
}

pub fn time() -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000)
}

/// What the store holds.
#[derive(Clone, Debug)]
pub struct Log {
    pub epoch: Epoch,
    pub publications: Vec<Publication>,
}

impl Log {
    pub fn new(count: u32) -> Self {
        let mut log = Self {
            epoch: Epoch::new("abcd").expect("epoch"),
            publications: Vec::new(),
        };
        for _ in 0..count {
            log.commit();
        }
        log
    }

    pub fn commit(&mut self) -> Publication {
        let offset = Offset::new(self.publications.len() as u64 + 1).expect("offset");
        let publication = Publication {
            offset,
            order_id: OrderId::new(i64::from(offset.get())).expect("id"),
            status: TrackingStatus::Paid,
            at: time(),
        };
        self.publications.push(publication.clone());
        publication
    }

    pub fn page(&self, read: Read) -> ChannelPage {
        let all = self.publications.iter().cloned();
        let publications = match read.range {
            Range::Position => Vec::new(),
            Range::After(offset) => all.filter(|p| p.offset > offset).take(read.limit).collect(),
            Range::Before(offset) => all
                .rev()
                .filter(|p| p.offset < offset)
                .take(read.limit)
                .collect(),
            Range::Newest => all.rev().take(read.limit).collect(),
        };
        let top = Offset::new(self.publications.len() as u64).expect("offset");
        ChannelPage {
            epoch: self.epoch.clone(),
            top,
            publications,
        }
    }
}

/// A session with everything that it sent.
pub struct Driver {
    pub session: Session,
    pub now: Duration,
    pub sent: Vec<Reply>,
    pub closed: Option<(DisconnectCode, String)>,
    /// Reads that were asked for and not answered yet.
    pub reads: Vec<Read>,
    pub asked_to_authenticate: bool,
    /// The credential that was to be verified last.
    pub credential: String,
    pub is_joined: bool,
}

impl Driver {
    pub fn new() -> Self {
        Self::seeded(0)
    }

    pub fn seeded(seed: u64) -> Self {
        Self {
            session: Session::new(Duration::ZERO, SessionConfig::default(), seed, 7),
            now: Duration::ZERO,
            sent: Vec::new(),
            closed: None,
            reads: Vec::new(),
            asked_to_authenticate: false,
            credential: String::new(),
            is_joined: false,
        }
    }

    pub fn act(&mut self, act: impl FnOnce(&mut Session, Duration, &mut Vec<Action>)) {
        let mut actions = Vec::new();
        act(&mut self.session, self.now, &mut actions);
        for action in actions {
            assert!(
                self.closed.is_none(),
                "something after the close: {action:?}"
            );
            match action {
                Action::Send(reply) => self.sent.push(*reply),
                Action::Authenticate { auth, .. } => {
                    self.asked_to_authenticate = true;
                    self.credential = auth;
                }
                Action::Join(joined) => {
                    assert_eq!(joined, channel());
                    self.is_joined = true;
                }
                Action::Read { read, .. } => {
                    assert!(self.is_joined, "the hub is joined before the store is read");
                    self.reads.push(read);
                }
                Action::Close { code, reason } => {
                    self.closed = Some((code, reason.as_str().to_owned()));
                }
            }
        }
    }

    pub fn command(&mut self, command: Command) {
        self.act(|session, now, out| session.on_commands(now, vec![command], out));
    }

    pub fn grant(&mut self, valid_until: Option<Timestamp>) {
        self.grant_of(None, valid_until);
    }

    /// With the credential of one order.
    pub fn grant_of(
        &mut self,
        order: Option<(OrderId, TrackingStatus)>,
        valid_until: Option<Timestamp>,
    ) {
        let Channel { project, user } = channel();
        let granted = Ok(Granted {
            project,
            user,
            valid_until,
            order,
        });
        self.act(|session, now, out| session.on_authenticated(now, time(), granted, out));
    }

    pub fn refuse(&mut self, why: AuthenticationFailed) {
        self.act(|session, now, out| session.on_authenticated(now, time(), Err(why), out));
    }

    /// Answers the oldest read from the log as it is now.
    pub fn answer(&mut self, log: &Log) {
        let page = log.page(self.reads.remove(0));
        self.act(|session, now, out| session.on_page(now, Some(page), out));
    }

    pub fn publish(&mut self, log: &Log, publication: &Publication) {
        if !self.is_joined {
            return;
        }
        let mut delivery = Delivery::Skip;
        self.act(|session, _, out| {
            delivery = session.on_publication(&log.epoch, publication, out);
        });
        if delivery == Delivery::Send {
            let reply = ordercast_core::session::publication_reply(channel().name(), publication);
            self.sent.push(reply);
        }
    }

    pub fn connected(log: &Log) -> Self {
        let mut driver = Self::new();
        driver.command(connect(None));
        driver.grant(None);
        driver.answer(log);
        driver
    }

    /// Lets time pass, with a visit at each deadline; a client that answers pings or does not.
    pub fn pass(&mut self, until: Duration, answers_pings: bool) {
        while self.closed.is_none() {
            let next = self.session.next_deadline();
            if next > until {
                break;
            }
            self.now = next;
            let before = self.sent.len();
            self.act(|session, now, out| session.on_tick(now, out));
            if answers_pings && self.sent.len() > before {
                self.command(Command::default());
            }
        }
        self.now = self.now.max(until);
    }

    pub fn check_closed(&self, code: DisconnectCode, reason: &str) {
        assert_eq!(self.closed, Some((code, reason.to_owned())));
    }

    /// Offsets that reached the client, in order. They are one run from the position in the connect
    /// reply, and nothing comes before it (guarantees, I11).
    pub fn delivered(&self) -> Vec<u64> {
        let mut position: Option<u64> = None;
        let mut delivered = Vec::new();
        for reply in &self.sent {
            let subs = reply
                .connect
                .iter()
                .flat_map(|connect| connect.subs.values());
            let mut recovered = Vec::new();
            for sub in subs {
                assert_eq!(position, None, "two connect replies");
                position = Some(sub.offset);
                recovered.extend(&sub.publications);
            }
            let pushed = reply
                .push
                .iter()
                .filter_map(|push| push.publication.as_ref());
            for publication in recovered.into_iter().chain(pushed) {
                let next = position.map(|position| position + 1);
                assert_eq!(Some(publication.offset), next, "after {delivered:?}");
                position = next;
                delivered.push(publication.offset);
            }
        }
        delivered
    }

    pub fn connect_result(&self) -> &centrifuge_protocol::ConnectResult {
        self.sent
            .iter()
            .find_map(|reply| reply.connect.as_ref())
            .expect("connect reply")
    }

    pub fn sub(&self) -> &centrifuge_protocol::SubscribeResult {
        self.connect_result().subs.values().next().expect("sub")
    }

    pub fn last(&self) -> &Reply {
        self.sent.last().expect("a reply")
    }
}

pub fn connect(position: Option<(&str, u64)>) -> Command {
    connect_with(r#"{"auth":"token","project_id":1}"#, position)
}

pub fn connect_with(data: &str, position: Option<(&str, u64)>) -> Command {
    let subs = position
        .map(|(epoch, offset)| {
            let epoch = epoch.to_owned();
            let sub = SubscribeRequest {
                recover: true,
                epoch,
                offset,
                ..Default::default()
            };
            (channel().name(), sub)
        })
        .into_iter()
        .collect();
    let data = data.to_owned().into();
    let connect = Some(ConnectRequest {
        data,
        subs,
        ..Default::default()
    });
    Command {
        id: 1,
        connect,
        ..Default::default()
    }
}
