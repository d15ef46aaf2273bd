//! Every statement that the store runs, with the way in which SQLite finds its rows: nothing may look
//! through a table that grows, and no index may be there that nothing uses.
//!
//! The statements are those that really ran: all connections are traced while a shop's life is played.

use crate::{
    Acknowledger, AttemptResult, Attempted, Change, ClientEventFilter, CredentialChange,
    CredentialKind, DeliveryFilter, DeliveryState, EndpointSettings, Feed, Idempotency,
    InboxChange, InboxEntry, InboxFilter, InboxState, KeyFamily, NewCredential, NewEndpoint,
    NewOrder, NewProject, OldKey, Outcome, Provider, Prune, Range, Rendered, RequestKey, Scope,
    Secret, Settings, Store, StorefrontChange, Submission, SweepWindow, TokenEnd, TokenKind,
    Transmission, WebhookChange, WebhookOutcome,
    list::{OrderFilter, Place},
    search::OrderSearch,
    storefront::{BalanceChange, BalanceEdit, CartChange, CartEdit, CartLine, NewSession},
};
use ordercast_core::{
    OrderId, ProjectId, Sku, Timestamp, UserId,
    access::{Scopes, guest_id},
    catalogue::CatalogueItem,
    channel::{Channel, Offset},
    delivery::{CustomHeaders, Mode as DeliveryMode, Schedule, Verdict},
    ids::{AttemptId, CartId, SourceId},
    money::{Currency, Money},
    order::{Actor, Cause, Checkout, Content, Fact, Flag, Item, Mode, Request, Status, Target},
    provider::{Event, Subject},
    virtual_currency::VirtualAmount,
};
use rusqlite::{
    Connection,
    trace::{TraceEvent, TraceEventCodes},
};
use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

static RAN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Writes down what runs on this connection from now on.
pub(super) fn trace(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.trace_v2(
        TraceEventCodes::SQLITE_TRACE_STMT,
        Some(|event: TraceEvent| {
            if let TraceEvent::Stmt(statement, _) = event {
                let mut ran = RAN.lock().unwrap_or_else(PoisonError::into_inner);
                ran.insert(statement.sql().into_owned());
            }
        }),
    )
}

/// Tables that do not grow with a shop's business, which are read whole: at the start, or for one project.
const READ_WHOLE: [&str; 9] = [
    "meta",
    "epochs",
    "projects",
    "credentials",
    "sources",
    "token_rules",
    "key_sets",
    "endpoints",
    "json_each",
];

/// From the newest row back to the first that will do, once, at the start.
const READ_FROM_THE_END: &str =
    "SELECT at FROM events WHERE order_key > 0 ORDER BY event_id DESC LIMIT 1";

const AT: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn project() -> ProjectId {
    ProjectId::new(7).expect("id")
}

fn user() -> UserId {
    UserId::new("alice").expect("id")
}

fn sku(text: &str) -> Sku {
    Sku::new(text).expect("sku")
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

fn request_key() -> RequestKey {
    RequestKey {
        project: project(),
        scope: Scope::new("POST /orders", &[], String::new()),
        key: "key".to_owned(),
        body_hash: [0; 32],
    }
}

fn source() -> SourceId {
    SourceId::new("src").expect("id")
}

struct Shop {
    store: Store,
    at: Timestamp,
}

impl Shop {
    async fn submit(&self, change: Change) -> Outcome {
        self.submit_with(change, None).await
    }

    async fn submit_with(&self, change: Change, idempotency: Option<Idempotency>) -> Outcome {
        let submission = Submission {
            change,
            at: self.at,
            idempotency,
        };
        self.store.submit(submission).await.expect("committed")
    }

    async fn order(&self, of: UserId) -> OrderId {
        let item = Item::new(sku("sword"), 1, Some(usd(199)));
        let change = Change::CreateOrder(Box::new(NewOrder {
            project: project(),
            id: None,
            user: of,
            mode: Mode::Default,
            content: Content::new(Some(usd(199)), vec![item]),
            lifetime: Some(Duration::from_secs(60)),
            token_hash: Some([7; 32]),
            cause: cause(),
        }));
        let idempotency = Idempotency {
            key: request_key(),
            render: Arc::new(|_| Rendered {
                status: 201,
                body: String::new(),
            }),
        };
        match self.submit_with(change.clone(), Some(idempotency)).await {
            Outcome::Order(applied) => applied.order().id,
            _ => match self.submit(change).await {
                Outcome::Order(applied) => applied.order().id,
                other => panic!("{other:?}"),
            },
        }
    }

    async fn become_(&self, order: OrderId, target: Target) {
        let change = Change::Request {
            project: project(),
            order,
            request: Request::Become(target),
            if_version: None,
            cause: cause(),
        };
        self.submit(change).await;
    }

    async fn receive(&self, subject: Subject, fact: Option<Fact>) {
        let subject_text = format!("{subject:?}");
        let event = Event {
            dedup_key: Some(subject_text.clone()),
            ..Event::new("paid", subject, fact)
        };
        let entry = InboxEntry {
            project: project(),
            source: source(),
            body: b"{}".to_vec(),
            event: Ok(event),
            transmission: Some(Transmission {
                id: subject_text,
                body_hash: [0; 32],
            }),
        };
        self.submit(Change::Receive(Box::new(entry))).await;
    }

    async fn webhooks(&self, change: WebhookChange) -> WebhookOutcome {
        match self.submit(Change::Webhooks(Box::new(change))).await {
            Outcome::Webhooks(outcome) => outcome,
            other => panic!("{other:?}"),
        }
    }

    async fn storefront(&self, change: StorefrontChange) {
        self.submit(Change::Storefront(Box::new(change))).await;
    }

    async fn credentials(&self, change: CredentialChange) -> Outcome {
        self.submit(Change::Credentials(Box::new(change))).await
    }
}

async fn open(path: &Path) -> Shop {
    let store = Store::open(path, AT, 42, |_| ()).expect("open");
    let shop = Shop { store, at: AT };
    shop.submit(Change::CreateProject(Box::new(NewProject {
        id: None,
        name: "First".to_owned(),
        settings: Settings::default(),
        credentials: Vec::new(),
        sources: Vec::new(),
        items: Vec::new(),
    })))
    .await;
    shop.submit(Change::CreateProject(Box::new(NewProject {
        id: Some(project()),
        name: "Test".to_owned(),
        settings: Settings::default(),
        credentials: vec![
            (CredentialKind::ApiKey, "key".to_owned(), vec![1; 32]),
            (CredentialKind::Hs256, "jwt".to_owned(), vec![2; 32]),
        ],
        sources: vec![(source(), Provider::Reference, "secret".to_owned())],
        items: vec![CatalogueItem::priced(
            sku("sword"),
            "Sword".to_owned(),
            usd(199),
        )],
    })))
    .await;
    shop
}

/// Orders, payments, and what providers say.
async fn sell(shop: &Shop) -> OrderId {
    let order = shop.order(user()).await;
    let attempt = AttemptId::new("tx1").expect("attempt");
    let paid = Fact::paid(attempt.clone(), usd(199));
    for order in [order, OrderId::new(4_242).expect("id")] {
        let subject = Subject::Order {
            order,
            attempt: attempt.clone(),
        };
        shop.receive(subject, Some(paid.clone())).await;
    }
    let elsewhere = AttemptId::new("tx2").expect("attempt");
    shop.receive(Subject::Attempt(elsewhere), Some(paid)).await;
    for target in [Target::Paid, Target::Done, Target::Canceled] {
        let order = shop.order(user()).await;
        shop.become_(order, target).await;
    }
    let guest = shop.order(guest_id(project(), "secret")).await;
    shop.submit(Change::Expire {
        project: project(),
        order: guest,
    })
    .await;
    let (store, at) = (&shop.store, shop.at);
    let read = "read";
    let named = store.order_of_attempt(project(), source(), attempt.clone());
    named.await.expect(read);
    let of_source = store.payments_of_source(project(), source(), vec![attempt]);
    of_source.await.expect(read);
    store
        .inbox_knows(source(), "x".to_owned())
        .await
        .expect(read);
    store.waiting_since(at).await.expect(read);
    store.inbox_entry(project(), 1).await.expect(read);
    for state in [None, Some(InboxState::Applied), Some(InboxState::Parked)] {
        for needs_attention in [false, true] {
            let filter = InboxFilter {
                state,
                needs_attention,
            };
            let listed = store.inbox(project(), filter, Some(100), 10);
            listed.await.expect(read);
        }
    }
    let handled = [
        InboxChange::FlagWaiting {
            before: at,
            limit: 10,
        },
        InboxChange::Dismiss {
            project: project(),
            id: 2,
            reason: "test".to_owned(),
            actor: cause().actor,
        },
        InboxChange::Match {
            project: project(),
            id: 3,
            order,
            actor: cause().actor,
        },
        InboxChange::Expire {
            before: at,
            limit: 10,
        },
    ];
    for change in handled {
        shop.submit(Change::Inbox(Box::new(change))).await;
    }
    for window in [SweepWindow::Made(AT, at), SweepWindow::Expires(AT, at)] {
        let behind = Some(1);
        let open = store.open_orders(project(), window, behind, 10);
        open.await.expect(read);
    }
    order
}

async fn read_orders(shop: &Shop, order: OrderId) {
    let (store, at) = (&shop.store, shop.at);
    let read = "read";
    let all = OrderFilter {
        user: None,
        statuses: vec![Status::New],
        created_from: Some(AT),
        created_before: Some(at),
        updated_from: Some(AT),
        updated_before: Some(at),
        mode: Some(Mode::Default),
        flag: Some(Flag::PaidLate),
        stuck_since: Some(at),
    };
    let of_user = OrderFilter {
        user: Some(user()),
        ..OrderFilter::default()
    };
    let place = Place {
        created_at: at,
        order_key: 9,
    };
    for filter in [OrderFilter::default(), all, of_user] {
        store
            .orders(project(), filter, Some(place), 10)
            .await
            .expect(read);
    }
    let search = OrderSearch {
        from: Some(AT),
        until: Some(at),
        offset: 5,
        limit: 10,
    };
    store.search_orders(project(), search).await.expect(read);
    store.overdue(at, 10).await.expect(read);
    for feed in [Feed::All, Feed::Unacknowledged] {
        store.events(project(), feed, 0, 10).await.expect(read);
    }
    let found = store.order(project(), order).await.expect(read);
    let key = found.expect("there").order_key;
    store.versions(key).await.expect(read);
    let channel = Channel {
        project: project(),
        user: user(),
    };
    for range in [
        Range::After(Offset::ZERO),
        Range::Before(Offset::ZERO.next()),
        Range::Newest,
    ] {
        // Past what is in memory.
        store.channel(&channel, range, 500).await.expect(read);
    }
    store.replay(request_key()).await.expect(read);
}

async fn deliver(shop: &Shop) {
    let settings = EndpointSettings {
        url: "https://shop.example/".to_owned(),
        description: String::new(),
        mode: DeliveryMode::ReferenceSeparate,
        has_item_flags: false,
        event_types: Vec::new(),
        schedule: Schedule::new(vec![1]).expect("schedule"),
        rate: None,
        concurrency: 4,
        completes: false,
    };
    let secret = || Secret::new(b"whsec_".to_vec());
    let project = project();
    let made = shop
        .webhooks(WebhookChange::CreateEndpoint(Box::new(NewEndpoint {
            project,
            settings: settings.clone(),
            completes: None,
            headers: CustomHeaders::default(),
            secret: secret(),
        })))
        .await;
    let WebhookOutcome::Endpoint(made) = made else {
        panic!("no endpoint")
    };
    let endpoint = made.id;
    let order = shop.order(user()).await;
    shop.become_(order, Target::Paid).await;
    for (verdict, status) in [
        (Verdict::Retry, 500),
        (Verdict::Accepted, 204),
        (Verdict::Refused, 400),
    ] {
        let due = shop.store.due(endpoint, shop.at.plus(DAY), 10).await;
        let Some(due) = due.expect("read").0.into_iter().next() else {
            continue;
        };
        let attempted = Attempted {
            delivery: due.delivery,
            attempt: due.attempts + 1,
            duration: Duration::ZERO,
            result: AttemptResult::Answered {
                status,
                verdict,
                retry_after: None,
                address: None,
                body: Vec::new(),
            },
            jitter: 0.0,
        };
        shop.webhooks(WebhookChange::Attempted(Box::new(attempted)))
            .await;
    }
    for change in [
        WebhookChange::Resend {
            project,
            delivery: 1,
        },
        WebhookChange::Recover {
            project,
            endpoint,
            since: AT,
            limit: 10,
        },
        WebhookChange::Replay {
            project,
            endpoint,
            since: AT,
            after: 0,
            limit: 10,
        },
        WebhookChange::ChangeEndpoint {
            project,
            endpoint,
            settings,
            headers: None,
        },
        WebhookChange::AddSecret {
            project,
            endpoint,
            secret: secret(),
            overlap: DAY,
        },
        WebhookChange::Acknowledge {
            project,
            events: (1..=20).collect(),
            by: Acknowledger::Backend,
        },
        WebhookChange::DisableEndpoint {
            project,
            endpoint,
            reason: "test".to_owned(),
        },
        WebhookChange::EnableEndpoint { project, endpoint },
    ] {
        shop.submit(Change::Webhooks(Box::new(change))).await;
    }
    let (store, read) = (&shop.store, "read");
    for state in [
        None,
        Some(DeliveryState::Dead),
        Some(DeliveryState::Pending),
    ] {
        let filter = DeliveryFilter {
            state,
            before: Some(100),
            limit: 10,
        };
        let listed = store.deliveries(project, endpoint, filter);
        listed.await.expect(read);
    }
    store.delivery(project, 1).await.expect(read);
    store.recoverable(project, endpoint, AT).await.expect(read);
    store.replayable(project, endpoint, AT).await.expect(read);
    store.operator_events(project, None, 10).await.expect(read);
    store.endpoints(Some(project)).await.expect(read);
    let wanted = ClientEventFilter {
        after: 0,
        types: Vec::new(),
        limit: 10,
    };
    for order in [None, Some(order)] {
        let events = store.client_events(project, user(), order, wanted.clone());
        events.await.expect(read);
    }
    let end = WebhookChange::EndEndpoint { project, endpoint };
    shop.submit(Change::Webhooks(Box::new(end))).await;
}

async fn shop_around(shop: &Shop) {
    let project = project();
    let cart = CartId::new("cart").expect("id");
    for edit in [
        CartEdit::Put(vec![CartLine {
            sku: sku("sword"),
            quantity: 1,
        }]),
        CartEdit::Remove(sku("sword")),
    ] {
        let change = CartChange {
            project,
            user: user(),
            cart: cart.clone(),
            edit,
        };
        shop.storefront(StorefrontChange::Cart(change)).await;
    }
    let item = CatalogueItem::priced(sku("gems"), "Gems".to_owned(), usd(1));
    shop.storefront(StorefrontChange::PutItems {
        project,
        items: vec![item],
    })
    .await;
    shop.storefront(StorefrontChange::Balance(BalanceChange {
        project,
        user: user(),
        currency: sku("gems"),
        edit: BalanceEdit::Set(VirtualAmount::new(5).expect("amount")),
    }))
    .await;
    shop.storefront(StorefrontChange::CreateSession(Box::new(NewSession {
        project,
        user: user(),
        token_hash: [0; 32],
        mode: Mode::Default,
        purchase: serde_json::Map::new(),
        checkout: Checkout::default(),
        expires_at: shop.at,
    })))
    .await;
    let (store, read) = (&shop.store, "read");
    store.items(project, vec![sku("sword")]).await.expect(read);
    store.catalogue(project, None, 10).await.expect(read);
    store.balances(project, user()).await.expect(read);
    store.cart(project, user(), cart).await.expect(read);
    store.payment_session(1).await.expect(read);
    shop.storefront(StorefrontChange::DeleteItem {
        project,
        sku: sku("gems"),
    })
    .await;
}

async fn let_in(shop: &Shop, order: OrderId) {
    let project = project();
    let key = |kind, kid: Option<&str>| NewCredential {
        kind,
        name: "name".to_owned(),
        label: "label".to_owned(),
        kid: kid.map(ToOwned::to_owned),
        scopes: (kind == CredentialKind::ApiKey).then_some(Scopes::All),
        value: Secret::new(vec![9; 32]),
        key_set: None,
    };
    let keys = vec![
        key(CredentialKind::ApiKey, None),
        key(CredentialKind::Hs256, Some("kid")),
    ];
    let added = CredentialChange::AddKeys {
        project,
        keys,
        by: "root".to_owned(),
    };
    if let Outcome::Credentials(crate::CredentialOutcome::Keys(keys)) =
        shop.credentials(added).await
    {
        shop.credentials(CredentialChange::KeysUsed(vec![(keys[0].id, shop.at)]))
            .await;
        shop.credentials(CredentialChange::EndKey {
            project,
            id: keys[0].id,
            family: KeyFamily::Api,
        })
        .await;
    }
    for kind in [TokenKind::Payment, TokenKind::Link] {
        shop.credentials(CredentialChange::IssueToken {
            project,
            order,
            kind,
            hash: [3; 32],
            end: TokenEnd::After(DAY),
            by: "root".to_owned(),
        })
        .await;
    }
    let (store, read) = (&shop.store, "read");
    store
        .credentials(project, KeyFamily::Api)
        .await
        .expect(read);
    store.project_secrets(project).await.expect(read);
    store.projects().await.expect(read);
    store.token_rules().await.expect(read);
    let found = store.order(project, order).await.expect(read);
    let key = found.expect("there").order_key;
    store.order_tokens(key, TokenKind::Link).await.expect(read);
}

const DAY: Duration = Duration::from_secs(24 * 3600);

/// What jobs look for, and delete of what they find.
async fn clean(shop: &Shop) {
    let before = shop.at.plus(DAY * 400);
    for what in Prune::ALL {
        let old = shop.store.old(what, before, None).await.expect("read");
        // Also where there is none.
        let keys = [old.keys, vec![OldKey::Row(1)]].concat();
        let prune = Change::Prune { what, before, keys };
        shop.submit(prune).await;
    }
    shop.store.pages().await.expect("read");
    shop.submit(Change::Shrink { pages: 8 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_statement_finds_its_rows_by_an_index_and_every_index_is_used() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("store.db");
    let shop = open(&path).await;
    let order = sell(&shop).await;
    read_orders(&shop, order).await;
    deliver(&shop).await;
    shop_around(&shop).await;
    let_in(&shop, order).await;
    // Reads of what is no longer in memory.
    drop(shop);
    let store = Store::open(&path, AT, 42, |_| ()).expect("open");
    let shop = Shop {
        store,
        at: AT.plus(DAY),
    };
    read_orders(&shop, order).await;
    shop.become_(order, Target::Canceled).await;
    clean(&shop).await;
    drop(shop);

    let connection = super::readers::open(&path).expect("open");
    let ran = RAN.lock().expect("statements").clone();
    let mut used = BTreeSet::new();
    let mut wrong = Vec::new();
    let queries = ran.iter().filter(|sql| {
        let word = sql.split_whitespace().next().unwrap_or_default();
        ["SELECT", "UPDATE", "DELETE", "INSERT"].contains(&word) && !sql.contains("sqlite_schema")
    });
    for sql in queries {
        let mut plan = connection
            .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
            .expect(sql);
        let steps: Vec<String> = plan
            .raw_query()
            .mapped(|row| row.get(3))
            .collect::<rusqlite::Result<_>>()
            .expect("plan");
        for step in &steps {
            if let Some(index) = step.split("INDEX ").nth(1) {
                used.insert(
                    index
                        .split_whitespace()
                        .next()
                        .unwrap_or_default()
                        .to_owned(),
                );
            }
            if looks_through(step, sql) {
                wrong.push(format!("{step}\n    of {sql}"));
            }
        }
    }
    assert!(ran.len() > 100, "only {} statements ran", ran.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    let mut indexes = connection
        .prepare(
            "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql NOT LIKE 'CREATE UNIQUE%'",
        )
        .expect("indexes");
    let all: Vec<String> = indexes
        .query_map([], |row| row.get(0))
        .expect("indexes")
        .collect::<rusqlite::Result<_>>()
        .expect("names");
    let useless: Vec<_> = all.iter().filter(|name| !used.contains(*name)).collect();
    assert!(useless.is_empty(), "nothing uses {useless:?}");
}

/// Whether a step of a plan reads every row of a table that grows.
fn looks_through(step: &str, sql: &str) -> bool {
    let Some(name) = step.strip_prefix("SCAN ") else {
        return false;
    };
    let name = name.split_whitespace().next().unwrap_or_default();
    // Rows of the statement's own making: as many as its other steps have found.
    if name.starts_with('(') || ["CONSTANT", "mine"].contains(&name) || sql == READ_FROM_THE_END {
        return false;
    }
    let is_named = |table: &str| name == table || sql.contains(&format!("{table} {name} "));
    !READ_WHOLE.into_iter().any(is_named)
}
