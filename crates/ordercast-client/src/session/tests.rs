//! One session against a server that is a value too.

mod examples;
mod model;
mod properties;
mod script;
