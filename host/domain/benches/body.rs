//! What is done with a body: scanned when it is posted, laid out for filters, put into an envelope
//! when it is sent.

#![allow(
    clippy::unwrap_used,
    reason = "what a bench cannot go on without ends it, with the place"
)]

use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput};
use uuid::Uuid;
use whisperer_domain::envelope::{Envelope, JSON};
use whisperer_domain::event::Event;
use whisperer_domain::event_type::EventType;
use whisperer_domain::id::{DeliveryUuid, EventId, EventKey};
use whisperer_domain::json::{self, Tree};
use whisperer_domain::time::Timestamp;

const SIZES: [usize; 4] = [256, 1 << 10, 16 << 10, 100 << 10];
const ENVELOPES: [(&str, Envelope); 4] = [
    ("whisperer", Envelope::Whisperer),
    ("standard", Envelope::Standard),
    ("cloudevents", Envelope::CloudEvents),
    ("bare", Envelope::Bare),
];

/// An order of about so many bytes.
fn payload(bytes: usize) -> Bytes {
    let mut text =
        "{\"number\": \"P-1\", \"customer\": {\"name\": \"Ada\"}, \"items\": [0".to_owned();
    let mut number = 0;
    while text.len() < bytes.saturating_sub(60) {
        number += 1;
        text.push_str(&format!(
            ", {{\"sku\": \"art-{number}\", \"price\": {number}.50}}"
        ));
    }
    text.push_str("], \"note\": \"leave it at the door\"}");
    text.into()
}

fn event(payload: Bytes) -> Event {
    Event {
        key: EventKey(1),
        id: EventId::parse("order-1").unwrap(),
        event_type: EventType::parse("package.created").unwrap(),
        occurred_at: Timestamp(1_764_000_000_007),
        accepted_at: Timestamp(1_764_000_000_008),
        object_id: None,
        content_type: JSON.to_owned(),
        cloud: None,
        payload,
    }
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    let mut group = criterion.benchmark_group("body");
    for bytes in SIZES {
        let payload = payload(bytes);
        json::check(&payload).unwrap();
        group.throughput(Throughput::Bytes(payload.len() as u64));
        group.bench_function(BenchmarkId::new("scan", format!("{bytes} B")), |bench| {
            bench.iter(|| json::check(black_box(&payload)));
        });
        group.bench_function(BenchmarkId::new("tree", format!("{bytes} B")), |bench| {
            bench.iter(|| Tree::of(black_box(&payload)));
        });
    }
    let uuid = DeliveryUuid(Uuid::from_u128(7));
    for (name, envelope) in ENVELOPES {
        for bytes in [1 << 10, 16 << 10] {
            let event = event(payload(bytes));
            group.throughput(Throughput::Bytes(event.payload.len() as u64));
            let id = BenchmarkId::new(format!("envelope {name}"), format!("{bytes} B"));
            group.bench_function(id, |bench| {
                bench.iter(|| envelope.wrap(black_box(&event), uuid, &event.payload, JSON));
            });
        }
    }
    group.finish();
    criterion.final_summary();
}
