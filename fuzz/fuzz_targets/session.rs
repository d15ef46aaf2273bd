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
use support::{Driver, Log};

fn step(driver: &mut Driver, log: &mut Log, kind: u8, argument: &[u8]) {
    match kind % 10 {
        0 | 1 => match decode_commands(Encoding::Json, argument, 16) {
            Ok(commands) => {
                driver.act(|session, now, out| session.on_commands(now, commands, out));
            }
            Err(error) => {
                driver.act(|session, _, out| session.on_bad_frame(error.close_reason(), out));
            }
        },
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
    let (mut driver, mut log) = (Driver::new(), Log::new(3));
    let mut rest = bytes;
    while let [kind, length, more @ ..] = rest
        && driver.closed.is_none()
    {
        let (argument, after) = more.split_at(more.len().min(usize::from(*length)));
        step(&mut driver, &mut log, *kind, argument);
        rest = after;
    }
    let delivered = driver.delivered();
    assert!(
        delivered.windows(2).all(|two| two[1] == two[0] + 1),
        "{delivered:?}"
    );
});
