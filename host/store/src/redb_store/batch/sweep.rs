//! Retention, as part of one transaction: from the oldest event upwards, in steps that are bounded
//! in rows, bytes and time.
//!
//! A cursor goes over the events, past those that have something pending, so that a lane that
//! stands still stops nobody; at the end of a pass it goes back to the start. It is kept in memory
//! only: what a step removed is gone whether or not somebody remembers where it stopped, and what
//! it did not remove is looked at again. An event goes when none of its deliveries is pending: all
//! are looked at before the first is removed, and each once more as it is removed, since one of
//! them may be brought back between two steps.

mod tombstones;

use std::mem;
use std::time::Instant;

use redb::ReadableTable;
use whisperer_domain::id::{EventId, EventKey, Sequence};
use whisperer_domain::port::{Budget, Swept};
use whisperer_domain::time::Timestamp;

use super::Batch;
use crate::redb_store::fault::Fault;
use crate::redb_store::reading::made_with;
use crate::redb_store::record::{self, EventIdRecord};
use crate::redb_store::rows;
use crate::redb_store::writer::sweeper::Step;
use crate::retention::Cutoff;

/// Deliveries of one event that are looked up at a time.
const LOOK_ROWS: usize = 256;
/// What removing a delivery counts for beside its own records: its row of the history, and what
/// is looked up.
const ROWS_BESIDE: usize = 2;

/// How far retention has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::redb_store) struct Cursor {
    event: u64,
    within: Within,
    /// Events are through; hooks that are gone come last.
    tombstones: Option<u64>,
}

/// Within an event: the sequence to go on from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Within {
    #[default]
    Begin,
    Looking(u64),
    Removing(u64),
}

/// What a step may still do.
pub(in crate::redb_store) struct Allowance {
    pub(in crate::redb_store) rows: usize,
    pub(in crate::redb_store) bytes: usize,
    pub(in crate::redb_store) until: Option<Instant>,
}

impl Allowance {
    pub(in crate::redb_store) fn new(budget: Budget, until: Option<Instant>) -> Self {
        Self {
            // One row at least, or it would never end.
            rows: budget.rows.max(1),
            bytes: budget.bytes.max(1),
            until,
        }
    }

    fn is_used_up(&self) -> bool {
        let is_late = self.until.is_some_and(|until| Instant::now() >= until);
        self.rows == 0 || self.bytes == 0 || is_late
    }

    fn use_up(&mut self, rows: usize, bytes: usize) {
        self.rows = self.rows.saturating_sub(rows);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

/// What came of an event.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Came {
    Gone,
    Stays,
    /// The step ended in the midst of it.
    Unfinished,
}

/// The oldest event that was not looked at.
struct Oldest {
    key: EventKey,
    /// None: it cannot be read.
    head: Option<(EventId, Timestamp)>,
    bytes: usize,
}

impl Batch<'_, '_> {
    /// The writer's own step.
    pub(in crate::redb_store) fn sweep_some(&mut self, step: &Step) -> Result<(), Fault> {
        let began = Instant::now();
        let cutoff = Cutoff::of(step.retention, step.now);
        let swept = self.sweep(
            cutoff,
            Allowance::new(step.budget, Some(began + step.time_max)),
        )?;
        self.swept = Some((swept, began.elapsed()));
        Ok(())
    }

    pub(in crate::redb_store) fn sweep(
        &mut self,
        cutoff: Cutoff,
        mut left: Allowance,
    ) -> Result<Swept, Fault> {
        let before = self.state.counters.kept.live_bytes;
        let mut swept = Swept::default();
        swept.more = !self.sweep_pass(cutoff, &mut left, &mut swept)?;
        swept.bytes = before.saturating_sub(self.state.counters.kept.live_bytes);
        self.state.counters.kept.events_swept += swept.events;
        Ok(swept)
    }

    /// Whether the pass came to its end.
    fn sweep_pass(
        &mut self,
        cutoff: Cutoff,
        left: &mut Allowance,
        swept: &mut Swept,
    ) -> Result<bool, Fault> {
        while self.state.cursor.tombstones.is_none() {
            let Some(oldest) = self.oldest()? else {
                break;
            };
            left.use_up(1, oldest.bytes);
            let came = match &oldest.head {
                Some((_, accepted_at)) if !cutoff.takes(*accepted_at, self.live_bytes()) => break,
                Some((id, _)) => self.sweep_event(oldest.key, id, left)?,
                // It stays where it lies, for whoever wants to look at the damage.
                None => Came::Stays,
            };
            match came {
                Came::Gone => swept.events += 1,
                Came::Stays => swept.passed += 1,
                Came::Unfinished => return Ok(false),
            }
            self.state.cursor = Cursor {
                event: oldest.key.0.saturating_add(1),
                ..Cursor::default()
            };
            if left.is_used_up() {
                return Ok(false);
            }
        }
        let hook = self.state.cursor.tombstones.unwrap_or_default();
        self.state.cursor.tombstones = self.sweep_tombstones(hook, left)?;
        if self.state.cursor.tombstones.is_some() {
            return Ok(false);
        }
        self.state.cursor = Cursor::default();
        Ok(true)
    }

    fn live_bytes(&self) -> u64 {
        self.state.counters.kept.live_bytes
    }

    fn oldest(&self) -> Result<Option<Oldest>, Fault> {
        let from = self.state.cursor.event;
        let Some(row) = self.tables.events.range(from..)?.next() else {
            return Ok(None);
        };
        let (key, record) = row?;
        let key = EventKey(key.value());
        let head = match record::decode_event_head(key, record.value()) {
            Ok(head) => Some(head),
            Err(fault @ Fault::Damaged { .. }) => {
                tracing::error!(%fault, "retention passes over an event");
                None
            }
            Err(fault @ (Fault::Database(_) | Fault::Random(_) | Fault::Absent)) => {
                return Err(fault);
            }
        };
        let bytes = record.value().len();
        Ok(Some(Oldest { key, head, bytes }))
    }

    fn sweep_event(
        &mut self,
        key: EventKey,
        id: &EventId,
        left: &mut Allowance,
    ) -> Result<Came, Fault> {
        let named = match rows::event_id(&self.tables.event_ids, id) {
            Ok(Some(named)) if named.event == key => named,
            // Which deliveries it has cannot be told: it stays.
            Ok(_) => return Ok(Came::Stays),
            Err(fault) => return stays(fault),
        };
        if let Within::Begin = self.state.cursor.within {
            self.state.cursor.within = Within::Looking(0);
        }
        if let Within::Looking(mut from) = self.state.cursor.within {
            loop {
                let looked = match self.look(&named, from, left)? {
                    Looked::Pending => return Ok(Came::Stays),
                    Looked::Ended(next) => next,
                };
                let Some(next) = looked else { break };
                from = next;
                self.state.cursor.within = Within::Looking(from);
                if left.is_used_up() {
                    return Ok(Came::Unfinished);
                }
            }
            self.state.cursor.within = Within::Removing(0);
        }
        if let Within::Removing(from) = self.state.cursor.within {
            match self.remove_deliveries(&named, from, left)? {
                Came::Gone => {}
                came @ (Came::Stays | Came::Unfinished) => return Ok(came),
            }
        }
        self.remove_names(key, id)?;
        Ok(Came::Gone)
    }

    /// Looks at the next deliveries of an event.
    fn look(
        &self,
        named: &EventIdRecord,
        from: u64,
        left: &mut Allowance,
    ) -> Result<Looked, Fault> {
        let Some(sequences) = self.deliveries_of(named, from)? else {
            return Ok(Looked::Pending);
        };
        for sequence in &sequences {
            left.use_up(1, 0);
            if self.may_be_pending(*sequence)? {
                return Ok(Looked::Pending);
            }
        }
        Ok(Looked::Ended(following(&sequences)))
    }

    /// What cannot be read may be pending.
    fn may_be_pending(&self, sequence: Sequence) -> Result<bool, Fault> {
        match rows::delivery(&self.tables.deliveries, sequence) {
            Ok(row) => Ok(row.is_some_and(|row| row.delivery.state.due().is_some())),
            Err(Fault::Damaged { .. }) => Ok(true),
            Err(fault @ (Fault::Database(_) | Fault::Random(_) | Fault::Absent)) => Err(fault),
        }
    }

    fn remove_deliveries(
        &mut self,
        named: &EventIdRecord,
        mut from: u64,
        left: &mut Allowance,
    ) -> Result<Came, Fault> {
        // One at least, however little is left: a step that removes nothing would never end.
        let mut is_first = true;
        loop {
            let Some(sequences) = self.deliveries_of(named, from)? else {
                return Ok(Came::Stays);
            };
            for sequence in &sequences {
                if !mem::take(&mut is_first) && left.is_used_up() {
                    self.state.cursor.within = Within::Removing(sequence.0);
                    return Ok(Came::Unfinished);
                }
                if !self.remove_ended(named.event, *sequence, left)? {
                    return Ok(Came::Stays);
                }
            }
            match following(&sequences) {
                Some(next) => from = next,
                None => return Ok(Came::Gone),
            }
        }
    }

    /// False: it is pending after all.
    fn remove_ended(
        &mut self,
        event: EventKey,
        sequence: Sequence,
        left: &mut Allowance,
    ) -> Result<bool, Fault> {
        let row = match rows::delivery(&self.tables.deliveries, sequence) {
            Ok(Some(row)) => row,
            // It went in an earlier step.
            Ok(None) => return Ok(true),
            Err(fault) => return stays(fault).map(|_| false),
        };
        if row.delivery.state.due().is_some() {
            return Ok(false);
        }
        let before = self.live_bytes();
        self.wrote = true;
        let removed = self.remove_delivery(sequence)?;
        let hook = row.delivery.hook;
        self.tables.history.remove((hook.0, sequence.0))?;
        self.tables.replays.remove((event.0, sequence.0))?;
        self.rewritten.push(sequence);
        let bytes = before.saturating_sub(self.live_bytes());
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        left.use_up(removed + ROWS_BESIDE, bytes);
        Ok(true)
    }

    /// The event itself, when all its deliveries are gone. From here on its id is free.
    fn remove_names(&mut self, key: EventKey, id: &EventId) -> Result<(), Fault> {
        self.wrote = true;
        self.oldest_goes = true;
        self.remove_event(key)?;
        self.tables.event_ids.remove(id.as_str())?;
        self.tables.event_filters.remove(key.0)?;
        Ok(())
    }

    /// Some of its deliveries from a sequence on, in order. None: not all can be told.
    fn deliveries_of(
        &self,
        named: &EventIdRecord,
        from: u64,
    ) -> Result<Option<Vec<Sequence>>, Fault> {
        let mut found = Vec::new();
        match named.first {
            Some(first) => {
                let end = first.0.saturating_add(named.deliveries);
                let made = first.0.max(from)..end;
                found.extend(made.take(LOOK_ROWS).map(Sequence));
            }
            None if named.deliveries == 0 => {}
            None => match made_with(&self.tables.events, &self.tables.deliveries, named.event) {
                Ok(Some(made)) => {
                    for sequence in made.into_iter().filter(|made| made.0 >= from) {
                        let is_replay = (named.event.0, sequence.0);
                        if found.len() < LOOK_ROWS && self.tables.replays.get(is_replay)?.is_none()
                        {
                            found.push(sequence);
                        }
                    }
                }
                Ok(None) => return Ok(None),
                Err(fault) => return stays(fault).map(|_| None),
            },
        }
        let room = LOOK_ROWS - found.len();
        if room > 0 {
            let after = found.last().map_or(from, |last| last.0.saturating_add(1));
            let replays = self
                .tables
                .replays
                .range((named.event.0, after.max(from))..=(named.event.0, u64::MAX))?;
            for row in replays.take(room) {
                found.push(Sequence(row?.0.value().1));
            }
        }
        Ok(Some(found))
    }
}

enum Looked {
    Pending,
    /// All that were looked at have ended; the sequence to go on from, if there are more.
    Ended(Option<u64>),
}

/// A full look may have left some.
fn following(sequences: &[Sequence]) -> Option<u64> {
    match sequences.last() {
        Some(last) if sequences.len() >= LOOK_ROWS => last.0.checked_add(1),
        Some(_) | None => None,
    }
}

/// What cannot be read stays; any other fault is the transaction's.
fn stays(fault: Fault) -> Result<Came, Fault> {
    match fault {
        Fault::Damaged { .. } => {
            tracing::error!(%fault, "retention passes over an event");
            Ok(Came::Stays)
        }
        Fault::Database(_) | Fault::Random(_) | Fault::Absent => Err(fault),
    }
}
