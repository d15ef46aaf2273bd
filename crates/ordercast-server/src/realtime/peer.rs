//! One connection as everybody sees it: the task that reads, the hub that publishes, the wheel that
//! keeps time. The session and the outgoing frames stand behind one lock.
//!
//! Invariant: frames go out in the order in which they were pushed, and nothing after a close.

use super::{
    Clock,
    frame::{self, Received},
};
use bytes::{Buf, Bytes};
use centrifuge_protocol::{Encoding, decode_commands, encode_reply};
use metrics::counter;
use ordercast_core::{
    channel::{Epoch, Publication},
    session::{Action, COMMANDS_PER_FRAME_MAX, Delivery, Session},
};
use parking_lot::Mutex;
use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    time::Duration,
};
use tokio::{net::TcpStream, sync::Notify};

/// Outstanding frames and bytes of a reader that does not read (realtime contract, A12).
const QUEUE_FRAMES_MAX: usize = 256;
const QUEUE_BYTES_MAX: usize = 64 * 1024;
/// Frames given to the kernel in one call.
const SLICES_MAX: usize = 16;

/// Work that the connection's task must await; everything else is done on the spot.
pub type Work = VecDeque<Action>;

#[derive(Debug)]
pub struct Peer {
    pub id: u64,
    pub encoding: Encoding,
    pub stream: TcpStream,
    /// The task waits here for what the hub or the wheel did: a blocked write, a close.
    pub wake: Notify,
    clock: Clock,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    session: Session,
    queue: VecDeque<Bytes>,
    queue_bytes: usize,
    /// A close frame is queued or sent.
    closing: bool,
    /// The socket failed: nothing can be written any more.
    dead: bool,
    /// The wheel's next visit.
    scheduled: Duration,
}

impl Peer {
    pub fn new(
        id: u64,
        encoding: Encoding,
        stream: TcpStream,
        clock: Clock,
        session: Session,
    ) -> Self {
        let inner = Inner {
            session,
            queue: VecDeque::new(),
            queue_bytes: 0,
            closing: false,
            dead: false,
            scheduled: Duration::MAX,
        };
        Self {
            id,
            encoding,
            stream,
            wake: Notify::new(),
            clock,
            inner: Mutex::new(inner),
        }
    }

    /// Lets the session act and carries out what can be done at once; returns the rest.
    pub fn with(&self, act: impl FnOnce(&mut Session, Duration, &mut Vec<Action>)) -> Work {
        let mut actions = Vec::new();
        let mut work = Work::new();
        let mut inner = self.inner.lock();
        act(&mut inner.session, self.clock.monotonic(), &mut actions);
        self.carry_out(&mut inner, actions, &mut work);
        work
    }

    /// A message of the client. Control frames are answered here.
    pub fn receive(&self, received: Received) -> Work {
        let bytes = match (received, self.encoding) {
            (Received::Text(bytes), Encoding::Json)
            | (Received::Binary(bytes), Encoding::Protobuf) => bytes,
            (Received::Text(_), Encoding::Protobuf) => {
                return self.bad_frame("bad request: a text frame on a protobuf connection");
            }
            (Received::Binary(_), Encoding::Json) => {
                return self.bad_frame("bad request: a binary frame on a JSON connection");
            }
            (Received::Ping(payload), _) => {
                let mut inner = self.inner.lock();
                if !inner.closing {
                    self.push(&mut inner, frame::pong(&payload));
                    self.flush(&mut inner);
                    self.check_bounds(&mut inner, &mut Work::new());
                }
                return Work::new();
            }
            (Received::Pong, _) => return Work::new(),
            (Received::Close, _) => {
                self.end(1000, "");
                return Work::new();
            }
        };
        match decode_commands(self.encoding, &bytes, COMMANDS_PER_FRAME_MAX) {
            Ok(commands) => self.with(|session, now, out| session.on_commands(now, commands, out)),
            Err(error) => {
                self.with(|session, _, out| session.on_bad_frame(error.close_reason(), out))
            }
        }
    }

    fn bad_frame(&self, reason: &'static str) -> Work {
        let reason = centrifuge_protocol::CloseReason::from_static(reason);
        self.with(|session, _, out| session.on_bad_frame(reason, out))
    }

    /// A committed publication, as a frame that was encoded once for all.
    pub fn publish(&self, epoch: &Epoch, publication: &Publication, encoded: &Bytes) {
        let mut actions = Vec::new();
        let mut inner = self.inner.lock();
        match inner
            .session
            .on_publication(epoch, publication, &mut actions)
        {
            Delivery::Skip => return,
            Delivery::Send => {
                self.push(&mut inner, encoded.clone());
                counter!("ordercast_publications_sent_total").increment(1);
            }
            Delivery::Close => {}
        }
        self.carry_out(&mut inner, actions, &mut Work::new());
    }

    /// The wheel's visit; returns when it should come again.
    pub fn tick(&self, visit: Duration) -> Option<Duration> {
        let mut actions = Vec::new();
        let mut inner = self.inner.lock();
        if visit < inner.scheduled {
            // An older appointment: another one stands.
            return None;
        }
        inner.session.on_tick(self.clock.monotonic(), &mut actions);
        self.carry_out(&mut inner, actions, &mut Work::new());
        self.book(&mut inner)
    }

    /// An appointment with the wheel if the session needs one earlier than the one it has.
    pub fn appointment(&self) -> Option<Duration> {
        let mut inner = self.inner.lock();
        if inner.session.next_deadline() < inner.scheduled {
            self.book(&mut inner)
        } else {
            None
        }
    }

    /// A deadline beyond one turn of the wheel is looked at once a turn.
    fn book(&self, inner: &mut Inner) -> Option<Duration> {
        let next = inner.session.next_deadline();
        if next == Duration::MAX {
            inner.scheduled = next;
            return None;
        }
        inner.scheduled = next.min(self.clock.monotonic() + super::wheel::TURN);
        Some(inner.scheduled)
    }

    /// Ends with a WebSocket code of its own, outside the session's rules.
    pub fn end(&self, code: u16, reason: &str) {
        let mut inner = self.inner.lock();
        self.close(&mut inner, code, reason);
        self.flush(&mut inner);
    }

    /// Nothing more will be read or written for the session.
    pub fn is_closing(&self) -> bool {
        let inner = self.inner.lock();
        inner.closing || inner.dead
    }

    pub fn is_dead(&self) -> bool {
        self.inner.lock().dead
    }

    pub fn has_queued(&self) -> bool {
        let inner = self.inner.lock();
        !inner.dead && !inner.queue.is_empty()
    }

    /// The socket is writable again.
    pub fn on_writable(&self) {
        self.flush(&mut self.inner.lock());
    }

    fn carry_out(&self, inner: &mut Inner, actions: Vec<Action>, work: &mut Work) {
        let mut encoded = Vec::new();
        for action in actions {
            match action {
                Action::Send(reply) => {
                    encoded.clear();
                    encode_reply(self.encoding, &reply, &mut encoded);
                    self.push(inner, frame::message(self.encoding, &encoded));
                }
                Action::Close { code, reason } => {
                    self.close(inner, code.code(), reason.as_str());
                }
                Action::Authenticate { .. } | Action::Join(_) | Action::Read { .. } => {
                    work.push_back(action);
                }
            }
        }
        self.flush(inner);
        self.check_bounds(inner, work);
    }

    fn check_bounds(&self, inner: &mut Inner, work: &mut Work) {
        if inner.closing
            || (inner.queue.len() <= QUEUE_FRAMES_MAX && inner.queue_bytes <= QUEUE_BYTES_MAX)
        {
            return;
        }
        // What was queued is in the log: the client recovers it. Only a frame that is half written
        // must stay, or the close frame could not be read.
        inner.queue.truncate(1);
        inner.queue_bytes = inner.queue.front().map_or(0, Bytes::len);
        let mut actions = Vec::new();
        inner.session.on_slow(&mut actions);
        self.carry_out(inner, actions, work);
    }

    fn close(&self, inner: &mut Inner, code: u16, reason: &str) {
        if inner.closing || inner.dead {
            return;
        }
        self.push(inner, frame::close_frame(code, reason));
        inner.closing = true;
        counter!("ordercast_closes_total", "code" => code.to_string()).increment(1);
        tracing::debug!(connection = self.id, code, reason, "connection closed");
        self.wake.notify_one();
    }

    fn push(&self, inner: &mut Inner, frame: Bytes) {
        if inner.closing || inner.dead {
            return;
        }
        inner.queue_bytes += frame.len();
        inner.queue.push_back(frame);
    }

    /// Writes what the kernel takes. Only `WouldBlock` may leave something queued: with any other
    /// error a reset peer would spin its task for ever.
    fn flush(&self, inner: &mut Inner) {
        while !inner.dead && !inner.queue.is_empty() {
            let slices: Vec<_> = inner
                .queue
                .iter()
                .take(SLICES_MAX)
                .map(|frame| IoSlice::new(frame))
                .collect();
            match self.stream.try_write_vectored(&slices) {
                Ok(0) => self.die(inner),
                Ok(mut written) => {
                    inner.queue_bytes -= written;
                    while let Some(front) = inner.queue.front_mut() {
                        if written < front.len() {
                            front.advance(written);
                            break;
                        }
                        written -= front.len();
                        inner.queue.pop_front();
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.wake.notify_one();
                    return;
                }
                Err(_) => self.die(inner),
            }
        }
        if inner.queue.is_empty() {
            // Idle connections own no buffer.
            inner.queue = VecDeque::new();
        }
    }

    fn die(&self, inner: &mut Inner) {
        inner.dead = true;
        inner.queue = VecDeque::new();
        inner.queue_bytes = 0;
        self.wake.notify_one();
    }
}
