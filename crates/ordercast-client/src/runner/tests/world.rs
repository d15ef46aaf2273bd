//! The server's side of the runner's world.

use std::time::Duration;

use centrifuge_protocol::{Bytes, Encoding};
use ordercast_core::{OrderId, ProjectId};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::config::TrackerConfig;
use crate::error::TrackError;
use crate::event::Event;
use crate::net::{Answer, Incoming, Net, OpenError, Socket};
use crate::runner::Runner;

type Dial = oneshot::Sender<Result<FakeSocket, OpenError>>;
type Request = (Option<String>, oneshot::Sender<Answer>);

/// Hands every wish of the runner to the test.
pub(super) struct FakeNet {
    dials: mpsc::UnboundedSender<Dial>,
    requests: mpsc::UnboundedSender<Request>,
}

pub(super) struct FakeSocket {
    sent: mpsc::UnboundedSender<String>,
    coming: mpsc::UnboundedReceiver<Incoming>,
}

/// The server's end of a connection.
pub(super) struct Peer {
    sent: mpsc::UnboundedReceiver<String>,
    coming: mpsc::UnboundedSender<Incoming>,
}

pub(super) struct World {
    dials: mpsc::UnboundedReceiver<Dial>,
    requests: mpsc::UnboundedReceiver<Request>,
    events: mpsc::Receiver<Result<Event, TrackError>>,
}

/// Longer than anything the runner waits for.
const FOREVER: Duration = Duration::from_secs(3_600);

impl Net for FakeNet {
    type Socket = FakeSocket;

    async fn open(&self) -> Result<FakeSocket, OpenError> {
        let (sender, receiver) = oneshot::channel();
        self.dials.send(sender).unwrap();
        receiver.await.unwrap()
    }

    async fn order(&self, etag: Option<String>) -> Answer {
        let (sender, receiver) = oneshot::channel();
        self.requests.send((etag, sender)).unwrap();
        receiver.await.unwrap()
    }
}

impl Socket for FakeSocket {
    async fn send(&mut self, frame: Vec<u8>) -> Result<(), String> {
        let frame = String::from_utf8(frame).unwrap();
        self.sent
            .send(frame)
            .map_err(|_| "connection lost".to_owned())
    }

    async fn next(&mut self) -> Incoming {
        let closed = || Incoming::Closed {
            code: None,
            reason: "connection lost".to_owned(),
        };
        self.coming.recv().await.unwrap_or_else(closed)
    }

    async fn close(&mut self) {
        let _ = self.sent.send("close".to_owned());
    }
}

impl World {
    /// Starts a runner that tracks order 7 until it is final.
    pub(super) fn tracking_an_order() -> Self {
        Self::start(|config| {
            config.order_id = Some(OrderId::new(7).unwrap());
            config.until_final = true;
        })
    }

    /// Starts a runner that tracks all orders.
    pub(super) fn tracking_all() -> Self {
        Self::start(|_| {})
    }

    fn start(adapt: fn(&mut TrackerConfig)) -> Self {
        let mut config = TrackerConfig::new("http://host", ProjectId::new(5).unwrap(), "token");
        adapt(&mut config);
        assert_eq!(config.encoding, Encoding::Json);
        let (dials, dials_receiver) = mpsc::unbounded_channel();
        let (requests, requests_receiver) = mpsc::unbounded_channel();
        let (sender, events) = mpsc::channel(16);
        tokio::spawn(Runner::new(&config, FakeNet { dials, requests }, sender).run());
        Self {
            dials: dials_receiver,
            requests: requests_receiver,
            events,
        }
    }

    pub(super) async fn event(&mut self) -> Option<Result<Event, TrackError>> {
        timeout(FOREVER, self.events.recv())
            .await
            .expect("an event")
    }

    /// The next event in few words, the delay left out.
    pub(super) async fn told(&mut self) -> String {
        match self.event().await {
            Some(Ok(event)) => {
                let mut json = serde_json::to_value(&event).unwrap();
                if let Some(delay) = json.get_mut("retry_in_ms")
                    && !delay.is_null()
                {
                    *delay = "some".into();
                }
                json.to_string().replace('"', "")
            }
            Some(Err(error)) => format!("error: {error}"),
            None => "end".to_owned(),
        }
    }

    pub(super) async fn accept(&mut self) -> Peer {
        let dial = timeout(FOREVER, self.dials.recv())
            .await
            .unwrap()
            .expect("an attempt");
        let (sent_sender, sent) = mpsc::unbounded_channel();
        let (coming, coming_receiver) = mpsc::unbounded_channel();
        let socket = FakeSocket {
            sent: sent_sender,
            coming: coming_receiver,
        };
        assert!(dial.send(Ok(socket)).is_ok());
        Peer { sent, coming }
    }

    pub(super) async fn refuse(&mut self, error: OpenError) {
        let dial = timeout(FOREVER, self.dials.recv())
            .await
            .unwrap()
            .expect("an attempt");
        assert!(dial.send(Err(error)).is_ok());
    }

    /// Accepts, and opens a session at offset 4 of epoch `a`.
    pub(super) async fn connect(&mut self) -> Peer {
        let mut peer = self.accept().await;
        assert!(peer.received().await.contains(r#""connect":"#));
        peer.send(
            r#"{"id":1,"connect":{"client":"c","version":"1","ping":25,"pong":true,
                "subs":{"ch":{"recoverable":true,"positioned":true,"epoch":"a","offset":4}}}}"#,
        );
        assert_eq!(self.told().await, "{event:connected,recovered:null}");
        peer
    }

    /// The next request for the order that is still waited for: its entity tag, and where the
    /// answer goes.
    pub(super) async fn request(&mut self) -> Request {
        loop {
            let request = timeout(FOREVER, self.requests.recv()).await.unwrap();
            let (etag, reply) = request.expect("a request");
            if !reply.is_closed() {
                return (etag, reply);
            }
        }
    }

    /// Closes the test's end of the events.
    pub(super) async fn abandon(mut self) {
        self.events.close();
        // The runner lets go of its world when it ends.
        while let Some(dial) = timeout(FOREVER, self.dials.recv()).await.unwrap() {
            drop(dial.send(Err(OpenError::Failed("no".to_owned()))));
        }
    }
}

impl Peer {
    pub(super) async fn received(&mut self) -> String {
        timeout(FOREVER, self.sent.recv())
            .await
            .unwrap()
            .expect("a frame")
    }

    pub(super) fn send(&self, frame: &'static str) {
        self.coming
            .send(Incoming::Frame(Bytes::from_static(frame.as_bytes())))
            .unwrap();
    }

    pub(super) fn close(&self, code: u16, reason: &str) {
        let (code, reason) = (Some(code), reason.to_owned());
        self.coming.send(Incoming::Closed { code, reason }).unwrap();
    }
}
