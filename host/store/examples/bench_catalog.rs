//! What one change of the catalog costs among many hooks, what the hooks cost in memory, and how
//! long they take to load: one row for each store and number of hooks. Run by hand:
//!
//! ```text
//! TMPDIR=/dev/shm cargo run --release -p whisperer-store --example bench_catalog [memory|redb] HOOKS…
//! ```
//!
//! In `/dev/shm` a commit costs no disk, so that the writer's own work is seen. Times are the
//! middle and the best of [`RUNS`] calls, each waited for alone, but for `filled`, where
//! [`AT_ONCE`] creates wait together. "One" is an event for one hook among all, "each" one that
//! all but that one get. One hook in ten has a filter; the owners are as many as hooks, up to 100.
//! One process measures one store, or the memory of one would be taken for the other's.

#![allow(
    clippy::unwrap_used,
    reason = "what a bench cannot go on without ends it, with the place"
)]

#[path = "../benches/ground/store.rs"]
mod ground;

use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use whisperer_domain::catalog::CatalogChange;
use whisperer_domain::delivery::CancelCause;
use whisperer_domain::event_type::{EventPattern, EventType};
use whisperer_domain::filter::Filter;
use whisperer_domain::hook::{Hook, HookStatus};
use whisperer_domain::id::{HookId, Owner};
use whisperer_domain::port::{Catalog, DeliveryQuery, HookEffect, Lanes, Ledger, Scope, Verdict};
use whisperer_domain::secret::Secret;
use whisperer_domain::sign::SignatureForm;
use whisperer_domain::target_url::TargetUrl;
use whisperer_store::{MemoryStore, RedbStore, StoreConfig};

use ground::{BenchClock, START, attempt, event, rss_bytes, settlement};

const RUNS: u64 = 100;
const AT_ONCE: u64 = 1000;
/// Filling that takes longer is given up: the row says how far it came.
const FILL_MAX: Duration = Duration::from_secs(120);

trait Store: Ledger + Lanes + Catalog {}
impl<T: Ledger + Lanes + Catalog> Store for T {}

#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1);
    let kind = args.next().expect("memory or redb");
    if kind == "open" {
        return opened(Path::new(&args.next().expect("a folder"))).await;
    }
    let sizes: Vec<u64> = args.map(|text| text.parse().expect("a number")).collect();
    println!("{kind}; a call's middle (best), us");
    for (number, size) in sizes.into_iter().enumerate() {
        if number > 0 {
            println!();
        }
        match &*kind {
            "memory" => {
                let before = rss_bytes();
                let store = MemoryStore::new(BenchClock::new());
                measure(&*store, size, before).await;
            }
            "redb" => redb(size).await,
            other => panic!("\"{other}\" is neither memory nor redb"),
        }
    }
}

async fn redb(size: u64) {
    let folder = tempfile::tempdir().unwrap();
    let before = rss_bytes();
    let store = open(folder.path());
    measure(&*store, size, before).await;
    store.close().await.unwrap();
    drop(store);
    // A process of its own: in this one the heap has room left from before.
    let status = Command::new(std::env::current_exe().unwrap())
        .arg("open")
        .arg(folder.path())
        .status();
    assert!(status.unwrap().success());
}

async fn opened(folder: &Path) {
    let before = rss_bytes();
    let began = Instant::now();
    let store = open(folder);
    let took = began.elapsed();
    let hooks = store.snapshot().hooks.len() as u64;
    println!(
        "opened again: {took:.1?}, {:.2} us a hook; {} bytes of memory a hook, {} of them a `Hook`",
        took.as_secs_f64() * 1e6 / hooks as f64,
        rss_bytes().saturating_sub(before) / hooks,
        size_of::<Hook>(),
    );
    store.close().await.unwrap();
}

fn open(folder: &Path) -> Arc<RedbStore> {
    let config = StoreConfig {
        // Its pages would be taken for the hooks' memory.
        cache_bytes: 1 << 20,
        ..ground::config(folder)
    };
    RedbStore::open(config, BenchClock::new()).unwrap()
}

async fn measure(store: &dyn Store, size: u64, rss_before: u64) {
    let began = Instant::now();
    let mut made = 0;
    while made < size && began.elapsed() < FILL_MAX {
        let some = made..size.min(made + AT_ONCE);
        made = some.end;
        for created in join_all(some.map(|number| create(store, number))).await {
            created.unwrap();
        }
    }
    let took = began.elapsed();
    let grown = rss_bytes().saturating_sub(rss_before);
    println!(
        "{made} hooks of {size}: filled in {took:.1?}, {:.1} us each; {} bytes of memory each",
        took.as_secs_f64() * 1e6 / made as f64,
        grown / made
    );
    let chosen = |run: u64| HookId(1 + run * made / RUNS);

    row("create", async |run| {
        drop(create(store, size + run).await.unwrap())
    })
    .await;
    row("pause", async |run| {
        let mut hook = Hook::clone(&store.snapshot().hooks[&chosen(run)]);
        hook.status = HookStatus::Paused { since: START };
        let change = CatalogChange::ReplaceHook(Box::new(hook));
        store.change(change).await.unwrap();
    })
    .await;
    row("switch off", async |run| {
        let mut hook = Hook::clone(&store.snapshot().hooks[&chosen(run)]);
        hook.status = HookStatus::Inactive;
        let change = CatalogChange::ReplaceHook(Box::new(hook));
        store.change(change).await.unwrap();
    })
    .await;
    gone(store, size).await;
    row("delete", async |run| {
        let change = CatalogChange::DeleteHook(chosen(run));
        store.change(change).await.unwrap();
    })
    .await;
    recipients(store).await;
}

/// The receivers of some hooks say 410. The hooks are those that `create` made last.
async fn gone(store: &dyn Store, size: u64) {
    let first = store.snapshot().hooks.iter().next_back().unwrap().0.0 - RUNS;
    let mut due = Vec::new();
    for run in 0..RUNS {
        let hook = HookId(first + 1 + run);
        let revision = store.snapshot().revision;
        let event = event(&format!("event-{}", size * 1000 + run), 0);
        store.accept(event, vec![hook], revision).await.unwrap();
        let query = DeliveryQuery {
            hook: Some(hook),
            ..DeliveryQuery::all(Scope::All, 1)
        };
        let page = store.page(query).await.unwrap();
        due.push(page.items[0].delivery.clone());
    }
    row("410", async |run| {
        let delivery = &due[usize::try_from(run).unwrap()];
        let sequence = delivery.sequence;
        let verdict = Verdict::Cancelled(CancelCause::Gone);
        let attempt = Some(attempt(sequence, 410));
        let mut item = settlement(delivery.hook, sequence, attempt, verdict);
        item.effect = Some(HookEffect::Gone {
            reason: "410".to_owned(),
        });
        store.settle([item].into()).await.unwrap();
    })
    .await;
}

async fn recipients(store: &dyn Store) {
    let mut hook = hook(u64::MAX);
    hook.subscription = EventPattern::parse("package.created").unwrap();
    let change = CatalogChange::CreateHook(Box::new(hook));
    store.change(change).await.unwrap();
    let snapshot = store.snapshot();
    for (name, event_type, times) in [("one", "package.created", 1000), ("each", "transfer.x", 1)] {
        let event_type = EventType::parse(event_type).unwrap();
        let payload = br#"{"id": 1, "country": "DE"}"#;
        let mut found = 0;
        row(&format!("recipients, {name}, {times} times"), async |_| {
            for _ in 0..times {
                found = black_box(snapshot.recipients(&event_type, Some(payload), None)).len();
            }
        })
        .await;
        println!("  ({found} of them)");
    }
}

async fn row(name: &str, mut work: impl AsyncFnMut(u64)) {
    let mut times = Vec::new();
    for run in 0..RUNS {
        let began = Instant::now();
        work(run).await;
        times.push(began.elapsed().as_secs_f64() * 1e6);
    }
    times.sort_by(f64::total_cmp);
    println!(
        "  {name:<28}{:>10.1} ({:.1})",
        times[times.len() / 2],
        times[0]
    );
}

async fn create(
    store: &dyn Store,
    number: u64,
) -> Result<whisperer_domain::catalog::Changed, whisperer_domain::port::CatalogError> {
    let change = CatalogChange::CreateHook(Box::new(hook(number)));
    store.change(change).await
}

fn hook(number: u64) -> Hook {
    let filter = r#"{"path": "country", "eq": "DE"}"#;
    Hook {
        filter: number
            .is_multiple_of(10)
            .then(|| Arc::new(Filter::parse(filter).unwrap())),
        max_age: Duration::from_secs(3600),
        secret_key: Some(Secret::new("0123456789abcdef0123456789abcdef".to_owned())),
        signatures: vec![SignatureForm::Whisperer],
        ..Hook::new(
            Owner::parse(&format!("owner-{}", number % 100)).unwrap(),
            TargetUrl::parse(&format!("https://h{number}.example/hooks/whisperer")).unwrap(),
            EventPattern::parse("transfer.*").unwrap(),
        )
    }
}
