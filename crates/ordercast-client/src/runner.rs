//! Drives a session: connections, deadlines, polling, delays.
//!
//! Invariant: it decides nothing about the protocol, only when to try, to poll and to stop; every
//! wait has an end. The tracker spawns it.

mod deadlines;
mod exit;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use centrifuge_protocol::{Bytes, Command, Encoding, decode_replies, encode_command};
use ordercast_core::OrderId;
use ordercast_core::order::TrackingStatus;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::backoff::delay;
use crate::config::TrackerConfig;
use crate::error::TrackError;
use crate::event::{Event, How};
use crate::net::{Answer, Incoming, Net, OpenError, Socket};
use crate::poll::Poll;
use crate::session::{Action, Fault, Session};
use deadlines::Deadlines;
use exit::{Exit, closed, lost};

/// A connection that lives shorter counts as a failed attempt, so that a server which accepts and
/// drops is not asked again at the shortest delay for ever.
const STABLE_AFTER: Duration = Duration::from_secs(5);
/// Most messages in a frame; the server is to send one (realtime contract, A6).
const REPLIES_MAX: usize = 4_096;

/// One tracker at work.
pub(crate) struct Runner<N: Net> {
    net: Arc<N>,
    encoding: Encoding,
    order_id: Option<OrderId>,
    until_final: bool,
    session: Session,
    poll: Poll,
    events: mpsc::Sender<Result<Event, TrackError>>,
    /// When the present connection opened its session.
    open_since: Option<Instant>,
    /// There was a session before, so the URL is right and the server speaks the protocol.
    proven: bool,
    failures: u32,
    /// The last status shown of the order that is tracked.
    status: Option<TrackingStatus>,
}

impl<N: Net> Runner<N> {
    pub(crate) fn new(
        config: &TrackerConfig,
        net: N,
        events: mpsc::Sender<Result<Event, TrackError>>,
    ) -> Self {
        Self {
            net: Arc::new(net),
            encoding: config.encoding,
            order_id: config.order_id,
            until_final: config.until_final,
            session: Session::new(config),
            poll: Poll::new(Instant::now()),
            events,
            open_since: None,
            proven: false,
            failures: 0,
            status: None,
        }
    }

    /// Runs until there is nothing left to report.
    pub(crate) async fn run(mut self) {
        // A closed channel only means that nobody is left to hear of it.
        match self.track().await {
            Err(Exit::Failed { code, error }) => {
                if self.open_since.is_some() {
                    let reason = error.to_string();
                    let event = Event::Disconnected {
                        code,
                        reason,
                        retry_in: None,
                    };
                    let _ = self.events.send(Ok(event)).await;
                }
                let _ = self.events.send(Err(error)).await;
            }
            Err(Exit::Lost { .. } | Exit::Finished) => {}
        }
    }

    async fn track(&mut self) -> Result<Infallible, Exit> {
        loop {
            let (code, reason) = match self.connection().await {
                Err(Exit::Lost { code, reason }) => (code, reason),
                Err(exit @ (Exit::Failed { .. } | Exit::Finished)) => return Err(exit),
            };
            let now = Instant::now();
            self.session.lost(code);
            self.poll.disconnected(now);
            if self
                .open_since
                .take()
                .is_some_and(|since| now - since >= STABLE_AFTER)
            {
                self.failures = 0;
            }
            let retry_in = delay(self.failures, random_fraction());
            self.failures = self.failures.saturating_add(1);
            self.emit(Event::Disconnected {
                code,
                reason,
                retry_in: Some(retry_in),
            })
            .await?;
            self.pause(now + retry_in).await?;
        }
    }

    /// Waits, and polls meanwhile.
    async fn pause(&mut self, until: Instant) -> Result<(), Exit> {
        loop {
            tokio::select! {
                () = sleep_until(until) => return Ok(()),
                answer = self.poll.next(&self.net), if self.order_id.is_some() => {
                    self.on_answer(answer).await?;
                }
            }
        }
    }

    /// One connection from its beginning to its end.
    async fn connection(&mut self) -> Result<Infallible, Exit> {
        let mut socket = self.open().await?;
        let mut deadlines = Deadlines::default();
        let connect = self.session.open();
        send(self.encoding, &mut socket, &mut deadlines, &connect).await?;
        loop {
            tokio::select! {
                incoming = socket.next() => match incoming {
                    Incoming::Frame(frame) => {
                        self.on_frame(&frame, &mut socket, &mut deadlines).await?;
                    }
                    Incoming::Closed { code, reason } => return Err(closed(code, reason)),
                },
                reason = deadlines.passed() => return Err(lost(&reason)),
                answer = self.poll.next(&self.net), if self.order_id.is_some() => {
                    self.on_answer(answer).await?;
                }
            }
            if self.is_final() {
                socket.close().await;
                return Err(Exit::Finished);
            }
        }
    }

    async fn open(&mut self) -> Result<N::Socket, Exit> {
        let net = Arc::clone(&self.net);
        let mut opening = pin!(net.open());
        let error = loop {
            tokio::select! {
                result = &mut opening => match result {
                    Ok(socket) => return Ok(socket),
                    Err(error) => break error,
                },
                answer = self.poll.next(&self.net), if self.order_id.is_some() => {
                    self.on_answer(answer).await?;
                }
            }
        };
        Err(match error {
            OpenError::Refused(status) if !self.proven => Exit::Failed {
                code: None,
                error: TrackError::NoWebSocket(status),
            },
            // It worked before: somebody deploys.
            OpenError::Refused(status) => lost(&format!("the upgrade got HTTP {status}")),
            OpenError::Failed(reason) => Exit::Lost { code: None, reason },
        })
    }

    async fn on_frame(
        &mut self,
        frame: &Bytes,
        socket: &mut N::Socket,
        deadlines: &mut Deadlines,
    ) -> Result<(), Exit> {
        let replies = match decode_replies(self.encoding, frame, REPLIES_MAX) {
            Ok(replies) => replies,
            Err(error) if self.proven => return Err(lost(&format!("unreadable frame: {error}"))),
            Err(error) => {
                let error = TrackError::Protocol(error.to_string());
                return Err(Exit::Failed { code: None, error });
            }
        };
        let mut actions = Vec::new();
        for reply in replies {
            let result = self.session.on_reply(reply, &mut actions);
            for action in actions.drain(..) {
                match action {
                    Action::Emit(event) => self.emit(event).await?,
                    Action::Send(command) => {
                        send(self.encoding, socket, deadlines, &command).await?;
                    }
                    Action::Pinged(interval) => deadlines.pinged(interval),
                    Action::Snapshot => self.poll.want(Instant::now()),
                }
            }
            match result {
                Ok(()) => {}
                Err(Fault::Reconnect(reason)) => return Err(Exit::Lost { code: None, reason }),
                Err(Fault::End(error)) => return Err(Exit::Failed { code: None, error }),
            }
        }
        if !self.session.awaits_reply() {
            deadlines.answered();
        }
        Ok(())
    }

    async fn on_answer(&mut self, answer: Answer) -> Result<(), Exit> {
        let now = Instant::now();
        match answer {
            Answer::Status { status, etag } => {
                let changed = self.poll.answered(now, status, etag);
                if let (Some(status), Some(order_id)) = (changed, self.order_id) {
                    let how = How::Polled;
                    self.emit(Event::Status {
                        order_id,
                        status,
                        offset: None,
                        how,
                    })
                    .await?;
                }
                // With a connection, its loop says goodbye first.
                if self.is_final() && self.open_since.is_none() {
                    return Err(Exit::Finished);
                }
                Ok(())
            }
            Answer::Unchanged => {
                self.poll.unchanged(now);
                Ok(())
            }
            Answer::Failed {
                reason,
                retry_after,
            } => {
                tracing::debug!(reason, "poll failed");
                self.poll.failed(now, retry_after);
                Ok(())
            }
            Answer::NotFound => {
                // Only an order that is tracked is polled.
                let error = self.order_id.map(TrackError::OrderNotFound);
                Err(error.map_or(Exit::Finished, |error| Exit::Failed { code: None, error }))
            }
            Answer::Unauthorized { code, message } => {
                let error = TrackError::Unauthorized {
                    code: code.into(),
                    message,
                };
                Err(Exit::Failed { code: None, error })
            }
        }
    }

    async fn emit(&mut self, event: Event) -> Result<(), Exit> {
        match &event {
            Event::Connected { .. } => {
                self.proven = true;
                self.open_since = Some(Instant::now());
                self.poll.connected();
            }
            Event::Status {
                order_id,
                status,
                how,
                ..
            } if Some(*order_id) == self.order_id => {
                self.status = Some(*status);
                match how {
                    How::Pushed | How::Recovered | How::History => self.poll.observe(*status),
                    How::Polled => {}
                }
            }
            Event::Status { .. } | Event::Disconnected { .. } | Event::Gap { .. } => {}
        }
        self.events
            .send(Ok(event))
            .await
            .map_err(|_| Exit::Finished)
    }

    fn is_final(&self) -> bool {
        self.until_final && self.status.is_some_and(TrackingStatus::is_final)
    }
}

async fn send(
    encoding: Encoding,
    socket: &mut impl Socket,
    deadlines: &mut Deadlines,
    command: &Command,
) -> Result<(), Exit> {
    let mut frame = Vec::new();
    encode_command(encoding, command, &mut frame);
    if command.id != 0 {
        deadlines.asked();
    }
    socket
        .send(frame)
        .await
        .map_err(|reason| Exit::Lost { code: None, reason })
}

/// In 0..=1. Jitter is a courtesy: without randomness the middle will do.
fn random_fraction() -> f64 {
    getrandom::u32().map_or(0.5, |random| f64::from(random) / f64::from(u32::MAX))
}
