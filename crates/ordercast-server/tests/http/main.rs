//! The HTTP surface through a real socket and a real database.

mod credentials;
mod order_changes;
mod orders;
mod support;
