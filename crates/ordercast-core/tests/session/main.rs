//! The session by its public surface, with a made-up clock: five minutes pass in microseconds.

mod commands;
mod continuity;
mod support;
mod time;
mod tokens;
