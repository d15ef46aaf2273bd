//! How far a benchmark is, for the person who waits: bars on a terminal, nothing elsewhere.

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// One bar for the runs of a measurement, one for what the run is at.
#[derive(Clone, Debug)]
pub struct Progress {
    runs: ProgressBar,
    now: ProgressBar,
}

impl Progress {
    pub fn new() -> Self {
        Self::on(&MultiProgress::new())
    }

    /// Of a process that another one shows.
    pub fn hidden() -> Self {
        let nowhere = MultiProgress::with_draw_target(ProgressDrawTarget::hidden());
        Self::on(&nowhere)
    }

    fn on(bars: &MultiProgress) -> Self {
        let bar = || {
            // The one way to fail is a template with a mistake in it.
            let style = ProgressStyle::with_template("{msg:40!} {wide_bar} {pos}/{len}")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            bars.add(ProgressBar::new(0).with_style(style))
        };
        Self {
            runs: bar(),
            now: bar(),
        }
    }

    /// The next run of a measurement begins.
    pub fn run(&self, measurement: &str, run: usize, of: usize) {
        self.runs.set_length(of as u64);
        self.runs.set_position(run as u64);
        self.runs
            .set_message(format!("{measurement}, run {} of {of}", run + 1));
        self.count("starting", 0);
    }

    /// From now on `some` tells of so many.
    pub fn count(&self, what: &'static str, of: usize) {
        self.now.set_length(of as u64);
        self.now.set_position(0);
        self.now.set_message(what);
    }

    pub fn some(&self, more: usize) {
        self.now.inc(more as u64);
    }

    /// Waits, and shows the seconds.
    pub async fn wait(&self, what: &'static str, time: Duration) {
        let started = Instant::now();
        self.count(what, usize::try_from(time.as_secs()).unwrap_or(usize::MAX));
        for second in 1..=time.as_secs() {
            sleep_until(started + Duration::from_secs(second)).await;
            self.some(1);
        }
        sleep_until(started + time).await;
    }

    /// Leaves the terminal as it was.
    pub fn end(&self) {
        self.now.finish_and_clear();
        self.runs.finish_and_clear();
    }
}
