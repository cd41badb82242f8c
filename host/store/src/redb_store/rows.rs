//! Single rows, read alike in read and write transactions.

use redb::ReadableTable;
use whisperer_domain::attempt::Attempt;
use whisperer_domain::delivery::Pin;
use whisperer_domain::event::Event;
use whisperer_domain::id::{EventKey, HookId, Sequence};

use super::fault::Fault;
use super::frame;
use super::record::{self, Cancellation, Counters, Row};
use super::tables::Bytes;

pub(super) const COUNTERS: &str = "counters";

pub(super) fn counters(table: &impl ReadableTable<&'static str, Bytes>) -> Result<Counters, Fault> {
    match table.get(COUNTERS)? {
        Some(bytes) => frame::decode("meta", &COUNTERS, bytes.value()),
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

pub(super) fn pin(
    table: &impl ReadableTable<u64, Bytes>,
    sequence: Sequence,
) -> Result<Option<Pin>, Fault> {
    match table.get(sequence.0)? {
        Some(bytes) => record::decode_pin(sequence, bytes.value()).map(Some),
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
