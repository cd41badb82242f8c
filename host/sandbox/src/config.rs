//! What the sandbox is told at start.

use std::path::PathBuf;
use std::thread::available_parallelism;
use std::time::Duration;

use crate::compiler::Compiler;
use crate::limits::Limits;

#[derive(Clone, Debug)]
pub struct SandboxConfig {
    /// Where the plugins are; made if it is not there.
    pub folder: PathBuf,
    /// Where compiled code is kept over restarts; none: it is compiled anew. Must be private to
    /// this process's user and must not lie in `folder`: what is in it is executed.
    pub cache: Option<PathBuf>,
    /// Compiles in a process of its own, through the cache; without both of them components are
    /// compiled on a thread of this process, which nothing can stop.
    pub compiler: Option<Compiler>,
    /// For every plugin whose TOML file says nothing else.
    pub limits: Limits,
    /// Calls at once, all plugins together.
    pub calls_max: usize,
    /// How long a call may wait for its turn before it is `busy`.
    pub turn_wait: Duration,
    /// A file larger than this is refused unread.
    pub file_bytes_max: u64,
    pub folder_times: FolderTimes,
    /// How often a plugin in quarantine is tried again.
    pub probe_every: Duration,
    /// Counts what guests execute, at a price in speed: for authors, not for deliveries.
    pub count_instructions: bool,
}

/// How the folder is watched.
#[derive(Clone, Copy, Debug)]
pub struct FolderTimes {
    /// So long must nothing change before the folder is read.
    pub quiet: Duration,
    /// Read it after this time even if it keeps changing.
    pub quiet_max: Duration,
    /// A file must be gone for this long to count as removed: editors rename.
    pub removal_wait: Duration,
    /// Read it this often whatever the watcher says: it sees no network mounts.
    pub rescan: Duration,
}

impl Default for FolderTimes {
    fn default() -> Self {
        Self {
            quiet: Duration::from_millis(50),
            quiet_max: Duration::from_millis(500),
            removal_wait: Duration::from_millis(500),
            rescan: Duration::from_secs(5),
        }
    }
}

impl SandboxConfig {
    /// The defaults, for this machine.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        Self {
            folder: folder.into(),
            cache: None,
            compiler: None,
            limits: Limits::default(),
            // More than cores, so that a few plugins that loop do not hold every turn.
            calls_max: cores.saturating_mul(2).clamp(4, 64),
            turn_wait: Duration::from_secs(5),
            file_bytes_max: 32 << 20,
            folder_times: FolderTimes::default(),
            probe_every: Duration::from_secs(60),
            count_instructions: false,
        }
    }
}
