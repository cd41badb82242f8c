//! W-12
use crate::alone::{Footprint, alone};
use crate::bench::Bench;
use crate::wat::component;
use std::time::Instant;

fn guest(code: &str) -> Vec<u8> {
    component(&format!(
        r#"(core module $code {code}
             (func (export "transform") (param i32) (result i32) (i32.const 16)))
           (core instance $guest (instantiate $code))"#
    ))
}
pub(crate) fn functions(n: usize) -> Vec<u8> {
    guest(&"(func (param i32) (result i32) (i32.add (local.get 0) (i32.const 7)))".repeat(n))
}
pub(crate) fn locals(functions: usize, locals: usize, blocks: usize) -> Vec<u8> {
    let l = "i32 ".repeat(locals);
    let sets: String = (0..locals)
        .map(|i| {
            format!(
                "(local.set {} (i32.add (local.get {}) (local.get 0)))",
                i + 1,
                i
            )
        })
        .collect();
    let f = format!(
        "(func (param i32) (local {l}) {} {sets} {})",
        "(loop $l ".repeat(blocks),
        "(br_if $l (local.get 1)))".repeat(blocks)
    );
    guest(&f.repeat(functions))
}
pub(crate) fn table(functions: usize, targets: usize, blocks: usize) -> Vec<u8> {
    let names: String = (0..targets).map(|i| format!("{} ", i % blocks)).collect();
    let f = format!(
        "(func (param i32) {} (br_table {names} (local.get 0)) {})",
        "(block ".repeat(blocks),
        ")".repeat(blocks)
    );
    guest(&f.repeat(functions))
}
#[tokio::test]
async fn measure() {
    let _alone = alone().await;
    let only = std::env::var("BOMB").unwrap_or_default();
    for (name, make) in [
        (
            "functions 100k",
            Box::new(|| functions(100_000)) as Box<dyn Fn() -> Vec<u8>>,
        ),
        ("locals 20x50k straight", Box::new(|| locals(20, 49_000, 0))),
        ("locals 1x49k, 10 loops", Box::new(|| locals(1, 49_000, 10))),
        (
            "locals 1x10k, 100 loops",
            Box::new(|| locals(1, 10_000, 100)),
        ),
        (
            "locals 1x2k, 1000 loops",
            Box::new(|| locals(1, 2_000, 1_000)),
        ),
        ("table 1x1M,1", Box::new(|| table(1, 1_000_000, 1))),
        ("table 1x1M,10k", Box::new(|| table(1, 1_000_000, 10_000))),
        (
            "table 1000x10k,1000",
            Box::new(|| table(1000, 10_000, 1000)),
        ),
    ] {
        if !name.contains(&only) {
            continue;
        }
        let bytes = make();
        let bench = Bench::with(&[]).await;
        let footprint = Footprint::start();
        let start = Instant::now();
        bench.drop_in("bomb.wasm", &bytes);
        let t = tokio::time::timeout(
            std::time::Duration::from_secs(55),
            bench.until("x", |all| !all.is_empty()),
        )
        .await;
        eprintln!(
            "{name}: {} KiB, {:?}, {} MiB peak, {:?}",
            bytes.len() >> 10,
            start.elapsed(),
            footprint.peak_mib(),
            bench
                .sandbox
                .plugins()
                .iter()
                .map(|p| (p.generation, p.refusal.as_ref().map(|r| r.reason.clone())))
                .collect::<Vec<_>>()
        );
        if t.is_err() {
            eprintln!("too long");
            return;
        }
    }
}
