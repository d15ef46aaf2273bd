//! Orders of which nothing was heard: providers are asked, at times that the test makes up.

mod providers;

use futures_util::future::BoxFuture;
use ordercast_core::{
    ProjectId, Sku, Timestamp, UserId,
    ids::{AttemptId, SourceId},
    money::{Currency, Money},
    order::{Actor, Cause, Content, Fact, Item, Mode, Order, Status},
    provider::{Event, Provider, Reading, SourceSettings, Subject},
};
use ordercast_server::{
    config::{Config, Partial},
    delivery::sending::Sending,
    inbox::ask::{AskError, ProviderReader, Question},
    jobs::{expire, sweep},
};
use ordercast_store::{
    Change, InboxEntry, NewOrder, NewProject, Outcome, Settings, Source, Store, Submission,
};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const SECOND: Duration = Duration::from_secs(1);

struct Shop {
    store: Store,
    folder: tempfile::TempDir,
}

fn project() -> ProjectId {
    ProjectId::new(1).expect("id")
}

fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::new("USD").expect("code")).expect("range")
}

fn source(provider: Provider, api_url: Option<String>) -> Source {
    Source {
        id: SourceId::new("src").expect("id"),
        project: project(),
        provider,
        settings: SourceSettings {
            api_url,
            ..SourceSettings::default()
        },
        secret: String::new().into(),
        before: None,
        api_key: Some("a-key-of-the-tests".to_owned().into()),
        created_at: START,
    }
}

impl Shop {
    async fn open() -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let store = Store::open(&folder.path().join("test.db"), START, 7, |_| ()).expect("open");
        let shop = Self { store, folder };
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
            at: START,
            idempotency: None,
        };
        self.store.submit(submission).await.expect("written")
    }

    async fn new_order(&self) -> Order {
        let new = NewOrder {
            project: project(),
            id: None,
            user: UserId::new("alice").expect("user"),
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
            cause: Cause {
                actor: Actor::ApiKey("test".to_owned()),
                reason: String::new(),
                at: START,
            },
        };
        match self.submit(Change::CreateOrder(Box::new(new))).await {
            Outcome::Order(made) => made.order().clone(),
            other => panic!("{other:?}"),
        }
    }

    async fn status(&self, order: &Order) -> Status {
        let found = self.store.order(project(), order.id).await.expect("read");
        found.expect("an order").order.status()
    }

    /// A payment of the order is on its way.
    async fn hear_of(&self, order: &Order, attempt: &str) {
        let attempt = AttemptId::new(attempt).expect("id");
        let subject = Subject::Order {
            order: order.id,
            attempt: attempt.clone(),
        };
        let fact = Fact::PaymentPending { attempt };
        self.submit(Change::Receive(Box::new(InboxEntry {
            project: project(),
            source: SourceId::new("src").expect("id"),
            body: b"{}".to_vec(),
            event: Ok(Event::new("pending", subject, Some(fact))),
            transmission: None,
        })))
        .await;
    }

    /// May ask servers on this machine.
    fn sending(&self) -> Arc<Sending> {
        let mut flags = <Partial as confique::Layer>::empty();
        flags.data_dir = Some(self.folder.path().to_owned());
        flags.webhook_http = Some(true);
        flags.webhook_any_port = Some(true);
        flags.webhook_networks = Some(vec!["127.0.0.0/8".parse().expect("network")]);
        let config = Config::load(flags, None).expect("config");
        Arc::new(Sending::open(&config, self.store.clone()).expect("TLS"))
    }
}

type Answer = Result<Vec<Reading>, AskError>;

/// Counts how often it is asked, and knows what the test says.
#[derive(Clone, Default)]
struct Fake {
    asked: Arc<Mutex<Vec<Question>>>,
    answer: Arc<Mutex<Option<Answer>>>,
}

impl ProviderReader for Fake {
    fn payments(&self, question: Question) -> BoxFuture<'_, Answer> {
        self.asked.lock().expect("asked").push(question);
        let answer = self.answer.lock().expect("answer").clone();
        Box::pin(async { answer.unwrap_or_else(|| Ok(Vec::new())) })
    }
}

fn paid(order: &Order) -> Vec<Reading> {
    let attempt = AttemptId::new("pay_1").expect("id");
    let subject = Subject::Order {
        order: order.id,
        attempt: attempt.clone(),
    };
    let fact = Fact::paid(attempt, usd(199));
    vec![Reading {
        body: b"{}".to_vec(),
        events: vec![Event {
            dedup_key: Some("pay_1:paid".to_owned()),
            ..Event::new("asked", subject, Some(fact))
        }],
    }]
}

#[tokio::test]
async fn an_open_order_is_asked_about_at_its_times_and_before_it_expires() {
    let shop = Shop::open().await;
    shop.new_order().await;
    let fake = Fake::default();
    let readers: Vec<(Source, Box<dyn ProviderReader>)> =
        vec![(source(Provider::Stripe, None), Box::new(fake.clone()))];
    let mut asked_at = Vec::new();
    let mut since = START;
    // Four days, every ten seconds of the first hour and every minute after.
    for seconds in (10..3_600)
        .step_by(10)
        .chain((3_600..4 * 86_400).step_by(60))
    {
        let now = START.plus(SECOND * seconds);
        sweep(&shop.store, &readers, since, now)
            .await
            .expect("swept");
        since = now;
        let mut asked = fake.asked.lock().expect("asked");
        asked_at.extend(asked.drain(..).map(|_| seconds));
    }
    // 1 and 5 and 30 minutes, 2 and 12 hours, 2 minutes before it expires, 1 day, 3 days.
    assert_eq!(
        asked_at,
        [60, 300, 1_800, 7_200, 43_200, 86_280, 86_400, 259_200]
    );
}

#[tokio::test]
async fn what_is_heard_pays_the_order_once() {
    let shop = Shop::open().await;
    let order = shop.new_order().await;
    let fake = Fake::default();
    let readers: Vec<(Source, Box<dyn ProviderReader>)> =
        vec![(source(Provider::Stripe, None), Box::new(fake.clone()))];
    let minute = START.plus(SECOND * 60);
    *fake.answer.lock().expect("answer") = Some(Err(AskError::Unavailable("asleep".to_owned())));
    assert_eq!(sweep(&shop.store, &readers, START, minute).await, Ok(0));
    *fake.answer.lock().expect("answer") = Some(Ok(paid(&order)));
    assert_eq!(sweep(&shop.store, &readers, START, minute).await, Ok(1));
    assert_eq!(shop.status(&order).await, Status::Paid);
    // A paid order is no longer asked about.
    fake.asked.lock().expect("asked").clear();
    assert_eq!(sweep(&shop.store, &readers, START, minute).await, Ok(0));
    assert!(fake.asked.lock().expect("asked").is_empty());
}

#[tokio::test]
async fn all_orders_of_a_window_are_asked_about_once() {
    let shop = Shop::open().await;
    // All made in one moment, more than are read at once.
    let mut made = Vec::new();
    for _ in 0..450 {
        made.push(shop.new_order().await.id);
    }
    let fake = Fake::default();
    let readers: Vec<(Source, Box<dyn ProviderReader>)> =
        vec![(source(Provider::Stripe, None), Box::new(fake.clone()))];
    // After a long stop, when each order is due for several of its times.
    let hours = START.plus(SECOND * 3 * 3_600);
    let since = START.minus(SECOND * 3_600);
    assert_eq!(sweep(&shop.store, &readers, since, hours).await, Ok(0));
    let mut asked: Vec<_> = fake
        .asked
        .lock()
        .expect("asked")
        .iter()
        .map(|q| q.order)
        .collect();
    asked.sort_unstable();
    made.sort_unstable();
    assert_eq!(asked, made);
}

#[tokio::test]
async fn an_order_that_has_expired_is_still_asked_about() {
    let shop = Shop::open().await;
    let order = shop.new_order().await;
    let day = START.plus(SECOND * 86_400);
    expire(&shop.store, day).await.expect("expired");
    assert_eq!(shop.status(&order).await, Status::Expired);
    let fake = Fake::default();
    *fake.answer.lock().expect("answer") = Some(Ok(paid(&order)));
    let readers: Vec<(Source, Box<dyn ProviderReader>)> =
        vec![(source(Provider::Stripe, None), Box::new(fake.clone()))];
    let three_days = START.plus(SECOND * 3 * 86_400);
    let since = three_days.minus(SECOND);
    assert_eq!(sweep(&shop.store, &readers, since, three_days).await, Ok(1));
    assert_eq!(shop.status(&order).await, Status::Paid);
}
