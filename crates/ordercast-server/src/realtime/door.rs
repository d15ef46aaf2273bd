//! Who may open a connection, on any transport: how fast they come, how many there are.
//!
//! Invariant: all transports are counted together, and refused before anything is made for them.

use super::{
    Clock, Shared,
    form::Form,
    peer::{Outlet, Peer},
    registry::{Full, Place},
};
use crate::{
    clock,
    http::{client_address, problem::Problem},
};
use axum::http::{HeaderMap, StatusCode};
use metrics::counter;
use ordercast_core::session::Session;
use parking_lot::Mutex;
use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

/// A token bucket: after a restart or a network's end all clients come back at once, and each costs
/// a signature and a read.
#[derive(Debug)]
pub struct Admission {
    per_second: f64,
    burst: f64,
    bucket: Mutex<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled_at: Duration,
}

impl Admission {
    pub fn new(per_second: u32, burst: u32) -> Self {
        Self {
            per_second: per_second.into(),
            burst: burst.into(),
            bucket: Mutex::new(Bucket {
                tokens: burst.into(),
                filled_at: Duration::ZERO,
            }),
        }
    }

    /// Whether one more may come at `now`, which is monotonic.
    fn take(&self, now: Duration) -> bool {
        let mut bucket = self.bucket.lock();
        let passed = now.saturating_sub(bucket.filled_at).as_secs_f64();
        bucket.filled_at = bucket.filled_at.max(now);
        bucket.tokens = (bucket.tokens + passed * self.per_second).min(self.burst);
        if bucket.tokens < 1.0 {
            return false;
        }
        bucket.tokens -= 1.0;
        true
    }
}

/// A place for the client that sent this request.
pub fn enter(
    shared: &Arc<Shared>,
    headers: &HeaderMap,
    peer: SocketAddr,
) -> Result<Place, Problem> {
    let refused = |why: &'static str| {
        counter!("ordercast_connections_refused_total", "why" => why).increment(1);
    };
    if shared.draining.load(Ordering::Relaxed) {
        refused("draining");
        return Err(Problem::unavailable());
    }
    if !shared.admission.take(shared.clock.monotonic()) {
        refused("rate");
        return Err(Problem::unavailable());
    }
    let client = client_address::of(peer.ip(), headers, &shared.trusted_proxies);
    shared.registry.admit(client).map_err(|full| match full {
        Full::Server => {
            refused("server");
            Problem::unavailable()
        }
        Full::Address => {
            refused("address");
            Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_connections",
                "too many connections from this address",
            )
        }
    })
}

/// The connection that takes the place, with a session that waits for its connect.
pub fn seat(shared: &Shared, place: &Place, form: Form, outlet: Outlet) -> Arc<Peer> {
    let clock: Clock = shared.clock;
    let client = u128::from_le_bytes(clock::random());
    // Spreads pings and lives, which is no secret: half of the client's id does for it.
    #[expect(clippy::cast_possible_truncation, reason = "a half of it")]
    let seed = client as u64;
    let config = if form.is_one_way() {
        &shared.one_way
    } else {
        &shared.session
    };
    let session = Session::new(clock.monotonic(), Arc::clone(config), seed, client);
    let outbound = Arc::clone(&shared.outbound);
    Arc::new(Peer::new(place.id, form, outlet, clock, outbound, session))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let admission = Admission::new(10, 3);
        let at = |millis: u64| Duration::from_millis(1_000 + millis);
        let passed = |millis| (0..20).filter(|_| admission.take(at(millis))).count();
        assert_eq!(passed(0), 3);
        assert_eq!(passed(99), 0);
        assert_eq!(passed(200), 2);
        // Never more than the burst, and a clock read late by another thread gives nothing back.
        assert_eq!(passed(60_000), 3);
        assert_eq!(passed(59_000), 0);
        assert_eq!(passed(60_050), 0);
        assert_eq!(passed(60_101), 1);
    }
}
