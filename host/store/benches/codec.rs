//! What writing and reading the records of one delivery costs, without a database.

#![allow(
    clippy::unwrap_used,
    reason = "what a bench cannot go on without ends it, with the place"
)]

#[path = "ground/store.rs"]
mod ground;

use std::hint::black_box;
use std::time::Duration;

use criterion::Criterion;
use whisperer_domain::event::Event;
use whisperer_domain::id::{EventKey, Sequence};
use whisperer_store::measured::codecs;

use ground::{START, attempt};

fn event() -> Event {
    let posted = ground::event("0199c0ff-ee01-7000-8000-000000000001", 1 << 10);
    Event {
        key: EventKey(1),
        id: posted.id,
        event_type: posted.event_type,
        occurred_at: START,
        accepted_at: START,
        object_id: posted.object_id,
        content_type: posted.content_type,
        cloud: posted.cloud,
        payload: posted.payload,
    }
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    let mut group = criterion.benchmark_group("codec");
    for codec in codecs(event(), attempt(Sequence(7), 200)) {
        let bytes = codec.encode();
        let name = format!("{} of {} B", codec.name, bytes.len());
        group.bench_function(format!("write {name}"), |bench| {
            bench.iter(|| codec.encode())
        });
        group.bench_function(format!("read {name}"), |bench| {
            bench.iter(|| codec.decode(black_box(&bytes)));
        });
    }
    group.finish();
    criterion.final_summary();
}
