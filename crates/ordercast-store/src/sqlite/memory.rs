//! What the writer remembers between batches, so that it need not ask the database. It is the only
//! one who changes orders and projects; what a failed batch may have left here is forgotten.

use super::{numbers::ProjectNumbers, query, webhooks::endpoints};
use crate::{Attention, EndpointSettings, Settings, cache::OrderCache};
use ordercast_core::{
    ProjectId, Timestamp,
    ids::{EndpointId, SourceId},
};
use rusqlite::Connection;
use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
    time::Duration,
};

/// An endpoint as the writer needs it.
#[derive(Debug)]
pub(super) struct Receiver {
    pub endpoint: EndpointId,
    pub settings: EndpointSettings,
    pub is_enabled: bool,
    pub created_at: Timestamp,
}

/// A project's endpoints that have not ended.
pub(super) type Receivers = Arc<[Arc<Receiver>]>;

#[derive(Debug)]
pub(super) struct Memory {
    pub cache: Arc<OrderCache>,
    /// Bound: projects are made by the operator only.
    settings: HashMap<ProjectId, Settings>,
    receivers: HashMap<ProjectId, Receivers>,
    numbers: HashMap<ProjectId, ProjectNumbers>,
    last_order_key: Option<i64>,
    /// When the operator was last told of a source's events. Bound: sources are made by projects'
    /// administrators, a limited number each.
    told: HashMap<(SourceId, Attention), Timestamp>,
}

impl Memory {
    pub(super) fn new(cache: Arc<OrderCache>) -> Self {
        Self {
            cache,
            settings: HashMap::new(),
            receivers: HashMap::new(),
            numbers: HashMap::new(),
            last_order_key: None,
            told: HashMap::new(),
        }
    }

    pub(super) fn may_tell(
        &mut self,
        source: &SourceId,
        attention: Attention,
        at: Timestamp,
        every: Duration,
    ) -> bool {
        let last = self.told.entry((source.clone(), attention));
        match last {
            Entry::Occupied(last) if at < last.get().plus(every) && *last.get() <= at => false,
            Entry::Occupied(mut last) => {
                last.insert(at);
                true
            }
            Entry::Vacant(place) => {
                place.insert(at);
                true
            }
        }
    }

    pub(super) fn forget(&mut self) {
        self.settings.clear();
        self.receivers.clear();
        self.numbers.clear();
        self.last_order_key = None;
        self.told.clear();
    }

    /// `None`: there is no such project.
    pub(super) fn settings(
        &mut self,
        connection: &Connection,
        project: ProjectId,
    ) -> rusqlite::Result<Option<&Settings>> {
        match self.settings.entry(project) {
            Entry::Occupied(known) => Ok(Some(known.into_mut())),
            Entry::Vacant(place) => Ok(query::project_settings(connection, project)?
                .map(|settings| &*place.insert(settings))),
        }
    }

    pub(super) fn forget_settings(&mut self, project: ProjectId) {
        self.settings.remove(&project);
    }

    pub(super) fn receivers(
        &mut self,
        connection: &Connection,
        project: ProjectId,
    ) -> rusqlite::Result<Receivers> {
        match self.receivers.entry(project) {
            Entry::Occupied(known) => Ok(Arc::clone(known.get())),
            Entry::Vacant(place) => {
                let receivers = endpoints::receivers(connection, project)?.into();
                Ok(Arc::clone(place.insert(receivers)))
            }
        }
    }

    pub(super) fn forget_receivers(&mut self, project: ProjectId) {
        self.receivers.remove(&project);
    }

    /// The next key of all orders.
    pub(super) fn next_order_key(&mut self, connection: &Connection) -> rusqlite::Result<i64> {
        let last = match self.last_order_key {
            Some(last) => last,
            None => connection.query_row(
                "SELECT coalesce(max(order_key), 0) FROM orders",
                [],
                |row| row.get(0),
            )?,
        };
        self.last_order_key = Some(last + 1);
        Ok(last + 1)
    }

    /// What a project has given out.
    pub(super) fn numbers(
        &mut self,
        connection: &Connection,
        project: ProjectId,
    ) -> rusqlite::Result<&mut ProjectNumbers> {
        match self.numbers.entry(project) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(place) => Ok(place.insert(ProjectNumbers::load(connection, project)?)),
        }
    }

    /// Writes what was given out since it was written last.
    pub(super) fn save_numbers(
        &mut self,
        connection: &Connection,
        project: ProjectId,
    ) -> rusqlite::Result<()> {
        match self.numbers.get_mut(&project) {
            Some(numbers) => numbers.save(connection, project),
            None => Ok(()),
        }
    }

    pub(super) fn forget_numbers(&mut self) {
        self.numbers.clear();
    }
}
