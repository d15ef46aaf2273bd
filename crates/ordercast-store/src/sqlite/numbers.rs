//! Order numbers and event numbers: counted by project, each given out once.
//!
//! A shop may bring order numbers of its own. Those ahead of the count are kept as runs without a gap, so
//! that the count passes any number of them with one look: work in the writer does not depend on what a
//! tenant brought along.

use super::rows;
use crate::feed::{FeedCursor, FeedPlace};
use ordercast_core::{OrderId, ProjectId, ids::INT_MAX};
use rusqlite::{Connection, OptionalExtension};

/// Numbers that we give out begin above this, so that every one has as many digits as SDK logs expect of
/// an order number; numbers that a shop brings along may be any.
const ORDERS_BEGIN_ABOVE: i64 = 1_000_000;

/// What one project has given out, as the writer has it in memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct ProjectNumbers {
    last_order: i64,
    last_event: i64,
    /// Where the next run of taken numbers begins.
    next_taken: i64,
    /// Not written yet.
    is_changed: bool,
}

impl ProjectNumbers {
    pub(super) fn load(connection: &Connection, project: ProjectId) -> rusqlite::Result<Self> {
        let found = connection
            .prepare_cached(
                "SELECT last_order, last_event FROM project_numbers WHERE project_id = ?1",
            )?
            .query_row([project.get()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let (last_order, last_event) = found.unwrap_or((ORDERS_BEGIN_ABOVE, 0));
        let mut numbers = Self {
            last_order,
            last_event,
            next_taken: 0,
            is_changed: false,
        };
        numbers.find_next_taken(connection, project)?;
        Ok(numbers)
    }

    pub(super) fn save(
        &mut self,
        connection: &Connection,
        project: ProjectId,
    ) -> rusqlite::Result<()> {
        if !std::mem::take(&mut self.is_changed) {
            return Ok(());
        }
        connection
            .prepare_cached(
                "INSERT INTO project_numbers (project_id, last_order, last_event) \
                 VALUES (?1, ?2, ?3) ON CONFLICT (project_id) \
                 DO UPDATE SET last_order = ?2, last_event = ?3",
            )?
            .execute((project.get(), self.last_order, self.last_event))?;
        Ok(())
    }

    pub(super) fn next_event(&mut self) -> i64 {
        self.is_changed = true;
        self.last_event += 1;
        self.last_event
    }

    pub(super) fn next_order(
        &mut self,
        connection: &Connection,
        project: ProjectId,
    ) -> rusqlite::Result<OrderId> {
        let mut next = self.last_order + 1;
        if next >= self.next_taken {
            next = self.pass_run(connection, project)?;
        }
        let id = rows::order_id(next)?;
        self.last_order = next;
        self.is_changed = true;
        Ok(id)
    }

    /// The number after the run that the count has reached.
    fn pass_run(&mut self, connection: &Connection, project: ProjectId) -> rusqlite::Result<i64> {
        let last: i64 = connection
            .prepare_cached(
                "DELETE FROM taken_order_numbers WHERE project_id = ?1 AND first = ?2 \
                 RETURNING last",
            )?
            .query_row((project.get(), self.next_taken), |row| row.get(0))?;
        self.last_order = last;
        self.find_next_taken(connection, project)?;
        Ok(last + 1)
    }

    /// A number that a shop brought along and that no order of the project has.
    pub(super) fn take(
        &mut self,
        connection: &Connection,
        project: ProjectId,
        number: OrderId,
    ) -> rusqlite::Result<()> {
        let number = i64::from(number.get());
        if number <= self.last_order {
            return Ok(());
        }
        let project_id = project.get();
        let before: Option<(i64, i64)> = connection
            .prepare_cached(
                "SELECT first, last FROM taken_order_numbers WHERE project_id = ?1 AND first <= ?2 \
                 ORDER BY first DESC LIMIT 1",
            )?
            .query_row((project_id, number), |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        // Of an order that was deleted since.
        if before.is_some_and(|(_, last)| last >= number) {
            return Ok(());
        }
        let behind: Option<i64> = connection
            .prepare_cached(
                "DELETE FROM taken_order_numbers WHERE project_id = ?1 AND first = ?2 \
                 RETURNING last",
            )?
            .query_row((project_id, number + 1), |row| row.get(0))
            .optional()?;
        let first = match before {
            Some((first, last)) if last == number - 1 => first,
            _ => number,
        };
        connection
            .prepare_cached(
                "INSERT INTO taken_order_numbers (project_id, first, last) VALUES (?1, ?2, ?3) \
                 ON CONFLICT (project_id, first) DO UPDATE SET last = ?3",
            )?
            .execute((project_id, first, behind.unwrap_or(number)))?;
        self.next_taken = if self.next_taken == number + 1 {
            first
        } else {
            self.next_taken.min(first)
        };
        Ok(())
    }

    fn find_next_taken(
        &mut self,
        connection: &Connection,
        project: ProjectId,
    ) -> rusqlite::Result<()> {
        let next: Option<i64> = connection
            .prepare_cached(
                "SELECT first FROM taken_order_numbers WHERE project_id = ?1 ORDER BY first LIMIT 1",
            )?
            .query_row([project.get()], |row| row.get(0))
            .optional()?;
        self.next_taken = next.unwrap_or(i64::from(INT_MAX) + 1);
        Ok(())
    }
}

/// The newest event number of a project; 0 for none.
pub(crate) fn newest_event(connection: &Connection, project: ProjectId) -> rusqlite::Result<i64> {
    let newest = connection
        .prepare_cached("SELECT last_event FROM project_numbers WHERE project_id = ?1")?
        .query_row([project.get()], |row| row.get(0))
        .optional()?;
    Ok(newest.unwrap_or(0))
}

/// Where a cursor stands in the feed of a project, and the newest event's number. `present`: the epoch.
pub(crate) fn place(
    connection: &Connection,
    project: ProjectId,
    cursor: &FeedCursor,
    present: &str,
) -> rusqlite::Result<(FeedPlace, i64)> {
    let newest = newest_event(connection, project)?;
    let lost = |begin_after| Ok((FeedPlace::Lost { begin_after }, newest));
    if let Some(epoch) = cursor.epoch.as_deref().filter(|epoch| *epoch != present) {
        // What came before the epoch after it is in both; of an epoch that is not known nothing is.
        let common: Option<i64> = connection
            .prepare_cached(
                "SELECT min(s.after) FROM skipped_events s WHERE s.project_id = ?1 \
                 AND s.epoch_id > (SELECT epoch_id FROM epochs WHERE epoch = ?2)",
            )?
            .query_row((project.get(), epoch), |row| row.get(0))?;
        return lost(common.unwrap_or(0).min(cursor.after));
    }
    if cursor.after == FeedCursor::END {
        return Ok((FeedPlace::Here, newest));
    }
    if cursor.after > newest {
        return lost(0);
    }
    let skipped: Option<i64> = connection
        .prepare_cached(
            "SELECT after FROM skipped_events \
             WHERE project_id = ?1 AND after < ?2 AND until > ?2",
        )?
        .query_row((project.get(), cursor.after), |row| row.get(0))
        .optional()?;
    match skipped {
        Some(after) => lost(after),
        None => Ok((FeedPlace::Here, newest)),
    }
}
