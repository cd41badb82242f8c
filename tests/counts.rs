//! What a whole server does for a delivery, counted: commits, connections, allocations, copies of the
//! payload, instances of plugins. `tests/support/bars.rs` says how much each may be.
//!
//! The server is this very program, run once more: all that the binary is, over an allocator that
//! counts. Asked over a socket of its own it tells what it has counted, so that whoever posts and
//! receives is not in it.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by ending"
)]

#[path = "support/bars.rs"]
mod bars;
#[path = "counts/counted.rs"]
mod counted;
#[path = "counts/load.rs"]
mod load;
#[path = "counts/rows.rs"]
mod rows;
mod support;
#[path = "../host/sandbox/tests/isolation/wat.rs"]
mod wat;

use std::alloc::System;
use std::process::ExitCode;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const NAME: &str = "a_delivery_costs_no_more_than_it_did";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("serve") => {
            counted::tell();
            whisperer_server::cli::run()
        }
        // A server compiles plugins in a process of its own program.
        Some("compile-plugin") => whisperer_server::cli::run(),
        Some("--list") => {
            println!("{NAME}: test");
            ExitCode::SUCCESS
        }
        // As the usual harness has it: what has no dash names the tests that are wanted.
        Some(_) | None if !is_wanted(&arguments) => ExitCode::SUCCESS,
        Some(_) | None => {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(rows::count());
            println!("test {NAME} ... ok");
            ExitCode::SUCCESS
        }
    }
}

fn is_wanted(arguments: &[String]) -> bool {
    let mut names = arguments
        .iter()
        .filter(|it| !it.starts_with('-'))
        .peekable();
    names.peek().is_none() || names.any(|name| NAME.contains(name.as_str()))
}
