//! The HTTP surface through a real socket and a real database.

mod api_keys;
mod catalogue;
mod credentials;
mod isolation;
mod jwt_attacks;
mod jwt_keys;
mod mint;
mod openapi;
mod order_changes;
mod order_reads;
mod order_tokens;
mod orders;
mod secrets;
mod socket;
mod store_admin;
mod store_carts;
mod store_orders;
mod store_reads;
mod store_support;
mod store_virtual;
mod support;
