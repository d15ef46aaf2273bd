//! How often one caller may call: a token bucket for each API key, buyer and polled order, and for
//! guests, who can have as many names as they like, one for each address and one for each project.
//!
//! Bound: entries that are full again are dropped every [`UPKEEP`]; until then there is one for each
//! key, buyer, order or address that was served, never for one that does not exist.

use crate::realtime::network;
use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};
use metrics::{Counter, counter};
use ordercast_core::{OrderId, ProjectId, UserId, ids::CredentialId};
use std::{
    hash::Hash,
    net::IpAddr,
    num::NonZeroU32,
    sync::{Arc, Weak},
    time::Duration,
};

const UPKEEP: Duration = Duration::from_secs(10);

/// At once, as seconds of the rate. Polls come from a page, a game and a backend together, and SDKs in
/// the field give an order up at the first refusal.
const BURST_SECONDS: u32 = 2;
const BURST_OF_POLLS_SECONDS: u32 = 10;
/// Many share an address, and each of them fills a cart in a few clicks.
const BURST_OF_GUESTS_SECONDS: u32 = 10;

/// Each per second; 0 is no limit.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    pub requests_per_key: u32,
    pub orders_per_buyer: u32,
    pub polls_per_order: u32,
    pub guest_requests_per_address: u32,
    pub guest_requests_per_project: u32,
}

impl Rates {
    pub const UNLIMITED: Self = Self {
        requests_per_key: 0,
        orders_per_buyer: 0,
        polls_per_order: 0,
        guest_requests_per_address: 0,
        guest_requests_per_project: 0,
    };
}

/// The caller is over its limit; nothing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany {
    /// What is limited.
    pub policy: &'static str,
    /// So many in a window.
    pub quota: u32,
    pub window_seconds: u32,
    /// When one more may come.
    pub wait: Duration,
}

#[derive(Debug)]
pub struct Limits {
    requests: Limit<CredentialId>,
    creates: Limit<(ProjectId, UserId)>,
    reads: Limit<(ProjectId, UserId)>,
    polls: Limit<(ProjectId, OrderId)>,
    guests_of_address: Limit<IpAddr>,
    guests_of_project: Limit<ProjectId>,
}

impl Limits {
    pub(super) fn start(rates: Rates) -> Arc<Self> {
        let limits = Arc::new(Self {
            requests: Limit::new(rates.requests_per_key, BURST_SECONDS, "api_key"),
            creates: Limit::new(rates.orders_per_buyer, BURST_SECONDS, "buyer"),
            reads: Limit::new(rates.orders_per_buyer, BURST_SECONDS, "buyer_requests"),
            polls: Limit::new(rates.polls_per_order, BURST_OF_POLLS_SECONDS, "order"),
            guests_of_address: Limit::new(
                rates.guest_requests_per_address,
                BURST_OF_GUESTS_SECONDS,
                "guest_address",
            ),
            guests_of_project: Limit::new(
                rates.guest_requests_per_project,
                BURST_OF_GUESTS_SECONDS,
                "guest_project",
            ),
        });
        tokio::spawn(upkeep(Arc::downgrade(&limits)));
        limits
    }

    /// # Errors
    /// [`TooMany`].
    pub fn request(&self, key: CredentialId) -> Result<(), TooMany> {
        self.requests.admit(&key)
    }

    /// A buyer makes an order.
    ///
    /// # Errors
    /// [`TooMany`].
    pub fn create(&self, project: ProjectId, user: &UserId) -> Result<(), TooMany> {
        self.creates.admit(&(project, user.clone()))
    }

    /// A buyer uses a cart, or reads what was sold.
    ///
    /// # Errors
    /// [`TooMany`].
    pub fn buyer(&self, project: ProjectId, user: &UserId) -> Result<(), TooMany> {
        self.reads.admit(&(project, user.clone()))
    }

    /// A guest from this address fills a cart or makes an order. An address over its limit takes nothing
    /// from the project's.
    ///
    /// # Errors
    /// [`TooMany`].
    pub fn guest(&self, project: ProjectId, address: IpAddr) -> Result<(), TooMany> {
        self.guests_of_address.admit(&network(address))?;
        self.guests_of_project.admit(&project)
    }

    /// Somebody who may read an order polls it.
    ///
    /// # Errors
    /// [`TooMany`].
    pub fn poll(&self, project: ProjectId, order: OrderId) -> Result<(), TooMany> {
        self.polls.admit(&(project, order))
    }
}

async fn upkeep(limits: Weak<Limits>) {
    loop {
        tokio::time::sleep(UPKEEP).await;
        let Some(limits) = limits.upgrade() else {
            return;
        };
        limits.requests.forget_idle();
        limits.creates.forget_idle();
        limits.reads.forget_idle();
        limits.polls.forget_idle();
        limits.guests_of_address.forget_idle();
        limits.guests_of_project.forget_idle();
    }
}

#[derive(Debug)]
struct Limit<K: Hash + Eq + Clone> {
    limiter: Option<DefaultKeyedRateLimiter<K>>,
    policy: &'static str,
    quota: u32,
    window_seconds: u32,
    refused: Counter,
}

impl<K: Hash + Eq + Clone> Limit<K> {
    fn new(per_second: u32, burst_seconds: u32, of: &'static str) -> Self {
        let quota = |rate: NonZeroU32| {
            let burst = NonZeroU32::new(rate.get().saturating_mul(burst_seconds));
            Quota::per_second(rate).allow_burst(burst.unwrap_or(rate))
        };
        Self {
            limiter: NonZeroU32::new(per_second).map(|rate| RateLimiter::keyed(quota(rate))),
            policy: of,
            quota: per_second.saturating_mul(burst_seconds),
            window_seconds: burst_seconds,
            refused: counter!("ordercast_rate_limited_total", "of" => of),
        }
    }

    fn admit(&self, key: &K) -> Result<(), TooMany> {
        let Some(limiter) = &self.limiter else {
            return Ok(());
        };
        limiter.check_key(key).map_err(|until| {
            self.refused.increment(1);
            TooMany {
                policy: self.policy,
                quota: self.quota,
                window_seconds: self.window_seconds,
                wait: until.wait_time_from(DefaultClock::default().now()),
            }
        })
    }

    fn forget_idle(&self) {
        if let Some(limiter) = &self.limiter {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
    }
}
