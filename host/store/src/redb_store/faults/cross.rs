//! Whether the tables of a file say the same: event and its names, deliveries and their indexes,
//! attempts, counters. What nobody asks for by a port can be half too.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use redb::{ReadOnlyTable, ReadTransaction, ReadableTable, ReadableTableMetadata, TableDefinition};
use whisperer_domain::id::{EventId, EventKey, HookId, Sequence};

use crate::redb_store::RedbStore;
use crate::redb_store::fault::Fault;
use crate::redb_store::record::{self, HookRecord, IdempotencyRecord, Row};
use crate::redb_store::tables::{
    ATTEMPTS, Bytes, DELIVERIES, EVENT_IDS, EVENTS, HISTORY, HOOKS, IDEMPOTENCY, IDEMPOTENCY_AGE,
    META, PENDING, PINS, REPLAYS, TOMBSTONES,
};
use crate::redb_store::{frame, rows};

/// What was found, in one pass over everything.
struct Cross {
    txn: ReadTransaction,
    rows: BTreeMap<u64, Row>,
    events: BTreeSet<u64>,
    wrong: Vec<String>,
}

/// # Errors
/// What does not fit together.
pub(super) fn check(store: &RedbStore) -> Result<(), String> {
    let txn = store.shared.begin_read();
    let txn = txn.map_err(|fault| fault.to_string())?;
    let mut cross = Cross {
        txn,
        rows: BTreeMap::new(),
        events: BTreeSet::new(),
        wrong: Vec::new(),
    };
    cross.look().map_err(|fault| fault.to_string())?;
    if cross.wrong.is_empty() {
        return Ok(());
    }
    Err(format!("the tables are at odds: {:?}", cross.wrong))
}

impl Cross {
    fn table<K: redb::Key + 'static, V: redb::Value + 'static>(
        &self,
        table: TableDefinition<'static, K, V>,
    ) -> Result<ReadOnlyTable<K, V>, Fault> {
        Ok(self.txn.open_table(table)?)
    }

    fn expect(&mut self, holds: bool, what: &str, of: impl Debug) {
        if !holds {
            self.wrong.push(format!("{what}: {of:?}"));
        }
    }

    fn look(&mut self) -> Result<(), Fault> {
        for row in self.table(DELIVERIES)?.iter()? {
            let (sequence, bytes) = row?;
            let sequence = sequence.value();
            let row = Row::decode(Sequence(sequence), bytes.value())?;
            self.rows.insert(sequence, row);
        }
        self.events()?;
        self.keys()?;
        self.indexes()?;
        self.attempts()?;
        self.counters()
    }

    fn events(&mut self) -> Result<(), Fault> {
        let mut names = BTreeMap::new();
        for row in self.table(EVENT_IDS)?.iter()? {
            let (id, bytes) = row?;
            let id = EventId::parse(id.value()).unwrap();
            let record = record::decode_event_id(&id, bytes.value())?;
            names.insert(record.event.0, (id, record));
        }
        for row in self.table(EVENTS)?.iter()? {
            let (key, bytes) = row?;
            let key = key.value();
            let event = record::decode_event(EventKey(key), bytes.value())?;
            self.events.insert(key);
            let Some((id, named)) = names.remove(&key) else {
                self.expect(false, "an event without a name", key);
                continue;
            };
            self.expect(event.id == id, "a name of another event", &id);
            let first = named.first.map_or(0, |first| first.0);
            let made = self.rows.range(first..first + named.deliveries);
            let made = made.filter(|(_, row)| row.delivery.event.0 == key).count();
            self.expect(made as u64 == named.deliveries, "deliveries of", &id);
        }
        self.expect(names.is_empty(), "names without an event", names.keys());
        let lost: Vec<u64> = self
            .rows
            .iter()
            .filter(|(_, row)| !self.events.contains(&row.delivery.event.0))
            .map(|(sequence, _)| *sequence)
            .collect();
        self.expect(lost.is_empty(), "deliveries without an event", lost);
        Ok(())
    }

    fn keys(&mut self) -> Result<(), Fault> {
        let ids = self.table(EVENT_IDS)?;
        let mut used = BTreeSet::new();
        for row in self.table(IDEMPOTENCY)?.iter()? {
            let (place, bytes) = row?;
            let (owner, key) = place.value();
            let record: IdempotencyRecord = frame::decode("idempotency", &key, bytes.value())?;
            let is_known = ids.get(record.id.as_str())?.is_some();
            self.expect(is_known, "a key of no event", key);
            used.insert((record.used_at.0, owner.to_owned(), key.to_owned()));
        }
        let mut aged = BTreeSet::new();
        for row in self.table(IDEMPOTENCY_AGE)?.iter()? {
            let (place, _) = row?;
            let (used_at, owner, key) = place.value();
            aged.insert((used_at, owner.to_owned(), key.to_owned()));
        }
        self.expect(
            used == aged,
            "keys and their ages",
            (used.len(), aged.len()),
        );
        Ok(())
    }

    fn indexes(&mut self) -> Result<(), Fault> {
        let mut pending = BTreeSet::new();
        for row in self.table(PENDING)?.iter()? {
            pending.insert(row?.0.value());
        }
        let lanes = self.rows.values().filter_map(Row::lane_key).collect();
        self.expect(
            pending == lanes,
            "lanes and deliveries",
            pending.symmetric_difference(&lanes),
        );
        let mut history = BTreeSet::new();
        for row in self.table(HISTORY)?.iter()? {
            history.insert(row?.0.value());
        }
        let rows = self.rows.iter();
        let all = rows.map(|(sequence, row)| (row.delivery.hook.0, *sequence));
        let all: BTreeSet<_> = all.collect();
        self.expect(
            history == all,
            "history and deliveries",
            history.symmetric_difference(&all),
        );
        for row in self.table(REPLAYS)?.iter()? {
            let (event, sequence) = row?.0.value();
            let made = self.rows.get(&sequence);
            let fits = made.is_some_and(|row| row.delivery.event.0 == event);
            self.expect(fits, "a replay of nothing", (event, sequence));
        }
        let (hooks, tombstones) = (self.table(HOOKS)?, self.table(TOMBSTONES)?);
        let mut known = BTreeSet::new();
        for (table, name) in [(&hooks, "hooks"), (&tombstones, "tombstones")] {
            for row in table.iter()? {
                let (hook, bytes) = row?;
                let hook = hook.value();
                HookRecord::decode(name, HookId(hook), bytes.value())?;
                let is_new = known.insert(hook);
                self.expect(is_new, "a hook that is gone and is there", hook);
            }
        }
        let hooks: BTreeSet<u64> = all.into_iter().map(|(hook, _)| hook).collect();
        self.expect(
            hooks.is_subset(&known),
            "deliveries of no hook",
            hooks.difference(&known),
        );
        Ok(())
    }

    fn attempts(&mut self) -> Result<(), Fault> {
        let mut made = BTreeMap::<u64, u32>::new();
        for row in self.table(ATTEMPTS)?.iter()? {
            let (key, bytes) = row?;
            let (sequence, number) = key.value();
            rows::attempt(Sequence(sequence), number, bytes.value())?;
            let before = made.entry(sequence).or_default();
            *before += 1;
            let follows = *before == number;
            self.expect(follows, "a gap between attempts", (sequence, number));
        }
        let counted = self.rows.iter();
        let counted = counted.map(|(sequence, row)| (*sequence, row.delivery.attempts));
        let counted: BTreeMap<u64, u32> = counted.filter(|(_, attempts)| *attempts > 0).collect();
        self.expect(
            made == counted,
            "attempts and deliveries",
            (&made, &counted),
        );
        for row in self.table(PINS)?.iter()? {
            let (sequence, bytes) = row?;
            let sequence = sequence.value();
            record::decode_pin(Sequence(sequence), bytes.value())?;
            let is_known = self.rows.contains_key(&sequence);
            self.expect(is_known, "a pin of no delivery", sequence);
        }
        Ok(())
    }

    fn counters(&mut self) -> Result<(), Fault> {
        let counters = rows::counters(&self.table(META)?)?;
        let last = |rows: &ReadOnlyTable<u64, Bytes>| {
            let last = rows.last()?;
            Ok::<_, Fault>(last.map_or(0, |(key, _)| key.value()))
        };
        let sequence = last(&self.table(DELIVERIES)?)?;
        self.expect(sequence < counters.sequence, "the next sequence", counters);
        let event = last(&self.table(EVENTS)?)?;
        self.expect(event < counters.event, "the next event", counters);
        let hook = last(&self.table(HOOKS)?)?.max(last(&self.table(TOMBSTONES)?)?);
        self.expect(hook < counters.hook, "the next hook", counters);
        let events = self.table(EVENTS)?.len()?;
        self.expect(
            events == counters.events_accepted,
            "events accepted",
            (events, counters),
        );
        let attempts = self.table(ATTEMPTS)?.len()?;
        self.expect(
            attempts == counters.attempts_settled,
            "attempts settled",
            (attempts, counters),
        );
        Ok(())
    }
}
