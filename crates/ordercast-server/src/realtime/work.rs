//! What a session asks for and cannot have on the spot: a credential checked, the hub joined, the
//! log read. The same for every transport.

use super::{
    Shared,
    peer::{Peer, Work},
};
use crate::auth::Rejected;
use metrics::counter;
use ordercast_core::session::{Action, AuthenticationFailed, Granted};
use std::sync::{Arc, atomic::Ordering};

/// A connection among the others; it leaves them when this is dropped.
#[derive(Debug)]
pub struct Presence {
    pub shared: Arc<Shared>,
    pub peer: Arc<Peer>,
}

impl Presence {
    pub fn new(shared: Arc<Shared>, peer: Arc<Peer>) -> Self {
        shared.registry.insert(&peer);
        // Let in before the drain began, and too late for it to be found: the registry's lock is between
        // the flag and the look for it, on both sides.
        if shared.draining.load(Ordering::Relaxed) {
            peer.with(|session, _, out| session.on_shutdown(out));
        }
        Self { shared, peer }
    }

    /// Carries out what the session asked for, until it asks for no more.
    pub async fn work(&self, work: Work) {
        carry_out_all(&self.shared, &self.peer, work).await;
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        if let Some(channel) = self.peer.take_joined() {
            self.shared.hub.leave(&channel, &self.peer);
        }
        self.shared.registry.remove(self.peer.id);
    }
}

/// Ends with an appointment at the wheel for what the session waits for.
pub async fn carry_out_all(shared: &Shared, peer: &Arc<Peer>, mut work: Work) {
    while let Some(action) = work.pop_front() {
        if peer.is_closing() {
            break;
        }
        work.extend(carry_out(shared, peer, action).await);
    }
    book(shared, peer);
}

pub fn book(shared: &Shared, peer: &Peer) {
    if let Some(at) = peer.appointment() {
        shared.wheel.schedule(peer.id, at);
    }
}

async fn carry_out(shared: &Shared, peer: &Arc<Peer>, action: Action) -> Work {
    match action {
        Action::Authenticate {
            project,
            auth,
            user_external_id,
        } => {
            let identity = shared
                .auth
                .connect(project, &auth, user_external_id.as_deref())
                .await;
            let (label, result) = match identity {
                Ok(identity) => {
                    let granted = Granted {
                        project: identity.project,
                        user: identity.user,
                        valid_until: identity.valid_until,
                        order: identity.order,
                    };
                    ("accepted", Ok(granted))
                }
                Err(Rejected::Credential(_)) => ("rejected", Err(AuthenticationFailed::Rejected)),
                Err(Rejected::Failure(error)) => {
                    tracing::error!(%error, "a credential could not be checked");
                    ("unavailable", Err(AuthenticationFailed::Unavailable))
                }
            };
            counter!("ordercast_connects_total", "result" => label).increment(1);
            let time = shared.clock.time();
            peer.with(|session, now, out| session.on_authenticated(now, time, result, out))
        }
        Action::Join(channel) => {
            if shared.hub.join(&channel, peer) {
                peer.joined(channel);
                return Work::new();
            }
            counter!("ordercast_connects_total", "result" => "too_many").increment(1);
            let time = shared.clock.time();
            let result = Err(AuthenticationFailed::TooManyConnections);
            peer.with(|session, now, out| session.on_authenticated(now, time, result, out))
        }
        Action::Read {
            channel,
            read,
            claimed,
        } => {
            let asked = (read.range, read.limit);
            let time = shared.clock.time();
            let page = shared
                .store
                .channel_for(&channel, asked, claimed.as_ref(), time);
            let page = match page.await {
                Ok(page) => Some(page),
                Err(error) => {
                    tracing::error!(%error, "a channel could not be read");
                    None
                }
            };
            peer.with(|session, now, out| session.on_page(now, page, out))
        }
        // Carried out on the spot.
        Action::Send(_) | Action::Close { .. } => Work::new(),
    }
}
