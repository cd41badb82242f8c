//! What the disk gives: records in a database that commits many at a time, each commit durable
//! before the next begins; and plain appends to a file, each synced.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use redb::{Database, Durability, TableDefinition};
use serde::Serialize;

use crate::quantiles::{Quantiles, Times};
use crate::usage::own_thread_secs;

const TABLE: TableDefinition<u64, &[u8]> = TableDefinition::new("records");
const APPENDED_BYTES: usize = 4_096;

#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Disk {
    pub(crate) of_64: Record,
    pub(crate) of_256: Record,
    /// `fdatasync` after an append of 4 KiB.
    pub(crate) sync: Quantiles,
}

/// What one record costs in a commit of several.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Record {
    /// Of a processor.
    pub(crate) cpu_us: f64,
    /// By the clock, the wait for the disk included.
    pub(crate) whole_us: f64,
}

impl Disk {
    /// In a folder on the disk in question; each of the three parts takes so long.
    pub(crate) fn measure(
        folder: &Path,
        record_bytes: usize,
        lasts: Duration,
    ) -> anyhow::Result<Self> {
        let scratch = tempfile::Builder::new()
            .prefix("whisperer-bench-disk-")
            .tempdir_in(folder)?;
        let record = vec![b'x'; record_bytes];
        Ok(Self {
            of_64: records(&scratch.path().join("64.redb"), &record, 64, lasts)?,
            of_256: records(&scratch.path().join("256.redb"), &record, 256, lasts)?,
            sync: appends(&scratch.path().join("appended"), lasts)
                .context("appending to a file")?,
        })
    }
}

fn records(file: &Path, record: &[u8], batch: u64, lasts: Duration) -> anyhow::Result<Record> {
    let database = Database::create(file)?;
    let mut next = 0;
    let mut commit = || -> anyhow::Result<()> {
        let mut txn = database.begin_write()?;
        txn.set_durability(Durability::Immediate)?;
        {
            let mut table = txn.open_table(TABLE)?;
            for key in next..next + batch {
                table.insert(key, record)?;
            }
        }
        next += batch;
        Ok(txn.commit()?)
    };
    // The first makes the table and lets the file grow.
    commit()?;
    let (start, before) = (Instant::now(), own_thread_secs());
    let mut records = 0;
    while start.elapsed() < lasts {
        commit()?;
        records += batch;
    }
    let (took, after) = (start.elapsed(), own_thread_secs());
    let each = |secs: f64| 1e6 * secs / records.max(1) as f64;
    Ok(Record {
        cpu_us: each(after - before),
        whole_us: each(took.as_secs_f64()),
    })
}

fn appends(file: &Path, lasts: Duration) -> anyhow::Result<Quantiles> {
    let mut file = File::create(file)?;
    let block = [b'x'; APPENDED_BYTES];
    let (start, mut times) = (Instant::now(), Times::new());
    while start.elapsed() < lasts {
        let begin = Instant::now();
        file.write_all(&block)?;
        file.sync_data()?;
        times.note_us(u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX));
    }
    Ok(times.quantiles())
}
