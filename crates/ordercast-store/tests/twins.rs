//! One process writes to a database, by whatever name it opens it.

#![cfg(unix)]

mod support;

use ordercast_store::{Failure, OpenError, Store, Submission};
use rusqlite::Connection;
use std::{fs, path::Path};
use support::{AT, create, new_order, open, try_open, with_projects};

fn check_locked(path: &Path) {
    let refused = try_open(path);
    assert!(
        matches!(refused, Err(OpenError::Locked { .. })),
        "{}: {refused:?}",
        path.display()
    );
}

#[tokio::test]
async fn a_second_server_is_refused_whatever_name_it_uses() {
    let folder = tempfile::tempdir().expect("folder");
    let path = |name: &str| folder.path().join(name);
    let store = with_projects(&path("a.db")).await;
    std::os::unix::fs::symlink(path("a.db"), path("link.db")).expect("linked");
    fs::hard_link(path("a.db"), path("hard.db")).expect("linked");
    fs::create_dir(path("other")).expect("made");
    std::os::unix::fs::symlink("../a.db", path("other/b.db")).expect("linked");
    for name in ["a.db", "link.db", "hard.db", "other/b.db"] {
        check_locked(&path(name));
    }
    fs::remove_file(path("a.db.lock")).expect("removed");
    check_locked(&path("a.db"));
    // The attempts took nothing from the first.
    create(&store, 1, None).await;
    drop(store);
    // And the files beside it are the same under each name.
    let epoch = open(&path("a.db")).epoch();
    assert_eq!(open(&path("link.db")).epoch(), epoch);
}

/// As of a file system that does not keep locks.
#[tokio::test]
async fn a_server_whose_database_was_opened_by_another_writes_no_more() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("a.db");
    let store = with_projects(&path).await;
    create(&store, 1, None).await;
    let other = Connection::open(&path).expect("opens");
    other
        .execute(
            "UPDATE meta SET value = value + 1 WHERE name = 'writer'",
            [],
        )
        .expect("opened for writing");
    check_ended(&store).await;
}

/// Without a change of its own it would go on answering what is no longer so.
#[tokio::test]
async fn an_idle_server_finds_that_too() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("a.db");
    let store = with_projects(&path).await;
    let other = Connection::open(&path).expect("opens");
    other
        .execute(
            "UPDATE meta SET value = value + 1 WHERE name = 'writer'",
            [],
        )
        .expect("opened for writing");
    store.failed().await;
}

/// What is written to a file without a name is lost with the process.
#[tokio::test]
async fn a_file_that_was_replaced_under_the_server_is_not_written_to() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("a.db");
    let store = with_projects(&path).await;
    fs::rename(&path, folder.path().join("moved.db")).expect("moved");
    fs::write(&path, "").expect("another file");
    store.failed().await;
    check_ended(&store).await;
}

async fn check_ended(store: &Store) {
    let submission = Submission {
        change: new_order(1, "alice", None),
        at: AT,
        idempotency: None,
    };
    let refused = store.submit(submission).await;
    assert!(
        matches!(refused, Err(Failure::Database(_) | Failure::Closed)),
        "{refused:?}"
    );
    store.failed().await;
}
