//! W-03 and W-04: calls that trap, and answers that lie. Each is named, and costs the host no
//! more memory than an answer may have.

use whisperer_domain::plugin::PluginFailure;

use crate::alone::{Footprint, alone};
use crate::bench::Bench;
use crate::scene;
use crate::wat::wat;

#[tokio::test]
async fn every_trap_is_a_trap_and_says_which() {
    let _alone = alone().await;
    for (name, words) in [
        ("divide", "divide by zero"),
        ("overflow", "overflow"),
        ("out-of-bounds", "out of bounds"),
        ("wrong-type", "type mismatch"),
        ("null-call", "uninitialized element"),
    ] {
        let bench = scene::with(&wat(name)).await;
        let (kind, message) = scene::fails(&bench).await;
        assert_eq!(kind, PluginFailure::Trap, "{name}: {message}");
        assert!(message.contains(words), "{name}: {message}");
    }
}

/// Among them a string of 1 GiB and a list of a thousand million. No guest can own as much: its
/// limit is 64 MiB, and 256 MiB at most. So their lie is found by comparing the end of what they
/// claim with the end of their memory, before anything of it is read, counted or made room for.
/// What is really theirs is below.
#[tokio::test]
async fn an_answer_that_lies_is_found_out() {
    let _alone = alone().await;
    for (name, words) in [
        ("bad-result", "out of bounds"),
        ("misaligned", "aligned"),
        ("bad-case", "discriminant"),
        ("bad-pointer", "out of bounds"),
        ("long-string", "out of bounds"),
        ("long-list", "out of bounds"),
        ("not-utf8", "utf-8"),
        ("lone-surrogate", "surrogate"),
        ("bad-realloc", "beyond end of memory"),
    ] {
        let bench = scene::with(&wat(name)).await;
        scene::good_call(&bench).await;
        let footprint = Footprint::start();
        let (kind, message) = scene::fails(&bench).await;
        assert_eq!(kind, PluginFailure::Trap, "{name}: {message}");
        assert!(message.contains(words), "{name}: {message}");
        assert!(
            footprint.peak_mib() < 8,
            "{name}: {} MiB",
            footprint.peak_mib()
        );
    }
}

/// What is small in the guest and large in the host: the bound is on what the host would hold.
#[tokio::test]
async fn an_answer_that_swells_in_the_host_is_too_large() {
    let _alone = alone().await;
    for name in ["same-list", "same-string"] {
        let bench = scene::with(&wat(name)).await;
        scene::good_call(&bench).await;
        let footprint = Footprint::start();
        let (kind, message) = scene::fails(&bench).await;
        assert_eq!(kind, PluginFailure::OutputTooLarge, "{name}: {message}");
        assert!(
            footprint.peak_mib() < 8,
            "{name}: {} MiB",
            footprint.peak_mib()
        );
    }
}

/// The largest that a guest can own at all, with the memory that its operator may grant at most:
/// it is weighed before it is copied. With the memory that it has by default, it ends earlier.
#[tokio::test]
async fn an_answer_that_is_really_that_large_is_too_large() {
    let _alone = alone().await;
    let granted = b"[limits]\nmemory_mib = 256".as_slice();
    for name in ["own-string", "own-list"] {
        for (settings, expected) in [
            (granted, PluginFailure::OutputTooLarge),
            (b"".as_slice(), PluginFailure::Memory),
        ] {
            let bench = Bench::with(&[
                ("bad.wasm", &wat(name)),
                ("bad.toml", settings),
                ("good.wasm", &wat(scene::GOOD)),
            ])
            .await;
            scene::good_call(&bench).await;
            let footprint = Footprint::start();
            let (kind, message) = scene::fails(&bench).await;
            assert_eq!(kind, expected, "{name}: {message}");
            let peak = footprint.peak_mib();
            assert!(peak < 8, "{name}: {peak} MiB");
        }
    }
}

/// A signature of types in types in types, far deeper than any compiler writes.
#[tokio::test]
async fn a_type_that_nests_deep_is_refused() {
    let _alone = alone().await;
    let mut types = "(type $t0 (option u8))".to_owned();
    for depth in 1..=2_000 {
        types += &format!("(type $t{depth} (option $t{}))", depth - 1);
    }
    let guest = format!(
        r#"{types}
           (core module $code (func (export "transform") (param i32) (result i32) (i32.const 16)))
           (core instance $guest (instantiate $code))
           (func $transform (param "deep" $t2000) (canon lift (core func $guest "transform")
             (memory (core memory $heap "memory")) (realloc (core func $heap "realloc"))))"#
    );
    let reason = scene::refused(&crate::wat::component(&guest)).await;
    assert!(reason.contains("too deep"), "{reason}");
}
