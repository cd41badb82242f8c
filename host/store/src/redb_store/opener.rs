//! How the database is opened, at the start and after each fault.
//!
//! Tests put a medium in between that fails when told to; everybody else opens the file.

use std::path::{Path, PathBuf};

use redb::{Builder, Database};

use super::fault::Fault;
use super::file;
use super::seal::Seal;
use crate::config::StoreConfig;
use crate::error::StoreError;

pub(super) struct Opener {
    path: PathBuf,
    key_file: PathBuf,
    cache_bytes: usize,
    #[cfg(test)]
    pub(super) medium: Option<super::faulty_medium::Faults>,
}

impl Opener {
    pub(super) fn new(config: &StoreConfig) -> Self {
        Self {
            path: config.path.clone(),
            key_file: config.key_file.clone(),
            cache_bytes: config.cache_bytes,
            #[cfg(test)]
            medium: None,
        }
    }

    pub(super) fn key_file(&self) -> &Path {
        &self.key_file
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens what exists; never makes anything. The file belongs to one of the keys.
    pub(super) fn open(&self, seal: &Seal) -> Result<Database, StoreError> {
        #[cfg(test)]
        if let Some(faults) = &self.medium {
            return faults.open(&self.path, &self.builder()).map_err(|source| {
                StoreError::Database {
                    doing: "open",
                    path: self.path.clone(),
                    source: Box::new(source),
                }
            });
        }
        let (database, key_id) = file::open(&self.path, &self.builder())?;
        if !seal.knows(key_id) {
            return Err(self.wrong_key());
        }
        Ok(database)
    }

    pub(super) fn builder(&self) -> Builder {
        let mut builder = Builder::new();
        builder.set_cache_size(self.cache_bytes);
        let path = self.path.clone();
        builder.set_repair_callback(move |repair| {
            let percent = (repair.progress() * 100.0).round();
            tracing::info!(path = %path.display(), percent, "the database is repaired after a crash");
        });
        builder
    }

    pub(super) fn wrong_key(&self) -> StoreError {
        StoreError::KeyWrong {
            key_file: self.key_file.clone(),
            path: self.path.clone(),
        }
    }

    pub(super) fn failed(&self, doing: &'static str, fault: Fault) -> StoreError {
        let path = self.path.clone();
        match fault {
            Fault::Damaged { .. } => StoreError::Damaged {
                path,
                what: fault.to_string(),
            },
            Fault::Random(source) => StoreError::Random(source),
            Fault::Database(source) => StoreError::Database {
                doing,
                path,
                source,
            },
            Fault::Absent => StoreError::Closed,
        }
    }
}
