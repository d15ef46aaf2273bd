//! How much a client may ask (guarantees, 3.1).

use std::time::Duration;

pub const COMMANDS_PER_SECOND: f32 = 20.0;
pub const COMMAND_BURST: f32 = 40.0;
/// Commands in one WebSocket message.
pub const COMMANDS_PER_FRAME_MAX: usize = 16;
/// Error replies in one session.
pub const ERRORS_MAX: u8 = 50;
/// Entries of `connect.subs`; one of them can be the client's channel.
pub const SUBS_MAX: usize = 16;
/// Bytes of a channel's name, as Centrifugo has it.
pub const CHANNEL_BYTES_MAX: usize = 255;
/// Publications in one history reply (Centrifugo caps at 300; ours is the recovery limit).
pub const HISTORY_MAX: usize = 1_000;
/// Commits that may come while a connect reads the store; a client over it recovers again.
pub const BUFFERED_MAX: usize = 256;
/// Commands behind one that waits for the store.
pub const WAITING_MAX: usize = 64;

/// A token bucket for commands and a count of errors.
#[derive(Debug)]
pub(super) struct Limits {
    tokens: f32,
    filled_at: Duration,
    errors: u8,
}

impl Limits {
    pub(super) const fn new(now: Duration) -> Self {
        Self {
            tokens: COMMAND_BURST,
            filled_at: now,
            errors: 0,
        }
    }

    /// Whether one more command may come. Surplus `{}` of raw clients count as commands too: one
    /// each 25 s is far below the rate.
    pub(super) fn take(&mut self, now: Duration) -> bool {
        let passed = now.saturating_sub(self.filled_at).as_secs_f32();
        self.filled_at = now;
        self.tokens = (self.tokens + passed * COMMANDS_PER_SECOND).min(COMMAND_BURST);
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }

    /// Whether one more error may be answered.
    pub(super) fn error(&mut self) -> bool {
        self.errors = self.errors.saturating_add(1);
        self.errors <= ERRORS_MAX
    }
}
