//! Care of a file that no server has open: the same work, and putting a copy in a store's place.
//!
//! A look writes nothing. A file that was not closed in order cannot be read before redb repaired
//! it, which writes: it is said so, and done only to a copy or where it is asked for.

use std::fs;
use std::io;
use std::path::Path;

use redb::ReadableDatabase;
use whisperer_domain::port::{Checked, Compacted, Copied, Onward, UpkeepError};

use super::file::{self, Found};
use super::key;
use super::opener::Opener;
use super::seal::Seal;
use super::{check, copy};
use crate::config::StoreConfig;
use crate::error::StoreError;

/// What came of putting a copy in place.
#[derive(Clone, Debug)]
pub struct Restored {
    pub bytes: u64,
    pub checked: Checked,
    /// The key file is there, and fits.
    pub has_key: bool,
}

/// Looks through the file at `config.path`. `deep`: redb looks through its own structures first,
/// for which it must open the file for writing, and repairs what a crash left.
///
/// # Errors
/// The file is not ours, is in use, cannot be read, or must be repaired first.
pub fn check_file(
    config: &StoreConfig,
    deep: bool,
    findings_max: usize,
    onward: &Onward,
) -> Result<Checked, StoreError> {
    let opener = Opener::new(config);
    let path = &config.path;
    must_be_there(path)?;
    if deep {
        file::look(path)?;
        let (mut database, _) = file::open(path, || opener.builder().open(path))?;
        let is_whole = file::guarded(path, || database.check_integrity())?;
        let is_whole = is_whole.map_err(|source| StoreError::Database {
            doing: "look through the pages of",
            path: path.clone(),
            source: Box::new(source),
        })?;
        if !is_whole {
            tracing::warn!("redb mended its own structures");
        }
        return looked_through(config, &database, findings_max, onward);
    }
    let database = file::read_only(path, &opener.builder())?;
    looked_through(config, &database, findings_max, onward)
}

fn looked_through(
    config: &StoreConfig,
    database: &impl ReadableDatabase,
    findings_max: usize,
    onward: &Onward,
) -> Result<Checked, StoreError> {
    // Without the key the rest can be looked at all the same.
    let seal = key::read(&config.key_file)?.and_then(Seal::of);
    file::guarded(&config.path, || {
        let txn = database.begin_read();
        let txn = txn.map_err(|error| StoreError::Database {
            doing: "read",
            path: config.path.clone(),
            source: Box::new(error),
        })?;
        Ok(check::run(&txn, seal.as_ref(), findings_max, onward)?)
    })?
}

/// Copies the database at `config.path` into a new file.
///
/// # Errors
/// As [`check_file`], or the copy cannot be made.
pub fn backup_file(config: &StoreConfig, to: &Path, onward: &Onward) -> Result<Copied, StoreError> {
    let path = &config.path;
    must_be_there(path)?;
    let database = file::read_only(path, &Opener::new(config).builder())?;
    file::guarded(path, || {
        let txn = database.begin_read();
        let txn = txn.map_err(|error| StoreError::Database {
            doing: "read",
            path: path.clone(),
            source: Box::new(error),
        })?;
        Ok(copy::copy(&txn, to, onward)?)
    })?
}

/// Gives back what the file at `config.path` does not need.
///
/// # Errors
/// As [`check_file`], or the file cannot be written.
pub fn compact_file(config: &StoreConfig) -> Result<Compacted, StoreError> {
    let path = &config.path;
    must_be_there(path)?;
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| StoreError::Database {
        doing: "compact",
        path: path.clone(),
        source,
    };
    file::look(path)?;
    let opener = Opener::new(config);
    // Refuses what is not ours before anything is opened for writing.
    file::inspect(path, &opener.builder())?;
    let (mut database, _) = file::open(path, || opener.builder().open(path))?;
    let bytes_before = file_bytes(path)?;
    file::guarded(path, || database.compact())?.map_err(|error| failed(Box::new(error)))?;
    database.close().map_err(|error| failed(Box::new(error)))?;
    Ok(Compacted {
        bytes_before,
        bytes_after: file_bytes(path)?,
    })
}

/// Puts a copy of `from` where `config` says that the database is, if there is none. It is looked
/// through before it gets its name: with findings it does, only if `even_damaged`.
///
/// # Errors
/// There is a database, `from` is not ours or damaged, the key file belongs to another one.
pub fn restore(
    from: &Path,
    config: &StoreConfig,
    even_damaged: bool,
    onward: &Onward,
) -> Result<(Restored, bool), StoreError> {
    let to = &config.path;
    must_be_there(from)?;
    if file::look(to)? == Found::Database {
        return Err(UpkeepError::Exists { path: to.clone() }.into());
    }
    let opener = Opener::new(config);
    file::look(from)?;
    let key_id = file::inspect(from, &opener.builder())?;
    let key = key::read(&config.key_file)?;
    let seal = key.and_then(Seal::of);
    let temp = file::temp_beside(to)?;
    let done = copied(from, &temp, onward).and_then(|bytes| {
        // Opening it for writing also repairs it, should `from` have been taken from a server
        // that ran.
        let (database, found) = file::open(&temp, || opener.builder().open(&temp))?;
        if let Some(seal) = &seal
            && !seal.knows(key_id.unwrap_or(found))
        {
            return Err(opener.wrong_key());
        }
        let checked = file::guarded(from, || {
            let txn = database.begin_read();
            let txn = txn.map_err(|error| StoreError::Database {
                doing: "read",
                path: from.to_owned(),
                source: Box::new(error),
            })?;
            Ok::<_, StoreError>(check::run(&txn, seal.as_ref(), FINDINGS_MAX, onward)?)
        })??;
        database.close().map_err(|error| StoreError::Database {
            doing: "close",
            path: from.to_owned(),
            source: Box::new(error),
        })?;
        let restored = Restored {
            bytes,
            checked,
            has_key: seal.is_some(),
        };
        if restored.checked.found > 0 && !even_damaged {
            return Ok((restored, false));
        }
        remove_empty(to)?;
        copy::give_name(&temp, to)?;
        Ok((restored, true))
    });
    // Gone already, or garbage.
    let _ = fs::remove_file(&temp);
    done
}

/// What a restoring says of a damaged copy.
const FINDINGS_MAX: usize = 20;

fn copied(from: &Path, temp: &Path, onward: &Onward) -> Result<u64, StoreError> {
    let failed = |source| StoreError::Io {
        doing: "copy",
        path: from.to_owned(),
        source,
    };
    let mut source = fs::File::open(from).map_err(failed)?;
    let mut target = file::private_file(temp).map_err(failed)?;
    let bytes = io::copy(&mut source, &mut target).map_err(failed)?;
    target.sync_all().map_err(failed)?;
    let progress = whisperer_domain::port::Progress {
        at: "the file",
        rows: 0,
        bytes,
    };
    if onward(progress) {
        Ok(bytes)
    } else {
        Err(UpkeepError::Stopped.into())
    }
}

/// An empty file is what a first start that was cut off may leave; [`file::look`] takes it for none.
fn remove_empty(path: &Path) -> Result<(), StoreError> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.len() == 0 => {
            fs::remove_file(path).map_err(|source| StoreError::Io {
                doing: "replace the empty file",
                path: path.to_owned(),
                source,
            })
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

fn must_be_there(path: &Path) -> Result<(), StoreError> {
    match file::look(path)? {
        Found::Database => Ok(()),
        Found::Nothing | Found::Empty => Err(StoreError::Missing {
            path: path.to_owned(),
        }),
    }
}

fn file_bytes(path: &Path) -> Result<u64, StoreError> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(metadata.len()),
        Err(source) => Err(StoreError::Io {
            doing: "look at",
            path: path.to_owned(),
            source,
        }),
    }
}
