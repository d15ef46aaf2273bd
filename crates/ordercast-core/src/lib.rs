//! The domain of Ordercast: orders, channels, sessions, provider facts and access, as pure functions
//! of (state, time, input).
//!
//! Invariant: nothing here knows a socket, a database, a clock or a random source. Time and
//! randomness come in as values, so every rule can be read, tested and simulated alone.

pub mod access;
pub mod catalogue;
pub mod channel;
mod currencies;
pub mod delivery;
pub mod ids;
pub mod money;
#[cfg(feature = "openapi")]
mod openapi;
pub mod order;
pub mod provider;
pub mod session;
pub mod time;
pub mod virtual_currency;

pub use ids::{Invalid, OrderId, ProjectId, Sku, UserId};
pub use time::Timestamp;
