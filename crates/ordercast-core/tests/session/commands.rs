//! What commands get: connect in all its ways, history, and the refusal of everything else.

use crate::support::{Driver, Log, SECOND, channel, connect, connect_with};
use centrifuge_protocol::{
    Command, DisconnectCode, HistoryRequest, PingRequest, PublishRequest, RpcRequest, SendRequest,
    StreamPosition, SubscribeRequest,
};
use ordercast_core::session::AuthenticationFailed;

fn history(limit: i32, since: Option<(&str, u64)>, reverse: bool) -> Command {
    history_of(&channel().name(), limit, since, reverse)
}

fn history_of(name: &str, limit: i32, since: Option<(&str, u64)>, reverse: bool) -> Command {
    let since = since.map(|(epoch, offset)| StreamPosition {
        offset,
        epoch: epoch.to_owned(),
    });
    let request = HistoryRequest {
        channel: name.to_owned(),
        limit,
        since,
        reverse,
    };
    Command {
        id: 9,
        history: Some(request),
        ..Default::default()
    }
}

#[test]
fn a_connect_is_announced_as_sdks_need_it() {
    let driver = Driver::connected(&Log::new(0));
    let result = driver.connect_result();
    assert_eq!(result.client.len(), 36);
    assert!(result.version.starts_with("ordercast "));
    assert_eq!((result.ping, result.pong), (25, true));
    assert_eq!((result.expires, result.ttl), (false, 0));
    assert_eq!(result.subs.keys().collect::<Vec<_>>(), [&channel().name()]);
    let sub = driver.sub();
    assert_eq!(
        (sub.recoverable, sub.positioned, sub.epoch.as_str()),
        (true, true, "abcd")
    );
}

#[test]
fn data_is_read_leniently_and_refused_like_a_bad_token() {
    for good in [
        r#"{"auth":"t","project_id":1}"#,
        r#"{"auth":"t","project_id":"1"}"#,
        r#"{"project_id":1,"auth":"t","user_external_id":"alice","more":[1]}"#,
        r#"{"auth":"t","project_id":1,"user_external_id":null}"#,
        r#"{"auth":"t","project_id":1,"user_external_id":42}"#,
        "{\n\t\"auth\": \"t\",\n\t\"project_id\": 1\n}",
    ] {
        let mut driver = Driver::new();
        driver.command(connect_with(good, None));
        assert!(driver.asked_to_authenticate, "{good}");
    }
    for bad in [
        "",
        "[]",
        "null",
        "{}",
        r#"{"auth":"t"}"#,
        r#"{"project_id":1}"#,
        r#"{"auth":"","project_id":1}"#,
        r#"{"auth":1,"project_id":1}"#,
        r#"{"auth":"t","project_id":0}"#,
        r#"{"auth":"t","project_id":1.5}"#,
        r#"{"auth":"t","project_id":2147483648}"#,
    ] {
        let mut driver = Driver::new();
        driver.command(connect_with(bad, None));
        assert!(!driver.asked_to_authenticate, "{bad}");
        assert_eq!(
            driver.last().error.as_ref().expect("error").code,
            109,
            "{bad}"
        );
    }
}

#[test]
fn a_refused_credential_gets_its_reply_before_the_close() {
    let mut driver = Driver::new();
    driver.command(connect(None));
    driver.refuse(AuthenticationFailed::Rejected);
    let error = driver.last().error.as_ref().expect("error");
    assert_eq!((error.code, error.message.as_str()), (109, "token expired"));
    assert!(driver.closed.is_none());
    // Nothing more is processed.
    driver.command(connect(None));
    assert_eq!(driver.sent.len(), 1);
    driver.pass(SECOND, false);
    driver.check_closed(DisconnectCode::InvalidToken, "invalid token: get a new one");
}

#[test]
fn failures_of_ours_are_temporary() {
    for (why, error, code) in [
        (
            AuthenticationFailed::Unavailable,
            100,
            DisconnectCode::InternalServerError,
        ),
        (
            AuthenticationFailed::TooManyConnections,
            111,
            DisconnectCode::TooManyRequests,
        ),
    ] {
        let mut driver = Driver::new();
        driver.command(connect(None));
        driver.refuse(why);
        let reply = driver.last().error.as_ref().expect("error");
        assert_eq!((reply.code, reply.temporary), (error, true));
        assert_eq!(driver.closed.as_ref().expect("closed").0, code);
    }
}

#[test]
fn history_by_the_table() {
    let log = Log::new(5);
    let check = |command: Command, expected: &[u64]| {
        let mut driver = Driver::connected(&log);
        driver.command(command.clone());
        driver.answer(&log);
        let reply = driver.last();
        assert_eq!(reply.id, 9);
        let result = reply.history.as_ref().expect("history");
        let offsets: Vec<_> = result.publications.iter().map(|p| p.offset).collect();
        assert_eq!(offsets, expected, "{command:?}");
        assert_eq!(
            (result.offset, result.epoch.as_str()),
            (5, "abcd"),
            "{command:?}"
        );
    };
    check(history(0, None, false), &[]);
    check(history(-1, None, false), &[1, 2, 3, 4, 5]);
    check(history(-1, None, true), &[5, 4, 3, 2, 1]);
    check(history(2, None, false), &[1, 2]);
    check(history(2, None, true), &[5, 4]);
    check(history(0, Some(("", 2)), false), &[]);
    check(history(-1, Some(("", 0)), false), &[1, 2, 3, 4, 5]);
    check(history(-1, Some(("abcd", 2)), false), &[3, 4, 5]);
    check(history(1, Some(("", 2)), false), &[3]);
    check(history(-1, Some(("", 5)), false), &[]);
    check(history(-1, Some(("", 6)), false), &[]);
    check(history(-1, Some(("", u64::MAX)), false), &[]);
    check(history(-1, Some(("", 3)), true), &[2, 1]);
    check(history(1, Some(("", 3)), true), &[2]);
    check(history(-1, Some(("", 6)), true), &[5, 4, 3, 2, 1]);
    // Where there is no entry before the one asked for, there is nothing to begin at.
    check(history(-1, Some(("", 1)), true), &[]);
    check(history(-1, Some(("", 7)), true), &[]);
    check(history(-1, Some(("abcd", 2_147_483_647)), true), &[]);
    check(history(-1, Some(("", u64::MAX)), true), &[]);
}

#[test]
fn refusals_leave_the_session_up() {
    let name = channel().name();
    let publish = PublishRequest {
        channel: name.clone(),
        ..Default::default()
    };
    let subscribe = |channel: &str| {
        Some(SubscribeRequest {
            channel: channel.to_owned(),
            ..Default::default()
        })
    };
    let command = Command {
        id: 9,
        ..Default::default()
    };
    let table = [
        (history(-1, Some(("other", 1)), false), 112),
        (history(-1, Some(("", 0)), true), 107),
        (history_of("orders:1#bob", -1, None, false), 103),
        (
            Command {
                subscribe: subscribe("orders:1#bob"),
                ..command.clone()
            },
            103,
        ),
        (
            Command {
                subscribe: subscribe(&name),
                ..command.clone()
            },
            105,
        ),
        (
            Command {
                publish: Some(publish),
                ..command.clone()
            },
            103,
        ),
        (
            Command {
                rpc: Some(RpcRequest::default()),
                ..command.clone()
            },
            108,
        ),
        (
            Command {
                send: Some(SendRequest::default()),
                ..command.clone()
            },
            108,
        ),
    ];
    let mut driver = Driver::connected(&Log::new(1));
    for (command, code) in table {
        driver.command(command.clone());
        let error = driver
            .last()
            .error
            .as_ref()
            .unwrap_or_else(|| panic!("{command:?}"));
        assert_eq!((driver.last().id, error.code), (9, code), "{command:?}");
    }
    for long in [
        history_of(&"x".repeat(256), -1, None, false),
        Command {
            subscribe: subscribe(&"x".repeat(256)),
            ..command.clone()
        },
    ] {
        driver.command(long);
        let error = driver.last().error.as_ref().expect("error");
        assert_eq!((driver.last().id, error.code), (9, 107));
    }
    driver.command(Command {
        id: 10,
        ping: Some(PingRequest {}),
        ..Default::default()
    });
    assert!(driver.last().ping.is_some(), "a ping command is answered");
    assert!(driver.closed.is_none());
}

#[test]
fn broken_rules_close_with_their_reason() {
    let closed = |commands: Vec<Command>, connected: bool| {
        let mut driver = if connected {
            Driver::connected(&Log::new(0))
        } else {
            Driver::new()
        };
        for command in commands {
            driver.command(command);
        }
        let (code, reason) = driver.closed.expect("closed");
        assert_eq!(code, DisconnectCode::BadRequest);
        reason
    };
    assert_eq!(
        closed(vec![history(-1, None, false)], false),
        "bad request: command before connect"
    );
    assert_eq!(
        closed(vec![connect(None)], true),
        "bad request: second connect"
    );
    assert_eq!(
        closed(vec![history_of("", -1, None, false)], true),
        "bad request: history without channel"
    );
    assert_eq!(
        closed(
            vec![Command {
                id: 4,
                ..Default::default()
            }],
            true
        ),
        "bad request: a command with an id and no known body"
    );
    assert_eq!(
        closed(vec![connect_with_positions(17)], false),
        "bad request: more than 16 entries in connect.subs"
    );
}

/// The channel's own entry comes last of them: it must not be the one that is left out.
fn connect_with_positions(count: usize) -> Command {
    let mut command = connect(Some(("abcd", 1)));
    if let Some(connect) = &mut command.connect {
        for n in 1..count {
            let name = format!("a{n}");
            connect.subs.insert(name, SubscribeRequest::default());
        }
    }
    command
}

#[test]
fn as_many_positions_as_allowed_are_read() {
    let log = Log::new(3);
    let mut driver = Driver::new();
    driver.command(connect_with_positions(16));
    driver.grant(None);
    driver.answer(&log);
    assert!(driver.sub().recovered);
    assert_eq!(driver.delivered(), [2, 3]);
}

#[test]
fn ids_are_echoed_whatever_they_are() {
    for id in [1, i64::from(i32::MIN), i64::from(i32::MAX), -1] {
        let mut driver = Driver::new();
        driver.command(Command {
            id,
            ..connect(None)
        });
        driver.grant(None);
        driver.answer(&Log::new(0));
        assert_eq!(driver.sent[0].id, id);
    }
}

#[test]
fn commands_of_one_frame_wait_for_connect() {
    let log = Log::new(2);
    let mut driver = Driver::new();
    let frame = vec![connect(None), history(-1, None, false)];
    driver.act(|session, now, out| session.on_commands(now, frame, out));
    driver.grant(None);
    assert!(driver.sent.is_empty());
    driver.answer(&log);
    assert!(driver.sent[0].connect.is_some());
    driver.answer(&log);
    assert!(driver.last().history.is_some());
}

#[test]
fn control_frames_cost_as_much_as_commands() {
    let mut driver = Driver::connected(&Log::new(0));
    let answered = (0..60)
        .filter(|n| {
            let mut is_answered = false;
            driver.act(|session, now, out| is_answered = session.on_control(now, out));
            if *n == 0 {
                driver.command(Command::default());
            }
            is_answered
        })
        .count();
    // The burst, less the connect and the pong.
    assert_eq!(answered, 38);
    assert_eq!(
        driver.closed.expect("closed").0,
        DisconnectCode::TooManyRequests
    );
}

#[test]
fn a_flood_is_cut() {
    let mut driver = Driver::connected(&Log::new(0));
    for _ in 0..60 {
        driver.command(Command::default());
        if driver.closed.is_some() {
            break;
        }
    }
    assert_eq!(
        driver.closed.expect("closed").0,
        DisconnectCode::TooManyRequests
    );

    let mut driver = Driver::connected(&Log::new(0));
    for n in 0..60_u32 {
        driver.now = SECOND * n / 10;
        if driver.closed.is_none() {
            driver.command(history_of("foreign", -1, None, false));
        }
    }
    driver.check_closed(
        DisconnectCode::TooManyErrors,
        "too many errors in one session",
    );
}
