//! The sandbox from outside: real components, a real folder, every limit.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

mod bench;
mod chain;
mod guests;
mod limits;
mod reload;
