//! Frames that wait for a client.
//!
//! Invariant: what all queues hold is what they have told the [`Budget`], whenever no lock of a peer is
//! held.

use super::super::budget::{Budget, Direction, Share};
use bytes::{Buf, Bytes};
use std::{collections::VecDeque, io::IoSlice};

/// Outstanding frames and bytes of a reader that does not read (realtime contract, A12).
pub const QUEUE_FRAMES_MAX: usize = 256;
pub const QUEUE_BYTES_MAX: usize = 64 * 1024;
/// When all of them together hold too much. Enough for a connect and what follows it, so that who does
/// read still comes in.
pub const QUEUE_BYTES_MAX_WHEN_FULL: usize = 16 * 1024;
/// Frames given to the kernel in one call.
const SLICES_MAX: usize = 16;

#[derive(Debug, Default)]
pub struct Queue {
    frames: VecDeque<Bytes>,
    bytes: usize,
    /// Of `bytes`, what the budget knows. Most frames are written at once and never counted.
    counted: Share,
}

impl Queue {
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    pub fn push(&mut self, frame: Bytes) {
        self.bytes += frame.len();
        self.frames.push_back(frame);
    }

    pub fn pop(&mut self) -> Option<Bytes> {
        let frame = self.frames.pop_front()?;
        self.bytes -= frame.len();
        self.release();
        Some(frame)
    }

    /// The next bytes, for one call to the kernel.
    pub fn slices(&self) -> Vec<IoSlice<'_>> {
        let next = self.frames.iter().take(SLICES_MAX);
        next.map(|frame| IoSlice::new(frame)).collect()
    }

    /// The kernel has taken so many bytes.
    pub fn advance(&mut self, mut written: usize) {
        self.bytes -= written;
        while let Some(front) = self.frames.front_mut() {
            if written < front.len() {
                front.advance(written);
                break;
            }
            written -= front.len();
            self.frames.pop_front();
        }
        self.release();
    }

    /// Only a frame that is half written must stay, or what comes after it could not be read.
    pub fn keep_front(&mut self) {
        self.frames.truncate(1);
        self.bytes = self.frames.front().map_or(0, Bytes::len);
    }

    pub fn clear(&mut self) {
        self.frames = VecDeque::new();
        self.bytes = 0;
    }

    /// Idle connections own no buffer.
    fn release(&mut self) {
        if self.frames.is_empty() {
            self.frames = VecDeque::new();
        }
    }

    /// Tells what it holds now; whether that is too much. The frame at the front is being written: one
    /// long reply is no sign of a slow reader, unless memory is short.
    pub fn settle(&mut self, budget: &Budget) -> Fill {
        self.counted.set(budget, Direction::Out, self.bytes);
        let front = self.frames.front().map_or(0, Bytes::len);
        let is_slow = self.frames.len() > QUEUE_FRAMES_MAX || self.bytes - front > QUEUE_BYTES_MAX;
        let is_in_the_way = self.bytes > QUEUE_BYTES_MAX_WHEN_FULL && budget.is_full();
        if is_slow || is_in_the_way {
            Fill::TooMuch
        } else {
            Fill::Within
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    Within,
    TooMuch,
}
