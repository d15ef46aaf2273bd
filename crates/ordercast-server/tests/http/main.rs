//! The HTTP surface through a real socket and a real database.

mod credentials;
mod orders;
mod support;
