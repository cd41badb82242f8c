//! Whether a store is whole: every record of every table is read, every reference followed, every
//! number held against what it counts. All under one snapshot, so that what is compared belongs
//! together; nothing is written.
//!
//! One snapshot, and not slices: what is written between two slices would have to be told apart
//! from what is wrong. What it costs is that pages which are freed meanwhile cannot be used again
//! before its end, which is seconds for a gigabyte.
//!
//! What lies in a table by its key alone is checked from both sides, so that neither a reference
//! without its record nor a record that nothing leads to goes unnoticed.

mod catalog;
mod deliveries;
mod events;

use std::fmt::Display;

use redb::{
    AccessGuard, Key, ReadOnlyTable, ReadTransaction, StorageError, TableDefinition, TableError,
    Value,
};
use whisperer_domain::port::{Checked, Finding, Onward, Progress, UpkeepError};

use super::fault::Fault;
use super::file;
use super::record::Counters;
use super::rows;
use super::seal::Seal;
use super::tables::{
    ATTEMPTS, Bytes, DELIVERIES, EVENT_FILTERS, EVENT_IDS, EVENTS, HISTORY, META, PENDING, PINS,
    REPLAYS,
};

/// Rows between two looks at whether to go on.
const LOOK_ROWS: u64 = 1000;

const RESTORE: &str = "what it held is lost; restore a backup if it is needed";
const NUMBERS: &str =
    "what is written next may take the place of something else; restore a backup before serving it";

/// A file of an older format lacks some tables.
type Maybe<K, V> = Option<ReadOnlyTable<K, V>>;

/// What is looked at from several sides.
struct There {
    events: Maybe<u64, Bytes>,
    event_ids: Maybe<&'static str, Bytes>,
    event_filters: Maybe<u64, Bytes>,
    replays: Maybe<(u64, u64), ()>,
    deliveries: Maybe<u64, Bytes>,
    pending: Maybe<(u64, u64, u64), ()>,
    history: Maybe<(u64, u64), ()>,
    pins: Maybe<u64, Bytes>,
    attempts: Maybe<(u64, u32), Bytes>,
}

struct Checking<'a> {
    txn: &'a ReadTransaction,
    there: There,
    counters: Counters,
    /// Of the records that retention counts.
    live_bytes: u64,
    seal: Option<&'a Seal>,
    onward: &'a Onward,
    progress: Progress,
    checked: Checked,
    findings_max: usize,
}

/// Without a seal, whether the secrets of hooks open is not asked.
pub(super) fn run(
    txn: &ReadTransaction,
    seal: Option<&Seal>,
    findings_max: usize,
    onward: &Onward,
) -> Result<Checked, UpkeepError> {
    let mut checking = Checking {
        txn,
        there: There {
            events: open(txn, EVENTS)?,
            event_ids: open(txn, EVENT_IDS)?,
            event_filters: open(txn, EVENT_FILTERS)?,
            replays: open(txn, REPLAYS)?,
            deliveries: open(txn, DELIVERIES)?,
            pending: open(txn, PENDING)?,
            history: open(txn, HISTORY)?,
            pins: open(txn, PINS)?,
            attempts: open(txn, ATTEMPTS)?,
        },
        counters: Counters::FIRST,
        live_bytes: 0,
        seal,
        onward,
        progress: Progress::default(),
        checked: Checked::default(),
        findings_max,
    };
    let schema = checking.meta()?;
    let known = checking.catalog()?;
    checking.events()?;
    checking.names()?;
    checking.idempotency()?;
    checking.deliveries(&known)?;
    checking.indexes()?;
    checking.attempts_and_pins()?;
    checking.lanes(&known)?;
    checking.sums(schema);
    let Progress { rows, bytes, .. } = checking.progress;
    checking.checked.rows = rows;
    checking.checked.bytes = bytes;
    Ok(checking.checked)
}

impl Checking<'_> {
    fn find(
        &mut self,
        table: &'static str,
        key: &dyn Display,
        what: impl Into<String>,
        meaning: &'static str,
    ) {
        self.checked.found += 1;
        if self.checked.findings.len() < self.findings_max {
            self.checked.findings.push(Finding {
                table,
                key: key.to_string(),
                what: what.into(),
                meaning,
            });
        }
    }

    /// Damage is a finding, any other fault the end.
    fn unless_damaged<T>(
        &mut self,
        read: Result<T, Fault>,
        meaning: &'static str,
    ) -> Result<Option<T>, UpkeepError> {
        match read {
            Ok(value) => Ok(Some(value)),
            Err(Fault::Damaged { table, key, what }) => {
                self.find(table, &key, what, meaning);
                Ok(None)
            }
            Err(fault @ (Fault::Database(_) | Fault::Random(_) | Fault::Absent)) => {
                Err(failed(fault))
            }
        }
    }

    /// A row more is read.
    fn passed(&mut self, at: &'static str, bytes: usize) -> Result<(), UpkeepError> {
        self.progress.at = at;
        self.progress.rows += 1;
        self.progress.bytes += bytes as u64;
        if self.progress.rows.is_multiple_of(LOOK_ROWS) && !(self.onward)(self.progress) {
            return Err(UpkeepError::Stopped);
        }
        Ok(())
    }

    /// Answers the format.
    fn meta(&mut self) -> Result<u32, UpkeepError> {
        let meta = open(self.txn, META)?;
        for row in all(&meta)? {
            let (key, bytes) = row.map_err(failed)?;
            self.passed("meta", key.value().len() + bytes.value().len())?;
        }
        let Some(meta) = meta else {
            self.find("meta", &"*", "is missing", RESTORE);
            return Ok(0);
        };
        let schema = file::schema(&meta);
        let schema = self.unless_damaged(schema, RESTORE)?.unwrap_or_default();
        let counters = rows::counters(&meta);
        if let Some(counters) = self.unless_damaged(counters, NUMBERS)? {
            self.counters = counters;
        }
        Ok(schema)
    }

    fn sums(&mut self, schema: u32) {
        let counters = self.counters;
        let counted = counters.kept.live_bytes;
        if schema >= file::SCHEMA_COUNTED && counted != self.live_bytes {
            let what = format!("says {counted} live bytes, there are {}", self.live_bytes);
            let meaning = "retention by size goes by the wrong number; nothing is lost by it";
            self.find("meta", &rows::COUNTERS, what, meaning);
        }
        if counters.events_accepted.saturating_add(1) != counters.event {
            let what = format!(
                "says {} events were accepted, and that the next is number {}",
                counters.events_accepted, counters.event
            );
            self.find("meta", &rows::COUNTERS, what, NUMBERS);
        }
    }
}

fn open<K: Key + 'static, V: Value + 'static>(
    txn: &ReadTransaction,
    definition: TableDefinition<'static, K, V>,
) -> Result<Maybe<K, V>, UpkeepError> {
    match txn.open_table(definition) {
        Ok(table) => Ok(Some(table)),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

type Row<'a, K, V> = Result<(AccessGuard<'a, K>, AccessGuard<'a, V>), StorageError>;

fn all<K: Key + 'static, V: Value + 'static>(
    table: &Maybe<K, V>,
) -> Result<impl Iterator<Item = Row<'static, K, V>> + use<K, V>, UpkeepError> {
    let rows = table
        .as_ref()
        .map(|table| table.range::<K::SelfType<'_>>(..));
    let rows = rows.transpose().map_err(failed)?;
    Ok(rows.into_iter().flatten())
}

fn has<K: Key + 'static, V: Value + 'static>(
    table: &Maybe<K, V>,
    key: K::SelfType<'_>,
) -> Result<bool, UpkeepError> {
    match table {
        Some(table) => Ok(table.get(key).map_err(failed)?.is_some()),
        None => Ok(false),
    }
}

fn failed(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> UpkeepError {
    UpkeepError::Store {
        doing: "read the store",
        source: source.into(),
    }
}
