//! W-02, W-07 and W-13: guests that take memory, tables, instances and handles. Each ends at its
//! bound, the process holds no more than the bound for it, and all of it comes back empty.

use whisperer_domain::plugin::PluginFailure;
use whisperer_domain::port::Chained;
use whisperer_sandbox::Limits;

use crate::alone::{Footprint, alone};
use crate::bench::{Bench, chain, event};
use crate::scene::{self, BAD, another, call};
use crate::torture::often;
use crate::wat::{component, wat};

#[tokio::test]
async fn who_takes_too_much_fails_at_the_bound() {
    let _alone = alone().await;
    let memory_mib = Limits::default().memory_bytes_max as u64 >> 20;
    for (name, words, mib_max) in [
        ("grow-memory", "67108864 bytes of memory", 10),
        ("grow-touch", "67108864 bytes of memory", memory_mib + 10),
        ("grow-table", "65536 table elements", 10),
    ] {
        let bench = scene::with(&wat(name)).await;
        scene::good_call(&bench).await;
        let footprint = Footprint::start();
        let (kind, message) = scene::fails(&bench).await;
        assert_eq!(kind, PluginFailure::Memory, "{name}: {message}");
        assert!(message.contains(words), "{name}: {message}");
        let peak = footprint.peak_mib();
        assert!(peak < mib_max, "{name}: {peak} MiB");
    }
}

#[tokio::test]
async fn who_needs_too_much_to_begin_with_is_refused() {
    let _alone = alone().await;
    for (name, words) in [
        ("far-data", "1073741824"),
        ("large-table", "1000000"),
        ("memory64", "memory64"),
        ("shared-memory", "shared"),
    ] {
        let footprint = Footprint::start();
        let reason = scene::refused(&wat(name)).await;
        assert!(reason.contains(words), "{name}: {reason}");
        assert!(
            footprint.peak_mib() < 32,
            "{name}: {} MiB",
            footprint.peak_mib()
        );
    }
}

#[tokio::test]
async fn ten_thousand_instances_are_refused() {
    let _alone = alone().await;
    let many = "(core instance (instantiate $code))".repeat(10_000);
    let guest = format!(
        r#"(core module $code
             (func (export "transform") (param i32) (result i32) (i32.const 16)))
           (core instance $guest (instantiate $code)) {many}"#
    );
    let reason = scene::refused(&component(&guest)).await;
    assert!(reason.contains("instances"), "{reason}");
}

#[tokio::test]
async fn who_hoards_handles_is_stopped() {
    let _alone = alone().await;
    for name in ["handles", "pollables"] {
        let bench = scene::with(&wat(name)).await;
        let footprint = Footprint::start();
        let (kind, message) = scene::fails(&bench).await;
        assert_eq!(kind, PluginFailure::Trap, "{name}: {message}");
        assert!(
            footprint.peak_mib() < 5,
            "{name}: {} MiB",
            footprint.peak_mib()
        );
    }
}

/// Each call leaves 900 handles and a page behind, and nobody ever tidies up.
#[tokio::test]
async fn what_leaks_in_a_call_is_gone_with_it() {
    let calls = often(20_000, 1_000_000);
    let _alone = alone().await;
    let bench = scene::with(&wat("some-handles")).await;
    let leak = async |calls| {
        for _ in 0..calls {
            let run = call(&bench, BAD).await;
            assert!(matches!(run.result, Chained::Unchanged), "{:?}", run.result);
        }
    };
    leak(1_000).await;
    let footprint = Footprint::start();
    leak(calls).await;
    let grown = footprint.grown_mib();
    println!("{grown} MiB more after {calls} calls");
    assert!(grown < 5, "{grown} MiB after {calls} calls");
}

/// Two plugins take turns in the places of one pool. Each looks whether anything but zeros is
/// there, and leaves 16 MiB of something behind.
#[tokio::test]
async fn memory_comes_empty_whoever_had_it_before() {
    let _alone = alone().await;
    let files: [(&str, &[u8]); 2] = [
        ("a.wasm", &another("residue", 1)),
        ("b.wasm", &another("residue", 2)),
    ];
    let bench = Bench::with(&files).await;
    for _ in 0..50 {
        let links = chain(&[("a", "{}"), ("b", "{}")]);
        let run = bench.run(links, event("package.created", "{}")).await;
        assert!(matches!(run.result, Chained::Unchanged), "{:?}", run.result);
        assert_eq!(run.runs.len(), 2);
    }
}
