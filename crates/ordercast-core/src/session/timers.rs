//! Pings, pongs, the end of a connection's life and of its token.

use super::{Action, Session, SessionConfig, State};
use centrifuge_protocol::{DisconnectCode, Reply};
use std::time::Duration;

/// Times of the next events; `Duration::MAX` is never.
#[derive(Debug)]
pub(super) struct Timers {
    /// Before connect: when to give up. After a failed connect: when to close.
    give_up_at: Duration,
    ping_at: Duration,
    pong_by: Duration,
    end_at: Duration,
    token_ends_at: Duration,
}

const NEVER: Duration = Duration::MAX;

impl Timers {
    pub(super) fn fresh(now: Duration, config: &SessionConfig) -> Self {
        Self {
            give_up_at: now + config.connect_timeout,
            ping_at: NEVER,
            pong_by: NEVER,
            end_at: NEVER,
            token_ends_at: NEVER,
        }
    }

    /// The connect reply goes out. The first ping comes at a random moment of the second half of the
    /// interval, to spread the load after a mass reconnect.
    pub(super) fn start(
        &mut self,
        now: Duration,
        config: &SessionConfig,
        seed: u64,
        token_life: Option<Duration>,
    ) {
        let (ping, life) = (fraction(seed), fraction(seed.rotate_left(32)));
        self.give_up_at = NEVER;
        self.ping_at = now + config.ping_interval.mul_f64(0.5 + ping / 2.0);
        self.end_at = now + config.lifetime.mul_f64(1.0 - life / 10.0);
        self.token_ends_at = token_life.map_or(NEVER, |life| now.saturating_add(life));
    }

    pub(super) fn fail(&mut self, now: Duration, config: &SessionConfig) {
        self.give_up_at = now + config.failure_delay;
    }

    /// Another token stands for the one that the session began with.
    pub(super) fn renew(&mut self, now: Duration, token_life: Option<Duration>) {
        self.token_ends_at = token_life.map_or(NEVER, |life| now.saturating_add(life));
    }

    pub(super) fn pong(&mut self) {
        self.pong_by = NEVER;
    }

    fn next(&self) -> Duration {
        self.give_up_at
            .min(self.ping_at)
            .min(self.pong_by)
            .min(self.end_at)
            .min(self.token_ends_at)
    }
}

/// 0.0 to 1.0 from the low half of the seed.
fn fraction(seed: u64) -> f64 {
    f64::from(seed as u32) / f64::from(u32::MAX)
}

impl Session {
    /// When [`Session::on_tick`] has something to do; `Duration::MAX` once it is closed.
    #[must_use]
    pub fn next_deadline(&self) -> Duration {
        if self.is_closed() {
            NEVER
        } else {
            self.timers.next()
        }
    }

    pub fn on_tick(&mut self, now: Duration, out: &mut Vec<Action>) {
        if self.is_closed() {
            return;
        }
        if self.timers.give_up_at <= now {
            match self.state {
                State::Failed => {
                    self.close(
                        DisconnectCode::InvalidToken,
                        "invalid token: get a new one",
                        out,
                    );
                }
                State::Connecting(_) => {
                    self.close(
                        DisconnectCode::InternalServerError,
                        "internal: connect took too long",
                        out,
                    );
                }
                State::Fresh | State::Live(_) | State::Closed => {
                    self.close(
                        DisconnectCode::ConnectionClosed,
                        "no connect within 10 s",
                        out,
                    );
                }
            }
        } else if self.timers.pong_by <= now {
            self.close(DisconnectCode::NoPong, "no pong", out);
        } else if self.timers.end_at <= now {
            self.close(
                DisconnectCode::ConnectionExpired,
                "connection expired: reconnect",
                out,
            );
        } else if self.timers.token_ends_at <= now {
            self.close(
                DisconnectCode::ConnectionExpired,
                "token expired: reconnect with a new one",
                out,
            );
        } else if self.timers.ping_at <= now {
            // Never skipped because of other traffic: some SDKs count pings only.
            self.timers.ping_at = now + self.config.ping_interval;
            self.timers.pong_by = self.config.pong_timeout.map_or(NEVER, |wait| now + wait);
            out.push(Action::Send(Box::default() as Box<Reply>));
        }
    }
}
