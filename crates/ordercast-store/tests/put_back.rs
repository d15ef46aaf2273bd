//! A database that was put back to an older state: nothing that was given out gets a second meaning, and
//! everybody who has seen more is told.

mod support;

use ordercast_core::{
    Timestamp,
    channel::{Recovery, recover},
};
use ordercast_store::{FeedCursor, FeedPlace, OpenError, Store, backup, restore};
use std::{fs, path::Path};
use support::{AT, cancel, create, events, open, project, recover_from, try_open, with_projects};

fn copied(database: &Path, to: &Path) {
    backup(database, to, AT, &mut |_| ()).expect("backup");
}

/// Everything in the folder, as a snapshot of the disk has it.
fn snapshot(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    fs::create_dir(to).expect("folder");
    for file in fs::read_dir(from).expect("folder") {
        let file = file.expect("file");
        fs::copy(file.path(), to.join(file.file_name())).expect("copied");
    }
}

/// Order numbers and event numbers that are given out from now on.
async fn given(store: &Store) -> Vec<i64> {
    let before = events(store, 1).await.len();
    let order = create(store, 1, None).await;
    cancel(store, 1, order).await;
    let mut numbers = events(store, 1).await.split_off(before);
    numbers.push(order);
    numbers
}

fn check_beyond(later: &[i64], earlier: &[i64]) {
    // Events first, the order last: each is compared with its own kind.
    let (event, order) = (&later[..2], later[2]);
    assert!(
        event.iter().all(|id| *id > earlier[1]),
        "{later:?} {earlier:?}"
    );
    assert!(
        order > earlier[2] && i32::try_from(order).is_ok(),
        "{later:?} {earlier:?}"
    );
}

#[tokio::test]
async fn numbers_go_on_beyond_all_that_was_given_out_since_the_backup() {
    let folder = tempfile::tempdir().expect("folder");
    let path = |name: &str| folder.path().join(name);
    let store = with_projects(&path("a.db")).await;
    create(&store, 1, None).await;
    copied(&path("a.db"), &path("copy.db"));
    let lost = given(&store).await;
    drop(store);

    // In its place, and elsewhere, where nothing is known of what was lost.
    restore(&path("copy.db"), &path("a.db"), true, AT, 8).expect("restored");
    let second = given(&open(&path("a.db"))).await;
    check_beyond(&second, &lost);
    restore(&path("copy.db"), &path("a.db"), true, AT, 9).expect("restored");
    let third = given(&open(&path("a.db"))).await;
    check_beyond(&third, &second);
    let later = Timestamp::from_millis(AT.millis() + 60_000);
    restore(&path("copy.db"), &path("other.db"), false, later, 9).expect("restored");
    check_beyond(&given(&open(&path("other.db"))).await, &lost);
}

#[tokio::test]
async fn a_file_that_was_copied_back_goes_on_beyond_too() {
    let folder = tempfile::tempdir().expect("folder");
    let path = |name: &str| folder.path().join(name);
    let store = with_projects(&path("a.db")).await;
    create(&store, 1, None).await;
    drop(store);
    fs::copy(path("a.db"), path("copy.db")).expect("copied");
    let store = open(&path("a.db"));
    let lost = given(&store).await;
    let epoch = store.epoch();
    drop(store);
    let mut last = lost;
    let mut epochs = vec![epoch];
    // The same copy again and again: the mark knows each epoch that came of it.
    for _ in 0..3 {
        fs::copy(path("copy.db"), path("a.db")).expect("copied back");
        let store = open(&path("a.db"));
        let epoch = store.epoch();
        assert!(!epochs.contains(&epoch));
        epochs.push(epoch);
        let next = given(&store).await;
        check_beyond(&next, &last);
        last = next;
    }
}

#[tokio::test]
async fn a_client_that_has_seen_more_proves_that_the_whole_folder_was_put_back() {
    let folder = tempfile::tempdir().expect("folder");
    let (live, kept) = (folder.path().join("live"), folder.path().join("kept"));
    fs::create_dir(&live).expect("folder");
    let database = live.join("a.db");
    let store = with_projects(&database).await;
    create(&store, 1, None).await;
    create(&store, 1, None).await;
    drop(store);
    snapshot(&live, &kept);
    let store = open(&database);
    let epoch = store.epoch().to_string();
    let lost = given(&store).await;
    assert_eq!(recover_from(&store, &epoch, 4).await.top.get(), 4);
    drop(store);

    snapshot(&kept, &live);
    let store = open(&database);
    assert_eq!(store.epoch().as_str(), epoch, "nobody can know it yet");
    // It is where it says, or behind: that proves nothing.
    for offset in [0, 1, 2] {
        let page = recover_from(&store, &epoch, offset).await;
        assert!(matches!(
            recover(&epoch, offset, &page),
            Recovery::Recovered(_)
        ));
    }
    let page = recover_from(&store, &epoch, 4).await;
    assert_ne!(page.epoch.as_str(), epoch, "before the very reply");
    assert_eq!(recover(&epoch, 4, &page), Recovery::NotRecovered);
    let second = page.epoch.to_string();
    assert!(second.len() <= 16 && second.bytes().all(|b| b.is_ascii_alphanumeric()));
    check_beyond(&given(&store).await, &lost);
    // The offset that the client had seen is there again now, and is another publication.
    let page = recover_from(&store, &epoch, 4).await;
    assert_eq!((page.epoch.as_str(), page.top.get()), (second.as_str(), 4));
    assert_eq!(recover(&epoch, 4, &page), Recovery::NotRecovered);
    drop(store);
    assert_eq!(
        open(&database).epoch().as_str(),
        second,
        "a restart proves continuity"
    );

    // The second epoch is lost in its turn: what it was called is known by its tag.
    snapshot(&kept, &live);
    let store = open(&database);
    assert_eq!(store.epoch().as_str(), epoch);
    let page = recover_from(&store, &second, 1).await;
    let third = page.epoch.to_string();
    assert!(third != epoch && third != second, "{third}");
    for known in [&epoch, &second] {
        assert_eq!(
            recover_from(&store, known, 9).await.epoch.as_str(),
            third,
            "once"
        );
    }
}

#[tokio::test]
async fn a_reader_of_the_feed_is_told_where_to_begin_again() {
    let folder = tempfile::tempdir().expect("folder");
    let path = |name: &str| folder.path().join(name);
    let store = with_projects(&path("a.db")).await;
    create(&store, 1, None).await;
    create(&store, 1, None).await;
    copied(&path("a.db"), &path("copy.db"));
    let lost = given(&store).await;
    let before = store.epoch().to_string();
    drop(store);
    restore(&path("copy.db"), &path("a.db"), true, AT, 8).expect("restored");
    let store = open(&path("a.db"));
    let present = store.epoch().to_string();
    let check = async |cursor: String, expected: Option<i64>| {
        let cursor: FeedCursor = cursor.parse().expect("a cursor");
        let place = store
            .feed_place(project(1), &cursor, AT)
            .await
            .expect("read");
        let begin = match place {
            FeedPlace::Here => None,
            FeedPlace::Lost { begin_after } => Some(begin_after),
        };
        assert_eq!(begin, expected, "{cursor}");
    };
    // Without an epoch: what both have, what was lost, what comes now.
    check("0".to_owned(), None).await;
    check("2".to_owned(), None).await;
    check(lost[0].to_string(), Some(2)).await;
    check(lost[1].to_string(), Some(2)).await;
    let newest = store.newest_event_of(project(1)).await.expect("read");
    check(newest.to_string(), None).await;
    check((newest + 1).to_string(), Some(0)).await;
    check(FeedCursor::END.to_string(), None).await;
    let next = given(&store).await;
    check(next[1].to_string(), None).await;
    // With the epoch of before, of now, and of nobody.
    check(format!("{before}-{}", lost[1]), Some(2)).await;
    check(format!("{before}-1"), Some(1)).await;
    check(format!("{present}-{}", next[0]), None).await;
    check("abcdefghijklm-1".to_owned(), Some(0)).await;
    assert_eq!(store.epoch().as_str(), present, "nothing new was proven");
}

#[tokio::test]
async fn nobody_forces_a_new_epoch_with_one_that_was_never_given_out() {
    let folder = tempfile::tempdir().expect("folder");
    let database = folder.path().join("a.db");
    let store = with_projects(&database).await;
    create(&store, 1, None).await;
    let begun_here = store.epoch().to_string();
    // An epoch that began in this process: nobody can have seen more of it.
    let page = recover_from(&store, &begun_here, 50).await;
    assert_eq!(page.epoch.as_str(), begun_here);
    drop(store);
    let store = open(&database);
    let epoch = store.epoch().to_string();
    assert_eq!(epoch, begun_here);
    let mut altered = epoch.clone().into_bytes();
    altered[0] = if altered[0] == b'a' { b'b' } else { b'a' };
    let altered = String::from_utf8(altered).expect("text");
    for made_up in [
        "",
        "_",
        "abcdefgh1",
        "abcdefgh999",
        "abcdefghijklm",
        &altered,
        "é1234567",
    ] {
        let page = recover_from(&store, made_up, 50).await;
        assert_eq!(page.epoch.as_str(), epoch, "{made_up}");
    }
}

#[tokio::test]
async fn an_interrupted_restore_makes_no_empty_database() {
    let folder = tempfile::tempdir().expect("folder");
    let path = |name: &str| folder.path().join(name);
    let store = with_projects(&path("a.db")).await;
    create(&store, 1, None).await;
    copied(&path("a.db"), &path("copy.db"));
    drop(store);
    let interrupted = |name: &str| {
        let refused = try_open(&path(name));
        assert!(
            matches!(&refused, Err(OpenError::Interrupted { beside, .. }) if beside.exists()),
            "{refused:?}"
        );
    };
    // The old one was moved aside, and there it ended; so earlier versions did it.
    fs::rename(path("a.db"), path("a.db.before-restore-1")).expect("moved");
    interrupted("a.db");
    fs::write(path("a.db"), "").expect("an empty file");
    interrupted("a.db");
    restore(&path("copy.db"), &path("a.db"), false, AT, 8).expect("restored after all");
    assert_eq!(events(&open(&path("a.db")), 1).await.len(), 1);

    // The first restore into an empty place.
    fs::write(path("b.db.restoring"), "half").expect("written");
    interrupted("b.db");
    restore(&path("copy.db"), &path("b.db"), false, AT, 8).expect("restored after all");
    drop(open(&path("b.db")));
}

#[tokio::test]
async fn a_damaged_database_is_replaced_and_kept_with_its_log() {
    let folder = tempfile::tempdir().expect("folder");
    let path = |name: &str| folder.path().join(name);
    let store = with_projects(&path("a.db")).await;
    create(&store, 1, None).await;
    copied(&path("a.db"), &path("copy.db"));
    drop(store);
    fs::write(path("a.db"), vec![0x4F; 8_192]).expect("damaged");
    fs::write(path("a.db-wal"), "what is left of its log").expect("written");
    let aside = restore(&path("copy.db"), &path("a.db"), true, AT, 8)
        .expect("restored")
        .expect("kept");
    assert_eq!(fs::read(&aside).expect("read"), vec![0x4F; 8_192]);
    let mut log = aside.into_os_string();
    log.push("-wal");
    assert_eq!(fs::read(log).expect("read"), b"what is left of its log");
    assert_eq!(events(&open(&path("a.db")), 1).await.len(), 1);
}
