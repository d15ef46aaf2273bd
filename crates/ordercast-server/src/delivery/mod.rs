//! Outgoing webhooks on their way: `dispatcher` decides what is attempted next, `lane` knows each
//! endpoint, `attempt` makes one, `sign` proves whose it is. The way out is `outbound`.
//!
//! What is to be sent, and what became of it, stands in the store: this room may end at any moment and
//! begins anew with what is due.

pub mod attempt;
mod dispatcher;
mod lane;
pub mod sending;
pub mod sign;

pub use dispatcher::Dispatcher;

use ordercast_core::delivery::Notification;

/// Equal in all attempts of a delivery, distinct for everything else an endpoint gets. `event`: its
/// public id, which is stored with it: an attempt after the database was put back has the same.
pub fn message_id(event: &str, notification: Notification) -> String {
    match notification {
        Notification::Event => event.to_owned(),
        part => format!("{event}_{}", part.as_str()),
    }
}
