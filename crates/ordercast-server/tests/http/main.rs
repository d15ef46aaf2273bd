//! The HTTP surface through a real socket and a real database.

mod api_keys;
mod credentials;
mod doors;
mod hostile;
mod isolation;
mod jwt_attacks;
mod jwt_keys;
mod mint;
mod order_changes;
mod order_reads;
mod order_tokens;
mod orders;
mod raw_socket;
mod secrets;
mod socket;
mod support;
mod tls;
