//! What care of the data costs whoever posts meanwhile: the time to an answer under steady posting,
//! alone, while 100,000 old events are given up, while a copy is made, while all is checked. Run by
//! hand:
//!
//! ```text
//! cargo run --release -p whisperer-store --example bench_upkeep [old events] [posts a second]
//! ```
//!
//! Each event has one delivery, delivered by one attempt, and a payload of 1,000 bytes. Posting is
//! open-loop: a post that is late counts from when it was due.

#![allow(
    clippy::unwrap_used,
    reason = "what a bench cannot go on without ends it, with the place"
)]

#[path = "../benches/ground/store.rs"]
mod ground;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::task::JoinSet;
use whisperer_domain::id::{HookId, Sequence};
use whisperer_domain::port::{Catalog, Lanes, Ledger, Onward, Retention, Upkeep, Verdict};
use whisperer_store::{RedbStore, StoreConfig};

use ground::{attempt, event, hook, put_hook, settlement};

const PAYLOAD_BYTES: usize = 1000;
const AT_ONCE: u64 = 500;
const CALM: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default| arguments.next().map_or(default, |it| it.parse().unwrap());
    let (old, rate) = (number(100_000), number(1000));
    // Here, not in a temporary folder that may be memory.
    let folder = tempfile::tempdir_in(".").unwrap();
    let (store, clock) = ground::open(folder.path());
    let hook = put_hook(&store, hook("ann", "a")).await;
    let began = Instant::now();
    for first in (0..old).step_by(AT_ONCE as usize) {
        fill(&store, hook, first, AT_ONCE.min(old - first)).await;
    }
    println!("{old} events in {:.1?}, {}", began.elapsed(), size(&store));

    let until = Instant::now() + CALM;
    posting("alone", &store, hook, rate, || Instant::now() >= until).await;
    beside_a_copy(&store, hook, rate, folder.path()).await;
    beside_a_check(&store, hook, rate).await;

    store.close().await.unwrap();
    drop(store);
    clock.advance(Duration::from_secs(12 * 3600));
    let config = StoreConfig {
        retention: Retention {
            age: Some(Duration::from_secs(3600)),
            bytes: None,
        },
        ..ground::config(folder.path())
    };
    let store = RedbStore::open(config, clock.clone()).unwrap();
    let began = Instant::now();
    let is_over = || store.stock().events_swept >= old;
    posting("retention", &store, hook, rate, is_over).await;
    let seconds = began.elapsed().as_secs_f64();
    let swept = store.stock().events_swept;
    println!("gave up {swept} events in {seconds:.1} s, {}", size(&store));
    let compacted = store.compact().await.unwrap();
    println!("compacted: {compacted:?}");
}

async fn beside_a_copy(store: &Arc<RedbStore>, hook: HookId, rate: u64, folder: &Path) {
    let is_over = AtomicBool::new(false);
    let copy = async {
        let began = Instant::now();
        let to = folder.join("copy");
        let copied = store.backup(to, go_on()).await.unwrap();
        is_over.store(true, Ordering::Relaxed);
        println!("copied {copied:?} in {:.1?}", began.elapsed());
    };
    let posting = posting("a copy", store, hook, rate, || {
        is_over.load(Ordering::Relaxed)
    });
    tokio::join!(copy, posting);
    println!("{}", size(store));
}

async fn beside_a_check(store: &Arc<RedbStore>, hook: HookId, rate: u64) {
    let is_over = AtomicBool::new(false);
    let check = async {
        let began = Instant::now();
        let checked = store.check(9, go_on()).await.unwrap();
        is_over.store(true, Ordering::Relaxed);
        println!("checked {checked:?} in {:.1?}", began.elapsed());
    };
    let posting = posting("a check", store, hook, rate, || {
        is_over.load(Ordering::Relaxed)
    });
    tokio::join!(check, posting);
}

fn go_on() -> Onward {
    Arc::new(|_| true)
}

fn size(store: &RedbStore) -> String {
    let stock = store.stock();
    let mebibytes = |bytes: u64| bytes >> 20;
    format!(
        "{} MiB live, file of {} MiB",
        mebibytes(stock.live_bytes),
        mebibytes(stock.file_bytes.unwrap_or_default())
    )
}

/// Posts at a rate until told to end, and says how long the answers took.
async fn posting(
    beside: &str,
    store: &Arc<RedbStore>,
    hook: HookId,
    rate: u64,
    is_over: impl Fn() -> bool,
) {
    let revision = store.snapshot().revision;
    let began = Instant::now();
    let mut posts = JoinSet::new();
    let mut took = Vec::new();
    let mut ticks = tokio::time::interval(Duration::from_millis(1));
    let mut number = 0;
    while !is_over() {
        ticks.tick().await;
        let due = began.elapsed().as_micros() as u64 * rate / 1_000_000;
        while number < due {
            let was_due = began + Duration::from_micros(number * 1_000_000 / rate);
            let event = event(&format!("{beside} {number}"), PAYLOAD_BYTES);
            let store = Arc::clone(store);
            posts.spawn(async move {
                store.accept(event, vec![hook], revision).await.unwrap();
                was_due.elapsed()
            });
            number += 1;
        }
        while let Some(done) = posts.try_join_next() {
            took.push(done.unwrap());
        }
    }
    took.extend(posts.join_all().await);
    took.sort_unstable();
    let at = |percent: usize| took[(took.len() - 1) * percent / 100];
    println!(
        "beside {beside}: {} posts, p50 {:.1?}, p99 {:.1?}, most {:.1?}",
        took.len(),
        at(50),
        at(99),
        at(100)
    );
}

async fn fill(store: &RedbStore, hook: HookId, first: u64, count: u64) {
    let revision = store.snapshot().revision;
    let posts = (first..first + count).map(|number| {
        let event = event(&format!("old {number}"), PAYLOAD_BYTES);
        store.accept(event, vec![hook], revision)
    });
    assert!(join_all(posts).await.iter().all(Result::is_ok));
    let settlements = (first..first + count).map(|number| {
        let sequence = Sequence(number + 1);
        let attempt = Some(attempt(sequence, 200));
        settlement(hook, sequence, attempt, Verdict::Delivered)
    });
    store.settle(settlements.collect()).await.unwrap();
}
