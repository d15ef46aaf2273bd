//! One connection as everybody sees it: whoever reads for it, the hub that publishes, the wheel that
//! keeps time. The session and the outgoing frames stand behind one lock.
//!
//! Invariant: frames go out in the order in which they were pushed, and nothing after a close. What
//! a transport is differs in two values only: the [`Form`] of its messages, and the [`Outlet`] that
//! takes them.

mod queue;

use super::{
    Clock,
    budget::Budget,
    form::Form,
    frame::{self, Received},
    socket::Socket,
};
use crate::http::Hangup;
use bytes::Bytes;
use centrifuge_protocol::{
    CloseReason, Command, DisconnectCode, Encoding, decode_commands, decode_connect_request,
};
use futures_util::task::AtomicWaker;
use metrics::counter;
use ordercast_core::{
    channel::{Channel, Epoch, Position, Publication},
    session::{Action, COMMANDS_PER_FRAME_MAX, Delivery, Session},
};
use parking_lot::Mutex;
use queue::{Fill, Queue};
use std::{
    collections::VecDeque,
    io,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

/// After the last frame, for the client to read it.
pub const LINGER: Duration = Duration::from_secs(2);

/// Work that the connection's task must await; everything else is done on the spot.
pub type Work = VecDeque<Action>;

/// Who takes the frames.
#[derive(Debug)]
pub enum Outlet {
    /// Whoever has a frame writes it.
    Socket(Socket),
    /// The HTTP server asks for them one by one, as a response body.
    Body(Box<BodyOutlet>),
}

#[derive(Debug)]
pub struct BodyOutlet {
    /// How the client's other requests name this connection; `None` where there are none.
    pub address: Option<Address>,
    /// Ends the HTTP connection of a client that does not read to the end.
    pub hangup: Hangup,
}

/// Where commands are sent when the connection itself carries replies only.
#[derive(Debug)]
pub struct Address {
    pub node: String,
    pub session: String,
}

#[derive(Debug)]
pub struct Peer {
    pub id: u64,
    pub form: Form,
    pub outlet: Outlet,
    /// Wakes whoever runs the connection: a write was blocked, a frame is there, it was closed.
    waker: AtomicWaker,
    clock: Clock,
    budget: Arc<Budget>,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    session: Session,
    queue: Queue,
    life: Life,
    /// The wheel's next visit.
    scheduled: Duration,
    joined: Option<Channel>,
    /// The client has said its last word, and waits for ours.
    is_client_done: bool,
    /// The code of the close, once there was one.
    closed_with: Option<u16>,
}

/// Why a connect will not do, however often it is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedConnect {
    Credential,
    BadRequest,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Open,
    /// The last frame is queued or sent.
    Closing,
    /// Nothing can be written any more.
    Dead,
}

impl Peer {
    pub fn new(
        id: u64,
        form: Form,
        outlet: Outlet,
        clock: Clock,
        budget: Arc<Budget>,
        session: Session,
    ) -> Self {
        let inner = Inner {
            session,
            queue: Queue::default(),
            life: Life::Open,
            scheduled: Duration::MAX,
            joined: None,
            is_client_done: false,
            closed_with: None,
        };
        Self {
            id,
            form,
            outlet,
            waker: AtomicWaker::new(),
            clock,
            budget,
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
        let bytes = match (received, self.form.encoding()) {
            (Received::Text(bytes), Encoding::Json)
            | (Received::Binary(bytes), Encoding::Protobuf) => bytes,
            (Received::Text(_), Encoding::Protobuf) => {
                return self.bad_frame("bad request: a text frame on a protobuf connection");
            }
            (Received::Binary(_), Encoding::Json) => {
                return self.bad_frame("bad request: a binary frame on a JSON connection");
            }
            (Received::Ping(payload), _) => return self.control(Some(&payload)),
            (Received::Pong, _) => return self.control(None),
            (Received::Close, _) => {
                self.inner.lock().is_client_done = true;
                self.end(1000, "");
                return Work::new();
            }
        };
        if !self.form.is_one_way() {
            self.commands(&bytes)
        } else if self.inner.lock().session.is_fresh() {
            self.connect_request(&bytes)
        } else {
            // Whatever a one-way client goes on to say has no meaning; it counts as a pong, so that
            // there is a limit to it.
            let pong = vec![Command::default()];
            self.with(|session, now, out| session.on_commands(now, pong, out))
        }
    }

    /// A ping to answer, or a pong, which has no answer.
    fn control(&self, ping: Option<&[u8]>) -> Work {
        let mut actions = Vec::new();
        let mut work = Work::new();
        let mut inner = self.inner.lock();
        let now = self.clock.monotonic();
        if inner.session.on_control(now, &mut actions)
            && let Some(payload) = ping
        {
            self.push(&mut inner, frame::pong(payload));
        }
        self.carry_out(&mut inner, actions, &mut work);
        work
    }

    /// Commands, in the connection's encoding.
    pub fn commands(&self, bytes: &[u8]) -> Work {
        match decode_commands(self.form.encoding(), bytes, COMMANDS_PER_FRAME_MAX) {
            Ok(commands) => self.with(|session, now, out| session.on_commands(now, commands, out)),
            Err(error) => {
                self.with(|session, _, out| session.on_bad_frame(error.close_reason(), out))
            }
        }
    }

    /// The bare request that opens a one-way connection.
    pub fn connect_request(&self, bytes: &[u8]) -> Work {
        self.connect_request_from(bytes, None)
    }

    /// `position`: what the client has of its channel, where the transport knows it.
    pub fn connect_request_from(&self, bytes: &[u8], position: Option<Position>) -> Work {
        match decode_connect_request(self.form.encoding(), bytes) {
            Ok(request) => self.with(|session, now, out| {
                session.on_one_way_connect(now, &request, position, out);
            }),
            Err(error) => {
                self.with(|session, _, out| session.on_bad_frame(error.close_reason(), out))
            }
        }
    }

    fn bad_frame(&self, reason: &'static str) -> Work {
        let reason = CloseReason::from_static(reason);
        self.with(|session, _, out| session.on_bad_frame(reason, out))
    }

    /// The hub brings this channel's commits from now on.
    pub fn joined(&self, channel: Channel) {
        self.inner.lock().joined = Some(channel);
    }

    pub fn take_joined(&self) -> Option<Channel> {
        self.inner.lock().joined.take()
    }

    /// A committed publication, as a frame that was encoded once for all; whether it was sent.
    pub fn publish(&self, epoch: &Epoch, publication: &Publication, encoded: &Bytes) -> bool {
        let mut actions = Vec::new();
        let mut inner = self.inner.lock();
        let delivery = inner
            .session
            .on_publication(epoch, publication, &mut actions);
        match delivery {
            Delivery::Skip => return false,
            Delivery::Send => self.push(&mut inner, encoded.clone()),
            Delivery::Close => {}
        }
        self.carry_out(&mut inner, actions, &mut Work::new());
        delivery == Delivery::Send
    }

    /// The wheel's visit; returns when it should come again.
    pub fn tick(&self, visit: Duration) -> Option<Duration> {
        let mut actions = Vec::new();
        let mut inner = self.inner.lock();
        if visit < inner.scheduled {
            // An older appointment: another one stands.
            return None;
        }
        if inner.life != Life::Open {
            return self.see_off(&mut inner);
        }
        inner.session.on_tick(self.clock.monotonic(), &mut actions);
        self.carry_out(&mut inner, actions, &mut Work::new());
        self.book(&mut inner)
    }

    /// A socket's task sees to the end by itself. A body cannot while its client does not read: the
    /// first visit after the end leaves it time, the second one hangs up.
    fn see_off(&self, inner: &mut Inner) -> Option<Duration> {
        let Outlet::Body(body) = &self.outlet else {
            return None;
        };
        if inner.life == Life::Closing {
            inner.life = Life::Dead;
            inner.scheduled = self.clock.monotonic() + LINGER;
            return Some(inner.scheduled);
        }
        body.hangup.now();
        None
    }

    /// An appointment with the wheel if the session needs one earlier than the one it has.
    pub fn appointment(&self) -> Option<Duration> {
        let mut inner = self.inner.lock();
        if inner.life != Life::Open || inner.session.next_deadline() < inner.scheduled {
            self.book(&mut inner)
        } else {
            None
        }
    }

    /// A deadline beyond one turn of the wheel is looked at once a turn.
    fn book(&self, inner: &mut Inner) -> Option<Duration> {
        let now = self.clock.monotonic();
        let next = match (inner.life, &self.outlet) {
            (Life::Open, _) => inner.session.next_deadline(),
            (Life::Closing, Outlet::Body(_)) => now,
            (Life::Closing | Life::Dead, _) => Duration::MAX,
        };
        if next == Duration::MAX {
            inner.scheduled = next;
            return None;
        }
        inner.scheduled = next.min(now + super::wheel::TURN);
        Some(inner.scheduled)
    }

    /// Ends with a WebSocket code of its own, outside the session's rules.
    pub fn end(&self, code: u16, reason: &str) {
        let mut inner = self.inner.lock();
        self.close(&mut inner, code, reason);
        self.flush(&mut inner);
        inner.queue.settle(&self.budget);
    }

    /// The connect reply was sent.
    pub fn is_live(&self) -> bool {
        self.inner.lock().session.is_live()
    }

    /// The connect was refused, or never was one: what to answer instead of a stream that ends at once.
    pub fn refusal(&self) -> Option<RefusedConnect> {
        let inner = self.inner.lock();
        if inner.session.is_failed() {
            return Some(RefusedConnect::Credential);
        }
        match inner.closed_with {
            Some(code) if code == DisconnectCode::BadRequest.code() => {
                Some(RefusedConnect::BadRequest)
            }
            _ => None,
        }
    }

    /// Nothing more will be read or written for the session.
    pub fn is_closing(&self) -> bool {
        self.inner.lock().life != Life::Open
    }

    /// The client has closed: whatever it sends after that has no meaning.
    pub fn is_client_done(&self) -> bool {
        self.inner.lock().is_client_done
    }

    /// For the task of a socket: ready when there is something to read, `false` when the connection
    /// is over. Writes meanwhile what is queued.
    ///
    /// Written by hand because a future of tokio's would be a third of an idle connection.
    pub fn poll_readable(&self, socket: &Socket, cx: &mut Context<'_>) -> Poll<bool> {
        self.waker.register(cx.waker());
        if self.is_closing() {
            return Poll::Ready(false);
        }
        if let Poll::Ready(false) = self.poll_written(socket, cx) {
            return Poll::Ready(false);
        }
        socket.poll_readable(cx).map(|ready| ready.is_ok())
    }

    /// Ready when nothing is queued any more: whether all of it was written.
    pub fn poll_written(&self, socket: &Socket, cx: &mut Context<'_>) -> Poll<bool> {
        loop {
            {
                let inner = self.inner.lock();
                if inner.life == Life::Dead {
                    return Poll::Ready(false);
                }
                if inner.queue.is_empty() && !socket.holds_bytes() {
                    return Poll::Ready(true);
                }
            }
            match socket.poll_writable(cx) {
                Poll::Ready(Ok(())) => {
                    let mut inner = self.inner.lock();
                    self.flush(&mut inner);
                    inner.queue.settle(&self.budget);
                }
                Poll::Ready(Err(_)) => return Poll::Ready(false),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// For a response body: the next frame, `None` after the last.
    pub fn poll_frame(&self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.waker.register(cx.waker());
        let mut inner = self.inner.lock();
        if let Some(frame) = inner.queue.pop() {
            inner.queue.settle(&self.budget);
            return Poll::Ready(Some(frame));
        }
        if inner.life == Life::Open {
            Poll::Pending
        } else {
            Poll::Ready(None)
        }
    }

    fn carry_out(&self, inner: &mut Inner, actions: Vec<Action>, work: &mut Work) {
        for action in actions {
            match action {
                Action::Send(mut reply) => {
                    if let (Outlet::Body(body), Some(connect)) = (&self.outlet, &mut reply.connect)
                        && let Some(address) = &body.address
                    {
                        connect.node.clone_from(&address.node);
                        connect.session.clone_from(&address.session);
                    }
                    if let Some(frame) = self.form.reply(&reply, inner.session.epoch()) {
                        self.push(inner, frame);
                    }
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
        let fill = inner.queue.settle(&self.budget);
        if inner.life != Life::Open || fill == Fill::Within {
            return;
        }
        // What was queued is in the log: the client recovers it.
        inner.queue.keep_front();
        let mut actions = Vec::new();
        inner.session.on_slow(&mut actions);
        self.carry_out(inner, actions, work);
    }

    fn close(&self, inner: &mut Inner, code: u16, reason: &str) {
        if inner.life != Life::Open {
            return;
        }
        self.push(inner, self.form.close(code, reason));
        inner.life = Life::Closing;
        inner.closed_with = Some(code);
        counter!("ordercast_closes_total", "code" => code.to_string()).increment(1);
        tracing::debug!(connection = self.id, code, reason, "connection closed");
        self.waker.wake();
    }

    fn push(&self, inner: &mut Inner, frame: Bytes) {
        if inner.life != Life::Open {
            return;
        }
        inner.queue.push(frame);
    }

    fn flush(&self, inner: &mut Inner) {
        match &self.outlet {
            Outlet::Socket(socket) => self.write(socket, inner),
            Outlet::Body(_) if inner.queue.is_empty() => {}
            Outlet::Body(_) => self.waker.wake(),
        }
    }

    /// Writes what the kernel takes. Only `WouldBlock` may leave something queued: with any other
    /// error a reset peer would spin its task for ever.
    fn write(&self, socket: &Socket, inner: &mut Inner) {
        while inner.life != Life::Dead && !inner.queue.is_empty() {
            match socket.try_write(&inner.queue.slices()) {
                Ok(0) => self.die(inner),
                Ok(written) => inner.queue.advance(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.waker.wake();
                    return;
                }
                Err(_) => self.die(inner),
            }
        }
        match socket.flush() {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.waker.wake(),
            Err(_) => self.die(inner),
        }
    }

    fn die(&self, inner: &mut Inner) {
        inner.life = Life::Dead;
        inner.queue.clear();
        self.waker.wake();
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let inner = self.inner.get_mut();
        inner.queue.clear();
        inner.queue.settle(&self.budget);
    }
}

#[cfg(test)]
mod tests;
