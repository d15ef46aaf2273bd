//! The store through its public surface, on a real file.

use ordercast_core::{
    OrderId, ProjectId, Sku, Timestamp, UserId,
    channel::{Channel, Offset},
    ids::{AttemptId, SourceId},
    money::{Currency, Money},
    order::{
        Actor, Cause, Content, Fact, Item, Mode, Refunded, Request, Status, Target, TrackingStatus,
    },
    provider::{Event, Subject},
};
use ordercast_store::{
    Change, Committed, Idempotency, InboxEntry, InboxFilter, InboxState, NewOrder, NewProject,
    OpenError, Outcome, Range, Rendered, RequestKey, Scope, Settings, Store, Submission,
};
use std::{
    path::Path,
    sync::{Arc, Mutex},
};

const AT: Timestamp = Timestamp::from_millis(1_700_000_000_000);

struct Fixture {
    store: Store,
    published: Arc<Mutex<Vec<Committed>>>,
}

fn open(path: &Path) -> Result<Fixture, OpenError> {
    let published = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&published);
    let store = Store::open(path, AT, 42, move |committed| {
        sink.lock().expect("sink").extend_from_slice(committed);
    })?;
    Ok(Fixture { store, published })
}

fn project() -> ProjectId {
    ProjectId::new(7).expect("id")
}

fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::new("USD").expect("code")).expect("range")
}

fn cause() -> Cause {
    Cause {
        actor: Actor::ApiKey("test".to_owned()),
        reason: "test".to_owned(),
        at: AT,
    }
}

fn new_order(user: &str, id: Option<i64>) -> Change {
    Change::CreateOrder(Box::new(NewOrder {
        project: project(),
        id: id.map(|id| OrderId::new(id).expect("id")),
        user: UserId::new(user).expect("user"),
        mode: Mode::Default,
        content: Content::new(
            Some(usd(199)),
            vec![Item::new(
                Sku::new("sword").expect("sku"),
                1,
                Some(usd(199)),
            )],
        ),
        lifetime: None,
        token_hash: None,
        cause: cause(),
    }))
}

fn event(kind: &str, order: i64, attempt: &str, fact: Fact) -> Change {
    let attempt = AttemptId::new(attempt).expect("attempt");
    let order = OrderId::new(order).expect("id");
    receive(kind, Subject::Order { order, attempt }, Some(fact))
}

fn receive(kind: &str, subject: Subject, fact: Option<Fact>) -> Change {
    let dedup_key = Some(format!("{kind}:{subject:?}"));
    Change::Receive(Box::new(InboxEntry {
        project: project(),
        source: SourceId::new("test").expect("id"),
        body: b"{}".to_vec(),
        event: Ok(Event {
            dedup_key,
            ..Event::new(kind, subject, fact)
        }),
        transmission: None,
    }))
}

fn paid(attempt: &str) -> Fact {
    Fact::paid(AttemptId::new(attempt).expect("attempt"), usd(199))
}

fn refunded(attempt: &str) -> Fact {
    Fact::Refunded {
        attempt: AttemptId::new(attempt).expect("attempt"),
        refund: None,
        amount: Refunded::Whole,
    }
}

impl Fixture {
    async fn submit(&self, change: Change) -> Outcome {
        let submission = Submission {
            change,
            at: AT,
            idempotency: None,
        };
        self.store.submit(submission).await.expect("committed")
    }

    async fn with_project(self, settings: Settings) -> Self {
        let new = NewProject {
            id: Some(project()),
            name: "Test".to_owned(),
            settings,
            credentials: Vec::new(),
            sources: Vec::new(),
            items: Vec::new(),
        };
        let outcome = self.submit(Change::CreateProject(Box::new(new))).await;
        assert!(matches!(outcome, Outcome::Project(_)), "{outcome:?}");
        self
    }

    async fn create(&self, user: &str, id: Option<i64>) -> OrderId {
        match self.submit(new_order(user, id)).await {
            Outcome::Order(applied) => applied.order().id,
            other => panic!("not created: {other:?}"),
        }
    }

    async fn request(&self, order: OrderId, target: Target) -> Outcome {
        let request = Change::Request {
            project: project(),
            order,
            request: Request::Become(target),
            if_version: None,
            cause: cause(),
        };
        self.submit(request).await
    }

    async fn status(&self, order: OrderId) -> Status {
        self.store
            .order(project(), order)
            .await
            .expect("read")
            .expect("order")
            .order
            .status()
    }

    async fn history(&self, user: &str) -> Vec<(u32, u32, TrackingStatus)> {
        let channel = channel(user);
        let range = Range::After(Offset::ZERO);
        let page = self
            .store
            .channel(&channel, range, 1_000)
            .await
            .expect("read");
        let list: Vec<_> = page
            .publications
            .iter()
            .map(|p| (p.offset.get(), p.order_id.get(), p.status))
            .collect();
        assert_eq!(list.len(), page.top.get() as usize, "offsets are 1..=top");
        list
    }
}

fn channel(user: &str) -> Channel {
    Channel {
        project: project(),
        user: UserId::new(user).expect("user"),
    }
}

async fn fixture(folder: &tempfile::TempDir) -> Fixture {
    open(&folder.path().join("test.db"))
        .expect("open")
        .with_project(Settings::default())
        .await
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("folder")
}

#[tokio::test]
async fn an_order_goes_its_way_and_every_step_is_published_once() {
    let folder = folder();
    let f = fixture(&folder).await;
    let order = f.create("alice", None).await;
    for target in [Target::Paid, Target::Done, Target::Canceled] {
        let outcome = f.request(order, target).await;
        assert!(matches!(outcome, Outcome::Order(_)), "{outcome:?}");
    }
    let refused = f.request(order, Target::Paid).await;
    assert!(matches!(refused, Outcome::Refused { .. }), "{refused:?}");

    use TrackingStatus::{Canceled, Done, New, Paid};
    let id = order.get();
    assert_eq!(
        f.history("alice").await,
        [
            (1, id, New),
            (2, id, Paid),
            (3, id, Done),
            (4, id, Canceled)
        ]
    );
    let announced: Vec<_> = f
        .published
        .lock()
        .expect("sink")
        .iter()
        .map(|c| (c.publication.offset.get(), c.publication.status))
        .collect();
    assert_eq!(announced, [(1, New), (2, Paid), (3, Done), (4, Canceled)]);
    let found = f
        .store
        .order(project(), order)
        .await
        .expect("read")
        .expect("order");
    let versions = f.store.versions(found.order_key).await.expect("read");
    assert_eq!(
        versions.iter().map(|v| v.version.get()).collect::<Vec<_>>(),
        [1, 2, 3, 4]
    );
    let events = f
        .store
        .events(project(), ordercast_store::Feed::All, 0, 100)
        .await
        .expect("read");
    let kinds: Vec<_> = events.iter().map(|e| e.facts.kind.as_str()).collect();
    assert_eq!(
        kinds,
        [
            "order.created",
            "order.paid",
            "order.done",
            "order.canceled",
            // It holds money that nobody has given back.
            "order.flagged"
        ]
    );
}

#[tokio::test]
async fn many_at_once_leave_no_gap_and_no_double() {
    let folder = folder();
    let f = Arc::new(fixture(&folder).await);
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..200 {
        let f = Arc::clone(&f);
        tasks.spawn(async move {
            let order = f.create(&format!("user{}", n % 5), None).await;
            // Two conflicting wishes: exactly one is granted.
            let (a, b) = tokio::join!(
                f.request(order, Target::Paid),
                f.request(order, Target::Paid)
            );
            let granted = [a, b]
                .iter()
                .filter(|o| matches!(o, Outcome::Order(_)))
                .count();
            assert_eq!(granted, 1);
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.expect("task");
    }
    for n in 0..5 {
        let history = f.history(&format!("user{n}")).await;
        let offsets: Vec<_> = history.iter().map(|entry| entry.0).collect();
        assert_eq!(offsets, (1..=80).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_restart_keeps_epoch_offsets_and_orders() {
    let folder = folder();
    let path = folder.path().join("test.db");
    let first = fixture(&folder).await;
    let order = first.create("alice", None).await;
    let epoch = first.store.epoch();
    drop(first);

    let second = open(&path).expect("open again");
    assert_eq!(second.store.epoch(), epoch);
    second.request(order, Target::Paid).await;
    assert_eq!(second.history("alice").await.len(), 2);
}

#[tokio::test]
async fn an_idempotency_key_has_one_effect() {
    let folder = folder();
    let f = fixture(&folder).await;
    let submit = |body: u8| {
        let render = |outcome: &Outcome| match outcome {
            Outcome::Order(applied) => Rendered {
                status: 201,
                body: applied.order().id.to_string(),
            },
            other => panic!("not rendered: {other:?}"),
        };
        f.store.submit(Submission {
            change: new_order("alice", None),
            at: AT,
            idempotency: Some(Idempotency {
                key: RequestKey {
                    project: project(),
                    scope: Scope::new("POST orders", &[], String::new()),
                    key: "k".to_owned(),
                    body_hash: [body; 32],
                },
                render: Arc::new(render),
            }),
        })
    };
    let Ok(Outcome::Order(first)) = submit(1).await else {
        panic!("not created")
    };
    let again = submit(1).await.expect("committed");
    let stored = Rendered {
        status: 201,
        body: first.order().id.to_string(),
    };
    assert_eq!(again, Outcome::Replayed(stored));
    assert_eq!(submit(2).await.expect("committed"), Outcome::KeyConflict);
    assert_eq!(f.history("alice").await.len(), 1);
}

#[tokio::test]
async fn a_provider_event_is_applied_once() {
    let folder = folder();
    let f = fixture(&folder).await;
    let order = f.create("alice", Some(500)).await;
    for n in 0..3 {
        let outcome = f.submit(event("order_paid", 500, "tx1", paid("tx1"))).await;
        let Outcome::Received(received) = outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!(received.state, InboxState::Applied);
        assert_eq!(received.is_duplicate, n > 0);
    }
    assert_eq!(f.status(order).await, Status::Paid);
    assert_eq!(f.history("alice").await.len(), 2);
    let inbox = f
        .store
        .inbox(project(), InboxFilter::default(), None, 10)
        .await
        .expect("read");
    assert_eq!((inbox.len(), inbox[0].duplicates), (1, 2));
}

#[tokio::test]
async fn an_event_before_its_order_waits_for_it() {
    let folder = folder();
    let f = fixture(&folder).await;
    // Separate mode: the payment names no order; the order_paid joins the two; both are early.
    let early = Subject::Attempt(AttemptId::new("tx1").expect("attempt"));
    for change in [
        receive("payment", early, Some(paid("tx1"))),
        event("order_paid", 500, "tx1", paid("tx1")),
    ] {
        let outcome = f.submit(change).await;
        let Outcome::Received(received) = outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!(received.state, InboxState::Parked);
    }
    let order = f.create("alice", Some(500)).await;
    assert_eq!(f.status(order).await, Status::Paid);
    let states: Vec<_> = f
        .store
        .inbox(project(), InboxFilter::default(), None, 10)
        .await
        .expect("read")
        .into_iter()
        .map(|row| row.state)
        .collect();
    assert_eq!(
        states,
        ["applied", "ignored"],
        "newest first: the payment told nothing new"
    );
}

#[tokio::test]
async fn a_payment_that_arrives_after_its_refund_is_recorded_and_changes_no_word() {
    let folder = folder();
    let f = fixture(&folder).await;
    let order = f.create("alice", Some(500)).await;
    f.submit(event("order_canceled", 500, "tx1", refunded("tx1")))
        .await;
    let outcome = f.submit(event("order_paid", 500, "tx1", paid("tx1"))).await;
    let Outcome::Received(received) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(received.state, InboxState::Applied);
    assert_eq!(received.reason, "recorded, the order stays canceled");
    assert_eq!(f.status(order).await, Status::Canceled);
    assert_eq!(
        f.history("alice").await.len(),
        2,
        "clients see no difference"
    );
}

#[tokio::test]
async fn complete_on_paid_makes_two_versions_in_one_commit() {
    let folder = folder();
    let settings = Settings {
        complete_on_paid: true,
        ..Settings::default()
    };
    let f = open(&folder.path().join("test.db"))
        .expect("open")
        .with_project(settings)
        .await;
    let order = f.create("alice", Some(500)).await;
    f.submit(event("order_paid", 500, "tx1", paid("tx1"))).await;
    assert_eq!(f.status(order).await, Status::Done);
    assert_eq!(f.history("alice").await.len(), 3);
}

#[tokio::test]
async fn imported_ids_are_skipped_by_our_own() {
    let folder = folder();
    let f = fixture(&folder).await;
    let own = f.create("alice", None).await;
    for taken in 1..4 {
        f.create("alice", Some(i64::from(own.get()) + taken)).await;
    }
    let next = f.create("alice", None).await;
    assert!(next.get() > own.get() + 3);
    assert_eq!(
        f.submit(new_order("bob", Some(own.get().into()))).await,
        Outcome::Exists
    );
}

#[tokio::test]
async fn refuses_files_that_are_not_its_own() {
    let folder = folder();
    let path = folder.path().join("test.db");
    let held = open(&path).expect("open");
    assert!(matches!(open(&path), Err(OpenError::Locked { .. })));
    drop(held);

    let connection = rusqlite::Connection::open(&path).expect("open");
    connection
        .pragma_update(None, "user_version", 99)
        .expect("pragma");
    drop(connection);
    assert!(matches!(
        open(&path),
        Err(OpenError::Newer { found: 99, .. })
    ));

    let foreign = folder.path().join("foreign.db");
    let connection = rusqlite::Connection::open(&foreign).expect("open");
    connection
        .execute_batch("CREATE TABLE t (x)")
        .expect("table");
    drop(connection);
    assert!(matches!(open(&foreign), Err(OpenError::Foreign { .. })));
}

#[tokio::test]
async fn a_broken_invariant_fails_one_change_only() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("ordercast.db");
    {
        let f = open(&path)
            .expect("opens")
            .with_project(Settings::default())
            .await;
        f.submit(new_order("alice", Some(1))).await;
        f.submit(new_order("bob", Some(2))).await;
    }
    // A row that no change of ours can leave: nothing can come after this version.
    let rows = rusqlite::Connection::open(&path).expect("opens");
    rows.execute(
        "UPDATE orders SET version = 2147483647 WHERE order_id = 1",
        [],
    )
    .expect("updates");
    drop(rows);
    let f = open(&path).expect("opens");
    let broken = f.store.submit(Submission {
        change: event("a", 1, "p1", paid("p1")),
        at: AT,
        idempotency: None,
    });
    let sound = f.store.submit(Submission {
        change: event("b", 2, "p2", paid("p2")),
        at: AT,
        idempotency: None,
    });
    let (broken, sound) = tokio::join!(broken, sound);
    assert!(broken.is_err(), "{broken:?}");
    assert!(matches!(sound, Ok(Outcome::Received(_))), "{sound:?}");
    let order = |id| f.store.order(project(), OrderId::new(id).expect("id"));
    let status = |found: Option<Arc<ordercast_store::Found>>| found.expect("there").order.status();
    assert_eq!(status(order(2).await.expect("reads")), Status::Paid);
    assert_eq!(status(order(1).await.expect("reads")), Status::New);
}
