//! Providers' webhooks: known signatures, every mutation of them, and what bodies mean.

mod bodies;
mod signatures;
mod traps;
