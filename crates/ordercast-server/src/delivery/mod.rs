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
