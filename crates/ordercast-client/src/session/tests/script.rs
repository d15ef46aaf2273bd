//! Shorthand of the examples.

use centrifuge_protocol::{Command, Encoding, Error, Reply, encode_command};
use ordercast_core::channel::Offset;

use super::model::{connected, session, sub};
use crate::event::{Event, Missed};
use crate::session::{Action, Fault, Session};

pub(super) fn json(command: &Command) -> String {
    let mut frame = Vec::new();
    encode_command(Encoding::Json, command, &mut frame);
    String::from_utf8(frame).unwrap()
}

pub(super) fn reply(session: &mut Session, reply: Reply) -> Vec<Action> {
    let mut actions = Vec::new();
    session.on_reply(reply, &mut actions).unwrap();
    actions
}

pub(super) fn fault(session: &mut Session, reply: Reply) -> Fault {
    session.on_reply(reply, &mut Vec::new()).unwrap_err()
}

pub(super) fn refusal(id: i64, code: u32, temporary: bool) -> Reply {
    let error = Error {
        code,
        message: "words".to_owned(),
        temporary,
    };
    Reply {
        id,
        error: Some(error),
        ..Reply::default()
    }
}

/// A session that has shown offset 4 of epoch `a` and lost its connection.
pub(super) fn seen_four() -> Session {
    let mut session = session();
    session.open();
    reply(&mut session, connected(1, sub("a", 4)));
    session.lost(None);
    session
}

/// The events and commands, one a line, as a reader of the protocol would tell them.
pub(super) fn told(actions: &[Action]) -> Vec<String> {
    let mut lines = Vec::new();
    for action in actions {
        match action {
            Action::Emit(Event::Connected { recovered }) => {
                lines.push(format!("connected {recovered:?}"));
            }
            Action::Emit(Event::Status {
                order_id,
                status,
                offset,
                how,
            }) => {
                let offset = offset.map_or(0, Offset::get);
                lines.push(format!("{order_id} {status} at {offset} {}", how.as_str()));
            }
            Action::Emit(Event::Gap {
                missed: Missed::Offsets { first, last },
            }) => {
                lines.push(format!("gap {first}..={last}"));
            }
            Action::Emit(Event::Gap {
                missed: Missed::Unknown,
            }) => lines.push("gap".to_owned()),
            Action::Emit(event) => panic!("{event:?}"),
            Action::Send(command) => lines.push(json(command)),
            Action::Pinged(_) => {}
            Action::Snapshot => lines.push("snapshot".to_owned()),
        }
    }
    lines
}
