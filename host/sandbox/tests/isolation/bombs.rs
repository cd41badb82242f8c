//! W-12: small files that would keep the compiler for minutes, or fill the memory. They are
//! refused before they are compiled; what is just under the bounds compiles in bounded memory.

use crate::alone::{Footprint, alone};
use crate::costly::{branches, functions, idle, loops, straight, ways};
use crate::scene;

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
