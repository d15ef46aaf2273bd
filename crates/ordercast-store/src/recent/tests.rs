use super::*;
use ordercast_core::{OrderId, ProjectId, Timestamp, UserId, order::TrackingStatus};
use proptest::prelude::*;

fn publication(offset: u32, at: i64) -> Publication {
    Publication {
        offset: Offset::new(offset.into()).expect("offset"),
        order_id: OrderId::new(5).expect("id"),
        status: TrackingStatus::New,
        at: Timestamp::from_millis(at),
    }
}

fn epoch(name: &str) -> Epoch {
    Epoch::new(name).expect("epoch")
}

/// The whole log of a channel, and what the database answers of it.
struct Log(Vec<Publication>);

impl Log {
    /// Two publications in each millisecond.
    fn new(length: u32) -> Self {
        Self(
            (1..=length)
                .map(|n| publication(n, i64::from(n / 2)))
                .collect(),
        )
    }

    fn page(&self, range: Range, limit: usize) -> ChannelPage {
        let newest = self.0.iter().rev();
        let publications: Vec<_> = match range {
            Range::Position => Vec::new(),
            Range::After(offset) => {
                let after = self.0.iter().filter(|p| p.offset > offset);
                after.take(limit).cloned().collect()
            }
            Range::Before(offset) => {
                let before = newest.filter(|p| p.offset < offset);
                before.take(limit).cloned().collect()
            }
            Range::Newest => newest.take(limit).cloned().collect(),
        };
        ChannelPage {
            epoch: epoch("a"),
            top: self.0.last().map_or(Offset::ZERO, |p| p.offset),
            publications,
        }
    }

    fn window(&self) -> Window {
        Window::new(self.page(Range::Newest, WINDOW_MAX))
    }
}

fn ranges() -> impl Strategy<Value = Range> {
    let offset = || (0_u64..400).prop_map(|n| Offset::new(n).expect("offset"));
    prop_oneof![
        Just(Range::Position),
        Just(Range::Newest),
        offset().prop_map(Range::After),
        offset().prop_map(Range::Before),
    ]
}

proptest! {
    /// However the window came about: read at once, or followed commit by commit.
    #[test]
    fn a_window_answers_what_the_log_answers_or_nothing(
        length in 0_u32..300, read_at in 0_u32..300, range in ranges(), limit in 0_usize..400,
    ) {
        let log = Log::new(length);
        let mut window = Log::new(read_at.min(length)).window();
        for publication in &log.0 {
            prop_assert!(publication.offset > window.top || window.append(&epoch("a"), publication));
            if publication.offset > window.top {
                prop_assert!(window.append(&epoch("a"), publication));
            }
        }
        prop_assert!(window.publications.len() <= WINDOW_MAX);
        let page = window.page(range, limit);
        if let Some(page) = page.clone() {
            prop_assert_eq!(page, log.page(range, limit));
        }
        // All that a connect, a recovery or a history of an ordinary buyer asks for is here.
        if (length as usize) < WINDOW_MAX {
            prop_assert!(page.is_some());
        }
    }
}

#[test]
fn the_newest_hundred_suffice_for_who_missed_less() {
    let window = Log::new(300).window();
    let after = |n| Range::After(Offset::new(n).expect("offset"));
    let missed = window.page(after(200), 1_001).expect("covered");
    assert_eq!(missed.publications.len(), 100);
    assert_eq!(window.page(after(199), 1_001), None);
    assert_eq!(window.page(Range::Newest, 101), None);
}

struct Fixture {
    recent: RecentChannels,
    channel: Channel,
}

impl Fixture {
    fn new() -> Self {
        let channel = Channel {
            project: ProjectId::new(1).expect("id"),
            user: UserId::new("alice").expect("id"),
        };
        let recent = RecentChannels::new(1 << 20);
        Self { recent, channel }
    }

    fn announce(&self, name: &str, publication: Publication) {
        self.recent.committed(&[Committed {
            channel: self.channel.clone(),
            epoch: epoch(name),
            publication,
        }]);
    }

    fn top(&self) -> Option<u32> {
        let page = self.recent.page(&self.channel, Range::Position, 0);
        page.map(|page| page.top.get())
    }

    fn evict(&self) {
        self.recent.shards.iter().for_each(|s| s.lock().clear());
    }
}

#[test]
fn a_channel_is_known_from_its_first_publication_on() {
    let f = Fixture::new();
    assert_eq!(f.top(), None);
    f.announce("a", publication(1, 0));
    f.announce("a", publication(2, 0));
    let all = Range::After(Offset::ZERO);
    let page = f.recent.page(&f.channel, all, 300).expect("known");
    assert_eq!(page.publications.len(), 2);
    // The channel rolls to a new epoch, whose offsets begin at 1.
    f.announce("ar1", publication(1, 0));
    let page = f.recent.page(&f.channel, all, 300).expect("known");
    assert_eq!((page.epoch, page.publications.len()), (epoch("ar1"), 1));
}

#[test]
fn what_does_not_follow_is_forgotten() {
    let f = Fixture::new();
    f.announce("a", publication(1, 0));
    f.announce("a", publication(3, 0));
    assert_eq!(f.top(), None);
    f.announce("a", publication(4, 0));
    assert_eq!(f.top(), None, "what is before it is not known");
}

#[test]
fn a_window_that_was_read_before_or_during_a_commit_is_not_kept_after_it() {
    for begins_before in [true, false] {
        let f = Fixture::new();
        let early = f.recent.reading();
        f.recent.begin_commit();
        let reading = if begins_before {
            early
        } else {
            f.recent.reading()
        };
        f.announce("a", publication(1, 0));
        f.evict();
        f.recent.fill(reading, &f.channel, Log::new(0).window());
        assert_eq!(f.top(), None);
    }
}

#[test]
fn a_window_that_was_kept_during_a_commit_is_completed_by_it() {
    for read in [4, 5] {
        let f = Fixture::new();
        f.recent.begin_commit();
        // The read may have seen the commit already, or not yet.
        f.recent
            .fill(f.recent.reading(), &f.channel, Log::new(read).window());
        f.announce("a", publication(5, 2));
        assert_eq!(f.top(), Some(5));
        let all = Range::After(Offset::ZERO);
        let page = f.recent.page(&f.channel, all, 300).expect("known");
        assert_eq!(page, Log::new(5).page(all, 300));
    }
}

#[test]
fn is_bounded() {
    let recent = RecentChannels::new(1 << 20);
    for user in 0..10_000 {
        recent.committed(&[Committed {
            channel: Channel {
                project: ProjectId::new(1).expect("id"),
                user: UserId::new(&user.to_string()).expect("id"),
            },
            epoch: epoch("a"),
            publication: publication(1, 0),
        }]);
    }
    let bytes: usize = recent.shards.iter().map(|s| s.lock().size().1).sum();
    assert!(bytes <= 1 << 20, "{bytes}");
}
