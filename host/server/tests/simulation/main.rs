//! Whole worlds from seeds: the real delivery over the store's model, a clock that waits for
//! nobody, receivers and plugins that do what a list of operations says. Posts, answers of every
//! kind, swaps, changes of hooks, directives, kills, restarts, lost leases, stores that fail; and
//! after each step what must be true is held against what is.
//!
//! A seed that fails says so, with the shortest list of its operations that still fails, and:
//!
//! ```text
//! SIMULATION_SEED=123 cargo test --release --workspace --test simulation
//! ```
//!
//! plays it again with everything that happened. `SIMULATION_SEEDS=100000` tries so many.

#![allow(
    clippy::unwrap_used,
    reason = "a simulation that breaks is a failed test"
)]

mod driver;
mod life;
mod model;
mod ops;
mod outside;
mod shrink;
mod world;

use std::num::NonZero;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use ops::Plan;

/// As many as CI has time for.
const SEEDS: u64 = 5_000;
/// Seeds that are played twice.
const SEEDS_TWICE: u64 = 40;
/// Lines of a trace that are shown of a failure that is found by the way.
const LINES_SHOWN: usize = 200;

fn asked(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    let number = text.parse();
    Some(number.unwrap_or_else(|_| panic!("{variable} must be a number, is {text:?}")))
}

#[test]
fn no_seed_breaks_a_promise() {
    if let Some(seed) = asked("SIMULATION_SEED") {
        let plan = Plan::of(seed);
        let outcome = driver::run(&plan);
        for hook in plan.hooks.iter().enumerate() {
            println!("{hook:?}");
        }
        println!("{:?}\n{}", plan.bounds, outcome.trace.join("\n"));
        assert_eq!(outcome.violation, None, "seed {seed}");
        return;
    }
    let seeds = asked("SIMULATION_SEEDS").unwrap_or(SEEDS);
    if let Some(seed) = first_that_fails(seeds) {
        panic!("{}", told(seed));
    }
}

/// The lowest seed that fails, found by as many threads as there are cores.
fn first_that_fails(seeds: u64) -> Option<u64> {
    let next = AtomicU64::new(0);
    let found = AtomicU64::new(u64::MAX);
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    // What is above one that failed need not be tried.
                    if seed >= seeds || seed > found.load(Ordering::Relaxed) {
                        return;
                    }
                    if driver::run(&Plan::of(seed)).violation.is_some() {
                        found.fetch_min(seed, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    Some(found.into_inner()).filter(|seed| *seed < u64::MAX)
}

fn told(seed: u64) -> String {
    let plan = shrink::shrink(Plan::of(seed));
    let outcome = driver::run(&plan);
    let violation = outcome.violation.unwrap_or_default();
    let found = outcome
        .trace
        .iter()
        .position(|line| line.contains("VIOLATION"));
    let to = found.map_or(outcome.trace.len(), |found| found + 1);
    let from = to.saturating_sub(LINES_SHOWN);
    let operations: Vec<String> = plan.ops.iter().map(|op| format!("    {op:?}")).collect();
    let hooks: Vec<String> = plan
        .hooks
        .iter()
        .map(|hook| format!("    {hook:?}"))
        .collect();
    format!(
        "seed {seed}: {violation}\n\nhooks:\n{}\n{:?}\noperations left of it:\n{}\n\nwhat \
         happened before:\n{}\n\nplay it again, whole:\n    SIMULATION_SEED={seed} cargo test \
         --release --workspace --test simulation\n",
        hooks.join("\n"),
        plan.bounds,
        operations.join("\n"),
        outcome.trace[from..to].join("\n"),
    )
}

/// A failure that cannot be played again is worth little.
#[test]
fn the_same_seed_is_the_same_story() {
    for seed in 0..SEEDS_TWICE {
        let plan = Plan::of(seed);
        let (first, second) = (driver::run(&plan).trace, driver::run(&plan).trace);
        let differs = first.iter().zip(&second).position(|(a, b)| a != b);
        assert!(
            differs.is_none() && first.len() == second.len(),
            "seed {seed} differs at line {differs:?}"
        );
        assert!(first.len() > 100, "seed {seed} is no story");
    }
}
