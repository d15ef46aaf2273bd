//! A bounded queue that serves projects in turn: one that asks for a hundred things at once waits for
//! its own, and another's single wish is next.
//!
//! Bounds: things and bytes that wait. While less than half of the queue is in use anybody may add to
//! it; beyond that only a project that has less than an equal share waiting. So no project is refused
//! because another one has filled the queue.

use parking_lot::{Condvar, Mutex};
use std::collections::{HashMap, VecDeque};
use tokio::sync::watch;

/// Whose turn it is: a project's number, or [`SERVER`].
pub(crate) type Turn = u32;
/// The server's own work takes turns as a project does.
pub(crate) const SERVER: Turn = 0;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub things: usize,
    pub bytes: usize,
    /// Things of one project that are taken out and not done yet.
    pub at_once: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Full,
    Closed,
}

#[derive(Debug)]
pub(crate) struct FairQueue<T> {
    bounds: Bounds,
    state: Mutex<State<T>>,
    filled: Condvar,
    closed: watch::Sender<bool>,
}

#[derive(Debug)]
struct State<T> {
    waiting: HashMap<Turn, Waiting<T>>,
    /// Projects that have something waiting, the next one first.
    turns: VecDeque<Turn>,
    /// Of each project, how many were taken and are not done.
    running: HashMap<Turn, usize>,
    things: usize,
    bytes: usize,
    is_closed: bool,
}

#[derive(Debug)]
struct Waiting<T> {
    things: VecDeque<(usize, T)>,
    bytes: usize,
}

impl<T> FairQueue<T> {
    pub(crate) fn new(bounds: Bounds) -> Self {
        let state = State {
            waiting: HashMap::new(),
            turns: VecDeque::new(),
            running: HashMap::new(),
            things: 0,
            bytes: 0,
            is_closed: false,
        };
        Self {
            bounds,
            state: Mutex::new(state),
            filled: Condvar::new(),
            closed: watch::Sender::new(false),
        }
    }

    /// Waits its turn, `bytes` heavy.
    pub(crate) fn push(&self, turn: Turn, bytes: usize, thing: T) -> Result<(), Refused> {
        let mut state = self.state.lock();
        if state.is_closed {
            return Err(Refused::Closed);
        }
        if !state.has_room(&self.bounds, turn, bytes) {
            return Err(Refused::Full);
        }
        state.things += 1;
        state.bytes += bytes;
        let waiting = state.waiting.entry(turn).or_insert_with(|| Waiting {
            things: VecDeque::new(),
            bytes: 0,
        });
        waiting.bytes += bytes;
        waiting.things.push_back((bytes, thing));
        if waiting.things.len() == 1 {
            state.turns.push_back(turn);
        }
        drop(state);
        self.filled.notify_one();
        Ok(())
    }

    /// Waits for something and takes as much as there is, up to `max`, of each project in turn.
    /// Nothing: the queue is closed and empty.
    pub(crate) fn take_many(&self, taken: &mut Vec<T>, max: usize) -> usize {
        let mut state = self.state.lock();
        while state.things == 0 {
            if state.is_closed {
                return 0;
            }
            self.filled.wait(&mut state);
        }
        while taken.len() < max
            && let Some(turn) = state.turns.pop_front()
        {
            taken.extend(state.take_of(turn));
        }
        taken.len()
    }

    /// Waits for the next thing of a project that has not as many at once as it may. `None`: the queue
    /// is closed and empty. Call [`FairQueue::done`] after it.
    pub(crate) fn take(&self) -> Option<(Turn, T)> {
        let mut state = self.state.lock();
        loop {
            let may = |turn: &Turn| {
                let running = state.running.get(turn).copied().unwrap_or(0);
                running < self.bounds.at_once
            };
            if let Some(place) = state.turns.iter().position(may)
                && let Some(turn) = state.turns.remove(place)
            {
                *state.running.entry(turn).or_default() += 1;
                return state.take_of(turn).map(|thing| (turn, thing));
            }
            if state.is_closed && state.things == 0 {
                return None;
            }
            self.filled.wait(&mut state);
        }
    }

    /// What was taken is done: the project may have another.
    pub(crate) fn done(&self, turn: Turn) {
        let mut state = self.state.lock();
        if let Some(running) = state.running.get_mut(&turn) {
            *running -= 1;
            if *running == 0 {
                state.running.remove(&turn);
            }
        }
        let (has_more, is_closed) = (state.things > 0, state.is_closed);
        drop(state);
        if is_closed {
            // The others may be waiting for this project only, and end now.
            self.filled.notify_all();
        } else if has_more {
            self.filled.notify_one();
        }
    }

    /// Takes nothing more in; what waits is still given out.
    pub(crate) fn close(&self) {
        self.state.lock().is_closed = true;
        self.closed.send_replace(true);
        self.filled.notify_all();
    }

    /// Takes nothing more in, and lets go of what waits.
    pub(crate) fn abandon(&self) {
        let mut state = self.state.lock();
        state.is_closed = true;
        let waiting = std::mem::take(&mut state.waiting);
        state.turns.clear();
        (state.things, state.bytes) = (0, 0);
        drop(state);
        drop(waiting);
        self.closed.send_replace(true);
        self.filled.notify_all();
    }

    pub(crate) fn is_closed(&self) -> bool {
        *self.closed.borrow()
    }

    /// Returns when the queue takes nothing more in.
    pub(crate) async fn closed(&self) {
        let mut closed = self.closed.subscribe();
        // The sender lives as long as this borrow of it.
        let _ = closed.wait_for(|is_closed| *is_closed).await;
    }

    /// Things and bytes that wait.
    pub(crate) fn waiting(&self) -> (usize, usize) {
        let state = self.state.lock();
        (state.things, state.bytes)
    }
}

impl<T> State<T> {
    fn has_room(&self, bounds: &Bounds, turn: Turn, bytes: usize) -> bool {
        if self.things >= bounds.things || self.bytes + bytes > bounds.bytes {
            return false;
        }
        let half = Bounds {
            things: bounds.things / 2,
            bytes: bounds.bytes / 2,
            ..*bounds
        };
        if self.things < half.things && self.bytes + bytes <= half.bytes {
            return true;
        }
        let own = self.waiting.get(&turn);
        let (things, own_bytes) = own.map_or((0, 0), |own| (own.things.len(), own.bytes));
        let sharing = self.waiting.len() + usize::from(own.is_none());
        things < half.things / sharing && own_bytes + bytes <= half.bytes / sharing
    }

    /// The next of a project that was taken off the turns; puts it at their end if it has more.
    fn take_of(&mut self, turn: Turn) -> Option<T> {
        let waiting = self.waiting.get_mut(&turn)?;
        let (bytes, thing) = waiting.things.pop_front()?;
        waiting.bytes -= bytes;
        self.things -= 1;
        self.bytes -= bytes;
        if waiting.things.is_empty() {
            self.waiting.remove(&turn);
        } else {
            self.turns.push_back(turn);
        }
        Some(thing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(things: usize, at_once: usize) -> FairQueue<u32> {
        FairQueue::new(Bounds {
            things,
            bytes: 1_000,
            at_once,
        })
    }

    fn push(queue: &FairQueue<u32>, turn: Turn, things: impl IntoIterator<Item = u32>) {
        for thing in things {
            queue.push(turn, 1, thing).expect("room");
        }
    }

    #[test]
    fn one_wish_does_not_wait_behind_another_projects_hundred() {
        let queue = queue(1_000, 1);
        push(&queue, 1, 0..100);
        push(&queue, 2, [200, 201]);
        let mut taken = Vec::new();
        queue.take_many(&mut taken, 5);
        assert_eq!(taken, [0, 200, 1, 201, 2]);
    }

    #[test]
    fn a_project_has_one_at_once_while_others_go_on() {
        let queue = queue(1_000, 1);
        push(&queue, 1, [10, 11]);
        push(&queue, 2, [20]);
        assert_eq!(queue.take(), Some((1, 10)));
        assert_eq!(queue.take(), Some((2, 20)));
        queue.done(1);
        assert_eq!(queue.take(), Some((1, 11)));
    }

    #[test]
    fn a_full_project_is_refused_and_another_is_not() {
        let queue = queue(100, 1);
        push(&queue, 1, 0..50);
        assert_eq!(queue.push(1, 1, 0), Err(Refused::Full));
        push(&queue, 2, 0..25);
        assert_eq!(queue.push(2, 1, 0), Err(Refused::Full));
        push(&queue, 3, 0..16);
        assert_eq!(queue.waiting(), (91, 91));
        // Bytes have the same bound.
        assert_eq!(queue.push(4, 950, 0), Err(Refused::Full));
        push(&queue, 4, [0]);
    }

    #[test]
    fn a_closed_queue_gives_out_what_waits_and_an_abandoned_one_does_not() {
        let queue = queue(10, 1);
        push(&queue, 1, [1, 2]);
        queue.close();
        assert_eq!(queue.push(1, 1, 3), Err(Refused::Closed));
        let mut taken = Vec::new();
        assert_eq!(queue.take_many(&mut taken, 1), 1);
        queue.abandon();
        taken.clear();
        assert_eq!(queue.take_many(&mut taken, 1), 0);
    }
}
