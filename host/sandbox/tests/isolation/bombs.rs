//! W-12: small files that would keep the compiler for minutes, or fill the memory. They are
//! refused before they are compiled; what is just under the bounds compiles in bounded memory.

use crate::alone::{Footprint, alone};
use crate::scene;
use crate::wat::component;

fn guest(code: &str) -> Vec<u8> {
    component(&format!(
        r#"(core module $code {code}
             (func (export "transform") (param i32) (result i32) (i32.const 16)))
           (core instance $guest (instantiate $code))"#
    ))
}

/// Each loop carries every variable round.
fn loops(functions: usize, locals: usize, depth: usize) -> Vec<u8> {
    let variables = "i32 ".repeat(locals);
    let sets: String = (1..=locals)
        .map(|n| {
            let one_before = n - 1;
            format!("(local.set {n} (i32.add (local.get {one_before}) (local.get 0)))")
        })
        .collect();
    let (open, close) = (
        "(loop $on ".repeat(depth),
        "(br_if $on (local.get 1)))".repeat(depth),
    );
    let function = format!("(func (param i32) (local {variables}) {open} {sets} {close})");
    guest(&function.repeat(functions))
}

/// Each branch carries many values to the end of the block.
fn branches(values: usize, count: usize) -> Vec<u8> {
    let kind = "i32 ".repeat(values);
    let push = "(local.get 0) ".repeat(values);
    let branch = "(br_if 0 (local.get 0)) ".repeat(count);
    let drops = "drop ".repeat(values);
    guest(&format!(
        "(type $many (func (result {kind})))
         (func (param i32) (block (type $many) {push} {branch}) {drops})"
    ))
}

fn ways(functions: usize, targets: usize) -> Vec<u8> {
    let blocks = 500;
    let names: String = (0..targets).map(|n| format!("{} ", n % blocks)).collect();
    let (open, close) = ("(block ".repeat(blocks), ")".repeat(blocks));
    let variables = "i32 ".repeat(30);
    let function = format!(
        "(func (param i32) (local {variables}) {open} (br_table {names} (local.get 0)) {close})"
    );
    guest(&function.repeat(functions))
}

/// As little text as there can be for so many operators.
fn idle(functions: usize, operators: usize) -> Vec<u8> {
    let function = format!("(func {})", "nop ".repeat(operators));
    guest(&function.repeat(functions))
}

fn straight(steps: usize) -> Vec<u8> {
    let steps = "(i32.xor (local.get 0)) (i32.rotl (i32.const 7)) ".repeat(steps);
    guest(&format!(
        "(func (param i32) (result i32) (local.get 0) {steps})"
    ))
}

fn functions(count: usize) -> Vec<u8> {
    guest(&"(func (param i32) (result i32) (i32.add (local.get 0) (i32.const 7)))".repeat(count))
}

#[tokio::test]
async fn what_would_take_too_long_to_compile_is_refused_at_once() {
    let _alone = alone().await;
    for (name, bytes, words) in [
        ("100k functions", functions(100_000), "more functions"),
        (
            "1 M locals",
            loops(25, 40_000, 60),
            "branches times variables",
        ),
        ("deep loops", loops(1, 1_000, 1_100), "in one function"),
        (
            "many deep loops",
            loops(12, 1_000, 900),
            "branches times variables",
        ),
        (
            "a way of a million",
            ways(1, 1_000_000),
            "branches times variables",
        ),
        (
            "many wide ways",
            ways(12, 60_000),
            "branches times variables",
        ),
        (
            "wide branches",
            branches(1_000, 10_000),
            "results of one function",
        ),
        (
            "a long function",
            idle(1, 400_001),
            "operators in one function",
        ),
        ("much code", idle(21, 399_000), "more operators"),
    ] {
        let footprint = Footprint::start();
        let bench = scene::with(&bytes).await;
        let refusal = bench.status(scene::BAD).refusal;
        let Some(refusal) = refusal else {
            panic!("{name} is compiled");
        };
        let reason = refusal.reason;
        assert!(reason.contains(words), "{name}: {reason}");
        scene::good_call(&bench).await;
        let peak = footprint.peak_mib();
        assert!(peak < 128, "{name}: {peak} MiB");
    }
}

/// The longest function that is let through: what the compiler holds for it is what counts, as
/// it compiles one function after the other.
#[tokio::test]
async fn what_is_compiled_takes_bounded_memory() {
    let _alone = alone().await;
    let bytes = straight(99_000);
    let footprint = Footprint::start();
    let bench = scene::with(&bytes).await;
    let peak = footprint.peak_mib();
    assert!(peak < 1_024, "{peak} MiB");
    assert_eq!(bench.status(scene::BAD).generation, 1);
    scene::good_call(&bench).await;
}
