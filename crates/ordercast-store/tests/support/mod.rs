//! A store with projects and orders, for tests of what is outside of them.

// Each test file needs some of it.
#![allow(dead_code)]

use ordercast_core::{
    OrderId, ProjectId, Timestamp, UserId,
    channel::{Channel, ChannelPage, Offset, Position, Range},
    order::{Actor, Cause, Content, Mode, Request, Target},
};
use ordercast_store::{
    Change, Feed, NewOrder, NewProject, OpenError, Outcome, Settings, Store, Submission,
};
use std::path::Path;

pub const AT: Timestamp = Timestamp::from_millis(1_700_000_000_000);

pub fn project(id: i64) -> ProjectId {
    ProjectId::new(id).expect("id")
}

pub fn channel(user: &str) -> Channel {
    Channel {
        project: project(1),
        user: UserId::new(user).expect("id"),
    }
}

pub fn try_open(path: &Path) -> Result<Store, OpenError> {
    Store::open(path, AT, 7, |_| ())
}

pub fn open(path: &Path) -> Store {
    try_open(path).expect("opens")
}

/// With the projects 1 and 2.
pub async fn with_projects(path: &Path) -> Store {
    let store = open(path);
    for id in [1, 2] {
        let new = NewProject {
            id: Some(project(id)),
            name: "Test".to_owned(),
            settings: Settings::default(),
            credentials: Vec::new(),
            sources: Vec::new(),
            items: Vec::new(),
        };
        submit(&store, Change::CreateProject(Box::new(new))).await;
    }
    store
}

pub async fn submit(store: &Store, change: Change) -> Outcome {
    let submission = Submission {
        change,
        at: AT,
        idempotency: None,
    };
    store.submit(submission).await.expect("committed")
}

pub fn cause() -> Cause {
    Cause {
        actor: Actor::ApiKey("test".to_owned()),
        reason: String::new(),
        at: AT,
    }
}

/// A free order: one publication, one event. `own`: the number that the shop brings along.
pub fn new_order(of: i64, user: &str, own: Option<i64>) -> Change {
    Change::CreateOrder(Box::new(NewOrder {
        project: project(of),
        id: own.map(|id| OrderId::new(id).expect("id")),
        user: UserId::new(user).expect("id"),
        mode: Mode::Default,
        content: Content::default(),
        lifetime: None,
        token_hash: None,
        cause: cause(),
    }))
}

pub async fn create(store: &Store, of: i64, own: Option<i64>) -> i64 {
    match submit(store, new_order(of, "alice", own)).await {
        Outcome::Order(applied) => applied.order().id.get().into(),
        other => panic!("not created: {other:?}"),
    }
}

pub async fn cancel(store: &Store, of: i64, order: i64) {
    let request = Change::Request {
        project: project(of),
        order: OrderId::new(order).expect("id"),
        request: Request::Become(Target::Canceled),
        if_version: None,
        cause: cause(),
    };
    let outcome = submit(store, request).await;
    assert!(matches!(outcome, Outcome::Order(_)), "{outcome:?}");
}

/// Numbers of the project's events.
pub async fn events(store: &Store, of: i64) -> Vec<i64> {
    let events = store.events(project(of), Feed::All, 0, 1_000).await;
    events
        .expect("read")
        .iter()
        .map(|event| event.facts.id)
        .collect()
}

/// What a client of alice that says where it is gets.
pub async fn recover_from(store: &Store, epoch: &str, offset: u64) -> ChannelPage {
    let position = Position {
        epoch: epoch.to_owned(),
        offset,
    };
    let range = Offset::new(offset).map_or(Range::Position, Range::After);
    let channel = channel("alice");
    let page = store.channel_for(&channel, (range, 1_001), Some(&position), AT);
    page.await.expect("read")
}
