//! Care of what is stored: that it does not grow for ever, that there is a copy of it, that it is
//! whole. What posts and delivers knows nothing of this.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{BoxFuture, Budget, StoreDown};
use crate::time::Timestamp;

pub trait Upkeep: Send + Sync {
    /// What lies in the store. From counters, but for the length of a file.
    fn stock(&self) -> Stock;

    /// One small step of retention: the oldest events that `retention` gives up go, with all that
    /// belongs to them; never one with a pending delivery, which is passed over. Idempotent: asked
    /// again, it goes on, and after a restart it begins anew. The budget bounds how many rows are
    /// looked at and removed, and how many bytes; an event of many deliveries goes in parts.
    fn sweep(
        &self,
        retention: Retention,
        budget: Budget,
    ) -> BoxFuture<'_, Result<Swept, StoreDown>>;

    /// A copy of everything as it is at one moment, in a new file: there once it is whole and was
    /// looked through. What holds the secrets' key is not in it.
    ///
    /// # Cancel safety
    /// Dropping the future does not end the work: `onward` does.
    fn backup(&self, to: PathBuf, onward: Onward) -> BoxFuture<'_, Result<Copied, UpkeepError>>;

    /// Gives back to the system what the file does not need. Meanwhile the store is down.
    ///
    /// # Cancel safety
    /// Once polled it is done even if the future is dropped.
    fn compact(&self) -> BoxFuture<'_, Result<Compacted, UpkeepError>>;

    /// Reads every record and follows every reference, as they are at one moment.
    ///
    /// # Cancel safety
    /// Dropping the future does not end the work: `onward` does.
    fn check(
        &self,
        findings_max: usize,
        onward: Onward,
    ) -> BoxFuture<'_, Result<Checked, UpkeepError>>;

    /// Takes a new key and seals everything that is secret under it, beside whatever else is done;
    /// answers when the old key is not needed any more and is gone. Copies from before need it.
    ///
    /// # Cancel safety
    /// Once polled the key is exchanged even if the future is dropped; what a restart cuts off goes
    /// on after it.
    fn rotate_key(&self) -> BoxFuture<'_, Result<Rotated, UpkeepError>>;

    /// Every key that there is, and those that records name beside them. Reads all that is sealed.
    fn keys(&self) -> BoxFuture<'_, Result<Vec<KeyUse>, UpkeepError>>;
}

/// What is kept, and how long. None: for ever, without bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// From when an event was accepted.
    pub age: Option<Duration>,
    /// Of [`Stock::live_bytes`]: the oldest events go until it fits.
    pub bytes: Option<u64>,
}

impl Retention {
    #[must_use]
    pub fn is_for_ever(&self) -> bool {
        self.age.is_none() && self.bytes.is_none()
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stock {
    /// The records of events, deliveries, attempts and pins. A file is longer: it has indexes, and
    /// room that was given up.
    pub live_bytes: u64,
    /// None: the store is no file.
    pub file_bytes: Option<u64>,
    /// Events that retention took, ever.
    pub events_swept: u64,
    /// When the oldest event that is there was accepted.
    pub oldest_event_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    pub events: u64,
    /// What of [`Stock::live_bytes`] went.
    pub bytes: u64,
    /// Events that were to go, but have something pending, or cannot be read.
    pub passed: u64,
    /// The budget ended the step: there is more to look at.
    pub more: bool,
}

/// How far a piece of work has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// What is at work, such as the name of a table.
    pub at: &'static str,
    pub rows: u64,
    pub bytes: u64,
}

/// Told of progress now and then; false: stop. Must not block.
pub type Onward = Arc<dyn Fn(Progress) -> bool + Send + Sync>;

/// What a copy holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    pub rows: u64,
    /// Of the records.
    pub bytes: u64,
    /// Of the file.
    pub file_bytes: u64,
    /// What is wrong with the copy, as it was with what was copied.
    pub checked: Checked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compacted {
    pub bytes_before: u64,
    pub bytes_after: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    pub rows: u64,
    pub bytes: u64,
    /// The first of them.
    pub findings: Vec<Finding>,
    /// How many there are in all.
    pub found: u64,
}

/// What an exchange of keys came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotated {
    /// Tells which key seals now, and nothing about it.
    pub key: String,
    /// Records that were sealed anew.
    pub resealed: u64,
    /// Records that do not open under any key: they stay as they are, and so do the keys that they
    /// name.
    pub left: u64,
}

/// A key, and what is sealed under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyUse {
    pub key: String,
    pub standing: KeyStanding,
    pub hooks: u64,
    pub pins: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyStanding {
    /// What is written now is sealed under it.
    Seals,
    /// It opens what was sealed under it.
    Opens,
    /// It is not in the key file.
    Missing,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub table: &'static str,
    pub key: String,
    pub what: String,
    /// What that means, and the way out.
    pub meaning: &'static str,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            table,
            key,
            what,
            meaning,
        } = self;
        write!(f, "{table}[{key}] {what}: {meaning}")
    }
}

#[derive(Debug, thiserror::Error)]
pub enum UpkeepError {
    #[error("this store is kept in memory: it has no file")]
    NoFile,
    #[error("{0} is at work in this store: wait for its end")]
    Busy(&'static str),
    #[error("it was stopped before its end: nothing is left of it")]
    Stopped,
    #[error("{} is there already: name another file, or move that one away", path.display())]
    Exists { path: PathBuf },
    #[error("cannot {doing} {}", path.display())]
    Io {
        doing: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("cannot {doing}")]
    Store {
        doing: &'static str,
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    #[error("the store cannot be used now")]
    Down(#[source] StoreDown),
}
