//! One realtime connection as a state machine: commands, time and store answers in, actions out.
//!
//! Invariant: within a session the offsets of the channel reach the client as k+1, k+2, ... where k
//! is the position in the connect reply: no gap, no repeat, no inversion (guarantees, I11). The
//! transport feeds it and carries out its [`Action`]s in order.

mod commands;
mod connect;
mod limits;
mod reply;
mod timers;

pub use connect::{AuthenticationFailed, Granted};
pub use limits::{
    BUFFERED_MAX, CHANNEL_BYTES_MAX, COMMAND_BURST, COMMANDS_PER_FRAME_MAX, COMMANDS_PER_SECOND,
    ERRORS_MAX, HISTORY_MAX, SUBS_MAX, WAITING_MAX,
};
pub use reply::{VERSION, publication_reply};

use crate::{
    channel::{Channel, ChannelPage, Epoch, Offset, Position, Publication, Range},
    ids::ProjectId,
};
use centrifuge_protocol::{CloseReason, Command, DisconnectCode, Reply};
use connect::Connecting;
use limits::Limits;
use std::{collections::VecDeque, sync::Arc, time::Duration};
use timers::Timers;

/// What the transport must do, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    Send(Box<Reply>),
    /// Verify the credential and answer with [`Session::on_authenticated`].
    Authenticate {
        project: ProjectId,
        auth: String,
        user_external_id: Option<String>,
    },
    /// Register at the hub: from now on the channel's commits come to
    /// [`Session::on_publication`]. Always before the first [`Action::Read`].
    Join(Channel),
    /// Read the channel and answer with [`Session::on_page`].
    Read {
        channel: Channel,
        read: Read,
        /// Where the client says that it is. What it has seen beyond the store's top proves that the
        /// store was put back; the store begins a new epoch then, before it answers.
        claimed: Option<Position>,
    },
    /// Nothing is sent after it.
    Close {
        code: DisconnectCode,
        reason: CloseReason,
    },
}

/// A read of a channel's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read {
    pub range: Range,
    pub limit: usize,
}

/// What becomes of a publication that the hub brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Write it to the client now.
    Send,
    /// The client has it, or will get it with the connect reply.
    Skip,
    /// Continuity is lost: the session has closed, see its actions.
    Close,
}

/// Durations of a session; limits are constants of the protocol.
#[derive(Clone, Copy, Debug)]
pub struct SessionConfig {
    /// From the upgrade to the connect command.
    pub connect_timeout: Duration,
    /// Whole seconds, announced to the client; never 0, because one SDK drops the connection then.
    pub ping_interval: Duration,
    /// `None` where a client cannot answer: pongs are then not asked for.
    pub pong_timeout: Option<Duration>,
    /// Shortened by up to a tenth at random, so that a storm of connects does not come again.
    pub lifetime: Duration,
    /// Between the error reply and the close, so that SDKs see the reply first.
    pub failure_delay: Duration,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            ping_interval: Duration::from_secs(25),
            pong_timeout: Some(Duration::from_secs(10)),
            lifetime: Duration::from_secs(300),
            failure_delay: Duration::from_millis(500),
        }
    }
}

#[derive(Debug)]
enum State {
    /// Waits for the connect command.
    Fresh,
    /// Waits for the credential, then for the channel.
    Connecting(Box<Connecting>),
    Live(Box<Live>),
    /// The error reply to connect was sent; closes soon.
    Failed,
    Closed,
}

#[derive(Debug)]
struct Live {
    channel: Channel,
    epoch: Epoch,
    /// The newest offset that the client was sent.
    last: Offset,
    history: Option<commands::HistoryWait>,
    /// The id of a refresh command whose token is being verified.
    refresh: Option<i64>,
}

#[derive(Debug)]
pub struct Session {
    state: State,
    timers: Timers,
    limits: Limits,
    /// Shared: ten words that all connections of a transport have in common.
    config: Arc<SessionConfig>,
    client: u128,
    seed: u64,
    /// Commands behind one whose answer needs the store: a connection's commands are answered in
    /// order.
    waiting: VecDeque<Command>,
}

impl Session {
    /// `now` is monotonic; `seed` and `client` are random: jitter, and the client's UUID.
    #[must_use]
    pub fn new(
        now: Duration,
        config: impl Into<Arc<SessionConfig>>,
        seed: u64,
        client: u128,
    ) -> Self {
        let config = config.into();
        Self {
            state: State::Fresh,
            timers: Timers::fresh(now, &config),
            limits: Limits::new(now),
            config,
            client,
            seed,
            waiting: VecDeque::new(),
        }
    }

    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// Nothing but pongs has come yet.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        matches!(self.state, State::Fresh)
    }

    /// The connect reply has been sent.
    #[must_use]
    pub fn is_live(&self) -> bool {
        matches!(self.state, State::Live(_))
    }

    /// The connect was refused; the close follows.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        matches!(self.state, State::Failed)
    }

    /// Of the channel's log, once the connect reply has been sent.
    #[must_use]
    pub fn epoch(&self) -> Option<&Epoch> {
        match &self.state {
            State::Live(live) => Some(&live.epoch),
            State::Fresh | State::Connecting(_) | State::Failed | State::Closed => None,
        }
    }

    /// A control frame of the transport, which the transport answers itself: it costs as much as a
    /// command. Returns whether it may be answered.
    pub fn on_control(&mut self, now: Duration, out: &mut Vec<Action>) -> bool {
        !matches!(self.state, State::Failed | State::Closed) && self.admit(now, out)
    }

    fn admit(&mut self, now: Duration, out: &mut Vec<Action>) -> bool {
        let may_come = self.limits.take(now);
        if !may_come {
            self.close(
                DisconnectCode::TooManyRequests,
                "too many requests: over 20 commands a second",
                out,
            );
        }
        may_come
    }

    /// The commands of one frame.
    pub fn on_commands(&mut self, now: Duration, commands: Vec<Command>, out: &mut Vec<Action>) {
        for command in commands {
            if matches!(self.state, State::Failed | State::Closed) {
                return;
            }
            if !self.admit(now, out) {
                return;
            }
            if self.is_waiting() {
                if self.waiting.len() >= WAITING_MAX {
                    self.close(
                        DisconnectCode::TooManyRequests,
                        "too many requests: commands without waiting for answers",
                        out,
                    );
                    return;
                }
                self.waiting.push_back(command);
            } else {
                self.on_command(now, &command, out);
            }
        }
    }

    /// A frame that could not be read.
    pub fn on_bad_frame(&mut self, reason: CloseReason, out: &mut Vec<Action>) {
        self.close_with(DisconnectCode::BadRequest, reason, out);
    }

    /// The transport could not write as fast as the channel publishes.
    pub fn on_slow(&mut self, out: &mut Vec<Action>) {
        self.close(DisconnectCode::Slow, "slow: too much unread", out);
    }

    pub fn on_shutdown(&mut self, out: &mut Vec<Action>) {
        self.close(DisconnectCode::Shutdown, "shutdown: reconnect", out);
    }

    /// Brings a committed publication, in commit order.
    pub fn on_publication(
        &mut self,
        epoch: &Epoch,
        publication: &Publication,
        out: &mut Vec<Action>,
    ) -> Delivery {
        let live = match &mut self.state {
            State::Fresh | State::Failed | State::Closed => return Delivery::Skip,
            State::Connecting(connecting) => {
                if !connecting.buffer(epoch, publication) {
                    self.close(
                        DisconnectCode::InsufficientState,
                        "insufficient state: too many changes while connecting",
                        out,
                    );
                    return Delivery::Close;
                }
                return Delivery::Skip;
            }
            State::Live(live) => live,
        };
        if *epoch != live.epoch {
            self.close(
                DisconnectCode::InsufficientState,
                "insufficient state: the epoch changed",
                out,
            );
            return Delivery::Close;
        }
        if publication.offset <= live.last {
            return Delivery::Skip;
        }
        if publication.offset != live.last.next() {
            self.close(
                DisconnectCode::InsufficientState,
                "insufficient state: a gap in the channel",
                out,
            );
            return Delivery::Close;
        }
        live.last = publication.offset;
        Delivery::Send
    }

    /// The answer to [`Action::Read`]; `None` when the store failed.
    pub fn on_page(&mut self, now: Duration, page: Option<ChannelPage>, out: &mut Vec<Action>) {
        match &self.state {
            State::Connecting(_) => self.on_connect_page(now, page, out),
            State::Live(_) => self.on_history_page(page, out),
            State::Fresh | State::Failed | State::Closed => {}
        }
        self.go_on(now, out);
    }

    /// Processes what waited, until a command needs the store again.
    fn go_on(&mut self, now: Duration, out: &mut Vec<Action>) {
        while !self.is_waiting()
            && let Some(command) = self.waiting.pop_front()
        {
            self.on_command(now, &command, out);
        }
    }

    fn is_waiting(&self) -> bool {
        match &self.state {
            State::Connecting(_) => true,
            State::Live(live) => live.history.is_some() || live.refresh.is_some(),
            State::Fresh | State::Failed | State::Closed => false,
        }
    }

    fn close(&mut self, code: DisconnectCode, reason: &'static str, out: &mut Vec<Action>) {
        self.close_with(code, CloseReason::from_static(reason), out);
    }

    fn close_with(&mut self, code: DisconnectCode, reason: CloseReason, out: &mut Vec<Action>) {
        if self.is_closed() {
            return;
        }
        self.state = State::Closed;
        self.waiting = VecDeque::new();
        out.push(Action::Close { code, reason });
    }
}
