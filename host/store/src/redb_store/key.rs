//! The key file: one or more keys of 32 random bytes, one after the other, readable by their owner
//! only. The first seals; the others open what was sealed before it took their place.
//!
//! It is made once, with the database, and never again: a database whose key file is gone or
//! another one is refused, because its secrets could not be read and new ones would be sealed
//! under a key that fits only half of them. A rotation puts a key before the others, and takes those
//! away under which nothing is sealed any more; whenever it is cut off, the file is one of the two.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use whisperer_domain::secret::Secret;
use zeroize::Zeroizing;

use crate::error::StoreError;

pub(super) const KEY_BYTES: usize = 32;
/// More than rotations can leave behind in a good life.
pub(super) const KEYS_MAX: usize = 8;

/// A key in clear, for as long as it is used.
pub(super) type Bare = Zeroizing<[u8; KEY_BYTES]>;

/// A key, closed in memory like every secret.
#[derive(Clone)]
pub(super) struct Key(Secret);

impl Key {
    pub(super) fn new(bytes: &Bare) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        // Of its final length from the start: what grows leaves copies behind.
        let mut text = String::with_capacity(2 * KEY_BYTES);
        for byte in bytes.iter() {
            text.push(char::from(DIGITS[usize::from(byte >> 4)]));
            text.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
        Self(Secret::new(text))
    }

    pub(super) fn random() -> Result<Self, StoreError> {
        let mut bytes = Bare::default();
        getrandom::fill(&mut *bytes).map_err(StoreError::Random)?;
        Ok(Self::new(&bytes))
    }

    pub(super) fn bare(&self) -> Bare {
        let text = self.0.expose();
        let digit = |at: usize| match text.as_bytes()[at] {
            digit @ b'0'..=b'9' => digit - b'0',
            letter => letter - b'a' + 10,
        };
        let mut bytes = Bare::default();
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = digit(2 * at) << 4 | digit(2 * at + 1);
        }
        bytes
    }
}

/// Reads the keys, at least one; none if there is no such file.
pub(super) fn read(key_file: &Path) -> Result<Option<Vec<Key>>, StoreError> {
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
    let keys = usize::try_from(bytes).unwrap_or(usize::MAX) / KEY_BYTES;
    if bytes % KEY_BYTES as u64 != 0 || !(1..=KEYS_MAX).contains(&keys) {
        return Err(StoreError::KeyMalformed {
            key_file: key_file.to_owned(),
            bytes,
        });
    }
    warn_if_shared(&file, key_file);
    let mut ring = Vec::with_capacity(keys);
    for _ in 0..keys {
        let mut bytes = Bare::default();
        file.read_exact(&mut *bytes).map_err(failed)?;
        ring.push(Key::new(&bytes));
    }
    Ok(Some(ring))
}

/// Makes a key and its file: whole or not at all, and never over an existing one.
pub(super) fn create(key_file: &Path) -> Result<Key, StoreError> {
    let key = Key::random()?;
    let temp = super::file::temp_beside(key_file)?;
    let placed = write_new(&temp, &*key.bare()).and_then(|()| fs::hard_link(&temp, key_file));
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

/// Puts these keys in the place of what the file holds: the old ones or the new ones are there
/// whenever this is cut off, and the new ones once it returns.
pub(super) fn replace(key_file: &Path, ring: &[Key]) -> Result<(), StoreError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(ring.len() * KEY_BYTES));
    for key in ring {
        bytes.extend_from_slice(&*key.bare());
    }
    let temp = super::file::temp_beside(key_file)?;
    let placed = write_new(&temp, &bytes)
        .and_then(|()| keep_owner(key_file, &temp))
        .and_then(|()| fs::rename(&temp, key_file));
    if placed.is_err() {
        let _ = fs::remove_file(&temp);
    }
    placed
        .and_then(|()| super::file::sync_folder(key_file))
        .map_err(|source| StoreError::Io {
            doing: "write the key file",
            path: key_file.to_owned(),
            source,
        })
}

/// Takes away what an exchange that was cut off left beside the key file: keys lie in it. To be called
/// by whoever has the database to itself.
pub(super) fn sweep(key_file: &Path) {
    let folder = match key_file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    let swept = fs::read_dir(folder).and_then(|entries| {
        for entry in entries {
            let path = entry?.path();
            if super::file::is_temp_beside(key_file, &path) {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    });
    if let Err(error) = swept {
        tracing::warn!(%error, folder = %folder.display(), "leftovers of keys cannot be removed");
    }
}

/// Root may exchange the keys of a server that runs as somebody else, and that must be able to read
/// them.
fn keep_owner(key_file: &Path, temp: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt as _, chown};
        match fs::metadata(key_file) {
            Ok(old) => chown(temp, Some(old.uid()), Some(old.gid()))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    #[cfg(not(unix))]
    let _ = (key_file, temp);
    Ok(())
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
