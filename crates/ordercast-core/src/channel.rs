//! A buyer's personal channel: offsets, epoch, and what a reconnecting client is owed.
//!
//! Invariant: within one epoch the offsets of a channel are exactly 1..=top, and (epoch, offset)
//! names one payload for ever. The store keeps them; the session asks the questions below.

use crate::{
    ids::{INT_MAX, OrderId, ProjectId, UserId},
    order::TrackingStatus,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};

/// All orders of one user in one project.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Channel {
    pub project: ProjectId,
    pub user: UserId,
}

impl Channel {
    /// The name that clients see. `#` marks a channel limited to one user, as Centrifugo has it.
    #[must_use]
    pub fn name(&self) -> String {
        format!("orders:{}#{}", self.project, self.user)
    }
}

/// Position in a channel: 0 is before the first publication, the first has 1.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Offset(u32);

impl Offset {
    pub const ZERO: Self = Self(0);

    /// `None` above 2^31-1.
    #[must_use]
    pub fn new(value: u64) -> Option<Self> {
        u32::try_from(value)
            .ok()
            .filter(|v| *v <= INT_MAX)
            .map(Self)
    }

    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// # Panics
    /// Past 2^31-1: a channel rolls to a new epoch before, see [`Sequence`].
    #[must_use]
    pub fn next(self) -> Self {
        assert!(self.0 < INT_MAX, "channel offset exhausted");
        Self(self.0 + 1)
    }

    #[must_use]
    pub const fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of a publication of a channel, from 1, for ever. An offset is an int32 in SDKs, so after
/// [`Sequence::PER_EPOCH`] publications the channel rolls: offsets begin at 1 again, in a new epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequence(i64);

impl Sequence {
    /// Guarantees, I10: a million below the largest offset.
    pub const PER_EPOCH: i64 = INT_MAX as i64 - 1_000_000;

    /// 0: before the first publication; `None` below it.
    #[must_use]
    pub const fn new(value: i64) -> Option<Self> {
        if value < 0 {
            return None;
        }
        Some(Self(value))
    }

    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// How often the channel has rolled.
    #[must_use]
    pub const fn roll(self) -> i64 {
        if self.0 == 0 {
            return 0;
        }
        (self.0 - 1) / Self::PER_EPOCH
    }

    /// The sequence before the first of the same epoch.
    #[must_use]
    pub const fn base(self) -> i64 {
        self.roll() * Self::PER_EPOCH
    }

    /// # Panics
    /// Never: the rest of the division fits.
    #[must_use]
    pub fn offset(self) -> Offset {
        match u64::try_from(self.0 - self.base())
            .ok()
            .and_then(Offset::new)
        {
            Some(offset) => offset,
            None => unreachable!("an epoch has at most {} offsets", Self::PER_EPOCH),
        }
    }
}

/// Names one unbroken run of offsets: 1 to 16 characters of A-Z, a-z, 0-9, opaque to clients.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Epoch(Arc<str>);

impl Epoch {
    /// `None` unless 1 to 16 ASCII letters and digits.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let ok = (1..=16).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
        ok.then(|| Self(text.into()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Epoch {
    /// Of a channel that has rolled so often.
    ///
    /// # Panics
    /// When the name would be too long: after more publications than there are.
    #[must_use]
    pub fn rolled(&self, roll: i64) -> Self {
        if roll == 0 {
            return self.clone();
        }
        // The store's epoch is eight letters with a number, or thirteen letters: `r` and a number after
        // it are the roll.
        match Self::new(&format!("{}r{roll}", self.0)) {
            Some(epoch) => epoch,
            None => unreachable!("epoch {} after {roll} rolls", self.0),
        }
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One status of one order, at its place in the channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    pub offset: Offset,
    pub order_id: OrderId,
    pub status: TrackingStatus,
    pub at: Timestamp,
}

impl Publication {
    /// The payload that tracking clients parse: these two members and nothing else, because SDKs in
    /// the field read whole frames strictly (realtime contract, A3).
    #[must_use]
    pub fn payload(&self) -> String {
        payload(self.order_id, self.status)
    }
}

/// As [`Publication::payload`], of a status that is told without its place in the channel.
#[must_use]
pub fn payload(order: OrderId, status: TrackingStatus) -> String {
    format!(r#"{{"order_id":{order},"status":"{status}"}}"#)
}

/// Part of a channel's log as one consistent read of the store gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelPage {
    pub epoch: Epoch,
    /// The newest committed offset at the time of the read.
    pub top: Offset,
    /// Ascending, without gaps.
    pub publications: Vec<Publication>,
}

/// Where a client says that it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    pub epoch: String,
    pub offset: u64,
}

impl Position {
    /// In the page's own epoch, after all that there is.
    #[must_use]
    pub fn is_beyond(&self, page: &ChannelPage) -> bool {
        self.epoch == page.epoch.as_str() && self.offset > u64::from(page.top.get())
    }
}

/// What of a channel's history to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// The position alone.
    Position,
    /// Ascending from the publication after this offset.
    After(Offset),
    /// Descending from the publication before this offset.
    Before(Offset),
    /// Descending from the newest.
    Newest,
}

/// Most publications that one recovery may carry (realtime contract, A5).
pub const RECOVERY_MAX: usize = 1_000;
/// Most publications that follow a connect without recovery: the newest of the channel by order of
/// commit. No clock takes part, because a clock that was wrong once would hide what was published then.
pub const LATE_JOIN_MAX: usize = 64;

/// The answer to a client that asked to recover from `(epoch, offset)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// Exactly the publications after the client's offset, up to the page's top.
    Recovered(Vec<Publication>),
    /// Continuity is not proven: none of them, and the client starts at the top.
    NotRecovered,
}

/// Decides a recovery from a page that holds what the store has after `since`
/// (at most [`RECOVERY_MAX`] + 1 publications).
///
/// Contiguity is checked over all offsets, not first and last: a hole in the middle must show.
#[must_use]
pub fn recover(epoch: &str, since: u64, page: &ChannelPage) -> Recovery {
    if epoch.is_empty() && since > 0 || !epoch.is_empty() && epoch != page.epoch.as_str() {
        return Recovery::NotRecovered;
    }
    let Some(since) = Offset::new(since).filter(|s| *s <= page.top) else {
        return Recovery::NotRecovered;
    };
    let missed = (page.top.get() - since.get()) as usize;
    if missed > RECOVERY_MAX || page.publications.len() != missed {
        return Recovery::NotRecovered;
    }
    let contiguous = is_run_after(since, &page.publications);
    if contiguous {
        Recovery::Recovered(page.publications.clone())
    } else {
        Recovery::NotRecovered
    }
}

/// Whether the offsets are `since`+1, `since`+2, ...
#[must_use]
pub fn is_run_after(since: Offset, publications: &[Publication]) -> bool {
    publications
        .iter()
        .zip(since.get() + 1..)
        .all(|(publication, expected)| publication.offset.get() == expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(top: u32, offsets: &[u32]) -> ChannelPage {
        ChannelPage {
            epoch: Epoch::new("abcd").expect("epoch"),
            top: Offset(top),
            publications: offsets
                .iter()
                .map(|o| Publication {
                    offset: Offset(*o),
                    order_id: OrderId::new(7).expect("id"),
                    status: TrackingStatus::Paid,
                    at: Timestamp::default(),
                })
                .collect(),
        }
    }

    fn check(epoch: &str, since: u64, page: &ChannelPage, recovered: Option<usize>) {
        let got = match recover(epoch, since, page) {
            Recovery::Recovered(list) => Some(list.len()),
            Recovery::NotRecovered => None,
        };
        assert_eq!(got, recovered, "epoch {epoch:?} since {since} of {page:?}");
    }

    #[test]
    fn recovers_exactly_or_not_at_all() {
        check("abcd", 3, &page(5, &[4, 5]), Some(2));
        check("abcd", 5, &page(5, &[]), Some(0));
        check("abcd", 0, &page(0, &[]), Some(0));
        check("abcd", 0, &page(2, &[1, 2]), Some(2));
        check("", 0, &page(2, &[1, 2]), Some(2));
        check("", 1, &page(2, &[2]), None);
        check("other", 3, &page(5, &[4, 5]), None);
        check("abcd", 6, &page(5, &[]), None);
        check("abcd", u64::MAX, &page(5, &[]), None);
        check("abcd", 2, &page(5, &[3, 5]), None);
        check("abcd", 1, &page(4, &[2, 4, 3]), None);
        check("abcd", 1, &page(5, &[3, 4, 5]), None);
    }

    #[test]
    fn recovers_a_thousand_and_not_one_more() {
        let offsets: Vec<u32> = (1..=1001).collect();
        check("abcd", 1, &page(1001, &offsets[1..]), Some(1000));
        check("abcd", 0, &page(1001, &offsets), None);
    }

    #[test]
    fn payload_is_what_sdks_parse() {
        let publication = &page(1, &[1]).publications[0];
        assert_eq!(publication.payload(), r#"{"order_id":7,"status":"paid"}"#);
    }
}
