//! Where requests go, and where they never go: the guard's table, and calls to real servers.

mod dial;
mod sloppy;
mod tls;
mod urls;
