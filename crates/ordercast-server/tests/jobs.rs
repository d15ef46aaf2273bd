//! Jobs against a real store, with times that the test makes up.

use ordercast_core::{
    OrderId, ProjectId, Sku, Timestamp, UserId,
    access::guest_id,
    channel::{Channel, Offset, Range, Recovery, recover},
    ids::{AttemptId, SourceId},
    money::{Currency, Money},
    order::{Actor, Cause, Content, Fact, Flag, Item, Mode, Request, Status, Target},
    provider::{Event, Subject},
};
use ordercast_server::jobs::{Retention, expire, expire_parked, prune, report_parked};
use ordercast_store::{
    Change, Idempotency, InboxEntry, InboxFilter, InboxState, NewOrder, NewProject, Outcome,
    Rendered, RequestKey, Scope, Settings, Store, Submission,
};
use std::{sync::Arc, time::Duration};

const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const DAY: Duration = Duration::from_secs(24 * 3600);
const KEEP: Retention = Retention {
    idempotency_days: 7,
    inbox_days: Some(30),
    parked_days: 30,
    publication_days: Some(1),
    delivery_days: None,
    guest_order_days: 3,
    recoverable: Duration::from_secs(600),
};

struct Shop {
    store: Store,
    _folder: tempfile::TempDir,
}

fn project() -> ProjectId {
    ProjectId::new(1).expect("id")
}

fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::new("USD").expect("code")).expect("range")
}

fn cause(at: Timestamp) -> Cause {
    Cause {
        actor: Actor::ApiKey("test".to_owned()),
        reason: String::new(),
        at,
    }
}

impl Shop {
    async fn open() -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let store = Store::open(&folder.path().join("test.db"), START, 7, |_| ()).expect("open");
        let shop = Self {
            store,
            _folder: folder,
        };
        let new = NewProject {
            id: Some(project()),
            name: "Test".to_owned(),
            settings: Settings::default(),
            credentials: Vec::new(),
            sources: Vec::new(),
            items: Vec::new(),
        };
        shop.submit(Change::CreateProject(Box::new(new)), START)
            .await;
        shop
    }

    async fn submit(&self, change: Change, at: Timestamp) -> Outcome {
        self.submit_with(change, at, None).await
    }

    async fn submit_with(&self, change: Change, at: Timestamp, key: Option<&str>) -> Outcome {
        let idempotency = key.map(|key| Idempotency {
            key: RequestKey {
                project: project(),
                scope: Scope::new("POST orders", &[], String::new()),
                key: key.to_owned(),
                body_hash: [0; 32],
            },
            render: Arc::new(|_| Rendered {
                status: 201,
                body: "{}".to_owned(),
            }),
        });
        let submission = Submission {
            change,
            at,
            idempotency,
        };
        self.store.submit(submission).await.expect("committed")
    }

    /// A new order for alice that lives a minute.
    async fn order(&self, at: Timestamp, key: Option<&str>) -> Outcome {
        let alice = UserId::new("alice").expect("id");
        self.order_of(alice, at, key).await
    }

    async fn order_of(&self, user: UserId, at: Timestamp, key: Option<&str>) -> Outcome {
        let new = NewOrder {
            project: project(),
            id: None,
            user,
            mode: Mode::Default,
            content: Content::new(
                Some(usd(199)),
                vec![Item::new(
                    Sku::new("sword").expect("sku"),
                    1,
                    Some(usd(199)),
                )],
            ),
            lifetime: Some(Duration::from_secs(60)),
            token_hash: None,
            cause: cause(at),
        };
        self.submit_with(Change::CreateOrder(Box::new(new)), at, key)
            .await
    }

    async fn new_order(&self, at: Timestamp) -> OrderId {
        match self.order(at, None).await {
            Outcome::Order(applied) => applied.order().id,
            other => panic!("{other:?}"),
        }
    }

    async fn ask(&self, order: OrderId, target: Target, at: Timestamp) {
        let change = Change::Request {
            project: project(),
            order,
            request: Request::Become(target),
            if_version: None,
            cause: cause(at),
        };
        let outcome = self.submit(change, at).await;
        assert!(matches!(outcome, Outcome::Order(_)), "{outcome:?}");
    }

    async fn pay(&self, order: i64, at: Timestamp) {
        let attempt = AttemptId::new(&format!("tx{order}")).expect("attempt");
        let subject = Subject::Order {
            order: OrderId::new(order).expect("id"),
            attempt: attempt.clone(),
        };
        let fact = Fact::paid(attempt, usd(199));
        let event = Event {
            dedup_key: Some(format!("paid:{order}")),
            ..Event::new("order_paid", subject, Some(fact))
        };
        let entry = InboxEntry {
            project: project(),
            source: SourceId::new("test").expect("id"),
            body: b"{}".to_vec(),
            event: Ok(event),
            transmission: None,
        };
        self.submit(Change::Receive(Box::new(entry)), at).await;
    }

    async fn status(&self, order: OrderId) -> Status {
        let found = self.store.order(project(), order).await.expect("read");
        found.expect("there").order.status()
    }

    fn channel() -> Channel {
        Channel {
            project: project(),
            user: UserId::new("alice").expect("id"),
        }
    }

    async fn recovery(&self, since: u32) -> Recovery {
        let offset = Offset::new(since.into()).expect("offset");
        let page = self
            .store
            .channel(&Self::channel(), Range::After(offset), 1_001)
            .await
            .expect("read");
        recover(page.epoch.as_str(), since.into(), &page)
    }
}

fn later(seconds: u64) -> Timestamp {
    START.plus(Duration::from_secs(seconds))
}

#[tokio::test]
async fn an_order_expires_at_its_stated_life_and_a_payment_revives_it() {
    let shop = Shop::open().await;
    let order = shop.new_order(START).await;
    let paid = shop.new_order(START).await;
    shop.ask(paid, Target::Paid, later(1)).await;

    assert_eq!(expire(&shop.store, later(59)).await, Ok(0));
    assert_eq!(expire(&shop.store, later(60)).await, Ok(1));
    assert_eq!(expire(&shop.store, later(61)).await, Ok(0), "once");
    assert_eq!(shop.status(order).await, Status::Expired);
    assert_eq!(shop.status(paid).await, Status::Paid);
    let page = shop
        .store
        .channel(&Shop::channel(), Range::Newest, 10)
        .await;
    assert_eq!(page.expect("read").top.get(), 3, "buyers see no difference");
    let events = shop
        .store
        .events(project(), ordercast_store::Feed::All, 0, 10)
        .await
        .expect("read");
    assert_eq!(events.last().expect("one").facts.kind, "order.expired");

    shop.pay(order.get().into(), later(90)).await;
    let found = shop
        .store
        .order(project(), order)
        .await
        .expect("read")
        .expect("there");
    assert_eq!(found.order.status(), Status::Paid);
    assert!(found.order.facets.flags.contains(&Flag::PaidLate));
}

#[tokio::test]
async fn an_order_that_was_paid_after_it_was_found_does_not_expire() {
    let shop = Shop::open().await;
    let order = shop.new_order(START).await;
    let found = shop.store.overdue(later(60), 10).await.expect("read");
    assert_eq!(found, [(project(), order)]);
    shop.ask(order, Target::Paid, later(60)).await;
    let change = Change::Expire {
        project: project(),
        order,
    };
    let outcome = shop.submit(change, later(60)).await;
    assert!(matches!(outcome, Outcome::Unchanged { .. }), "{outcome:?}");
    assert_eq!(shop.status(order).await, Status::Paid);
}

#[tokio::test]
async fn more_orders_than_fit_a_batch_expire_at_once() {
    let shop = Shop::open().await;
    for _ in 0..600 {
        shop.new_order(START).await;
    }
    assert_eq!(expire(&shop.store, later(60)).await, Ok(600));
}

#[tokio::test]
async fn a_key_is_remembered_while_its_order_may_be_paid() {
    let shop = Shop::open().await;
    let Outcome::Order(first) = shop.order(START, Some("open")).await else {
        panic!()
    };
    let Outcome::Order(second) = shop.order(START, Some("ended")).await else {
        panic!()
    };
    shop.ask(second.order().id, Target::Canceled, later(1))
        .await;
    let day_6 = START.plus(DAY * 6);
    assert_eq!(
        prune(
            &shop.store,
            day_6,
            Retention {
                publication_days: None,
                delivery_days: None,
                ..KEEP
            }
        )
        .await,
        Ok(0)
    );
    let day_8 = START.plus(DAY * 8);
    assert_eq!(
        prune(
            &shop.store,
            day_8,
            Retention {
                publication_days: None,
                delivery_days: None,
                ..KEEP
            }
        )
        .await,
        Ok(1)
    );
    assert!(matches!(
        shop.order(day_8, Some("open")).await,
        Outcome::Replayed(_)
    ));
    assert!(matches!(
        shop.order(day_8, Some("ended")).await,
        Outcome::Order(_)
    ));
    assert_eq!(shop.status(first.order().id).await, Status::New);
}

#[tokio::test]
async fn old_publications_go_and_recovery_from_there_says_so() {
    let shop = Shop::open().await;
    for _ in 0..150 {
        shop.new_order(START).await;
    }
    let day_2 = START.plus(DAY * 2);
    let promised = Retention {
        recoverable: DAY * 3,
        ..KEEP
    };
    assert_eq!(prune(&shop.store, day_2, promised).await, Ok(0));
    assert_eq!(prune(&shop.store, day_2, KEEP).await, Ok(150));
    assert_eq!(shop.recovery(49).await, Recovery::NotRecovered);
    assert_eq!(shop.recovery(150).await, Recovery::Recovered(Vec::new()));
    // The channel goes on where it was.
    shop.new_order(day_2).await;
    assert_eq!(prune(&shop.store, day_2, KEEP).await, Ok(0));
    let Recovery::Recovered(missed) = shop.recovery(150).await else {
        panic!("not recovered")
    };
    assert_eq!(missed.len(), 1);
}

#[tokio::test]
async fn what_a_guest_never_paid_for_goes_and_all_else_stays() {
    let shop = Shop::open().await;
    let guest = guest_id(project(), "secret");
    let order = async |user: &UserId| match shop.order_of(user.clone(), START, None).await {
        Outcome::Order(applied) => applied.order().id,
        other => panic!("{other:?}"),
    };
    let unpaid = order(&guest).await;
    let paid = order(&guest).await;
    let paid_late = order(&guest).await;
    let of_user = order(&UserId::new("alice").expect("id")).await;
    shop.ask(paid, Target::Paid, later(1)).await;
    assert_eq!(expire(&shop.store, later(60)).await, Ok(3));
    shop.pay(paid_late.get().into(), later(90)).await;
    let keep = Retention {
        inbox_days: None,
        publication_days: None,
        ..KEEP
    };
    assert_eq!(prune(&shop.store, START.plus(DAY * 3), keep).await, Ok(0));
    assert_eq!(prune(&shop.store, START.plus(DAY * 4), keep).await, Ok(1));
    let gone = shop.store.order(project(), unpaid).await.expect("read");
    assert_eq!(gone, None);
    for (order, status) in [
        (paid, Status::Paid),
        (paid_late, Status::Paid),
        (of_user, Status::Expired),
    ] {
        assert_eq!(shop.status(order).await, status);
    }
    let events = shop
        .store
        .events(project(), ordercast_store::Feed::All, 0, 100);
    let events = events.await.expect("read");
    assert!(events.iter().all(|event| event.order != unpaid));
    assert_eq!(prune(&shop.store, START.plus(DAY * 40), keep).await, Ok(0));
}

#[tokio::test]
async fn the_file_gets_smaller_when_what_was_in_it_is_deleted() {
    let shop = Shop::open().await;
    let keys: Vec<String> = (0..4_000).map(|key| format!("{key:0>200}")).collect();
    let answers = keys.iter().map(|key| shop.order(START, Some(key)));
    futures_util::future::join_all(answers).await;
    expire(&shop.store, later(60)).await.expect("expired");
    let full = shop.store.pages().await.expect("read");
    assert!(full.can_shrink);
    let pruned = prune(&shop.store, START.plus(DAY * 8), KEEP).await;
    assert_eq!(pruned, Ok(8_000), "answers and publications");
    let now = shop.store.pages().await.expect("read");
    assert!(now.all * 4 < full.all * 3, "{full:?} {now:?}");
    assert!(now.free <= 256, "{now:?}");
}

#[tokio::test]
async fn webhooks_that_wait_for_their_order_stay() {
    let shop = Shop::open().await;
    let order = shop.new_order(START).await;
    shop.pay(order.get().into(), START).await;
    shop.pay(4_242, START).await;
    let minutes = |count: u32| START.plus(Duration::from_secs(60) * count);
    for (minute, long) in [(15, 0), (16, 1)] {
        let parked = report_parked(&shop.store, minutes(minute)).await;
        assert_eq!(parked, Ok(long), "{minute}");
    }
    let day_31 = START.plus(DAY * 31);
    let keep = Retention {
        publication_days: None,
        ..KEEP
    };
    assert_eq!(prune(&shop.store, day_31, keep).await, Ok(1));
    let states: Vec<_> = shop
        .store
        .inbox(project(), InboxFilter::default(), None, 10)
        .await
        .expect("read")
        .into_iter()
        .map(|row| row.state)
        .collect();
    assert_eq!(states, ["parked"]);
}

#[tokio::test]
async fn what_waits_too_long_is_put_aside_with_its_reason_and_alarms_no_more() {
    let shop = Shop::open().await;
    shop.pay(4_242, START).await;
    let minute_16 = START.plus(Duration::from_secs(60) * 16);
    assert_eq!(report_parked(&shop.store, minute_16).await, Ok(1));
    let news = shop
        .store
        .operator_events(project(), None, 10)
        .await
        .expect("read");
    assert_eq!(
        (news.len(), news[0].kind.as_str()),
        (1, "inbox.waiting"),
        "{news:?}"
    );
    // Told once.
    assert_eq!(report_parked(&shop.store, minute_16).await, Ok(1));
    let news = shop
        .store
        .operator_events(project(), None, 10)
        .await
        .expect("read");
    assert_eq!(news.len(), 1);
    for (day, expired) in [(29, 0), (31, 1), (32, 0)] {
        let now = START.plus(DAY * day);
        assert_eq!(
            expire_parked(&shop.store, now, 30).await,
            Ok(expired),
            "{day}"
        );
    }
    assert_eq!(report_parked(&shop.store, minute_16).await, Ok(0));
    let filter = InboxFilter {
        state: Some(InboxState::Expired),
        needs_attention: false,
    };
    let rows = shop
        .store
        .inbox(project(), filter, None, 10)
        .await
        .expect("read");
    assert!(
        rows[0]
            .reason
            .starts_with("it waited too long: it named order 4242"),
        "{rows:?}"
    );
    let filter = InboxFilter {
        needs_attention: true,
        ..InboxFilter::default()
    };
    let rows = shop
        .store
        .inbox(project(), filter, None, 10)
        .await
        .expect("read");
    assert!(rows.is_empty(), "{rows:?}");
}
