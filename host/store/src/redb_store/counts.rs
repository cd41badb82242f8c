//! What the store does for a delivery, counted: rows and bytes that it keeps, syncs and bytes that
//! it has written, in commits of 1 to 256. Nothing in it depends on the machine: how much rides in
//! a commit is up to the test, which holds the writer until so much waits.

#[path = "../../../../tests/support/bars.rs"]
mod bars;

use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use futures_util::future::join_all;
use redb::{ReadTransaction, ReadableTableMetadata};
use uuid::Uuid;
use whisperer_domain::attempt::{Attempt, Response, Timing};
use whisperer_domain::catalog::CatalogChange;
use whisperer_domain::event::NewEvent;
use whisperer_domain::event_type::EventPattern;
use whisperer_domain::id::{AttemptId, EventId, HookId, Sequence};
use whisperer_domain::outcome::Outcome;
use whisperer_domain::port::{
    BoxFuture, Catalog, Clock, Lanes, Ledger, Settled, Settlement, Verdict,
};
use whisperer_domain::time::Timestamp;

use self::bars::Held;
use super::RedbStore;
use super::batch::lease;
use super::command::{Command, Queued};
use super::faults::Disk;
use super::faults::stage::{event, hook, open};
use crate::config::StoreConfig;

const DELIVERIES: usize = 1024;
const COMMITS_OF: [usize; 4] = [1, 8, 64, 256];
/// As the settler gathers them.
const SETTLED_AT_ONCE: usize = 64;
const NOW: Timestamp = Timestamp(1_764_000_000_000);
/// For what takes microseconds.
const PATIENCE: Duration = Duration::from_secs(60);
const HOOK: HookId = HookId(1);

/// A clock that stands, and at which the writer can be held: it looks at it before each commit.
#[derive(Default)]
struct Gate {
    hold: Mutex<Hold>,
    changed: Condvar,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Hold {
    #[default]
    Off,
    Wanted,
    Holds,
}

impl Gate {
    fn set(&self, hold: Hold) {
        *self.hold.lock().unwrap() = hold;
        self.changed.notify_all();
    }

    fn wait<'a>(&self, at: MutexGuard<'a, Hold>, hold: Hold) -> MutexGuard<'a, Hold> {
        let waited = self
            .changed
            .wait_timeout_while(at, PATIENCE, |at| *at != hold);
        let (at, wait) = waited.unwrap();
        assert!(!wait.timed_out(), "the writer and the test miss each other");
        at
    }

    /// Until it is set off, the writer takes nothing more out of its queue. It is sent there by a
    /// hint that means nothing to it.
    fn hold(&self, store: &RedbStore) {
        self.set(Hold::Wanted);
        let hint = Command::Suspect { opening: u64::MAX };
        let inbox = store.inbox.as_ref().unwrap();
        inbox.send(Queued::order(hint, &store.shared)).unwrap();
        drop(self.wait(self.hold.lock().unwrap(), Hold::Holds));
    }
}

impl Clock for Gate {
    fn now(&self) -> Timestamp {
        let mut hold = self.hold.lock().unwrap();
        if *hold == Hold::Wanted {
            *hold = Hold::Holds;
            self.changed.notify_all();
            drop(self.wait(hold, Hold::Off));
        }
        NOW
    }

    fn sleep(&self, _wait: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

struct Stage {
    disk: Arc<Disk>,
    gate: Arc<Gate>,
    store: Arc<RedbStore>,
}

/// What the tables hold.
#[derive(Clone, Copy)]
struct Kept {
    rows: u64,
    bytes: u64,
}

impl Stage {
    async fn new() -> Self {
        let disk = Disk::blank();
        let gate = Arc::<Gate>::default();
        let config = StoreConfig::new("/nowhere/db", "/nowhere/key");
        let store = open(&disk, &config, Arc::clone(&gate) as Arc<dyn Clock>).unwrap();
        let hook = hook("https://a.example/", EventPattern::All);
        let change = CatalogChange::CreateHook(Box::new(hook));
        store.change(change).await.unwrap();
        Self { disk, gate, store }
    }

    /// All of this in one commit. `calls` of the store are waiting when it begins.
    async fn together<T>(&self, calls: usize, writes: impl Future<Output = T>) -> T {
        self.gate.hold(&self.store);
        let commits = self.store.status().commits;
        let release = async {
            while self.store.status().queued < calls {
                tokio::task::yield_now().await;
            }
            self.gate.set(Hold::Off);
        };
        let (written, ()) = tokio::join!(writes, release);
        assert_eq!(self.store.status().commits, commits + 1);
        written
    }

    /// So many events are accepted, and then all of their deliveries settled.
    async fn deliver(&self, first: usize, many: usize) {
        let revision = self.store.snapshot().revision;
        let posts = (first..first + many).map(|number| {
            let event = posted(number);
            self.store.accept(event, vec![HOOK], revision)
        });
        let accepted = self.together(many, join_all(posts)).await;
        assert!(
            accepted
                .iter()
                .all(|it| it.as_ref().unwrap().deliveries == 1)
        );
        let settlements: Vec<_> = (first..first + many).map(settlement).collect();
        let calls = settlements.chunks(SETTLED_AT_ONCE);
        let (count, calls) = (
            calls.len(),
            calls.map(|some| self.store.settle(some.into())),
        );
        let settled = self.together(count, join_all(calls)).await;
        let mut settled = settled.into_iter().flat_map(Result::unwrap);
        assert!(settled.all(|it| it == Settled::Applied { due: None }));
    }

    fn kept(&self) -> Kept {
        let txn = self.store.shared.begin_read().unwrap();
        let tables = txn.list_tables().unwrap();
        let kept = tables.map(|table| kept_in(&txn, table));
        kept.fold(Kept { rows: 0, bytes: 0 }, |sum, it| Kept {
            rows: sum.rows + it.rows,
            bytes: sum.bytes + it.bytes,
        })
    }
}

fn kept_in(txn: &ReadTransaction, table: redb::UntypedTableHandle) -> Kept {
    let table = txn.open_untyped_table(table).unwrap();
    Kept {
        rows: table.len().unwrap(),
        bytes: table.stats().unwrap().stored_bytes(),
    }
}

fn posted(number: usize) -> NewEvent {
    let id = Uuid::from_u128(number as u128).to_string();
    NewEvent {
        id: EventId::parse(&id).unwrap(),
        payload: vec![b'1'; 1024].into(),
        ..event("any")
    }
}

/// Of the delivery that was made as the so manieth.
fn settlement(number: usize) -> Settlement {
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let attempt = Attempt {
        id: AttemptId(Uuid::from_u128(number as u128 + 1)),
        number: 1,
        started_at: NOW,
        outcome: Outcome::Delivered { status: 200 },
        timing: Timing::default(),
        response: Some(Response {
            status: 200,
            headers: vec![
                header("content-length", "0"),
                header("date", "Thu, 26 Nov 2026 15:00:00 GMT"),
            ],
            body: "".into(),
            truncated: false,
        }),
        chain: Vec::new(),
        pinned: false,
    };
    Settlement {
        lease: lease(HOOK),
        sequence: Sequence(number as u64 + 1),
        attempt: Some(attempt),
        verdict: Verdict::Delivered,
        pin: None,
        effect: None,
        health: None,
        news: None,
    }
}

#[tokio::test]
async fn a_delivery_costs_the_store_no_more_than_it_did() {
    let mut held = Held::default();
    for many in COMMITS_OF {
        let stage = Stage::new().await;
        // Tables that have no row yet come to be.
        stage.deliver(0, many).await;
        let (kept_before, before) = (stage.kept(), stage.disk.done());
        for first in (many..many + DELIVERIES).step_by(many) {
            stage.deliver(first, many).await;
        }
        let (kept, done) = (stage.kept(), stage.disk.done());
        let each = |from: u64, to: u64| (to - from) as f64 / DELIVERIES as f64;
        let of = |count: &str| format!("store, commits of {many}: {count}");
        let syncs = each(before.syncs, done.syncs);
        held.count(&of("syncs for 1,000 deliveries"), 1000.0 * syncs);
        let written = each(before.written_bytes, done.written_bytes);
        held.count(&of("bytes written a delivery"), written);
        if many == 1 {
            held.count("store: rows a delivery", each(kept_before.rows, kept.rows));
            held.count(
                "store: bytes kept a delivery",
                each(kept_before.bytes, kept.bytes),
            );
        }
        stage.store.close().await.unwrap();
    }
    held.end();
}
