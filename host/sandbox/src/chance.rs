//! A guest's clock and randomness, both made from the event: the same event gives the same run,
//! here or in a dry run a year later.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rand_core::TryRng;
use sha2::{Digest as _, Sha256};
use wasmtime::component::{HasData, Resource, ResourceTable};
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock;
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};
use wasmtime_wasi::{HostWallClock, async_trait};
use whisperer_domain::time::Timestamp;

/// What a reading of the clock costs: it must move, or code that waits for it never ends.
const READING_NANOS: u64 = 1_000;

/// A clock that stands at the event's time, and moves only by being read or waited for.
#[derive(Clone)]
pub(crate) struct EventClock {
    start: Duration,
    passed_nanos: Arc<AtomicU64>,
}

impl EventClock {
    pub(crate) fn at(time: Timestamp) -> Self {
        Self {
            start: Duration::from_millis(time.0),
            passed_nanos: Arc::new(AtomicU64::new(0)),
        }
    }

    fn read(&self) -> u64 {
        self.pass(READING_NANOS)
    }

    fn pass(&self, nanos: u64) -> u64 {
        // Only the guest's own thread moves it, so load and store need not be one step.
        let now = self
            .passed_nanos
            .load(Ordering::Relaxed)
            .saturating_add(nanos);
        self.passed_nanos.store(now, Ordering::Relaxed);
        now
    }
}

impl HostWallClock for EventClock {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(READING_NANOS)
    }

    fn now(&self) -> Duration {
        self.start.saturating_add(Duration::from_nanos(self.read()))
    }
}

/// Stands in for WASI's own monotonic clock in the linker: to wait is to move the clock, so a
/// guest that sleeps holds nothing up.
pub(crate) struct MonotonicClock;

impl HasData for MonotonicClock {
    type Data<'a> = MonotonicView<'a>;
}

pub(crate) struct MonotonicView<'a> {
    pub(crate) clock: &'a EventClock,
    pub(crate) table: &'a mut ResourceTable,
}

impl MonotonicView<'_> {
    fn passed(&mut self, nanos: u64) -> wasmtime::Result<Resource<DynPollable>> {
        self.clock.pass(nanos);
        let passed = self.table.push(Passed)?;
        subscribe(self.table, passed)
    }
}

impl monotonic_clock::Host for MonotonicView<'_> {
    fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(self.clock.read())
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(READING_NANOS)
    }

    fn subscribe_instant(&mut self, when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let nanos = when.saturating_sub(self.clock.read());
        self.passed(nanos)
    }

    fn subscribe_duration(&mut self, nanos: u64) -> wasmtime::Result<Resource<DynPollable>> {
        self.passed(nanos)
    }
}

/// A moment that is over.
struct Passed;

#[async_trait]
impl Pollable for Passed {
    async fn ready(&mut self) {}
}

/// SplitMix64 from the event's id. Predictable on purpose: nothing secret is made in a plugin.
pub(crate) struct EventRandom(u64);

impl EventRandom {
    pub(crate) fn from(event_id: &str) -> Self {
        let hash = Sha256::digest(event_id.as_bytes());
        let mut seed = [0; 8];
        seed.copy_from_slice(&hash[..8]);
        Self(u64::from_le_bytes(seed))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

impl TryRng for EventRandom {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        // The upper half is the better one.
        Ok((self.next() >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.next())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(8) {
            let random = self.next().to_le_bytes();
            chunk.copy_from_slice(&random[..chunk.len()]);
        }
        Ok(())
    }
}
