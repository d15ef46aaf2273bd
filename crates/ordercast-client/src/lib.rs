//! Tracks the orders of one buyer: pushed over a WebSocket, recovered after every interruption,
//! polled while there is none.
//!
//! Invariant: between two [`Event::Gap`]s, the [`Event::Status`]es that carry an offset are one
//! run of offsets without hole or repetition, however often the connection breaks. What cannot be
//! shown is reported as a gap, never passed over. Shops' backends, test tools and
//! `ordercast watch` call it.
//!
//! ```no_run
//! use ordercast_client::{Event, OrderId, ProjectId, Tracker, TrackerConfig};
//!
//! # async fn track() -> Result<(), Box<dyn std::error::Error>> {
//! let mut config = TrackerConfig::new("http://127.0.0.1:8080", ProjectId::new(44056)?, "token");
//! config.order_id = Some(OrderId::new(7)?);
//! config.until_final = true;
//! let mut tracker = Tracker::new(&config)?;
//! while let Some(event) = tracker.next().await {
//!     if let Event::Status { order_id, status, .. } = event? {
//!         println!("order {order_id} is {status}");
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Read in this order: `event` and `error` are what callers see; `session` is the protocol as a
//! value, without socket or clock; `runner` drives it; `net` is the only room with sockets.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod backoff;
mod config;
mod error;
mod event;
mod net;
mod poll;
mod runner;
mod session;
mod tracker;

pub use centrifuge_protocol::Encoding;
pub use ordercast_core::channel::Offset;
pub use ordercast_core::order::TrackingStatus;
pub use ordercast_core::{OrderId, ProjectId, UserId};

pub use config::TrackerConfig;
pub use error::{ConfigError, TrackError};
pub use event::{Event, How, Missed};
pub use tracker::Tracker;
