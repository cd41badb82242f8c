//! Hostile guests.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
#![cfg(target_os = "linux")]

mod alone;
#[path = "../plugins/bench.rs"]
#[allow(dead_code, reason = "the other tests use more of it")]
mod bench;
mod bombs;
#[path = "../../../../tests/support/guests.rs"]
#[allow(dead_code, reason = "the black-box tests use more of it")]
mod guests;
mod room;
mod scene;
mod time;
mod traps;
mod wat;
