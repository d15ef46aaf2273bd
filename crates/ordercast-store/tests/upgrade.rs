//! A database of the version before: it opens, and what it holds is told as it would have been.

use ordercast_core::{
    ProjectId, Timestamp, UserId,
    delivery::{Notification, Schedule},
    ids::EndpointId,
};
use ordercast_store::{ClientEventFilter, Endpoint, Feed, Store, backup, restore};
use rusqlite::Connection;
use std::path::Path;

const AT: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const BEFORE: [&str; 9] = [
    include_str!("../src/sqlite/migrations/001_orders.sql"),
    include_str!("../src/sqlite/migrations/002_occurred_at.sql"),
    include_str!("../src/sqlite/migrations/003_jobs.sql"),
    include_str!("../src/sqlite/migrations/004_credentials.sql"),
    include_str!("../src/sqlite/migrations/005_lists.sql"),
    include_str!("../src/sqlite/migrations/006_storefront.sql"),
    include_str!("../src/sqlite/migrations/007_sequences.sql"),
    include_str!("../src/sqlite/migrations/008_webhooks.sql"),
    include_str!("../src/sqlite/migrations/009_sources.sql"),
];

/// As that version wrote it: an order that was bought and paid, with `order.paid` on its way.
const ROWS: &str = r#"
INSERT INTO meta (name, value) VALUES ('identity', 'abcdefgh'), ('generation', '3');
INSERT INTO projects (project_id, name, settings, created_at) VALUES
    (7, 'Test', '{"complete_on_paid":false,"complete_on_ack":true,"virtual_price_integers":false,"order_lifetime_seconds":86400}', 1),
    (8, 'Other', '{"complete_on_paid":false,"complete_on_ack":true,"virtual_price_integers":false,"order_lifetime_seconds":86400}', 1);
INSERT INTO channels (channel_key, project_id, user_id, top) VALUES (1, 7, 'alice', 2);
INSERT INTO orders (order_key, project_id, order_id, channel_key, mode, status, version, content, facets, created_at, updated_at, expires_at)
    VALUES (1, 7, 1000001, 1, 'default', 'paid', 2,
    '{"price":{"minor":199,"currency":"USD"},"items":[{"sku":"sword","quantity":1,"price":{"minor":199,"currency":"USD"}}]}',
    '{"attempts":[{"id":"pay_1","state":"paid","captured":199}],"settled":true,"settled_by":"pay_1","fulfilment":"none","completed":false,"life":"open"}',
    1, 2, 99999999999999);
INSERT INTO events (event_id, project_id, order_key, version, type, previous_status, at, acknowledged_at) VALUES
    (1, 7, 1, 1, 'order.created', NULL, 1, 5), (2, 7, 1, 2, 'order.paid', 'new', 2, NULL);
INSERT INTO order_versions (order_key, version, status, actor, reason, at, "offset", event_id) VALUES
    (1, 1, 'new', 'api_key:1', 'created by the shop', 1, 1, 1), (1, 2, 'paid', 'provider:src', 'paid', 2, 2, 2);
INSERT INTO endpoints (endpoint_id, project_id, settings, created_at) VALUES
    (1, 7, '{"url":"https://chat.example/","mode":"standard","event_types":["order.created"],"schedule":[300,300,900,900,900,900,900,900,900,3600,3600,3600,3600,3600,3600,3600,3600,3600,3600],"concurrency":4}', 1),
    (2, 7, '{"url":"https://chat.example/","mode":"standard","schedule":[7],"concurrency":4}', 1),
    (3, 7, '{"url":"https://shop.example/","mode":"reference_combined","schedule":[300,300,900,900,900,900,900,900,900,3600,3600,3600,3600,3600,3600,3600,3600,3600,3600],"concurrency":4}', 1),
    (4, 8, '{"url":"https://other.example/","mode":"standard","schedule":[7],"concurrency":4}', 1);
INSERT INTO deliveries (delivery_id, endpoint_id, event_id, part, notification, order_key, state, next_at) VALUES
    (1, 3, 2, 0, 'order_paid', 1, 'pending', 2), (2, 2, 2, 0, 'event', 1, 'pending', 2);
INSERT INTO idempotency (project_id, route, key, body_hash, status, body, created_at) VALUES
    (7, 'POST /v1/projects/7/orders', 'a', x'00', 201, '{}', 1), (7, 'POST /v1/projects/7/orders', 'b', x'00', 404, '{}', 1);
PRAGMA user_version = 9;
PRAGMA application_id = __APPLICATION__;
"#;

fn write(path: &Path) {
    let connection = Connection::open(path).expect("a file");
    for sql in BEFORE {
        connection.execute_batch(sql).expect("a migration");
    }
    // The number of our files, from one that we have made.
    let own = path.with_extension("own");
    drop(open(&own));
    let application: i64 = Connection::open(&own)
        .and_then(|own| own.pragma_query_value(None, "application_id", |row| row.get(0)))
        .expect("a number");
    let rows = ROWS.replace("__APPLICATION__", &application.to_string());
    connection.execute_batch(&rows).expect("rows");
}

fn open(path: &Path) -> Store {
    Store::open(path, AT, 42, |_| {}).expect("open")
}

fn project(id: i64) -> ProjectId {
    ProjectId::new(id).expect("id")
}

async fn endpoints(store: &Store) -> Vec<Endpoint> {
    store.endpoints(None).await.expect("read")
}

async fn message_id(store: &Store, endpoint: i64, told: Notification) -> String {
    let endpoint = EndpointId::new(endpoint).expect("id");
    let (due, _) = store.due(endpoint, AT, 10).await.expect("read");
    let due = due.first().expect("one is due");
    assert_eq!(due.notification, told);
    due.event.message_id(told)
}

#[tokio::test]
async fn endpoints_of_before_complete_and_retry_as_their_shops_expect() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("store.db");
    write(&path);
    let store = open(&path);
    let found = endpoints(&store).await;
    let completes: Vec<_> = found.iter().map(|one| one.settings.completes).collect();
    // The one in a reference mode; where there is none, the first that is told of sales.
    assert_eq!(completes, [false, false, true, true]);
    let schedules: Vec<_> = found.iter().map(|one| &one.settings.schedule).collect();
    let own = Schedule::new(vec![7]).expect("schedule");
    assert_eq!(
        schedules,
        [&Schedule::standard(), &own, &Schedule::reference(), &own]
    );
    assert!(found.iter().all(|one| one.headers.is_some()));
}

/// A shop that dedups by it would grant twice.
#[tokio::test]
async fn a_webhook_id_stays_over_an_update_and_a_restore() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("store.db");
    write(&path);
    let ids = async |store: &Store| {
        let reference = message_id(store, 3, Notification::OrderPaid).await;
        let standard = message_id(store, 2, Notification::Event).await;
        (reference, standard)
    };
    let expected = (
        "evt_abcdefgh3_2_order_paid".to_owned(),
        "evt_abcdefgh3_2".to_owned(),
    );
    let copy = folder.path().join("copy.db");
    {
        let old = Connection::open(&path).expect("a file");
        old.execute("VACUUM INTO ?1", [copy.to_str().expect("text")])
            .expect("a copy");
    }
    let store = open(&path);
    assert_eq!(ids(&store).await, expected);
    let saved = folder.path().join("saved.db");
    backup(&path, &saved, AT, &mut |_| {}).expect("a backup");
    drop(store);
    for backup in [&saved, &copy] {
        restore(backup, &path, true, AT, 43).expect("restored");
        let store = open(&path);
        assert_ne!(store.epoch().as_str(), "abcdefgh3");
        assert_eq!(ids(&store).await, expected);
    }
}

#[tokio::test]
async fn what_clients_and_the_feed_had_not_taken_is_still_there() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("store.db");
    write(&path);
    let store = open(&path);
    let wanted = ClientEventFilter {
        after: 0,
        types: Vec::new(),
        limit: 100,
    };
    let alice = UserId::new("alice").expect("id");
    let mine = store
        .client_events(project(7), alice, None, wanted)
        .await
        .expect("read");
    let mine: Vec<_> = mine.iter().map(|event| event.facts.id).collect();
    assert_eq!(mine, [2]);
    let open = store
        .events(project(7), Feed::Unacknowledged, 0, 10)
        .await
        .expect("read");
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].facts.details, None, "nothing is made up");
    let kept: Vec<String> = Connection::open(&path)
        .expect("a file")
        .prepare("SELECT key FROM idempotency")
        .expect("a statement")
        .query_map([], |row| row.get(0))
        .expect("rows")
        .collect::<Result<_, _>>()
        .expect("text");
    assert_eq!(kept, ["a"], "a refusal is decided again");
}
