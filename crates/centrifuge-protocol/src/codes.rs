//! The numbers that say why: error codes of replies and close codes of connections.
//!
//! Invariant: numbers and texts are those of the Centrifuge client protocol v2; 3002, 3003 and
//! 3007 are unused there and so do not exist here.

use crate::close_reason::CloseReason;
use crate::message::Error;

/// Why a command is refused. Centrifuge client protocol v2, `Error.code`; the protocol reserves
/// 0..=399, applications use 400..=1999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum ErrorCode {
    /// The server failed.
    Internal = 100,
    /// Credentials are missing or wrong.
    Unauthorized = 101,
    /// The namespace of the channel does not exist.
    UnknownChannel = 102,
    /// Not allowed to this user.
    PermissionDenied = 103,
    /// The procedure does not exist.
    MethodNotFound = 104,
    /// The connection holds the channel already.
    AlreadySubscribed = 105,
    /// A limit of the server is reached.
    LimitExceeded = 106,
    /// The command makes no sense.
    BadRequest = 107,
    /// The feature is off.
    NotAvailable = 108,
    /// The token has run out; clients fetch another and try again.
    TokenExpired = 109,
    /// The session has run out.
    Expired = 110,
    /// Slow down.
    TooManyRequests = 111,
    /// The epoch asked for is not that of the stream.
    UnrecoverablePosition = 112,
    /// The pages asked for changed meanwhile.
    ConcurrentPagination = 113,
}

impl ErrorCode {
    /// All of them, by number.
    pub const ALL: [ErrorCode; 14] = [
        ErrorCode::Internal,
        ErrorCode::Unauthorized,
        ErrorCode::UnknownChannel,
        ErrorCode::PermissionDenied,
        ErrorCode::MethodNotFound,
        ErrorCode::AlreadySubscribed,
        ErrorCode::LimitExceeded,
        ErrorCode::BadRequest,
        ErrorCode::NotAvailable,
        ErrorCode::TokenExpired,
        ErrorCode::Expired,
        ErrorCode::TooManyRequests,
        ErrorCode::UnrecoverablePosition,
        ErrorCode::ConcurrentPagination,
    ];

    /// The number, 100..=113.
    pub const fn code(self) -> u32 {
        self as u32
    }

    /// The code with this number, if the protocol has one.
    pub fn from_code(code: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.code() == code)
    }

    /// The text that the protocol gives to the code.
    pub const fn message(self) -> &'static str {
        match self {
            ErrorCode::Internal => "internal server error",
            ErrorCode::Unauthorized => "unauthorized",
            ErrorCode::UnknownChannel => "unknown channel",
            ErrorCode::PermissionDenied => "permission denied",
            ErrorCode::MethodNotFound => "method not found",
            ErrorCode::AlreadySubscribed => "already subscribed",
            ErrorCode::LimitExceeded => "limit exceeded",
            ErrorCode::BadRequest => "bad request",
            ErrorCode::NotAvailable => "not available",
            ErrorCode::TokenExpired => "token expired",
            ErrorCode::Expired => "expired",
            ErrorCode::TooManyRequests => "too many requests",
            ErrorCode::UnrecoverablePosition => "unrecoverable position",
            ErrorCode::ConcurrentPagination => "concurrent pagination",
        }
    }

    /// Whether the same command may succeed later. SDKs then retry a connect or a subscribe.
    pub const fn is_temporary(self) -> bool {
        match self {
            ErrorCode::Internal | ErrorCode::TooManyRequests | ErrorCode::ConcurrentPagination => {
                true
            }
            ErrorCode::Unauthorized
            | ErrorCode::UnknownChannel
            | ErrorCode::PermissionDenied
            | ErrorCode::MethodNotFound
            | ErrorCode::AlreadySubscribed
            | ErrorCode::LimitExceeded
            | ErrorCode::BadRequest
            | ErrorCode::NotAvailable
            | ErrorCode::TokenExpired
            | ErrorCode::Expired
            | ErrorCode::UnrecoverablePosition => false,
        }
    }
}

impl Error {
    /// The error as the protocol words it.
    pub fn new(code: ErrorCode) -> Self {
        Error {
            code: code.code(),
            message: code.message().to_owned(),
            temporary: code.is_temporary(),
        }
    }
}

impl From<ErrorCode> for Error {
    fn from(code: ErrorCode) -> Self {
        Error::new(code)
    }
}

/// Why a connection is closed: the code of a WebSocket close frame, or `Disconnect.code` where
/// there is none. Centrifuge client protocol v2; applications use 4000..=4999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum DisconnectCode {
    /// The connection ends without a special cause.
    ConnectionClosed = 3000,
    /// The server drains.
    Shutdown = 3001,
    /// The server failed.
    InternalServerError = 3004,
    /// The connection reached the end of its life.
    ConnectionExpired = 3005,
    /// A subscription reached the end of its life.
    SubscriptionExpired = 3006,
    /// The client does not read fast enough.
    Slow = 3008,
    /// Writing to the connection failed.
    WriteError = 3009,
    /// The server lost track of a position; the client recovers on reconnect.
    InsufficientState = 3010,
    /// Somebody asked for it.
    ForceReconnect = 3011,
    /// A ping was not answered in time.
    NoPong = 3012,
    /// Slow down.
    TooManyRequests = 3013,
    /// The client shall drop its token and positions.
    StateInvalidated = 3014,
    /// The token is wrong.
    InvalidToken = 3500,
    /// The client broke the protocol.
    BadRequest = 3501,
    /// The client did not send a connect command in time.
    Stale = 3502,
    /// Somebody asked for it.
    ForceDisconnect = 3503,
    /// Too many connections.
    ConnectionLimit = 3504,
    /// Too many channels.
    ChannelLimit = 3505,
    /// The transport cannot carry what was sent.
    InappropriateProtocol = 3506,
    /// Not allowed to this user.
    PermissionDenied = 3507,
    /// The feature is off.
    NotAvailable = 3508,
    /// Too many commands were refused.
    TooManyErrors = 3509,
}

impl DisconnectCode {
    /// All of them, by number.
    pub const ALL: [DisconnectCode; 22] = [
        DisconnectCode::ConnectionClosed,
        DisconnectCode::Shutdown,
        DisconnectCode::InternalServerError,
        DisconnectCode::ConnectionExpired,
        DisconnectCode::SubscriptionExpired,
        DisconnectCode::Slow,
        DisconnectCode::WriteError,
        DisconnectCode::InsufficientState,
        DisconnectCode::ForceReconnect,
        DisconnectCode::NoPong,
        DisconnectCode::TooManyRequests,
        DisconnectCode::StateInvalidated,
        DisconnectCode::InvalidToken,
        DisconnectCode::BadRequest,
        DisconnectCode::Stale,
        DisconnectCode::ForceDisconnect,
        DisconnectCode::ConnectionLimit,
        DisconnectCode::ChannelLimit,
        DisconnectCode::InappropriateProtocol,
        DisconnectCode::PermissionDenied,
        DisconnectCode::NotAvailable,
        DisconnectCode::TooManyErrors,
    ];

    /// The number, 3000..=3014 or 3500..=3509.
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// The code with this number, if the protocol has one.
    pub fn from_code(code: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.code() == code)
    }

    /// The text that the protocol gives to the code.
    pub const fn meaning(self) -> &'static str {
        match self {
            DisconnectCode::ConnectionClosed => "connection closed",
            DisconnectCode::Shutdown => "shutdown",
            DisconnectCode::InternalServerError => "internal server error",
            DisconnectCode::ConnectionExpired => "connection expired",
            DisconnectCode::SubscriptionExpired => "subscription expired",
            DisconnectCode::Slow => "slow",
            DisconnectCode::WriteError => "write error",
            DisconnectCode::InsufficientState => "insufficient state",
            DisconnectCode::ForceReconnect => "force reconnect",
            DisconnectCode::NoPong => "no pong",
            DisconnectCode::TooManyRequests => "too many requests",
            DisconnectCode::StateInvalidated => "state invalidated",
            DisconnectCode::InvalidToken => "invalid token",
            DisconnectCode::BadRequest => "bad request",
            DisconnectCode::Stale => "stale",
            DisconnectCode::ForceDisconnect => "force disconnect",
            DisconnectCode::ConnectionLimit => "connection limit",
            DisconnectCode::ChannelLimit => "channel limit",
            DisconnectCode::InappropriateProtocol => "inappropriate protocol",
            DisconnectCode::PermissionDenied => "permission denied",
            DisconnectCode::NotAvailable => "not available",
            DisconnectCode::TooManyErrors => "too many errors",
        }
    }

    /// [`meaning`](Self::meaning) as the reason of a close frame, for want of a more specific one.
    pub const fn default_reason(self) -> CloseReason {
        CloseReason::from_static(self.meaning())
    }

    /// Whether clients come back by themselves after this code.
    pub const fn is_reconnectable(self) -> bool {
        should_reconnect(self.code())
    }
}

/// Close code of RFC 6455 for a message that is too big.
const MESSAGE_TOO_BIG: u16 = 1009;

/// Whether a client comes back after a connection ended with this close code, as the SDKs decide:
/// not after 3500..=3999 and 4500..=4999, the terminal ranges of the protocol and of applications.
/// Nor after 1009, with the SDKs for JavaScript and Java and against those for Go, Python and
/// Dart: the message that was too big would be sent again.
pub const fn should_reconnect(close_code: u16) -> bool {
    !matches!(close_code, 3500..=3999 | 4500..=4999 | MESSAGE_TOO_BIG)
}
