//! What delivering costs between the ports: a delivery's whole way through the feed, its lane, an
//! attempt and the settler, among 1, 1,000 and 100,000 hooks. All ports answer at once.

#![allow(
    clippy::unwrap_used,
    reason = "what a bench cannot go on without ends it, with the place"
)]

#[path = "ports/instant.rs"]
mod instant;

use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use whisperer_delivery::{Delivery, DeliveryConfig, DeliveryHandle, Ports};
use whisperer_domain::id::HookId;

use instant::InstantPorts;

const HOOKS: [u64; 3] = [1, 1_000, 100_000];
/// Committed together and waited for together.
const TOGETHER: u64 = 256;
/// The server's own runtime has as many, on the machine that the targets are for.
const THREADS: usize = 2;

struct Ground {
    ports: Arc<InstantPorts>,
    runtime: Runtime,
    handle: DeliveryHandle,
    hooks: u64,
    posted: u64,
}

impl Ground {
    fn with(hooks: u64) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .enable_time()
            .build()
            .unwrap();
        let ports = InstantPorts::with(hooks);
        let inside = runtime.enter();
        let handle = Delivery::start(
            DeliveryConfig::new(1),
            Ports {
                ledger: ports.clone(),
                catalog: ports.clone(),
                transform: ports.clone(),
                transport: ports.clone(),
                clock: ports.clone(),
                background: None,
            },
            TaskTracker::new(),
            CancellationToken::new(),
            Duration::from_secs(30),
        );
        drop(inside);
        Self {
            ports,
            runtime,
            handle,
            hooks,
            posted: 0,
        }
    }

    /// As many commits of [`TOGETHER`] deliveries, each to the next hook in turn.
    fn deliver(&mut self, commits: u64) -> Duration {
        let began = Instant::now();
        for _ in 0..commits {
            for _ in 0..TOGETHER {
                self.ports.post(HookId(1 + self.posted % self.hooks));
                self.posted += 1;
            }
            self.runtime.block_on(self.ports.settled(self.posted));
        }
        began.elapsed()
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let drained = self.runtime.block_on(self.handle.drain());
        assert_eq!((drained.aborted, drained.unsettled), (0, 0));
    }
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    let mut group = criterion.benchmark_group("lanes");
    group.throughput(Throughput::Elements(TOGETHER));
    for hooks in HOOKS {
        let mut ground = Ground::with(hooks);
        let id = BenchmarkId::new(format!("{TOGETHER} deliveries among hooks"), hooks);
        group.bench_function(id, |bench| {
            bench.iter_custom(|commits| ground.deliver(commits));
        });
    }
    group.finish();
    criterion.final_summary();
}
