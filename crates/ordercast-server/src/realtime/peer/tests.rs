//! The bound on what is outstanding, over a real socket.

use super::*;
use ordercast_core::session::SessionConfig;
use std::{future::poll_fn, sync::Arc};
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpSocket, TcpStream},
};

/// Far more than both ends' kernels hold, so that most of it waits here.
const REPLY_BYTES: usize = 16 * 1024 * 1024;

/// A connection, and the client's end of it, that has not read anything.
async fn connection() -> (Arc<Peer>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let socket = TcpSocket::new_v4().expect("socket");
    let address = listener.local_addr().expect("address");
    let (client, accepted) = tokio::join!(socket.connect(address), listener.accept());
    let clock = Clock::start();
    let session = Session::new(clock.monotonic(), SessionConfig::default(), 0, 0);
    let (stream, _) = accepted.expect("accepted");
    let outlet = Outlet::Socket(Socket::Plain(stream));
    let peer = Peer::new(1, Form::WebSocketJson, outlet, clock, session);
    (Arc::new(peer), client.expect("connected"))
}

impl Peer {
    fn send(&self, frame: Bytes) {
        let mut inner = self.inner.lock();
        self.push(&mut inner, frame);
        self.carry_out(&mut inner, Vec::new(), &mut Work::new());
    }
}

fn frame(byte: u8, size: usize) -> Bytes {
    vec![byte; size].into()
}

#[tokio::test]
async fn a_long_reply_that_is_being_read_is_no_slow_reader() {
    let (peer, mut client) = connection().await;
    peer.send(frame(b'r', REPLY_BYTES));
    let writing = tokio::spawn({
        let peer = Arc::clone(&peer);
        async move {
            let Outlet::Socket(socket) = &peer.outlet else {
                unreachable!("made above");
            };
            poll_fn(|cx| peer.poll_written(socket, cx)).await
        }
    });
    // Slowly: between two reads, changes come.
    let mut read = 0;
    let mut changes = 0;
    let mut chunk = vec![0; 64 * 1024];
    while read < REPLY_BYTES {
        let count = client.read(&mut chunk).await.expect("read");
        assert!(count > 0, "cut after {read} bytes");
        read += count;
        if changes < QUEUE_FRAMES_MAX {
            peer.send(frame(b'c', 100));
            changes += 1;
        }
        assert!(!peer.is_closing(), "closed after {read} bytes");
    }
    let mut rest = read - REPLY_BYTES;
    while rest < changes * 100 {
        rest += client.read(&mut chunk).await.expect("read");
    }
    assert_eq!(rest, changes * 100);
    assert!(writing.await.expect("the writer"));
    assert!(!peer.is_closing());
}

#[tokio::test]
async fn what_waits_behind_the_frame_that_is_being_written_is_bounded_in_bytes_and_frames() {
    for (size, count) in [(QUEUE_BYTES_MAX / 4, 4), (1, QUEUE_FRAMES_MAX - 1)] {
        let (peer, _client) = connection().await;
        peer.send(frame(b'r', REPLY_BYTES));
        for _ in 0..count {
            peer.send(frame(b'c', size));
        }
        assert!(!peer.is_closing(), "{count} frames of {size} bytes");
        peer.send(frame(b'c', size));
        assert!(peer.is_closing(), "{count} frames of {size} bytes and one");
    }
}
