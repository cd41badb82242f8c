//! What accepting events of 1 KiB and settling their deliveries costs, with 1 to 256 calls waiting
//! together: by the ports, disk and all, and the work inside of a transaction alone. In `TMPDIR`;
//! where that is `/dev/shm`, a sync is free.

#![allow(
    clippy::unwrap_used,
    reason = "what a bench cannot go on without ends it, with the place"
)]

#[path = "ground/store.rs"]
mod ground;

use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput};
use futures_util::future::join_all;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use whisperer_domain::id::{HookId, Sequence};
use whisperer_domain::port::{Catalog, Lanes, Ledger, Settlement, Verdict};
use whisperer_store::RedbStore;
use whisperer_store::measured::batch_work;

use ground::{attempt, event, hook, put_hook, settlement};

const AT_ONCE: [usize; 4] = [1, 8, 64, 256];
const PAYLOAD_BYTES: usize = 1 << 10;
/// As the settler gathers them.
const SETTLED_AT_ONCE: usize = 256;

struct Ground {
    runtime: Runtime,
    store: Arc<RedbStore>,
    hook: HookId,
    /// Events so far, each with one delivery.
    made: u64,
    _folder: TempDir,
}

/// Which of the two is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Accept,
    Settle,
}

impl Ground {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = ground::open(folder.path());
        let runtime = Runtime::new().unwrap();
        let hook = runtime.block_on(put_hook(&store, hook("ann", "a")));
        Self {
            runtime,
            store,
            hook,
            made: 0,
            _folder: folder,
        }
    }

    /// So many events accepted, and then settled; answers what the part took.
    fn round(&mut self, at_once: usize, part: Part) -> Duration {
        let first = self.made;
        self.made += at_once as u64;
        let revision = self.store.snapshot().revision;
        let events: Vec<_> = (first..self.made).map(posted).collect();
        let settlements = self.settlements(first);
        let began = Instant::now();
        self.runtime.block_on(async {
            let posts = events.into_iter();
            let posts = posts.map(|event| self.store.accept(event, vec![self.hook], revision));
            assert!(join_all(posts).await.iter().all(Result::is_ok));
        });
        let accepted = began.elapsed();
        let began = Instant::now();
        self.runtime.block_on(async {
            let calls = settlements.into_iter();
            let calls = calls.map(|some| self.store.settle(some));
            assert!(join_all(calls).await.iter().all(Result::is_ok));
        });
        match part {
            Part::Accept => accepted,
            Part::Settle => began.elapsed(),
        }
    }

    /// Of the events from this one on.
    fn settlements(&self, first: u64) -> Vec<Arc<[Settlement]>> {
        let each = (first..self.made).map(|number| {
            let sequence = Sequence(number + 1);
            let attempt = Some(attempt(sequence, 200));
            settlement(self.hook, sequence, attempt, Verdict::Delivered)
        });
        let all: Vec<_> = each.collect();
        all.chunks(SETTLED_AT_ONCE).map(Arc::from).collect()
    }

    /// The same inside of one transaction.
    fn work(&mut self, at_once: usize) -> Duration {
        let first = self.made;
        self.made += at_once as u64;
        let events = (first..self.made).map(posted).collect();
        let settlements = self.settlements(first);
        self.made = first;
        batch_work(&self.store, events, &[self.hook], &settlements)
    }
}

fn posted(number: u64) -> whisperer_domain::event::NewEvent {
    let id = uuid::Uuid::from_u128(number.into()).to_string();
    event(&id, PAYLOAD_BYTES)
}

fn rounds(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    mut round: impl FnMut(usize) -> Duration,
) {
    for at_once in AT_ONCE {
        group.throughput(Throughput::Elements(at_once as u64));
        group.bench_function(BenchmarkId::new(name, at_once), |bench| {
            bench.iter_custom(|rounds| (0..rounds).map(|_| round(at_once)).sum());
        });
    }
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    let mut group = criterion.benchmark_group("commits");
    let mut ground = Ground::new();
    rounds(&mut group, "work of accept and settle", |at_once| {
        ground.work(at_once)
    });
    rounds(&mut group, "accept", |at_once| {
        ground.round(at_once, Part::Accept)
    });
    rounds(&mut group, "settle", |at_once| {
        ground.round(at_once, Part::Settle)
    });
    group.finish();
    criterion.final_summary();
}
