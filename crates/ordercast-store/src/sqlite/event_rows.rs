//! Rows of events: how a change writes them, and how they are read by the feed, by deliveries and by
//! buyers' clients.

use super::{
    apply::Batch,
    rows::{OrderRow, corrupt, json},
    webhooks::outbox,
};
use ordercast_core::{
    Timestamp,
    delivery::{EventFacts, Happening, Mode, happenings, notifications},
    ids::Version,
    order::{Order, Status},
};
use rusqlite::{Row, params};

/// Of `events e` and its `order_versions v`, as [`event_facts`] reads them.
pub(super) const EVENT_FIELDS: &str = "e.number, e.type, e.version, e.previous_status, e.at, \
     v.status, v.reason, e.public_id, e.details";
/// How many [`EVENT_FIELDS`] has.
pub(super) const EVENT_FIELDS_COUNT: usize = 9;
/// What the events of `order_versions v` are.
pub(super) const EVENT_VERSION: &str =
    "JOIN order_versions v ON v.order_key = e.order_key AND v.version = e.version";

pub(super) fn event_facts(row: &Row, first: usize) -> rusqlite::Result<EventFacts> {
    let previous: Option<String> = row.get(first + 3)?;
    let status: String = row.get(first + 5)?;
    let details: Option<String> = row.get(first + 8)?;
    Ok(EventFacts {
        id: row.get(first)?,
        kind: row.get(first + 1)?,
        version: Version::new(row.get(first + 2)?).map_err(|_| corrupt("events.version"))?,
        previous_status: previous
            .map(|status| status.parse())
            .transpose()
            .map_err(|()| corrupt("events.previous_status"))?,
        at: Timestamp::from_millis(row.get(first + 4)?),
        status: status
            .parse()
            .map_err(|()| corrupt("order_versions.status"))?,
        reason: row.get(first + 6)?,
        public_id: row.get(first + 7)?,
        details: details
            .map(|details| serde_json::from_str(&details))
            .transpose()
            .map_err(|_| corrupt("events.details"))?,
    })
}

impl Batch<'_> {
    /// All that a change of an order is told as, the event of its status first.
    pub(super) fn write_events(
        &mut self,
        row: &OrderRow,
        before: Option<&Order>,
    ) -> rusqlite::Result<Vec<outbox::Event>> {
        let was_sold = self.was_sold(row, before)?;
        let from = before.map(Order::status);
        happenings(before, &row.order, was_sold)
            .iter()
            .map(|happening| {
                Ok(outbox::Event {
                    id: self.write_event(row, happening, from)?,
                    kind: happening.kind,
                    from,
                })
            })
            .collect()
    }

    /// Whether the order was paid at some time before, and is not any more.
    fn was_sold(&self, row: &OrderRow, before: Option<&Order>) -> rusqlite::Result<bool> {
        let Some(before) = before else {
            return Ok(false);
        };
        let is_sold = |order: &Order| matches!(order.status(), Status::Paid | Status::Done);
        // Most orders are paid by their first change.
        if is_sold(before) || !is_sold(&row.order) || before.version == Version::FIRST {
            return Ok(false);
        }
        self.connection
            .prepare_cached(
                "SELECT 1 FROM order_versions WHERE order_key = ?1 AND status IN ('paid', 'done') \
                 LIMIT 1",
            )?
            .exists([row.order_key])
    }

    fn write_event(
        &mut self,
        row: &OrderRow,
        happening: &Happening,
        from: Option<Status>,
    ) -> rusqlite::Result<i64> {
        let order = &row.order;
        let mode = Mode::ReferenceCombined;
        // In the combined mode an event has one notification at most.
        let told = notifications(mode, happening.kind, from, order).first();
        let number = self.numbers(order.project)?.next_event();
        // With the project: a receiver may hear of several.
        let public_id = format!("evt_{}_{}_{number}", self.epoch(), order.project);
        self.connection
            .prepare_cached(
                "INSERT INTO events (project_id, order_key, version, type, previous_status, at, \
                 number, public_id, details, channel_key, told) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            )?
            .execute(params![
                order.project.get(),
                row.order_key,
                order.version.get(),
                happening.kind,
                from.map(Status::as_str),
                order.updated_at.millis(),
                number,
                public_id,
                json(&happening.details)?,
                told.map(|_| row.channel_key),
                told.map(|told| told.as_str()),
            ])?;
        let id = self.connection.last_insert_rowid();
        self.wrote_event(id);
        Ok(id)
    }
}
