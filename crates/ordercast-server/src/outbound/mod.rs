//! The one way out: HTTP requests to addresses that others have named (endpoints of shops, providers'
//! APIs, key sets of identity providers). `guard` says where they may go, `connect` resolves and dials,
//! `race` keeps an address that does not answer from holding up the others, `dial` makes one request,
//! and `fault` says in words why there was no answer.
//!
//! Invariants: an address is asked of the guard at the moment when it is dialled; nothing is followed,
//! neither a redirect nor a proxy of the environment; time and bytes are bounded.

pub mod connect;
pub mod dial;
mod fault;
pub mod guard;
mod public_address;
mod race;
