//! The bound on what is outstanding, over a real socket.

use super::{
    queue::{QUEUE_BYTES_MAX, QUEUE_BYTES_MAX_WHEN_FULL, QUEUE_FRAMES_MAX},
    *,
};
use crate::tls::TlsStream;
use ordercast_core::session::SessionConfig;
use std::{future::poll_fn, pin::Pin, sync::Arc};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore, ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{PrivateKeyDer, ServerName},
    },
};

/// Far more than both ends' kernels hold, so that most of it waits here.
const REPLY_BYTES: usize = 16 * 1024 * 1024;
const NAME: &str = "orders.example";

#[derive(Clone, Copy, Debug)]
enum Layer {
    Plain,
    Tls,
}

type Client = Pin<Box<dyn AsyncRead>>;

/// A connection, and the client's end of it, that has not read anything.
async fn connection(layer: Layer) -> (Arc<Peer>, Client) {
    connection_among(layer, &Budget::new(usize::MAX)).await
}

async fn connection_among(layer: Layer, budget: &Arc<Budget>) -> (Arc<Peer>, Client) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let address = listener.local_addr().expect("address");
    let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
    let (client, (stream, _)) = (client.expect("connected"), accepted.expect("accepted"));
    let (client, socket) = match layer {
        Layer::Plain => (Box::pin(client) as Client, Socket::Plain(stream)),
        Layer::Tls => secure(client, stream).await,
    };
    let clock = Clock::start();
    let session = Session::new(clock.monotonic(), SessionConfig::default(), 0, 0);
    let peer = Peer::new(
        1,
        Form::WebSocketJson,
        Outlet::Socket(socket),
        clock,
        Arc::clone(budget),
        session,
    );
    (Arc::new(peer), client)
}

async fn secure(client: TcpStream, server: TcpStream) -> (Client, Socket) {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).expect("certificate");
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("key");
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).expect("root");
    let here = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("pair");
    let there = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(NAME).expect("name");
    let (client, server) = tokio::join!(
        TlsConnector::from(Arc::new(there)).connect(name, client),
        TlsStream::accept(Arc::new(here), server),
    );
    let socket = Socket::Tls(Box::new(server.expect("accepted")));
    (Box::pin(client.expect("connected")), socket)
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
    read_slowly(Layer::Plain).await;
    read_slowly(Layer::Tls).await;
}

async fn read_slowly(layer: Layer) {
    let (peer, mut client) = connection(layer).await;
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
        assert!(count > 0, "{layer:?} cut after {read} bytes");
        let reply = count.min(REPLY_BYTES - read);
        assert!(
            chunk[..reply].iter().all(|byte| *byte == b'r'),
            "{layer:?}: out of order"
        );
        read += count;
        // As many as may wait behind the reply.
        if changes < QUEUE_FRAMES_MAX - 1 {
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
    for (layer, size, count) in [
        (Layer::Plain, QUEUE_BYTES_MAX / 4, 4),
        (Layer::Plain, 1, QUEUE_FRAMES_MAX - 1),
        (Layer::Tls, QUEUE_BYTES_MAX / 4, 4),
        (Layer::Tls, 1, QUEUE_FRAMES_MAX - 1),
    ] {
        let (peer, _client) = connection(layer).await;
        peer.send(frame(b'r', REPLY_BYTES));
        for _ in 0..count {
            peer.send(frame(b'c', size));
        }
        assert!(!peer.is_closing(), "{count} frames of {size} bytes");
        peer.send(frame(b'c', size));
        assert!(peer.is_closing(), "{count} frames of {size} bytes and one");
    }
}

#[tokio::test]
async fn when_all_together_hold_too_much_whoever_holds_much_is_slow() {
    let budget = Budget::new(REPLY_BYTES);
    let (first, _client) = connection_among(Layer::Plain, &budget).await;
    first.send(frame(b'r', REPLY_BYTES));
    assert!(!first.is_closing(), "the kernel holds a part of it");
    let (small, _other) = connection_among(Layer::Plain, &budget).await;
    let (second, _another) = connection_among(Layer::Tls, &budget).await;
    second.send(frame(b'r', REPLY_BYTES));
    assert!(second.is_closing(), "together too much");

    // Its queue is what the client does not read, which with a reader is nothing.
    small.send(frame(b'c', 2 * QUEUE_BYTES_MAX_WHEN_FULL));
    assert!(!small.is_closing(), "who reads is served");
    first.send(frame(b'c', 1));
    assert!(first.is_closing(), "who does not read is not");

    drop((first, small));
    assert!(budget.bytes() > 0, "what the second one cannot get rid of");
    drop(second);
    assert_eq!(budget.bytes(), 0);
}
