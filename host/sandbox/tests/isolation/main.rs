//! Hostile guests: every way to misbehave that is known here, and what the others notice of it.
//! One test at a time, because time and memory of the whole process are measured.
//!
//! | case | what | where |
//! |---|---|---|
//! | W-01 | loops, recursion, endless calls through tables and at each edge of a call | `time`; recursion in `../plugins/limits.rs`; counted in ticks in `src/call/ticks.rs`; its neighbours in `make bench-plugins` |
//! | W-02 | memory, tables, instances, memories of kinds that are switched off | `room` |
//! | W-03 | every kind of trap | `traps`; `unreachable`, panic and exit in `../plugins/limits.rs` |
//! | W-04 | answers that lie, and answers that swell | `traps` |
//! | W-05 | answers that must not be sent | `answers`, `../plugins/limits.rs` |
//! | W-06 | headers that must not be sent | `answers`; on the wire in `tests/black_box/wire.rs` |
//! | W-07 | handles, and what is never given back | `room` |
//! | W-08 | floods of words, randomness, clock readings; waits without an end | `time` |
//! | W-09 | swaps while calls run | `crowd`, `../plugins/reload.rs`; under load in `tests/black_box/plugins.rs` |
//! | W-10 | files that are no plugins | `loading`; names and links that lead out in `tests/black_box/outside.rs` |
//! | W-11 | harm while an instance is made | `loading` |
//! | W-12 | code that is made to keep the compiler busy | `bombs`; what passes the bounds in `tests/black_box/compiling.rs` |
//! | W-13 | what one call leaves in memory for the next | `room`, `../plugins/limits.rs` |
//! | W-14 | a host function that panics | `src/call.rs` |
//! | W-15 | imports that are not granted | `loading` |
//! | W-16 | calls that are given up in their middle | `crowd` |
//! | W-17 | machine code in the folder | `loading` |
//! | W-18 | more calls than places | `crowd` |

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]
// What is measured is read from /proc.
#![cfg(target_os = "linux")]

mod alone;
mod answers;
#[path = "../plugins/bench.rs"]
#[allow(dead_code, reason = "the other tests use more of it")]
mod bench;
mod bombs;
mod contract;
#[path = "../../../../tests/support/costly.rs"]
mod costly;
mod crowd;
#[path = "../../../../tests/support/guests.rs"]
#[allow(dead_code, reason = "the black-box tests use more of it")]
mod guests;
mod loading;
mod room;
mod scene;
mod time;
#[path = "../../../../tests/support/torture.rs"]
mod torture;
mod traps;
mod wat;
