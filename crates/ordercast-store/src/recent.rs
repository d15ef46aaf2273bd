//! The newest publications of channels in memory: a connect, a recovery and a history of an ordinary
//! buyer do not touch the database.
//!
//! Invariant: a window holds the newest publications of its channel without a gap, up to the top, and
//! answers only what it provably covers, with the very page that the database would give. The writer
//! adds every publication before it announces it; a reader's window is kept only if no commit began or
//! was announced since its read began.

use crate::{
    Committed,
    turns::{Reading, Turns},
    weighted::WeightedLru,
};
use metrics::{Counter, Gauge, counter, gauge};
use ordercast_core::channel::{Channel, ChannelPage, Epoch, Offset, Publication, Range};
use parking_lot::Mutex;
use std::{
    collections::VecDeque,
    fmt,
    hash::{BuildHasher, RandomState},
};

/// Publications of a channel that are kept (guarantees, 3.3.2).
pub(crate) const WINDOW_MAX: usize = 100;
const SHARDS: usize = 16;
/// Of a channel beside its publications, with its name.
const WINDOW_BYTES: usize = 256;
const PUBLICATION_BYTES: usize = size_of::<Publication>();

/// A channel's newest publications, ascending.
#[derive(Debug)]
pub(crate) struct Window {
    epoch: Epoch,
    top: Offset,
    publications: VecDeque<Publication>,
    /// The epoch has no older ones in the log.
    is_all: bool,
}

impl Window {
    /// From the newest [`WINDOW_MAX`] publications, descending.
    pub(crate) fn new(newest: ChannelPage) -> Self {
        let is_all = newest.publications.len() < WINDOW_MAX;
        let window = Self {
            epoch: newest.epoch,
            top: newest.top,
            publications: newest.publications.into_iter().rev().collect(),
            is_all,
        };
        let runs = window.publications.iter().zip(window.first()..);
        let has_no_gap = runs.fold(true, |run, (p, offset)| run && p.offset.get() == offset);
        assert!(has_no_gap, "the log has a gap");
        window
    }

    /// Of a channel whose first publication this is.
    fn begun(epoch: Epoch, publication: Publication) -> Self {
        Self {
            epoch,
            top: publication.offset,
            publications: VecDeque::from([publication]),
            is_all: true,
        }
    }

    /// The offset of the oldest one, or of the next where there is none.
    fn first(&self) -> u32 {
        let count = u32::try_from(self.publications.len()).unwrap_or(u32::MAX);
        self.top.get() + 1 - count
    }

    /// `false`: it does not follow, and nobody knows what is between.
    fn append(&mut self, epoch: &Epoch, publication: &Publication) -> bool {
        if self.epoch != *epoch || publication.offset.get() > self.top.get() + 1 {
            return false;
        }
        if publication.offset <= self.top {
            // Read together with the commit that is now announced.
            return true;
        }
        self.top = publication.offset;
        self.publications.push_back(publication.clone());
        if self.publications.len() > WINDOW_MAX {
            self.publications.pop_front();
            self.is_all = false;
        }
        true
    }

    fn bytes(&self) -> usize {
        WINDOW_BYTES + self.publications.capacity() * PUBLICATION_BYTES
    }

    /// What the database would answer; `None`: it takes more than is here.
    pub(crate) fn page(&self, range: Range, limit: usize) -> Option<ChannelPage> {
        let newest = || self.publications.iter().rev();
        let (found, is_covered) = match range {
            Range::Position => (Vec::new(), true),
            Range::After(offset) => {
                let after = self.publications.iter().filter(|p| p.offset > offset);
                let is_covered = offset.get() + 1 >= self.first();
                (after.take(limit).cloned().collect(), is_covered)
            }
            Range::Before(offset) => {
                let before = newest().filter(|p| p.offset < offset);
                let found: Vec<_> = before.take(limit).cloned().collect();
                let is_covered = found.len() == limit;
                (found, is_covered)
            }
            Range::Newest => {
                let found: Vec<_> = newest().take(limit).cloned().collect();
                let is_covered = found.len() == limit;
                (found, is_covered)
            }
        };
        (is_covered || self.is_all).then(|| ChannelPage {
            epoch: self.epoch.clone(),
            top: self.top,
            publications: found,
        })
    }
}

pub(crate) struct RecentChannels {
    shards: Vec<Mutex<WeightedLru<Channel, Window>>>,
    hasher: RandomState,
    turns: Turns,
    hits: Counter,
    misses: Counter,
    entries: Gauge,
    bytes: Gauge,
}

impl fmt::Debug for RecentChannels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecentChannels(..)")
    }
}

impl RecentChannels {
    /// Bound: `bytes_max`, of all channels together.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            shards: (0..SHARDS)
                .map(|_| Mutex::new(WeightedLru::new(bytes_max / SHARDS)))
                .collect(),
            bytes: gauge!("ordercast_channel_window_bytes"),
            hasher: RandomState::new(),
            turns: Turns::default(),
            hits: counter!("ordercast_channel_window_total", "result" => "hit"),
            misses: counter!("ordercast_channel_window_total", "result" => "miss"),
            entries: gauge!("ordercast_channel_windows"),
        }
    }

    fn shard(&self, channel: &Channel) -> &Mutex<WeightedLru<Channel, Window>> {
        let hash = self.hasher.hash_one(channel);
        &self.shards[usize::try_from(hash % SHARDS as u64).unwrap_or(0)]
    }

    /// `None`: ask the database.
    pub(crate) fn page(
        &self,
        channel: &Channel,
        range: Range,
        limit: usize,
    ) -> Option<ChannelPage> {
        let mut shard = self.shard(channel).lock();
        let page = shard.get(channel).and_then(|w| w.page(range, limit));
        drop(shard);
        let count = if page.is_some() {
            &self.hits
        } else {
            &self.misses
        };
        count.increment(1);
        page
    }

    /// Before a reader's statement begins.
    pub(crate) fn reading(&self) -> Reading {
        self.turns.reading()
    }

    /// What a reader found; kept unless a commit may have changed it since.
    pub(crate) fn fill(&self, reading: Reading, channel: &Channel, window: Window) {
        let mut shard = self.shard(channel).lock();
        if self.turns.is_current(reading) {
            keep(&mut shard, channel, window);
        }
    }

    /// By the writer, before its commit.
    pub(crate) fn begin_commit(&self) {
        self.turns.turn();
    }

    /// By the writer, after its commit and before it is announced.
    pub(crate) fn committed(&self, committed: &[Committed]) {
        self.turns.turn();
        for Committed {
            channel,
            epoch,
            publication,
        } in committed
        {
            let mut shard = self.shard(channel).lock();
            let append = |window: &mut Window| {
                let follows = window.append(epoch, publication);
                (follows, window.bytes())
            };
            if shard.change(channel, append) == Some(true) {
                continue;
            }
            if publication.offset == Offset::ZERO.next() {
                let window = Window::begun(epoch.clone(), publication.clone());
                keep(&mut shard, channel, window);
            } else {
                shard.remove(channel);
            }
        }
        let sizes = self.shards.iter().map(|shard| shard.lock().size());
        let (entries, bytes) = sizes.fold((0, 0), |all, shard| (all.0 + shard.0, all.1 + shard.1));
        #[expect(clippy::cast_precision_loss, reason = "gauges")]
        {
            self.entries.set(entries as f64);
            self.bytes.set(bytes as f64);
        }
    }

    /// By the writer, after a commit that began a new epoch: all that is here is of the one before.
    pub(crate) fn forget(&self) {
        for shard in &self.shards {
            shard.lock().clear();
        }
        self.entries.set(0.0);
        self.bytes.set(0.0);
    }
}

fn keep(shard: &mut WeightedLru<Channel, Window>, channel: &Channel, window: Window) {
    let bytes = window.bytes();
    shard.put(channel.clone(), window, bytes);
}

#[cfg(test)]
mod tests;
