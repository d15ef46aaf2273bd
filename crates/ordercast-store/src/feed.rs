//! Where a reader of a project's event feed stands, and whether the feed can go on from there.

use crate::{Change, Failure, Proof, Store, Submission, sqlite::numbers};
use ordercast_core::{ProjectId, Timestamp};
use std::{fmt, str::FromStr};

/// After an event of a project. With the epoch in which the reader got it, or without.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeedCursor {
    pub epoch: Option<String>,
    pub after: i64,
}

impl FeedCursor {
    /// JSON's greatest whole number: after all events that there are and will be.
    pub const END: i64 = (1 << 53) - 1;
}

impl fmt::Display for FeedCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.epoch {
            Some(epoch) => write!(f, "{epoch}-{}", self.after),
            None => self.after.fmt(f),
        }
    }
}

/// A number from 0 on, or an epoch, `-` and such a number.
impl FromStr for FeedCursor {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const RULE: &str = "must be a `cursor` or an event's id that the feed gave";
        let (epoch, after) = match text.split_once('-') {
            Some((epoch, after)) => (Some(epoch), after),
            None => (None, text),
        };
        let is_number = !after.is_empty() && after.bytes().all(|byte| byte.is_ascii_digit());
        let is_epoch = |epoch: &str| {
            (1..=16).contains(&epoch.len()) && epoch.bytes().all(|b| b.is_ascii_alphanumeric())
        };
        let after = after.parse().ok().filter(|n| is_number && *n <= Self::END);
        match (epoch, after) {
            (Some(epoch), Some(after)) if is_epoch(epoch) => Ok(Self {
                epoch: Some(epoch.to_owned()),
                after,
            }),
            (None, Some(after)) => Ok(Self { epoch: None, after }),
            _ => Err(RULE),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedPlace {
    /// The feed goes on from the cursor.
    Here,
    /// The cursor is of a state that was lost. What the feed has after this event the reader cannot have
    /// seen for sure.
    Lost { begin_after: i64 },
}

impl Store {
    /// Whether the feed goes on from a cursor. One that proves that the database was put back begins a
    /// new epoch first.
    ///
    /// # Errors
    /// [`Failure`] as for every read, and when the new epoch could not be written.
    pub async fn feed_place(
        &self,
        project: ProjectId,
        cursor: &FeedCursor,
        now: Timestamp,
    ) -> Result<FeedPlace, Failure> {
        let (asked, present) = (cursor.clone(), self.epoch().to_string());
        let (place, newest) = self
            .read_short(project, move |connection| {
                numbers::place(connection, project, &asked, &present)
            })
            .await?;
        if let Some(epoch) = &cursor.epoch {
            let proof = Proof {
                epoch: epoch.clone(),
                is_beyond_top: cursor.after > newest,
            };
            if self.identity().is_proven_by(&proof) {
                let submission = Submission {
                    change: Change::BeginEpoch(Box::new(proof)),
                    at: now,
                    idempotency: None,
                };
                self.submit(submission).await?;
            }
        }
        Ok(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_come_back_as_they_were_given() {
        for text in [
            "0",
            "42",
            "9007199254740991",
            "abcdefghijklm-42",
            "abcdefgh1-0",
        ] {
            let cursor: FeedCursor = text.parse().expect("a cursor");
            assert_eq!(cursor.to_string(), text);
        }
        for bad in [
            "",
            "-1",
            "+1",
            "x",
            "a-",
            "a-b",
            "a b-1",
            "9007199254740992",
            "1-2-3",
        ] {
            assert!(bad.parse::<FeedCursor>().is_err(), "{bad}");
        }
    }
}
