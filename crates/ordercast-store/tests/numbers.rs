//! Numbers that are shown outside: each project has its own, and each is given out once.

mod support;

use ordercast_store::Outcome;
use rusqlite::Connection;
use support::{create, events, new_order, open, submit, with_projects};

/// The next number of project 1 after its shop has brought these along.
async fn check(own: &[i64], expected: &[i64]) {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("a.db");
    let store = with_projects(&path).await;
    for id in own {
        assert_eq!(create(&store, 1, Some(*id)).await, *id);
    }
    let mut given = Vec::new();
    for _ in expected {
        given.push(create(&store, 1, None).await);
    }
    assert_eq!(given, expected, "after {own:?}");
    drop(store);
    // The count is the database's, not the process's.
    let store = open(&path);
    let next = create(&store, 1, None).await;
    assert!(next > given[given.len() - 1] && !own.contains(&next));
}

#[tokio::test]
async fn the_count_passes_numbers_that_a_shop_brought_along() {
    const FIRST: i64 = 1_000_001;
    check(&[], &[FIRST, FIRST + 1]).await;
    check(&[1, 999_999, i64::from(i32::MAX)], &[FIRST, FIRST + 1]).await;
    check(&[FIRST, FIRST + 1, FIRST + 2], &[FIRST + 3, FIRST + 4]).await;
    // In any order, with gaps.
    check(
        &[FIRST + 2, FIRST, FIRST + 1, FIRST + 4],
        &[FIRST + 3, FIRST + 5],
    )
    .await;
    check(&[FIRST + 1, FIRST + 3], &[FIRST, FIRST + 2, FIRST + 4]).await;
    check(&[FIRST + 3, FIRST + 1, FIRST + 2], &[FIRST, FIRST + 4]).await;
}

#[tokio::test]
async fn a_number_that_was_given_out_is_not_taken_again() {
    let folder = tempfile::tempdir().expect("folder");
    let store = with_projects(&folder.path().join("a.db")).await;
    let given = create(&store, 1, None).await;
    let again = submit(&store, new_order(1, "bob", Some(given))).await;
    assert_eq!(again, Outcome::Exists);
    // A run that touches the count from above.
    create(&store, 1, Some(given + 1)).await;
    assert_eq!(create(&store, 1, None).await, given + 2);
}

#[tokio::test]
async fn no_tenant_sees_how_much_another_sells() {
    let folder = tempfile::tempdir().expect("folder");
    let store = with_projects(&folder.path().join("a.db")).await;
    let first = (create(&store, 2, None).await, events(&store, 2).await);
    for _ in 0..20 {
        create(&store, 1, None).await;
    }
    let second = (create(&store, 2, None).await, events(&store, 2).await);
    assert_eq!((first.0 + 1, vec![1]), (second.0, first.1));
    assert_eq!(second.1, [1, 2]);
    assert_eq!(events(&store, 1).await, (1..=20).collect::<Vec<_>>());
}

/// As the version before wrote it: one count for all, the numbers not kept anywhere.
#[tokio::test]
async fn a_database_of_before_goes_on_with_its_numbers() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("a.db");
    let old = Connection::open(&path).expect("opens");
    let migrations = concat!(env!("CARGO_MANIFEST_DIR"), "/src/sqlite/migrations");
    let mut files: Vec<_> = std::fs::read_dir(migrations)
        .expect("folder")
        .map(|file| file.expect("file").path())
        .collect();
    files.sort();
    for file in &files[..9] {
        old.execute_batch(&std::fs::read_to_string(file).expect("read"))
            .expect("migrated");
    }
    // Orders 1 and 3 of project 1, 2 of project 2, and two numbers that shop 1 brought along.
    old.execute_batch(
        "PRAGMA application_id = 0x4F435354; PRAGMA user_version = 9; \
         INSERT INTO meta VALUES ('identity', 'abcdefgh'), ('generation', '3'); \
         INSERT INTO projects VALUES (1, 'a', '{}', 0), (2, 'b', '{}', 0); \
         INSERT INTO channels VALUES (1, 1, 'alice', 0), (2, 2, 'alice', 0);",
    )
    .expect("made");
    for (key, project, order) in [
        (1, 1, 1_000_001),
        (2, 2, 1_000_002),
        (3, 1, 1_000_003),
        (4, 1, 1_000_006),
        (5, 1, 1_000_007),
    ] {
        old.execute(
            "INSERT INTO orders VALUES (?1, ?2, ?3, ?2, 'default', 'new', 1, '{}', '{}', NULL, 0, 0, 0)",
            (key, project, order),
        )
        .expect("inserted");
        old.execute(
            "INSERT INTO events VALUES (?1 * 10, ?2, ?1, 1, 'order.created', NULL, 0, NULL)",
            (key, project),
        )
        .expect("inserted");
        old.execute(
            "INSERT INTO order_versions VALUES (?1, 1, 'new', 'x', '', 0, NULL, ?1 * 10)",
            [key],
        )
        .expect("inserted");
    }
    drop(old);
    let store = open(&path);
    assert_eq!(store.epoch().as_str(), "abcdefgh3", "nothing was put back");
    assert_eq!(
        events(&store, 1).await,
        [10, 30, 40, 50],
        "shops know these ids"
    );
    assert_eq!(create(&store, 1, None).await, 1_000_004);
    assert_eq!(create(&store, 1, None).await, 1_000_005);
    assert_eq!(create(&store, 1, None).await, 1_000_008);
    assert_eq!(create(&store, 2, None).await, 1_000_003);
    assert_eq!(events(&store, 1).await[4..], [51, 52, 53]);
    assert_eq!(events(&store, 2).await, [20, 21]);
}
