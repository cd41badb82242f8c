//! What files of older formats lack, and get when they are opened.

use redb::{Database, ReadableDatabase, ReadableTable};
use whisperer_domain::news::NEWS_TYPES;

use super::{SCHEMA_COUNTED, SCHEMA_KEY, SCHEMA_VERSION, UNSEALED_KEY, put_type, schema};
use crate::redb_store::fault::Fault;
use crate::redb_store::record::{Kept, encode_counters};
use crate::redb_store::tables::{self, META, Tables};
use crate::redb_store::{frame, rows};

/// Files from before it lack the types of operational events.
const SCHEMA_WITH_NEWS: u32 = 3;
/// Files from before it hold pins in clear.
const SCHEMA_WITH_SEALED_PINS: u32 = 4;

/// Gives an older file what it lacks. Records stay as they are: each is read in any of its forms.
pub(in crate::redb_store) fn bring_up_to_date(database: &Database) -> Result<(), Fault> {
    let txn = database.begin_read()?;
    let schema = schema(&txn.open_table(META)?)?;
    let kept = rows::counters(&txn.open_table(META)?)?.kept;
    // Of an empty store that is what is, and counted in no time.
    let is_counted = schema >= SCHEMA_COUNTED && kept != Kept::default();
    if schema == SCHEMA_VERSION && !tables::are_incomplete(&txn)? && is_counted {
        return Ok(());
    }
    drop(txn);
    let txn = database.begin_write()?;
    {
        let mut tables = Tables::open(&txn)?;
        if schema < SCHEMA_WITH_NEWS {
            for name in NEWS_TYPES {
                put_type(&mut tables, name)?;
            }
        }
        if !is_counted {
            let live_bytes = live_bytes(&tables)?;
            if live_bytes == 0 && schema == SCHEMA_VERSION {
                return Ok(());
            }
            let mut counters = rows::counters(&tables.meta)?;
            counters.kept.live_bytes = live_bytes;
            let counters = encode_counters(&counters);
            tables.meta.insert(rows::COUNTERS, &*counters)?;
        }
        if schema < SCHEMA_WITH_SEALED_PINS {
            tables.meta.insert(UNSEALED_KEY, &*frame::encode(&()))?;
        }
        let version = frame::encode(&SCHEMA_VERSION);
        tables.meta.insert(SCHEMA_KEY, &*version)?;
    }
    txn.commit()?;
    tracing::info!(
        from = schema,
        to = SCHEMA_VERSION,
        "the database was brought up to date"
    );
    Ok(())
}

/// Reads all of it, once in the life of a file.
fn live_bytes(tables: &Tables<'_>) -> Result<u64, Fault> {
    let mut bytes = 0;
    for row in tables.events.iter()? {
        bytes += row?.1.value().len();
    }
    for row in tables.deliveries.iter()? {
        bytes += row?.1.value().len();
    }
    for row in tables.attempts.iter()? {
        bytes += row?.1.value().len();
    }
    for row in tables.pins.iter()? {
        bytes += row?.1.value().len();
    }
    Ok(bytes as u64)
}
