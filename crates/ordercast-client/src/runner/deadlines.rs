//! By when the server has to be heard from.
//!
//! Invariant: while a reply is due, its deadline counts, which is the nearer one by far; otherwise
//! that of the next ping. Only pings push that one off: the server never skips them, so other
//! frames prove less.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Bound on a reply: the command timeout of the SDKs.
const REPLY_TIMEOUT: Duration = Duration::from_secs(5);
/// How late a ping may be: `maxServerPingDelay` of the SDKs.
const PING_DELAY_MAX: Duration = Duration::from_secs(10);
/// What has to happen by when on one connection.
#[derive(Default)]
pub(super) struct Deadlines {
    reply: Option<Instant>,
    ping: Option<(Instant, Duration)>,
}

impl Deadlines {
    /// A command was sent that must be answered.
    pub(super) fn asked(&mut self) {
        self.reply = Some(Instant::now() + REPLY_TIMEOUT);
    }

    /// No command waits for its reply.
    pub(super) fn answered(&mut self) {
        self.reply = None;
    }

    /// The next ping is due after `interval`, if there are pings.
    pub(super) fn pinged(&mut self, interval: Option<Duration>) {
        self.ping = interval.map(|interval| {
            let patience = interval + PING_DELAY_MAX;
            (Instant::now() + patience, patience)
        });
    }

    /// Waits until one has passed, for ever if there is none, and says which.
    pub(super) async fn passed(&self) -> String {
        let (at, reason) = match (self.reply, self.ping) {
            (Some(reply), _) => (reply, format!("no reply for {} s", REPLY_TIMEOUT.as_secs())),
            (None, Some((ping, patience))) => {
                (ping, format!("no ping for {} s", patience.as_secs()))
            }
            (None, None) => std::future::pending().await,
        };
        sleep_until(at).await;
        reason
    }
}
