//! What a million pending deliveries cost, over one hook, a thousand and a hundred thousand: to
//! open the store, to lease every lane, the first look at each of ten; and the memory that the
//! process holds then. And what it takes to put 10,000 deliveries in order, and what a death costs.
//! Run by hand:
//!
//! ```text
//! cargo run --release -p whisperer-store --example bench_pending [deliveries]
//! ```
//!
//! Payloads of 300 bytes, the store's cache as the server has it. The hooks are copies of one row,
//! written past the store: only that they exist matters here.

#![allow(
    clippy::unwrap_used,
    reason = "what a bench cannot go on without ends it, with the place"
)]

#[path = "../benches/ground/store.rs"]
mod ground;

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use futures_util::future::join_all;
use redb::{Database, ReadableTable, TableDefinition};
use whisperer_domain::access::{Right, Rights};
use whisperer_domain::catalog::{CatalogChange, Token};
use whisperer_domain::delivery::DeadCause;
use whisperer_domain::event::NewEvent;
use whisperer_domain::event_type::EventPattern;
use whisperer_domain::hook::{Hook, Ordered};
use whisperer_domain::id::{HookId, Owner};
use whisperer_domain::port::{Budget, Catalog, Lanes, Lease, Ledger, Verdict};
use whisperer_domain::time::Timestamp;
use whisperer_store::RedbStore;

use ground::{hook, put_hook, rss_bytes, settlement};

const LEASED_AT_ONCE: usize = 1000;
const PAYLOAD_BYTES: usize = 300;
const LOOKED_AT: usize = 10;
const MOVED: usize = 10_000;
const SETTLED: usize = 50_000;
const SETTLED_AT_ONCE: usize = 1000;
/// What one event is delivered to at most.
const FAN_OUT: usize = 1000;

#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1);
    let first = args.next();
    if first.as_deref() == Some("look") {
        return look(Path::new(&args.next().unwrap())).await;
    }
    let deliveries = first.map_or(1_000_000, |text| text.parse().expect("a number"));
    for hooks in [1, 1000, 100_000] {
        let folder = tempfile::tempdir().unwrap();
        let began = Instant::now();
        fill(folder.path(), hooks, deliveries).await;
        println!(
            "\n{deliveries} pending over {hooks} hooks, made in {:.0?}",
            began.elapsed()
        );
        // In a process of its own: this one's heap has room left from before.
        let look = Command::new(std::env::current_exe().unwrap())
            .arg("look")
            .arg(folder.path())
            .status();
        assert!(look.unwrap().success());
    }
    turn().await;
    deaths().await;
}

/// Makes the hooks, then events for each of them until all deliveries are there.
async fn fill(folder: &Path, hooks: u64, deliveries: usize) {
    let (store, _) = ground::open(folder);
    put_hook(&store, hook("ann", "a")).await;
    store.close().await.unwrap();
    drop(store);
    copy_hook(folder, hooks);
    let (store, clock) = ground::open(folder);
    let revision = store.snapshot().revision;
    let ids: Vec<HookId> = (1..=hooks).map(HookId).collect();
    let fan_out = FAN_OUT.min(ids.len());
    let groups: Vec<&[HookId]> = ids.chunks(fan_out).collect();
    let events = deliveries / fan_out;
    let at_once = (2000 / fan_out).max(1);
    for from in (0..events).step_by(at_once) {
        let some = (from..events.min(from + at_once)).map(|number| {
            clock.tick();
            let recipients = groups[number % groups.len()].to_vec();
            store.accept(event(number), recipients, revision)
        });
        for accepted in join_all(some).await {
            accepted.unwrap();
        }
    }
    store.close().await.unwrap();
}

fn copy_hook(folder: &Path, hooks: u64) {
    let table = TableDefinition::<u64, &[u8]>::new("hooks");
    let database = Database::open(folder.join("db")).unwrap();
    let txn = database.begin_write().unwrap();
    {
        let mut rows = txn.open_table(table).unwrap();
        let first = rows.get(1).unwrap().unwrap().value().to_vec();
        for id in 2..=hooks {
            rows.insert(id, &*first).unwrap();
        }
    }
    txn.commit().unwrap();
}

async fn look(folder: &Path) {
    let began = Instant::now();
    let (store, _) = ground::open(folder);
    println!(
        "opened in {:.1?}; {} MiB",
        began.elapsed(),
        (rss_bytes() >> 20)
    );
    let began = Instant::now();
    let mut leases = Vec::new();
    loop {
        let after = leases.last().map(|lease: &Lease| lease.hook);
        let some = store.acquire(after, LEASED_AT_ONCE).await.unwrap();
        if some.is_empty() {
            break;
        }
        leases.extend(some.into_iter().map(|acquired| acquired.lease));
    }
    println!(
        "{} lanes leased in {:.1?}; {} MiB",
        leases.len(),
        began.elapsed(),
        (rss_bytes() >> 20)
    );
    let budget = Budget {
        rows: 256,
        bytes: 1 << 20,
    };
    let mut times = Vec::new();
    for lease in leases.iter().step_by(leases.len().div_ceil(LOOKED_AT)) {
        let began = Instant::now();
        let taken = store.take(*lease, Timestamp::MAX, Vec::new(), budget, Ordered::No);
        let rows = taken.await.unwrap().ready.len();
        times.push(format!("{rows} rows {:.2?}", began.elapsed()));
    }
    println!(
        "first takes: {}; {} MiB",
        times.join(", "),
        (rss_bytes() >> 20)
    );
    store.close().await.unwrap();
}

/// Order is turned on and off again, and somebody posts meanwhile.
async fn turn() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = ground::open(folder.path());
    put_hook(&store, hook("ann", "a")).await;
    let revision = store.snapshot().revision;
    for number in 0..MOVED / FAN_OUT {
        let many = vec![HookId(1); FAN_OUT];
        store.accept(event(number), many, revision).await.unwrap();
    }
    println!();
    for ordered in [Ordered::Hook, Ordered::No] {
        let turned = Hook {
            ordered,
            ..Hook::clone(&store.snapshot().hooks[&HookId(1)])
        };
        let began = Instant::now();
        let change = CatalogChange::ReplaceHook(Box::new(turned));
        store.change(change).await.unwrap();
        println!(
            "{MOVED} deliveries put {ordered:?} in {:.1?}",
            began.elapsed()
        );
    }
}

/// What a death costs beside a delivery, while nobody listens and while somebody does.
async fn deaths() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = ground::open(folder.path());
    put_hook(&store, hook("ann", "a")).await;
    println!();
    let kinds = [
        ("delivered", Verdict::Delivered, false),
        (
            "dead, nobody listens",
            Verdict::Dead(DeadCause::Expired),
            false,
        ),
        ("dead and told", Verdict::Dead(DeadCause::Expired), true),
    ];
    for (number, (name, verdict, is_heard)) in kinds.into_iter().enumerate() {
        if is_heard {
            listen(&store).await;
        }
        let revision = store.snapshot().revision;
        let many = vec![HookId(1); SETTLED];
        let first = store.status();
        store.accept(event(number), many, revision).await.unwrap();
        let lease = store.acquire(None, 1).await.unwrap()[0].lease;
        let budget = Budget {
            rows: SETTLED,
            bytes: usize::MAX,
        };
        let taken = store.take(lease, Timestamp::MAX, Vec::new(), budget, Ordered::No);
        let ready = taken.await.unwrap().ready;
        let began = Instant::now();
        for some in ready.chunks(SETTLED_AT_ONCE) {
            let some = some
                .iter()
                .map(|ready| settlement(HookId(1), ready.delivery.sequence, None, verdict.clone()));
            store.settle(some.collect()).await.unwrap();
        }
        println!(
            "{name}: {:.1} us each, {} events told",
            began.elapsed().as_secs_f64() * 1e6 / ready.len() as f64,
            store.status().events_accepted - first.events_accepted - 1
        );
    }
}

async fn listen(store: &RedbStore) {
    let token = Token {
        hash: [1; 32],
        owner: Owner::parse("ann").unwrap(),
        rights: Rights::from_iter([Right::Admin]),
        created_at: Timestamp(0),
    };
    store.change(CatalogChange::PutToken(token)).await.unwrap();
    let listener = Hook {
        subscription: EventPattern::parse("whisperer.*").unwrap(),
        ..hook("ann", "a")
    };
    put_hook(store, listener).await;
}

fn event(number: usize) -> NewEvent {
    ground::event(&format!("event-{number}"), PAYLOAD_BYTES)
}
