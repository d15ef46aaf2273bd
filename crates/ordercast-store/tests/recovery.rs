//! Exact recovery, at random: sessions of several clients over the real store, with commits that the
//! hub brings late, networks that die in the middle of what was sent, restarts, and databases that are
//! put back. What each client has read over all its sessions is a run of the log, or it was told that
//! it is not (guarantees, I8, I9, I11 to I14, I16).

// The driver of the session's own tests; not all of it is needed here.
#[allow(dead_code)]
#[path = "../../ordercast-core/tests/session/support.rs"]
mod support;

use centrifuge_protocol::{Reply, SubscribeResult};
use ordercast_core::{
    channel::{ChannelPage, Epoch, LATE_JOIN_MAX, Range},
    order::{Actor, Cause, Content, Mode},
    session::Read,
};
use ordercast_store::{Change, Committed, NewOrder, NewProject, Settings, Store, Submission};
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestRunner},
};
use std::{
    cell::RefCell,
    collections::{BTreeMap, VecDeque},
    fs,
    path::PathBuf,
    sync::{Arc, Mutex},
};
use support::{Driver, Log, channel, connect, time};
use tokio::runtime::Runtime;

const CLIENTS: usize = 3;
const POSITION: Read = Read {
    range: Range::Position,
    limit: 0,
};

#[derive(Clone, Debug)]
enum Step {
    /// So many changes at once.
    Commit(usize),
    /// The hub brings what was committed, so many changes of it.
    Bring(usize),
    /// What a client's connect waits for next happens, or it connects.
    Advance(usize),
    /// The network dies: of what was sent the client has read a part, in percent.
    Drop { client: usize, read: usize },
    /// The process is killed and started again.
    Restart { read: usize },
    /// The database is copied while the process is down.
    Copy { read: usize },
    /// The copy is put in its place, perhaps not for the first time.
    PutBack { read: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let client = 0..CLIENTS;
    let read = 0..=100_usize;
    prop_oneof![
        8 => (1..4_usize).prop_map(Step::Commit),
        8 => (1..4_usize).prop_map(Step::Bring),
        16 => client.clone().prop_map(Step::Advance),
        4 => (client, read.clone()).prop_map(|(client, read)| Step::Drop { client, read }),
        1 => read.clone().prop_map(|read| Step::Restart { read }),
        1 => read.clone().prop_map(|read| Step::Copy { read }),
        1 => read.prop_map(|read| Step::PutBack { read }),
    ]
}

type Payload = (i64, String);

#[derive(Default)]
struct Client {
    session: Option<Driver>,
    position: Option<(String, u64)>,
}

struct World {
    runtime: Runtime,
    database: PathBuf,
    copy: PathBuf,
    /// What had been published when the copy was made, and how much of all.
    copied: Option<(BTreeMap<u64, Payload>, usize)>,
    store: Option<Store>,
    committed: Arc<Mutex<VecDeque<Committed>>>,
    /// Committed and seen by the test, not yet by clients.
    late: VecDeque<Committed>,
    /// All that clients may ever be told, by epoch and offset, and how much was published.
    log: BTreeMap<String, BTreeMap<u64, Payload>>,
    published: usize,
    epoch: Epoch,
    clients: Vec<Client>,
    recoveries: usize,
    restorations: usize,
    _folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("runtime");
        let mut world = Self {
            runtime,
            database: folder.path().join("orders.db"),
            copy: folder.path().join("copy.db"),
            copied: None,
            published: 0,
            store: None,
            committed: Arc::default(),
            late: VecDeque::new(),
            log: BTreeMap::new(),
            epoch: Epoch::new("none").expect("epoch"),
            clients: Vec::new(),
            recoveries: 0,
            restorations: 0,
            _folder: folder,
        };
        world.open();
        let project = NewProject {
            id: Some(channel().project),
            name: "Shop".to_owned(),
            settings: Settings::default(),
            credentials: Vec::new(),
            sources: Vec::new(),
            items: Vec::new(),
        };
        world.submit(vec![Change::CreateProject(Box::new(project))]);
        world
    }

    fn open(&mut self) {
        let sink = Arc::clone(&self.committed);
        let store = Store::open(&self.database, time(), 42, move |committed| {
            sink.lock().expect("sink").extend(committed.iter().cloned());
        });
        self.store = Some(store.expect("opens"));
        self.epoch = self.page(POSITION).epoch;
    }

    fn page(&self, read: Read) -> ChannelPage {
        let store = self.store.as_ref().expect("open");
        let page = async { store.channel(&channel(), read.range, read.limit).await };
        self.runtime.block_on(page).expect("read")
    }

    fn submit(&mut self, changes: Vec<Change>) {
        let store = self.store.as_ref().expect("open");
        self.runtime.block_on(async {
            let running: Vec<_> = changes
                .into_iter()
                .map(|change| {
                    let store = store.clone();
                    let submission = Submission {
                        change,
                        at: time(),
                        idempotency: None,
                    };
                    tokio::spawn(async move { store.submit(submission).await })
                })
                .collect();
            for one in running {
                one.await.expect("ran").expect("committed");
            }
        });
        for committed in self.committed.lock().expect("sink").drain(..) {
            let publication = &committed.publication;
            let at = u64::from(publication.offset.get());
            let payload = (
                publication.order_id.get().into(),
                publication.status.to_string(),
            );
            let of = committed.epoch.to_string();
            let before = self.log.entry(of).or_default().insert(at, payload);
            assert_eq!(before, None, "two payloads at {committed:?}");
            self.published += 1;
            assert_eq!(committed.epoch, self.epoch);
            self.late.push_back(committed);
        }
    }

    fn commit(&mut self, count: usize) {
        // A free order is one publication.
        let order = || {
            Change::CreateOrder(Box::new(NewOrder {
                project: channel().project,
                id: None,
                user: channel().user,
                mode: Mode::Default,
                content: Content::default(),
                lifetime: None,
                token_hash: None,
                cause: Cause {
                    actor: Actor::ApiKey("test".to_owned()),
                    reason: String::new(),
                    at: time(),
                },
            }))
        };
        self.submit((0..count).map(|_| order()).collect());
    }

    fn bring(&mut self, count: usize) {
        for _ in 0..count {
            let Some(Committed {
                epoch, publication, ..
            }) = self.late.pop_front()
            else {
                return;
            };
            let log = Log {
                epoch,
                publications: Vec::new(),
            };
            for session in self.clients.iter_mut().flat_map(|c| &mut c.session) {
                session.publish(&log, &publication);
            }
        }
    }

    /// Whether there was anything to do.
    fn advance(&mut self, client: usize) -> bool {
        let read = {
            let client = &mut self.clients[client];
            let position = client.position.clone();
            let Some(session) = &mut client.session else {
                let mut session = Driver::new();
                let position = position.as_ref().map(|(epoch, at)| (epoch.as_str(), *at));
                session.command(connect(position));
                client.session = Some(session);
                return true;
            };
            if !session.is_joined {
                session.grant(None);
                return true;
            }
            if session.reads.is_empty() {
                return false;
            }
            session.reads.remove(0)
        };
        let page = self.page(read);
        let session = self.clients[client].session.as_mut().expect("connecting");
        session.act(|session, now, out| session.on_page(now, Some(page), out));
        true
    }

    fn lose(&mut self, client: usize, percent: usize) {
        let Some(session) = self.clients[client].session.take() else {
            return;
        };
        assert_eq!(session.closed, None);
        let count = session.sent.len() * percent / 100;
        for reply in &session.sent[..count] {
            self.read(client, reply);
        }
    }

    /// As an SDK keeps its position.
    fn read(&mut self, client: usize, reply: &Reply) {
        if let Some(result) = &reply.connect {
            let sub = &result.subs[&channel().name()];
            self.subscribed(client, sub);
        }
        if let Some(push) = &reply.push {
            let publication = push.publication.as_ref().expect("a publication");
            self.take(client, publication);
        }
    }

    fn subscribed(&mut self, client: usize, sub: &SubscribeResult) {
        let here = (sub.epoch.clone(), sub.offset);
        assert_eq!(sub.epoch, self.epoch.as_str());
        match self.clients[client].position.replace(here.clone()) {
            // What happened before it came is repeated, so much of it.
            None => {
                let top = self.top();
                assert!(sub.offset <= top);
                assert!(sub.offset == 0 || top - sub.offset >= LATE_JOIN_MAX as u64);
            }
            Some(there) if sub.recovered => {
                assert_eq!(there, here);
                self.recoveries += 1;
            }
            // Nothing but a new epoch is a reason.
            Some((epoch, at)) => {
                assert!(sub.was_recovering && epoch != sub.epoch, "{epoch} {at}");
            }
        }
        assert!(sub.recovered || sub.publications.is_empty());
        for publication in &sub.publications {
            self.take(client, publication);
        }
    }

    fn take(&mut self, client: usize, publication: &centrifuge_protocol::Publication) {
        let (epoch, at) = self.clients[client].position.as_mut().expect("a position");
        *at += 1;
        assert_eq!(publication.offset, *at, "a gap, a double or an inversion");
        let (order, status) = &self.log[epoch.as_str()][at];
        let expected = format!(r#"{{"order_id":{order},"status":"{status}"}}"#);
        assert_eq!(publication.data, expected);
    }

    /// Nothing of the process is left but its files.
    fn end(&mut self, percent: usize) {
        for client in 0..CLIENTS {
            self.lose(client, percent);
        }
        self.late.clear();
        self.store = None;
    }

    fn copy(&mut self, percent: usize) {
        self.end(percent);
        fs::copy(&self.database, &self.copy).expect("copied");
        self.copied = Some((
            self.log
                .get(self.epoch.as_str())
                .cloned()
                .unwrap_or_default(),
            self.published,
        ));
        self.open();
    }

    fn put_back(&mut self, percent: usize) {
        let Some((copied, published)) = self.copied.clone() else {
            return;
        };
        let before = self.epoch.clone();
        self.end(percent);
        fs::copy(&self.copy, &self.database).expect("put back");
        self.open();
        let is_behind = self.published > published;
        assert_eq!(self.epoch != before, is_behind, "epoch {}", self.epoch);
        if is_behind {
            let before = self.log.insert(self.epoch.to_string(), copied);
            assert_eq!(before, None, "epoch {} again", self.epoch);
            self.restorations += 1;
        }
    }

    fn top(&self) -> u64 {
        let present = self.log.get(self.epoch.as_str());
        present.map_or(0, |all| all.len() as u64)
    }

    fn run(&mut self, steps: Vec<Step>) {
        self.clients = (0..CLIENTS).map(|_| Client::default()).collect();
        for step in steps {
            match step {
                Step::Commit(count) => self.commit(count),
                Step::Bring(count) => self.bring(count),
                Step::Advance(client) => {
                    self.advance(client);
                }
                Step::Drop { client, read } => self.lose(client, read),
                Step::Restart { read } => {
                    let before = self.epoch.clone();
                    self.end(read);
                    self.open();
                    assert_eq!(self.epoch, before, "a restart proves continuity");
                }
                Step::Copy { read } => self.copy(read),
                Step::PutBack { read } => self.put_back(read),
            }
        }
        // Once faults stop, everybody knows everything.
        for client in 0..CLIENTS {
            while self.advance(client) {}
        }
        self.bring(usize::MAX);
        let (epoch, top) = (self.epoch.to_string(), self.top());
        for client in 0..CLIENTS {
            self.lose(client, 100);
            assert_eq!(self.clients[client].position, Some((epoch.clone(), top)));
        }
    }
}

#[test]
fn over_all_sessions_each_client_reads_a_run_of_the_log_or_is_told_that_it_does_not() {
    // One world for all, as a shop has it; a new one after a failure, to find the least that fails.
    let world = RefCell::new(None);
    let config = Config {
        cases: 80,
        failure_persistence: None,
        max_shrink_iters: 200,
        ..Config::default()
    };
    TestRunner::new(config)
        .run(&vec(step(), 20..80), |steps| {
            let mut now: World = world.take().unwrap_or_else(World::new);
            now.run(steps);
            world.replace(Some(now));
            Ok(())
        })
        .expect("no interleaving loses, doubles or inverts anything");
    let world = world.take().expect("it ran");
    assert!(world.recoveries > 50 && world.restorations > 5);
}
