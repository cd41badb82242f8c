//! The tables of the database file, each opened once per transaction.
//!
//! Keys are plain integers and text so that redb keeps them in our order; values are framed
//! records (`frame`), never redb's own value types, whose decoding cannot fail politely.

use redb::{
    Key, ReadOnlyTable, ReadTransaction, Table, TableDefinition, TableHandle, Value,
    WriteTransaction,
};
use whisperer_domain::port::UpkeepError;

use super::fault::Fault;

pub(super) type Bytes = &'static [u8];
type Rows<K> = TableDefinition<'static, K, Bytes>;
type Index<K> = TableDefinition<'static, K, ()>;

/// Sentinel, schema version, key id and counters.
pub(super) const META: Rows<&str> = TableDefinition::new("meta");
/// By event key; the payload, once.
pub(super) const EVENTS: Rows<u64> = TableDefinition::new("events");
/// By the poster's id.
pub(super) const EVENT_IDS: Rows<&str> = TableDefinition::new("event_ids");
/// By token owner and key.
pub(super) const IDEMPOTENCY: Rows<(&str, &str)> = TableDefinition::new("idempotency");
/// Idempotency keys by when they were first used, so that old ones are found.
pub(super) const IDEMPOTENCY_AGE: Index<(u64, &str, &str)> =
    TableDefinition::new("idempotency_age");
/// By sequence.
pub(super) const DELIVERIES: Rows<u64> = TableDefinition::new("deliveries");
/// Hook, due, sequence; in ordered lanes the place instead of the due time: what each lane holds.
pub(super) const PENDING: Index<(u64, u64, u64)> = TableDefinition::new("pending");
/// Hook, sequence.
pub(super) const HISTORY: Index<(u64, u64)> = TableDefinition::new("history");
/// By sequence.
pub(super) const PINS: Rows<u64> = TableDefinition::new("pins");
/// Sequence, number.
pub(super) const ATTEMPTS: Rows<(u64, u32)> = TableDefinition::new("attempts");
pub(super) const HOOKS: Rows<u64> = TableDefinition::new("hooks");
/// Deleted hooks without their secrets, for their history.
pub(super) const TOMBSTONES: Rows<u64> = TableDefinition::new("tombstones");
/// Event, sequence: deliveries that were not made when the event was accepted.
pub(super) const REPLAYS: Index<(u64, u64)> = TableDefinition::new("replays");
/// By event key: the poster's `config_filter`, of the few events that came with one.
pub(super) const EVENT_FILTERS: Rows<u64> = TableDefinition::new("event_filters");
/// What selections mean, still to be carried out; by the order in which they came.
pub(super) const DIRECTIVES: Rows<u64> = TableDefinition::new("directives");
/// Hook, sequence below which everything pending is cancelled.
pub(super) const CANCELLATIONS: Rows<(u64, u64)> = TableDefinition::new("cancellations");
/// By hook: how its receiver does, where there is something to say.
pub(super) const LANES: Rows<u64> = TableDefinition::new("lanes");
pub(super) const EVENT_TYPES: Rows<&str> = TableDefinition::new("event_types");
/// By the SHA-256 of the token.
pub(super) const TOKENS: Rows<Bytes> = TableDefinition::new("tokens");
pub(super) const PLUGINS: Rows<&str> = TableDefinition::new("plugins");
/// What was changed by whom, by number.
pub(super) const AUDIT: Rows<u64> = TableDefinition::new("audit");

/// Something that is done with every table.
pub(super) trait OfEach {
    fn table<K: Key + 'static, V: Value + 'static>(
        &mut self,
        table: TableDefinition<'static, K, V>,
    ) -> Result<(), UpkeepError>;
}

/// How many tables there are.
pub(super) const TABLES: usize = 21;

/// Whoever adds a table adds it here: a copy of the store is made of these.
pub(super) fn each(work: &mut impl OfEach) -> Result<(), UpkeepError> {
    work.table(META)?;
    work.table(EVENTS)?;
    work.table(EVENT_IDS)?;
    work.table(IDEMPOTENCY)?;
    work.table(IDEMPOTENCY_AGE)?;
    work.table(DELIVERIES)?;
    work.table(PENDING)?;
    work.table(HISTORY)?;
    work.table(PINS)?;
    work.table(ATTEMPTS)?;
    work.table(HOOKS)?;
    work.table(TOMBSTONES)?;
    work.table(REPLAYS)?;
    work.table(EVENT_FILTERS)?;
    work.table(DIRECTIVES)?;
    work.table(CANCELLATIONS)?;
    work.table(LANES)?;
    work.table(EVENT_TYPES)?;
    work.table(TOKENS)?;
    work.table(PLUGINS)?;
    work.table(AUDIT)
}

/// All tables, for the writer.
pub(super) struct Tables<'txn> {
    pub(super) meta: Table<'txn, &'static str, Bytes>,
    pub(super) events: Table<'txn, u64, Bytes>,
    pub(super) event_ids: Table<'txn, &'static str, Bytes>,
    pub(super) idempotency: Table<'txn, (&'static str, &'static str), Bytes>,
    pub(super) idempotency_age: Table<'txn, (u64, &'static str, &'static str), ()>,
    pub(super) deliveries: Table<'txn, u64, Bytes>,
    pub(super) pending: Table<'txn, (u64, u64, u64), ()>,
    pub(super) history: Table<'txn, (u64, u64), ()>,
    pub(super) pins: Table<'txn, u64, Bytes>,
    pub(super) attempts: Table<'txn, (u64, u32), Bytes>,
    pub(super) replays: Table<'txn, (u64, u64), ()>,
    pub(super) event_filters: Table<'txn, u64, Bytes>,
    pub(super) directives: Table<'txn, u64, Bytes>,
    pub(super) hooks: Table<'txn, u64, Bytes>,
    pub(super) tombstones: Table<'txn, u64, Bytes>,
    pub(super) cancellations: Table<'txn, (u64, u64), Bytes>,
    pub(super) lanes: Table<'txn, u64, Bytes>,
    pub(super) event_types: Table<'txn, &'static str, Bytes>,
    pub(super) tokens: Table<'txn, Bytes, Bytes>,
    pub(super) plugins: Table<'txn, &'static str, Bytes>,
    pub(super) audit: Table<'txn, u64, Bytes>,
}

impl<'txn> Tables<'txn> {
    /// Makes the tables that are not there yet.
    pub(super) fn open(txn: &'txn WriteTransaction) -> Result<Self, Fault> {
        Ok(Self {
            meta: txn.open_table(META)?,
            events: txn.open_table(EVENTS)?,
            event_ids: txn.open_table(EVENT_IDS)?,
            idempotency: txn.open_table(IDEMPOTENCY)?,
            idempotency_age: txn.open_table(IDEMPOTENCY_AGE)?,
            deliveries: txn.open_table(DELIVERIES)?,
            pending: txn.open_table(PENDING)?,
            history: txn.open_table(HISTORY)?,
            pins: txn.open_table(PINS)?,
            attempts: txn.open_table(ATTEMPTS)?,
            replays: txn.open_table(REPLAYS)?,
            event_filters: txn.open_table(EVENT_FILTERS)?,
            directives: txn.open_table(DIRECTIVES)?,
            hooks: txn.open_table(HOOKS)?,
            tombstones: txn.open_table(TOMBSTONES)?,
            cancellations: txn.open_table(CANCELLATIONS)?,
            lanes: txn.open_table(LANES)?,
            event_types: txn.open_table(EVENT_TYPES)?,
            tokens: txn.open_table(TOKENS)?,
            plugins: txn.open_table(PLUGINS)?,
            audit: txn.open_table(AUDIT)?,
        })
    }
}

/// What is read of deliveries, at one moment.
pub(super) struct Views {
    pub(super) events: ReadOnlyTable<u64, Bytes>,
    pub(super) event_ids: ReadOnlyTable<&'static str, Bytes>,
    pub(super) event_filters: ReadOnlyTable<u64, Bytes>,
    pub(super) replays: ReadOnlyTable<(u64, u64), ()>,
    pub(super) deliveries: ReadOnlyTable<u64, Bytes>,
    pub(super) pending: ReadOnlyTable<(u64, u64, u64), ()>,
    pub(super) history: ReadOnlyTable<(u64, u64), ()>,
    pub(super) pins: ReadOnlyTable<u64, Bytes>,
    pub(super) attempts: ReadOnlyTable<(u64, u32), Bytes>,
    pub(super) tombstones: ReadOnlyTable<u64, Bytes>,
    pub(super) cancellations: ReadOnlyTable<(u64, u64), Bytes>,
    pub(super) lanes: ReadOnlyTable<u64, Bytes>,
    pub(super) audit: ReadOnlyTable<u64, Bytes>,
}

impl Views {
    pub(super) fn open(txn: &ReadTransaction) -> Result<Self, Fault> {
        Ok(Self {
            events: txn.open_table(EVENTS)?,
            event_ids: txn.open_table(EVENT_IDS)?,
            event_filters: txn.open_table(EVENT_FILTERS)?,
            replays: txn.open_table(REPLAYS)?,
            deliveries: txn.open_table(DELIVERIES)?,
            pending: txn.open_table(PENDING)?,
            history: txn.open_table(HISTORY)?,
            pins: txn.open_table(PINS)?,
            attempts: txn.open_table(ATTEMPTS)?,
            tombstones: txn.open_table(TOMBSTONES)?,
            cancellations: txn.open_table(CANCELLATIONS)?,
            lanes: txn.open_table(LANES)?,
            audit: txn.open_table(AUDIT)?,
        })
    }
}

/// Whether tables are missing that files of the first format have not.
pub(super) fn are_incomplete(txn: &ReadTransaction) -> Result<bool, Fault> {
    Ok(!has_table(txn, &REPLAYS)?
        || !has_table(txn, &EVENT_FILTERS)?
        || !has_table(txn, &DIRECTIVES)?
        || !has_table(txn, &AUDIT)?
        || !has_table(txn, &LANES)?)
}

/// Whether the file holds a table of this name, whatever is in it.
pub(super) fn has_table(txn: &ReadTransaction, table: &impl TableHandle) -> Result<bool, Fault> {
    let mut tables = txn.list_tables()?;
    Ok(tables.any(|found| found.name() == table.name()))
}
