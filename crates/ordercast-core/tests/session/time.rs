//! Pings, lifetimes and the ends of tokens.

use crate::support::{Driver, Log, SECOND, connect, time};
use centrifuge_protocol::{Command, DisconnectCode, Reply};
use std::time::Duration;

#[test]
fn without_connect_it_ends_after_ten_seconds() {
    let mut driver = Driver::new();
    driver.pass(SECOND * 9, false);
    assert!(driver.closed.is_none());
    driver.pass(SECOND * 10, false);
    driver.check_closed(DisconnectCode::ConnectionClosed, "no connect within 10 s");
}

#[test]
fn the_first_ping_comes_in_the_second_half_of_the_interval() {
    for seed in [0, 1, 0x7FFF_FFFF, 0xFFFF_FFFF, u64::MAX] {
        let mut driver = Driver::seeded(seed);
        driver.command(connect(None));
        driver.grant(None);
        driver.answer(&Log::new(0));
        let first = driver.session.next_deadline();
        assert!(
            (SECOND * 25 / 2..=SECOND * 25).contains(&first),
            "{first:?}"
        );
    }
}

#[test]
fn a_client_that_answers_lives_its_five_minutes() {
    for seed in [0, u64::MAX, 0x1234_5678_9ABC_DEF0] {
        let mut driver = Driver::seeded(seed);
        driver.command(connect(None));
        driver.grant(None);
        driver.answer(&Log::new(0));
        driver.pass(SECOND * 270 - Duration::from_millis(1), true);
        assert!(driver.closed.is_none());
        let pings = driver
            .sent
            .iter()
            .filter(|reply| **reply == Reply::default())
            .count();
        assert!((10..=11).contains(&pings), "{pings}");
        driver.pass(SECOND * 300, true);
        driver.check_closed(
            DisconnectCode::ConnectionExpired,
            "connection expired: reconnect",
        );
    }
}

#[test]
fn a_client_that_does_not_answer_ends_ten_seconds_after_the_ping() {
    let mut driver = Driver::connected(&Log::new(0));
    let ping = driver.session.next_deadline();
    driver.pass(ping + SECOND * 9, false);
    assert!(driver.closed.is_none());
    driver.pass(ping + SECOND * 10, false);
    driver.check_closed(DisconnectCode::NoPong, "no pong");
}

#[test]
fn surplus_pongs_of_raw_clients_are_fine() {
    let mut driver = Driver::connected(&Log::new(0));
    for minute in 0..4 {
        for _ in 0..5 {
            driver.command(Command::default());
        }
        driver.pass(SECOND * 60 * minute, true);
    }
    assert!(driver.closed.is_none());
}

#[test]
fn a_token_that_ends_ends_the_connection() {
    let mut driver = Driver::new();
    driver.command(connect(None));
    driver.grant(Some(time().plus(SECOND * 60)));
    driver.answer(&Log::new(0));
    driver.pass(SECOND * 59, true);
    assert!(driver.closed.is_none());
    driver.pass(SECOND * 90, true);
    driver.check_closed(
        DisconnectCode::ConnectionExpired,
        "token expired: reconnect with a new one",
    );
}

#[test]
fn a_drain_says_reconnect() {
    let mut driver = Driver::connected(&Log::new(0));
    driver.act(|session, _, out| session.on_shutdown(out));
    driver.check_closed(DisconnectCode::Shutdown, "shutdown: reconnect");
}
