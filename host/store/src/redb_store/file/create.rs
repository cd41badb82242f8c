//! The first start: a database is built under another name and then linked to its own, so that
//! whoever finds a file under that name finds a whole database, and two first starts at once cannot
//! replace each other's.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use redb::Builder;
use redb::backends::FileBackend;
use whisperer_domain::event_type::OMS_CATALOGUE;
use whisperer_domain::news::NEWS_TYPES;

use super::{
    KEY_ID_KEY, SCHEMA_KEY, SCHEMA_VERSION, SENTINEL, SENTINEL_KEY, private_file, put_type,
    sync_folder, temp_beside,
};
use crate::error::StoreError;
use crate::redb_store::record::{Counters, encode_counters};
use crate::redb_store::seal::Seal;
use crate::redb_store::tables::Tables;
use crate::redb_store::{frame, rows};

/// Makes the database with its first rows, under another name, then gives it its own. If
/// somebody else was faster, theirs stays.
pub(in crate::redb_store) fn create(
    path: &Path,
    builder: &Builder,
    seal: &Seal,
) -> Result<(), StoreError> {
    let temp = temp_beside(path)?;
    let built = build(&temp, builder, seal).map_err(|source| StoreError::Database {
        doing: "make",
        path: path.to_owned(),
        source,
    });
    let placed = built.and_then(|()| {
        place(&temp, path).map_err(|source| StoreError::Io {
            doing: "make the database",
            path: path.to_owned(),
            source,
        })
    });
    // A leftover is garbage, not harm: its name is never used again.
    let _ = fs::remove_file(&temp);
    placed
}

fn build(
    temp: &Path,
    builder: &Builder,
    seal: &Seal,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let file = FileBackend::new(private_file(temp)?)?;
    let database = builder.create_with_backend(file)?;
    let txn = database.begin_write()?;
    {
        let mut tables = Tables::open(&txn)?;
        let meta = &mut tables.meta;
        meta.insert(SENTINEL_KEY, &*frame::encode(&SENTINEL))?;
        meta.insert(SCHEMA_KEY, &*frame::encode(&SCHEMA_VERSION))?;
        meta.insert(KEY_ID_KEY, &*frame::encode(&seal.key_id()))?;
        meta.insert(rows::COUNTERS, &*encode_counters(&Counters::FIRST))?;
        for name in OMS_CATALOGUE.into_iter().chain(NEWS_TYPES) {
            put_type(&mut tables, name)?;
        }
    }
    txn.commit()?;
    database.close()?;
    Ok(())
}

fn place(temp: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(temp, path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => replace_empty(temp, path)?,
        Err(error) => return Err(error),
    }
    sync_folder(path)
}

/// Takes the place of an empty file, if it still is empty: under its lock, so that of two who
/// try only one does.
fn replace_empty(temp: &Path, path: &Path) -> io::Result<()> {
    let empty = File::open(path)?;
    empty.try_lock()?;
    if fs::metadata(path)?.len() == 0 {
        fs::rename(temp, path)?;
    }
    Ok(())
}
