//! Whatever happens to the connection and the store, the run of statuses has no hole, no double
//! and no undeclared loss.

use proptest::prelude::*;

use super::model::{Client, Server};

#[derive(Clone, Copy, Debug)]
enum Step {
    Publish,
    Connect,
    Receive,
    /// The server sends the history it has read.
    Answer,
    Drop,
    /// A push gets lost on the way.
    LosePush,
    /// A push comes twice.
    RepeatPush,
    /// The server forgets this many of its oldest publications.
    Trim(u64),
    /// The server comes back from nothing.
    LoseStore,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => Just(Step::Publish),
        4 => Just(Step::Connect),
        10 => Just(Step::Receive),
        4 => Just(Step::Answer),
        2 => Just(Step::Drop),
        1 => Just(Step::LosePush),
        1 => Just(Step::RepeatPush),
        1 => (1..6_u64).prop_map(Step::Trim),
        1 => Just(Step::LoseStore),
    ]
}

fn apply(step: Step, server: &mut Server, client: &mut Client) {
    match step {
        Step::Publish => server.publish(),
        Step::Connect => client.connect(server),
        Step::Receive => client.receive(server),
        Step::Answer => server.answer(),
        Step::Drop => client.disconnect(server),
        Step::LosePush => {
            if server
                .wire
                .front()
                .is_some_and(|reply| reply.push.is_some())
            {
                server.wire.pop_front();
            }
        }
        Step::RepeatPush => {
            if let Some(reply) = server.wire.front().filter(|reply| reply.push.is_some()) {
                let again = reply.clone();
                server.wire.push_front(again);
            }
        }
        Step::Trim(count) => server.trimmed = (server.trimmed + count).min(server.top),
        Step::LoseStore => {
            client.disconnect(server);
            server.lose_store();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn statuses_are_a_run_without_hole_or_double(steps in prop::collection::vec(step(), 0..200)) {
        let pushes_may_be_lost = steps.iter().any(|step| matches!(step, Step::LosePush));
        let (mut server, mut client) = (Server::default(), Client::new());
        for step in steps {
            apply(step, &mut server, &mut client);
        }
        client.connect(&mut server);
        client.receive_all(&mut server);
        client.connect(&mut server);
        client.receive_all(&mut server);
        if pushes_may_be_lost {
            // Only the one that follows shows that one was lost.
            server.publish();
            client.receive_all(&mut server);
        }
        prop_assert!(client.online);
        prop_assert_eq!(client.next.unwrap().1, server.top + 1);
    }
}
