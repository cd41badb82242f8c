//! How long pages of deliveries and events take in a store of a million deliveries: one row of a
//! table for each filter, first and deep pages, each the middle and the best of several runs (on
//! a machine that does other things as well the best tells more). Run by hand:
//!
//! ```text
//! cargo run --release -p whisperer-store --example bench_pages [deliveries]
//! ```
//!
//! 20 hooks of 4 owners, 10 deliveries an event, payloads of 300 bytes. Of the deliveries 90 %
//! are delivered, 6 % pending, 3 % dead and 1 % retried; one event in 5,000 is about something
//! that is asked for.

#![allow(
    clippy::unwrap_used,
    reason = "what a bench cannot go on without ends it, with the place"
)]

#[path = "../benches/ground/store.rs"]
mod ground;

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use whisperer_domain::delivery::{DeadCause, StateKind};
use whisperer_domain::event::NewEvent;
use whisperer_domain::event_type::{EventPattern, EventType, OMS_CATALOGUE};
use whisperer_domain::id::{EventId, EventKey, HookId, Owner, Sequence};
use whisperer_domain::port::{
    Catalog, DeliveryQuery, Directive, EventQuery, Lanes, Ledger, Run, Scope, Selection,
    Settlement, Verdict,
};
use whisperer_domain::time::Timestamp;
use whisperer_store::RedbStore;

use ground::{BenchClock, START, attempt, hook, put_hook};

const HOOKS: u64 = 20;
const FAN_OUT: usize = 10;
const SETTLED_AT_ONCE: usize = 1000;
const RUNS: usize = 5;
const PAYLOAD_BYTES: usize = 300;

#[tokio::main]
async fn main() {
    let deliveries = std::env::args()
        .nth(1)
        .map_or(1_000_000, |text| text.parse().expect("a number"));
    let folder = tempfile::tempdir().unwrap();
    let (store, clock) = ground::open(folder.path());
    let began = Instant::now();
    fill(&store, &clock, deliveries).await;
    println!(
        "filled with {deliveries} deliveries in {:.0?}",
        began.elapsed()
    );
    pages(&store, deliveries).await;
    events(&store, deliveries).await;
    directives(&store).await;
}

async fn fill(store: &RedbStore, clock: &BenchClock, deliveries: u64) {
    for id in 0..HOOKS {
        put_hook(store, hook(&format!("o{}", id % 4), &format!("h{id}"))).await;
    }
    let revision = store.snapshot().revision;
    let events = deliveries / FAN_OUT as u64;
    let mut next = 0;
    while next < events {
        let some = (next..events.min(next + 1000)).map(|number| {
            clock.tick();
            let half = number % 2 * 10;
            let recipients = (half + 1..=half + FAN_OUT as u64).map(HookId).collect();
            store.accept(event(number), recipients, revision)
        });
        join_all(some)
            .await
            .into_iter()
            .for_each(|it| drop(it.unwrap()));
        next += 1000;
    }
    let mut settlements = Vec::new();
    for sequence in 1..=deliveries {
        settlements.extend(settlement(sequence));
        if settlements.len() == SETTLED_AT_ONCE || sequence == deliveries {
            store
                .settle(std::mem::take(&mut settlements).into())
                .await
                .unwrap();
        }
    }
}

/// None: it stays as it is, pending.
fn settlement(sequence: u64) -> Option<Settlement> {
    let event = (sequence - 1) / FAN_OUT as u64;
    let hook = event % 2 * 10 + (sequence - 1) % FAN_OUT as u64 + 1;
    // Spread over hooks and time.
    let (verdict, status) = match (sequence.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) % 100 {
        0..6 => return None,
        6..9 => (Verdict::Dead(DeadCause::Exhausted), 500),
        9 => {
            let after = Duration::from_secs(3600);
            (Verdict::Retry { after }, 503)
        }
        _ => (Verdict::Delivered, 200),
    };
    let sequence = Sequence(sequence);
    let attempt = Some(attempt(sequence, status));
    Some(ground::settlement(HookId(hook), sequence, attempt, verdict))
}

async fn pages(store: &RedbStore, deliveries: u64) {
    let middle = Some(Sequence(deliveries / 2));
    let event = EventId::parse(&format!("event-{}", deliveries / FAN_OUT as u64 / 2)).unwrap();
    let known = store
        .find(Sequence(deliveries / 3), Scope::All)
        .await
        .unwrap();
    let uuid = Some(known.unwrap().view.delivery.uuid);
    let pattern = |text| Some(EventPattern::parse(text).unwrap());
    let owner = |name| Scope::Of(Owner::parse(name).unwrap());
    let at = |share: u64| {
        Some(Timestamp(
            START.0 + deliveries / FAN_OUT as u64 * share / 100,
        ))
    };
    let all = everything;
    #[rustfmt::skip]
    let queries: Vec<(&str, DeliveryQuery)> = vec![
        ("everything", all()),
        ("everything, 1000 a page", DeliveryQuery { limit: 1000, ..all() }),
        ("one hook", DeliveryQuery { hook: Some(HookId(7)), ..all() }),
        ("one hook, dead", DeliveryQuery { hook: Some(HookId(7)), state: Some(StateKind::Dead), ..all() }),
        ("one owner", DeliveryQuery { scope: owner("o1"), ..all() }),
        ("an owner of nothing", DeliveryQuery { scope: owner("nobody"), ..all() }),
        ("one event", DeliveryQuery { event: Some(event), ..all() }),
        ("uuid", DeliveryQuery { uuid, ..all() }),
        ("exact type", DeliveryQuery { event_type: pattern("package.created"), ..all() }),
        ("pattern", DeliveryQuery { event_type: pattern("transfer.*"), ..all() }),
        ("type of nothing", DeliveryQuery { event_type: pattern("no.such"), ..all() }),
        ("delivered", DeliveryQuery { delivered: Some(true), ..all() }),
        ("not delivered", DeliveryQuery { delivered: Some(false), ..all() }),
        ("pending", DeliveryQuery { state: Some(StateKind::Pending), ..all() }),
        ("pending of one hook", DeliveryQuery { hook: Some(HookId(7)), state: Some(StateKind::Pending), ..all() }),
        ("dead", DeliveryQuery { state: Some(StateKind::Dead), ..all() }),
        ("cancelled (none)", DeliveryQuery { state: Some(StateKind::Cancelled), ..all() }),
        ("status 500", DeliveryQuery { status: Some(500), ..all() }),
        ("status 418 (none)", DeliveryQuery { status: Some(418), ..all() }),
        ("rare object", DeliveryQuery { object_id: Some("rare".to_owned()), ..all() }),
        ("no such object", DeliveryQuery { object_id: Some("none".to_owned()), ..all() }),
        ("created from 90 %", DeliveryQuery { created_from: at(90), ..all() }),
        ("created to 10 %", DeliveryQuery { created_to: at(10), ..all() }),
        ("created 40 to 41 %, dead", DeliveryQuery { created_from: at(40), created_to: at(41), state: Some(StateKind::Dead), ..all() }),
    ];
    println!(
        "\n{:<28}{:>16}{:>8}{:>16}{:>8}",
        "deliveries", "first, ms", "rows", "deep, ms", "rows"
    );
    for (name, query) in queries {
        let deep = DeliveryQuery {
            before: middle,
            ..query.clone()
        };
        let (first_ms, first) = timed(async || store.page(query.clone()).await.unwrap()).await;
        let (deep_ms, deep) = timed(async || store.page(deep.clone()).await.unwrap()).await;
        println!(
            "{name:<28}{first_ms:>16}{:>8}{deep_ms:>16}{:>8}",
            first.items.len(),
            deep.items.len()
        );
    }
}

async fn events(store: &RedbStore, deliveries: u64) {
    let all = || EventQuery {
        event_type: None,
        object_id: None,
        created_from: None,
        created_to: None,
        before: None,
        limit: 100,
    };
    let count = deliveries / FAN_OUT as u64;
    let pattern = |text| Some(EventPattern::parse(text).unwrap());
    #[rustfmt::skip]
    let queries: Vec<(&str, EventQuery)> = vec![
        ("everything", all()),
        ("everything, 1000 a page", EventQuery { limit: 1000, ..all() }),
        ("exact type", EventQuery { event_type: pattern("package.created"), ..all() }),
        ("type of nothing", EventQuery { event_type: pattern("no.such"), ..all() }),
        ("rare object", EventQuery { object_id: Some("rare".to_owned()), ..all() }),
        ("created to 10 %", EventQuery { created_to: Some(Timestamp(START.0 + count / 10)), ..all() }),
    ];
    println!(
        "\n{:<28}{:>16}{:>8}{:>16}{:>8}",
        "events", "first, ms", "rows", "deep, ms", "rows"
    );
    for (name, query) in queries {
        let deep = EventQuery {
            before: Some(EventKey(count / 2)),
            ..query.clone()
        };
        let (first_ms, first) = timed(async || store.events(query.clone()).await.unwrap()).await;
        let (deep_ms, deep) = timed(async || store.events(deep.clone()).await.unwrap()).await;
        println!(
            "{name:<28}{first_ms:>16}{:>8}{deep_ms:>16}{:>8}",
            first.items.len(),
            deep.items.len()
        );
    }
}

/// What a selection costs, and what posting costs while it is worked off.
async fn directives(store: &RedbStore) {
    let dead = || Directive::Requeue {
        selection: Selection::default(),
        state: StateKind::Dead,
    };
    let (ms, counted) =
        timed(async || store.direct(dead(), Scope::All, Run::Dry).await.unwrap()).await;
    println!("\ndry run over everything: {ms} ms, {counted:?}");
    let revision = store.snapshot().revision;
    let began = Instant::now();
    store
        .direct(dead(), Scope::All, Run::Real(None))
        .await
        .unwrap();
    let mut slowest = Duration::ZERO;
    let mut posts = 0;
    let left = || {
        store.page(DeliveryQuery {
            state: Some(StateKind::Dead),
            created_from: None,
            before: None,
            limit: 1,
            ..everything()
        })
    };
    while !left().await.unwrap().items.is_empty() {
        let post = Instant::now();
        let event = event(u64::MAX - posts);
        store.accept(event, Vec::new(), revision).await.unwrap();
        slowest = slowest.max(post.elapsed());
        posts += 1;
    }
    println!(
        "all dead brought back in {:.1?}; {posts} events posted meanwhile, the slowest in {slowest:.1?}",
        began.elapsed()
    );
}

async fn timed<T>(mut work: impl AsyncFnMut() -> T) -> (String, T) {
    let mut times = Vec::new();
    let mut last = None;
    for _ in 0..RUNS {
        let began = Instant::now();
        last = Some(work().await);
        times.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    times.sort_by(f64::total_cmp);
    let shown = format!("{:.2} ({:.2})", times[RUNS / 2], times[0]);
    (shown, last.unwrap())
}

fn everything() -> DeliveryQuery {
    DeliveryQuery::all(Scope::All, 100)
}

fn event(number: u64) -> NewEvent {
    let name = OMS_CATALOGUE[usize::try_from(number % 18).unwrap()];
    NewEvent {
        event_type: EventType::parse(name).unwrap(),
        object_id: (number % 5000 == 1).then(|| "rare".to_owned()),
        ..ground::event(&format!("event-{number}"), PAYLOAD_BYTES)
    }
}
