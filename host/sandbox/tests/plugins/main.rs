//! The sandbox from outside: real components, a real folder, every limit.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

mod bench;
mod chain;
#[path = "../../../../tests/support/guests.rs"]
#[allow(dead_code, reason = "the black-box tests use more of it")]
mod guests;
mod limits;
mod put;
mod reload;
