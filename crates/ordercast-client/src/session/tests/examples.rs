//! The cases by name.

use centrifuge_protocol::{HistoryResult, Reply};
use ordercast_core::{OrderId, ProjectId, UserId};

use super::model::{connected, publication, push, session, sub};
use super::script::{fault, json, refusal, reply, seen_four, told};
use crate::config::TrackerConfig;
use crate::error::TrackError;
use crate::event::{Event, How};
use crate::session::{Action, Fault, Session};

#[test]
fn first_command_carries_the_credentials_and_nothing_to_recover() {
    let mut config = TrackerConfig::new("http://host", ProjectId::new(5).unwrap(), "t");
    config.user_external_id = Some(UserId::new("u-1").unwrap());
    let expected = format!(
        r#"{{"id":1,"connect":{{"data":{{"user_external_id":"u-1","auth":"t","project_id":5}},"name":"ordercast","version":"{}"}}}}"#,
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(json(&Session::new(&config).open()), expected);
}

#[test]
fn reconnect_asks_from_the_last_offset_shown() {
    let mut session = seen_four();
    session.open();
    let mut result = sub("a", 4);
    result.recovered = true;
    result.publications = vec![publication(5), publication(6)];
    let actions = reply(&mut session, connected(2, result));
    assert_eq!(
        told(&actions),
        [
            "connected Some(true)",
            "5 paid at 5 recovered",
            "6 paid at 6 recovered"
        ]
    );
    session.lost(None);
    let asked = json(&session.open());
    assert!(
        asked.contains(r#""subs":{"orders:5#u":{"recover":true,"epoch":"a","offset":6}}"#),
        "{asked}"
    );
}

#[test]
fn pings_are_answered_once_the_session_is_open() {
    let mut session = session();
    session.open();
    assert_eq!(reply(&mut session, Reply::default()), []);
    reply(&mut session, connected(1, sub("a", 0)));
    assert_eq!(told(&reply(&mut session, Reply::default())), ["{}"]);
}

#[test]
fn unrecovered_with_the_same_epoch_is_read_from_the_history_without_a_gap() {
    let mut session = seen_four();
    session.open();
    let actions = reply(&mut session, connected(2, sub("a", 6)));
    let asked = r##"{"id":3,"history":{"channel":"orders:5#u","limit":-1,"since":{"offset":4}}}"##;
    assert_eq!(told(&actions), ["connected Some(false)", asked]);
    assert!(session.awaits_reply());
    // Comes before the history, is shown after it, once.
    assert_eq!(reply(&mut session, push(publication(7))), []);
    let history = HistoryResult {
        publications: vec![publication(5), publication(6), publication(7)],
        epoch: "a".to_owned(),
        offset: 7,
    };
    let actions = reply(
        &mut session,
        Reply {
            id: 3,
            history: Some(history),
            ..Reply::default()
        },
    );
    assert_eq!(
        told(&actions),
        [
            "5 paid at 5 history",
            "6 paid at 6 history",
            "7 paid at 7 history"
        ]
    );
    assert!(!session.awaits_reply());
}

#[test]
fn what_the_history_has_lost_is_a_gap_with_bounds() {
    let mut session = seen_four();
    session.open();
    reply(&mut session, connected(2, sub("a", 9)));
    let publications = vec![publication(8), publication(9)];
    let history = HistoryResult {
        publications,
        epoch: "a".to_owned(),
        offset: 9,
    };
    let actions = reply(
        &mut session,
        Reply {
            id: 3,
            history: Some(history),
            ..Reply::default()
        },
    );
    assert_eq!(
        told(&actions),
        [
            "gap 5..=7",
            "8 paid at 8 history",
            "9 paid at 9 history",
            "snapshot"
        ]
    );
}

#[test]
fn new_epoch_is_a_gap_of_unknown_size_and_is_read_from_its_beginning() {
    let mut session = seen_four();
    session.open();
    let actions = reply(&mut session, connected(2, sub("b", 1)));
    let asked = r##"{"id":3,"history":{"channel":"orders:5#u","limit":-1,"since":{}}}"##;
    assert_eq!(told(&actions), ["connected Some(false)", "gap", asked]);
    // Interrupted here, it is not declared a second time.
    session.lost(None);
    let asked = json(&session.open());
    assert!(asked.contains(r#"{"recover":true,"epoch":"b"}"#), "{asked}");
}

#[test]
fn refused_history_is_a_gap_and_tracking_goes_on() {
    let mut session = seen_four();
    session.open();
    reply(&mut session, connected(2, sub("a", 6)));
    reply(&mut session, push(publication(7)));
    let actions = reply(&mut session, refusal(3, 108, false));
    assert_eq!(
        told(&actions),
        ["gap 5..=6", "7 paid at 7 pushed", "snapshot"]
    );
}

#[test]
fn push_after_a_hole_reads_the_history_first() {
    let mut session = session();
    session.open();
    reply(&mut session, connected(1, sub("a", 4)));
    let actions = reply(&mut session, push(publication(6)));
    let asked = r##"{"id":2,"history":{"channel":"orders:5#u","limit":-1,"since":{"offset":4}}}"##;
    assert_eq!(told(&actions), [asked]);
    let history = HistoryResult {
        publications: vec![publication(5)],
        epoch: "a".to_owned(),
        offset: 5,
    };
    let actions = reply(
        &mut session,
        Reply {
            id: 2,
            history: Some(history),
            ..Reply::default()
        },
    );
    assert_eq!(
        told(&actions),
        ["5 paid at 5 history", "6 paid at 6 pushed"]
    );
}

#[test]
fn second_hole_among_held_pushes_is_read_too() {
    let mut session = session();
    session.open();
    reply(&mut session, connected(1, sub("a", 4)));
    reply(&mut session, push(publication(6)));
    reply(&mut session, push(publication(8)));
    let history = |id, offset| {
        let (publications, epoch) = (vec![publication(offset)], "a".to_owned());
        let result = HistoryResult {
            publications,
            epoch,
            offset,
        };
        Reply {
            id,
            history: Some(result),
            ..Reply::default()
        }
    };
    let asked = r##"{"id":3,"history":{"channel":"orders:5#u","limit":-1,"since":{"offset":6}}}"##;
    let actions = reply(&mut session, history(2, 5));
    assert_eq!(
        told(&actions),
        ["5 paid at 5 history", "6 paid at 6 pushed", asked]
    );
    let actions = reply(&mut session, history(3, 7));
    assert_eq!(
        told(&actions),
        ["7 paid at 7 history", "8 paid at 8 pushed"]
    );
}

#[test]
fn unreadable_publication_is_a_gap_of_one() {
    let mut session = session();
    session.open();
    reply(&mut session, connected(1, sub("a", 0)));
    for (offset, data) in [
        (1, r#"{"order_id":1,"status":"lost"}"#),
        (2, r#"{"order_id":"1"}"#),
    ] {
        let mut publication = publication(offset);
        publication.data = data.into();
        let gap = format!("gap {offset}..={offset}");
        assert_eq!(
            told(&reply(&mut session, push(publication))),
            [&gap, "snapshot"]
        );
    }
    let mut surplus = publication(3);
    surplus.data = r#"{"order_id":1,"status":"done","version":9}"#.into();
    let actions = reply(&mut session, push(surplus));
    assert!(matches!(
        actions[..],
        [Action::Emit(Event::Status { order_id, how: How::Pushed, .. })]
            if order_id == OrderId::new(1).unwrap()
    ));
}

#[test]
fn invalidated_state_is_not_recovered_from() {
    let mut session = seen_four();
    session.lost(Some(3014));
    let asked = json(&session.open());
    assert!(asked.contains(r#""epoch":"_""#), "{asked}");
}

#[test]
fn connect_errors_end_or_are_waited_out_as_in_the_sdks() {
    let end = |code| {
        let mut session = session();
        session.open();
        fault(&mut session, refusal(1, code, false))
    };
    let message = || "words".to_owned();
    for code in [101, 109, 110] {
        let error = TrackError::Unauthorized {
            code,
            message: message(),
        };
        assert_eq!(end(code), Fault::End(error));
    }
    let error = TrackError::Refused {
        code: 107,
        message: message(),
    };
    assert_eq!(end(107), Fault::End(error));
    assert!(matches!(end(99), Fault::Reconnect(_)));
    let mut session = session();
    session.open();
    assert!(matches!(
        fault(&mut session, refusal(1, 100, true)),
        Fault::Reconnect(_)
    ));
}

#[test]
fn servers_of_another_kind_are_named() {
    let mut without_history = sub("a", 0);
    without_history.recoverable = false;
    for reply in [
        connected(1, without_history),
        connected(1, sub("", 0)),
        connected(1, sub("a", 1 << 31)),
        Reply {
            id: 1,
            ..Reply::default()
        },
    ] {
        let mut session = session();
        session.open();
        assert!(matches!(
            fault(&mut session, reply),
            Fault::End(TrackError::Protocol(_))
        ));
    }
}
