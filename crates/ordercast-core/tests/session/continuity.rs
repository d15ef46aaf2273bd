//! No gap, no double, no inversion: examples, and any interleaving of commits, connects and drops.

use crate::support::{Driver, Log, connect};
use centrifuge_protocol::DisconnectCode;
use ordercast_core::{
    OrderId,
    channel::{Epoch, LATE_JOIN_MAX},
    order::TrackingStatus,
    session::BUFFERED_MAX,
};
use proptest::prelude::*;

/// Payloads of the pushes, with their offsets.
fn pushed(driver: &Driver) -> Vec<(u64, String)> {
    let pushes = driver.sent.iter().filter_map(|reply| reply.push.as_ref());
    let publications = pushes.map(|push| push.publication.as_ref().expect("a publication"));
    publications
        .map(|p| (p.offset, String::from_utf8_lossy(&p.data).into_owned()))
        .collect()
}

#[test]
fn a_payment_token_hears_of_its_own_order_however_much_came_after_it() {
    let check = |length: u32, order: i64, is_told_first: bool| {
        let mut driver = Driver::new();
        driver.command(connect(None));
        let own = OrderId::new(order).expect("id");
        driver.grant_of(Some((own, TrackingStatus::Done)), None);
        driver.answer(&Log::new(length));
        let mut pushes = pushed(&driver);
        if is_told_first {
            let told = format!(r#"{{"order_id":{order},"status":"done"}}"#);
            assert_eq!(pushes.remove(0), (0, told), "{length} {order}");
        }
        let base = u64::from(length).saturating_sub(LATE_JOIN_MAX as u64);
        let offsets: Vec<_> = pushes.iter().map(|(offset, _)| *offset).collect();
        assert_eq!(offsets, (base + 1..=u64::from(length)).collect::<Vec<_>>());
        assert_eq!(driver.sub().offset, base);
    };
    // Each publication of the log is of an order of its own.
    check(64, 1, false);
    check(65, 2, false);
    check(65, 1, true);
    check(500, 7, true);
}

#[test]
fn a_first_connect_is_followed_by_what_happened_lately() {
    let log = Log::new(3);
    let driver = Driver::connected(&log);
    assert_eq!(driver.sub().offset, 0);
    assert_eq!(driver.delivered(), [1, 2, 3]);

    let many = Log::new(100);
    let driver = Driver::connected(&many);
    let base = 100 - LATE_JOIN_MAX as u64;
    assert_eq!(driver.sub().offset, base);
    assert_eq!(driver.delivered(), (base + 1..=100).collect::<Vec<_>>());
}

fn recover(log: &Log, epoch: &str, offset: u64) -> Driver {
    let mut driver = Driver::new();
    driver.command(connect(Some((epoch, offset))));
    driver.grant(None);
    driver.answer(log);
    driver
}

#[test]
fn a_recovery_is_exact_or_refused() {
    let log = Log::new(5);
    let recovered = recover(&log, "abcd", 3);
    let sub = recovered.sub();
    assert_eq!(
        (sub.recovered, sub.was_recovering, sub.offset),
        (true, true, 3)
    );
    assert_eq!(recovered.delivered(), [4, 5]);
    for (epoch, offset) in [("other", 3), ("", 3), ("abcd", 6), ("abcd", u64::MAX)] {
        let refused = recover(&log, epoch, offset);
        let sub = refused.sub();
        assert_eq!(
            (sub.recovered, sub.was_recovering, sub.offset),
            (false, true, 5)
        );
        assert_eq!(refused.delivered(), [0; 0]);
    }
}

#[test]
fn a_commit_during_the_connect_comes_once() {
    let mut log = Log::new(2);
    for commits_before_the_read in 0..=3 {
        let mut driver = Driver::new();
        driver.command(connect(None));
        driver.grant(None);
        let base = log.publications.len() as u64;
        let mut at_read = None;
        for n in 0..3 {
            if n == commits_before_the_read {
                at_read = Some(log.clone());
            }
            let publication = log.commit();
            driver.publish(&log, &publication);
        }
        driver.answer(&at_read.unwrap_or_else(|| log.clone()));
        let delivered = driver.delivered();
        assert_eq!(delivered.len() as u64, base + 3);
        assert!(delivered.is_sorted_by(|a, b| a + 1 == *b), "{delivered:?}");
    }
}

#[test]
fn a_gap_or_another_epoch_sends_the_client_to_recover() {
    let mut log = Log::new(1);
    let mut driver = Driver::connected(&log);
    log.commit();
    let third = log.commit();
    driver.publish(&log, &third);
    driver.check_closed(
        DisconnectCode::InsufficientState,
        "insufficient state: a gap in the channel",
    );

    let mut driver = Driver::connected(&log);
    let next = log.commit();
    log.epoch = Epoch::new("other").expect("epoch");
    driver.publish(&log, &next);
    driver.check_closed(
        DisconnectCode::InsufficientState,
        "insufficient state: the epoch changed",
    );
}

/// Its offsets begin at 1: compared with the page's alone they look like what the page has already.
#[test]
fn a_new_epoch_during_a_connect_sends_the_client_to_recover() {
    let log = Log::new(5);
    let mut driver = Driver::new();
    driver.command(connect(None));
    driver.grant(None);
    let mut rolled = Log::new(0);
    rolled.epoch = Epoch::new("abcdr1").expect("epoch");
    let first = rolled.commit();
    driver.publish(&rolled, &first);
    driver.answer(&log);
    driver.check_closed(
        DisconnectCode::InsufficientState,
        "insufficient state: a gap while connecting",
    );
}

#[test]
fn too_much_during_a_connect_is_recovered_by_the_next() {
    let mut log = Log::new(0);
    let mut driver = Driver::new();
    driver.command(connect(None));
    driver.grant(None);
    for _ in 0..=BUFFERED_MAX {
        let publication = log.commit();
        driver.publish(&log, &publication);
    }
    assert_eq!(
        driver.closed.expect("closed").0,
        DisconnectCode::InsufficientState
    );
}

#[derive(Clone, Debug)]
enum Step {
    Commit,
    /// The next thing that a connect waits for happens, or a new connect begins.
    Advance,
    /// The network dies: of what was sent the client has read a part, in percent.
    Drop(usize),
    /// The hub repeats its last publication, as a broker may.
    Repeat,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Commit),
        4 => Just(Step::Advance),
        1 => (0..=100_usize).prop_map(Step::Drop),
        1 => Just(Step::Repeat),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// The headline (guarantees, I13): over all sessions of a client that keeps its position, the
    /// deliveries are one gapless run of the log without doubles.
    #[test]
    fn deliveries_over_all_sessions_are_one_run(steps in prop::collection::vec(step(), 1..120)) {
        let mut log = Log::new(0);
        let mut driver: Option<Driver> = None;
        let mut delivered: Vec<u64> = Vec::new();
        let position = |all: &[u64]| all.last().map(|offset| ("abcd", *offset));
        for step in steps {
            match step {
                Step::Commit => {
                    let publication = log.commit();
                    if let Some(driver) = &mut driver {
                        driver.publish(&log, &publication);
                    }
                }
                Step::Repeat => {
                    if let (Some(driver), Some(last)) = (&mut driver, log.publications.last()) {
                        driver.publish(&log, last);
                    }
                }
                Step::Advance => match &mut driver {
                    None => {
                        let mut fresh = Driver::new();
                        // A client without a position joins late; the window covers all here.
                        fresh.command(connect(position(&delivered).or(Some(("abcd", 0)))));
                        driver = Some(fresh);
                    }
                    Some(driver) if !driver.is_joined => driver.grant(None),
                    Some(driver) if !driver.reads.is_empty() => driver.answer(&log),
                    Some(_) => {}
                },
                Step::Drop(percent) => {
                    if let Some(mut dropped) = driver.take() {
                        prop_assert!(dropped.closed.is_none(), "{:?}", dropped.closed);
                        dropped.sent.truncate(dropped.sent.len() * percent / 100);
                        delivered.extend(dropped.delivered());
                    }
                }
            }
        }
        // The client comes back once more and must then know everything.
        if let Some(dropped) = driver.take() {
            delivered.extend(dropped.delivered());
        }
        let last = recover(&log, "abcd", delivered.last().copied().unwrap_or(0));
        prop_assert!(last.sub().recovered);
        delivered.extend(last.delivered());
        let expected: Vec<_> = (1..=log.publications.len() as u64).collect();
        prop_assert_eq!(delivered, expected);
    }
}
