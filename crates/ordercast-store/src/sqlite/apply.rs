//! The hot transaction: one [`Submission`] becomes rows. The rules are the core's; this file only
//! finds the order, asks, and writes what comes back.

use super::{
    beyond::{self, Given},
    credentials, flags, guests,
    identity::{self, Identity},
    inbox,
    memory::{Memory, Receivers},
    numbers::ProjectNumbers,
    query, replay,
    rows::{self, OrderRow, json},
    secrets::Secrets,
    sources as sources_rows,
    storefront::{self, balance, catalogue},
    upkeep, webhooks,
    webhooks::outbox,
};
use crate::{
    Applied, Attention, Change, Committed, CredentialChange, CredentialKind, Found, NewCredential,
    NewOrder, NewProject, Outcome, Project, ProjectChange, Proof, Rung, Secret, Source,
    StorefrontOutcome, StorefrontRefusal, Submission,
};
use ordercast_core::{
    OrderId, ProjectId, Timestamp,
    access::Scopes,
    channel::{Channel, Epoch, Offset, Publication, Sequence},
    ids::{EndpointId, SourceId, Version},
    order::{
        Actor, Cause, Changed, Facets, Order, Request, Rules, Status, TrackingStatus, charge,
        follow, request,
    },
    provider::SourceSettings,
};
use rusqlite::{Connection, OptionalExtension, params};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};
use zeroize::Zeroizing;

/// The changes of one transaction and what they will make public.
pub(super) struct Batch<'a> {
    pub connection: &'a Connection,
    identity: &'a Identity,
    /// See [`identity::HighWater::guard_time`].
    guard_time: Timestamp,
    epoch: Epoch,
    secrets: &'a Secrets,
    memory: &'a mut Memory,
    /// Of the change that is being applied.
    pub at: Timestamp,
    made: Made,
}

/// What a batch makes public once it is on disk.
#[derive(Debug, Default)]
pub(super) struct Made {
    pub committed: Vec<Committed>,
    pub newest_event: Option<i64>,
    /// Of the publications.
    pub newest_position: Option<i64>,
    /// Orders that changed, as they are now.
    pub orders: HashMap<(ProjectId, OrderId), Arc<Found>>,
    /// Orders that are no more.
    pub deleted: Vec<(ProjectId, OrderId)>,
    /// For whoever sends deliveries.
    pub rung: Rung,
    /// Began with this batch, and the epoch that a client brought to prove that it must.
    pub new_epoch: Option<(Epoch, String)>,
    /// By channel key, the newest publication of channels that got some.
    tops: HashMap<i64, Sequence>,
    /// Projects whose numbers are to be written.
    counted: HashSet<ProjectId>,
}

impl<'a> Batch<'a> {
    pub(super) fn new(
        connection: &'a Connection,
        (identity, guard_time): (&'a Identity, Timestamp),
        secrets: &'a Secrets,
        memory: &'a mut Memory,
    ) -> Self {
        Self {
            connection,
            identity,
            guard_time,
            epoch: identity.epoch(),
            secrets,
            memory,
            at: Timestamp::from_millis(0),
            made: Made::default(),
        }
    }

    pub(super) fn finish(mut self) -> rusqlite::Result<Made> {
        self.save_numbers()?;
        Ok(self.made)
    }

    fn save_numbers(&mut self) -> rusqlite::Result<()> {
        for project in self.made.counted.drain() {
            self.memory.save_numbers(self.connection, project)?;
        }
        Ok(())
    }

    /// A client has seen more than there is. Whoever proved it first began the new epoch for all.
    fn begin_epoch(&mut self, proof: &Proof, at: Timestamp) -> rusqlite::Result<Outcome> {
        if self.made.new_epoch.is_some() || !self.identity.is_proven_by(proof) {
            return Ok(Outcome::Nothing);
        }
        self.save_numbers()?;
        let epoch = identity::begin_after(self.connection, self.identity, &proof.epoch, at)?;
        let unseen = beyond::headroom(beyond::age(self.connection, at)?);
        beyond::go_beyond(self.connection, unseen, &Given::default())?;
        self.memory.forget_numbers();
        self.epoch = epoch.clone();
        self.made.new_epoch = Some((epoch, proof.epoch.clone()));
        Ok(Outcome::Nothing)
    }

    pub(super) fn apply(&mut self, submission: &Submission) -> rusqlite::Result<Outcome> {
        self.at = submission.at;
        let Some(idempotency) = &submission.idempotency else {
            return self.change(&submission.change, submission.at);
        };
        if let Some(given) = replay::find(self.connection, &idempotency.key)? {
            return Ok(given);
        }
        let outcome = self.change(&submission.change, submission.at)?;
        let answer = (idempotency.render)(&outcome);
        // What changed nothing is decided again when it is asked again: what stood in its way may be
        // gone by then.
        if answer.is_success() {
            let order_key = match &outcome {
                Outcome::Order(applied) => Some(applied.found.order_key),
                _ => None,
            };
            let key = &idempotency.key;
            // A clock that is behind must not make it old from the beginning.
            let at = submission.at.max(self.guard_time);
            replay::keep(self.connection, key, &answer, order_key, at)?;
        }
        Ok(outcome)
    }

    fn change(&mut self, change: &Change, at: Timestamp) -> rusqlite::Result<Outcome> {
        match change {
            Change::CreateProject(new) => self.create_project(new, at),
            Change::ChangeProject(change) => self.change_project(change),
            Change::CreateOrder(new) => self.create_order(new),
            Change::Request {
                project,
                order,
                request,
                if_version,
                cause,
            } => {
                let Some(row) = self.order(*project, *order)? else {
                    return Ok(Outcome::NotFound);
                };
                self.request(row, request, *if_version, cause)
            }
            Change::Expire { project, order } => match self.order(*project, *order)? {
                Some(row) => upkeep::expire(self, row, at),
                None => Ok(Outcome::NotFound),
            },
            Change::Prune { what, before, keys } => upkeep::delete(self, *what, *before, keys),
            Change::Shrink { pages } => upkeep::shrink(self.connection, *pages),
            Change::Receive(entry) => inbox::receive(self, entry, at),
            Change::Inbox(change) => inbox::apply(self, change, at),
            Change::Storefront(change) => storefront::apply(self.connection, change, at),
            Change::Webhooks(change) => webhooks::apply(self, change, at),
            Change::Sources(change) => sources_rows::apply(self, change, at),
            Change::BeginEpoch(proof) => self.begin_epoch(proof, at),
            Change::Nothing => Ok(Outcome::Nothing),
            Change::Credentials(change) => {
                let outcome = credentials::apply(self.connection, self.secrets, change, at)?;
                if let CredentialChange::EndToken { project, order, .. } = &**change {
                    // The order's first token is part of what readers have in memory.
                    self.reread(*project, *order)?;
                }
                Ok(outcome)
            }
        }
    }

    fn create_project(&mut self, new: &NewProject, at: Timestamp) -> rusqlite::Result<Outcome> {
        let id = match new.id {
            Some(id) => id,
            None => rows::project_id(self.connection.query_row(
                "SELECT coalesce(max(project_id), 0) + 1 FROM projects",
                [],
                |row| row.get(0),
            )?)?,
        };
        let taken_source = |source: &str| {
            self.connection
                .query_row("SELECT 1 FROM sources WHERE source = ?1", [source], |_| {
                    Ok(())
                })
                .optional()
        };
        for (source, _, _) in &new.sources {
            if taken_source(source.as_str())?.is_some() {
                return Ok(Outcome::Exists);
            }
        }
        let inserted = self.connection.execute(
            "INSERT OR IGNORE INTO projects (project_id, name, settings, created_at) \
             VALUES (?1, ?2, ?3, ?4)",
            (id.get(), &new.name, json(&new.settings)?, at.millis()),
        )?;
        if inserted == 0 {
            return Ok(Outcome::Exists);
        }
        let project = Project {
            id,
            name: new.name.clone(),
            settings: new.settings.clone(),
            created_at: at,
        };
        let mut keys = Vec::new();
        for (kind, name, value) in &new.credentials {
            let key = NewCredential {
                kind: *kind,
                name: name.clone(),
                label: name.clone(),
                kid: None,
                scopes: (*kind == CredentialKind::ApiKey).then_some(Scopes::All),
                value: Secret::new(value.clone()),
                key_set: None,
            };
            keys.push(credentials::insert(
                (self.connection, self.secrets),
                id,
                &key,
                "",
                at,
            )?);
        }
        let mut sources = Vec::new();
        for (source, provider, secret) in &new.sources {
            let made = Source {
                id: source.clone(),
                project: id,
                provider: *provider,
                settings: SourceSettings::default(),
                secret: Zeroizing::new(secret.clone()),
                before: None,
                api_key: None,
                created_at: at,
            };
            sources_rows::create(self, &made, at)?;
            sources.push(made);
        }
        for item in &new.items {
            catalogue::put(self.connection, id, item)?;
        }
        Ok(Outcome::Project(Box::new((project, keys, sources))))
    }

    fn change_project(&mut self, change: &ProjectChange) -> rusqlite::Result<Outcome> {
        let Some(mut project) = query::project(self.connection, change.project)? else {
            return Ok(Outcome::NotFound);
        };
        let settings = &mut project.settings;
        project.name = change.name.clone().unwrap_or(project.name);
        settings.complete_on_paid = change.complete_on_paid.unwrap_or(settings.complete_on_paid);
        settings.complete_on_ack = change.complete_on_ack.unwrap_or(settings.complete_on_ack);
        settings.virtual_price_integers = change
            .virtual_price_integers
            .unwrap_or(settings.virtual_price_integers);
        settings.guests = change.guests.unwrap_or(settings.guests);
        settings.order_lifetime_seconds = change
            .order_lifetime_seconds
            .unwrap_or(settings.order_lifetime_seconds);
        self.connection.execute(
            "UPDATE projects SET name = ?2, settings = ?3 WHERE project_id = ?1",
            (project.id.get(), &project.name, json(settings)?),
        )?;
        self.memory.forget_settings(project.id);
        Ok(Outcome::ProjectChanged(Box::new(project)))
    }

    fn create_order(&mut self, new: &NewOrder) -> rusqlite::Result<Outcome> {
        let Some(settings) = self.memory.settings(self.connection, new.project)? else {
            return Ok(Outcome::NotFound);
        };
        let lifetime = new.lifetime.unwrap_or_else(|| settings.order_lifetime());
        if let Some(id) = new.id
            && self.is_taken(new.project, id)?
        {
            return Ok(Outcome::Exists);
        }
        if let Some(price) = &new.content.virtual_price
            && !balance::debit(self.connection, new.project, &new.user, price, new.cause.at)?
        {
            let refusal = StorefrontRefusal::NotEnough;
            return Ok(Outcome::Storefront(StorefrontOutcome::Refused(refusal)));
        }
        let order_key = self.memory.next_order_key(self.connection)?;
        let id = self.take_order_id(new.project, new.id)?;
        let channel_key = self.channel_key(new)?;
        let is_free = new.content.is_free();
        let facets = if is_free {
            Facets::of_free_order()
        } else {
            Facets::default()
        };
        let order = Order {
            project: new.project,
            id,
            user: new.user.clone(),
            mode: new.mode,
            content: new.content.clone(),
            facets,
            version: Version::FIRST,
            created_at: new.cause.at,
            updated_at: new.cause.at,
            expires_at: new.cause.at.plus(lifetime),
        };
        let status = order.status();
        let (content, facets) = (json(&order.content)?, json(&order.facets)?);
        self.connection
            .prepare_cached(
                "INSERT INTO orders (order_key, project_id, order_id, channel_key, mode, status, \
                 version, content, facets, token_hash, created_at, updated_at, expires_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            )?
            .execute(params![
                order_key,
                order.project.get(),
                order.id.get(),
                channel_key,
                rows::mode_text(order.mode),
                status.as_str(),
                order.version.get(),
                content,
                facets,
                new.token_hash,
                order.created_at.millis(),
                order.updated_at.millis(),
                order.expires_at.millis(),
            ])?;
        guests::remember(self.connection, &order, order_key)?;
        let mut row = OrderRow {
            order,
            order_key,
            channel_key,
            token_hash: new.token_hash.map(Vec::from),
            text_bytes: content.len() + facets.len(),
        };
        self.record(&row, None, true, &new.cause)?;
        if row.order.content.virtual_price.is_some() {
            self.charge(&mut row, new.cause.at)?;
        }
        inbox::apply_parked(self, &mut row)?;
        self.applied(row)
    }

    fn request(
        &mut self,
        mut row: OrderRow,
        asked: &Request,
        if_version: Option<Version>,
        cause: &Cause,
    ) -> rusqlite::Result<Outcome> {
        let (status, version) = (row.order.status(), row.order.version);
        if if_version.is_some_and(|wanted| wanted != version) {
            return Ok(Outcome::VersionMismatch { status, version });
        }
        match request(&row.order, asked, cause) {
            Err(refusal) => Ok(Outcome::Refused {
                refusal,
                status,
                version,
            }),
            Ok(changed) => {
                self.store(&mut row, changed, cause)?;
                self.applied(row)
            }
        }
    }

    /// Writes a new version of an order, and what the project's rules make follow from it.
    pub(super) fn store(
        &mut self,
        row: &mut OrderRow,
        changed: Changed,
        cause: &Cause,
    ) -> rusqlite::Result<()> {
        let to = changed.to;
        self.store_one(row, changed, cause)?;
        // Only a paid order has consequences.
        if to != Status::Paid {
            return Ok(());
        }
        let rules = self
            .memory
            .settings(self.connection, row.order.project)?
            .map_or_else(Rules::default, |settings| settings.rules());
        while let Some((next, rule, reason)) = follow(&row.order, rules, cause.at) {
            let cause = Cause {
                actor: Actor::Rule(rule),
                reason: reason.to_owned(),
                at: cause.at,
            };
            self.store_one(row, next, &cause)?;
        }
        Ok(())
    }

    /// The balance was debited: the order goes its whole way in this transaction.
    fn charge(&mut self, row: &mut OrderRow, at: Timestamp) -> rusqlite::Result<()> {
        for (changed, reason) in charge(&row.order, at)
            .into_iter()
            .zip(["paid out of the balance", "needs no delivery by the shop"])
        {
            let cause = Cause {
                actor: Actor::Rule("virtual_currency"),
                reason: reason.to_owned(),
                at,
            };
            self.store_one(row, changed, &cause)?;
        }
        Ok(())
    }

    fn store_one(
        &mut self,
        row: &mut OrderRow,
        changed: Changed,
        cause: &Cause,
    ) -> rusqlite::Result<()> {
        let visible = changed.is_visible();
        let from = changed.from;
        assert_eq!(
            changed.order.version,
            row.order.version.next(),
            "versions have no gaps"
        );
        let before = std::mem::replace(&mut row.order, changed.order);
        let facets = json(&row.order.facets)?;
        // Facets only grow, but for a few bytes: so it is never far below what they are.
        row.text_bytes = row.text_bytes.max(facets.len());
        let updated = self
            .connection
            .prepare_cached(
                "UPDATE orders SET status = ?2, version = ?3, facets = ?4, updated_at = ?5 \
                 WHERE order_key = ?1 AND version = ?3 - 1",
            )?
            .execute(params![
                row.order_key,
                changed.to.as_str(),
                row.order.version.get(),
                facets,
                row.order.updated_at.millis(),
            ])?;
        assert_eq!(updated, 1, "only the writer changes orders");
        if row.order.content != before.content {
            self.connection
                .prepare_cached("UPDATE orders SET content = ?2 WHERE order_key = ?1")?
                .execute((row.order_key, json(&row.order.content)?))?;
        }
        flags::changed(self.connection, row, &before.facets.flags)?;
        if changed.to == Status::Canceled && from != Status::Canceled {
            balance::give_back(self.connection, &row.order, cause.at)?;
        }
        self.record(row, Some(&before), visible, cause)
    }

    /// Version, publication and events of the order's current state.
    fn record(
        &mut self,
        row: &OrderRow,
        before: Option<&Order>,
        visible: bool,
        cause: &Cause,
    ) -> rusqlite::Result<()> {
        let order = &row.order;
        let status = order.status();
        let offset = if visible {
            Some(self.publish(row, status.tracking())?)
        } else {
            None
        };
        let events = self.write_events(row, before)?;
        self.connection
            .prepare_cached(
                "INSERT INTO order_versions (order_key, version, status, actor, reason, at, \"offset\", \
                 event_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                row.order_key,
                order.version.get(),
                status.as_str(),
                cause.actor.to_string(),
                cause.reason,
                order.updated_at.millis(),
                offset.map(Offset::get),
                events.first().map(|event| event.id),
            ])?;
        for event in events {
            outbox::enqueue(self, row, event)?;
        }
        let key = (order.project, order.id);
        let found = Arc::new(Found::new(row.clone()));
        self.made.orders.insert(key, found);
        Ok(())
    }

    /// Takes the channel's next offset inside the transaction and appends the publication there.
    fn publish(&mut self, row: &OrderRow, status: TrackingStatus) -> rusqlite::Result<Offset> {
        let sequence = self
            .connection
            .prepare_cached(
                "UPDATE channels SET top = top + 1 WHERE channel_key = ?1 RETURNING top",
            )?
            .query_row([row.channel_key], |row| rows::sequence(row.get(0)?))?;
        self.made.tops.insert(row.channel_key, sequence);
        let offset = sequence.offset();
        let publication = Publication {
            offset,
            order_id: row.order.id,
            status,
            at: row.order.updated_at,
        };
        self.connection
            .prepare_cached(
                "INSERT INTO publications (channel_key, \"offset\", order_id, status, at) \
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                row.channel_key,
                sequence.get(),
                publication.order_id.get(),
                status.as_str(),
                publication.at.millis(),
            ])?;
        self.made.newest_position = Some(self.connection.last_insert_rowid());
        self.made.committed.push(Committed {
            channel: Channel {
                project: row.order.project,
                user: row.order.user.clone(),
            },
            epoch: self.epoch.rolled(sequence.roll()),
            publication,
        });
        Ok(offset)
    }

    /// The answer about an order that was changed.
    pub(super) fn applied(&self, row: OrderRow) -> rusqlite::Result<Outcome> {
        let top = match self.made.tops.get(&row.channel_key) {
            Some(top) => *top,
            None => self
                .connection
                .prepare_cached("SELECT top FROM channels WHERE channel_key = ?1")?
                .query_row([row.channel_key], |row| rows::sequence(row.get(0)?))?,
        };
        let key = (row.order.project, row.order.id);
        let found = match self.made.orders.get(&key) {
            Some(found) => Arc::clone(found),
            None => Arc::new(Found::new(row)),
        };
        Ok(Outcome::Order(Box::new(Applied {
            found,
            epoch: self.epoch.rolled(top.roll()),
            offset: top.offset(),
        })))
    }

    /// Who is told of a project's events.
    pub(super) fn receivers(&mut self, project: ProjectId) -> rusqlite::Result<Receivers> {
        self.memory.receivers(self.connection, project)
    }

    pub(super) fn forget_receivers(&mut self, project: ProjectId) {
        self.memory.forget_receivers(project);
        self.made.rung.is_anew = true;
    }

    /// What a sender has read ahead of this endpoint no longer holds once this is committed.
    pub(super) fn ring_stale(&mut self, endpoint: EndpointId) {
        self.made.rung.stale.insert(endpoint);
    }

    /// The endpoint has something to send once this is committed.
    pub(super) fn ring(&mut self, endpoint: EndpointId) {
        self.made.rung.endpoints.insert(endpoint);
    }

    /// Whether the operator was not told the same of this source for a while.
    pub(super) fn may_tell(
        &mut self,
        source: &SourceId,
        attention: Attention,
        at: Timestamp,
        every: Duration,
    ) -> bool {
        self.memory.may_tell(source, attention, at, every)
    }

    /// Nobody may find it in memory once this is committed.
    pub(super) fn deleted(&mut self, order: &Order) {
        self.made.deleted.push((order.project, order.id));
    }

    pub(super) fn completes_on_ack(&mut self, project: ProjectId) -> rusqlite::Result<bool> {
        let settings = self.memory.settings(self.connection, project)?;
        Ok(settings.is_some_and(|settings| settings.complete_on_ack))
    }

    /// The time by which what guards money grows old, see [`identity::HighWater::guard_time`].
    pub(super) const fn guard_time(&self) -> Timestamp {
        self.guard_time
    }

    pub(super) const fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    pub(super) const fn wrote_event(&mut self, id: i64) {
        self.made.newest_event = Some(id);
    }

    pub(super) fn secrets(&self) -> &'a Secrets {
        self.secrets
    }

    fn reread(&mut self, project: ProjectId, id: OrderId) -> rusqlite::Result<()> {
        if let Some(row) = rows::order_by_id(self.connection, project, id)? {
            let found = Arc::new(Found::new(row));
            self.made.orders.insert((project, id), found);
        }
        Ok(())
    }

    /// As this batch left it, else as it was committed.
    pub(super) fn order(
        &self,
        project: ProjectId,
        id: OrderId,
    ) -> rusqlite::Result<Option<OrderRow>> {
        if let Some(found) = self.made.orders.get(&(project, id)) {
            return Ok(Some(found.row()));
        }
        if let Some(found) = self.memory.cache.get(project, id) {
            return Ok(Some(found.row()));
        }
        rows::order_by_id(self.connection, project, id)
    }

    /// As [`Batch::order`], by the internal key.
    pub(super) fn order_by_key(&self, order_key: i64) -> rusqlite::Result<Option<OrderRow>> {
        if let Some(found) = self.memory.cache.get_by_key(order_key) {
            return self.order(found.order.project, found.order.id);
        }
        rows::order_by_key(self.connection, order_key)
    }

    fn channel_key(&self, new: &NewOrder) -> rusqlite::Result<i64> {
        let channel = (new.project.get(), new.user.as_str());
        let found = self
            .connection
            .prepare_cached(
                "SELECT channel_key FROM channels WHERE project_id = ?1 AND user_id = ?2",
            )?
            .query_row(channel, |row| row.get(0))
            .optional()?;
        if let Some(key) = found {
            return Ok(key);
        }
        self.connection
            .prepare_cached("INSERT INTO channels (project_id, user_id, top) VALUES (?1, ?2, 0)")?
            .execute(channel)?;
        Ok(self.connection.last_insert_rowid())
    }

    fn is_taken(&self, project: ProjectId, id: OrderId) -> rusqlite::Result<bool> {
        self.connection
            .prepare_cached("SELECT 1 FROM orders WHERE project_id = ?1 AND order_id = ?2")?
            .exists((project.get(), id.get()))
    }

    /// `asked`, which must be free, or the next one.
    fn take_order_id(
        &mut self,
        project: ProjectId,
        asked: Option<OrderId>,
    ) -> rusqlite::Result<OrderId> {
        let connection = self.connection;
        let numbers = self.numbers(project)?;
        match asked {
            Some(id) => numbers.take(connection, project, id).map(|()| id),
            None => numbers.next_order(connection, project),
        }
    }

    /// Written with this batch.
    pub(super) fn numbers(&mut self, project: ProjectId) -> rusqlite::Result<&mut ProjectNumbers> {
        self.made.counted.insert(project);
        self.memory.numbers(self.connection, project)
    }
}
