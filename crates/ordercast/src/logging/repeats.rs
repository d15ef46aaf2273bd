//! Under overload the same warning comes a thousand times a second. Its first ones tell what there is to
//! tell; after them it is let through once a minute, and how often it was left out is told beside.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tracing::{
    Event, Level, Metadata, Subscriber,
    callsite::Identifier,
    field::{Field, Visit},
};
use tracing_subscriber::layer::{self, Context};

/// How often one message may come in a minute before it counts as one that comes too often.
const BURST: u32 = 60;
const MINUTE: Duration = Duration::from_secs(60);

/// Bound: one entry a place in the code that warns.
#[derive(Debug)]
pub struct Repeats {
    messages: Mutex<HashMap<Identifier, Message>>,
    since: Instant,
    told_at: Mutex<Duration>,
}

impl Default for Repeats {
    fn default() -> Self {
        Self {
            messages: Mutex::default(),
            since: Instant::now(),
            told_at: Mutex::default(),
        }
    }
}

#[derive(Debug, Default)]
struct Message {
    text: String,
    minute: Minute,
    left_out: u64,
}

/// How often a message came since the minute began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Minute {
    began: Duration,
    came: u32,
}

impl Minute {
    /// Whether this one is let through.
    fn admit(&mut self, now: Duration) -> bool {
        if now.saturating_sub(self.began) >= MINUTE {
            // One that went on coming to the end of the last minute is still too much in this one.
            let was_too_much = self.came > BURST && now.saturating_sub(self.began) < 2 * MINUTE;
            self.began = now;
            self.came = if was_too_much { BURST + 1 } else { 1 };
            return true;
        }
        self.came = self.came.saturating_add(1);
        self.came <= BURST
    }
}

impl Repeats {
    fn messages(&self) -> MutexGuard<'_, HashMap<Identifier, Message>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn admit(&self, event: &Event) -> bool {
        let now = self.since.elapsed();
        let mut messages = self.messages();
        let message = messages.entry(event.metadata().callsite()).or_default();
        if message.minute.admit(now) {
            return true;
        }
        if message.text.is_empty() {
            event.record(&mut Text(&mut message.text));
        }
        message.left_out += 1;
        metrics::counter!("ordercast_log_lines_total", "result" => "left_out").increment(1);
        false
    }

    /// Once a minute.
    pub fn is_time_to_tell(&self) -> bool {
        let now = self.since.elapsed();
        let mut told_at = self.told_at.lock().unwrap_or_else(PoisonError::into_inner);
        let is_time = now.saturating_sub(*told_at) >= MINUTE;
        if is_time {
            *told_at = now;
        }
        is_time
    }

    /// What was left out since the last call, and how often.
    pub fn take(&self) -> Vec<(String, u64)> {
        let mut messages = self.messages();
        let left_out = messages.values_mut().filter(|message| message.left_out > 0);
        left_out
            .map(|message| (message.text.clone(), std::mem::take(&mut message.left_out)))
            .collect()
    }
}

/// The message of an event.
struct Text<'a>(&'a mut String);

impl Visit for Text<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            *self.0 = format!("{value:?}");
        }
    }
}

/// Lets warnings and errors through as [`Repeats`] says. Other lines come as often as they like: whoever
/// wants them asked for them.
#[derive(Debug)]
pub struct Filter(pub Arc<Repeats>);

impl<S: Subscriber> layer::Filter<S> for Filter {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        *event.metadata().level() > Level::WARN || self.0.admit(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of a message that comes every so often are let through in so many seconds.
    fn admitted(every: Duration, seconds: u64) -> usize {
        let mut minute = Minute::default();
        let times = (0..).map(|count| every * count);
        times
            .take_while(|now| *now < Duration::from_secs(seconds))
            .filter(|now| minute.admit(*now))
            .count()
    }

    #[test]
    fn a_message_that_comes_too_often_comes_once_a_minute() {
        let often = Duration::from_millis(1);
        assert_eq!(admitted(often, 60), BURST as usize);
        assert_eq!(admitted(often, 600), BURST as usize + 9);
        // One that comes every two seconds tells something each time.
        assert_eq!(admitted(Duration::from_secs(2), 600), 300);
    }

    #[test]
    fn after_a_quiet_minute_it_may_come_again_as_often() {
        let mut minute = Minute::default();
        let mut come = |times: u32, at: u64| {
            let at = Duration::from_secs(at);
            (0..times).filter(|_| minute.admit(at)).count()
        };
        assert_eq!(come(1_000, 0), BURST as usize);
        assert_eq!(come(1_000, 61), 1);
        assert_eq!(come(1_000, 300), BURST as usize);
    }
}
