//! The codec through its public functions, as servers and clients use it.
#![allow(clippy::unwrap_used)]

mod close_codes;
mod leniency;
mod properties;
mod refusals;
mod sample;
mod schema;
mod vectors;
