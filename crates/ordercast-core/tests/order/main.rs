//! The order's rules: a table of the situations that providers and shops make, and properties over
//! any input.

mod ledger;
mod model;
mod money;
mod money_situations;
mod properties;
mod situations;
mod support;
