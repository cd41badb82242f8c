//! What one call may use. Bounds without a setting stand here too, each with its reason.

use std::thread::available_parallelism;
use std::time::Duration;

/// The wall clock's deadline, in own times: who got less than a tenth of a core was unlucky, not
/// guilty.
pub(crate) const WALL_FACTOR: u32 = 10;
/// No setting may ask for more memory: the pool reserves for it.
pub(crate) const MEMORY_BYTES_CEILING: usize = 256 << 20;
/// Component instances hold a few handles for each stream; nothing honest needs more.
pub(crate) const HANDLES_MAX: usize = 1024;
/// In all tables of a call. JavaScript and Python engines need more than 20,000.
pub(crate) const TABLE_ELEMENTS_MAX: usize = 1 << 16;
/// Core instances, memories and tables of one component. The pool has so many for each call that
/// may run: a plugin that has them all takes no other's.
pub(crate) const CORE_INSTANCES_MAX: u32 = 32;
/// Most components have one. Few, because what a guest took stays resident until a batch of
/// places is given back: places times the memory limit is the worst there is.
pub(crate) const MEMORIES_MAX: u32 = 2;
pub(crate) const TABLES_MAX: u32 = 16;
/// A call chain this long that ends outside of its memory has overflowed its stack: compilers
/// keep most of a guest's stack in its memory, where WebAssembly does not see it end.
pub(crate) const DEEP_FRAMES: usize = 256;
/// What one call of a random function may bring.
pub(crate) const RANDOM_BYTES_MAX: u64 = 64 << 10;
/// Beside the payload: headers, names and reasons that come back.
pub(crate) const OUTPUT_EXTRA_BYTES: usize = 64 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Its own running time. Ten times this by the clock is `busy`.
    pub own_time: Duration,
    /// All its memories together.
    pub memory_bytes_max: usize,
    /// Of the payload that comes back.
    pub output_bytes_max: usize,
    pub log_bytes_max: usize,
    /// Calls at one time: a plugin that loops must leave cores to the others.
    pub calls_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            own_time: Duration::from_millis(100),
            memory_bytes_max: 64 << 20,
            output_bytes_max: 2 << 20,
            log_bytes_max: 16 << 10,
            calls_max: available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1)),
        }
    }
}

impl Limits {
    pub(crate) fn wall(&self) -> Duration {
        self.own_time.saturating_mul(WALL_FACTOR)
    }
}
