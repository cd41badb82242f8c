//! A copy of the store in a new file: every row of every table as it lies, at one moment.
//!
//! The rows are read under one snapshot and put into a new database a piece at a time, so that a
//! store of any size is copied in little memory; the file is as long as what is in it, without the
//! room that the original gave up. It stands under another name until it is whole, on disk, and was
//! looked through; then it gets its own, which nobody else may have. What a copy that was cut off
//! leaves behind is a file `….creating`, and can be deleted.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use redb::backends::FileBackend;
use redb::{
    Builder, Database, Key, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition,
    TableError, TableHandle, Value,
};
use whisperer_domain::port::{Checked, Copied, Onward, Progress, UpkeepError};

use super::tables::{self, OfEach};
use super::{check, file};

/// What one transaction puts in: it is held in memory until it is written.
const PIECE_BYTES: usize = 16 << 20;
const PIECE_ROWS: usize = 100_000;
/// Rows between two looks at whether to go on.
const LOOK_ROWS: u64 = 1000;
const CACHE_BYTES: usize = 32 << 20;
/// A copy as damaged as its original is a copy all the same, and says so.
const FINDINGS_MAX: usize = 20;

/// Takes the temporary file away, unless it was given its name.
struct Temp(PathBuf);

impl Drop for Temp {
    fn drop(&mut self) {
        // After the end it has another name, and this one is gone already.
        let _ = fs::remove_file(&self.0);
    }
}

pub(super) fn copy(
    from: &ReadTransaction,
    to: &Path,
    onward: &Onward,
) -> Result<Copied, UpkeepError> {
    let is_taken = || UpkeepError::Exists {
        path: to.to_owned(),
    };
    if to.symlink_metadata().is_ok() {
        return Err(is_taken());
    }
    knows_all_tables(from)?;
    let temp = file::temp_beside(to).map_err(|error| failed("name", error))?;
    let made = file::private_file(&temp);
    let made = made.map_err(|source| at_file("make a file beside", to, source))?;
    let temp = Temp(temp);
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    let backend = FileBackend::new(made).map_err(|error| failed("make", error))?;
    let database = builder
        .create_with_backend(backend)
        .map_err(|error| failed("make", error))?;
    let mut copying = Copying {
        from,
        to: &database,
        onward,
        progress: Progress::default(),
    };
    tables::each(&mut copying)?;
    let Progress { rows, bytes, .. } = copying.progress;
    let checked = look_through(&database, onward)?;
    if checked.rows != rows {
        let words = format!("{} of {rows} rows are in the copy", checked.rows);
        return Err(failed("copy the store", words));
    }
    database.close().map_err(|error| failed("close", error))?;
    give_name(&temp.0, to)?;
    let file_bytes = fs::metadata(to).map_err(|source| at_file("look at", to, source))?;
    Ok(Copied {
        rows,
        bytes,
        file_bytes: file_bytes.len(),
        checked,
    })
}

/// A table that this version does not know would be missing in the copy.
fn knows_all_tables(from: &ReadTransaction) -> Result<(), UpkeepError> {
    struct Names(Vec<String>);
    impl OfEach for Names {
        fn table<K: Key + 'static, V: Value + 'static>(
            &mut self,
            table: TableDefinition<'static, K, V>,
        ) -> Result<(), UpkeepError> {
            self.0.push(table.name().to_owned());
            Ok(())
        }
    }
    let mut known = Names(Vec::with_capacity(tables::TABLES));
    tables::each(&mut known)?;
    let mut there = from
        .list_tables()
        .map_err(|error| failed("list tables", error))?;
    match there.find(|table| !known.0.iter().any(|name| name == table.name())) {
        None => Ok(()),
        Some(table) => {
            let words = format!("this version does not know the table {}", table.name());
            Err(failed("copy the store", words))
        }
    }
}

fn look_through(database: &Database, onward: &Onward) -> Result<Checked, UpkeepError> {
    let txn = database
        .begin_read()
        .map_err(|error| failed("read the copy", error))?;
    check::run(&txn, None, FINDINGS_MAX, onward)
}

/// Never over another file: a link fails where a renaming would replace. Where the file system
/// has no links the name is looked at just before.
pub(super) fn give_name(temp: &Path, to: &Path) -> Result<(), UpkeepError> {
    match fs::hard_link(temp, to) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(UpkeepError::Exists {
                path: to.to_owned(),
            });
        }
        Err(_) if to.symlink_metadata().is_ok() => {
            return Err(UpkeepError::Exists {
                path: to.to_owned(),
            });
        }
        Err(_) => fs::rename(temp, to).map_err(|source| at_file("make", to, source))?,
    }
    file::sync_folder(to).map_err(|source| at_file("make", to, source))
}

struct Copying<'a> {
    from: &'a ReadTransaction,
    to: &'a Database,
    onward: &'a Onward,
    progress: Progress,
}

impl OfEach for Copying<'_> {
    fn table<K: Key + 'static, V: Value + 'static>(
        &mut self,
        definition: TableDefinition<'static, K, V>,
    ) -> Result<(), UpkeepError> {
        let read = |error| failed("read the store", error);
        let table = match self.from.open_table(definition) {
            Ok(table) => table,
            Err(TableError::TableDoesNotExist(_)) => return Ok(()),
            Err(error) => return Err(failed("read the store", error)),
        };
        self.progress.at = name_of(definition.name());
        let mut rows = table.iter().map_err(read)?;
        loop {
            let txn = self.to.begin_write();
            let txn = txn.map_err(|error| failed("write the copy", error))?;
            let mut target = txn
                .open_table(definition)
                .map_err(|error| failed("write the copy", error))?;
            let (mut piece_rows, mut piece_bytes) = (0, 0);
            while piece_rows < PIECE_ROWS && piece_bytes < PIECE_BYTES {
                let Some(row) = rows.next() else { break };
                let (key, value) = row.map_err(read)?;
                let (key, value) = (key.value(), value.value());
                let bytes = K::as_bytes(&key).as_ref().len() + V::as_bytes(&value).as_ref().len();
                target
                    .insert(key, value)
                    .map_err(|error| failed("write the copy", error))?;
                piece_rows += 1;
                piece_bytes += bytes;
                self.progress.rows += 1;
                self.progress.bytes += bytes as u64;
                if self.progress.rows.is_multiple_of(LOOK_ROWS) && !(self.onward)(self.progress) {
                    return Err(UpkeepError::Stopped);
                }
            }
            drop(target);
            txn.commit()
                .map_err(|error| failed("write the copy", error))?;
            if piece_rows < PIECE_ROWS && piece_bytes < PIECE_BYTES {
                return Ok(());
            }
        }
    }
}

/// For progress, which names tables by names that live as long as the program.
fn name_of(name: &str) -> &'static str {
    match name {
        "events" => "events",
        "deliveries" => "deliveries",
        "attempts" => "attempts",
        "pins" => "pins",
        "history" => "history",
        "pending" => "pending",
        _ => "other records",
    }
}

fn at_file(doing: &'static str, path: &Path, source: io::Error) -> UpkeepError {
    UpkeepError::Io {
        doing,
        path: path.to_owned(),
        source,
    }
}

fn failed(
    doing: &'static str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> UpkeepError {
    UpkeepError::Store {
        doing,
        source: source.into(),
    }
}
