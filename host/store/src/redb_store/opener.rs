//! How the database is opened, at the start and after each fault.
//!
//! Tests put a medium of their own in the place of the file: one that fails, lags or forgets when
//! told to. Everybody else opens the file.

use std::path::{Path, PathBuf};

use redb::{Builder, Database, DatabaseError};

use super::fault::Fault;
use super::file;
use super::seal::Seal;
use super::space::Free;
use crate::config::StoreConfig;
use crate::error::StoreError;

pub(super) struct Opener {
    path: PathBuf,
    key_file: PathBuf,
    cache_bytes: usize,
    #[cfg(test)]
    pub(super) medium: Option<std::sync::Arc<dyn super::faults::Medium>>,
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
        let (database, key_id) = file::open(&self.path, || self.database())?;
        if !seal.knows(key_id) {
            return Err(self.wrong_key());
        }
        Ok(database)
    }

    fn database(&self) -> Result<Database, DatabaseError> {
        #[cfg(test)]
        if let Some(medium) = &self.medium {
            return medium.open(&self.builder());
        }
        self.builder().open(&self.path)
    }

    /// Looks how much of its disk is free.
    pub(super) fn free(&self) -> impl Fn() -> std::io::Result<Free> + Send + Sync + 'static {
        #[cfg(test)]
        let medium = self.medium.clone();
        let path = self.path.clone();
        move || {
            #[cfg(test)]
            if let Some(medium) = &medium {
                return medium.free();
            }
            Free::around(&path)
        }
    }

    /// After a sync that failed, Linux takes for clean what it could not write, and goes on to show
    /// it: later syncs would leave it out, and a power cut would uncover that. So whatever is clean
    /// is dropped from the system's memory, and what is read next comes from the disk.
    pub(super) fn evict(&self) {
        #[cfg(test)]
        if let Some(medium) = &self.medium {
            return medium.evict();
        }
        #[cfg(target_os = "linux")]
        {
            let evicted = std::fs::File::open(&self.path).and_then(|file| {
                Ok(rustix::fs::fadvise(
                    &file,
                    0,
                    None,
                    rustix::fs::Advice::DontNeed,
                )?)
            });
            if let Err(error) = evicted {
                tracing::warn!(%error, "what the system has in memory of the database cannot be dropped");
            }
        }
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
