//! A process that is killed while it delivers: each event comes at least once or is a dead letter, with
//! the same id, in order per order.

use crate::{
    backend::{Backend, Manner},
    random, seed,
    server::Server,
    shop::Shop,
};
use axum::http::StatusCode;
use rusqlite::Connection;
use serde_json::json;
use std::{
    collections::{HashMap, HashSet},
    path::Path,
    time::Duration,
};

const KILLS: u64 = 100;
const LIFE_MILLIS_MAX: u64 = 120;

const ACCEPTS: Manner = |_, _| StatusCode::NO_CONTENT;
/// Never takes one of ten, and one of ten not at once.
const FAILS: Manner = |event, before| match event % 10 {
    0 => StatusCode::INTERNAL_SERVER_ERROR,
    1 if before == 0 => StatusCode::INTERNAL_SERVER_ERROR,
    _ => StatusCode::NO_CONTENT,
};

/// A row of the deliveries.
#[derive(Debug)]
struct Delivery {
    endpoint: i64,
    event: i64,
    notification: String,
    order: i64,
    state: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn each_event_is_delivered_or_dead_though_the_process_is_killed_again_and_again() {
    let seed = seed();
    let context = format!("ORDERCAST_SEED={seed}");
    let folder = tempfile::tempdir().expect("folder");
    let mut server = Server::start(folder.path());
    let mut shop = Shop::open(&server).await;
    let mut backends = HashMap::new();
    for (mode, manner) in [
        ("standard", ACCEPTS),
        ("standard", FAILS),
        ("reference_separate", ACCEPTS),
    ] {
        let backend = Backend::start(manner).await;
        let settings =
            json!({ "url": backend.url, "mode": mode, "schedule": [1], "concurrency": 16 });
        backends.insert(shop.create_endpoint(settings).await, backend);
    }
    for round in 0..KILLS {
        let life = Duration::from_millis(random(seed, round) % LIFE_MILLIS_MAX);
        shop.publish_until_killed(server, life).await;
        server = Server::start(folder.path());
        shop.resume(&server, &context).await;
    }
    for endpoint in backends.keys() {
        shop.await_deliveries(*endpoint).await;
    }
    server.kill();

    let rows = deliveries(folder.path());
    every_event_has_its_deliveries(folder.path(), &rows);
    let words: HashSet<_> = rows
        .iter()
        .map(|row| (row.endpoint, row.notification.as_str()))
        .collect();
    // Two in words of our own, one of the reference's two.
    assert_eq!(words.len(), backends.len() + 1, "{context}: {words:?}");
    for (endpoint, backend) in &backends {
        let rows: Vec<_> = rows
            .iter()
            .filter(|row| row.endpoint == *endpoint)
            .collect();
        each_came_or_is_dead(backend, &rows, &context);
        in_order_per_order(backend, &rows, &context);
        println!(
            "{} deliveries, {} attempts",
            rows.len(),
            backend.came().len()
        );
    }
    assert!(shop.acknowledged() > 500, "the server hardly ran");
}

fn deliveries(folder: &Path) -> Vec<Delivery> {
    let connection = Connection::open(folder.join("ordercast.db")).expect("opens");
    let mut statement = connection
        .prepare(
            "SELECT endpoint_id, event_id, notification, order_key, state FROM deliveries \
             ORDER BY endpoint_id, event_id, part",
        )
        .expect("a query");
    let rows = statement.query_map([], |row| {
        Ok(Delivery {
            endpoint: row.get(0)?,
            event: row.get(1)?,
            notification: row.get(2)?,
            order: row.get(3)?,
            state: row.get(4)?,
        })
    });
    rows.and_then(Iterator::collect).expect("rows")
}

/// One for each event and endpoint; in the reference's words only of those that it has one for.
fn every_event_has_its_deliveries(folder: &Path, rows: &[Delivery]) {
    let connection = Connection::open(folder.join("ordercast.db")).expect("opens");
    let query = "SELECT event_id FROM events";
    let events: HashSet<i64> = connection
        .prepare(query)
        .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect())
        .expect("events");
    let query = "SELECT e.event_id FROM events e JOIN order_versions v \
                 ON v.order_key = e.order_key AND v.version = e.version WHERE v.status = 'paid'";
    let paid: HashSet<i64> = connection
        .prepare(query)
        .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect())
        .expect("events");
    let mut told: HashMap<i64, HashMap<&str, Vec<i64>>> = HashMap::new();
    for row in rows {
        let of_endpoint = told.entry(row.endpoint).or_default();
        of_endpoint
            .entry(&row.notification)
            .or_default()
            .push(row.event);
    }
    for (endpoint, of_endpoint) in told {
        for (notification, told) in of_endpoint {
            let wanted = if notification == "event" {
                &events
            } else {
                &paid
            };
            assert_eq!(
                told.len(),
                wanted.len(),
                "endpoint {endpoint}, {notification}"
            );
            assert_eq!(&told.into_iter().collect::<HashSet<_>>(), wanted);
        }
    }
}

fn each_came_or_is_dead(backend: &Backend, rows: &[&Delivery], context: &str) {
    let answers = backend.last_answers();
    assert_eq!(
        answers.len(),
        rows.len(),
        "{context}: came, and are in the store"
    );
    let epochs: HashSet<_> = backend
        .came()
        .iter()
        .map(|came| came.id.split('_').nth(1).map(ToOwned::to_owned))
        .collect();
    assert_eq!(epochs.len(), 1, "{context}: {epochs:?}");
    for row in rows {
        let answer = answers.get(&(row.event, row.notification.clone()));
        let Some((status, times)) = answer else {
            panic!("{context}: {row:?} never came");
        };
        let wanted = match row.state.as_str() {
            "delivered" => StatusCode::NO_CONTENT,
            "dead" => StatusCode::INTERNAL_SERVER_ERROR,
            _ => panic!("{context}: {row:?} waits still"),
        };
        assert_eq!(*status, wanted, "{context}: {row:?} came {times} times");
    }
}

/// What came again after a kill came before what follows it.
fn in_order_per_order(backend: &Backend, rows: &[&Delivery], context: &str) {
    let places: HashMap<(i64, &str), (i64, usize)> = rows
        .iter()
        .enumerate()
        .map(|(place, row)| ((row.event, row.notification.as_str()), (row.order, place)))
        .collect();
    let mut last = HashMap::new();
    for came in backend.came() {
        let (order, place) = places[&(came.event(), came.notification())];
        let before = last.insert(order, place).unwrap_or_default();
        assert!(
            before <= place,
            "{context}: {came:?} came after what follows it"
        );
    }
}
