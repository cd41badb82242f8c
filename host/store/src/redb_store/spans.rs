//! Ranges of sequences and events by the time at which they were made.
//!
//! Those times rise with the numbers, so a bound of time is found by halving, without an index.

use redb::ReadableTable;
use whisperer_domain::id::{EventKey, Sequence};
use whisperer_domain::time::Timestamp;

use super::fault::Fault;
use super::record::{self, Row};
use super::tables::Bytes;

/// Damaged rows in a row that a look for the next good one passes over.
const PASSED_MAX: usize = 5000;

/// Numbers from `from` up to, not including, `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: u64,
    pub(super) to: u64,
}

impl Span {
    pub(super) fn is_empty(self) -> bool {
        self.from >= self.to
    }
}

/// The deliveries that were made between two times, both inclusive.
pub(super) fn of_times(
    deliveries: &impl ReadableTable<u64, Bytes>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
) -> Result<Span, Fault> {
    within(deliveries, from, to, |sequence, bytes| {
        Row::decode(Sequence(sequence), bytes).map(|row| row.delivery.created_at)
    })
}

/// The events that were accepted between two times, both inclusive.
pub(super) fn of_events(
    events: &impl ReadableTable<u64, Bytes>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
) -> Result<Span, Fault> {
    within(events, from, to, |key, bytes| {
        record::decode_event(EventKey(key), bytes).map(|event| event.accepted_at)
    })
}

fn within(
    table: &impl ReadableTable<u64, Bytes>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    made_at: impl Fn(u64, &[u8]) -> Result<Timestamp, Fault>,
) -> Result<Span, Fault> {
    let mut span = Span {
        from: 0,
        to: u64::MAX,
    };
    if let Some(from) = from {
        span.from = first_made_at(table, from, &made_at)?;
    }
    // Nothing is made after the last moment that there is.
    if let Some(after) = to.and_then(|to| to.0.checked_add(1)) {
        span.to = first_made_at(table, Timestamp(after), &made_at)?;
    }
    Ok(span)
}

/// The lowest number whose row was made at `at` or later; the end if there is none.
fn first_made_at(
    table: &impl ReadableTable<u64, Bytes>,
    at: Timestamp,
    made_at: &impl Fn(u64, &[u8]) -> Result<Timestamp, Fault>,
) -> Result<u64, Fault> {
    let end = match table.last()? {
        Some((key, _)) => key.value().saturating_add(1),
        None => return Ok(0),
    };
    let (mut low, mut high) = (0, end);
    while low < high {
        let middle = low + (high - low) / 2;
        match first_from(table, middle, made_at)? {
            // The row may lie above `middle`, where others are gone: what is said of it holds
            // for all numbers from `middle` to it.
            Some((number, made)) if made < at => low = number + 1,
            Some(_) | None => high = middle,
        }
    }
    Ok(low)
}

/// The first row from a number on that can be read.
fn first_from(
    table: &impl ReadableTable<u64, Bytes>,
    from: u64,
    made_at: &impl Fn(u64, &[u8]) -> Result<Timestamp, Fault>,
) -> Result<Option<(u64, Timestamp)>, Fault> {
    for row in table.range(from..)?.take(PASSED_MAX) {
        let (key, bytes) = row?;
        match made_at(key.value(), bytes.value()) {
            Err(Fault::Damaged { .. }) => {}
            made => return made.map(|made| Some((key.value(), made))),
        }
    }
    Ok(None)
}
