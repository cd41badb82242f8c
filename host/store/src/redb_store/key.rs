//! The key file: 32 random bytes beside the database, readable by their owner only.
//!
//! It is made once, with the database, and never again: a database whose key file is gone or
//! another one is refused, because its secrets could not be read and new ones would be sealed
//! under a key that fits only half of them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use zeroize::Zeroizing;

use crate::error::StoreError;

pub(super) const KEY_BYTES: usize = 32;

pub(super) type Key = Zeroizing<[u8; KEY_BYTES]>;

/// Reads the key; none if there is no such file.
pub(super) fn read(key_file: &Path) -> Result<Option<Key>, StoreError> {
    let failed = |source| StoreError::Io {
        doing: "read the key file",
        path: key_file.to_owned(),
        source,
    };
    let mut file = match File::open(key_file) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let bytes = file.metadata().map_err(failed)?.len();
    if bytes != KEY_BYTES as u64 {
        return Err(StoreError::KeyMalformed {
            key_file: key_file.to_owned(),
            bytes,
        });
    }
    warn_if_shared(&file, key_file);
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    file.read_exact(&mut *key).map_err(failed)?;
    Ok(Some(key))
}

/// Makes a key and its file: whole or not at all, and never over an existing one.
pub(super) fn create(key_file: &Path) -> Result<Key, StoreError> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    getrandom::fill(&mut *key).map_err(StoreError::Random)?;
    let temp = super::file::temp_beside(key_file)?;
    let placed = write_new(&temp, &*key).and_then(|()| fs::hard_link(&temp, key_file));
    let removed = fs::remove_file(&temp);
    placed
        .and(removed)
        .and_then(|()| super::file::sync_folder(key_file))
        .map_err(|source| StoreError::Io {
            doing: "make the key file",
            path: key_file.to_owned(),
            source,
        })?;
    Ok(key)
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Not refused: some mounts show every file as open to all, and nothing can be done about it.
fn warn_if_shared(file: &File, key_file: &Path) {
    #[cfg(unix)]
    if let Ok(metadata) = file.metadata()
        && std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0
    {
        tracing::warn!(path = %key_file.display(), "the key file can be read by others: chmod 600 it");
    }
    #[cfg(not(unix))]
    let _ = (file, key_file);
}
