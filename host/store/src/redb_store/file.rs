//! The database file: made whole or not at all, opened only if it is ours.
//!
//! A file that is not ours, that is damaged or that a newer version wrote is refused and left as
//! it is: it is first looked at read-only, and only a file that proved ours, or that redb must
//! repair after a crash before anything can be read, is opened for writing.

mod create;
mod upgrade;

use std::fs::{self, File};
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use redb::{
    Builder, Database, DatabaseError, ReadOnlyDatabase, ReadTransaction, ReadableDatabase,
    ReadableTable, StorageError,
};
use whisperer_domain::event_type::EventTypeInfo;

use super::aside::Aside;
use super::fault::Fault;
use super::frame;
use super::record::encode_event_type;
use super::seal::{KeyId, Seal};
use super::state::State;
use super::tables::{self, Bytes, META, Tables};
use crate::error::StoreError;

pub(super) use create::create;
pub(super) use upgrade::bring_up_to_date;

/// 2: with tables for replays, filters of events and directives, and tails on two records.
/// 3: with a table of what lanes learn, places of deliveries in ordered lanes, and the types of
/// operational events.
/// 4: with keys for signing that are on their way out or come in pairs, sealed headers in pins, and
/// a count of what lies in it.
const SCHEMA_VERSION: u32 = 4;
/// Files from before it do not say what lies in them.
pub(super) const SCHEMA_COUNTED: u32 = 4;
/// Files from here on are opened, and brought up to date by it.
const SCHEMA_OLDEST: u32 = 1;
const SENTINEL: &str = "whisperer store";
const SENTINEL_KEY: &str = "what";
const SCHEMA_KEY: &str = "schema";
pub(super) const KEY_ID_KEY: &str = "key";
/// There while pins may lie in clear, as they did in older files.
pub(super) const UNSEALED_KEY: &str = "unsealed";
/// How a redb file begins.
const MAGIC: &[u8] = b"redb";

/// What is found at the path before anything is made or opened.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    /// A file without a byte.
    Empty,
    Database,
}

pub(super) fn look(path: &Path) -> Result<Found, StoreError> {
    let failed = |source| StoreError::Io {
        doing: "read the database",
        path: path.to_owned(),
        source,
    };
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // Most likely what it leads to is not mounted.
            return match fs::read_link(path) {
                Ok(target) => Err(StoreError::Dangling {
                    path: path.to_owned(),
                    target,
                }),
                Err(_) => Ok(Found::Nothing),
            };
        }
        Err(error) => return Err(failed(error)),
    };
    if metadata.is_dir() {
        return Err(StoreError::Folder {
            path: path.to_owned(),
        });
    }
    // Opening a pipe would wait for somebody to write into it.
    if !metadata.is_file() {
        return Err(StoreError::NoFile {
            path: path.to_owned(),
        });
    }
    if metadata.len() == 0 {
        return Ok(Found::Empty);
    }
    let mut head = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAGIC.len() as u64).read_to_end(&mut head))
        .map_err(failed)?;
    if head != MAGIC {
        return Err(StoreError::Foreign {
            path: path.to_owned(),
            found: "it is no redb file".to_owned(),
        });
    }
    Ok(Found::Database)
}

/// A built-in event type, unless somebody has put one of this name.
fn put_type(tables: &mut Tables<'_>, name: &str) -> Result<(), Fault> {
    if tables.event_types.get(name)?.is_none() {
        let info = encode_event_type(&EventTypeInfo::default());
        tables.event_types.insert(name, &*info)?;
    }
    Ok(())
}

/// Payloads and targets lie in it in clear: nobody else on the machine reads them.
pub(super) fn private_file(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Opens it for looking, if it is ours.
pub(super) fn read_only(path: &Path, builder: &Builder) -> Result<ReadOnlyDatabase, StoreError> {
    let opened = guarded(path, || builder.open_read_only(path))?;
    let database = opened.map_err(|error| match error {
        DatabaseError::RepairAborted => StoreError::Unrepaired {
            path: path.to_owned(),
        },
        error => refusal(path, error),
    })?;
    guarded(path, || {
        let txn = database
            .begin_read()
            .map_err(|error| damage(path, &error.into()))?;
        check(path, &txn)
    })??;
    Ok(database)
}

/// The format that a file says it has.
pub(super) fn schema(meta: &impl ReadableTable<&'static str, Bytes>) -> Result<u32, Fault> {
    match meta.get(SCHEMA_KEY)? {
        Some(bytes) => frame::decode("meta", &SCHEMA_KEY, bytes.value()),
        None => Err(frame::damaged("meta", &SCHEMA_KEY, "is missing")),
    }
}

/// Refuses what is not ours without touching it; answers whose key sealed its secrets. None: it
/// must be repaired before it can be read.
pub(super) fn inspect(path: &Path, builder: &Builder) -> Result<Option<KeyId>, StoreError> {
    let opened = guarded(path, || builder.open_read_only(path))?;
    let database = match opened {
        Ok(database) => database,
        Err(DatabaseError::RepairAborted) => return Ok(None),
        Err(error) => return Err(refusal(path, error)),
    };
    guarded(path, || {
        let txn = database
            .begin_read()
            .map_err(|error| damage(path, &error.into()))?;
        check(path, &txn).map(Some)
    })?
}

/// Reads what every start reads, before anything is written to the file.
pub(super) fn try_to_load(path: &Path, builder: &Builder, seal: &Seal) -> Result<(), StoreError> {
    guarded(path, || {
        let database = builder
            .open_read_only(path)
            .map_err(|error| refusal(path, error))?;
        let txn = database
            .begin_read()
            .map_err(|error| damage(path, &error.into()))?;
        // Older files lack tables, and get them when they are opened.
        if tables::are_incomplete(&txn).map_err(|fault| damage(path, &fault))? {
            return Ok(());
        }
        // What it has to say is said when the store is loaded in earnest.
        let silent = tracing::subscriber::NoSubscriber::default();
        tracing::subscriber::with_default(silent, || State::load(&txn, seal))
            .map(drop)
            .map_err(|fault| damage(path, &fault))
    })?
}

/// Reads all of a file that is not larger than that, and holds every page against its checksum:
/// what is damaged but for the records' own checksums would be found by nobody else.
pub(super) fn verify(path: &Path, mut builder: Builder, bytes_max: u64) -> Result<(), StoreError> {
    let failed = |source| StoreError::Io {
        doing: "read the database",
        path: path.to_owned(),
        source,
    };
    let aside = Aside::over(path).map_err(failed)?;
    if fs::metadata(path).map_err(failed)?.len() > bytes_max {
        return Ok(());
    }
    builder.set_check_integrity_on_open(true);
    builder.set_repair_callback(|_| {});
    let checked = guarded(path, || builder.create_with_backend(aside).map(drop))
        .and_then(|checked| checked.map_err(|error| refusal(path, error)));
    checked.map_err(|error| {
        // Perhaps somebody else began to write it meanwhile: then that is what is to be said.
        match guarded(path, || builder.open_read_only(path)) {
            Ok(Err(reason @ DatabaseError::DatabaseAlreadyOpen)) => refusal(path, reason),
            Ok(Ok(_) | Err(_)) | Err(_) => error,
        }
    })
}

/// Opens for writing a file that [`inspect`] let through, and looks again.
pub(super) fn open(
    path: &Path,
    open: impl FnOnce() -> Result<Database, DatabaseError>,
) -> Result<(Database, KeyId), StoreError> {
    let database = guarded(path, open)?.map_err(|error| refusal(path, error))?;
    let key_id = guarded(path, || {
        let txn = database
            .begin_read()
            .map_err(|error| damage(path, &error.into()))?;
        check(path, &txn)
    })??;
    Ok((database, key_id))
}

fn check(path: &Path, txn: &ReadTransaction) -> Result<KeyId, StoreError> {
    let damage = |fault: Fault| damage(path, &fault);
    let foreign = |found: &str| StoreError::Foreign {
        path: path.to_owned(),
        found: found.to_owned(),
    };
    if !tables::has_table(txn, &META).map_err(damage)? {
        return Err(foreign("it is the redb file of another program"));
    }
    let Ok(meta) = txn.open_table(META) else {
        return Err(foreign("it is the redb file of another program"));
    };
    let read = |key: &'static str| meta.get(key).map_err(|error| damage(error.into()));
    let Some(sentinel) = read(SENTINEL_KEY)? else {
        return Err(foreign("it is the redb file of another program"));
    };
    let sentinel: &str = frame::decode("meta", &SENTINEL_KEY, sentinel.value()).map_err(damage)?;
    if sentinel != SENTINEL {
        return Err(foreign("it is the redb file of another program"));
    }
    let missing = |key: &'static str| damage(frame::damaged("meta", &key, "is missing"));
    let schema = read(SCHEMA_KEY)?.ok_or_else(|| missing(SCHEMA_KEY))?;
    let schema: u32 = frame::decode("meta", &SCHEMA_KEY, schema.value()).map_err(damage)?;
    if !(SCHEMA_OLDEST..=SCHEMA_VERSION).contains(&schema) {
        return Err(StoreError::Newer {
            path: path.to_owned(),
            found: schema,
            known: SCHEMA_VERSION,
        });
    }
    let key_id = read(KEY_ID_KEY)?.ok_or_else(|| missing(KEY_ID_KEY))?;
    frame::decode("meta", &KEY_ID_KEY, key_id.value()).map_err(damage)
}

/// redb may panic over a file that somebody altered: that is damage too.
pub(super) fn guarded<T>(path: &Path, work: impl FnOnce() -> T) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| StoreError::Damaged {
        path: path.to_owned(),
        what: "redb broke off over it".to_owned(),
    })
}

fn damage(path: &Path, fault: &Fault) -> StoreError {
    let what = match fault {
        Fault::Database(source) => source.to_string(),
        Fault::Damaged { .. } | Fault::Random(_) | Fault::Absent => fault.to_string(),
    };
    StoreError::Damaged {
        path: path.to_owned(),
        what,
    }
}

fn refusal(path: &Path, error: DatabaseError) -> StoreError {
    let path = path.to_owned();
    match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => {
            StoreError::Locked { path }
        }
        DatabaseError::UpgradeRequired(version) => StoreError::Foreign {
            path,
            found: format!("it has the format {version} of another redb"),
        },
        DatabaseError::Storage(StorageError::Corrupted(what)) => StoreError::Damaged { path, what },
        DatabaseError::Storage(StorageError::Io(error))
            if matches!(
                error.kind(),
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
            ) =>
        {
            StoreError::Damaged {
                path,
                what: error.to_string(),
            }
        }
        DatabaseError::Storage(StorageError::Io(source)) => StoreError::Io {
            doing: "open the database",
            path,
            source,
        },
        // redb's enum may grow: what it adds is at least reported.
        other => StoreError::Database {
            doing: "open",
            path,
            source: Box::new(other),
        },
    }
}

/// A name that nobody else uses, in the same folder.
pub(super) fn temp_beside(path: &Path) -> Result<PathBuf, StoreError> {
    let chance = getrandom::u64().map_err(StoreError::Random)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{chance:016x}.creating"));
    Ok(path.with_file_name(name))
}

/// Whether it is one of those names, left behind.
pub(super) fn is_temp_beside(path: &Path, found: &Path) -> bool {
    let name = |path: &Path| Some(path.file_name()?.to_str()?.to_owned());
    let Some((name, found)) = name(path).zip(name(found)) else {
        return false;
    };
    found
        .strip_prefix(&name)
        .and_then(|rest| rest.strip_prefix('.'))
        .and_then(|rest| rest.strip_suffix(".creating"))
        .is_some_and(|chance| chance.len() == 16)
}

/// Makes a new name in a folder durable.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            Some(_) | None => Path::new("."),
        };
        File::open(folder)?.sync_all()?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}
