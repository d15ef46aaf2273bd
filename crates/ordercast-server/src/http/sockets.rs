//! How many sockets there are, in all and of one address, from the moment they are accepted.
//!
//! Invariant: a socket is counted before anything is made for it, TLS included, and a place is given back
//! with the socket. A realtime connection is counted by the realtime registry instead, by its client's own
//! address; here it is one of all.

use crate::realtime::network;
use metrics::{Gauge, counter, gauge};
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::Notify;

/// TLS handshakes that are not finished: each costs about 90 KB.
pub const HANDSHAKES_MAX: usize = 1_024;
/// Of them, from one address.
pub const HANDSHAKES_PER_ADDRESS_MAX: usize = 64;
/// From this part of the bound on, connections that wait for a next request are closed.
const CROWDED: (usize, usize) = (7, 8);
/// Between two closings of those that wait.
const CROWDED_PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub struct Sockets {
    max: usize,
    pub per_address_max: usize,
    counts: Mutex<Counts>,
    /// Told when there are so many sockets that idle ones must make room.
    crowded: Notify,
    open: Gauge,
    handshakes: Gauge,
}

#[derive(Debug, Default)]
struct Counts {
    /// Not realtime.
    plain: usize,
    handshakes: usize,
    /// Bound: an entry has at least one socket. Proxies are not among them.
    addresses: HashMap<IpAddr, OfAddress>,
    crowded_at: Option<Instant>,
}

#[derive(Clone, Copy, Debug, Default)]
struct OfAddress {
    plain: usize,
    handshakes: usize,
}

/// Why a socket is closed as soon as it is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    Address,
    Server,
}

impl Full {
    pub fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Server => "server",
        }
    }
}

/// A socket that is not a realtime connection.
#[derive(Debug)]
pub struct Plain {
    sockets: Arc<Sockets>,
    /// `None`: a proxy, which has many clients.
    address: Option<IpAddr>,
}

/// The socket is a realtime connection while this lives, and counted as such.
#[derive(Debug)]
pub struct Lent(Arc<Plain>);

/// An unfinished TLS handshake.
#[derive(Debug)]
pub struct Handshake<'p>(&'p Plain);

impl Sockets {
    pub fn new(max: usize, per_address_max: usize) -> Arc<Self> {
        Arc::new(Self {
            max,
            per_address_max,
            counts: Mutex::default(),
            crowded: Notify::new(),
            open: gauge!("ordercast_http_connections"),
            handshakes: gauge!("ordercast_tls_handshakes"),
        })
    }

    /// `realtime`: how many realtime connections there are. `is_proxy`: the operator named this address.
    ///
    /// # Errors
    /// [`Full`]; nothing was counted.
    pub fn admit(
        self: &Arc<Self>,
        peer: IpAddr,
        is_proxy: bool,
        realtime: usize,
        now: Instant,
    ) -> Result<Plain, Full> {
        let address = (!is_proxy).then(|| network(peer));
        let mut counts = self.counts.lock();
        let all = counts.plain + realtime;
        let refused = match address.and_then(|address| counts.addresses.get(&address)) {
            Some(of) if of.plain >= self.per_address_max => Some(Full::Address),
            _ if all >= self.max => Some(Full::Server),
            _ => None,
        };
        let (part, of) = CROWDED;
        let is_due = |at: Instant| now.saturating_duration_since(at) >= CROWDED_PAUSE;
        if all >= self.max / of * part && counts.crowded_at.is_none_or(is_due) {
            counts.crowded_at = Some(now);
            self.crowded.notify_waiters();
        }
        if let Some(full) = refused {
            counter!("ordercast_sockets_refused_total", "why" => full.name()).increment(1);
            return Err(full);
        }
        counts.add(address);
        self.open.increment(1.0);
        Ok(Plain {
            sockets: Arc::clone(self),
            address,
        })
    }

    /// Returns when idle connections are to make room.
    pub async fn crowded(&self) {
        self.crowded.notified().await;
    }
}

impl Counts {
    fn add(&mut self, address: Option<IpAddr>) {
        self.plain += 1;
        if let Some(address) = address {
            self.addresses.entry(address).or_default().plain += 1;
        }
    }

    fn remove(&mut self, address: Option<IpAddr>) {
        self.plain -= 1;
        if let Some(address) = address
            && let Some(of) = self.addresses.get_mut(&address)
        {
            of.plain -= 1;
            if of.plain == 0 {
                self.addresses.remove(&address);
            }
        }
    }
}

impl Plain {
    /// A place for a TLS handshake, if there is one. It must end before the socket does.
    pub fn handshake(&self) -> Option<Handshake<'_>> {
        let mut counts = self.sockets.counts.lock();
        let own = self
            .address
            .and_then(|address| counts.addresses.get(&address).copied());
        if counts.handshakes >= HANDSHAKES_MAX
            || own.is_some_and(|own| own.handshakes >= HANDSHAKES_PER_ADDRESS_MAX)
        {
            return None;
        }
        counts.handshakes += 1;
        if let Some(own) = self
            .address
            .and_then(|address| counts.addresses.get_mut(&address))
        {
            own.handshakes += 1;
        }
        self.sockets.handshakes.increment(1.0);
        Some(Handshake(self))
    }

    pub fn lend(self: &Arc<Self>) -> Lent {
        self.sockets.counts.lock().remove(self.address);
        self.sockets.open.decrement(1.0);
        Lent(Arc::clone(self))
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        self.sockets.counts.lock().remove(self.address);
        self.sockets.open.decrement(1.0);
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.0.sockets.counts.lock().add(self.0.address);
        self.0.sockets.open.increment(1.0);
    }
}

impl Drop for Handshake<'_> {
    fn drop(&mut self) {
        let mut counts = self.0.sockets.counts.lock();
        counts.handshakes -= 1;
        if let Some(own) = self
            .0
            .address
            .and_then(|address| counts.addresses.get_mut(&address))
        {
            own.handshakes -= 1;
        }
        self.0.sockets.handshakes.decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    fn admit(sockets: &Arc<Sockets>, peer: &str, realtime: usize) -> Result<Arc<Plain>, Full> {
        let peer: IpAddr = peer.parse().expect("address");
        let is_proxy = peer.to_string().starts_with("10.");
        let now = crate::clock::monotonic();
        sockets.admit(peer, is_proxy, realtime, now).map(Arc::new)
    }

    #[test]
    fn an_address_has_its_share_and_a_proxy_any_number() {
        let sockets = Sockets::new(100, 2);
        let first = admit(&sockets, "192.0.2.1", 0).expect("a place");
        let _second = admit(&sockets, "192.0.2.1", 0).expect("a place");
        assert_eq!(admit(&sockets, "192.0.2.1", 0).err(), Some(Full::Address));
        let _other = admit(&sockets, "192.0.2.2", 0).expect("a place");
        let proxied: Vec<_> = (0..5).map(|_| admit(&sockets, "10.0.0.1", 0)).collect();
        assert!(proxied.iter().all(Result::is_ok));
        // Two addresses of one network of IPv6 are one.
        let _v6 =
            [1, 2].map(|last| admit(&sockets, &format!("2001:db8::{last}"), 0).expect("a place"));
        assert_eq!(admit(&sockets, "2001:db8::3", 0).err(), Some(Full::Address));
        drop(first);
        let _again = admit(&sockets, "192.0.2.1", 0).expect("a place");
    }

    #[test]
    fn realtime_connections_are_some_of_all() {
        let sockets = Sockets::new(10, 10);
        let _one = admit(&sockets, "192.0.2.1", 9).expect("a place");
        assert_eq!(admit(&sockets, "192.0.2.2", 9).err(), Some(Full::Server));
        assert_eq!(admit(&sockets, "10.0.0.1", 9).err(), Some(Full::Server));
        let _two = admit(&sockets, "192.0.2.2", 8).expect("a place");
    }

    #[test]
    fn a_stream_is_counted_as_realtime_while_it_lasts() {
        let sockets = Sockets::new(10, 1);
        let socket = admit(&sockets, "192.0.2.1", 0).expect("a place");
        let lent = socket.lend();
        let another = admit(&sockets, "192.0.2.1", 1).expect("a place");
        drop(another);
        drop(lent);
        assert_eq!(admit(&sockets, "192.0.2.1", 0).err(), Some(Full::Address));
        drop(socket);
        assert!(sockets.counts.lock().addresses.is_empty());
        assert_eq!(sockets.counts.lock().plain, 0);
    }

    #[test]
    fn unfinished_handshakes_are_bounded_for_an_address_and_for_all() {
        let sockets = Sockets::new(100_000, 100_000);
        let of = |last: usize| admit(&sockets, &format!("192.0.2.{last}"), 0).expect("a place");
        let plain: Vec<_> = (0..=HANDSHAKES_MAX / HANDSHAKES_PER_ADDRESS_MAX)
            .map(of)
            .collect();
        let mut handshakes = Vec::new();
        for socket in &plain[1..] {
            for _ in 0..HANDSHAKES_PER_ADDRESS_MAX {
                handshakes.push(socket.handshake().expect("a place"));
            }
            assert!(socket.handshake().is_none(), "of one address");
        }
        assert!(plain[0].handshake().is_none(), "of all");
        handshakes.pop();
        assert!(plain[0].handshake().is_some());
    }

    #[tokio::test]
    async fn idle_connections_make_room_before_the_bound() {
        let sockets = Sockets::new(16, 100);
        let told = sockets.crowded();
        tokio::pin!(told);
        assert!(told.as_mut().now_or_never().is_none());
        let mut places: Vec<_> = (0..14).map(|_| admit(&sockets, "192.0.2.1", 0)).collect();
        assert!(told.as_mut().now_or_never().is_none());
        places.push(admit(&sockets, "192.0.2.1", 0));
        told.await;
    }
}
