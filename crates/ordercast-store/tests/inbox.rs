//! Whose payment an event is about, through the store's public surface, on a real file.

use ordercast_core::{
    OrderId, ProjectId, Timestamp, UserId,
    ids::{AttemptId, SourceId},
    money::{Currency, Money},
    order::{Actor, Cause, Content, Fact, Flag, Mode, Refunded, Status},
    provider::{Event, Subject},
};
use ordercast_store::{
    Change, InboxEntry, InboxState, NewOrder, NewProject, Outcome, Settings, Store, Submission,
    Transmission,
};
use rusqlite::Connection;
use std::path::Path;

const AT: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn project() -> ProjectId {
    ProjectId::new(7).expect("id")
}

fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::new("USD").expect("code")).expect("range")
}

fn attempt(id: &str) -> AttemptId {
    AttemptId::new(id).expect("attempt")
}

fn named(order: i64, id: &str) -> Subject {
    Subject::Order {
        order: OrderId::new(order).expect("id"),
        attempt: attempt(id),
    }
}

fn paid(id: &str) -> Fact {
    Fact::paid(attempt(id), usd(199))
}

fn refunded(id: &str) -> Fact {
    Fact::Refunded {
        attempt: attempt(id),
        refund: None,
        amount: Refunded::Whole,
    }
}

struct Shop(Store);

impl Shop {
    fn open(path: &Path) -> Self {
        Self(Store::open(path, AT, 42, |_| ()).expect("open"))
    }

    async fn new(path: &Path) -> Self {
        let shop = Self::open(path);
        let new = NewProject {
            id: Some(project()),
            name: "Test".to_owned(),
            settings: Settings::default(),
            credentials: Vec::new(),
            sources: Vec::new(),
            items: Vec::new(),
        };
        shop.submit(Change::CreateProject(Box::new(new))).await;
        shop
    }

    async fn submit(&self, change: Change) -> Outcome {
        let submission = Submission {
            change,
            at: AT,
            idempotency: None,
        };
        self.0.submit(submission).await.expect("committed")
    }

    async fn create(&self, id: i64) {
        let new = NewOrder {
            project: project(),
            id: Some(OrderId::new(id).expect("id")),
            user: UserId::new("alice").expect("user"),
            mode: Mode::Default,
            content: Content::new(Some(usd(199)), Vec::new()),
            lifetime: None,
            token_hash: None,
            cause: Cause {
                actor: Actor::ApiKey("test".to_owned()),
                reason: String::new(),
                at: AT,
            },
        };
        let made = self.submit(Change::CreateOrder(Box::new(new))).await;
        assert!(matches!(made, Outcome::Order(_)), "{made:?}");
    }

    async fn told(&self, source: &str, kind: &str, subject: Subject, fact: Fact) -> InboxState {
        let event = Event {
            dedup_key: Some(format!("{kind}:{subject:?}")),
            ..Event::new(kind, subject, Some(fact))
        };
        match self.submit(entry(source, event, None)).await {
            Outcome::Received(received) => received.state,
            other => panic!("{other:?}"),
        }
    }

    async fn status(&self, order: i64) -> Status {
        self.order(order).await.status()
    }

    async fn order(&self, order: i64) -> ordercast_core::order::Order {
        let id = OrderId::new(order).expect("id");
        let found = self.0.order(project(), id).await.expect("read");
        found.expect("an order").order.clone()
    }
}

fn entry(source: &str, event: Event, transmission: Option<Transmission>) -> Change {
    Change::Receive(Box::new(InboxEntry {
        project: project(),
        source: SourceId::new(source).expect("id"),
        body: b"{}".to_vec(),
        event: Ok(event),
        transmission,
    }))
}

#[tokio::test]
async fn in_one_order_equal_ids_of_two_sources_are_two_payments() {
    let folder = tempfile::tempdir().expect("folder");
    let shop = Shop::new(&folder.path().join("test.db")).await;
    shop.create(500).await;
    for source in ["one", "two"] {
        shop.told(source, "paid", named(500, "tx1"), paid("tx1"))
            .await;
    }
    let order = shop.order(500).await;
    let names: Vec<_> = order
        .facets
        .attempts
        .iter()
        .map(|attempt| attempt.id.as_str())
        .collect();
    assert_eq!(names, ["tx1", "tx1@two"]);
    assert!(order.facets.flags.contains(&Flag::DuplicatePayment));
    let of_two = Subject::Attempt(attempt("tx1"));
    shop.told("two", "refund", of_two, refunded("tx1")).await;
    assert_eq!(shop.status(500).await, Status::Paid);
    assert_eq!(shop.order(500).await.facets.net_paid(), 199);
    // Who asks a source is told its own ids.
    let names = vec![attempt("tx1"), attempt("tx1@two"), attempt("by hand")];
    let two = SourceId::new("two").expect("id");
    let asked = shop
        .0
        .payments_of_source(project(), two, names)
        .await
        .expect("read");
    assert_eq!(asked, [attempt("tx1"), attempt("tx1"), attempt("by hand")]);
}

#[tokio::test]
async fn a_renewal_pays_no_order_and_nor_does_what_comes_of_it() {
    let folder = tempfile::tempdir().expect("folder");
    let shop = Shop::new(&folder.path().join("test.db")).await;
    shop.create(500).await;
    shop.told("one", "paid", named(500, "tx1"), paid("tx1"))
        .await;
    let renewal = Subject::Foreign {
        attempt: attempt("tx2"),
        why: "it is a renewal of a subscription",
    };
    let state = shop.told("one", "paid again", renewal, paid("tx2")).await;
    assert_eq!(state, InboxState::Ignored);
    let later = Subject::Attempt(attempt("tx2"));
    let state = shop.told("one", "refund", later, refunded("tx2")).await;
    assert_eq!(state, InboxState::Ignored);
    let named = named(500, "tx2");
    let state = shop
        .told("one", "refund by name", named, refunded("tx2"))
        .await;
    assert_eq!(state, InboxState::Ignored);
    assert_eq!(shop.order(500).await.facets.net_paid(), 199);
}

#[tokio::test]
async fn under_one_transmission_id_comes_one_body() {
    let folder = tempfile::tempdir().expect("folder");
    let shop = Shop::new(&folder.path().join("test.db")).await;
    shop.create(500).await;
    let sent = |hash: u8, key: &str| {
        let event = Event {
            dedup_key: Some(key.to_owned()),
            ..Event::new("paid", named(500, key), Some(paid(key)))
        };
        let transmission = Transmission {
            id: "T-1".to_owned(),
            body_hash: [hash; 32],
        };
        entry("paypal", event, Some(transmission))
    };
    for (change, is_kept) in [
        (sent(1, "CAP1"), true),
        (sent(1, "CAP1"), true),
        (sent(2, "CAP2"), false),
    ] {
        let outcome = shop.submit(change).await;
        assert_eq!(outcome != Outcome::ForgedTransmission, is_kept);
    }
    assert_eq!(shop.order(500).await.facets.attempts.len(), 1);
}

/// As the build before kept it: an id of a payment belonged to the project.
#[tokio::test]
async fn payments_of_an_old_database_find_their_source() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("test.db");
    let old = Connection::open(&path).expect("made");
    for sql in [
        include_str!("../src/sqlite/migrations/001_orders.sql"),
        include_str!("../src/sqlite/migrations/002_occurred_at.sql"),
        include_str!("../src/sqlite/migrations/003_jobs.sql"),
        include_str!("../src/sqlite/migrations/004_credentials.sql"),
        include_str!("../src/sqlite/migrations/005_lists.sql"),
        include_str!("../src/sqlite/migrations/006_storefront.sql"),
        include_str!("../src/sqlite/migrations/007_sequences.sql"),
        include_str!("../src/sqlite/migrations/008_webhooks.sql"),
        include_str!("../src/sqlite/migrations/009_sources.sql"),
    ] {
        old.execute_batch(sql).expect("migrated");
    }
    let facets = |attempt: &str| {
        format!(
            r#"{{"attempts":[{{"id":"{attempt}","state":"paid","captured":199}}],"settled":true,"fulfilment":"none","completed":false,"life":"open"}}"#
        )
    };
    let content = r#"{"price":{"minor":199,"currency":"USD"},"items":[]}"#;
    old.execute_batch(&format!(
        "PRAGMA application_id = 0x4F435354; PRAGMA user_version = 9;
         INSERT INTO projects VALUES (7, 'Test', '{{}}', 0);
         INSERT INTO channels VALUES (1, 7, 'alice', 0);
         INSERT INTO orders VALUES (1, 7, 500, 1, 'default', 'paid', 2, '{content}', '{}', NULL, 1699999999000, 0, 9000000000000),
                                   (2, 7, 501, 1, 'default', 'paid', 2, '{content}', '{}', NULL, 1699999999000, 0, 9000000000000);
         INSERT INTO order_versions VALUES (1, 1, 'new', 'api_key:x', '', 0, NULL, NULL),
             (1, 2, 'paid', 'provider:one', 'paid', 0, NULL, NULL),
             (2, 1, 'new', 'api_key:x', '', 0, NULL, NULL),
             (2, 2, 'paid', 'provider:one', 'paid', 0, NULL, NULL);
         INSERT INTO attempts VALUES (7, 'tx1', 1), (7, 'tx2', 2);
         INSERT INTO provider_inbox VALUES
             (1, 7, 'one', 'paid', 'k1', x'7b7d', 0, 'applied', '', NULL, 500, 'tx1', 0, NULL),
             (2, 7, 'two', 'payment', 'k2', x'7b7d', 1700000000000, 'parked', '',
                 '{{\"fact\":\"payment_pending\",\"attempt\":\"tx9\"}}', NULL, 'tx9', 0, NULL),
             (3, 7, 'one', 'odd', 'k3', x'7b7d', 0, 'rejected', 'odd', NULL, NULL, NULL, 0, NULL);",
        facets("tx1"),
        facets("tx2"),
    ))
    .expect("filled");
    drop(old);

    let shop = Shop::open(&path);
    assert_eq!(shop.status(500).await, Status::Paid);
    for (order, id) in [(500, "tx1"), (501, "tx2")] {
        // Of another source it is another payment; of its own it is the order's.
        let by_id = || Subject::Attempt(attempt(id));
        let state = shop.told("two", "refund", by_id(), refunded(id)).await;
        assert_eq!(state, InboxState::Parked);
        assert_eq!(shop.status(order).await, Status::Paid);
        let state = shop.told("one", "refund", by_id(), refunded(id)).await;
        assert_eq!(state, InboxState::Applied);
        assert_eq!(shop.status(order).await, Status::Canceled);
    }
    shop.create(502).await;
    shop.told("two", "paid", named(502, "tx9"), paid("tx9"))
        .await;
    let entry = shop.0.inbox_entry(project(), 2).await.expect("read");
    let entry = entry.expect("it was kept");
    assert!(entry.row.reason.ends_with("(was parked)"), "{entry:?}");
}
