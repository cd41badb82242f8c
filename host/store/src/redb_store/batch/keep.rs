//! The records that retention counts: whoever writes or removes one goes through here, so that
//! what is counted is what is there.

use whisperer_domain::id::{EventKey, Sequence};

use super::Batch;
use crate::redb_store::fault::Fault;
use crate::redb_store::record::Row;

impl Batch<'_, '_> {
    pub(super) fn put_event(&mut self, key: EventKey, record: &[u8]) -> Result<(), Fault> {
        let old = self.tables.events.insert(key.0, record)?;
        let old = old.map_or(0, |old| old.value().len());
        self.count(old, record.len());
        Ok(())
    }

    pub(super) fn put_delivery(&mut self, row: &Row) -> Result<(), Fault> {
        let record = row.encode();
        let sequence = row.delivery.sequence.0;
        let old = self.tables.deliveries.insert(sequence, &*record)?;
        let old = old.map_or(0, |old| old.value().len());
        self.count(old, record.len());
        Ok(())
    }

    pub(super) fn put_attempt(
        &mut self,
        sequence: Sequence,
        number: u32,
        record: &[u8],
    ) -> Result<(), Fault> {
        let old = self.tables.attempts.insert((sequence.0, number), record)?;
        let old = old.map_or(0, |old| old.value().len());
        self.count(old, record.len());
        Ok(())
    }

    pub(super) fn put_pin(&mut self, sequence: Sequence, record: &[u8]) -> Result<(), Fault> {
        let old = self.tables.pins.insert(sequence.0, record)?;
        let old = old.map_or(0, |old| old.value().len());
        self.count(old, record.len());
        Ok(())
    }

    pub(super) fn remove_event(&mut self, key: EventKey) -> Result<(), Fault> {
        let old = self.tables.events.remove(key.0)?;
        let old = old.map_or(0, |old| old.value().len());
        self.count(old, 0);
        Ok(())
    }

    /// With its attempts and its pin. Answers how many rows that were.
    pub(super) fn remove_delivery(&mut self, sequence: Sequence) -> Result<usize, Fault> {
        let mut removed = 0;
        let mut bytes = 0;
        if let Some(old) = self.tables.deliveries.remove(sequence.0)? {
            removed += 1;
            bytes += old.value().len();
        }
        if let Some(old) = self.tables.pins.remove(sequence.0)? {
            removed += 1;
            bytes += old.value().len();
        }
        let all = (sequence.0, 0)..=(sequence.0, u32::MAX);
        self.tables.attempts.retain_in(all, |_, old| {
            removed += 1;
            bytes += old.len();
            false
        })?;
        self.count(bytes, 0);
        Ok(removed)
    }

    fn count(&mut self, old: usize, new: usize) {
        let live = &mut self.state.counters.kept.live_bytes;
        *live = live.saturating_sub(old as u64).saturating_add(new as u64);
    }
}
