//! What a disk can do to a store: lose power, refuse, forget, lag. The whole ledger runs over a
//! [`disk`] in memory that does each of them when told to, and what is left is held against the
//! model.
//!
//! Tests only. `POWER_CUT_SEEDS=5000` and `TORTURE=1` make them long; `make torture` sets both.

mod acks;
mod cross;
mod damage;
mod disk;
mod io_errors;
mod life;
mod power;
mod slow;
pub(super) mod stage;
mod step;
mod whole;

use std::io;

use redb::{Builder, Database, DatabaseError};

use super::space::Free;

pub(super) use disk::Disk;
pub(super) use disk::{Call, Failure, Ill};

/// What a database may lie on besides a file.
pub(super) trait Medium: Send + Sync {
    fn open(&self, builder: &Builder) -> Result<Database, DatabaseError>;

    /// Has what is clean in the cache read anew.
    fn evict(&self);

    fn free(&self) -> io::Result<Free>;
}

/// Whether all of it is wanted, however long it takes.
fn is_torture() -> bool {
    std::env::var_os("TORTURE").is_some()
}

/// A number out of the environment.
fn asked(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    let number = text.parse();
    Some(number.unwrap_or_else(|_| panic!("{variable} must be a number, is {text:?}")))
}
