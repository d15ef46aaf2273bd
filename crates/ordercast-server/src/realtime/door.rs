//! Who may open a connection, on any transport, and what the others are told.
//!
//! Invariant: all transports are counted together, and refused before anything is made for them.
//!
//! Clients take a refused handshake for a transport that does not get through: the official JavaScript
//! client takes the next one of its list then, and keeps it for the life of the page; a browser's
//! `EventSource` never comes again. So who is only to come later is told so inside the transport, with a
//! code that clients answer by coming again, and by a status of HTTP only when even that is too much.

use super::{
    Clock, Shared,
    form::Form,
    peer::{Outlet, Peer},
    registry::{Full, Place},
};
use crate::{auth::TooMany, clock, http::problem::Problem};
use axum::http::HeaderMap;
use centrifuge_protocol::DisconnectCode;
use metrics::counter;
use ordercast_core::session::Session;
use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

/// Why a client is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    Draining,
    Full(Full),
}

impl Refused {
    fn name(self) -> &'static str {
        match self {
            Self::Draining => "draining",
            Self::Full(Full::Address) => "address",
            Self::Full(Full::AddressRate) => "address_rate",
            Self::Full(Full::Server) => "server",
            Self::Full(Full::Rate) => "rate",
        }
    }

    /// The close code and reason for a client that is to come again. None for an address that has had
    /// its share: a handshake for each would be work that it makes us do.
    pub fn close(self) -> Option<(DisconnectCode, &'static str)> {
        match self {
            Self::Draining => Some((DisconnectCode::Shutdown, "shutdown: reconnect")),
            Self::Full(Full::Server) => Some((
                DisconnectCode::TooManyRequests,
                "too many connections: come again",
            )),
            Self::Full(Full::Rate) => Some((
                DisconnectCode::TooManyRequests,
                "too many connections at once: come again",
            )),
            Self::Full(Full::Address | Full::AddressRate) => None,
        }
    }
}

impl Refused {
    pub fn problem(self, shared: &Shared) -> Problem {
        let admission = shared.registry.admission();
        let over = |policy, quota, window_seconds| {
            Problem::from(TooMany {
                policy,
                quota,
                window_seconds,
                wait: Duration::from_secs(1),
            })
        };
        match self {
            Self::Draining | Self::Full(Full::Server | Full::Rate) => Problem::unavailable(),
            Self::Full(Full::Address) => {
                let quota = u32::try_from(admission.per_address).unwrap_or(u32::MAX);
                over("connections", quota, 1).named(
                    "too_many_connections",
                    "too many connections from this address",
                )
            }
            Self::Full(Full::AddressRate) => {
                over("connects", admission.rate_per_address.per_second(), 1).named(
                    "connections_too_fast",
                    "connections come too fast from this address",
                )
            }
        }
    }
}

/// A place for the client that sent this request.
pub fn enter(
    shared: &Arc<Shared>,
    headers: &HeaderMap,
    peer: SocketAddr,
) -> Result<Place, Refused> {
    let admitted = if shared.draining.load(Ordering::Relaxed) {
        Err(Refused::Draining)
    } else {
        let client = shared.proxies.client(peer.ip(), headers);
        let now = shared.clock.monotonic();
        shared.registry.admit(client, now).map_err(Refused::Full)
    };
    admitted.inspect_err(|refused| {
        let why = refused.name();
        counter!("ordercast_connections_refused_total", "why" => why).increment(1);
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
    let budget = Arc::clone(&shared.budget);
    Arc::new(Peer::new(place.id, form, outlet, clock, budget, session))
}
