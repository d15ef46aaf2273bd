//! What the dispatcher knows of each endpoint: what is due, what runs, and whether it may be tried.

use super::{attempt::Ended, dispatcher::PREFETCH, sending::Target};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter, clock::Clock};
use ordercast_core::{ProjectId, Timestamp, delivery::breaker::Breaker, ids::EndpointId};
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
}

impl Endpoints {
    /// Keeps of those that stay what runs and how they are.
    pub fn replace(&mut self, targets: Vec<Arc<Target>>) {
        let mut before = std::mem::take(&mut self.lanes);
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

    /// Whose it is, and whether its last attempt went well; `None`: there is no such endpoint any more.
    pub fn standing(&self, id: EndpointId) -> Option<(ProjectId, bool)> {
        let lanes = self.lanes.get(&id)?;
        Some((lanes.target.project, lanes.is_proven))
    }

    pub async fn turn(&mut self, id: EndpointId, store: &Store, now: Timestamp) -> Turn {
        let Some(lanes) = self.lanes.get_mut(&id) else {
            return Turn::Wait;
        };
        lanes.next(store, now).await
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

    pub fn ended(&mut self, ended: &Ended, now: Timestamp) {
        if let Some(lanes) = self.lanes.get_mut(&ended.target.id) {
            lanes.ended(ended, now);
        }
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
    /// Of this endpoint alone: what fails at another path of its host, or in another project, says
    /// nothing of it.
    breaker: Breaker,
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
            breaker: Breaker::default(),
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
            self.breaker = Breaker::default();
        }
        Self {
            target,
            fetched: VecDeque::new(),
            wake_at: None,
            ..self
        }
    }

    async fn next(&mut self, store: &Store, now: Timestamp) -> Turn {
        if self.running.len() >= self.window.min(self.target.concurrency) as usize {
            return Turn::Wait;
        }
        if let Some(until) = self.breaker.open_until(now) {
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
        let Some(due) = self.pick() else {
            return Turn::Wait;
        };
        self.running.insert(due.delivery);
        self.breaker.started(now);
        Turn::Attempt(Box::new((Arc::clone(&self.target), due)))
    }

    /// The oldest. What asks whether an endpoint is back is the one that has failed least: behind orders
    /// that are never taken stand others that would be.
    fn pick(&mut self) -> Option<Due> {
        if !self.breaker.is_open() {
            return self.fetched.pop_front();
        }
        let (at, _) = self
            .fetched
            .iter()
            .enumerate()
            .min_by_key(|(_, due)| due.attempts)?;
        self.fetched.remove(at)
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

    fn ended(&mut self, ended: &Ended, now: Timestamp) {
        self.running.remove(&ended.delivery);
        // Its URL was changed meanwhile: how the one before answered says nothing of this one.
        if ended.target.url != self.target.url {
            return;
        }
        self.is_proven = ended.is_well;
        if ended.is_well {
            self.breaker.succeeded();
            self.window = self.window.saturating_mul(2).min(self.target.concurrency);
        } else {
            if ended.is_first || self.breaker.is_open() {
                self.breaker.failed(ended.order, now);
            }
            self.window = WINDOW_FAILING;
        }
    }
}

fn limiter(target: &Target) -> Option<DefaultDirectRateLimiter> {
    let rate = NonZeroU32::new(target.rate?)?;
    Some(RateLimiter::direct(Quota::per_second(rate)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ordercast_core::{OrderId, delivery::breaker::ORDERS};

    /// Two shops at one host, or two endpoints of one shop.
    #[test]
    fn a_circuit_is_of_one_endpoint() {
        let now = Timestamp::from_seconds(1_700_000_000);
        let target = |id: i64, project: i64, path: &str| {
            let url = format!("https://hooks.example/{path}");
            Arc::new(Target::of_tests(id, project, &url))
        };
        let failing = target(1, 1, "one");
        let others = [target(2, 1, "two"), target(3, 2, "one")];
        let mut endpoints = Endpoints::default();
        endpoints.replace(
            others
                .iter()
                .cloned()
                .chain([Arc::clone(&failing)])
                .collect(),
        );
        for (order, delivery) in (1..).zip(0..).take(ORDERS) {
            let ended = Ended {
                target: Arc::clone(&failing),
                delivery,
                order: OrderId::new(order).expect("id"),
                is_well: false,
                is_first: true,
                was_proven: false,
            };
            endpoints.ended(&ended, now);
        }
        let is_open = |target: &Target| endpoints.lanes[&target.id].breaker.is_open();
        assert!(is_open(&failing));
        assert!(!others.iter().any(|other| is_open(other)));
    }

    /// Orders that are never taken come again and again; the endpoint takes all others.
    #[test]
    fn orders_that_failed_before_open_no_circuit() {
        let now = Timestamp::from_seconds(1_700_000_000);
        let target = Arc::new(Target::of_tests(1, 1, "https://hooks.example/one"));
        let mut endpoints = Endpoints::default();
        endpoints.replace(vec![Arc::clone(&target)]);
        for (order, delivery) in (1..).zip(0..).take(10 * ORDERS) {
            let ended = Ended {
                target: Arc::clone(&target),
                delivery,
                order: OrderId::new(order).expect("id"),
                is_well: false,
                is_first: false,
                was_proven: false,
            };
            endpoints.ended(&ended, now);
        }
        assert!(!endpoints.lanes[&target.id].breaker.is_open());
    }
}
