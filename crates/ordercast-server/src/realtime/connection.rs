//! The task of one WebSocket: waits for the socket, feeds the session, awaits what it asks for.
//!
//! It owns no buffer while idle: bytes are read into a buffer of the thread, and only an incomplete
//! frame is kept.

use super::{
    Shared,
    budget::{Budget, Direction, Share},
    frame::{BOUNDS, BOUNDS_BEFORE_CONNECT, Reader, Received},
    peer::{LINGER, Outlet, Peer, Work},
    registry::Place,
    socket::Socket,
    work::{Presence, book},
};
use bytes::Bytes;
use centrifuge_protocol::DisconnectCode;
use std::{cell::RefCell, future::poll_fn, io, sync::Arc};

const SCRATCH_BYTES: usize = 16 * 1024;
/// What a client may leave incomplete when all of them together hold too much: most connects come in one
/// piece, and so do all other commands.
const INPUT_BYTES_MAX_WHEN_FULL: usize = 4 * 1024;

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
        let mut input = first.await;
        idle(&presence, &mut input).await;
        input.release(&presence.shared.budget);
        let peer = Arc::clone(&presence.peer);
        drop(presence);
        let _ = Box::pin(tokio::time::timeout(LINGER, linger(peer))).await;
        drop(place);
    }
}

async fn open(shared: Arc<Shared>, peer: Arc<Peer>, early: Work, leftover: Bytes) -> Input {
    let mut input = Input::default();
    super::work::carry_out_all(&shared, &peer, early).await;
    let received = input.take(&shared.budget, &peer, &leftover);
    handle(&shared, &peer, received).await;
    book(&shared, &peer);
    input
}

/// What has come and is not complete.
#[derive(Default)]
struct Input {
    reader: Reader,
    share: Share,
    has_connected: bool,
}

impl Input {
    fn take(&mut self, budget: &Budget, peer: &Peer, bytes: &[u8]) -> Vec<Received> {
        self.has_connected = self.has_connected || peer.is_live();
        let bounds = if self.has_connected {
            BOUNDS
        } else {
            BOUNDS_BEFORE_CONNECT
        };
        let mut received = Vec::new();
        if let Err(violation) = self.reader.push(bounds, bytes, &mut received) {
            peer.end(violation.code, violation.reason);
        }
        let held = self.reader.held();
        self.share.set(budget, Direction::In, held);
        if held > INPUT_BYTES_MAX_WHEN_FULL && budget.is_full() {
            let reason = "slow: a message is incomplete, and memory is short";
            peer.end(DisconnectCode::Slow.code(), reason);
        }
        received
    }

    /// Nothing more is read.
    fn release(&mut self, budget: &Budget) {
        self.reader = Reader::default();
        self.share.set(budget, Direction::In, 0);
    }
}

async fn idle(presence: &Presence, input: &mut Input) {
    let Presence { shared, peer } = presence;
    let Outlet::Socket(socket) = &peer.outlet else {
        return;
    };
    while poll_fn(|cx| peer.poll_readable(socket, cx)).await {
        let Some(received) = read(&shared.budget, peer, socket, input) else {
            break;
        };
        if !received.is_empty() {
            // Boxed, as above.
            Box::pin(handle(shared, peer, received)).await;
        }
    }
}

/// `None`: the client has gone.
fn read(budget: &Budget, peer: &Peer, socket: &Socket, input: &mut Input) -> Option<Vec<Received>> {
    SCRATCH.with_borrow_mut(|scratch| match socket.try_read(scratch) {
        Ok(0) => None,
        Ok(count) => Some(input.take(budget, peer, &scratch[..count])),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Some(Vec::new()),
        Err(_) => None,
    })
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
    read_out(socket).await;
}

/// Reads until the client closes, and keeps nothing.
async fn read_out(socket: &Socket) {
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

/// Tells a client that was not let in why, in a handshake that is already done.
pub async fn turn_away(socket: Socket, last_words: Bytes) {
    let farewell = async {
        let mut rest = last_words.as_ref();
        while !rest.is_empty() || socket.holds_bytes() {
            match socket.try_write(&[io::IoSlice::new(rest)]) {
                Ok(0) if !rest.is_empty() => return,
                Ok(written) => rest = &rest[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
            match socket.flush() {
                Ok(()) if rest.is_empty() => break,
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
            if poll_fn(|cx| socket.poll_writable(cx)).await.is_err() {
                return;
            }
        }
        socket.finish();
        read_out(&socket).await;
    };
    let _ = tokio::time::timeout(LINGER, farewell).await;
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
