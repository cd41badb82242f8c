//! A medium that fails when told to, to see what an I/O error does.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::backends::FileBackend;
use redb::{Builder, Database, DatabaseError, StorageBackend};

/// The switches of a medium.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    /// The next sync fails, once.
    pub(super) next_sync: Arc<AtomicBool>,
    /// Opening fails until it is switched off.
    pub(super) opening: Arc<AtomicBool>,
}

impl Faults {
    pub(super) fn open(&self, path: &Path, builder: &Builder) -> Result<Database, DatabaseError> {
        if self.opening.load(Ordering::SeqCst) {
            return Err(io::Error::other("the test keeps it shut").into());
        }
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        builder.create_with_backend(FaultyMedium {
            file: FileBackend::new(file)?,
            faults: self.clone(),
        })
    }
}

#[derive(Debug)]
struct FaultyMedium {
    file: FileBackend,
    faults: Faults,
}

/// Locks are left out: they are the real file's business, and tested there.
impl StorageBackend for FaultyMedium {
    fn len(&self) -> Result<u64, io::Error> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        if self.faults.next_sync.swap(false, Ordering::SeqCst) {
            return Err(io::Error::other("the test fails this sync"));
        }
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        self.file.write(offset, data)
    }

    fn close(&self) -> Result<(), io::Error> {
        self.file.close()
    }
}
