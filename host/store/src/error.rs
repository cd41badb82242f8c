//! Why the embedded store could not be opened or closed. Each message names the file and the
//! way out; what goes wrong while it runs is the ports' `StoreDown`.

use std::error::Error;
use std::path::PathBuf;

use whisperer_domain::port::UpkeepError;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{} is a folder: name a file for the database", path.display())]
    Folder { path: PathBuf },
    #[error(
        "{} is not a database of whisperer ({found}): it was left as it is; move it away or name \
         another file",
        path.display()
    )]
    Foreign { path: PathBuf, found: String },
    #[error(
        "{} is damaged ({what}): it was left as it is; restore a backup or move it away",
        path.display()
    )]
    Damaged { path: PathBuf, what: String },
    #[error(
        "{} was written by a newer whisperer (format {found}, this one knows {known}): start that \
         version, or name another file",
        path.display()
    )]
    Newer {
        path: PathBuf,
        found: u32,
        known: u32,
    },
    #[error("{} is in use by another process: stop that one first, or name another file", path.display())]
    Locked { path: PathBuf },
    #[error(
        "the key file {} is missing, but the database {} exists: put the key file back, without \
         it the secrets of the hooks cannot be read",
        key_file.display(), path.display()
    )]
    KeyMissing { key_file: PathBuf, path: PathBuf },
    #[error(
        "the key file {} does not belong to the database {}: put back the one that does",
        key_file.display(), path.display()
    )]
    KeyWrong { key_file: PathBuf, path: PathBuf },
    #[error(
        "the key file {} has {bytes} bytes, which is not one to eight keys of 32: put back the right \
         one",
        key_file.display()
    )]
    KeyMalformed { key_file: PathBuf, bytes: u64 },
    #[error(
        "the key file {} holds {keys} keys, which is the most: records that do not open keep the \
         older ones there (`whisperer keys show` counts them); write the secrets of their hooks anew \
         and restart",
        key_file.display()
    )]
    KeysMax { key_file: PathBuf, keys: usize },
    #[error(
        "everything is sealed under the new key, but the old one is still in the key file {} \
         ({reason}): the next start takes it out",
        key_file.display()
    )]
    OldKeysKept { key_file: PathBuf, reason: String },
    #[error("the store does not do that now: {reason}")]
    NotNow { reason: String },
    #[error("cannot {doing} {}", path.display())]
    Io {
        doing: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("cannot {doing} the database {}", path.display())]
    Database {
        doing: &'static str,
        path: PathBuf,
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    #[error("cannot start the thread that writes")]
    Thread(#[source] std::io::Error),
    #[error("the system gives no random bytes")]
    Random(#[source] getrandom::Error),
    #[error("the store was being reopened when it was to be closed: {0}")]
    Reopening(String),
    #[error("the store is closed already")]
    Closed,
    #[error("there is no database at {}: name another file or folder", path.display())]
    Missing { path: PathBuf },
    #[error(
        "{} was not closed in order, and must be repaired before it can be read: start the server \
         on it, or check it with --deep, which repairs it",
        path.display()
    )]
    Unrepaired { path: PathBuf },
    #[error(transparent)]
    Upkeep(#[from] UpkeepError),
}
