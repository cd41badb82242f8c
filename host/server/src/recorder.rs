//! Where metrics are gathered, for `/metrics` to write out.

use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use whisperer_sandbox::metrics::{ALL, CALL_MEMORY_BYTES, CALL_SECONDS};

/// From a filter's few microseconds to a plugin's longest time.
const SECONDS: [f64; 15] = [
    0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05,
    0.1, 0.5, 1.0, 10.0,
];
/// A page of WebAssembly is 64 KiB.
const BYTES: [f64; 9] = [
    65_536.0,
    262_144.0,
    1_048_576.0,
    2_097_152.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
    134_217_728.0,
    268_435_456.0,
];
/// Samples are held back until somebody sorts them into buckets.
pub(crate) const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// The one recorder of this process, there from the first call on. Whatever is measured before
/// that is lost.
pub(crate) fn start() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE
        .get_or_init(|| {
            let recorder = builder().build_recorder();
            let handle = recorder.handle();
            // Set already by another server in this process: then that one records.
            let _ = metrics::set_global_recorder(recorder);
            for (name, meaning) in ALL {
                metrics::describe_counter!(name, meaning);
            }
            handle
        })
        .clone()
}

fn builder() -> PrometheusBuilder {
    let buckets = [
        (CALL_SECONDS, &SECONDS[..]),
        (CALL_MEMORY_BYTES, &BYTES[..]),
    ];
    buckets
        .into_iter()
        .fold(PrometheusBuilder::new(), |builder, (name, bounds)| {
            builder
                .set_buckets_for_metric(Matcher::Full(name.to_owned()), bounds)
                // Only an empty list is refused.
                .expect("the buckets are not empty")
        })
}
