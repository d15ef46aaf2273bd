//! When to ask for the order itself, and what to make of the answer.
//!
//! Invariant: at most one request is under way, and its answer is only used if no status of the
//! order came by the channel since it was sent, so an old answer never follows a newer push. The
//! runner calls it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ordercast_core::order::TrackingStatus;
use tokio::time::{Instant, sleep_until};

use crate::net::{Answer, Net};

/// Time between two polls: what the reference's documents and SDKs do.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_secs(3);
/// Time between the loss of a connection and the first poll: most reconnects are faster, and a
/// restart shall not be met with two requests a client.
pub(crate) const POLL_GRACE: Duration = Duration::from_secs(1);

/// Asks for one order while there is no connection, and once whenever that is wanted.
pub(crate) struct Poll {
    step: Step,
    connected: bool,
    /// An answer is needed even though there is a connection.
    wanted: bool,
    known: Option<TrackingStatus>,
    etag: Option<String>,
}

enum Step {
    Idle,
    Due(Instant),
    Asking(Pin<Box<dyn Future<Output = Answer> + Send>>),
}

impl Poll {
    /// There is no connection yet.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            step: Step::Due(now + POLL_GRACE),
            connected: false,
            wanted: false,
            known: None,
            etag: None,
        }
    }

    /// There is a connection, which tells all that happens from now on.
    pub(crate) fn connected(&mut self) {
        self.connected = true;
        if !self.wanted {
            self.step = Step::Idle;
        }
    }

    /// The connection is gone.
    pub(crate) fn disconnected(&mut self, now: Instant) {
        if self.connected && matches!(self.step, Step::Idle) {
            self.step = Step::Due(now + POLL_GRACE);
        }
        self.connected = false;
    }

    /// The present status is needed: asks at once.
    pub(crate) fn want(&mut self, now: Instant) {
        self.wanted = true;
        self.step = Step::Due(now);
    }

    /// A status of the order came by the channel, and all later ones will too.
    pub(crate) fn observe(&mut self, status: TrackingStatus) {
        self.known = Some(status);
        self.wanted = false;
        self.step = Step::Idle;
    }

    /// Waits until an answer is there; for ever if none is needed. Dropping the future loses
    /// nothing.
    pub(crate) async fn next<N: Net>(&mut self, net: &Arc<N>) -> Answer {
        loop {
            match &mut self.step {
                Step::Idle => std::future::pending().await,
                Step::Due(due) => {
                    sleep_until(*due).await;
                    let (net, etag) = (Arc::clone(net), self.etag.clone());
                    self.step = Step::Asking(Box::pin(async move { net.order(etag).await }));
                }
                Step::Asking(request) => return request.as_mut().await,
            }
        }
    }

    /// Takes a status that [`next`](Self::next) returned and plans the following request. The
    /// status, unless it is the one that was known.
    pub(crate) fn answered(
        &mut self,
        now: Instant,
        status: TrackingStatus,
        etag: Option<String>,
    ) -> Option<TrackingStatus> {
        self.etag = etag;
        self.unchanged(now);
        (self.known.replace(status) != Some(status)).then_some(status)
    }

    /// Plans the following request after the answer that nothing changed.
    pub(crate) fn unchanged(&mut self, now: Instant) {
        self.wanted = false;
        self.step = if self.connected {
            Step::Idle
        } else {
            Step::Due(now + POLL_INTERVAL)
        };
    }

    /// Plans the following request after one that failed; `retry_after` is the server's wish.
    pub(crate) fn failed(&mut self, now: Instant, retry_after: Option<Duration>) {
        self.step = Step::Due(now + retry_after.unwrap_or_default().max(POLL_INTERVAL));
    }
}
