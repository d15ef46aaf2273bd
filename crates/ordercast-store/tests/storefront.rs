//! Catalogue, balances, carts and payment sessions through the store's public surface, on a real file.

use ordercast_core::{
    ProjectId, Sku, Timestamp, UserId,
    catalogue::{CatalogueItem, ItemVirtualPrice, Line, Listed, quote_virtual},
    ids::CartId,
    money::{Currency, Money},
    order::{Actor, Cause, Checkout, Content, ItemKind, Mode, Order, Request, Status, Target},
    virtual_currency::VirtualAmount,
};
use ordercast_store::{
    Change, NewOrder, NewProject, Outcome, Settings, Store, StorefrontChange, StorefrontOutcome,
    StorefrontRefusal, Submission,
    search::OrderSearch,
    storefront::{
        BalanceChange, BalanceEdit, CART_LIFE, CartChange, CartEdit, CartLine, NewSession,
    },
};
use proptest::prelude::*;
use std::{path::Path, time::Duration};

const AT: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn project() -> ProjectId {
    ProjectId::new(7).expect("id")
}

fn user(name: &str) -> UserId {
    UserId::new(name).expect("user")
}

fn sku(name: &str) -> Sku {
    Sku::new(name).expect("sku")
}

fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::new("USD").expect("code")).expect("range")
}

fn gems() -> CatalogueItem {
    CatalogueItem {
        kind: ItemKind::VirtualCurrency,
        ..CatalogueItem::priced(sku("gems"), "Gems".to_owned(), usd(99))
    }
}

fn potion() -> CatalogueItem {
    CatalogueItem {
        virtual_prices: vec![ItemVirtualPrice {
            currency: sku("gems"),
            amount: VirtualAmount::new(10).expect("range"),
            without_discount: None,
        }],
        ..CatalogueItem::priced(sku("potion"), "Potion".to_owned(), usd(199))
    }
}

fn open(path: &Path) -> Store {
    Store::open(path, AT, 42, |_| {}).expect("open")
}

async fn submit_at(store: &Store, change: Change, at: Timestamp) -> Outcome {
    let submission = Submission {
        change,
        at,
        idempotency: None,
    };
    store.submit(submission).await.expect("committed")
}

async fn storefront(store: &Store, change: StorefrontChange) -> Outcome {
    submit_at(store, Change::Storefront(Box::new(change)), AT).await
}

async fn with_project(path: &Path) -> Store {
    let store = open(path);
    let new = NewProject {
        id: Some(project()),
        name: "Test".to_owned(),
        settings: Settings::default(),
        credentials: Vec::new(),
        sources: Vec::new(),
        items: vec![gems(), potion()],
    };
    let outcome = submit_at(&store, Change::CreateProject(Box::new(new)), AT).await;
    assert!(matches!(outcome, Outcome::Project(_)), "{outcome:?}");
    store
}

fn balance(name: &str, edit: BalanceEdit) -> StorefrontChange {
    StorefrontChange::Balance(BalanceChange {
        project: project(),
        user: user(name),
        currency: sku("gems"),
        edit,
    })
}

fn cause() -> Cause {
    Cause {
        actor: Actor::ApiKey("test".to_owned()),
        reason: "test".to_owned(),
        at: AT,
    }
}

fn buy(name: &str, quantity: u32, at: Timestamp) -> Change {
    let listed = Listed {
        item_id: 2,
        item: potion(),
    };
    let content = quote_virtual(&Line { listed, quantity }, &gems()).expect("quote");
    new_order(name, content, at)
}

fn new_order(name: &str, content: Content, at: Timestamp) -> Change {
    Change::CreateOrder(Box::new(NewOrder {
        project: project(),
        id: None,
        user: user(name),
        mode: Mode::Default,
        content,
        lifetime: None,
        token_hash: None,
        cause: Cause { at, ..cause() },
    }))
}

fn folder() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("test.db");
    (folder, path)
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Set(i64),
    Add(i64),
    Buy(u32),
    Cancel(usize),
}

fn any_op() -> impl Strategy<Value = (bool, Op)> {
    let op = prop_oneof![
        (0..100_i64).prop_map(Op::Set),
        (-60..60_i64).prop_map(Op::Add),
        (1..6_u32).prop_map(Op::Buy),
        (0..8_usize).prop_map(Op::Cancel),
    ];
    (any::<bool>(), op)
}

/// What the store should come to: a balance a user, and the orders of both.
#[derive(Default)]
struct Model {
    balances: [i64; 2],
    orders: Vec<(usize, Order, i64, bool)>,
}

impl Model {
    async fn step(&mut self, store: &Store, who: usize, op: Op) {
        let name = ["alice", "bob"][who];
        let balance_of = &mut self.balances[who];
        let expected = |amount: i64| {
            Outcome::Storefront(StorefrontOutcome::Balance(
                VirtualAmount::new(amount).expect("range"),
            ))
        };
        let refused =
            || Outcome::Storefront(StorefrontOutcome::Refused(StorefrontRefusal::NotEnough));
        match op {
            Op::Set(amount) => {
                let edit = BalanceEdit::Set(VirtualAmount::new(amount).expect("range"));
                *balance_of = amount;
                assert_eq!(
                    storefront(store, balance(name, edit)).await,
                    expected(amount)
                );
            }
            Op::Add(change) => {
                let outcome = storefront(store, balance(name, BalanceEdit::Add(change))).await;
                if *balance_of + change < 0 {
                    assert_eq!(outcome, refused());
                } else {
                    *balance_of += change;
                    assert_eq!(outcome, expected(*balance_of));
                }
            }
            Op::Buy(quantity) => {
                let price = 10 * i64::from(quantity);
                match submit_at(store, buy(name, quantity, AT), AT).await {
                    Outcome::Order(applied) => {
                        assert!(price <= *balance_of);
                        *balance_of -= price;
                        assert_eq!(applied.order().status(), Status::Done);
                        self.orders
                            .push((who, applied.order().clone(), price, false));
                    }
                    outcome => {
                        assert!(price > *balance_of);
                        assert_eq!(outcome, refused());
                    }
                }
            }
            Op::Cancel(at) => {
                let Some((owner, order, price, canceled)) = self.orders.get_mut(at) else {
                    return;
                };
                let change = Change::Request {
                    project: project(),
                    order: order.id,
                    request: Request::Become(Target::Canceled),
                    if_version: None,
                    cause: cause(),
                };
                let granted = matches!(submit_at(store, change, AT).await, Outcome::Order(_));
                assert_eq!(granted, !*canceled, "given back once");
                if granted {
                    *canceled = true;
                    self.balances[*owner] += *price;
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn balances_add_up(ops in prop::collection::vec(any_op(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
        runtime.block_on(async {
            let (_folder, path) = folder();
            let store = with_project(&path).await;
            let mut model = Model::default();
            for (is_bob, op) in ops {
                model.step(&store, usize::from(is_bob), op).await;
            }
            for (name, amount) in ["alice", "bob"].iter().zip(model.balances) {
                let kept = store.balances(project(), user(name)).await.expect("read");
                let kept = kept.first().map_or(0, |(_, amount)| amount.get());
                assert_eq!(kept, amount, "{name}");
            }
        });
    }
}

#[tokio::test]
async fn items_of_the_first_version_are_kept() {
    let (_folder, path) = folder();
    let first = rusqlite::Connection::open(&path).expect("open");
    first
        .execute_batch(include_str!("../src/sqlite/migrations/001_orders.sql"))
        .expect("schema");
    first
        .execute_batch(
            "INSERT INTO projects VALUES (7, 'Old', '{\"complete_on_paid\":true}', 0);
             INSERT INTO items VALUES (7, 'sword', 'Sword \"of\" old', 199, 'USD');
             INSERT INTO items VALUES (7, 'badge', 'Badge', 0, 'JPY');
             PRAGMA user_version = 1;
             PRAGMA application_id = 1329812308;",
        )
        .expect("rows");
    drop(first);
    let store = open(&path);
    let found = store.item(project(), sku("sword")).await.expect("read");
    let sword = found.expect("kept").item;
    let name = "Sword \"of\" old".to_owned();
    assert_eq!(sword, CatalogueItem::priced(sku("sword"), name, usd(199)));
    let found = store.item(project(), sku("badge")).await.expect("read");
    let badge = found.expect("kept").item;
    assert!(badge.is_free && badge.check().is_ok(), "{badge:?}");
}

#[tokio::test]
async fn an_items_number_stays_with_it() {
    let (_folder, path) = folder();
    let store = with_project(&path).await;
    let number = async || {
        store
            .item(project(), sku("potion"))
            .await
            .expect("read")
            .expect("item")
            .item_id
    };
    let before = number().await;
    let change = StorefrontChange::PutItems {
        project: project(),
        items: vec![potion()],
    };
    storefront(&store, change).await;
    assert_eq!(number().await, before);
}

#[tokio::test]
async fn abandoned_carts_and_ended_sessions_are_swept_by_new_ones() {
    let (_folder, path) = folder();
    let store = with_project(&path).await;
    let put = |name: &str| {
        let line = CartLine {
            sku: sku("potion"),
            quantity: 1,
        };
        Change::Storefront(Box::new(StorefrontChange::Cart(CartChange {
            project: project(),
            user: user(name),
            cart: CartId::new("current").expect("id"),
            edit: CartEdit::Put(vec![line]),
        })))
    };
    let session = |expires_at| {
        Change::Storefront(Box::new(StorefrontChange::CreateSession(Box::new(
            NewSession {
                project: project(),
                user: user("alice"),
                token_hash: [1; 32],
                mode: Mode::Default,
                purchase: serde_json::Map::new(),
                checkout: Checkout::default(),
                expires_at,
            },
        ))))
    };
    submit_at(&store, put("old"), AT).await;
    let later = AT.plus(CART_LIFE).plus(Duration::from_millis(1));
    let Outcome::Storefront(StorefrontOutcome::Session(first)) =
        submit_at(&store, session(AT.plus(Duration::from_secs(1))), AT).await
    else {
        panic!("no session")
    };
    let has_cart = async |name: &str| {
        let cart = CartId::new("current").expect("id");
        let found = store.cart(project(), user(name), cart).await;
        found.expect("read").is_some()
    };
    submit_at(&store, put("young"), AT.plus(CART_LIFE)).await;
    assert!(has_cart("old").await, "not a moment too early");
    submit_at(&store, put("younger"), later).await;
    assert!(!has_cart("old").await && has_cart("young").await);

    assert!(store.payment_session(first).await.expect("read").is_some());
    let Outcome::Storefront(StorefrontOutcome::Session(second)) =
        submit_at(&store, session(later), later).await
    else {
        panic!("no session")
    };
    assert!(store.payment_session(first).await.expect("read").is_none());
    assert!(second > first, "numbers are not used again");
}

#[tokio::test]
async fn a_search_finds_orders_by_their_time() {
    let (_folder, path) = folder();
    let store = with_project(&path).await;
    let at = |seconds: i64| Timestamp::from_millis(AT.millis() + seconds * 1_000);
    // Not in the order of their creation: an import may bring older ones along.
    for seconds in [0, 10, 20, 5] {
        let content = Content::new(Some(usd(1)), Vec::new());
        submit_at(&store, new_order("alice", content, at(seconds)), AT).await;
    }
    let search = async |from: Option<i64>, until: Option<i64>, offset, limit| {
        let search = OrderSearch {
            from: from.map(at),
            until: until.map(at),
            offset,
            limit,
        };
        let page = store.search_orders(project(), search).await.expect("read");
        let times: Vec<_> = page
            .orders
            .iter()
            .map(|order| (order.created_at.millis() - AT.millis()) / 1_000)
            .collect();
        (times, page.total)
    };
    assert_eq!(search(None, None, 0, 10).await, (vec![0, 5, 10, 20], 4));
    assert_eq!(search(Some(5), Some(20), 0, 10).await, (vec![5, 10], 2));
    assert_eq!(search(None, None, 1, 2).await, (vec![5, 10], 4));
    assert_eq!(search(Some(21), None, 0, 10).await, (vec![], 0));
}
