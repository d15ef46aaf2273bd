//! What the dispatcher knows of each endpoint: what is due, what runs, and whether it may be tried.

use super::{attempt::Ended, dispatcher::PREFETCH, sending::Target};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter, clock::Clock};
use ordercast_core::{Timestamp, delivery::breaker::Breaker, ids::EndpointId};
use ordercast_store::{Due, Failure, Store};
use std::{
    collections::{HashMap, HashSet, VecDeque},
    fmt,
    num::NonZeroU32,
    sync::Arc,
};

/// Attempts at once after one that failed: an order that is never answered must leave room for another.
const WINDOW_FAILING: u32 = 2;

#[derive(Debug, Default)]
pub struct Endpoints {
    lanes: HashMap<EndpointId, Lanes>,
    /// By host and port; those that nothing is sent to any more are dropped.
    breakers: HashMap<String, Breaker>,
}

impl Endpoints {
    /// Keeps of those that stay what runs and how they are.
    pub fn replace(&mut self, targets: Vec<Arc<Target>>) {
        let mut before = std::mem::take(&mut self.lanes);
        self.breakers
            .retain(|key, _| targets.iter().any(|target| target.url.authority() == key));
        for target in targets {
            let lanes = match before.remove(&target.id) {
                Some(lanes) => lanes.with(target),
                None => Lanes::new(target),
            };
            self.lanes.insert(lanes.target.id, lanes);
        }
    }

    pub fn ids(&self) -> impl Iterator<Item = EndpointId> {
        self.lanes.keys().copied()
    }

    pub fn contains(&self, id: EndpointId) -> bool {
        self.lanes.contains_key(&id)
    }

    /// Whether its last attempt went well; `None`: there is no such endpoint any more.
    pub fn is_proven(&self, id: EndpointId) -> Option<bool> {
        self.lanes.get(&id).map(|lanes| lanes.is_proven)
    }

    pub async fn turn(&mut self, id: EndpointId, store: &Store, now: Timestamp) -> Turn {
        let Some(lanes) = self.lanes.get_mut(&id) else {
            return Turn::Wait;
        };
        let authority = lanes.target.url.authority().to_owned();
        let breaker = self.breakers.entry(authority).or_default();
        lanes.next(breaker, store, now).await
    }

    pub fn sleep_until(&mut self, id: EndpointId, at: Timestamp) {
        if let Some(lanes) = self.lanes.get_mut(&id) {
            lanes.wake_at = Some(at);
        }
    }

    /// What was read ahead no longer holds.
    pub fn forget(&mut self, id: EndpointId) {
        if let Some(lanes) = self.lanes.get_mut(&id) {
            lanes.fetched.clear();
        }
    }

    /// Who may have something to send now.
    pub fn ended(&mut self, ended: &Ended, now: Timestamp) -> Vec<EndpointId> {
        let id = ended.target.id;
        if let Some(lanes) = self.lanes.get_mut(&id) {
            lanes.ended(ended.delivery, ended.is_well);
        }
        let authority = ended.target.url.authority();
        let Some(breaker) = self.breakers.get_mut(authority) else {
            return vec![id];
        };
        let was_open = breaker.is_open();
        if ended.is_well {
            breaker.succeeded();
        } else {
            breaker.failed(ended.order, now);
        }
        if !was_open {
            return vec![id];
        }
        // It was the one that asked: the others of the host have waited for its end.
        self.lanes
            .values()
            .filter(|lanes| lanes.target.url.authority() == authority)
            .map(|lanes| lanes.target.id)
            .collect()
    }

    pub fn woken(&mut self, now: Timestamp) -> impl Iterator<Item = EndpointId> {
        self.lanes.iter_mut().filter_map(move |(id, lanes)| {
            let is_woken = lanes.wake_at.is_some_and(|at| at <= now);
            if is_woken {
                lanes.wake_at = None;
            }
            is_woken.then_some(*id)
        })
    }

    pub fn next_wake(&self) -> Option<Timestamp> {
        self.lanes.values().filter_map(|lanes| lanes.wake_at).min()
    }
}

/// What an endpoint's turn comes to.
pub enum Turn {
    Attempt(Box<(Arc<Target>, Due)>),
    /// Nothing now: a bell, an end of an attempt or the clock gives it another turn.
    Wait,
    Failed(Failure),
}

struct Lanes {
    target: Arc<Target>,
    fetched: VecDeque<Due>,
    running: HashSet<i64>,
    /// Attempts that it may have at once now: doubles with each that went well, up to its limit.
    window: u32,
    is_proven: bool,
    limiter: Option<DefaultDirectRateLimiter>,
    wake_at: Option<Timestamp>,
}

impl fmt::Debug for Lanes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lanes({})", self.target.id)
    }
}

impl Lanes {
    fn new(target: Arc<Target>) -> Self {
        Self {
            limiter: limiter(&target),
            target,
            fetched: VecDeque::new(),
            running: HashSet::new(),
            window: 1,
            is_proven: false,
            wake_at: None,
        }
    }

    fn with(mut self, target: Arc<Target>) -> Self {
        if self.target.rate != target.rate {
            self.limiter = limiter(&target);
        }
        if self.target.url != target.url {
            self.is_proven = false;
            self.window = 1;
        }
        Self {
            target,
            fetched: VecDeque::new(),
            wake_at: None,
            ..self
        }
    }

    async fn next(&mut self, breaker: &mut Breaker, store: &Store, now: Timestamp) -> Turn {
        if self.running.len() >= self.window.min(self.target.concurrency) as usize {
            return Turn::Wait;
        }
        if let Some(until) = breaker.open_until(now) {
            self.wake_at = Some(until);
            return Turn::Wait;
        }
        if self.fetched.is_empty() {
            match self.fetch(store, now).await {
                Ok(()) if self.fetched.is_empty() => return Turn::Wait,
                Ok(()) => {}
                Err(failure) => return Turn::Failed(failure),
            }
        }
        if let Some(limiter) = &self.limiter
            && let Err(not_until) = limiter.check()
        {
            let wait = not_until.wait_time_from(governor::clock::DefaultClock::default().now());
            self.wake_at = Some(now.plus(wait));
            return Turn::Wait;
        }
        let Some(due) = self.fetched.pop_front() else {
            return Turn::Wait;
        };
        self.running.insert(due.delivery);
        breaker.started(now);
        Turn::Attempt(Box::new((Arc::clone(&self.target), due)))
    }

    /// What runs is due as well until its end is written: it is read, and passed over.
    async fn fetch(&mut self, store: &Store, now: Timestamp) -> Result<(), Failure> {
        let running = u32::try_from(self.running.len()).unwrap_or(u32::MAX);
        let (due, next) = store
            .due(self.target.id, now, PREFETCH.saturating_add(running))
            .await?;
        let news = due
            .into_iter()
            .filter(|due| !self.running.contains(&due.delivery));
        self.fetched.extend(news);
        self.wake_at = next;
        Ok(())
    }

    fn ended(&mut self, delivery: i64, is_well: bool) {
        self.running.remove(&delivery);
        self.is_proven = is_well;
        self.window = if is_well {
            self.window.saturating_mul(2).min(self.target.concurrency)
        } else {
            WINDOW_FAILING
        };
    }
}

fn limiter(target: &Target) -> Option<DefaultDirectRateLimiter> {
    let rate = NonZeroU32::new(target.rate?)?;
    Some(RateLimiter::direct(Quota::per_second(rate)))
}
