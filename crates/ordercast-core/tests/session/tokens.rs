//! The token of a connect command, and its refresh: what SDKs renew that cannot change connect data.

use crate::support::{Driver, Log, SECOND, connect_with, time};
use centrifuge_protocol::{Command, ConnectRequest, DisconnectCode, RefreshRequest};
use ordercast_core::{channel::Position, session::AuthenticationFailed};

fn connect(data: &str, token: &str) -> ConnectRequest {
    ConnectRequest {
        data: data.to_owned().into(),
        token: token.to_owned(),
        ..Default::default()
    }
}

fn refresh(token: &str) -> Command {
    Command {
        id: 7,
        refresh: Some(RefreshRequest {
            token: token.to_owned(),
        }),
        ..Default::default()
    }
}

#[test]
fn a_token_stands_for_auth_unless_it_is_empty() {
    for (data, token, expected) in [
        (r#"{"auth":"old","project_id":1}"#, "new", Some("new")),
        (r#"{"auth":"old","project_id":1}"#, "", Some("old")),
        (r#"{"auth":"","project_id":1}"#, "new", Some("new")),
        (r#"{"auth":7,"project_id":1}"#, "new", Some("new")),
        (r#"{"project_id":1}"#, "new", Some("new")),
        (r#"{"project_id":1}"#, "", None),
        (r#"{}"#, "new", None),
        ("", "new", None),
    ] {
        let mut driver = Driver::new();
        driver.command(Command {
            id: 1,
            connect: Some(connect(data, token)),
            ..Default::default()
        });
        let credential = driver
            .asked_to_authenticate
            .then_some(driver.credential.as_str());
        assert_eq!(credential, expected, "{data} {token}");
    }
}

/// A session whose token ends in a minute.
fn live(log: &Log) -> Driver {
    let mut driver = Driver::new();
    driver.command(connect_with(r#"{"auth":"old","project_id":1}"#, None));
    driver.grant(Some(time().plus(60 * SECOND)));
    driver.answer(log);
    driver
}

#[test]
fn a_refreshed_token_moves_the_end_of_the_session() {
    let log = Log::new(1);
    let mut driver = live(&log);
    driver.command(refresh("new"));
    assert_eq!(driver.credential, "new");
    driver.grant(Some(time().plus(120 * SECOND)));
    let reply = driver.last();
    let refreshed = reply.refresh.as_ref().expect("a reply");
    assert_eq!((reply.id, refreshed.expires, refreshed.ttl), (7, false, 0));
    driver.pass(100 * SECOND, true);
    assert!(driver.closed.is_none());
    driver.pass(121 * SECOND, true);
    driver.check_closed(
        DisconnectCode::ConnectionExpired,
        "token expired: reconnect with a new one",
    );
}

#[test]
fn a_refused_refresh_leaves_the_session_as_it_is() {
    let log = Log::new(1);
    let mut driver = live(&log);
    driver.command(refresh("bad"));
    driver.refuse(AuthenticationFailed::Rejected);
    let error = driver.last().error.clone().expect("an error");
    assert_eq!((driver.last().id, error.code), (7, 109));
    driver.pass(50 * SECOND, true);
    assert!(driver.closed.is_none());
    driver.pass(61 * SECOND, true);
    let (code, _) = driver.closed.clone().expect("closed");
    assert_eq!(code, DisconnectCode::ConnectionExpired);
}

#[test]
fn what_comes_behind_a_refresh_is_answered_behind_it() {
    let log = Log::new(1);
    let mut driver = live(&log);
    driver.command(refresh("new"));
    let ping = Command {
        id: 8,
        ping: Some(Default::default()),
        ..Default::default()
    };
    let before = driver.sent.len();
    driver.command(ping);
    assert_eq!(driver.sent.len(), before);
    driver.grant(None);
    let ids: Vec<_> = driver.sent[before..].iter().map(|reply| reply.id).collect();
    assert_eq!(ids, [7, 8]);
    driver.command(refresh(""));
    driver.check_closed(
        DisconnectCode::BadRequest,
        "bad request: refresh without token",
    );
}

#[test]
fn a_position_that_the_transport_knows_is_recovered_as_ordinary_pushes() {
    let log = Log::new(5);
    for (epoch, offset, expected, recovered) in [
        ("abcd", 3, &[4, 5][..], true),
        ("abcd", 5, &[], true),
        ("abcd", 9, &[], false),
        ("other", 3, &[], false),
    ] {
        let mut driver = Driver::new();
        let position = Position {
            epoch: epoch.to_owned(),
            offset,
        };
        // The address of an event source cannot change: what it once said of its position is old.
        let mut request = connect(r#"{"auth":"t","project_id":1}"#, "");
        let old = crate::support::connect(Some(("abcd", 1)));
        request.subs = old.connect.expect("connect").subs;
        driver.act(|session, now, out| {
            session.on_one_way_connect(now, &request, Some(position.clone()), out);
        });
        driver.grant(None);
        driver.answer(&log);
        assert_eq!(driver.sub().recovered, recovered, "{epoch} {offset}");
        assert!(driver.sub().was_recovering && driver.sub().publications.is_empty());
        assert_eq!(driver.delivered(), expected, "{epoch} {offset}");
    }
}
