//! The log of a server: lines on stderr that nobody waits for.
//!
//! Invariant: whoever logs never waits and never fails. A line goes into a bounded queue, and a thread of
//! its own writes it; when whatever reads stderr stalls, ends or is out of disk, lines are lost and
//! counted (`ordercast_log_lines_total`), and nothing else happens.

mod queue;
mod repeats;

use crate::serve::{LogFormat, Settings};
use anyhow::Context;
use queue::Lines;
use repeats::Repeats;
use std::{
    io::{self, IsTerminal, Write},
    sync::{Arc, OnceLock},
    time::Duration,
};
use tracing_subscriber::{
    EnvFilter, Layer, fmt, layer::SubscriberExt, registry, util::SubscriberInitExt,
};

/// How long the end of the process waits for what is not written yet.
const FLUSH: Duration = Duration::from_secs(1);
/// How often it is told what was left out.
const TOLD_EVERY: Duration = Duration::from_secs(60);

static LINES: OnceLock<Arc<Lines>> = OnceLock::new();

/// To stderr: stdout is for what a command answers.
pub fn start(settings: &Settings) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&settings.log).with_context(|| {
        format!(
            "--log {:?} is not a filter; use for example info or ordercast_server=debug",
            settings.log
        )
    })?;
    let colour = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let lines = Arc::clone(LINES.get_or_init(Arc::default));
    let repeats = Arc::new(Repeats::default());
    let (queue, left_out) = (Arc::clone(&lines), Arc::clone(&repeats));
    std::thread::Builder::new()
        .name("ordercast-log".to_owned())
        .spawn(move || write(&queue, &left_out))
        .context("cannot start the thread that writes the log")?;

    let layer = fmt::layer()
        .with_ansi(colour)
        .with_writer(move || LineWriter(Arc::clone(&lines)))
        // They would go to stderr directly, and a stderr that is gone would end the process.
        .log_internal_errors(false);
    let layer = match settings.log_format {
        LogFormat::Text => layer.with_target(false).boxed(),
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
    };
    registry()
        .with(filter)
        .with(layer.with_filter(repeats::Filter(repeats)))
        .init();
    Ok(())
}

/// Waits a moment for what is not written yet: before the process ends.
pub fn flush() {
    if let Some(lines) = LINES.get() {
        lines.wait_until_empty(FLUSH);
    }
}

/// What a command has to say at its end, if there is anybody to hear it.
pub fn say(words: std::fmt::Arguments) {
    // Unlike `eprintln!` it does not end the process when there is not.
    let _ = writeln!(io::stderr(), "ordercast: {words}");
}

/// Gets each event whole, in one call.
struct LineWriter(Arc<Lines>);

impl Write for LineWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if !self.0.push(line) {
            count("dropped", 1);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write(lines: &Lines, repeats: &Repeats) {
    loop {
        match lines.take(TOLD_EVERY) {
            Some(line) => {
                let written = io::stderr().write_all(&line);
                lines.taken_is_done();
                count(if written.is_ok() { "written" } else { "failed" }, 1);
            }
            None => tell(repeats),
        }
        if repeats.is_time_to_tell() {
            tell(repeats);
        }
    }
}

/// A message that was left out is told of once a minute, with how often.
fn tell(repeats: &Repeats) {
    for (message, times) in repeats.take() {
        tracing::warn!(times, message, "a message that came too often was left out");
    }
}

/// Asked for each time: a counter from before the server's metrics begin counts for nobody.
fn count(result: &'static str, lines: u64) {
    metrics::counter!("ordercast_log_lines_total", "result" => result).increment(lines);
}
