//! A channel that has used up its offsets begins a new epoch (guarantees, I10).

use ordercast_core::{
    ProjectId, Timestamp, UserId,
    channel::{Channel, ChannelPage, Offset, Recovery, Sequence, recover},
    order::{Actor, Cause, Content, Mode},
};
use ordercast_store::{
    Change, Committed, NewOrder, NewProject, Outcome, Range, Settings, Store, Submission,
};
use std::{
    path::Path,
    sync::{Arc, Mutex},
};

const AT: Timestamp = Timestamp::from_millis(1_700_000_000_000);

type Published = Arc<Mutex<Vec<Committed>>>;

fn open(path: &Path) -> (Store, Published) {
    let published = Published::default();
    let sink = Arc::clone(&published);
    let store = Store::open(path, AT, 42, move |committed| {
        sink.lock().expect("sink").extend_from_slice(committed);
    });
    (store.expect("opens"), published)
}

fn channel() -> Channel {
    Channel {
        project: ProjectId::new(1).expect("id"),
        user: UserId::new("alice").expect("id"),
    }
}

async fn submit(store: &Store, change: Change) -> Outcome {
    let submission = Submission {
        change,
        at: AT,
        idempotency: None,
    };
    store.submit(submission).await.expect("written")
}

/// A free order is one publication.
async fn publish(store: &Store) -> (String, u32) {
    let change = Change::CreateOrder(Box::new(NewOrder {
        project: channel().project,
        id: None,
        user: channel().user,
        mode: Mode::Default,
        content: Content::default(),
        lifetime: None,
        token_hash: None,
        cause: Cause {
            actor: Actor::ApiKey("test".to_owned()),
            reason: String::new(),
            at: AT,
        },
    }));
    match submit(store, change).await {
        Outcome::Order(applied) => (applied.epoch.to_string(), applied.offset.get()),
        other => panic!("{other:?}"),
    }
}

async fn page(store: &Store, range: Range) -> ChannelPage {
    store.channel(&channel(), range, 10).await.expect("read")
}

fn offsets(page: &ChannelPage) -> Vec<u32> {
    let offset = |publication: &ordercast_core::channel::Publication| publication.offset.get();
    page.publications.iter().map(offset).collect()
}

#[tokio::test]
async fn a_channel_rolls_and_nothing_of_the_old_epoch_is_in_the_new() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("orders.db");
    let (store, _) = open(&path);
    let project = NewProject {
        id: Some(channel().project),
        name: "Shop".to_owned(),
        settings: Settings::default(),
        credentials: Vec::new(),
        sources: Vec::new(),
        items: Vec::new(),
    };
    submit(&store, Change::CreateProject(Box::new(project))).await;
    let (first, _) = publish(&store).await;
    drop(store);
    // As if all but two offsets had been used.
    let connection = rusqlite::Connection::open(&path).expect("open");
    let near_the_end = Sequence::PER_EPOCH - 2;
    connection
        .execute("UPDATE channels SET top = ?1", [near_the_end])
        .expect("set");
    connection
        .execute("UPDATE publications SET \"offset\" = ?1", [near_the_end])
        .expect("set");
    drop(connection);

    let last = u32::try_from(Sequence::PER_EPOCH).expect("an offset");
    assert_eq!(last, 2_146_483_647, "2^31-1 - 10^6");
    let (store, published) = open(&path);
    assert_eq!(publish(&store).await, (first.clone(), last - 1));
    assert_eq!(publish(&store).await, (first.clone(), last));
    let end = page(&store, Range::Position).await;
    assert_eq!((end.epoch.as_str(), end.top.get()), (first.as_str(), last));

    let (second, offset) = publish(&store).await;
    assert_ne!(second, first);
    assert!(second.len() <= 16 && second.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    assert_eq!((publish(&store).await, offset), ((second.clone(), 2), 1));
    let run: Vec<_> = published
        .lock()
        .expect("sink")
        .iter()
        .map(|committed| {
            (
                committed.epoch.to_string(),
                committed.publication.offset.get(),
            )
        })
        .collect();
    let expected = [
        (&first, last - 1),
        (&first, last),
        (&second, 1),
        (&second, 2),
    ];
    assert_eq!(run, expected.map(|(epoch, offset)| (epoch.clone(), offset)));

    for range in [Range::Newest, Range::After(Offset::ZERO)] {
        let mut seen = offsets(&page(&store, range).await);
        seen.sort_unstable();
        assert_eq!(seen, [1, 2], "{range:?}");
    }
    let two = Offset::new(2).expect("offset");
    assert_eq!(offsets(&page(&store, Range::Before(two)).await), [1]);

    // Who comes from the old epoch is told; who has the new one recovers.
    let all = page(&store, Range::After(Offset::ZERO)).await;
    assert!(matches!(
        recover(&first, last.into(), &all),
        Recovery::NotRecovered
    ));
    assert!(matches!(
        recover(&second, 0, &all),
        Recovery::Recovered(missed) if missed.len() == 2
    ));
    drop(store);
    let (store, _) = open(&path);
    let after = page(&store, Range::Position).await;
    assert_eq!(
        (after.epoch.as_str(), after.top.get()),
        (second.as_str(), 2)
    );
}
