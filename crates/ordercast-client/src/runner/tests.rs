//! The runner in a world of channels and a made-up clock: the tests play the server.

mod connections;
mod polling;
mod world;
