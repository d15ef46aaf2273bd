//! The HTTP surface through a real socket and a real database.

mod catalogue;
mod credentials;
mod orders;
mod store_admin;
mod store_carts;
mod store_orders;
mod store_reads;
mod store_support;
mod store_virtual;
mod support;
