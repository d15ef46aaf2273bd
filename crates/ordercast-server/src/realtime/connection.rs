//! The task of one WebSocket: waits for the socket, feeds the session, awaits what it asks for.
//!
//! It owns no buffer while idle: bytes are read into a buffer of the thread, and only an incomplete
//! frame is kept.

use super::{
    Shared,
    frame::{BOUNDS, Reader, Received},
    peer::{LINGER, Outlet, Peer, Work},
    registry::Place,
    socket::Socket,
    work::{Presence, book},
};
use bytes::Bytes;
use std::{cell::RefCell, future::poll_fn, io, sync::Arc};

const SCRATCH_BYTES: usize = 16 * 1024;

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; SCRATCH_BYTES]);
}

/// Lives as long as the connection. `early`: what was asked before the first frame. `leftover`: what
/// came right behind the upgrade request.
///
/// Not an `async fn`: that would keep each argument twice for the connection's whole life.
pub fn run(
    shared: Arc<Shared>,
    peer: Arc<Peer>,
    place: Place,
    early: Work,
    leftover: Bytes,
) -> impl Future<Output = ()> {
    let presence = Presence::new(shared, peer);
    // Boxed: what is needed once must not be part of an idle connection.
    let first = Box::pin(open(
        Arc::clone(&presence.shared),
        Arc::clone(&presence.peer),
        early,
        leftover,
    ));
    async move {
        let mut reader = first.await;
        idle(&presence, &mut reader).await;
        let peer = Arc::clone(&presence.peer);
        drop(presence);
        let _ = Box::pin(tokio::time::timeout(LINGER, linger(peer))).await;
        drop(place);
    }
}

async fn open(shared: Arc<Shared>, peer: Arc<Peer>, early: Work, leftover: Bytes) -> Reader {
    let mut reader = Reader::default();
    super::work::carry_out_all(&shared, &peer, early).await;
    let received = take(&peer, &mut reader, &leftover);
    handle(&shared, &peer, received).await;
    book(&shared, &peer);
    reader
}

async fn idle(presence: &Presence, reader: &mut Reader) {
    let Presence { shared, peer } = presence;
    let Outlet::Socket(socket) = &peer.outlet else {
        return;
    };
    while poll_fn(|cx| peer.poll_readable(socket, cx)).await {
        let Some(received) = read(peer, socket, reader) else {
            break;
        };
        if !received.is_empty() {
            // Boxed, as above.
            Box::pin(handle(shared, peer, received)).await;
        }
    }
}

/// `None`: the client has gone.
fn read(peer: &Peer, socket: &Socket, reader: &mut Reader) -> Option<Vec<Received>> {
    SCRATCH.with_borrow_mut(|scratch| match socket.try_read(scratch) {
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

async fn handle(shared: &Shared, peer: &Arc<Peer>, received: Vec<Received>) {
    for message in received {
        let work = peer.receive(message);
        super::work::carry_out_all(shared, peer, work).await;
        if peer.is_closing() {
            return;
        }
    }
}

/// Writes what is left and reads until the client closes: a socket that is dropped with unread bytes
/// is reset, and the client might never see the close frame.
async fn linger(peer: Arc<Peer>) {
    let Outlet::Socket(socket) = &peer.outlet else {
        return;
    };
    if !poll_fn(|cx| peer.poll_written(socket, cx)).await {
        return;
    }
    // Of a client that has closed nothing is unread.
    if peer.is_client_done() && matches!(socket, Socket::Plain(_)) {
        return;
    }
    socket.finish();
    loop {
        if poll_fn(|cx| socket.poll_readable(cx)).await.is_err() {
            return;
        }
        let ended = SCRATCH.with_borrow_mut(|scratch| match socket.try_read(scratch) {
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
        fn size<F: Future>(_: fn(Arc<Shared>, Arc<Peer>, Place, Work, Bytes) -> F) -> usize {
            size_of::<F>()
        }
        assert!(size(run) <= 200, "{} bytes", size(run));
    }
}
