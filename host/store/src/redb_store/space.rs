//! How much of the disk is free, looked at with each write and every second: while it is less than
//! is to be kept back, no events are accepted, so that there is room for what becomes of those that
//! were.
//!
//! On a small disk a tenth of it is kept back, if that is less than the setting. What was refused
//! is accepted again only when a quarter more than that is free: else a disk at the bound would
//! refuse every other second.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use whisperer_domain::port::Space;

use crate::error::StoreError;

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Of a disk, what is kept back at most.
const SHARE_MAX: u64 = 10;
const UNKNOWN: u64 = u64::MAX;

/// Of a file system, for whoever has no privileges.
#[derive(Clone, Copy, Debug)]
pub(super) struct Free {
    pub(super) free_bytes: u64,
    pub(super) total_bytes: u64,
}

impl Free {
    #[cfg(unix)]
    pub(super) fn around(path: &std::path::Path) -> io::Result<Self> {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            Some(_) | None => std::path::Path::new("."),
        };
        let seen = rustix::fs::statvfs(folder)?;
        Ok(Self {
            free_bytes: seen.f_bavail.saturating_mul(seen.f_frsize),
            total_bytes: seen.f_blocks.saturating_mul(seen.f_frsize),
        })
    }

    #[cfg(not(unix))]
    pub(super) fn around(_path: &std::path::Path) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

type Look = Box<dyn Fn() -> io::Result<Free> + Send + Sync>;

/// What was seen last.
pub(super) struct Seen {
    look: Look,
    free_bytes_min: u64,
    free_bytes: AtomicU64,
    is_short: AtomicBool,
}

impl Seen {
    pub(super) fn new(
        free_bytes_min: u64,
        look: impl Fn() -> io::Result<Free> + Send + Sync + 'static,
    ) -> Self {
        Self {
            look: Box::new(look),
            free_bytes_min,
            free_bytes: AtomicU64::new(UNKNOWN),
            is_short: AtomicBool::new(false),
        }
    }

    pub(super) fn now(&self) -> Space {
        let free_bytes = self.free_bytes.load(Ordering::Relaxed);
        Space {
            free_bytes: (free_bytes != UNKNOWN).then_some(free_bytes),
            is_short: self.is_short(),
        }
    }

    pub(super) fn is_short(&self) -> bool {
        self.is_short.load(Ordering::Relaxed)
    }

    fn see(&self, free: Free) {
        let Free {
            free_bytes,
            total_bytes,
        } = free;
        let kept = self.free_bytes_min.min(total_bytes / SHARE_MAX);
        let was_short = self.is_short();
        let wanted = if was_short { kept + kept / 4 } else { kept };
        let is_short = free_bytes < wanted;
        self.free_bytes.store(free_bytes, Ordering::Relaxed);
        self.is_short.store(is_short, Ordering::Relaxed);
        if is_short && !was_short {
            tracing::error!(
                free_bytes,
                kept,
                "the disk is nearly full: no events are accepted"
            );
        } else if was_short && !is_short {
            tracing::info!(
                free_bytes,
                kept,
                "there is space again: events are accepted"
            );
        }
    }

    /// What cannot be seen changes nothing: a store must not stop over a system call, which this
    /// is: a microsecond.
    pub(super) fn look(&self) {
        if let Ok(free) = (self.look)() {
            self.see(free);
        }
    }
}

/// Looks once, and then every second in a thread of its own until what it answers is dropped.
pub(super) fn watch(seen: Arc<Seen>) -> Result<SyncSender<()>, StoreError> {
    seen.look();
    let (stop, stopped) = sync_channel(0);
    thread::Builder::new()
        .name("store-space".to_owned())
        .spawn(move || {
            while stopped.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
                seen.look();
            }
        })
        .map_err(StoreError::Thread)?;
    Ok(stop)
}

#[cfg(test)]
mod tests {
    use super::{Free, Seen};

    const MIB: u64 = 1 << 20;

    fn seen(free_bytes_min: u64) -> Seen {
        Seen::new(free_bytes_min, || Err(std::io::ErrorKind::Other.into()))
    }

    fn short_at(seen: &Seen, free: u64, total: u64) -> bool {
        seen.see(Free {
            free_bytes: free * MIB,
            total_bytes: total * MIB,
        });
        assert_eq!(seen.now().free_bytes, Some(free * MIB));
        seen.now().is_short
    }

    #[test]
    fn it_is_short_below_the_bound_and_for_a_while_above_it() {
        let seen = seen(256 * MIB);
        assert_eq!(seen.now().free_bytes, None, "nobody looked yet");
        assert!(!short_at(&seen, 256, 1 << 20));
        assert!(short_at(&seen, 255, 1 << 20));
        assert!(short_at(&seen, 319, 1 << 20), "a little more is not enough");
        assert!(!short_at(&seen, 320, 1 << 20));
        assert!(!short_at(&seen, 256, 1 << 20));
    }

    #[test]
    fn of_a_small_disk_a_tenth_is_kept_back_and_of_zero_nothing() {
        let with = seen(256 * MIB);
        assert!(!short_at(&with, 7, 64));
        assert!(short_at(&with, 6, 64));
        assert!(!short_at(&seen(0), 0, 64));
    }

    #[test]
    fn the_file_system_of_a_real_folder_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let free = Free::around(&folder.path().join("db")).unwrap();
        assert!(
            free.free_bytes > 0 && free.free_bytes < free.total_bytes,
            "{free:?}"
        );
        assert!(Free::around(&folder.path().join("none/db")).is_err());
    }
}
