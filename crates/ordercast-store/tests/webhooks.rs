//! Lanes of deliveries through the store's public surface: whatever happens, nothing overtakes what
//! comes before it, and nothing is forgotten.

use ordercast_core::{
    OrderId, ProjectId, Sku, Timestamp, UserId,
    delivery::{CustomHeaders, Mode, Notification, Schedule, Verdict},
    ids::EndpointId,
    money::{Currency, Money},
    order::{Actor, Cause, Content, Item, Mode as OrderMode, Request, Target},
};
use ordercast_store::{
    Acknowledger, AttemptResult, Attempted, Change, DeliveryFilter, DeliveryRow, DeliveryState,
    Due, Endpoint, EndpointSettings, Feed, NewEndpoint, NewOrder, NewProject, NotNow, Outcome,
    Prune, Secret, Settings, Store, Submission, WebhookChange, WebhookOutcome,
};
use proptest::prelude::*;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::Duration,
};

const AT: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const MODES: [Mode; 2] = [Mode::Standard, Mode::ReferenceSeparate];

fn project() -> ProjectId {
    ProjectId::new(7).expect("id")
}

fn open(path: &Path) -> Store {
    Store::open(path, AT, 42, |_| {}).expect("open")
}

#[derive(Clone, Debug)]
enum Op {
    Create,
    /// An order takes its next step: paid, done, canceled.
    Step(usize),
    /// The first that is due is attempted.
    Attempt(usize, Answer),
    /// The same, but its end is heard of later.
    Begin(usize),
    Report(usize, Answer),
    /// The attempt that was reported last is reported again.
    ReportAgain,
    Wait(u64),
    Resend(usize),
    Recover(usize),
    Replay(usize),
    Disable(usize),
    Enable(usize),
    Acknowledge(usize),
    Reopen,
}

#[derive(Clone, Copy, Debug)]
enum Answer {
    Accepted,
    Retry,
    Refused,
    Gone,
    None,
}

fn any_op() -> impl Strategy<Value = Op> {
    let answer = prop_oneof![
        5 => Just(Answer::Accepted),
        4 => Just(Answer::Retry),
        2 => Just(Answer::Refused),
        1 => Just(Answer::Gone),
        2 => Just(Answer::None),
    ];
    let endpoint = || 0..MODES.len();
    let late_answer = answer.clone();
    prop_oneof![
        3 => Just(Op::Create),
        6 => (0..64_usize).prop_map(Op::Step),
        12 => (endpoint(), answer).prop_map(|(endpoint, answer)| Op::Attempt(endpoint, answer)),
        4 => endpoint().prop_map(Op::Begin),
        4 => (0..8_usize, late_answer).prop_map(|(pick, answer)| Op::Report(pick, answer)),
        1 => Just(Op::ReportAgain),
        4 => (1..20_u64).prop_map(Op::Wait),
        1 => (0..64_usize).prop_map(Op::Resend),
        1 => endpoint().prop_map(Op::Recover),
        1 => endpoint().prop_map(Op::Replay),
        1 => endpoint().prop_map(Op::Disable),
        2 => endpoint().prop_map(Op::Enable),
        1 => (0..64_usize).prop_map(Op::Acknowledge),
        1 => Just(Op::Reopen),
    ]
}

struct World {
    path: PathBuf,
    store: Option<Store>,
    now: Timestamp,
    endpoints: Vec<EndpointId>,
    /// With the steps taken.
    orders: Vec<(OrderId, usize)>,
    last: Option<Attempted>,
    /// Attempts whose end was not heard of, with the endpoint of each.
    running: Vec<(usize, Due)>,
    /// Events that came while the endpoint was enabled, or were replayed.
    told: Vec<BTreeSet<i64>>,
    events: i64,
}

impl World {
    async fn begin(path: PathBuf) -> Self {
        let mut world = Self {
            store: Some(open(&path)),
            path,
            now: AT,
            endpoints: Vec::new(),
            orders: Vec::new(),
            last: None,
            running: Vec::new(),
            told: vec![BTreeSet::new(); MODES.len()],
            events: 0,
        };
        let new = NewProject {
            id: Some(project()),
            name: "Test".to_owned(),
            settings: Settings {
                complete_on_ack: false,
                ..Settings::default()
            },
            credentials: Vec::new(),
            sources: Vec::new(),
            items: Vec::new(),
        };
        world.submit(Change::CreateProject(Box::new(new))).await;
        for mode in MODES {
            let settings = EndpointSettings {
                url: "https://shop.example/".to_owned(),
                description: String::new(),
                mode,
                has_item_flags: false,
                event_types: Vec::new(),
                schedule: Schedule::new(vec![1, 5]).expect("schedule"),
                rate: None,
                concurrency: 4,
                completes: false,
            };
            let change = WebhookChange::CreateEndpoint(Box::new(NewEndpoint {
                project: project(),
                settings,
                completes: Some(true),
                headers: CustomHeaders::default(),
                secret: Secret::new(b"whsec_".to_vec()),
            }));
            let WebhookOutcome::Endpoint(made) = world.webhooks(change).await else {
                panic!("no endpoint")
            };
            world.endpoints.push(made.id);
        }
        world
    }

    fn store(&self) -> &Store {
        self.store.as_ref().expect("open")
    }

    async fn submit(&self, change: Change) -> Outcome {
        let submission = Submission {
            change,
            at: self.now,
            idempotency: None,
        };
        self.store().submit(submission).await.expect("committed")
    }

    async fn webhooks(&self, change: WebhookChange) -> WebhookOutcome {
        match self.submit(Change::Webhooks(Box::new(change))).await {
            Outcome::Webhooks(outcome) => outcome,
            other => panic!("{other:?}"),
        }
    }

    fn cause(&self) -> Cause {
        Cause {
            actor: Actor::ApiKey("test".to_owned()),
            reason: "test".to_owned(),
            at: self.now,
        }
    }

    async fn endpoint(&self, index: usize) -> Endpoint {
        let all = self.store().endpoints(Some(project())).await.expect("read");
        let found = all.into_iter().find(|one| one.id == self.endpoints[index]);
        found.expect("there")
    }

    /// Oldest first.
    async fn deliveries(&self, index: usize) -> Vec<DeliveryRow> {
        let filter = DeliveryFilter {
            state: None,
            before: None,
            limit: 1_000,
        };
        let rows = self
            .store()
            .deliveries(project(), self.endpoints[index], filter);
        let mut rows = rows.await.expect("read");
        rows.sort_by_key(|row| (row.event, part(row.notification)));
        rows
    }

    async fn step(&mut self, op: Op) {
        let project = project();
        match op {
            Op::Create => self.create().await,
            Op::Step(pick) if !self.orders.is_empty() => {
                let pick = pick % self.orders.len();
                let (order, steps) = self.orders[pick];
                let targets = [Target::Paid, Target::Done, Target::Canceled];
                if let Some(target) = targets.get(steps) {
                    let change = Change::Request {
                        project,
                        order,
                        request: Request::Become(*target),
                        if_version: None,
                        cause: self.cause(),
                    };
                    self.submit(change).await;
                    self.orders[pick].1 += 1;
                    self.happened().await;
                }
            }
            Op::Attempt(index, answer) => {
                if let Some(due) = self.first_due(index).await {
                    self.report(index, &due, answer).await;
                }
            }
            Op::Begin(index) => {
                if let Some(due) = self.first_due(index).await {
                    self.running.push((index, due));
                }
            }
            Op::Report(pick, answer) if !self.running.is_empty() => {
                let (index, due) = self.running.remove(pick % self.running.len());
                self.report(index, &due, answer).await;
            }
            Op::ReportAgain => {
                if let Some(last) = self.last.clone() {
                    let before = self.deliveries(0).await.len() + self.deliveries(1).await.len();
                    self.webhooks(WebhookChange::Attempted(Box::new(last)))
                        .await;
                    let after = self.deliveries(0).await.len() + self.deliveries(1).await.len();
                    assert_eq!(before, after);
                }
            }
            Op::Wait(seconds) => self.now = self.now.plus(Duration::from_secs(seconds)),
            Op::Resend(pick) => {
                let rows = self.deliveries(pick % 2).await;
                if let Some(row) = rows.get(pick % rows.len().max(1)) {
                    let delivery = row.id;
                    self.webhooks(WebhookChange::Resend { project, delivery })
                        .await;
                }
            }
            Op::Recover(index) => {
                let endpoint = self.endpoints[index];
                let would = self
                    .store()
                    .recoverable(project, endpoint, AT)
                    .await
                    .expect("read");
                let change = WebhookChange::Recover {
                    project,
                    endpoint,
                    since: AT,
                    limit: 1_000,
                };
                let is_disabled = self.endpoint(index).await.disabled.is_some();
                match self.webhooks(change).await {
                    WebhookOutcome::Queued { count, .. } => {
                        assert!(!is_disabled, "nothing is queued that is not sent");
                        assert_eq!(count, would, "the dry run told it");
                    }
                    refused => {
                        assert!(is_disabled);
                        assert_eq!(refused, WebhookOutcome::NotNow(NotNow::Disabled));
                    }
                }
            }
            Op::Replay(index) => self.replay(index).await,
            Op::Disable(index) => {
                let (endpoint, reason) = (self.endpoints[index], "test".to_owned());
                self.webhooks(WebhookChange::DisableEndpoint {
                    project,
                    endpoint,
                    reason,
                })
                .await;
            }
            Op::Enable(index) => {
                let endpoint = self.endpoints[index];
                self.webhooks(WebhookChange::EnableEndpoint { project, endpoint })
                    .await;
            }
            Op::Acknowledge(pick) if self.events > 0 => {
                let event = 1 + i64::try_from(pick).expect("small") % self.events;
                self.webhooks(WebhookChange::Acknowledge {
                    project,
                    events: vec![event],
                    by: Acknowledger::Backend,
                })
                .await;
            }
            Op::Reopen => {
                // Closed before it is opened: a file has one store.
                self.store = None;
                self.store = Some(open(&self.path));
            }
            Op::Step(_) | Op::Acknowledge(_) | Op::Report(..) => {}
        }
        self.check().await;
    }

    async fn create(&mut self) {
        let price = Money::new(199, Currency::new("USD").expect("code")).expect("range");
        let item = Item::new(Sku::new("sword").expect("sku"), 1, Some(price));
        let new = NewOrder {
            project: project(),
            id: None,
            user: UserId::new("alice").expect("user"),
            mode: OrderMode::Default,
            content: Content::new(Some(price), vec![item]),
            lifetime: None,
            token_hash: None,
            cause: self.cause(),
        };
        match self.submit(Change::CreateOrder(Box::new(new))).await {
            Outcome::Order(applied) => self.orders.push((applied.order().id, 0)),
            other => panic!("{other:?}"),
        }
        self.happened().await;
    }

    /// Notes for which endpoints the newest events are.
    async fn happened(&mut self) {
        let new = self
            .store()
            .events(project(), Feed::All, self.events, 100)
            .await
            .expect("read");
        for index in 0..MODES.len() {
            if self.endpoint(index).await.disabled.is_none() {
                self.told[index].extend(new.iter().map(|event| event.facts.id));
            }
        }
        self.events = new.last().map_or(self.events, |event| event.facts.id);
    }

    /// That is not on its way.
    async fn first_due(&self, index: usize) -> Option<Due> {
        let due = self.store().due(self.endpoints[index], self.now, 100);
        let (due, _) = due.await.expect("read");
        due.into_iter().find(|due| {
            let mut running = self.running.iter();
            running.all(|(_, running)| running.delivery != due.delivery)
        })
    }

    /// As one attempt ended. It counts even if people changed the lane meanwhile.
    async fn report(&mut self, index: usize, due: &Due, answer: Answer) {
        let answered = |status, verdict| AttemptResult::Answered {
            status,
            verdict,
            retry_after: None,
            address: None,
            body: Vec::new(),
        };
        let attempted = Attempted {
            delivery: due.delivery,
            attempt: due.attempts + 1,
            duration: Duration::from_millis(3),
            result: match answer {
                Answer::Accepted => answered(204, Verdict::Accepted),
                Answer::Retry => answered(500, Verdict::Retry),
                Answer::Refused => answered(400, Verdict::Refused),
                Answer::Gone => answered(410, Verdict::Gone),
                Answer::None => AttemptResult::Failed {
                    error: "timed out".to_owned(),
                    address: None,
                },
            },
            jitter: 0.0,
        };
        self.last = Some(attempted.clone());
        let was_pending = self.state(due.delivery).await == DeliveryState::Pending;
        let logged = self.logged(due.delivery).await;
        self.webhooks(WebhookChange::Attempted(Box::new(attempted)))
            .await;
        assert_eq!(
            self.logged(due.delivery).await,
            logged + 1,
            "each attempt is in the log, also of what is settled meanwhile"
        );
        if matches!(answer, Answer::Gone) && was_pending {
            assert!(self.endpoint(index).await.disabled.is_some());
        }
    }

    /// `None`: there is no such delivery any more.
    async fn logged_of(&self, delivery: i64) -> Option<usize> {
        let found = self.store().delivery(project(), delivery).await;
        found.expect("read").map(|(_, attempts, _)| attempts.len())
    }

    async fn state(&self, delivery: i64) -> DeliveryState {
        let found = self.store().delivery(project(), delivery).await;
        found.expect("read").expect("there").0.state
    }

    async fn logged(&self, delivery: i64) -> usize {
        self.logged_of(delivery).await.expect("there")
    }

    async fn replay(&mut self, index: usize) {
        let endpoint = self.endpoints[index];
        let before = self.deliveries(index).await.len();
        let change = WebhookChange::Replay {
            project: project(),
            endpoint,
            since: AT,
            after: 0,
            limit: 1_000,
        };
        self.webhooks(change).await;
        if self.endpoint(index).await.disabled.is_none() {
            self.told[index].extend(1..=self.events);
        } else {
            let rows = self.deliveries(index).await;
            self.told[index].extend(rows.iter().map(|row| row.event));
        }
        assert!(self.deliveries(index).await.len() >= before);
    }

    async fn check(&self) {
        for index in 0..MODES.len() {
            let rows = self.deliveries(index).await;
            self.nothing_is_forgotten(index, &rows);
            let mut lanes: BTreeMap<i64, Vec<&DeliveryRow>> = BTreeMap::new();
            for row in &rows {
                assert_eq!(
                    row.state == DeliveryState::Pending,
                    row.finished_at.is_none(),
                    "{row:?}"
                );
                let is_explained = row.reason.is_some();
                assert!(row.state != DeliveryState::Dead || is_explained, "{row:?}");
                if row.state == DeliveryState::Pending {
                    lanes.entry(row.order.get().into()).or_default().push(row);
                } else {
                    assert_eq!(row.next_at, None, "{row:?}");
                }
            }
            // The first of each order alone is ever due.
            let mut firsts = BTreeSet::new();
            for lane in lanes.values() {
                assert!(lane[0].next_at.is_some(), "{lane:#?}");
                assert!(
                    lane[1..].iter().all(|row| row.next_at.is_none()),
                    "{lane:#?}"
                );
                if lane[0].next_at <= Some(self.now) {
                    firsts.insert(lane[0].id);
                }
            }
            let (due, next) = self
                .store()
                .due(self.endpoints[index], self.now, 1_000)
                .await
                .expect("read");
            let due: BTreeSet<_> = due.iter().map(|due| due.delivery).collect();
            assert_eq!(due, firsts);
            let later = lanes.values().filter_map(|lane| lane[0].next_at);
            assert_eq!(next, later.filter(|at| *at > self.now).min());
        }
    }

    /// One delivery for each event and notification that the endpoint was to be told of.
    fn nothing_is_forgotten(&self, index: usize, rows: &[DeliveryRow]) {
        let mut seen = BTreeSet::new();
        for row in rows {
            let key = (row.event, part(row.notification));
            assert!(seen.insert(key), "twice: {row:?}");
            assert!(self.told[index].contains(&row.event), "not for it: {row:?}");
        }
        if MODES[index] == Mode::Standard {
            let events: BTreeSet<_> = rows.iter().map(|row| row.event).collect();
            assert_eq!(events, self.told[index]);
        }
    }
}

const fn part(notification: Notification) -> u8 {
    match notification {
        Notification::Payment | Notification::Refund | Notification::Event => 0,
        Notification::OrderPaid | Notification::OrderCanceled => 1,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn lanes_keep_their_order_and_forget_nothing(ops in prop::collection::vec(any_op(), 1..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("runtime").block_on(async {
            let folder = tempfile::tempdir().expect("folder");
            let mut world = World::begin(folder.path().join("store.db")).await;
            for op in ops {
                world.step(op).await;
            }
        });
    }
}

/// A world with one order that is paid, at this endpoint nothing but what that makes.
async fn sold(path: PathBuf) -> World {
    let mut world = World::begin(path).await;
    world.step(Op::Create).await;
    world.step(Op::Step(0)).await;
    world
}

async fn unacknowledged(world: &World) -> Vec<String> {
    let feed = world.store().events(project(), Feed::Unacknowledged, 0, 10);
    let events = feed.await.expect("read");
    events.into_iter().map(|event| event.facts.kind).collect()
}

#[tokio::test]
async fn an_event_is_taken_once_every_endpoint_that_completes_has_all_of_it() {
    let folder = tempfile::tempdir().expect("folder");
    let mut world = sold(folder.path().join("store.db")).await;
    let separate = 1;
    world.step(Op::Attempt(separate, Answer::Accepted)).await;
    assert_eq!(
        unacknowledged(&world).await,
        ["order.created", "order.paid"],
        "order_paid is still to come"
    );
    world.step(Op::Attempt(separate, Answer::Accepted)).await;
    assert_eq!(
        unacknowledged(&world).await,
        ["order.created", "order.paid"],
        "the other endpoint has nothing yet"
    );
    let standard = 0;
    world.step(Op::Attempt(standard, Answer::Accepted)).await;
    assert_eq!(unacknowledged(&world).await, ["order.paid"]);
    world.step(Op::Attempt(standard, Answer::Accepted)).await;
    assert_eq!(unacknowledged(&world).await, [""; 0]);
}

#[tokio::test]
async fn a_clock_that_was_put_back_delays_no_delivery() {
    let folder = tempfile::tempdir().expect("folder");
    let mut world = World::begin(folder.path().join("store.db")).await;
    world.step(Op::Create).await;
    world.now = AT.minus(Duration::from_secs(3_600));
    world.step(Op::Step(0)).await;
    let separate = 1;
    let (due, _) = world
        .store()
        .due(world.endpoints[separate], world.now, 10)
        .await
        .expect("read");
    assert_eq!(due.len(), 1, "the payment is to be told of now");
}

/// [`World::check`] finds more than one of an order that is due.
#[tokio::test]
async fn an_attempt_that_fails_after_a_resend_waits_behind_what_was_resent() {
    let folder = tempfile::tempdir().expect("folder");
    let mut world = World::begin(folder.path().join("store.db")).await;
    for op in [
        Op::Create,
        Op::Attempt(0, Answer::Accepted),
        Op::Step(0),
        Op::Begin(0),
        Op::Resend(0),
        Op::Report(0, Answer::Retry),
        Op::Attempt(0, Answer::Accepted),
        Op::Attempt(0, Answer::Accepted),
    ] {
        world.step(op).await;
    }
    let rows = world.deliveries(0).await;
    let states: Vec<_> = rows.iter().map(|row| row.state).collect();
    assert_eq!(states, [DeliveryState::Delivered; 2]);
}

#[tokio::test]
async fn what_is_finished_for_long_is_pruned_with_what_was_said_of_it() {
    let folder = tempfile::tempdir().expect("folder");
    let mut world = sold(folder.path().join("store.db")).await;
    world.step(Op::Attempt(0, Answer::Refused)).await;
    let dead = world.deliveries(0).await[0].id;
    let news = async |world: &World| {
        let news = world.store().operator_events(project(), None, 10).await;
        news.expect("read").len()
    };
    assert_eq!(news(&world).await, 1);
    for (day, pruned) in [(0, 0), (1, 1)] {
        let before = AT.plus(Duration::from_secs(day * 86_400));
        for what in [Prune::Deliveries, Prune::OperatorEvents] {
            let old = world.store().old(what, before, None).await.expect("read");
            let outcome = world
                .submit(Change::Prune {
                    what,
                    before,
                    keys: old.keys,
                })
                .await;
            assert!(
                matches!(outcome, Outcome::Deleted { deleted, .. } if deleted == pruned),
                "day {day}, {what:?}: {outcome:?}"
            );
        }
    }
    assert_eq!(news(&world).await, 0);
    assert_eq!(world.logged_of(dead).await, None, "with its attempts");
    let left = world.deliveries(0).await;
    assert_eq!(left.len(), 1, "what waits stays");
}

#[tokio::test]
async fn what_the_buyer_has_processed_the_shop_can_still_take() {
    let folder = tempfile::tempdir().expect("folder");
    let world = sold(folder.path().join("store.db")).await;
    let paid = 2;
    for by in [
        Acknowledger::User(UserId::new("alice").expect("user")),
        Acknowledger::Backend,
    ] {
        let is_backend = by == Acknowledger::Backend;
        world
            .webhooks(WebhookChange::Acknowledge {
                project: project(),
                events: vec![paid],
                by,
            })
            .await;
        let rows = [world.deliveries(0).await, world.deliveries(1).await].concat();
        let mut of_paid = rows.iter().filter(|row| row.event == paid);
        let wanted = if is_backend {
            DeliveryState::Settled
        } else {
            DeliveryState::Pending
        };
        assert!(of_paid.all(|row| row.state == wanted), "{rows:#?}");
    }
}
