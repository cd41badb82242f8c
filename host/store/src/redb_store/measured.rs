//! For the benches alone: the work between the ports and redb, which no port shows by itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use uuid::Uuid;
use whisperer_domain::attempt::Attempt;
use whisperer_domain::delivery::{Delivery, DeliveryState};
use whisperer_domain::event::{Event, NewEvent};
use whisperer_domain::id::{DeliveryUuid, HookId, Sequence};
use whisperer_domain::port::Settlement;

use super::RedbStore;
use super::batch::Batch;
use super::fault::Fault;
use super::frame;
use super::record::{self, Row};
use super::state::State;
use super::tables::Tables;

type Read = fn(&[u8]) -> Result<(), Fault>;

/// One kind of record, written and read.
pub struct Codec {
    pub name: &'static str,
    encode: Box<dyn Fn() -> Vec<u8>>,
    decode: Read,
}

impl Codec {
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        (self.encode)()
    }

    /// # Panics
    /// If these are not the bytes of such a record.
    pub fn decode(&self, bytes: &[u8]) {
        if let Err(fault) = (self.decode)(bytes) {
            panic!("{fault}");
        }
    }
}

/// Those of a delivery: this event, what is owed to one hook, and this attempt at it.
#[must_use]
pub fn codecs(event: Event, attempt: Attempt) -> [Codec; 3] {
    let delivery = Delivery {
        sequence: Sequence(7),
        uuid: DeliveryUuid(Uuid::from_u128(7)),
        hook: HookId(1),
        event: event.key,
        event_type: event.event_type.clone(),
        created_at: event.accepted_at,
        modified_at: event.accepted_at,
        attempts: 1,
        state: DeliveryState::Delivered,
        last_status: Some(200),
        revival: None,
    };
    let mut row = Row::fresh(delivery, None);
    row.add_try(attempt.id, attempt.started_at);
    [
        Codec {
            name: "event",
            decode: |bytes| {
                record::decode_event(whisperer_domain::id::EventKey(1), bytes).map(drop)
            },
            encode: Box::new(move || record::encode_event(&event)),
        },
        Codec {
            name: "delivery",
            decode: |bytes| Row::decode(Sequence(7), bytes).map(drop),
            encode: Box::new(move || row.encode()),
        },
        Codec {
            name: "attempt",
            decode: |bytes| frame::decode::<Attempt>("attempts", &7, bytes).map(drop),
            encode: Box::new(move || record::encode_attempt(&attempt, 1)),
        },
    ]
}

/// How long it takes to put these into a transaction, which is given up: accept, then settle. Nobody
/// else may write meanwhile.
///
/// # Panics
/// If the store cannot do it.
#[must_use]
pub fn batch_work(
    store: &RedbStore,
    events: Vec<NewEvent>,
    recipients: &[HookId],
    settlements: &[Arc<[Settlement]>],
) -> Duration {
    timed(store, events, recipients, settlements).unwrap_or_else(|fault| panic!("{fault}"))
}

fn timed(
    store: &RedbStore,
    events: Vec<NewEvent>,
    recipients: &[HookId],
    settlements: &[Arc<[Settlement]>],
) -> Result<Duration, Fault> {
    let seal = store.shared.seal.load();
    let state = State::load(&store.shared.begin_read()?, &seal)?;
    let (now, revision) = (state.counters.accepted_at, state.catalog.revision);
    let txn = store.shared.begin_write()?;
    let began = Instant::now();
    let mut batch = Batch::new(Tables::open(&txn)?, state, &seal, now);
    for event in events {
        let accepted = batch.accept(event, recipients, revision)?;
        assert!(accepted.is_ok_and(|accepted| !accepted.replayed));
    }
    for some in settlements {
        batch.settle(some)?;
    }
    drop(batch.finish()?);
    let took = began.elapsed();
    txn.abort()?;
    Ok(took)
}
