//! All connections by id, and how many there may be.

use super::peer::Peer;
use metrics::{Gauge, gauge};
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};
use tokio::sync::Notify;

const SHARDS: u64 = 64;

#[derive(Debug)]
pub struct Registry {
    shards: Vec<Mutex<HashMap<u64, Arc<Peer>>>>,
    /// Connections an address: entries go with their last connection.
    addresses: Mutex<HashMap<IpAddr, usize>>,
    count: AtomicUsize,
    next_id: AtomicU64,
    max: usize,
    per_address_max: usize,
    emptied: Notify,
    /// Kept: to look it up anew costs as much as the rest of a place.
    connections: Gauge,
}

/// Why a connection is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    Server,
    Address,
}

/// A place among the connections; given back when it is dropped.
#[derive(Debug)]
pub struct Place {
    registry: Arc<Registry>,
    address: IpAddr,
    pub id: u64,
}

impl Registry {
    pub fn new(max: usize, per_address_max: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            addresses: Mutex::default(),
            count: AtomicUsize::new(0),
            next_id: AtomicU64::new(1),
            max,
            per_address_max,
            emptied: Notify::new(),
            connections: gauge!("ordercast_connections"),
        }
    }

    pub fn admit(self: &Arc<Self>, address: IpAddr) -> Result<Place, Full> {
        let address = network(address);
        let mut addresses = self.addresses.lock();
        if self.count.load(Ordering::Relaxed) >= self.max {
            return Err(Full::Server);
        }
        let of_address = addresses.entry(address).or_insert(0);
        if *of_address >= self.per_address_max {
            return Err(Full::Address);
        }
        *of_address += 1;
        self.count.fetch_add(1, Ordering::Relaxed);
        self.connections.increment(1.0);
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        Ok(Place {
            registry: Arc::clone(self),
            address,
            id,
        })
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

/// What one client has for itself: an address, or of IPv6 the 2^64 addresses of its network, from each
/// of which it could come as somebody else.
pub fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64)).into(),
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut addresses = self.registry.addresses.lock();
        if let Some(of_address) = addresses.get_mut(&self.address) {
            *of_address -= 1;
            if *of_address == 0 {
                addresses.remove(&self.address);
            }
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

    #[test]
    fn the_addresses_of_one_ipv6_network_are_one_client() {
        let registry = Arc::new(Registry::new(10, 2));
        let mut places = Vec::new();
        let mut admits = |address: &str| {
            let address = address.parse().expect("address");
            registry.admit(address).map(|place| places.push(place))
        };
        for (address, expected) in [
            ("2001:db8::1", Ok(())),
            ("2001:db8:0:0:ffff::2", Ok(())),
            ("2001:db8::3", Err(Full::Address)),
            ("2001:db8:0:1::1", Ok(())),
            ("192.0.2.1", Ok(())),
            ("192.0.2.2", Ok(())),
            ("192.0.2.1", Ok(())),
            ("192.0.2.1", Err(Full::Address)),
        ] {
            assert_eq!(admits(address), expected, "{address}");
        }
    }
}
