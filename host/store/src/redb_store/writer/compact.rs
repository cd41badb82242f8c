//! Compacting the file: a declared stop of the store. redb wants the database for itself, so reads
//! and writes are refused meanwhile, and those reads that are under way are waited for.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use redb::{CompactionError, Database};
use whisperer_domain::port::{Compacted, StoreHealth, UpkeepError};

use super::{End, Writer};
use crate::redb_store::command::Reply;
use crate::redb_store::fault::Fault;

/// Reads that are under way end soon: each is bounded.
const READERS_TIME_MAX: Duration = Duration::from_secs(30);
const READERS_LOOK_EVERY: Duration = Duration::from_millis(2);

impl Writer {
    /// Some: meanwhile it was told to end.
    pub(super) fn compact(&mut self, reply: Reply<Result<Compacted, UpkeepError>>) -> Option<End> {
        // From here on no copy or check begins.
        let Some(_alone) = self.shared.long_reads.alone() else {
            let _ = reply.send(Err(UpkeepError::Busy("a backup or a check")));
            return None;
        };
        let started = Instant::now();
        tracing::info!("the store is compacted: it is down meanwhile");
        self.shared.set_health(StoreHealth::Compacting);
        let done = self.compact_file();
        let broke = match &done {
            Ok(compacted) => {
                let Compacted {
                    bytes_before,
                    bytes_after,
                } = compacted;
                let took_ms = started.elapsed().as_millis();
                tracing::info!(bytes_before, bytes_after, took_ms, "the store is compacted");
                None
            }
            Err(UpkeepError::Store { source, .. }) => Some(source.to_string()),
            Err(error) => {
                tracing::warn!(%error, "the store was not compacted");
                None
            }
        };
        let ended = match broke {
            Some(reason) => self.reopen(&reason),
            None => {
                self.resume(self.state.clone());
                None
            }
        };
        let _ = reply.send(done);
        ended
    }

    fn compact_file(&self) -> Result<Compacted, UpkeepError> {
        let bytes_before = self.file_bytes()?;
        let Some(mut database) = self.shared.take_database() else {
            return Err(broken(Fault::Absent));
        };
        let done = catch_unwind(AssertUnwindSafe(|| wait_and_compact(&mut database)));
        match done {
            Ok(Ok(())) => {}
            Ok(Err(CompactionError::TransactionInProgress)) => {
                self.shared.put_database(database);
                return Err(UpkeepError::Busy("a read that does not end"));
            }
            Ok(Err(error)) => return Err(broken(error)),
            Err(_panic) => return Err(broken("redb broke off")),
        }
        self.shared.put_database(database);
        Ok(Compacted {
            bytes_before,
            bytes_after: self.file_bytes()?,
        })
    }

    fn file_bytes(&self) -> Result<u64, UpkeepError> {
        let path = self.opener.path();
        match std::fs::metadata(path) {
            Ok(metadata) => Ok(metadata.len()),
            Err(source) => Err(UpkeepError::Io {
                doing: "look at",
                path: path.to_owned(),
                source,
            }),
        }
    }
}

fn wait_and_compact(database: &mut Database) -> Result<(), CompactionError> {
    let until = Instant::now() + READERS_TIME_MAX;
    loop {
        match database.compact() {
            Err(CompactionError::TransactionInProgress) if Instant::now() < until => {
                std::thread::sleep(READERS_LOOK_EVERY);
            }
            Ok(_) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

fn broken(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> UpkeepError {
    UpkeepError::Store {
        doing: "compact the store: it is opened anew",
        source: source.into(),
    }
}
