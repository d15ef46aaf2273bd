//! A session driven by bytes: frames of a client, and what hub, store and clock may do in between.
//! Nothing is sent after a close, and what the client reads is a run of the log.
#![no_main]

#[allow(dead_code)]
#[path = "../../crates/ordercast-core/tests/session/support.rs"]
mod support;

use centrifuge_protocol::{Encoding, decode_commands};
use libfuzzer_sys::fuzz_target;
use ordercast_core::session::AuthenticationFailed;
use std::time::Duration;
use support::{Driver, Log, connect};

fn frame(driver: &mut Driver, encoding: Encoding, bytes: &[u8]) {
    match decode_commands(encoding, bytes, 16) {
        Ok(commands) => driver.act(|session, now, out| session.on_commands(now, commands, out)),
        Err(error) => driver.act(|session, _, out| session.on_bad_frame(error.close_reason(), out)),
    }
}

fn step(driver: &mut Driver, log: &mut Log, kind: u8, argument: &[u8]) {
    match kind % 10 {
        0 => frame(driver, Encoding::Json, argument),
        1 => frame(driver, Encoding::Protobuf, argument),
        2 if driver.asked_to_authenticate => {
            driver.asked_to_authenticate = false;
            driver.grant(None);
        }
        3 if driver.asked_to_authenticate => {
            driver.asked_to_authenticate = false;
            driver.refuse(AuthenticationFailed::Rejected);
        }
        4 if !driver.reads.is_empty() => driver.answer(log),
        5 | 6 => {
            let publication = log.commit();
            driver.publish(log, &publication);
        }
        7 => {
            let pause = Duration::from_millis(u64::from(argument.first().copied().unwrap_or(0)) * 100);
            let until = driver.now + pause;
            driver.pass(until, argument.len() % 2 == 0);
        }
        8 => driver.act(|session, now, out| {
            session.on_control(now, out);
        }),
        9 => driver.act(|session, _, out| session.on_slow(out)),
        _ => {}
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&start, mut rest)) = bytes.split_first() else {
        return;
    };
    let mut log = Log::new(3);
    // What a client must do first is not left to luck.
    let mut driver = match start % 3 {
        0 => Driver::new(),
        1 => Driver::connected(&log),
        _ => {
            let mut driver = Driver::new();
            driver.command(connect(Some(("abcd", u64::from(start / 3)))));
            driver
        }
    };
    while let [kind, length, more @ ..] = rest
        && driver.closed.is_none()
    {
        let (argument, after) = more.split_at(more.len().min(usize::from(*length)));
        step(&mut driver, &mut log, *kind, argument);
        rest = after;
    }
    // Asserts that they are a run.
    driver.delivered();
    if let Some((_, reason)) = &driver.closed {
        assert!(reason.len() <= 123 && reason.starts_with(|first: char| first.is_ascii_alphabetic()));
    }
});
