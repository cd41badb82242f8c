//! Where the embedded store lives and how much it may hold in memory.

use std::path::PathBuf;

use whisperer_domain::port::Retention;

#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// The database file. Its folder must exist.
    pub path: PathBuf,
    /// The keys that seal what is secret, of 32 bytes each; made with the database, at the first
    /// start.
    pub key_file: PathBuf,
    /// redb's page cache.
    pub cache_bytes: usize,
    /// Writes that may wait for the next commit; more are refused as lagging.
    pub queue_max: usize,
    /// What the payloads and bodies of waiting writes may hold together.
    pub queue_bytes_max: usize,
    /// Rows that one commit gathers at most, as far as whole writes allow: it bounds how long
    /// the first of them waits for its answer.
    pub commit_rows_max: usize,
    /// Bytes that one commit gathers at most, as far as whole writes allow.
    pub commit_bytes_max: usize,
    /// Each commit saves what a start after a crash would else work out by reading the file.
    /// Off: costs about half the rate of small commits.
    pub quick_repair: bool,
    /// What is kept of events that have nothing pending; by default all, for ever.
    pub retention: Retention,
    /// A database file up to this size is read and checked whole when the store is opened.
    pub check_bytes_max: u64,
    /// No events are accepted while less of the disk is free, or less than a tenth of it if that is
    /// smaller.
    pub free_bytes_min: u64,
}

impl StoreConfig {
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, key_file: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            key_file: key_file.into(),
            cache_bytes: 8 << 20,
            queue_max: 4096,
            queue_bytes_max: 64 << 20,
            commit_rows_max: 16_384,
            commit_bytes_max: 16 << 20,
            quick_repair: false,
            retention: Retention::default(),
            check_bytes_max: 256 << 20,
            free_bytes_min: 256 << 20,
        }
    }
}
