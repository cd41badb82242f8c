//! Why the embedded store could not be opened or closed. Each message names the file and the
//! way out; what goes wrong while it runs is the ports' `StoreDown`.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use whisperer_domain::port::UpkeepError;

/// What kind of trouble it is: who starts servers tells by it whether another start can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The database file is not one that can be used, and was left as it is.
    Data,
    /// What is configured, or lies where it is configured, is not what it has to be.
    Setup,
    /// Somebody else uses it.
    InUse,
    /// A disk, a file system or the system failed: it may have passed by the next time.
    System,
}

impl StoreError {
    #[must_use]
    pub fn trouble(&self) -> Trouble {
        match self {
            Self::Foreign { .. }
            | Self::Damaged { .. }
            | Self::Newer { .. }
            | Self::Empty { .. }
            | Self::Unrepaired { .. } => Trouble::Data,
            Self::Folder { .. }
            | Self::NoFile { .. }
            | Self::Dangling { .. }
            | Self::KeyMissing { .. }
            | Self::KeyWrong { .. }
            | Self::KeyMalformed { .. }
            | Self::KeysMax { .. }
            | Self::Missing { .. } => Trouble::Setup,
            Self::Locked { .. } => Trouble::InUse,
            Self::Io { source, .. } if is_forbidden(source) => Trouble::Setup,
            Self::Io { .. }
            | Self::Database { .. }
            | Self::Thread(_)
            | Self::Random(_)
            | Self::Reopening(_)
            | Self::Closed
            | Self::OldKeysKept { .. }
            | Self::NotNow { .. }
            | Self::Upkeep(_) => Trouble::System,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{} is a folder: name a file for the database", path.display())]
    Folder { path: PathBuf },
    #[error("{} is a pipe, a socket or a device: name a file for the database", path.display())]
    NoFile { path: PathBuf },
    #[error(
        "{} is a link to {}, which is not there: mount what it lies on, or name another file",
        path.display(), target.display()
    )]
    Dangling { path: PathBuf, target: PathBuf },
    #[error(
        "{} is empty, though its key file {} exists: restore a backup, or remove the empty file to \
         begin anew",
        path.display(), key_file.display()
    )]
    Empty { path: PathBuf, key_file: PathBuf },
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
    #[error("cannot {doing} {}{}", path.display(), way_out(source))]
    Io {
        doing: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot {doing} the database {}", path.display())]
    Database {
        doing: &'static str,
        path: PathBuf,
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    #[error("cannot start the thread that writes")]
    Thread(#[source] io::Error),
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

/// Access that is not given stays so until somebody gives it.
fn is_forbidden(error: &io::Error) -> bool {
    use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem)
}

fn way_out(error: &io::Error) -> &'static str {
    if is_forbidden(error) {
        ", which the user of this process may not: let it read and write there, or name another place"
    } else {
        ""
    }
}
