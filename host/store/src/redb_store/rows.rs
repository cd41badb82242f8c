//! Single rows, read alike in read and write transactions.

use std::ops::Range;

use redb::ReadableTable;
use whisperer_domain::attempt::Attempt;
use whisperer_domain::delivery::Pin;
use whisperer_domain::event::Event;
use whisperer_domain::health::Health;
use whisperer_domain::id::{EventId, EventKey, HookId, Sequence};

use super::fault::Fault;
use super::frame;
use super::record::{self, Cancellation, Counters, EventIdRecord, Row};
use super::seal::Seal;
use super::tables::Bytes;

pub(super) const COUNTERS: &str = "counters";

pub(super) fn counters(table: &impl ReadableTable<&'static str, Bytes>) -> Result<Counters, Fault> {
    match table.get(COUNTERS)? {
        Some(bytes) => record::decode_counters(COUNTERS, bytes.value()),
        None => Err(frame::damaged("meta", &COUNTERS, "is missing")),
    }
}

pub(super) fn delivery(
    table: &impl ReadableTable<u64, Bytes>,
    sequence: Sequence,
) -> Result<Option<Row>, Fault> {
    match table.get(sequence.0)? {
        Some(bytes) => Row::decode(sequence, bytes.value()).map(Some),
        None => Ok(None),
    }
}

/// An event that a delivery names: its absence is damage.
pub(super) fn event(table: &impl ReadableTable<u64, Bytes>, key: EventKey) -> Result<Event, Fault> {
    match table.get(key.0)? {
        Some(bytes) => record::decode_event(key, bytes.value()),
        None => Err(frame::damaged("events", &key.0, "is missing")),
    }
}

/// What an event that a delivery names is about.
pub(super) fn object_id(
    table: &impl ReadableTable<u64, Bytes>,
    key: EventKey,
) -> Result<Option<String>, Fault> {
    match table.get(key.0)? {
        Some(bytes) => record::decode_object_id(key, bytes.value()),
        None => Err(frame::damaged("events", &key.0, "is missing")),
    }
}

/// How a hook's receiver did when it was last saved. What cannot be read is said aloud and taken
/// for nothing: the lane learns it anew.
pub(super) fn health(
    table: &impl ReadableTable<u64, Bytes>,
    hook: HookId,
) -> Result<Health, Fault> {
    let Some(bytes) = table.get(hook.0)? else {
        return Ok(Health::default());
    };
    match record::decode_health(hook, bytes.value()) {
        Err(fault @ Fault::Damaged { .. }) => {
            tracing::error!(%fault, "the health of a lane cannot be read");
            Ok(Health::default())
        }
        read => read,
    }
}

/// What an event's id was given to, if it was given.
pub(super) fn event_id(
    table: &impl ReadableTable<&'static str, Bytes>,
    id: &EventId,
) -> Result<Option<EventIdRecord>, Fault> {
    match table.get(id.as_str())? {
        Some(bytes) => record::decode_event_id(id, bytes.value()).map(Some),
        None => Ok(None),
    }
}

/// A delivery in passing: the inner fault is its own, and stops nobody.
pub(super) type Passed = (Sequence, Result<Option<Row>, Fault>);

/// Deliveries by sequence; with a hook its own alone.
pub(super) fn deliveries<'a>(
    deliveries: &'a impl ReadableTable<u64, Bytes>,
    history: &'a impl ReadableTable<(u64, u64), ()>,
    hook: Option<HookId>,
    span: Range<u64>,
) -> Result<Box<dyn DoubleEndedIterator<Item = Result<Passed, Fault>> + 'a>, Fault> {
    if span.is_empty() {
        return Ok(Box::new(std::iter::empty()));
    }
    Ok(match hook {
        Some(hook) => {
            let rows = history.range((hook.0, span.start)..(hook.0, span.end))?;
            Box::new(rows.map(|row| {
                let sequence = Sequence(row?.0.value().1);
                Ok((sequence, delivery(deliveries, sequence)))
            }))
        }
        None => {
            let rows = deliveries.range(span)?;
            Box::new(rows.map(|row| {
                let (sequence, bytes) = row?;
                let sequence = Sequence(sequence.value());
                Ok((sequence, Row::decode(sequence, bytes.value()).map(Some)))
            }))
        }
    })
}

pub(super) fn pin(
    table: &impl ReadableTable<u64, Bytes>,
    sequence: Sequence,
    seal: &Seal,
) -> Result<Option<Pin>, Fault> {
    match table.get(sequence.0)? {
        Some(bytes) => record::decode_pin(sequence, bytes.value(), seal).map(Some),
        None => Ok(None),
    }
}

pub(super) fn attempt(sequence: Sequence, number: u32, bytes: &[u8]) -> Result<Attempt, Fault> {
    frame::decode("attempts", &format_args!("{}, {number}", sequence.0), bytes)
}

/// The cancellation that covers a lane's row, if one is still at work: the earliest that does.
pub(super) fn cancellation(
    table: &impl ReadableTable<(u64, u64), Bytes>,
    hook: HookId,
    sequence: Sequence,
) -> Result<Option<Cancellation>, Fault> {
    let above = (hook.0, sequence.0.saturating_add(1));
    let mut covering = table.range(above..=(hook.0, u64::MAX))?;
    match covering.next() {
        Some(row) => {
            let (key, bytes) = row?;
            let (hook, below) = key.value();
            frame::decode(
                "cancellations",
                &format_args!("{hook}, {below}"),
                bytes.value(),
            )
            .map(Some)
        }
        None => Ok(None),
    }
}
