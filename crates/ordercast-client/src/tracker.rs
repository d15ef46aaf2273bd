//! The door to the crate: a tracker that is asked for the next event.
//!
//! Invariant: the work goes on in a task of its own, so that pings are answered however long the
//! caller thinks about an event; the task ends with the tracker.

use std::fmt;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::config::{Endpoints, TrackerConfig};
use crate::error::{ConfigError, TrackError};
use crate::event::Event;
use crate::net::RealNet;
use crate::runner::Runner;

/// Most events that wait for the caller. Beyond it the connection is not read either, which the
/// server notices; what was missed is recovered afterwards.
const EVENTS_MAX: usize = 1_024;

/// Tracks a buyer's orders.
pub struct Tracker {
    runner: Option<Box<Runner<RealNet>>>,
    events: mpsc::Receiver<Result<Event, TrackError>>,
    task: Option<JoinHandle<()>>,
}

impl Tracker {
    /// Checks the configuration; connects at the first [`next`](Self::next).
    ///
    /// # Errors
    ///
    /// [`ConfigError`] says which field to change.
    pub fn new(config: &TrackerConfig) -> Result<Self, ConfigError> {
        let net = RealNet::new(Endpoints::parse(config)?, &config.url)?;
        let (sender, events) = mpsc::channel(EVENTS_MAX);
        let runner = Some(Box::new(Runner::new(config, net, sender)));
        Ok(Self {
            runner,
            events,
            task: None,
        })
    }

    /// The next event. `None` when there is nothing more to come: after the final status that was
    /// waited for, or after an error. Dropping the future loses nothing.
    ///
    /// # Errors
    ///
    /// [`TrackError`] is the last thing that is returned before `None`.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime with time and I/O, and goes on with a panic of its task.
    pub async fn next(&mut self) -> Option<Result<Event, TrackError>> {
        if let Some(runner) = self.runner.take() {
            self.task = Some(tokio::spawn(runner.run()));
        }
        let event = self.events.recv().await;
        // Not taken before it has ended, so that dropping this future leaves it to be aborted.
        if event.is_none()
            && let Some(task) = &mut self.task
        {
            let ended = task.await;
            self.task = None;
            if let Err(error) = ended
                && error.is_panic()
            {
                std::panic::resume_unwind(error.into_panic());
            }
        }
        event
    }
}

impl Drop for Tracker {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl fmt::Debug for Tracker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracker")
            .field("running", &self.task.is_some())
            .finish_non_exhaustive()
    }
}
