//! All connections by id, how many there may be, and how fast they may come.
//!
//! Invariant: who is refused has taken nothing from anybody. What an address may have is asked before
//! what all may have, and a token is taken only by a connection that comes in; so an address that is
//! refused again and again costs the others no place.

use super::{
    bucket::{Bucket, Rate},
    peer::Peer,
};
use metrics::{Gauge, gauge};
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::sync::Notify;

const SHARDS: u64 = 64;
/// Between two looks for addresses whose buckets are full again.
const SWEEP: Duration = Duration::from_secs(5);

/// How many connections, and how fast.
#[derive(Clone, Copy, Debug)]
pub struct Admission {
    pub connections: usize,
    pub per_address: usize,
    pub rate: Rate,
    pub rate_per_address: Rate,
}

#[derive(Debug)]
pub struct Registry {
    shards: Vec<Mutex<HashMap<u64, Arc<Peer>>>>,
    admission: Admission,
    counts: Mutex<Counts>,
    count: AtomicUsize,
    next_id: AtomicU64,
    emptied: Notify,
    /// Kept: to look it up anew costs as much as the rest of a place.
    connections: Gauge,
}

#[derive(Debug)]
struct Counts {
    bucket: Bucket,
    /// Bound: those with connections, and those that had one so short a time ago that their buckets are
    /// not full again, which the bucket of all bounds.
    addresses: HashMap<IpAddr, OfAddress>,
    swept_at: Duration,
}

#[derive(Clone, Copy, Debug)]
struct OfAddress {
    open: usize,
    bucket: Bucket,
}

/// Why a connection is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// The address has as many as it may.
    Address,
    /// They come too fast from this address.
    AddressRate,
    /// All places are taken.
    Server,
    /// They come too fast, from all together.
    Rate,
}

/// A place among the connections; given back when it is dropped.
#[derive(Debug)]
pub struct Place {
    registry: Arc<Registry>,
    address: IpAddr,
    pub id: u64,
}

impl Registry {
    pub fn new(admission: Admission) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            admission,
            counts: Mutex::new(Counts {
                bucket: Bucket::full(admission.rate),
                addresses: HashMap::new(),
                swept_at: Duration::ZERO,
            }),
            count: AtomicUsize::new(0),
            next_id: AtomicU64::new(1),
            emptied: Notify::new(),
            connections: gauge!("ordercast_connections"),
        }
    }

    /// `now` is monotonic.
    pub fn admit(self: &Arc<Self>, address: IpAddr, now: Duration) -> Result<Place, Full> {
        let address = network(address);
        let Admission {
            connections,
            per_address,
            rate,
            rate_per_address,
        } = self.admission;
        let mut counts = self.counts.lock();
        counts.sweep(rate_per_address, now);
        let known = counts.addresses.get(&address).copied();
        let mut of_address = known.unwrap_or(OfAddress {
            open: 0,
            bucket: Bucket::full(rate_per_address),
        });
        if of_address.open >= per_address {
            return Err(Full::Address);
        }
        if !of_address.bucket.has_token(rate_per_address, now) {
            return Err(Full::AddressRate);
        }
        if self.count.load(Ordering::Relaxed) >= connections {
            return Err(Full::Server);
        }
        if !counts.bucket.has_token(rate, now) {
            return Err(Full::Rate);
        }
        counts.bucket.take();
        of_address.bucket.take();
        of_address.open += 1;
        counts.addresses.insert(address, of_address);
        self.count.fetch_add(1, Ordering::Relaxed);
        self.connections.increment(1.0);
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        Ok(Place {
            registry: Arc::clone(self),
            address,
            id,
        })
    }

    pub fn admission(&self) -> &Admission {
        &self.admission
    }

    pub fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    fn shard(&self, id: u64) -> &Mutex<HashMap<u64, Arc<Peer>>> {
        &self.shards[usize::try_from(id % SHARDS).unwrap_or(0)]
    }

    pub fn insert(&self, peer: &Arc<Peer>) {
        self.shard(peer.id).lock().insert(peer.id, Arc::clone(peer));
    }

    pub fn remove(&self, id: u64) {
        self.shard(id).lock().remove(&id);
    }

    pub fn get(&self, id: u64) -> Option<Arc<Peer>> {
        self.shard(id).lock().get(&id).cloned()
    }

    pub fn all(&self) -> Vec<Arc<Peer>> {
        self.shards
            .iter()
            .flat_map(|s| s.lock().values().cloned().collect::<Vec<_>>())
            .collect()
    }

    /// Returns when no connection holds a place any more.
    pub async fn empty(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.count.load(Ordering::Acquire) == 0 {
                return;
            }
            emptied.await;
        }
    }
}

impl Counts {
    /// Forgets the addresses that have no connection and may have a whole burst again.
    fn sweep(&mut self, rate: Rate, now: Duration) {
        if now.saturating_sub(self.swept_at) < SWEEP {
            return;
        }
        self.swept_at = now;
        self.addresses
            .retain(|_, of| of.open > 0 || !of.bucket.is_full(rate, now));
        if self.addresses.capacity() > 4 * self.addresses.len() {
            self.addresses.shrink_to_fit();
        }
    }
}

/// What one client has for itself: an address, or of IPv6 the 2^64 addresses of its network, from each
/// of which it could come as somebody else.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        v4 @ IpAddr::V4(_) => v4,
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64)).into(),
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Its bucket stays until it is full again: who leaves may not come back as a new one at once.
        if let Some(of_address) = self.registry.counts.lock().addresses.get_mut(&self.address) {
            of_address.open -= 1;
        }
        self.registry.connections.decrement(1.0);
        if self.registry.count.fetch_sub(1, Ordering::Release) == 1 {
            self.registry.emptied.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLENTY: Rate = Rate {
        per_second: 1_000.0,
        burst: 1_000.0,
    };

    fn registry(connections: usize, per_address: usize, rate: Rate, own: Rate) -> Arc<Registry> {
        Arc::new(Registry::new(Admission {
            connections,
            per_address,
            rate,
            rate_per_address: own,
        }))
    }

    fn admit(registry: &Arc<Registry>, address: &str, seconds: u64) -> Result<Place, Full> {
        let address = address.parse().expect("address");
        registry.admit(address, Duration::from_secs(100 + seconds))
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_are_one_client() {
        let registry = registry(10, 2, PLENTY, PLENTY);
        let mut places = Vec::new();
        for (address, expected) in [
            ("2001:db8::1", Ok(())),
            ("2001:db8:0:0:ffff::2", Ok(())),
            ("2001:db8::3", Err(Full::Address)),
            ("2001:db8:0:1::1", Ok(())),
            ("192.0.2.1", Ok(())),
            ("192.0.2.2", Ok(())),
            ("::ffff:192.0.2.1", Ok(())),
            ("192.0.2.1", Err(Full::Address)),
        ] {
            let admitted = admit(&registry, address, 0).map(|place| places.push(place));
            assert_eq!(admitted, expected, "{address}");
        }
    }

    #[test]
    fn a_refused_address_takes_no_token_from_the_others() {
        let registry = registry(100, 1, Rate::new(1, 3), PLENTY);
        let _first = admit(&registry, "192.0.2.1", 0).expect("a place");
        for _ in 0..100 {
            assert_eq!(admit(&registry, "192.0.2.1", 0).err(), Some(Full::Address));
        }
        let _second = admit(&registry, "192.0.2.2", 0).expect("a place");
        let _third = admit(&registry, "192.0.2.3", 0).expect("a place");
        assert_eq!(admit(&registry, "192.0.2.4", 0).err(), Some(Full::Rate));
        let _fourth = admit(&registry, "192.0.2.4", 1).expect("a place");
    }

    #[test]
    fn who_comes_and_goes_too_fast_waits_alone() {
        let registry = registry(100, 2, Rate::new(1, 10), Rate::new(1, 3));
        for _ in 0..3 {
            admit(&registry, "192.0.2.1", 0).expect("a place");
        }
        for _ in 0..100 {
            let refused = admit(&registry, "192.0.2.1", 0).err();
            assert_eq!(refused, Some(Full::AddressRate));
        }
        // A refusal by the others' rate leaves the own tokens alone.
        let others: Vec<_> = (1..=7)
            .map(|last| admit(&registry, &format!("198.51.100.{last}"), 0).expect("a place"))
            .collect();
        for _ in 0..10 {
            let refused = admit(&registry, "192.0.2.9", 0).err();
            assert_eq!(refused, Some(Full::Rate));
        }
        drop(others);
        for seconds in 1..=3 {
            admit(&registry, "192.0.2.9", seconds).expect("a place");
        }
    }

    #[test]
    fn addresses_are_forgotten_when_their_buckets_are_full() {
        let registry = registry(100, 2, PLENTY, Rate::new(1, 3));
        drop(admit(&registry, "192.0.2.1", 0));
        let kept = admit(&registry, "192.0.2.2", 0).expect("a place");
        assert_eq!(registry.counts.lock().addresses.len(), 2);
        drop(admit(&registry, "192.0.2.3", 30));
        assert_eq!(registry.counts.lock().addresses.len(), 2);
        drop(kept);
        drop(admit(&registry, "192.0.2.3", 60));
        assert_eq!(registry.counts.lock().addresses.len(), 1);
    }
}
