//! Decides which delivery is attempted next. One task; it reads what is due, starts attempts and
//! hears how they ended.
//!
//! Invariants: no more than [`NODE_MAX`] attempts at once, of one endpoint no more than its own limit,
//! and of endpoints that have not shown to be well no more than half of all and a few of one project, so
//! that failing endpoints never hold up the others (guarantees, I24). Of what is due only [`PREFETCH`] for each endpoint is in
//! memory.

use super::{
    attempt::{Ended, attempt},
    lane::{Endpoints, Turn},
    sending::Sending,
};
use crate::{
    clock,
    http::{Shutdown, requested},
};
use metrics::gauge;
use ordercast_core::{ProjectId, Timestamp, ids::EndpointId};
use ordercast_store::{DeliveryBell, Rung};
use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::watch, task::JoinSet};

/// Attempts at the same time (guarantees, 3.1).
pub const NODE_MAX: usize = 200;
/// Of endpoints whose last attempt failed, or that have not been tried yet.
const UNPROVEN_MAX: usize = NODE_MAX / 2;
/// The same, of one project: its own failing endpoints must not hold up those of others.
const UNPROVEN_OF_PROJECT_MAX: usize = UNPROVEN_MAX / 8;
/// Read ahead for each endpoint.
pub const PREFETCH: u32 = 64;
/// After the store could not be read.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub struct Dispatcher {
    sending: Arc<Sending>,
    bell: Arc<DeliveryBell>,
    endpoints: Endpoints,
    /// That may have something to send, in turn.
    turns: VecDeque<EndpointId>,
    queued: BTreeSet<EndpointId>,
    running: JoinSet<Ended>,
    /// Attempts of endpoints that are not proven, by project; none is 0.
    unproven: HashMap<ProjectId, usize>,
}

impl Dispatcher {
    pub fn new(sending: Arc<Sending>) -> Self {
        Self {
            bell: sending.store.delivery_bell(),
            sending,
            endpoints: Endpoints::default(),
            turns: VecDeque::new(),
            queued: BTreeSet::new(),
            running: JoinSet::new(),
            unproven: HashMap::new(),
        }
    }

    /// Until the server stops. Attempts that run then are not waited for: they are made again.
    pub async fn run(mut self, mut stopping: watch::Receiver<Shutdown>) {
        self.reload().await;
        loop {
            let wake_at = self.start().await;
            gauge!("ordercast_deliveries_running").set(self.running.len() as f64);
            tokio::select! {
                () = requested(&mut stopping) => return,
                Some(ended) = self.running.join_next(), if !self.running.is_empty() => {
                    if let Ok(ended) = ended {
                        self.ended(&ended);
                    }
                }
                rung = self.bell.rung() => self.rung(rung).await,
                () = until(wake_at) => self.wake(),
            }
        }
    }

    async fn rung(&mut self, rung: Rung) {
        if rung.is_anew {
            self.reload().await;
        }
        for endpoint in &rung.stale {
            self.endpoints.forget(*endpoint);
        }
        for endpoint in rung.endpoints.into_iter().chain(rung.stale) {
            self.queue(endpoint);
        }
    }

    /// Reads the endpoints again, and forgets what was read ahead of them.
    async fn reload(&mut self) {
        loop {
            match self.sending.targets().await {
                Ok(targets) => {
                    self.endpoints.replace(targets);
                    break;
                }
                Err(error) => {
                    tracing::error!(%error, "the endpoints could not be read");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
        let all: Vec<_> = self.endpoints.ids().collect();
        for endpoint in all {
            self.queue(endpoint);
        }
    }

    fn queue(&mut self, endpoint: EndpointId) {
        if self.endpoints.contains(endpoint) && self.queued.insert(endpoint) {
            self.turns.push_back(endpoint);
        }
    }

    /// Those whose time has come get a turn.
    fn wake(&mut self) {
        let now = clock::now();
        let woken: Vec<_> = self.endpoints.woken(now).collect();
        for endpoint in woken {
            self.queue(endpoint);
        }
    }

    /// Starts what can be started, one attempt of each endpoint in turn; when to look again.
    async fn start(&mut self) -> Option<Timestamp> {
        // Those that had to stand back for others that are not proven.
        let mut stood_back = Vec::new();
        while self.running.len() < NODE_MAX {
            let Some(id) = self.turns.pop_front() else {
                break;
            };
            self.queued.remove(&id);
            let Some((project, is_proven)) = self.endpoints.standing(id) else {
                continue;
            };
            if !is_proven && !self.may_try(project) {
                stood_back.push(id);
                continue;
            }
            let now = clock::now();
            match self.endpoints.turn(id, &self.sending.store, now).await {
                Turn::Attempt(next) => {
                    let (target, due) = *next;
                    if !is_proven {
                        *self.unproven.entry(project).or_default() += 1;
                    }
                    let sending = Arc::clone(&self.sending);
                    self.running.spawn(attempt(sending, target, due, is_proven));
                    self.queue(id);
                }
                Turn::Wait => {}
                Turn::Failed(error) => {
                    tracing::error!(%error, endpoint = %id, "due deliveries could not be read");
                    self.endpoints.sleep_until(id, now.plus(PAUSE));
                }
            }
        }
        for id in stood_back {
            self.queue(id);
        }
        self.endpoints.next_wake()
    }

    /// Whether there is room for an attempt of an endpoint that is not proven.
    fn may_try(&self, project: ProjectId) -> bool {
        let of_project = self.unproven.get(&project).copied().unwrap_or_default();
        of_project < UNPROVEN_OF_PROJECT_MAX && self.unproven.values().sum::<usize>() < UNPROVEN_MAX
    }

    fn ended(&mut self, ended: &Ended) {
        let project = ended.target.project;
        if !ended.was_proven
            && let Some(running) = self.unproven.get_mut(&project)
        {
            *running -= 1;
            if *running == 0 {
                self.unproven.remove(&project);
            }
        }
        self.endpoints.ended(ended, clock::now());
        self.queue(ended.target.id);
    }
}

async fn until(time: Option<Timestamp>) {
    match time {
        None => std::future::pending().await,
        Some(time) => {
            let millis = time.millis().saturating_sub(clock::now().millis());
            tokio::time::sleep(Duration::from_millis(millis.try_into().unwrap_or(0))).await;
        }
    }
}
