//! Lines that wait to be written.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Of all lines that wait: some ten thousand. Beyond, a line is lost.
const BYTES_MAX: usize = 4 * 1024 * 1024;
/// What a line costs beside its text.
const LINE_BYTES: usize = 64;

#[derive(Debug, Default)]
pub struct Lines {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: VecDeque<Box<[u8]>>,
    bytes: usize,
    /// The line that was taken last is being written.
    is_writing: bool,
}

impl Lines {
    fn state(&self) -> MutexGuard<'_, State> {
        // Whoever panicked left a whole queue behind: nothing that panics is done under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there was room. Waits for nobody who writes.
    pub fn push(&self, line: &[u8]) -> bool {
        let mut state = self.state();
        if state.bytes + line.len() + LINE_BYTES > BYTES_MAX {
            return false;
        }
        state.bytes += line.len() + LINE_BYTES;
        state.lines.push_back(line.into());
        drop(state);
        self.changed.notify_all();
        true
    }

    /// The next line; `None`: there was none for so long. Call [`Lines::taken_is_done`] after it.
    pub fn take(&self, longest: Duration) -> Option<Box<[u8]>> {
        let mut state = self
            .changed
            .wait_timeout_while(self.state(), longest, |state| state.lines.is_empty())
            .unwrap_or_else(PoisonError::into_inner)
            .0;
        let line = state.lines.pop_front()?;
        state.bytes -= line.len() + LINE_BYTES;
        state.is_writing = true;
        Some(line)
    }

    pub fn taken_is_done(&self) {
        self.state().is_writing = false;
        self.changed.notify_all();
    }

    /// Until all is written, or so long.
    pub fn wait_until_empty(&self, longest: Duration) {
        let until = Instant::now() + longest;
        let mut state = self.state();
        while state.is_writing || !state.lines.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state = self
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_which_there_is_no_room_is_lost_and_others_come_later() {
        let lines = Lines::default();
        let line = vec![b'x'; BYTES_MAX / 4];
        let pushed: Vec<_> = (0..5).map(|_| lines.push(&line)).collect();
        assert_eq!(pushed, [true, true, true, false, false]);
        assert!(lines.take(Duration::ZERO).is_some());
        assert!(lines.push(&line));
        while lines.take(Duration::ZERO).is_some() {}
        lines.taken_is_done();
        lines.wait_until_empty(Duration::from_secs(600));
        assert!(lines.take(Duration::ZERO).is_none());
    }
}
