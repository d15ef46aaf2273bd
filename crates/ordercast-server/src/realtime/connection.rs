//! The task of one connection: waits for the socket, feeds the session, awaits what it asks for.
//!
//! It owns no buffer while idle: bytes are read into a buffer of the thread, and only an incomplete
//! frame is kept.

use super::{
    Shared,
    frame::{BOUNDS, Reader, Received},
    peer::{Peer, Work},
    registry::Place,
};
use crate::auth::Rejected;
use bytes::Bytes;
use metrics::counter;
use ordercast_core::{
    channel::Channel,
    session::{Action, AuthenticationFailed, Granted},
};
use std::{cell::RefCell, io, sync::Arc, time::Duration};
use tokio::io::Interest;

const SCRATCH_BYTES: usize = 16 * 1024;
/// After the close frame, for the client to read it and answer.
const LINGER: Duration = Duration::from_secs(2);

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; SCRATCH_BYTES]);
}

/// Lives as long as the connection. `leftover`: what came right behind the upgrade request.
///
/// Not an `async fn`: that would keep each argument twice for the connection's whole life.
pub fn run(
    shared: Arc<Shared>,
    peer: Arc<Peer>,
    place: Place,
    leftover: Bytes,
) -> impl Future<Output = ()> {
    shared.registry.insert(&peer);
    let mut joined = None;
    let mut reader = Reader::default();
    let mut early = take(&peer, &mut reader, &leftover);
    drop(leftover);
    async move {
        if !early.is_empty() {
            let early = std::mem::take(&mut early);
            Box::pin(handle(&shared, &peer, early, &mut joined)).await;
        }
        book(&shared, &peer);
        idle(&shared, &peer, &mut reader, &mut joined).await;
        if let Some(channel) = joined {
            shared.hub.leave(&channel, &peer);
        }
        shared.registry.remove(peer.id);
        let _ = Box::pin(tokio::time::timeout(LINGER, linger(&peer))).await;
        drop(place);
    }
}

async fn idle(
    shared: &Shared,
    peer: &Arc<Peer>,
    reader: &mut Reader,
    joined: &mut Option<Channel>,
) {
    while !peer.is_closing() {
        let interest = if peer.has_queued() {
            Interest::READABLE | Interest::WRITABLE
        } else {
            Interest::READABLE
        };
        let ready = tokio::select! {
            ready = peer.stream.ready(interest) => ready,
            () = peer.wake.notified() => continue,
        };
        let Ok(ready) = ready else { break };
        if ready.is_writable() {
            peer.on_writable();
        }
        if ready.is_readable() || ready.is_read_closed() {
            let Some(received) = read(peer, reader) else {
                break;
            };
            if !received.is_empty() {
                // Boxed: what it needs while it runs must not be part of an idle connection.
                Box::pin(handle(shared, peer, received, joined)).await;
                book(shared, peer);
            }
        }
    }
}

fn book(shared: &Shared, peer: &Peer) {
    if let Some(at) = peer.appointment() {
        shared.wheel.schedule(peer.id, at);
    }
}

/// `None`: the client has gone.
fn read(peer: &Peer, reader: &mut Reader) -> Option<Vec<Received>> {
    SCRATCH.with_borrow_mut(|scratch| match peer.stream.try_read(scratch) {
        Ok(0) => None,
        Ok(count) => Some(take(peer, reader, &scratch[..count])),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Some(Vec::new()),
        Err(_) => None,
    })
}

fn take(peer: &Peer, reader: &mut Reader, bytes: &[u8]) -> Vec<Received> {
    let mut received = Vec::new();
    if let Err(violation) = reader.push(BOUNDS, bytes, &mut received) {
        peer.end(violation.code, violation.reason);
    }
    received
}

async fn handle(
    shared: &Shared,
    peer: &Arc<Peer>,
    received: Vec<Received>,
    joined: &mut Option<Channel>,
) {
    for message in received {
        let mut work = peer.receive(message);
        while let Some(action) = work.pop_front() {
            if peer.is_closing() {
                return;
            }
            work.extend(carry_out(shared, peer, action, joined).await);
        }
        if peer.is_closing() {
            return;
        }
    }
}

async fn carry_out(
    shared: &Shared,
    peer: &Arc<Peer>,
    action: Action,
    joined: &mut Option<Channel>,
) -> Work {
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
                    };
                    ("accepted", Ok(granted))
                }
                Err(Rejected::Credential(reason)) => {
                    tracing::debug!(connection = peer.id, %project, reason, "connect rejected");
                    ("rejected", Err(AuthenticationFailed::Rejected))
                }
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
                *joined = Some(channel);
                return Work::new();
            }
            counter!("ordercast_connects_total", "result" => "too_many").increment(1);
            let time = shared.clock.time();
            let result = Err(AuthenticationFailed::TooManyConnections);
            peer.with(|session, now, out| session.on_authenticated(now, time, result, out))
        }
        Action::Read { channel, read } => {
            let page = match shared.store.channel(&channel, read.range, read.limit).await {
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

/// Writes what is left and reads until the client closes: a socket that is dropped with unread bytes
/// is reset, and the client might never see the close frame.
async fn linger(peer: &Peer) {
    while peer.has_queued() {
        if peer.stream.writable().await.is_err() {
            return;
        }
        peer.on_writable();
    }
    if peer.is_dead() {
        return;
    }
    let _ = socket2::SockRef::from(&peer.stream).shutdown(std::net::Shutdown::Write);
    loop {
        if peer.stream.readable().await.is_err() {
            return;
        }
        let ended = SCRATCH.with_borrow_mut(|scratch| match peer.stream.try_read(scratch) {
            Ok(count) => count == 0,
            Err(error) => error.kind() != io::ErrorKind::WouldBlock,
        });
        if ended {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an idle connection's task costs; everything bigger must be boxed.
    #[test]
    fn the_idle_task_is_small() {
        fn size<F: Future>(_: fn(Arc<Shared>, Arc<Peer>, Place, Bytes) -> F) -> usize {
            size_of::<F>()
        }
        assert!(size(run) <= 440, "{} bytes", size(run));
    }
}
