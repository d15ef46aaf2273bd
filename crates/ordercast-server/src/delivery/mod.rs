//! Outgoing webhooks on their way: `dispatcher` decides what is attempted next, `lane` knows each
//! endpoint, `attempt` makes one, `sign` proves whose it is, `guard`, `connect` and
//! `dial` see to where it goes.
//!
//! What is to be sent, and what became of it, stands in the store: this room may end at any moment and
//! begins anew with what is due.

pub mod attempt;
pub mod connect;
pub mod dial;
mod dispatcher;
pub mod guard;
mod lane;
pub mod sending;
pub mod sign;

pub use dispatcher::Dispatcher;
