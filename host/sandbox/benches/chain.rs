//! What a chain of plugins costs a delivery with a payload of 1 KiB and of 16 KiB: none, one that does
//! nothing, one that redacts two fields. Each call is in a fresh instance, one after another.
//! `make bench-plugins` has more of it, and other languages.

#[path = "../examples/bench_plugins/bench.rs"]
#[allow(dead_code, reason = "bench_plugins uses more of it")]
mod bench;
#[path = "../../../tests/support/guests.rs"]
#[allow(dead_code, reason = "tests use more of it")]
mod guests;

use std::error::Error;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion};
use whisperer_domain::port::{Chained, Transform};

use bench::{Bench, chain, event, job};
use guests::guest_file;

const REDACT: &str = r#"{"paths": ["customer.email", "customer.phone"]}"#;

fn main() -> Result<(), Box<dyn Error>> {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    let files = ["unchanged", "redact"].map(|name| (name, guest_file(name)));
    let files = files.each_ref().map(|(name, file)| (*name, file.as_path()));
    let bench = Bench::with(&files, None)?;
    let chains = [
        ("none", chain(&[])?, false),
        ("unchanged", chain(&[("unchanged", "{}")])?, false),
        ("redact", chain(&[("redact", REDACT)])?, true),
    ];
    let mut group = criterion.benchmark_group("chain");
    for (name, choice, makes) in &chains {
        for bytes in [1 << 10, 16 << 10] {
            let event = event(bytes)?;
            let id = BenchmarkId::new(*name, format!("{bytes} B"));
            group.bench_function(id, |bencher| {
                bencher.iter(|| {
                    let run = bench.sandbox.run(job(choice, &event));
                    let result = bench.runtime.block_on(run).result;
                    let made = matches!(result, Chained::Made(_));
                    assert!(
                        made == *makes || matches!(result, Chained::Unchanged),
                        "{result:?}"
                    );
                });
            });
        }
    }
    group.finish();
    criterion.final_summary();
    Ok(())
}
