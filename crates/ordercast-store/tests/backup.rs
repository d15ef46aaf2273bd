//! Backups of a database in use, and what clients may believe of one that was put back.

use ordercast_core::{
    ProjectId, Timestamp, UserId,
    channel::{Channel, Offset, Range, Recovery, recover},
    order::{Actor, Cause, Content, Mode},
};
use ordercast_store::{
    BackupError, Change, NewOrder, NewProject, Outcome, Settings, Store, Submission, backup,
    restore,
};
use std::{fs, path::Path};

const AT: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn project() -> ProjectId {
    ProjectId::new(1).expect("id")
}

fn channel() -> Channel {
    Channel {
        project: project(),
        user: UserId::new("alice").expect("id"),
    }
}

fn copied(database: &Path, to: &Path) -> Result<u64, BackupError> {
    backup(database, to, AT, &mut |_| ())
}

fn open(path: &Path) -> Store {
    Store::open(path, AT, 7, |_| ()).expect("open")
}

async fn submit(store: &Store, change: Change) -> Outcome {
    let submission = Submission {
        change,
        at: AT,
        idempotency: None,
    };
    store.submit(submission).await.expect("committed")
}

async fn with_project(path: &Path) -> Store {
    let store = open(path);
    let new = NewProject {
        id: Some(project()),
        name: "Test".to_owned(),
        settings: Settings::default(),
        credentials: Vec::new(),
        sources: Vec::new(),
        items: Vec::new(),
    };
    submit(&store, Change::CreateProject(Box::new(new))).await;
    store
}

/// Free orders for alice: one publication each.
async fn publish(store: &Store, count: usize) {
    fill(store, count, 0).await;
}

/// As [`publish`], with so many bytes of text each.
async fn fill(store: &Store, count: usize, bytes: usize) {
    for _ in 0..count {
        let new = NewOrder {
            project: project(),
            id: None,
            user: channel().user,
            mode: Mode::Default,
            content: Content::default(),
            lifetime: None,
            token_hash: None,
            cause: Cause {
                actor: Actor::ApiKey("test".to_owned()),
                reason: "x".repeat(bytes),
                at: AT,
            },
        };
        submit(store, Change::CreateOrder(Box::new(new))).await;
    }
}

/// What a client that has seen `offset` of `epoch` is told.
async fn told(store: &Store, epoch: &str, offset: u32) -> (u32, Recovery) {
    let since = Offset::new(offset.into()).expect("offset");
    let page = store
        .channel(&channel(), Range::After(since), 1_001)
        .await
        .expect("read");
    (page.top.get(), recover(epoch, offset.into(), &page))
}

#[tokio::test]
async fn a_restored_database_never_gives_an_old_position_a_new_meaning() {
    let folder = tempfile::tempdir().expect("folder");
    let (database, copy) = (folder.path().join("a.db"), folder.path().join("copy.db"));
    let store = with_project(&database).await;
    publish(&store, 3).await;
    assert!(copied(&database, &copy).expect("backup") > 0);
    publish(&store, 2).await;
    let epoch = store.epoch().to_string();

    // In use, in place of another, and not there.
    assert!(matches!(
        restore(&copy, &database, true, AT, 8),
        Err(BackupError::Open(_))
    ));
    drop(store);
    assert!(matches!(
        restore(&copy, &database, false, AT, 8),
        Err(BackupError::Exists(_))
    ));
    let aside = restore(&copy, &database, true, AT, 8)
        .expect("restored")
        .expect("kept");
    assert!(aside.exists(), "the old database is kept");

    let store = open(&database);
    assert_ne!(store.epoch().as_str(), epoch);
    publish(&store, 2).await;
    // The client saw five of the old; the fifth of the new is another one.
    assert_eq!(told(&store, &epoch, 5).await, (5, Recovery::NotRecovered));
    assert_eq!(told(&store, &epoch, 3).await, (5, Recovery::NotRecovered));
    let first = store.epoch().to_string();
    drop(store);
    // The same backup again: another epoch again.
    restore(&copy, &database, true, AT, 9).expect("restored");
    assert_ne!(open(&database).epoch().as_str(), first);
}

#[tokio::test]
async fn a_file_that_was_copied_back_begins_a_new_epoch() {
    let folder = tempfile::tempdir().expect("folder");
    let (database, copy) = (folder.path().join("a.db"), folder.path().join("copy.db"));
    let store = with_project(&database).await;
    publish(&store, 3).await;
    drop(store);
    fs::copy(&database, &copy).expect("copied");
    let store = open(&database);
    let epoch = store.epoch().to_string();
    publish(&store, 2).await;
    drop(store);
    assert_eq!(
        open(&database).epoch().as_str(),
        epoch,
        "a restart changes nothing"
    );

    fs::copy(&copy, &database).expect("copied back");
    let store = open(&database);
    assert_ne!(store.epoch().as_str(), epoch);
    assert_eq!(told(&store, &epoch, 5).await, (3, Recovery::NotRecovered));
    let renewed = store.epoch().to_string();
    drop(store);
    assert_eq!(open(&database).epoch().as_str(), renewed, "once");
}

/// The steps of a copy meet a commit each: begun anew at every one it would never end.
#[test]
fn a_backup_under_steady_writes_ends_with_one_state() {
    let folder = tempfile::tempdir().expect("folder");
    let (database, copy) = (folder.path().join("a.db"), folder.path().join("copy.db"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("runtime");
    let store = runtime.block_on(with_project(&database));
    runtime.block_on(fill(&store, 200, 20_000));
    let (mut steps, mut log_bytes) = (0, 0);
    backup(&database, &copy, AT, &mut |progress| {
        steps += 1;
        assert!(steps < 50, "it begins anew: {progress:?}");
        assert!(
            progress.log_bytes >= log_bytes,
            "what holds the log back is told"
        );
        log_bytes = progress.log_bytes;
        runtime.block_on(publish(&store, 1));
    })
    .expect("backup");
    assert!(steps > 3, "the database has several steps");
    drop(store);
    restore(&copy, &folder.path().join("b.db"), false, AT, 8).expect("restored");
    let restored = open(&folder.path().join("b.db"));
    let page = runtime.block_on(restored.channel(&channel(), Range::Position, 0));
    assert_eq!(
        page.expect("read").top.get(),
        200,
        "as it was when the backup began"
    );
}

/// A foreign program reads for as long as it likes. Afterwards the log is small again, although nothing
/// is written any more.
#[tokio::test]
async fn a_log_that_was_held_back_is_cut_again() {
    let folder = tempfile::tempdir().expect("folder");
    let database = folder.path().join("a.db");
    let store = with_project(&database).await;
    let reader = rusqlite::Connection::open(&database).expect("opens");
    reader.execute_batch("BEGIN").expect("begun");
    reader
        .query_row("SELECT count(*) FROM orders", [], |_| Ok(()))
        .expect("read");
    fill(&store, 400, 100_000).await;
    let size = || {
        let log = fs::metadata(folder.path().join("a.db-wal"));
        log.expect("a log").len()
    };
    assert!(size() > 40_000_000);
    drop(reader);
    while size() > 0 {
        tokio::task::yield_now().await;
    }
    publish(&store, 1).await;
    assert_eq!(told(&store, store.epoch().as_str(), 401).await.0, 401);
}

#[test]
fn backups_say_what_is_wrong() {
    let folder = tempfile::tempdir().expect("folder");
    let path = |name: &str| folder.path().join(name);
    drop(open(&path("a.db")));
    fs::write(path("text"), "not a database").expect("written");
    fs::write(path("taken"), "").expect("written");
    assert!(matches!(
        copied(&path("none.db"), &path("b")),
        Err(BackupError::Missing(_))
    ));
    assert!(matches!(
        copied(&path("a.db"), &path("taken")),
        Err(BackupError::Exists(_))
    ));
    assert!(matches!(
        restore(&path("text"), &path("new.db"), false, AT, 1),
        Err(BackupError::Broken(_, _))
    ));
    assert!(!path("new.db").exists());
    assert!(!path("b").exists());
}
